package webhook_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/smartsheet/smartsheettest"
)

// undrafted shows three columns of the orders that are no drafts.
func undrafted() events.Request {
	return events.Request{Partner: "acme", Columns: columns("No", "Status", "Qty"), Where: "status != 'Draft'"}
}

// all shows three columns of all orders.
func everything() events.Request {
	return events.Request{Partner: "acme", Columns: columns("No", "Status", "Qty")}
}

func TestRoadFromSheetToPartner(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{}, undrafted())
	w.at["acme"] = 0
	w.got("first load", `row.created snapshot null->{"no":"SO-1","status":"Open","qty":3}`)
	if got := w.stream("acme")[0].Type; got != events.SchemaChanged {
		t.Errorf("got %s as the first message, want the schema", got)
	}
	must(t, w.sim.As(w.jane).WithAgent("canary-margin-bot").UpdateRows(w.sheet.ID,
		smartsheettest.Row{ID: w.sheet.Rows[0], Cells: cells{"Margin": "canary-margin-4"}}))
	must(t, w.sim.As(w.jane).WithAgent("erp").UpdateRows(w.sheet.ID,
		smartsheettest.Row{ID: w.sheet.Rows[0], Cells: cells{"Status": "Done", "Margin": "canary-margin-3"}}))
	w.settle()
	if diff := cmp.Diff([]string{"erp"}, lastRow(w.stream("acme")).Data.ChangeAgent); diff != "" {
		t.Errorf("change agent (-want +got):\n%s", diff)
	}
	w.got("edited", `row.updated callback {"no":"SO-1","status":"Open","qty":3}->{"no":"SO-1","status":"Done","qty":3}`)
	w.edit(1, cells{"Status": "Open"})
	w.settle()
	w.got("came into view", `row.created callback null->{"no":"SO-2","status":"Open","qty":5}`)
	w.edit(0, cells{"Status": "Draft"})
	w.settle()
	w.got("left the view", `row.deleted callback {"no":"SO-1","status":"Done","qty":3}->null left-view`)
	must(t, w.sim.As(w.jane).DeleteRows(w.sheet.ID, w.sheet.Rows[1]))
	w.settle()
	w.got("deleted", `row.deleted callback {"no":"SO-2","status":"Open","qty":5}->null deleted`)
	w.hides("acme", "canary")
}

func TestEditsOfRows(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{}, everything())
	jane := w.sim.As(w.jane)

	w.edit(0, cells{"Margin": "canary-margin-9"})
	w.settle()
	w.got("a hidden column changed")

	must(t, jane.UpdateRows(w.sheet.ID, smartsheettest.Row{ID: w.sheet.Rows[1], ParentID: w.sheet.Rows[0]}))
	w.settle()
	if m := lastRow(w.stream("acme")); m.Data.Changed == nil || len(m.Data.Changed) != 0 {
		t.Errorf("got changed %v of a row that was moved, want an empty list", m.Data.Changed)
	}
	w.got("moved under another parent", `row.updated callback {"no":"SO-2","status":"Draft","qty":5}->{"no":"SO-2","status":"Draft","qty":5}`)

	_, err := jane.AddRows(w.sheet.ID, smartsheettest.Row{ToTop: true, Cells: cells{"No": "SO-0"}})
	must(t, err)
	w.settle()
	w.got("a row on top, the others one number down", `row.created callback null->{"no":"SO-0","status":null,"qty":null}`)

	must(t, jane.DeleteRows(w.sheet.ID, w.sheet.Rows[0])) // with the one under it
	w.settle()
	w.got("deleted with what is under it",
		`row.deleted callback {"no":"SO-1","status":"Open","qty":3}->null deleted`,
		`row.deleted callback {"no":"SO-2","status":"Draft","qty":5}->null deleted`)
	w.hides("acme", "canary")
}

func TestColumns(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{}, everything())
	jane := w.sim.As(w.jane)

	must(t, jane.RenameColumn(w.sheet.ID, w.sheet.Columns["Qty"], "Menge"))
	_, err := jane.AddColumn(w.sheet.ID, smartsheettest.Column{Title: "canary-column"})
	must(t, err)
	w.settle()
	w.got("a column renamed, another added")

	must(t, jane.RetypeColumn(w.sheet.ID, w.sheet.Columns["Qty"], "PICKLIST", "3", "5"))
	w.settle()
	if n := kinds(w.stream("acme"), w.at["acme"])["schema.changed"]; n != 1 {
		t.Errorf("got %d schemas after a column was retyped, want 1", n)
	}
	w.got("a column retyped",
		`row.updated share {"no":"SO-1","status":"Open","qty":3}->{"no":"SO-1","status":"Open","qty":"3"}`,
		`row.updated share {"no":"SO-2","status":"Draft","qty":5}->{"no":"SO-2","status":"Draft","qty":"5"}`)

	must(t, jane.DeleteColumn(w.sheet.ID, w.sheet.Columns["Qty"]))
	w.settle()
	w.got("a column deleted",
		`row.updated callback {"no":"SO-1","status":"Open","qty":"3"}->{"no":"SO-1","status":"Open","qty":null}`,
		`row.updated callback {"no":"SO-2","status":"Draft","qty":"5"}->{"no":"SO-2","status":"Draft","qty":null}`)
	w.edit(0, cells{"Status": "Done"})
	w.settle()
	w.got("an edit after a column was deleted",
		`row.updated callback {"no":"SO-1","status":"Open","qty":null}->{"no":"SO-1","status":"Done","qty":null}`)
	w.hides("acme", "canary")
}
