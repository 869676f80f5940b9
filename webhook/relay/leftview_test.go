package relay_test

import (
	"bytes"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/smartsheet/smartsheettest"
	"github.com/sheetbridge/sheetbridge/webhook/inbox"
	"github.com/sheetbridge/sheetbridge/webhook/webhooktest"
)

// TestManyRowsLeave takes away with each row what hangs on it, and looks for that
// once for all of them.
func TestManyRowsLeave(t *testing.T) {
	t.Parallel()
	w := webhooktest.NewWorld(t, webhooktest.Options{})
	foreign := webhooktest.ForeignNATS(t, t.TempDir(), -1, 1<<20)
	w.AddExternal(t, "acme", foreign.ClientURL())
	jane := w.Sim.As(w.Jane)
	rows := make([]smartsheettest.Row, 620)
	for i := range rows {
		rows[i].Cells = webhooktest.Cells{"No": fmt.Sprint("B-", i), "Status": "Open"}
	}
	var ids []int64
	for some := range slices.Chunk(rows, 500) {
		added, err := jane.AddRows(w.Sheet.ID, some...)
		webhooktest.Must(t, err)
		ids = append(ids, added...)
	}
	for _, id := range []int64{ids[0], ids[310], ids[619]} {
		_, _, err := jane.Discuss(w.Sheet.ID, id, "on "+webhooktest.FormatID(id))
		webhooktest.Must(t, err)
	}
	request := withChildren()
	request.Sheet, request.Kinds = "orders", []string{"row", "comment"}
	w.Reg = w.Register("ops", w.Sheet.ID, request)
	w.SeenTo["acme"] = webhooktest.Last(w.Stream("acme"))
	w.Drop(func() {
		for some := range slices.Chunk(ids, 500) {
			var away []smartsheettest.Row
			for _, id := range some {
				away = append(away, smartsheettest.Row{ID: id, Cells: webhooktest.Cells{"Status": "Draft"}})
			}
			webhooktest.Must(t, jane.UpdateRows(w.Sheet.ID, away...))
		}
	})

	nc, err := nats.Connect(foreign.ClientURL())
	webhooktest.Must(t, err)
	t.Cleanup(nc.Close)
	var looked atomic.Int32
	_, err = nc.Subscribe("$JS.API.STREAM.INFO."+events.StreamName, func(m *nats.Msg) {
		if bytes.Contains(m.Data, []byte(".comment.*")) {
			looked.Add(1)
		}
	})
	webhooktest.Must(t, err)
	webhooktest.Must(t, nc.Flush())
	w.StopRelay()
	webhooktest.Must(t, w.Handle(t.Context(), &inbox.Hint{Registration: w.Reg.ID, Shares: []string{"acme/orders"}, Why: inbox.WhyReconcile, Whole: true, Full: true, ReceivedAt: time.Now()}))
	got := webhooktest.Kinds(w.Stream("acme"), w.SeenTo["acme"])
	if got["row.deleted"] != 620 || got["comment.deleted"] != 3 {
		t.Errorf("got %v, want 620 rows deleted and 3 comments", got)
	}
	webhooktest.Must(t, nc.Flush())
	if n := looked.Load(); n != 2 {
		t.Errorf("comments were looked for %d times, want once for the rows and once for themselves", n)
	}
	w.Check("acme")
}
