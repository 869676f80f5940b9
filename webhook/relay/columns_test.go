package relay_test

import (
	"strings"
	"testing"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/webhook/webhooktest"
)

// TestFilterLosesItsColumn: when the column that a filter asks is deleted or
// retyped, what the filter hid stays hidden, and it is said.
func TestFilterLosesItsColumn(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(w *webhooktest.World) error{
		"deleted": func(w *webhooktest.World) error {
			return w.Sim.As(w.Jane).DeleteColumn(w.Sheet.ID, w.Sheet.Columns["Status"])
		},
		"retyped": func(w *webhooktest.World) error {
			return w.Sim.As(w.Jane).RetypeColumn(w.Sheet.ID, w.Sheet.Columns["Status"], "MULTI_PICKLIST", "Open", "Done", "Draft")
		},
	} {
		for kind, where := range map[string]string{"shared": `status != "Draft"`, "not shared": `cells["Status"] != "Draft"`} {
			t.Run(name+" "+kind, func(t *testing.T) {
				t.Parallel()
				request := events.Request{Partner: "acme", Columns: webhooktest.Columns("No", "Qty"), Where: where}
				if kind == "shared" {
					request.Columns = webhooktest.Columns("No", "Qty", "Status")
				}
				w := webhooktest.NewWorld(t, webhooktest.Options{}, request)
				webhooktest.Must(t, change(w))
				w.Settle()
				w.Edit(1, webhooktest.Cells{"Qty": 8})
				w.Settle()
				w.Reconcile(w.Reg)
				w.WantNoWords("acme", "SO-2")
				if row := webhooktest.LastRow(w.Stream("acme")); row.Data.After != nil {
					t.Errorf("got %s, want no row left: nobody knows which may be shown", row.Data.After)
				}
				s := webhooktest.StatusOf(w.Stream("acme"), "orders")
				if s.State != events.StateStale || !strings.Contains(string(s.Reason), "filter") || strings.Contains(string(s.Reason), "Status") {
					t.Errorf("got status %s (%s), want stale for want of the filter's column, without its title", s.State, s.Reason)
				}
				request.Where = `cells["Qty"] == 3`
				request.Columns = webhooktest.Columns("No", "Qty")
				w.Put(request)
				w.Settle()
				if s := webhooktest.StatusOf(w.Stream("acme"), "orders"); s.State != events.StateLive || s.Reason != "" {
					t.Errorf("got status %s (%s) after the share was changed, want live", s.State, s.Reason)
				}
				if row := webhooktest.LastRow(w.Stream("acme")); !strings.Contains(string(row.Data.After.Get("no")), "SO-1") {
					t.Errorf("got %s, want the row that the new filter shows", row.Data.After)
				}
				w.WantNoWords("acme", "SO-2")
			})
		}
	}
}

// TestFilterIsRetyped: where a column that the filter names by field and by title
// gets another type, what the filter hid stays hidden; and the definition that
// was given is the share's still.
func TestFilterIsRetyped(t *testing.T) {
	t.Parallel()
	request := events.Request{Partner: "acme", Columns: webhooktest.Columns("No", "Qty", "Status"), Where: `status != "Draft" && cells["Status"] != "Draft"`}
	w := webhooktest.NewWorld(t, webhooktest.Options{}, request)
	_, created, err := w.Registrar.Register(t.Context(), "ops", w.Sheet.ID, []events.Request{request})
	if err != nil || created || w.Registry.Share("acme", "orders").Revision != 1 {
		t.Errorf("the same share again: got error %v, want the share that is there", err)
	}
	webhooktest.Must(t, w.Sim.As(w.Jane).RetypeColumn(w.Sheet.ID, w.Sheet.Columns["Status"], "MULTI_PICKLIST", "Open", "Done", "Draft"))
	w.Settle()
	w.Edit(1, webhooktest.Cells{"Qty": 8})
	w.Settle()
	w.Reconcile(w.Reg)
	w.WantNoWords("acme", "SO-2")
}

// TestFieldLosesItsColumn: a field whose column was deleted is null, and it is
// said as long as that is so.
func TestFieldLosesItsColumn(t *testing.T) {
	t.Parallel()
	w := webhooktest.NewWorld(t, webhooktest.Options{}, webhooktest.Everything())
	webhooktest.Must(t, w.Sim.As(w.Jane).DeleteColumn(w.Sheet.ID, w.Sheet.Columns["Qty"]))
	w.Settle()
	for _, when := range []string{"at first", "when nothing has moved"} {
		w.Reconcile(w.Reg)
		if s := webhooktest.StatusOf(w.Stream("acme"), "orders"); s.State != events.StateLive || !strings.Contains(string(s.Reason), "qty") {
			t.Errorf("%s: got status %s (%s), want live and the field's name", when, s.State, s.Reason)
		}
	}
}

// TestNamesAreFollowed: what the admin reads has the names that sheet and columns
// have now.
func TestNamesAreFollowed(t *testing.T) {
	t.Parallel()
	w := webhooktest.NewWorld(t, webhooktest.Options{}, webhooktest.Everything())
	jane := w.Sim.As(w.Jane)
	webhooktest.Must(t, jane.RenameSheet(w.Sheet.ID, "Aufträge"))
	webhooktest.Must(t, jane.RenameColumn(w.Sheet.ID, w.Sheet.Columns["Qty"], "Menge"))
	w.Settle()
	w.Reconcile(w.Reg)
	reg, err := w.Registry.FreshRegistration(t.Context(), w.Reg.ID)
	webhooktest.Must(t, err)
	share, err := w.Registry.FreshShare(t.Context(), "acme", "orders")
	webhooktest.Must(t, err)
	f := share.Fields[2]
	if reg.SheetName != "Aufträge" || f.Title != "Menge" || f.Name != "qty" {
		t.Errorf("got sheet %q and field %s of column %q, want the new names and the old field", reg.SheetName, f.Name, f.Title)
	}
	if n := webhooktest.Kinds(w.Stream("acme"), 0)["schema.changed"]; n != 1 {
		t.Errorf("got %d schemas, want the first alone", n)
	}
}
