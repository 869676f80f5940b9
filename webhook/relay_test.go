package webhook_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/smartsheet/smartsheettest"
)

func columns(titles ...string) []events.RequestColumn {
	list := make([]events.RequestColumn, len(titles))
	for i, title := range titles {
		list[i].Title = title
	}
	return list
}

type cells = smartsheettest.Cells

// orders is a small sheet with a hidden column.
func orders(t *testing.T, sim *smartsheettest.Server) (*smartsheettest.User, string, *smartsheettest.Sheet) {
	t.Helper()
	jane := sim.AddUser(smartsheettest.User{Email: "jane@a.example", Name: "Jane Doe"})
	sheet, err := sim.AddSheet(smartsheettest.SheetSpec{
		Name: "Orders", Owner: jane,
		Columns: []smartsheettest.Column{{Title: "No"}, {Title: "Status", Type: "PICKLIST", Options: []string{"Open", "Done", "Draft"}}, {Title: "Qty"}, {Title: "Margin"}},
		Rows: []smartsheettest.Row{
			{Cells: cells{"No": "SO-1", "Status": "Open", "Qty": 3, "Margin": "canary-margin-1"}},
			{Cells: cells{"No": "SO-2", "Status": "Draft", "Qty": 5, "Margin": "canary-margin-2"}},
		},
	})
	must(t, err)
	return jane, sim.AddToken(jane), sheet
}

func TestRoadFromSheetToPartner(t *testing.T) {
	sim := smartsheettest.New(t)
	jane, token, sheet := orders(t, sim)
	b := newBridge(t, sim, options{})
	b.addOwner("ops", token)
	b.addPartner("acme")
	b.register("ops", sheet.ID, events.Request{Partner: "acme", Columns: columns("No", "Status", "Qty"), Where: "status != 'Draft'"})

	all := b.stream("acme")
	want := []string{`sheetbridge.row.created snapshot null->{"no":"SO-1","status":"Open","qty":3} `}
	if diff := cmp.Diff(want, objects(all, 0)); diff != "" {
		t.Errorf("first load (-want +got):\n%s", diff)
	}
	if got := all[0].Type; got != events.SchemaChanged {
		t.Errorf("first message is %s, want the schema", got)
	}
	at := last(all)

	must(t, sim.As(jane).WithAgent("erp").UpdateRows(sheet.ID, smartsheettest.Row{ID: sheet.Rows[0], Cells: cells{"Status": "Done", "Margin": "canary-margin-3"}}))
	b.settle()
	must(t, sim.As(jane).UpdateRows(sheet.ID, smartsheettest.Row{ID: sheet.Rows[1], Cells: cells{"Status": "Open"}}))
	b.settle()
	must(t, sim.As(jane).UpdateRows(sheet.ID, smartsheettest.Row{ID: sheet.Rows[0], Cells: cells{"Status": "Draft"}}))
	b.settle()
	must(t, sim.As(jane).DeleteRows(sheet.ID, sheet.Rows[1]))
	b.settle()
	all = b.stream("acme")
	want = []string{
		`sheetbridge.row.updated callback {"no":"SO-1","status":"Open","qty":3}->{"no":"SO-1","status":"Done","qty":3} `,
		`sheetbridge.row.created callback null->{"no":"SO-2","status":"Open","qty":5} `,
		`sheetbridge.row.deleted callback {"no":"SO-1","status":"Done","qty":3}->null left-view`,
		`sheetbridge.row.deleted callback {"no":"SO-2","status":"Open","qty":5}->null deleted`,
	}
	if diff := cmp.Diff(want, objects(all, at)); diff != "" {
		t.Errorf("after the edits (-want +got):\n%s", diff)
	}
	for _, m := range all {
		if m.Type == events.RowUpdated {
			if diff := cmp.Diff([]string{"erp"}, m.Data.ChangeAgent); diff != "" {
				t.Errorf("change agent (-want +got):\n%s", diff)
			}
		}
	}
}
