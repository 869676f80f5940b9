package webhook_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/smartsheet/smartsheettest"
	"github.com/sheetbridge/sheetbridge/webhook/inbox"
)

// wholeReads counts how often the sheet was read from its first page on while f ran.
func (w *world) wholeReads(f func()) int {
	before, n := len(w.sim.Requests()), 0
	f()
	for _, r := range w.sim.Requests()[before:] {
		if q, err := url.ParseQuery(r.Query); err == nil && q.Get("page") == "1" && q.Get("pageSize") != "0" && !q.Has("rowIds") {
			n++
		}
	}
	return n
}

// TestShareThatFillsUpWhileItLoads: each edit of a row costs its sheet one request
// for that row still, and not the whole sheet.
func TestShareThatFillsUpWhileItLoads(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{}, everything())
	rows := make([]smartsheettest.Row, 40)
	for i := range rows {
		rows[i].Cells = cells{"No": fmt.Sprint("N-", i), "Margin": strings.Repeat("m", 4000)}
	}
	_, err := w.sim.As(w.jane).AddRows(w.sheet.ID, rows...)
	must(t, err)
	w.settle()
	w.addPartner("bolt")
	w.limit("bolt", 64<<10)
	_, _, err = w.registrar.Register(t.Context(), "ops", w.sheet.ID, []events.Request{margins("bolt")})
	must(t, err)
	w.waitFor("the partner's stream is full", func() bool { return w.partners.Full("bolt") })
	w.settle()

	edits := 30
	whole := w.wholeReads(func() {
		for i := range edits {
			w.edit(0, cells{"Qty": i})
			w.settle()
		}
	})
	t.Logf("%d edits while the full share is tried again beside them: the sheet was read %d times", edits, whole)
	if whole > edits/3 { // the full share alone, longer after each failure
		t.Errorf("the sheet was read %d times for %d edits of one row", whole, edits)
	}
	w.endRelay() // from here on passes are driven by hand, so that none is for the full share alone

	edits = 10
	requests := w.requests(func() {
		for i := range edits {
			w.edit(0, cells{"Qty": i + 100})
			must(t, w.sim.Wait(t.Context()))
			h := hintFor(w, fmt.Sprintf(`{"webhookId":1,"events":[{"objectType":"row","eventType":"updated","id":%d}]}`, w.sheet.Rows[0]))
			must(t, w.handle(t.Context(), h))
		}
	})
	t.Logf("%d edits cost %d requests", edits, len(requests))
	if len(requests) != edits {
		t.Errorf("got %d requests for %d edits of a row, want one each: %v", len(requests), edits, requests)
	}
	if !w.shows("acme", "109") {
		t.Error("the last edit was not published to the other partner")
	}
	if s := statusOf(w.stream("bolt"), "orders"); s.State == events.StateLive {
		t.Errorf("got status %s of a share that could not be loaded", s.State)
	}
	w.limit("bolt", 1<<30)
	w.startRelay()
	must(t, w.inbox.Put(t.Context(), &inbox.Hint{Registration: w.reg.ID, Why: inbox.WhyReconcile, Whole: true, ReceivedAt: time.Now()}))
	w.waitFor("the share is live", func() bool { return statusOf(w.stream("bolt"), "orders").State == events.StateLive })
	w.settle()
	w.check("acme", "bolt")
}
