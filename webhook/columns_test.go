package webhook_test

import (
	"strings"
	"testing"

	"github.com/sheetbridge/sheetbridge/events"
)

// TestFilterLosesItsColumn: when the column that a filter asks is deleted or
// retyped, what the filter hid stays hidden, and it is said.
func TestFilterLosesItsColumn(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(w *world) error{
		"deleted": func(w *world) error {
			return w.sim.As(w.jane).DeleteColumn(w.sheet.ID, w.sheet.Columns["Status"])
		},
		"retyped": func(w *world) error {
			return w.sim.As(w.jane).RetypeColumn(w.sheet.ID, w.sheet.Columns["Status"], "MULTI_PICKLIST", "Open", "Done", "Draft")
		},
	} {
		for kind, where := range map[string]string{"shared": `status != "Draft"`, "not shared": `cells["Status"] != "Draft"`} {
			t.Run(name+" "+kind, func(t *testing.T) {
				t.Parallel()
				request := events.Request{Partner: "acme", Columns: columns("No", "Qty"), Where: where}
				if kind == "shared" {
					request.Columns = columns("No", "Qty", "Status")
				}
				w := newWorld(t, options{}, request)
				must(t, change(w))
				w.settle()
				w.edit(1, cells{"Qty": 8})
				w.settle()
				w.reconcile(w.reg)
				w.hides("acme", "SO-2")
				if row := lastRow(w.stream("acme")); row.Data.After != nil {
					t.Errorf("got %s, want no row left: nobody knows which may be shown", row.Data.After)
				}
				s := statusOf(w.stream("acme"), "orders")
				if s.State != events.StateStale || !strings.Contains(string(s.Reason), "filter") || strings.Contains(string(s.Reason), "Status") {
					t.Errorf("got status %s (%s), want stale for want of the filter's column, without its title", s.State, s.Reason)
				}
				request.Where = `cells["Qty"] == 3`
				request.Columns = columns("No", "Qty")
				w.put(request)
				w.settle()
				if s := statusOf(w.stream("acme"), "orders"); s.State != events.StateLive || s.Reason != "" {
					t.Errorf("got status %s (%s) after the share was changed, want live", s.State, s.Reason)
				}
				if row := lastRow(w.stream("acme")); !strings.Contains(string(row.Data.After.Get("no")), "SO-1") {
					t.Errorf("got %s, want the row that the new filter shows", row.Data.After)
				}
				w.hides("acme", "SO-2")
			})
		}
	}
}

// TestFilterIsRetyped: where a column that the filter names by field and by title
// gets another type, what the filter hid stays hidden; and the definition that
// was given is the share's still.
func TestFilterIsRetyped(t *testing.T) {
	t.Parallel()
	request := events.Request{Partner: "acme", Columns: columns("No", "Qty", "Status"), Where: `status != "Draft" && cells["Status"] != "Draft"`}
	w := newWorld(t, options{}, request)
	_, created, err := w.registrar.Register(t.Context(), "ops", w.sheet.ID, []events.Request{request})
	if err != nil || created || w.registry.Share("acme", "orders").Revision != 1 {
		t.Errorf("the same share again: got error %v, want the share that is there", err)
	}
	must(t, w.sim.As(w.jane).RetypeColumn(w.sheet.ID, w.sheet.Columns["Status"], "MULTI_PICKLIST", "Open", "Done", "Draft"))
	w.settle()
	w.edit(1, cells{"Qty": 8})
	w.settle()
	w.reconcile(w.reg)
	w.hides("acme", "SO-2")
}

// TestFieldLosesItsColumn: a field whose column was deleted is null, and it is
// said as long as that is so.
func TestFieldLosesItsColumn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{}, everything())
	must(t, w.sim.As(w.jane).DeleteColumn(w.sheet.ID, w.sheet.Columns["Qty"]))
	w.settle()
	for _, when := range []string{"at first", "when nothing has moved"} {
		w.reconcile(w.reg)
		if s := statusOf(w.stream("acme"), "orders"); s.State != events.StateLive || !strings.Contains(string(s.Reason), "qty") {
			t.Errorf("%s: got status %s (%s), want live and the field's name", when, s.State, s.Reason)
		}
	}
}

// TestNamesAreFollowed: what the admin reads has the names that sheet and columns
// have now.
func TestNamesAreFollowed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{}, everything())
	jane := w.sim.As(w.jane)
	must(t, jane.RenameSheet(w.sheet.ID, "Aufträge"))
	must(t, jane.RenameColumn(w.sheet.ID, w.sheet.Columns["Qty"], "Menge"))
	w.settle()
	w.reconcile(w.reg)
	reg, err := w.registry.FreshRegistration(t.Context(), w.reg.ID)
	must(t, err)
	share, err := w.registry.FreshShare(t.Context(), "acme", "orders")
	must(t, err)
	f := share.Fields[2]
	if reg.SheetName != "Aufträge" || f.Title != "Menge" || f.Name != "qty" {
		t.Errorf("got sheet %q and field %s of column %q, want the new names and the old field", reg.SheetName, f.Name, f.Title)
	}
	if n := kinds(w.stream("acme"), 0)["schema.changed"]; n != 1 {
		t.Errorf("got %d schemas, want the first alone", n)
	}
}
