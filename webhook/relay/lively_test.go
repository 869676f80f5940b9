package relay_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/smartsheet/smartsheettest"
	"github.com/sheetbridge/sheetbridge/webhook/inbox"
	"github.com/sheetbridge/sheetbridge/webhook/webhooktest"
)

// TestSheetThatNeverRests is edited before each answer and by an editor all the
// time: it loads, and what is deleted without a callback goes.
func TestSheetThatNeverRests(t *testing.T) {
	t.Parallel()
	w := webhooktest.NewWorld(t, webhooktest.Options{MaxPage: 16 << 10})
	rows := make([]smartsheettest.Row, 200)
	for i := range rows {
		rows[i].Cells = webhooktest.Cells{"No": fmt.Sprint("N-", i), "Status": "Open"}
	}
	ids, err := w.Sim.As(w.Jane).AddRows(w.Sheet.ID, rows...)
	webhooktest.Must(t, err)
	stop := w.EditWhileRead()
	editing, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(2 * time.Millisecond)
		defer tick.Stop()
		for i := 0; editing.Err() == nil; i++ {
			<-tick.C
			err := w.Sim.As(w.Jane).UpdateRows(w.Sheet.ID, smartsheettest.Row{ID: w.Sheet.Rows[0], Cells: webhooktest.Cells{"Qty": i}})
			if refused := (*smartsheettest.Error)(nil); err != nil && !errors.As(err, &refused) {
				t.Error(err)
			}
		}
	}()
	w.AddPartner("acme")
	reg, _, err := w.Registrar.Register(t.Context(), "ops", w.Sheet.ID, []events.Request{webhooktest.Everything()})
	webhooktest.Must(t, err)
	w.Reg = reg
	w.Await("the share is live", func() bool { return webhooktest.StatusOf(w.Stream("acme"), "orders").State == events.StateLive })

	w.Sim.SetCallbackFault(func(smartsheettest.Callback) smartsheettest.CallbackFault { return smartsheettest.Drop })
	webhooktest.Must(t, w.Sim.As(w.Jane).DeleteRows(w.Sheet.ID, ids[7], ids[150]))
	webhooktest.Must(t, w.Inbox.Put(t.Context(), &inbox.Hint{Registration: reg.ID, Why: inbox.WhyReconcile, Whole: true}))
	w.Await("the deleted rows are gone", func() bool { return webhooktest.Kinds(w.Stream("acme"), 0)["row.deleted"] == 2 })
	cancel()
	<-ended
	stop()
	w.Sim.SetCallbackFault(nil)
	webhooktest.Must(t, w.Sim.Wait(t.Context()))
	w.Reconcile(reg)
	w.Check("acme")
	asked := 0
	for _, r := range w.Sim.Requests() {
		if r.Method == http.MethodGet && r.Route == "sheets/{sheet}/rows/{row}" {
			asked++
			if !strings.Contains(r.Query, "columnIds=") || strings.Contains(r.Query, webhooktest.FormatID(w.Sheet.Columns["Margin"])) {
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
			w := webhooktest.NewWorld(t, webhooktest.Options{MaxPage: 16 << 10})
			rows := make([]smartsheettest.Row, 200)
			for i := range rows {
				rows[i].Cells = webhooktest.Cells{"No": fmt.Sprint("N-", i), "Status": "Open"}
			}
			_, err := w.Sim.As(w.Jane).AddRows(w.Sheet.ID, rows...)
			webhooktest.Must(t, err)
			w.AddPartner("acme")
			register := func() {
				w.Reg, _, err = w.Registrar.Register(t.Context(), "ops", w.Sheet.ID, []events.Request{webhooktest.Everything()})
				webhooktest.Must(t, err)
			}
			if !load {
				register()
				w.Settle()
			}
			g := w.Hold(func(r *http.Request) bool {
				page := r.URL.Query().Get("page")
				return page == "3" || page == "4"
			})
			if load {
				register()
			} else {
				webhooktest.Must(t, w.Inbox.Put(t.Context(), &inbox.Hint{Registration: w.Reg.ID, Why: inbox.WhyReconcile, Whole: true, Full: true}))
			}
			w.Await("the reading is held at a page", func() bool { return g.Holding() > 0 })
			w.Edit(0, webhooktest.Cells{"Qty": 77})
			w.Await("the edit is published", func() bool { return w.LastEventHas("acme", "77") })
			if g.Holding() == 0 {
				t.Error("the reading is not held any more")
			}
			if s := webhooktest.StatusOf(w.Stream("acme"), "orders"); load && s.State != events.StateLoading {
				t.Errorf("got status %s, want loading", s.State)
			}
			g.Release()
			w.Settle()
			w.Check("acme")
		})
	}
}
