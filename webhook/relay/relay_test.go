package relay_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/smartsheet/smartsheettest"
	"github.com/sheetbridge/sheetbridge/webhook/webhooktest"
)

func TestRoadFromSheetToPartner(t *testing.T) {
	t.Parallel()
	w := webhooktest.NewWorld(t, webhooktest.Options{}, webhooktest.Undrafted())
	w.SeenTo["acme"] = 0
	w.WantChanges("first load", `row.created snapshot null->{"no":"SO-1","status":"Open","qty":3}`)
	if got := w.Stream("acme")[0].Type; got != events.SchemaChanged {
		t.Errorf("got %s as the first message, want the schema", got)
	}
	webhooktest.Must(t, w.Sim.As(w.Jane).WithAgent("canary-margin-bot").UpdateRows(w.Sheet.ID,
		smartsheettest.Row{ID: w.Sheet.Rows[0], Cells: webhooktest.Cells{"Margin": "canary-margin-4"}}))
	webhooktest.Must(t, w.Sim.As(w.Jane).WithAgent("erp").UpdateRows(w.Sheet.ID,
		smartsheettest.Row{ID: w.Sheet.Rows[0], Cells: webhooktest.Cells{"Status": "Done", "Margin": "canary-margin-3"}}))
	w.Settle()
	if diff := cmp.Diff([]string{"erp"}, webhooktest.LastRow(w.Stream("acme")).Data.ChangeAgent); diff != "" {
		t.Errorf("change agent (-want +got):\n%s", diff)
	}
	w.WantChanges("edited", `row.updated callback {"no":"SO-1","status":"Open","qty":3}->{"no":"SO-1","status":"Done","qty":3}`)
	w.Edit(1, webhooktest.Cells{"Status": "Open"})
	w.Settle()
	w.WantChanges("came into view", `row.created callback null->{"no":"SO-2","status":"Open","qty":5}`)
	w.Edit(0, webhooktest.Cells{"Status": "Draft"})
	w.Settle()
	w.WantChanges("left the view", `row.deleted callback {"no":"SO-1","status":"Done","qty":3}->null left-view`)
	webhooktest.Must(t, w.Sim.As(w.Jane).DeleteRows(w.Sheet.ID, w.Sheet.Rows[1]))
	w.Settle()
	w.WantChanges("deleted", `row.deleted callback {"no":"SO-2","status":"Open","qty":5}->null deleted`)
	w.WantNoWords("acme", "canary")
}

func TestEditsOfRows(t *testing.T) {
	t.Parallel()
	w := webhooktest.NewWorld(t, webhooktest.Options{}, webhooktest.Everything())
	jane := w.Sim.As(w.Jane)

	w.Edit(0, webhooktest.Cells{"Margin": "canary-margin-9"})
	w.Settle()
	w.WantChanges("a hidden column changed")

	webhooktest.Must(t, jane.UpdateRows(w.Sheet.ID, smartsheettest.Row{ID: w.Sheet.Rows[1], ParentID: w.Sheet.Rows[0]}))
	w.Settle()
	if m := webhooktest.LastRow(w.Stream("acme")); m.Data.Changed == nil || len(m.Data.Changed) != 0 {
		t.Errorf("got changed %v of a row that was moved, want an empty list", m.Data.Changed)
	}
	w.WantChanges("moved under another parent", `row.updated callback {"no":"SO-2","status":"Draft","qty":5}->{"no":"SO-2","status":"Draft","qty":5}`)

	_, err := jane.AddRows(w.Sheet.ID, smartsheettest.Row{ToTop: true, Cells: webhooktest.Cells{"No": "SO-0"}})
	webhooktest.Must(t, err)
	w.Settle()
	w.WantChanges("a row on top, the others one number down", `row.created callback null->{"no":"SO-0","status":null,"qty":null}`)

	webhooktest.Must(t, jane.DeleteRows(w.Sheet.ID, w.Sheet.Rows[0])) // with the one under it
	w.Settle()
	w.WantChanges("deleted with what is under it",
		`row.deleted callback {"no":"SO-1","status":"Open","qty":3}->null deleted`,
		`row.deleted callback {"no":"SO-2","status":"Draft","qty":5}->null deleted`)
	w.WantNoWords("acme", "canary")
}

func TestColumns(t *testing.T) {
	t.Parallel()
	w := webhooktest.NewWorld(t, webhooktest.Options{}, webhooktest.Everything())
	jane := w.Sim.As(w.Jane)

	webhooktest.Must(t, jane.RenameColumn(w.Sheet.ID, w.Sheet.Columns["Qty"], "Menge"))
	_, err := jane.AddColumn(w.Sheet.ID, smartsheettest.Column{Title: "canary-column"})
	webhooktest.Must(t, err)
	w.Settle()
	w.WantChanges("a column renamed, another added")

	webhooktest.Must(t, jane.RetypeColumn(w.Sheet.ID, w.Sheet.Columns["Qty"], "PICKLIST", "3", "5"))
	w.Settle()
	if n := webhooktest.Kinds(w.Stream("acme"), w.SeenTo["acme"])["schema.changed"]; n != 1 {
		t.Errorf("got %d schemas after a column was retyped, want 1", n)
	}
	w.WantChanges("a column retyped",
		`row.updated share {"no":"SO-1","status":"Open","qty":3}->{"no":"SO-1","status":"Open","qty":"3"}`,
		`row.updated share {"no":"SO-2","status":"Draft","qty":5}->{"no":"SO-2","status":"Draft","qty":"5"}`)

	webhooktest.Must(t, jane.DeleteColumn(w.Sheet.ID, w.Sheet.Columns["Qty"]))
	w.Settle()
	w.WantChanges("a column deleted",
		`row.updated callback {"no":"SO-1","status":"Open","qty":"3"}->{"no":"SO-1","status":"Open","qty":null}`,
		`row.updated callback {"no":"SO-2","status":"Draft","qty":"5"}->{"no":"SO-2","status":"Draft","qty":null}`)
	w.Edit(0, webhooktest.Cells{"Status": "Done"})
	w.Settle()
	w.WantChanges("an edit after a column was deleted",
		`row.updated callback {"no":"SO-1","status":"Open","qty":null}->{"no":"SO-1","status":"Done","qty":null}`)
	w.WantNoWords("acme", "canary")
}
