package webhook_test

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
)

// TestManyRowsLeave takes away with each row what hangs on it, and looks for that
// once for all of them.
func TestManyRowsLeave(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	foreign := foreignNATS(t, t.TempDir(), -1, 1<<20)
	w.addExternal(t, "acme", foreign.ClientURL())
	jane := w.sim.As(w.jane)
	rows := make([]smartsheettest.Row, 620)
	for i := range rows {
		rows[i].Cells = cells{"No": fmt.Sprint("B-", i), "Status": "Open"}
	}
	var ids []int64
	for some := range slices.Chunk(rows, 500) {
		added, err := jane.AddRows(w.sheet.ID, some...)
		must(t, err)
		ids = append(ids, added...)
	}
	for _, id := range []int64{ids[0], ids[310], ids[619]} {
		_, _, err := jane.Discuss(w.sheet.ID, id, "on "+itoa(id))
		must(t, err)
	}
	request := withChildren()
	request.Sheet, request.Kinds = "orders", []string{"row", "comment"}
	w.reg = w.register("ops", w.sheet.ID, request)
	w.at["acme"] = last(w.stream("acme"))
	w.drop(func() {
		for some := range slices.Chunk(ids, 500) {
			var away []smartsheettest.Row
			for _, id := range some {
				away = append(away, smartsheettest.Row{ID: id, Cells: cells{"Status": "Draft"}})
			}
			must(t, jane.UpdateRows(w.sheet.ID, away...))
		}
	})

	nc, err := nats.Connect(foreign.ClientURL())
	must(t, err)
	t.Cleanup(nc.Close)
	var looked atomic.Int32
	_, err = nc.Subscribe("$JS.API.STREAM.INFO."+events.StreamName, func(m *nats.Msg) {
		if bytes.Contains(m.Data, []byte(".comment.*")) {
			looked.Add(1)
		}
	})
	must(t, err)
	must(t, nc.Flush())
	w.endRelay()
	must(t, w.handle(t.Context(), &inbox.Hint{Registration: w.reg.ID, Why: inbox.WhyReconcile, Whole: true, Full: true, ReceivedAt: time.Now()}))
	got := kinds(w.stream("acme"), w.at["acme"])
	if got["row.deleted"] != 620 || got["comment.deleted"] != 3 {
		t.Errorf("got %v, want 620 rows deleted and 3 comments", got)
	}
	must(t, nc.Flush())
	if n := looked.Load(); n != 2 {
		t.Errorf("comments were looked for %d times, want once for the rows and once for themselves", n)
	}
	w.check("acme")
}
