package stream_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats.go"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/events/eventstest"
	"github.com/sheetbridge/sheetbridge/events/seal"
	"github.com/sheetbridge/sheetbridge/events/stream"
)

// foreigners remembers what a stream tells of foreign messages.
type foreigners struct {
	mu   sync.Mutex
	list []stream.Foreign
}

func (f *foreigners) RecordForeign(_ context.Context, found stream.Foreign) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.list = append(f.list, found)
}

func (f *foreigners) take() []stream.Foreign {
	f.mu.Lock()
	defer f.mu.Unlock()
	list := f.list
	f.list = nil
	return list
}

const testKey = "a key of the partner's"

// forger is a partner's stream at a NATS where its readers live in the same
// account, with a reader there.
type forger struct {
	t      *testing.T
	bridge *nats.Conn
	reader *nats.Conn
	stream *stream.Stream
	found  *foreigners
	share  *events.Share
}

func newForger(t *testing.T, key string) *forger {
	t.Helper()
	s := newTailed(t)
	f := &forger{t: t, bridge: s.nc, found: &foreigners{}, share: testShare("orders")}
	f.reader = s.connect(func(c *jwt.UserClaims) {
		c.Sub.Allow.Add("_INBOX.>", "smartsheet.acme.>")
		c.Pub.Allow.Add("$JS.API.INFO", "$JS.API.DIRECT.GET.EVENTS", "$JS.API.CONSUMER.CREATE.EVENTS.>", "$JS.API.CONSUMER.MSG.NEXT.EVENTS.>")
	})
	var err error
	f.stream, err = stream.Open(t.Context(), s.nc, "acme", stream.Options{Key: seal.Secret(key), Foreign: f.found})
	must(t, err)
	return f
}

// forge has the server publish what the reader wants: its answer to the call.
func (f *forger) forge(call, body, subject string) {
	f.t.Helper()
	last, err := f.stream.LastSequence(f.t.Context())
	must(f.t, err)
	must(f.t, f.reader.PublishRequest("$JS.API."+call, subject, []byte(body)))
	must(f.t, f.reader.Flush())
	ctx, cancel := context.WithTimeout(f.t.Context(), eventstest.Patience)
	defer cancel()
	for {
		now, err := f.stream.LastSequence(ctx)
		must(f.t, err)
		if now > last {
			return
		}
	}
}

// TestForeignMessagesAreAbsent forges messages where readers can: each counts as
// absent, is purged and told, and stops nothing.
func TestForeignMessagesAreAbsent(t *testing.T) {
	t.Parallel()
	f := newForger(t, testKey)
	ctx := t.Context()
	w := begin(t, f.stream, f.share)
	must(t, w.Add(rowEvent(t, f.share, 1)))
	_, err := w.Flush(ctx, time.Now(), events.StatusData{State: events.StateLive})
	must(t, err)
	row := "smartsheet.acme.orders.row.1"
	if got := seen(t, f.stream, f.share, 1, w.Since()); len(got) != 1 || len(f.found.take()) != 0 {
		t.Fatalf("got %d objects of the bridge's own, want one, and nothing foreign", len(got))
	}

	f.forge("INFO", "", row)
	got, err := f.stream.Last(ctx, f.share, []string{row}, w.Since())
	if err != nil || len(got) != 0 {
		t.Errorf("row: got %v, error %v, want it absent", got, err)
	}
	f.wantFound("row", row)

	f.forge("INFO", "", f.share.SubjectStatus())
	state, err := f.stream.State(ctx, f.share, nil)
	if err != nil || state.Status != nil || state.Lock != 0 || state.Schema == nil {
		t.Fatalf("status: got %+v, error %v, want none and lock 0", state, err)
	}
	f.wantFound("status", f.share.SubjectStatus())

	f.forge("INFO", "", f.share.SubjectSchema())
	if state, err = f.stream.State(ctx, f.share, nil); err != nil || state.Schema != nil {
		t.Errorf("schema: got %+v, error %v, want none", state, err)
	}
	f.wantFound("schema", f.share.SubjectSchema())

	// The bridge begins again with what it has.
	w = f.stream.NewWriter(f.share, state.Lock)
	must(t, w.Begin(ctx, time.Now(), schema(f.share), events.StatusData{State: events.StateLive}))
	must(t, w.Add(rowEvent(t, f.share, 1)))
	_, err = w.Flush(ctx, time.Now(), events.StatusData{State: events.StateLive})
	must(t, err)
	if got := seen(t, f.stream, f.share, 1, w.Since()); len(got) != 1 {
		t.Errorf("got %d objects, want the row again", len(got))
	}

	junk := "smartsheet.acme.junk"
	f.forge("INFO", "", junk)
	_, _, err = f.stream.PurgeTombstones(ctx, time.Now().Add(-time.Hour), 0, 1000)
	must(t, err)
	f.wantFound("what no share has", junk)
	if left, err := f.stream.Subjects(ctx, junk); err != nil || len(left) != 0 {
		t.Errorf("got %q, error %v, want it gone", left, err)
	}
}

// wantFound wants that foreign messages were told of, all on one subject.
func (f *forger) wantFound(what, subject string) {
	f.t.Helper()
	found := f.found.take()
	if len(found) == 0 {
		f.t.Errorf("%s: nobody was told", what)
	}
	for _, m := range found {
		if m.Subject != subject || m.Sequence == 0 {
			f.t.Errorf("%s: got %+v, want %s", what, m, subject)
		}
	}
}

// TestOldMessagesSentAgain has the server send an old event to its own subject
// again, as it is and without its headers, over its row's later state.
func TestOldMessagesSentAgain(t *testing.T) {
	t.Parallel()
	f := newForger(t, testKey)
	ctx := t.Context()
	w := begin(t, f.stream, f.share)
	row := "smartsheet.acme.orders.row.1"
	for range 2 {
		must(t, w.Add(rowEvent(t, f.share, 1)))
		_, err := w.Flush(ctx, time.Now(), events.StatusData{State: events.StateLive})
		must(t, err)
	}
	first, err := f.stream.FirstSequence(ctx, row)
	must(t, err)
	before, err := f.stream.LastSequence(ctx)
	must(t, err)
	for _, noHeaders := range []bool{false, true} {
		must(t, f.reader.PublishRequest("$JS.API.DIRECT.GET.EVENTS", row, fmt.Appendf(nil, `{"seq":%d,"no_hdr":%t}`, first, noHeaders)))
	}
	consumer := fmt.Sprintf(`{"stream_name":"EVENTS","config":{"name":"x","filter_subject":%q,"ack_policy":"none","deliver_policy":"all"}}`, row)
	m, err := f.reader.Request("$JS.API.CONSUMER.CREATE.EVENTS.x."+row, []byte(consumer), 5*time.Second)
	must(t, err)
	if strings.Contains(string(m.Data), `"error"`) {
		t.Fatalf("%s", m.Data)
	}
	must(t, f.reader.PublishRequest("$JS.API.CONSUMER.MSG.NEXT.EVENTS.x", row, []byte(`{"batch":1}`)))
	f.forge("INFO", "", "smartsheet.acme.after") // comes after all of that
	got, err := f.stream.Last(ctx, f.share, []string{row}, w.Since())
	must(t, err)
	if o := got[row]; o != nil && o.Sequence > before {
		t.Errorf("got the row from sequence %d, which the bridge did not store", o.Sequence)
	}
	f.wantFound("an old event", row)
}

// TestUnreadableMessages stand in a stream that only the bridge writes to.
func TestUnreadableMessages(t *testing.T) {
	t.Parallel()
	f := newForger(t, "")
	ctx := t.Context()
	w := begin(t, f.stream, f.share)
	must(t, w.Add(rowEvent(t, f.share, 1)))
	_, err := w.Flush(ctx, time.Now(), events.StatusData{State: events.StateLive})
	must(t, err)
	row := "smartsheet.acme.orders.row.1"
	for _, subject := range []string{row, f.share.SubjectStatus(), f.share.SubjectSchema()} {
		for _, body := range []string{"", "{", `[]`} {
			_, err := f.bridge.Request(subject, []byte(body), 5*time.Second)
			must(t, err)
		}
	}
	state, err := f.stream.State(ctx, f.share, nil)
	if err != nil || state.Status != nil || state.Schema != nil || state.Lock != 0 {
		t.Fatalf("got %+v, error %v, want none", state, err)
	}
	if _, err := f.stream.States(ctx, []*events.Share{f.share}); err != nil {
		t.Error(err)
	}
	w = f.stream.NewWriter(f.share, state.Lock)
	must(t, w.Begin(ctx, time.Now(), schema(f.share), events.StatusData{State: events.StateLive}))
	if got, err := f.stream.Last(ctx, f.share, []string{row}, w.Since()); err != nil || len(got) != 0 {
		t.Errorf("got %v, error %v, want the row absent", got, err)
	}
	for _, m := range f.found.take() {
		if !m.Unreadable {
			t.Errorf("got %+v, want it told as unreadable", m)
		}
	}
}

func BenchmarkMAC(b *testing.B) {
	body := []byte(strings.Repeat("x", 1<<10))
	for b.Loop() {
		stream.MAC(testKey, "smartsheet.acme.orders.row.7129509179746180", body)
	}
}
