package webhook_test

import (
	"strings"
	"testing"

	"github.com/sheetbridge/sheetbridge/events"
)

// fieldSchema is what the last schema of a share says of a field.
func fieldSchema(all []published, share, field string) string {
	text := ""
	for _, m := range all {
		if m.Type == events.SchemaChanged && strings.HasPrefix(m.Event.Subject, share+"/") {
			text = string(m.Data.Schema)
		}
	}
	_, text, _ = strings.Cut(text, `"`+field+`":`)
	text, _, _ = strings.Cut(text, "}")
	return text
}

// TestDeletedColumn: the field of a column that was deleted stays and is null, the
// schema calls it deprecated, and the column is not asked for again, whether or not
// Smartsheet refuses to be asked for it.
func TestDeletedColumn(t *testing.T) {
	t.Parallel()
	for name, refuses := range map[string]bool{"refused": true, "left out": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, options{maxPage: 16 << 10}, everything(), events.Request{Partner: "acme", Sheet: "numbers", Columns: columns("Qty")})
			w.sim.RefuseUnknownColumnIDs = refuses
			found := w.requests(func() {
				must(t, w.sim.As(w.jane).DeleteColumn(w.sheet.ID, w.sheet.Columns["Qty"]))
				w.settle()
			})
			t.Logf("finding it out cost %d requests, %d of them for the columns", len(found), count(found, "GET sheets/{sheet}/columns"))
			if n := count(found, "GET sheets/{sheet}/columns"); n < 1 || n > 3 {
				t.Errorf("the columns were asked for %d times", n)
			}
			for share, field := range map[string]string{"orders": "qty", "numbers": "qty"} {
				if got := fieldSchema(w.stream("acme"), share, field); !strings.Contains(got, `"deprecated":true`) {
					t.Errorf("share %s: got the schema %s} of the field, want it deprecated", share, got)
				}
				if s := statusOf(w.stream("acme"), share); s.State != events.StateLive || !strings.Contains(string(s.Reason), field) {
					t.Errorf("share %s: got status %s (%s), want live and the field's name", share, s.State, s.Reason)
				}
			}
			if got := fieldSchema(w.stream("acme"), "orders", "no"); strings.Contains(got, "deprecated") {
				t.Errorf("got the schema %s} of a field whose column is there", got)
			}
			if got := string(lastRow(w.stream("acme")).Data.After.Get("qty")); got != "null" {
				t.Errorf("got %s in the field, want null", got)
			}
			w.check("acme")

			before := len(w.sim.Requests())
			edits := w.requests(func() {
				w.edit(0, cells{"Status": "Done"})
				w.settle()
			})
			t.Logf("an edit after it cost %d requests", len(edits))
			for _, r := range w.sim.Requests()[before:] {
				if strings.Contains(r.Query, itoa(w.sheet.Columns["Qty"])) || r.Status != 200 {
					t.Errorf("got request %s?%s answered %d, want the column not asked for", r.Path, r.Query, r.Status)
				}
			}
			if len(edits) > 2 { // one for all columns that are left, where a share has none: which there are
				t.Errorf("got requests %v for one edit", edits)
			}
			w.check("acme")
		})
	}
}

// TestDeletedColumnOfAFilter: what the filter hid stays hidden, also where no
// column of the share is left.
func TestDeletedColumnOfAFilter(t *testing.T) {
	t.Parallel()
	for name, refuses := range map[string]bool{"refused": true, "left out": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			request := events.Request{Partner: "acme", Columns: columns("Status"), Where: `cells["Status"] != "Draft" && cells["Margin"] != "canary-margin-2"`}
			w := newWorld(t, options{}, request)
			w.sim.RefuseUnknownColumnIDs = refuses
			for _, title := range []string{"Margin", "Status"} {
				must(t, w.sim.As(w.jane).DeleteColumn(w.sheet.ID, w.sheet.Columns[title]))
				w.settle()
			}
			w.edit(1, cells{"No": "canary"})
			w.settle()
			w.reconcile(w.reg)
			if s := statusOf(w.stream("acme"), "orders"); s.State != events.StateStale || !strings.Contains(string(s.Reason), "filter") {
				t.Errorf("got status %s (%s), want stale for want of the filter's columns", s.State, s.Reason)
			}
			if row := lastRow(w.stream("acme")); row.Data.After != nil {
				t.Errorf("got %s, want no row left", row.Data.After)
			}
			w.hides("acme", "canary", "Draft")
		})
	}
}

// TestAllColumnsAreDeleted: rows are shown with nothing in their fields.
func TestAllColumnsAreDeleted(t *testing.T) {
	t.Parallel()
	for name, refuses := range map[string]bool{"refused": true, "left out": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, options{}, events.Request{Partner: "acme", Columns: columns("Status", "Qty")})
			w.sim.RefuseUnknownColumnIDs = refuses
			for _, title := range []string{"Status", "Qty"} {
				must(t, w.sim.As(w.jane).DeleteColumn(w.sheet.ID, w.sheet.Columns[title]))
			}
			w.settle()
			must(t, w.sim.As(w.jane).DeleteRows(w.sheet.ID, w.sheet.Rows[0]))
			w.settle()
			w.reconcile(w.reg)
			if s := statusOf(w.stream("acme"), "orders"); s.State != events.StateLive {
				t.Errorf("got status %s (%s), want live", s.State, s.Reason)
			}
			if got := kinds(w.stream("acme"), 0)["row.deleted"]; got != 1 {
				t.Errorf("got %d rows deleted, want 1", got)
			}
			w.check("acme")
		})
	}
}
