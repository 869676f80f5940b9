package relay_test

import (
	"strings"
	"testing"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/webhook/webhooktest"
)

// fieldSchema is what the last schema of a share says of a field.
func fieldSchema(all []webhooktest.Published, share, field string) string {
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
			w := webhooktest.NewWorld(t, webhooktest.Options{MaxPage: 16 << 10}, webhooktest.Everything(), events.Request{Partner: "acme", Sheet: "numbers", Columns: webhooktest.Columns("Qty")})
			w.Sim.RefuseUnknownColumnIDs = refuses
			found := w.Requests(func() {
				webhooktest.Must(t, w.Sim.As(w.Jane).DeleteColumn(w.Sheet.ID, w.Sheet.Columns["Qty"]))
				w.Settle()
			})
			t.Logf("finding it out cost %d requests, %d of them for the columns", len(found), webhooktest.Count(found, "GET sheets/{sheet}/columns"))
			if n := webhooktest.Count(found, "GET sheets/{sheet}/columns"); n < 1 || n > 3 {
				t.Errorf("the columns were asked for %d times", n)
			}
			for share, field := range map[string]string{"orders": "qty", "numbers": "qty"} {
				if got := fieldSchema(w.Stream("acme"), share, field); !strings.Contains(got, `"deprecated":true`) {
					t.Errorf("share %s: got the schema %s} of the field, want it deprecated", share, got)
				}
				if s := webhooktest.StatusOf(w.Stream("acme"), share); s.State != events.StateLive || !strings.Contains(string(s.Reason), field) {
					t.Errorf("share %s: got status %s (%s), want live and the field's name", share, s.State, s.Reason)
				}
			}
			if got := fieldSchema(w.Stream("acme"), "orders", "no"); strings.Contains(got, "deprecated") {
				t.Errorf("got the schema %s} of a field whose column is there", got)
			}
			if got := string(webhooktest.LastRow(w.Stream("acme")).Data.After.Get("qty")); got != "null" {
				t.Errorf("got %s in the field, want null", got)
			}
			w.Check("acme")

			before := len(w.Sim.Requests())
			edits := w.Requests(func() {
				w.Edit(0, webhooktest.Cells{"Status": "Done"})
				w.Settle()
			})
			t.Logf("an edit after it cost %d requests", len(edits))
			for _, r := range w.Sim.Requests()[before:] {
				if strings.Contains(r.Query, webhooktest.FormatID(w.Sheet.Columns["Qty"])) || r.Status != 200 {
					t.Errorf("got request %s?%s answered %d, want the column not asked for", r.Path, r.Query, r.Status)
				}
			}
			if len(edits) > 2 { // one for all columns that are left, where a share has none: which there are
				t.Errorf("got requests %v for one edit", edits)
			}
			w.Check("acme")
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
			request := events.Request{Partner: "acme", Columns: webhooktest.Columns("Status"), Where: `cells["Status"] != "Draft" && cells["Margin"] != "canary-margin-2"`}
			w := webhooktest.NewWorld(t, webhooktest.Options{}, request)
			w.Sim.RefuseUnknownColumnIDs = refuses
			for _, title := range []string{"Margin", "Status"} {
				webhooktest.Must(t, w.Sim.As(w.Jane).DeleteColumn(w.Sheet.ID, w.Sheet.Columns[title]))
				w.Settle()
			}
			w.Edit(1, webhooktest.Cells{"No": "canary"})
			w.Settle()
			w.Reconcile(w.Reg)
			if s := webhooktest.StatusOf(w.Stream("acme"), "orders"); s.State != events.StateStale || !strings.Contains(string(s.Reason), "filter") {
				t.Errorf("got status %s (%s), want stale for want of the filter's columns", s.State, s.Reason)
			}
			if row := webhooktest.LastRow(w.Stream("acme")); row.Data.After != nil {
				t.Errorf("got %s, want no row left", row.Data.After)
			}
			w.WantNoWords("acme", "canary", "Draft")
		})
	}
}

// TestAllColumnsAreDeleted: rows are shown with nothing in their fields.
func TestAllColumnsAreDeleted(t *testing.T) {
	t.Parallel()
	for name, refuses := range map[string]bool{"refused": true, "left out": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := webhooktest.NewWorld(t, webhooktest.Options{}, events.Request{Partner: "acme", Columns: webhooktest.Columns("Status", "Qty")})
			w.Sim.RefuseUnknownColumnIDs = refuses
			for _, title := range []string{"Status", "Qty"} {
				webhooktest.Must(t, w.Sim.As(w.Jane).DeleteColumn(w.Sheet.ID, w.Sheet.Columns[title]))
			}
			w.Settle()
			webhooktest.Must(t, w.Sim.As(w.Jane).DeleteRows(w.Sheet.ID, w.Sheet.Rows[0]))
			w.Settle()
			w.Reconcile(w.Reg)
			if s := webhooktest.StatusOf(w.Stream("acme"), "orders"); s.State != events.StateLive {
				t.Errorf("got status %s (%s), want live", s.State, s.Reason)
			}
			if got := webhooktest.Kinds(w.Stream("acme"), 0)["row.deleted"]; got != 1 {
				t.Errorf("got %d rows deleted, want 1", got)
			}
			w.Check("acme")
		})
	}
}
