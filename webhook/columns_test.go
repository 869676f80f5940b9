package webhook_test

import (
	"bytes"
	"regexp"
	"strings"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/webhook/registry"
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

// TestFilterOfOldShare: a share that an earlier version stored is protected as
// well, and is the same share still.
func TestFilterOfOldShare(t *testing.T) {
	t.Parallel()
	request := events.Request{Partner: "acme", Columns: columns("No", "Qty", "Status"), Where: `status != "Draft" && cells["Status"] != "Draft"`}
	w := newWorld(t, options{}, request)
	js, err := jetstream.New(w.broker.Bridge())
	must(t, err)
	kv, err := js.KeyValue(t.Context(), registry.Bucket)
	must(t, err)
	entry, err := kv.Get(t.Context(), "webhook."+w.reg.ID)
	must(t, err)
	old := regexp.MustCompile(`,"filterTypes":\{[^}]*\}`).ReplaceAll(entry.Value(), nil)
	old = bytes.ReplaceAll(old, []byte(`"cells":{"Status":{"columnId":"`+itoa(w.sheet.Columns["Status"])+`"}}`),
		[]byte(`"cells":{"Status":{"columnId":"`+itoa(w.sheet.Columns["Status"])+`","type":"PICKLIST"}}`))
	if bytes.Contains(old, []byte("filterTypes")) || !bytes.Contains(old, []byte(`"type":"PICKLIST"}}`)) {
		t.Fatalf("got the record %s", old)
	}
	w.endRelay()
	_, err = kv.Put(t.Context(), entry.Key(), old)
	must(t, err)
	w.restart()
	w.settle()
	again, created, err := w.registrar.Register(t.Context(), "ops", w.sheet.ID, []events.Request{request})
	if err != nil || created || again.Shares[0].Revision != 1 {
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
	f := reg.Share("acme", "orders").Fields[2]
	if reg.SheetName != "Aufträge" || f.Title != "Menge" || f.Name != "qty" {
		t.Errorf("got sheet %q and field %s of column %q, want the new names and the old field", reg.SheetName, f.Name, f.Title)
	}
	if n := kinds(w.stream("acme"), 0)["schema.changed"]; n != 1 {
		t.Errorf("got %d schemas, want the first alone", n)
	}
}
