package relay_test

import (
	"fmt"
	"testing"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/smartsheet/smartsheettest"
	"github.com/sheetbridge/sheetbridge/webhook/inbox"
	"github.com/sheetbridge/sheetbridge/webhook/webhooktest"
)

func TestResetSurvivesCrashesAtEachStep(t *testing.T) {
	t.Parallel()
	wide := events.Request{Partner: "acme", Columns: webhooktest.Columns("No", "Margin"), Kinds: []string{"row", "attachment", "comment"}}
	narrow := events.Request{Partner: "acme", Columns: webhooktest.Columns("No"), Where: "no != 'SO-2'", Kinds: []string{"row", "comment"}}
	w := webhooktest.NewWorld(t, webhooktest.Options{NoRelay: true}, wide)
	jane := w.Sim.As(w.Jane)
	_, err := jane.AttachLink(w.Sheet.ID, w.Sheet.Rows[0], "canary.pdf", "https://a.example/")
	webhooktest.Must(t, err)
	_, _, err = jane.Discuss(w.Sheet.ID, w.Sheet.Rows[0], "kept")
	webhooktest.Must(t, err)
	w.Settle()
	webhooktest.Must(t, w.Handle(t.Context(), &inbox.Hint{Registration: w.Reg.ID, Why: inbox.WhyShare, Whole: true}))
	w.Check("acme")

	w.Crashing(func() {
		w.Define(wide)
		webhooktest.Must(t, w.Handle(t.Context(), &inbox.Hint{Registration: w.Reg.ID, Why: inbox.WhyShare, Whole: true}))
		w.Define(narrow)
	}, func() {
		w.Check("acme")
		w.WantNoWords("acme", "canary", "SO-2")
	})
}

func TestResendSurvivesCrashesAtEachStep(t *testing.T) {
	t.Parallel()
	w := webhooktest.NewWorld(t, webhooktest.Options{NoRelay: true}, webhooktest.Everything())
	w.Crashing(func() {
		webhooktest.Must(t, w.Registrar.Resend(t.Context(), w.Reg.ID, "acme", "orders"))
	}, func() {
		w.Check("acme")
		if got := webhooktest.Kinds(w.Stream("acme"), 0)["row.created"]; got != 2 {
			t.Errorf("got %d rows created, want both and nothing else", got)
		}
	})
}

func TestEditsSurviveCrashesAtEachStep(t *testing.T) {
	t.Parallel()
	w := webhooktest.NewWorld(t, webhooktest.Options{NoRelay: true}, withChildren())
	jane, n := w.Sim.As(w.Jane), 0
	var row, talk int64
	w.Crashing(func() {
		n++
		w.Edit(0, webhooktest.Cells{"Qty": n, "Status": []string{"Open", "Draft"}[n%2]})
		thread, _, err := jane.Discuss(w.Sheet.ID, w.Sheet.Rows[0], fmt.Sprint("comment ", n))
		webhooktest.Must(t, err)
		ids, err := jane.AddRows(w.Sheet.ID, smartsheettest.Row{Cells: webhooktest.Cells{"No": fmt.Sprint("new ", n), "Status": "Open"}})
		webhooktest.Must(t, err)
		if n > 1 {
			webhooktest.Must(t, jane.DeleteRows(w.Sheet.ID, row))
			webhooktest.Must(t, jane.DeleteDiscussion(w.Sheet.ID, talk))
		}
		row, talk = ids[0], thread
	}, func() { w.Check("acme") })
}
