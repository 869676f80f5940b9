package webhooktest

import (
	"net/http"
	"sync/atomic"

	"github.com/sheetbridge/sheetbridge/smartsheet/smartsheettest"
)

// EditWhileRead has a row of the sheet changed before each answer that has rows: no two
// answers are of one version.
func (w *World) EditWhileRead() (stop func()) {
	var n atomic.Int64
	w.Sim.SetFault(func(r *http.Request) *smartsheettest.Fault {
		if q := r.URL.Query(); r.Method == http.MethodGet && (q.Get("page") != "" || q.Get("rowIds") != "") && q.Get("pageSize") != "0" {
			w.Edit(1, Cells{"Qty": n.Add(1)})
		}
		return nil
	})
	return func() { w.Sim.SetFault(nil) }
}
