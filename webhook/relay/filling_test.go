package relay_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/smartsheet/smartsheettest"
	"github.com/sheetbridge/sheetbridge/webhook/inbox"
	"github.com/sheetbridge/sheetbridge/webhook/webhooktest"
)

// TestShareThatFillsUpWhileItLoads: each edit of a row costs its sheet one request
// for that row still, and not the whole sheet.
func TestShareThatFillsUpWhileItLoads(t *testing.T) {
	t.Parallel()
	w := webhooktest.NewWorld(t, webhooktest.Options{}, webhooktest.Everything())
	rows := make([]smartsheettest.Row, 40)
	for i := range rows {
		rows[i].Cells = webhooktest.Cells{"No": fmt.Sprint("N-", i), "Margin": strings.Repeat("m", 4000)}
	}
	_, err := w.Sim.As(w.Jane).AddRows(w.Sheet.ID, rows...)
	webhooktest.Must(t, err)
	w.Settle()
	w.AddPartner("bolt")
	w.Limit("bolt", 64<<10)
	_, _, err = w.Registrar.Register(t.Context(), "ops", w.Sheet.ID, []events.Request{webhooktest.Margins("bolt")})
	webhooktest.Must(t, err)
	w.Await("the partner's stream is full", func() bool { return w.Partners.Full("bolt") })
	w.Settle()

	edits := 30
	whole := w.WholeReads(func() {
		for i := range edits {
			w.Edit(0, webhooktest.Cells{"Qty": i})
			w.Settle()
		}
	})
	t.Logf("%d edits while the full share is tried again beside them: the sheet was read %d times", edits, whole)
	if whole > edits/3 { // the full share alone, longer after each failure
		t.Errorf("the sheet was read %d times for %d edits of one row", whole, edits)
	}
	w.StopRelay() // from here on passes are driven by hand, so that none is for the full share alone

	edits = 10
	requests := w.Requests(func() {
		for i := range edits {
			w.Edit(0, webhooktest.Cells{"Qty": i + 100})
			webhooktest.Must(t, w.Sim.Wait(t.Context()))
			h := webhooktest.HintFor(w, fmt.Sprintf(`{"webhookId":1,"events":[{"objectType":"row","eventType":"updated","id":%d}]}`, w.Sheet.Rows[0]))
			webhooktest.Must(t, w.Handle(t.Context(), h))
		}
	})
	t.Logf("%d edits cost %d requests", edits, len(requests))
	if len(requests) != edits {
		t.Errorf("got %d requests for %d edits of a row, want one each: %v", len(requests), edits, requests)
	}
	if !w.LastEventHas("acme", "109") {
		t.Error("the last edit was not published to the other partner")
	}
	if s := webhooktest.StatusOf(w.Stream("bolt"), "orders"); s.State == events.StateLive {
		t.Errorf("got status %s of a share that could not be loaded", s.State)
	}
	w.Limit("bolt", 1<<30)
	w.StartRelay()
	webhooktest.Must(t, w.Inbox.Put(t.Context(), &inbox.Hint{Registration: w.Reg.ID, Why: inbox.WhyReconcile, Whole: true, ReceivedAt: time.Now()}))
	w.Await("the share is live", func() bool { return webhooktest.StatusOf(w.Stream("bolt"), "orders").State == events.StateLive })
	w.Settle()
	w.Check("acme", "bolt")
}
