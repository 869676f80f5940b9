package relay_test

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/events/eventstest"
	"github.com/sheetbridge/sheetbridge/smartsheet/smartsheettest"
	"github.com/sheetbridge/sheetbridge/webhook/inbox"
	"github.com/sheetbridge/sheetbridge/webhook/registry"
	"github.com/sheetbridge/sheetbridge/webhook/webhooktest"
)

// TestPurgedWhileTheVersionIsAsked: the share is begun again by another pass; what
// the one that asked knew of it does not count any more.
func TestPurgedWhileTheVersionIsAsked(t *testing.T) {
	t.Parallel()
	w := webhooktest.NewWorld(t, webhooktest.Options{}, webhooktest.Everything())
	w.StopRelay()
	var asked atomic.Bool
	first := func(*http.Request) bool { return asked.CompareAndSwap(false, true) }
	w.DuringPass(&inbox.Hint{Registration: w.Reg.ID, Why: inbox.WhyReconcile, Whole: true, ReceivedAt: time.Now()}, first, func() {
		w.PurgeStream("acme")
		webhooktest.Must(t, w.Handle(t.Context(), &inbox.Hint{Registration: w.Reg.ID, Why: inbox.WhyCallback, Rows: map[int64]inbox.Row{w.Sheet.Rows[0]: {}}, ReceivedAt: time.Now()}))
	})
	if s := webhooktest.StatusOf(w.Stream("acme"), "orders"); s.State == events.StateLive || s.CompleteTo != nil {
		t.Errorf("got status %+v of a share that lacks rows", s)
	}
	w.StartRelay()
	w.Settle()
	w.Check("acme")
}

// TestPurgedWhileTheSheetIsRead: a share is not said to be complete where a part of
// what the pass published went in the midst of it.
func TestPurgedWhileTheSheetIsRead(t *testing.T) {
	t.Parallel()
	w := webhooktest.NewWorld(t, webhooktest.Options{MaxPage: 20 << 10}, webhooktest.Everything())
	w.Drop(func() {
		var added []smartsheettest.Row
		for i := range 300 {
			added = append(added, smartsheettest.Row{Cells: webhooktest.Cells{"No": fmt.Sprint("N-", i), "Status": strings.Repeat("x", 50)}})
		}
		_, err := w.Sim.As(w.Jane).AddRows(w.Sheet.ID, added...)
		webhooktest.Must(t, err)
	})
	w.StopRelay()
	later := func(r *http.Request) bool {
		q := r.URL.Query()
		return q.Get("page") != "" && q.Get("page") != "1" && q.Get("pageSize") != "0"
	}
	w.DuringPass(&inbox.Hint{Registration: w.Reg.ID, Why: inbox.WhyReconcile, Whole: true, Full: true, ReceivedAt: time.Now()}, later, func() {
		w.Await("the first page is published", func() bool { return w.StreamHas("acme", "N-0") })
		w.PurgeStream("acme")
		webhooktest.Must(t, w.Handle(t.Context(), &inbox.Hint{Registration: w.Reg.ID, Why: inbox.WhyCallback, Rows: map[int64]inbox.Row{w.Sheet.Rows[0]: {}}, ReceivedAt: time.Now()}))
	})
	if s := webhooktest.StatusOf(w.Stream("acme"), "orders"); s.CompleteTo != nil && !w.StreamHas("acme", "N-0") {
		t.Errorf("got status %+v of a share that lacks rows", s)
	}
	w.StartRelay()
	w.Settle()
	w.Check("acme")
}

// TestShareOfAGoneRegistration has a pass of its own, which leaves the others alone
// and what is put off for them.
func TestShareOfAGoneRegistration(t *testing.T) {
	t.Parallel()
	w := webhooktest.NewWorld(t, webhooktest.Options{}, webhooktest.Everything(), events.Request{Partner: "bolt", Columns: webhooktest.Columns("No")})
	w.StopRelay()
	for _, partner := range []string{"acme", "bolt"} {
		_, err := w.Registry.UpdateShare(t.Context(), partner, "orders", func(s *registry.Share) error {
			s.Ending = true
			return nil
		})
		webhooktest.Must(t, err)
	}
	hint := func(shares ...string) *inbox.Hint {
		return &inbox.Hint{Registration: w.Reg.ID, Why: inbox.WhyShare, Whole: true, Shares: shares, ReceivedAt: time.Now()}
	}
	reg, err := w.Registry.FreshRegistration(t.Context(), w.Reg.ID)
	webhooktest.Must(t, err)
	webhooktest.Must(t, w.Registry.DeleteRegistration(t.Context(), reg))
	webhooktest.Must(t, w.Inbox.Defer(t.Context(), hint("bolt/orders"), time.Now().Add(time.Hour)))
	webhooktest.Must(t, w.Handle(t.Context(), hint("acme/orders")))
	if w.Registry.Share("acme", "orders") != nil || w.Registry.Share("bolt", "orders") == nil {
		t.Error("want the share ended that the hint is for, and no other")
	}
	note, err := w.Inbox.Deferred(t.Context(), w.Reg.ID)
	webhooktest.Must(t, err)
	if note == nil || note.Shares["bolt/orders"] == nil {
		t.Errorf("got %+v, want what is put off for the other share", note)
	}
	webhooktest.Must(t, w.Handle(t.Context(), hint()))
	if w.Registry.Share("bolt", "orders") != nil {
		t.Error("the other share has not ended")
	}
}

// TestPublishingFailsAndThenReading: how often publishing has failed does not count
// against the hint when reading fails once.
func TestPublishingFailsAndThenReading(t *testing.T) {
	t.Parallel()
	w := webhooktest.NewWorld(t, webhooktest.Options{}, webhooktest.Everything())
	w.Limit("acme", 64<<10)
	for i := range 26 {
		w.Edit(0, webhooktest.Cells{"Qty": strings.Repeat(string(rune('a'+i)), 4000)})
		w.Settle()
		if w.Partners.Full("acme") {
			break
		}
	}
	w.StopRelay()
	h := &inbox.Hint{Registration: w.Reg.ID, Why: inbox.WhyCallback, Whole: true, Full: true, Shares: []string{"acme/orders"}, ReceivedAt: time.Now()}
	for range 13 {
		webhooktest.Must(t, w.Handle(t.Context(), h))
		note, err := w.Inbox.Deferred(t.Context(), w.Reg.ID)
		webhooktest.Must(t, err)
		if note == nil || note.Shares["acme/orders"] == nil {
			t.Fatalf("got %+v, want the share put off", note)
		}
		h = note.Shares["acme/orders"].Hint
	}
	w.Sim.SetFault(func(*http.Request) *smartsheettest.Fault {
		return &smartsheettest.Fault{Status: 500, ErrorCode: 4000}
	})
	webhooktest.Must(t, w.Handle(t.Context(), h))
	dead, err := w.Inbox.Dead(t.Context(), 10)
	webhooktest.Must(t, err)
	if len(dead) > 0 {
		t.Errorf("a hint was given up when reading failed for the first time: %+v", dead)
	}
}

// TestCommentOnARowThatIsHidden: as long as a share's rows show its old definition,
// what hangs on them may be on rows that it does not show any more.
func TestCommentOnARowThatIsHidden(t *testing.T) {
	t.Parallel()
	request := webhooktest.Everything()
	request.Kinds = []string{"row", "comment"}
	w := webhooktest.NewWorld(t, webhooktest.Options{}, request)
	w.StopRelay()
	request.Where = `cells["Margin"] == 'canary-margin-2'`
	w.Define(request)
	var comment int64
	w.Drop(func() {
		var err error
		_, comment, err = w.Sim.As(w.Jane).Discuss(w.Sheet.ID, w.Sheet.Rows[0], "confidential")
		webhooktest.Must(t, err)
	})
	webhooktest.Must(t, w.Handle(t.Context(), &inbox.Hint{Registration: w.Reg.ID, Why: inbox.WhyCallback, Comments: []int64{comment}, ReceivedAt: time.Now()}))
	w.WantNoWords("acme", "confidential")
	w.StartRelay()
	w.Settle()
	w.WantNoWords("acme", "confidential")
	w.Check("acme")
}

// TestManySharesAreRevisedAtOnce: when a column gets another type, each share that
// shows it begins a revision, and the sheet is read once for all of them.
func TestManySharesAreRevisedAtOnce(t *testing.T) {
	t.Parallel()
	const shares = 6
	var requests []events.Request
	for i := range shares {
		requests = append(requests, events.Request{Partner: "acme", Sheet: fmt.Sprint("orders-", i), Columns: webhooktest.Columns("No", "Qty")})
	}
	w := webhooktest.NewWorld(t, webhooktest.Options{}, requests...)
	w.StopRelay()
	w.Drop(func() {
		webhooktest.Must(t, w.Sim.As(w.Jane).RetypeColumn(w.Sheet.ID, w.Sheet.Columns["Qty"], "CHECKBOX"))
	})
	got := w.Requests(func() {
		webhooktest.Must(t, w.Handle(t.Context(), &inbox.Hint{Registration: w.Reg.ID, Why: inbox.WhyCallback, Rows: map[int64]inbox.Row{w.Sheet.Rows[0]: {}}, ReceivedAt: time.Now()}))
		w.StartRelay()
		w.Settle()
	})
	if n := webhooktest.Count(got, "GET sheets/{sheet}"); n > 3 {
		t.Errorf("the sheet was read %d times for %d shares: %v", n, shares, got)
	}
	for i := range shares {
		if s := webhooktest.StatusOf(w.Stream("acme"), fmt.Sprint("orders-", i)); s.State != events.StateLive {
			t.Errorf("got share %d %s, want live", i, s.State)
		}
	}
	w.Check("acme")
}

// TestRestoredWhileWeRun: where a partner's stream was copied back with lower
// sequences, what stands there is what the partner last saw, whatever was purged of
// the stream before.
func TestRestoredWhileWeRun(t *testing.T) {
	t.Parallel()
	w := webhooktest.NewWorld(t, webhooktest.Options{})
	foreign := webhooktest.ForeignNATS(t, t.TempDir(), -1, 1<<20)
	w.AddExternal(t, "acme", foreign.ClientURL())
	w.Reg = w.Register("ops", w.Sheet.ID, webhooktest.Everything())
	for n := range 10 {
		w.Edit(0, webhooktest.Cells{"Qty": n})
		w.Settle()
	}
	w.Register("ops", w.Sheet.ID, events.Request{Partner: "acme", Sheet: "numbers", Columns: webhooktest.Columns("No")})
	w.StopRelay()

	nc, err := nats.Connect(foreign.ClientURL())
	webhooktest.Must(t, err)
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	webhooktest.Must(t, err)
	before, err := js.Stream(t.Context(), events.StreamName)
	webhooktest.Must(t, err)
	latest := map[string]uint64{}
	var all []*nats.Msg
	for _, m := range w.Stream("acme") {
		latest[m.Subject] = m.Sequence
	}
	for _, sequence := range slices.Sorted(maps.Values(latest)) {
		m, err := before.GetMsg(t.Context(), sequence)
		webhooktest.Must(t, err)
		copied := &nats.Msg{Subject: m.Subject, Header: m.Header, Data: m.Data}
		maps.DeleteFunc(copied.Header, func(name string, _ []string) bool { return strings.HasPrefix(name, "Nats-") })
		all = append(all, copied)
	}
	webhooktest.Must(t, js.DeleteStream(t.Context(), events.StreamName))
	eventstest.AfterDeletion(t, func() error {
		_, err := js.CreateStream(t.Context(), before.CachedInfo().Config)
		return err
	})
	for _, m := range all {
		_, err := js.PublishMsg(t.Context(), m)
		webhooktest.Must(t, err)
	}
	restored := webhooktest.Last(w.Stream("acme"))
	w.Drop(func() { w.Edit(0, webhooktest.Cells{"No": "SO-1b"}) })
	webhooktest.Must(t, w.Handle(t.Context(), &inbox.Hint{Registration: w.Reg.ID, Why: inbox.WhyCallback, Rows: map[int64]inbox.Row{w.Sheet.Rows[0]: {}}, ReceivedAt: time.Now()}))
	if got := webhooktest.Kinds(w.Stream("acme"), restored); got["row.updated"] != 2 || got["row.created"] != 0 {
		t.Errorf("got %v after the edit of a row that both shares have shown, want it updated in both", got)
	}
}
