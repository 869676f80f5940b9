package webhook_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/smartsheet/smartsheettest"
	"github.com/sheetbridge/sheetbridge/webhook/inbox"
)

// restless has a row of the sheet changed before each answer that has rows: no two
// answers are of one version.
func (w *world) restless() (stop func()) {
	var n atomic.Int64
	w.sim.SetFault(func(r *http.Request) *smartsheettest.Fault {
		if q := r.URL.Query(); r.Method == http.MethodGet && (q.Get("page") != "" || q.Get("rowIds") != "") && q.Get("pageSize") != "0" {
			w.edit(1, cells{"Qty": n.Add(1)})
		}
		return nil
	})
	return func() { w.sim.SetFault(nil) }
}

// TestSheetThatNeverRests is edited before each answer and by an editor all the
// time: it loads, and what is deleted without a callback goes.
func TestSheetThatNeverRests(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{maxPage: 16 << 10})
	rows := make([]smartsheettest.Row, 200)
	for i := range rows {
		rows[i].Cells = cells{"No": fmt.Sprint("N-", i), "Status": "Open"}
	}
	ids, err := w.sim.As(w.jane).AddRows(w.sheet.ID, rows...)
	must(t, err)
	stop := w.restless()
	editing, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(2 * time.Millisecond)
		defer tick.Stop()
		for i := 0; editing.Err() == nil; i++ {
			<-tick.C
			err := w.sim.As(w.jane).UpdateRows(w.sheet.ID, smartsheettest.Row{ID: w.sheet.Rows[0], Cells: cells{"Qty": i}})
			if refused := (*smartsheettest.Error)(nil); err != nil && !errors.As(err, &refused) {
				t.Error(err)
			}
		}
	}()
	w.addPartner("acme")
	reg, _, err := w.registrar.Register(t.Context(), "ops", w.sheet.ID, []events.Request{everything()})
	must(t, err)
	w.reg = reg
	w.waitFor("the share is live", func() bool { return statusOf(w.stream("acme"), "orders").State == events.StateLive })

	w.sim.SetCallbackFault(func(smartsheettest.Callback) smartsheettest.CallbackFault { return smartsheettest.Drop })
	must(t, w.sim.As(w.jane).DeleteRows(w.sheet.ID, ids[7], ids[150]))
	must(t, w.inbox.Put(t.Context(), &inbox.Hint{Registration: reg.ID, Why: inbox.WhyReconcile, Whole: true}))
	w.waitFor("the deleted rows are gone", func() bool { return kinds(w.stream("acme"), 0)["row.deleted"] == 2 })
	cancel()
	<-ended
	stop()
	w.sim.SetCallbackFault(nil)
	must(t, w.sim.Wait(t.Context()))
	w.reconcile(reg)
	w.check("acme")
	asked := 0
	for _, r := range w.sim.Requests() {
		if r.Method == http.MethodGet && r.Route == "sheets/{sheet}/rows/{row}" {
			asked++
			if !strings.Contains(r.Query, "columnIds=") || strings.Contains(r.Query, itoa(w.sheet.Columns["Margin"])) {
				t.Errorf("got request %s?%s, want a row asked for with no column that is not shared", r.Path, r.Query)
			}
		}
	}
	if asked == 0 {
		t.Error("no row was asked for by itself, though the sheet never rested")
	}
}

// TestEditsWhileASheetIsRead: a page that is held keeps no edit waiting.
func TestEditsWhileASheetIsRead(t *testing.T) {
	t.Parallel()
	for name, load := range map[string]bool{"for the first time": true, "by a reconcile": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, options{maxPage: 16 << 10})
			rows := make([]smartsheettest.Row, 200)
			for i := range rows {
				rows[i].Cells = cells{"No": fmt.Sprint("N-", i), "Status": "Open"}
			}
			_, err := w.sim.As(w.jane).AddRows(w.sheet.ID, rows...)
			must(t, err)
			w.addPartner("acme")
			register := func() {
				w.reg, _, err = w.registrar.Register(t.Context(), "ops", w.sheet.ID, []events.Request{everything()})
				must(t, err)
			}
			if !load {
				register()
				w.settle()
			}
			g := w.hold(func(r *http.Request) bool {
				page := r.URL.Query().Get("page")
				return page == "3" || page == "4"
			})
			if load {
				register()
			} else {
				must(t, w.inbox.Put(t.Context(), &inbox.Hint{Registration: w.reg.ID, Why: inbox.WhyReconcile, Whole: true, Full: true}))
			}
			w.waitFor("the reading is held at a page", func() bool { return g.holding() > 0 })
			w.edit(0, cells{"Qty": 77})
			w.waitFor("the edit is published", func() bool { return w.shows("acme", "77") })
			if g.holding() == 0 {
				t.Error("the reading is not held any more")
			}
			if s := statusOf(w.stream("acme"), "orders"); load && s.State != events.StateLoading {
				t.Errorf("got status %s, want loading", s.State)
			}
			g.release()
			w.settle()
			w.check("acme")
		})
	}
}
