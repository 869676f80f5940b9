package relay_test

import (
	"testing"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/webhook/registry"
	"github.com/sheetbridge/sheetbridge/webhook/webhooktest"
)

// A share whose filter names an attribute of its partner follows it, also where the
// change of the attribute was stored and nobody came to change the share: what is not
// shown any more is removed from the stream, and the rest stays as it is.
func TestShareFollowsAttributes(t *testing.T) {
	t.Parallel()
	w := webhooktest.NewWorld(t, webhooktest.Options{})
	w.AddPartner("acme")
	stage := func(text string) {
		t.Helper()
		webhooktest.Must(t, w.Registry.UpdatePartner(t.Context(), "acme", func(p *registry.Partner) error {
			p.Attributes = map[string]string{"stage": text, "tier": "gold"}
			return nil
		}))
	}
	stage("Open")
	w.Reg = w.Register("ops", w.Sheet.ID, events.Request{Partner: "acme", Columns: webhooktest.Columns("No", "Status"), Where: "status == partner.stage"})
	w.WantChanges("loaded", `row.created snapshot null->{"no":"SO-1","status":"Open"}`)

	stage("Draft")
	webhooktest.Must(t, w.Registrar.Reconcile(t.Context(), w.Reg.ID))
	w.Settle()
	w.WantChanges("the attribute was changed", `row.deleted share null->null share`, `row.created share null->{"no":"SO-2","status":"Draft"}`)
	w.WantNoWords("acme", "SO-1")
	if s := w.Registry.Share("acme", "orders"); s.Attributes["stage"] != "Draft" || s.Revision != 2 {
		t.Errorf("got %v of revision %d, want Draft of 2", s.Attributes, s.Revision)
	}

	stage("Open")
	webhooktest.Must(t, w.Registrar.RebindAttributes(t.Context(), "acme"))
	w.Settle()
	w.WantChanges("and back", `row.deleted share null->null share`, `row.created share null->{"no":"SO-1","status":"Open"}`)
	w.WantNoWords("acme", "SO-2")
	w.Edit(1, webhooktest.Cells{"Status": "Open"})
	w.Settle()
	w.WantChanges("a row comes into view", `row.created callback null->{"no":"SO-2","status":"Open"}`)
	webhooktest.Must(t, w.Registrar.RebindAttributes(t.Context(), "acme"))
	if s := w.Registry.Share("acme", "orders"); s.Revision != 3 {
		t.Errorf("got revision %d after nothing was changed, want 3", s.Revision)
	}
}
