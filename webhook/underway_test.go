package webhook_test

import (
	"context"
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
	"github.com/sheetbridge/sheetbridge/smartsheet/smartsheettest"
	"github.com/sheetbridge/sheetbridge/webhook/inbox"
	"github.com/sheetbridge/sheetbridge/webhook/registry"
)

// purgeAll removes all that a partner's stream has, as the partner's administrator
// may do where NATS is not ours.
func (b *bridge) purgeAll(partner string) {
	b.t.Helper()
	s := b.reader(partner)
	last, err := s.LastSequence(b.t.Context())
	must(b.t, err)
	must(b.t, s.PurgeBelow(b.t.Context(), "smartsheet."+partner+".>", last+1))
}

// under runs a pass for a hint, something else while a request of it is held, and
// returns when the pass has ended.
func (w *world) under(h *inbox.Hint, held func(*http.Request) bool, do func()) {
	w.t.Helper()
	g := w.hold(held)
	ended := make(chan error, 1)
	ctx, cancel := context.WithCancel(w.t.Context())
	defer cancel()
	go func() { ended <- w.handle(ctx, h) }()
	w.waitFor("the request is held", func() bool { return g.holding() > 0 })
	do()
	g.release()
	must(w.t, <-ended)
	w.sim.SetFault(nil)
}

// TestPurgedWhileTheVersionIsAsked: the share is begun again by another pass; what
// the one that asked knew of it does not count any more.
func TestPurgedWhileTheVersionIsAsked(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{}, everything())
	w.endRelay()
	var asked atomic.Bool
	first := func(*http.Request) bool { return asked.CompareAndSwap(false, true) }
	w.under(&inbox.Hint{Registration: w.reg.ID, Why: inbox.WhyReconcile, Whole: true, ReceivedAt: time.Now()}, first, func() {
		w.purgeAll("acme")
		must(t, w.handle(t.Context(), &inbox.Hint{Registration: w.reg.ID, Why: inbox.WhyCallback, Rows: map[int64]inbox.Row{w.sheet.Rows[0]: {}}, ReceivedAt: time.Now()}))
	})
	if s := statusOf(w.stream("acme"), "orders"); s.State == events.StateLive || s.CompleteTo != nil {
		t.Errorf("got status %+v of a share that lacks rows", s)
	}
	w.startRelay()
	w.settle()
	w.check("acme")
}

// TestPurgedWhileTheSheetIsRead: a share is not said to be complete where a part of
// what the pass published went in the midst of it.
func TestPurgedWhileTheSheetIsRead(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{maxPage: 20 << 10}, everything())
	w.drop(func() {
		var added []smartsheettest.Row
		for i := range 300 {
			added = append(added, smartsheettest.Row{Cells: cells{"No": fmt.Sprint("N-", i), "Status": strings.Repeat("x", 50)}})
		}
		_, err := w.sim.As(w.jane).AddRows(w.sheet.ID, added...)
		must(t, err)
	})
	w.endRelay()
	later := func(r *http.Request) bool {
		q := r.URL.Query()
		return q.Get("page") != "" && q.Get("page") != "1" && q.Get("pageSize") != "0"
	}
	w.under(&inbox.Hint{Registration: w.reg.ID, Why: inbox.WhyReconcile, Whole: true, Full: true, ReceivedAt: time.Now()}, later, func() {
		w.waitFor("the first page is published", func() bool { return w.has("acme", "N-0") })
		w.purgeAll("acme")
		must(t, w.handle(t.Context(), &inbox.Hint{Registration: w.reg.ID, Why: inbox.WhyCallback, Rows: map[int64]inbox.Row{w.sheet.Rows[0]: {}}, ReceivedAt: time.Now()}))
	})
	if s := statusOf(w.stream("acme"), "orders"); s.CompleteTo != nil && !w.has("acme", "N-0") {
		t.Errorf("got status %+v of a share that lacks rows", s)
	}
	w.startRelay()
	w.settle()
	w.check("acme")
}

// TestShareOfAGoneRegistration has a pass of its own, which leaves the others alone
// and what is put off for them.
func TestShareOfAGoneRegistration(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{}, everything(), events.Request{Partner: "bolt", Columns: columns("No")})
	w.endRelay()
	for _, partner := range []string{"acme", "bolt"} {
		_, err := w.registry.UpdateShare(t.Context(), partner, "orders", func(s *registry.Share) error {
			s.Ending = true
			return nil
		})
		must(t, err)
	}
	hint := func(shares ...string) *inbox.Hint {
		return &inbox.Hint{Registration: w.reg.ID, Why: inbox.WhyShare, Whole: true, Shares: shares, ReceivedAt: time.Now()}
	}
	reg, err := w.registry.FreshRegistration(t.Context(), w.reg.ID)
	must(t, err)
	must(t, w.registry.DeleteRegistration(t.Context(), reg))
	must(t, w.inbox.Defer(t.Context(), hint("bolt/orders"), time.Now().Add(time.Hour)))
	must(t, w.handle(t.Context(), hint("acme/orders")))
	if w.registry.Share("acme", "orders") != nil || w.registry.Share("bolt", "orders") == nil {
		t.Error("want the share ended that the hint is for, and no other")
	}
	note, err := w.inbox.Deferred(t.Context(), w.reg.ID)
	must(t, err)
	if note == nil || note.Shares["bolt/orders"] == nil {
		t.Errorf("got %+v, want what is put off for the other share", note)
	}
	must(t, w.handle(t.Context(), hint()))
	if w.registry.Share("bolt", "orders") != nil {
		t.Error("the other share has not ended")
	}
}

// TestPublishingFailsAndThenReading: how often publishing has failed does not count
// against the hint when reading fails once.
func TestPublishingFailsAndThenReading(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{}, everything())
	w.limit("acme", 64<<10)
	for i := range 26 {
		w.edit(0, cells{"Qty": strings.Repeat(string(rune('a'+i)), 4000)})
		w.settle()
		if w.partners.Full("acme") {
			break
		}
	}
	w.endRelay()
	h := &inbox.Hint{Registration: w.reg.ID, Why: inbox.WhyCallback, Whole: true, Full: true, Shares: []string{"acme/orders"}, ReceivedAt: time.Now()}
	for range 13 {
		must(t, w.handle(t.Context(), h))
		note, err := w.inbox.Deferred(t.Context(), w.reg.ID)
		must(t, err)
		if note == nil || note.Shares["acme/orders"] == nil {
			t.Fatalf("got %+v, want the share put off", note)
		}
		h = note.Shares["acme/orders"].Hint
	}
	w.sim.SetFault(func(*http.Request) *smartsheettest.Fault {
		return &smartsheettest.Fault{Status: 500, ErrorCode: 4000}
	})
	must(t, w.handle(t.Context(), h))
	dead, err := w.inbox.Dead(t.Context(), 10)
	must(t, err)
	if len(dead) > 0 {
		t.Errorf("a hint was given up when reading failed for the first time: %+v", dead)
	}
}

// TestCommentOnARowThatIsHidden: as long as a share's rows show its old definition,
// what hangs on them may be on rows that it does not show any more.
func TestCommentOnARowThatIsHidden(t *testing.T) {
	t.Parallel()
	request := everything()
	request.Kinds = []string{"row", "comment"}
	w := newWorld(t, options{}, request)
	w.endRelay()
	request.Where = `cells["Margin"] == 'canary-margin-2'`
	w.define(request)
	var comment int64
	w.drop(func() {
		var err error
		_, comment, err = w.sim.As(w.jane).Discuss(w.sheet.ID, w.sheet.Rows[0], "confidential")
		must(t, err)
	})
	must(t, w.handle(t.Context(), &inbox.Hint{Registration: w.reg.ID, Why: inbox.WhyCallback, Comments: []int64{comment}, ReceivedAt: time.Now()}))
	w.hides("acme", "confidential")
	w.startRelay()
	w.settle()
	w.hides("acme", "confidential")
	w.check("acme")
}

// TestManySharesAreRevisedAtOnce: when a column gets another type, each share that
// shows it begins a revision, and the sheet is read once for all of them.
func TestManySharesAreRevisedAtOnce(t *testing.T) {
	t.Parallel()
	const shares = 6
	var requests []events.Request
	for i := range shares {
		requests = append(requests, events.Request{Partner: "acme", Sheet: fmt.Sprint("orders-", i), Columns: columns("No", "Qty")})
	}
	w := newWorld(t, options{}, requests...)
	w.endRelay()
	w.drop(func() { must(t, w.sim.As(w.jane).RetypeColumn(w.sheet.ID, w.sheet.Columns["Qty"], "CHECKBOX")) })
	got := w.requests(func() {
		must(t, w.handle(t.Context(), &inbox.Hint{Registration: w.reg.ID, Why: inbox.WhyCallback, Rows: map[int64]inbox.Row{w.sheet.Rows[0]: {}}, ReceivedAt: time.Now()}))
		w.startRelay()
		w.settle()
	})
	if n := count(got, "GET sheets/{sheet}"); n > 3 {
		t.Errorf("the sheet was read %d times for %d shares: %v", n, shares, got)
	}
	for i := range shares {
		if s := statusOf(w.stream("acme"), fmt.Sprint("orders-", i)); s.State != events.StateLive {
			t.Errorf("got share %d %s, want live", i, s.State)
		}
	}
	w.check("acme")
}

// TestRestoredWhileWeRun: where a partner's stream was copied back with lower
// sequences, what stands there is what the partner last saw, whatever was purged of
// the stream before.
func TestRestoredWhileWeRun(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	foreign := foreignNATS(t, t.TempDir(), -1, 1<<20)
	w.addExternal(t, "acme", foreign.ClientURL())
	w.reg = w.register("ops", w.sheet.ID, everything())
	for n := range 10 {
		w.edit(0, cells{"Qty": n})
		w.settle()
	}
	w.register("ops", w.sheet.ID, events.Request{Partner: "acme", Sheet: "numbers", Columns: columns("No")})
	w.endRelay()

	nc, err := nats.Connect(foreign.ClientURL())
	must(t, err)
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	must(t, err)
	before, err := js.Stream(t.Context(), events.StreamName)
	must(t, err)
	latest := map[string]uint64{}
	var all []*nats.Msg
	for _, m := range w.stream("acme") {
		latest[m.Subject] = m.Sequence
	}
	for _, sequence := range slices.Sorted(maps.Values(latest)) {
		m, err := before.GetMsg(t.Context(), sequence)
		must(t, err)
		copied := &nats.Msg{Subject: m.Subject, Header: m.Header, Data: m.Data}
		maps.DeleteFunc(copied.Header, func(name string, _ []string) bool { return strings.HasPrefix(name, "Nats-") })
		all = append(all, copied)
	}
	must(t, js.DeleteStream(t.Context(), events.StreamName))
	_, err = js.CreateStream(t.Context(), before.CachedInfo().Config)
	must(t, err)
	for _, m := range all {
		_, err := js.PublishMsg(t.Context(), m)
		must(t, err)
	}
	restored := last(w.stream("acme"))
	w.drop(func() { w.edit(0, cells{"No": "SO-1b"}) })
	must(t, w.handle(t.Context(), &inbox.Hint{Registration: w.reg.ID, Why: inbox.WhyCallback, Rows: map[int64]inbox.Row{w.sheet.Rows[0]: {}}, ReceivedAt: time.Now()}))
	if got := kinds(w.stream("acme"), restored); got["row.updated"] != 2 || got["row.created"] != 0 {
		t.Errorf("got %v after the edit of a row that both shares have shown, want it updated in both", got)
	}
}
