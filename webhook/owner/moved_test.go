package owner_test

import (
	"testing"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/smartsheet"
	"github.com/sheetbridge/sheetbridge/webhook/inbox"
	"github.com/sheetbridge/sheetbridge/webhook/registry"
	"github.com/sheetbridge/sheetbridge/webhook/webhooktest"
)

// TestFromATokenToAConsent: a sheet that was shared in the name of a token, which
// is dead by now, is shared by consent. The app neither sees nor can remove the
// webhook of before, and makes its own.
func TestFromATokenToAConsent(t *testing.T) {
	c := newConsents(t)
	c.consent()
	c.AddPartner("acme")
	token := c.Sim.AddToken(c.jane)
	c.AddOwner("ops", token)
	request := events.Request{Partner: "acme", Sheet: "orders", Columns: webhooktest.Columns("No", "Status")}
	before := c.Register("ops", c.sheet.ID, request)
	c.edit("Done")
	c.Check("acme")

	c.Sim.RevokeToken(token)
	if gone, err := c.Registrar.Delete(t.Context(), before.ID); err != nil || gone {
		t.Errorf("got gone %v and error %v, want a webhook that nobody can delete now", gone, err)
	}
	c.Settle()
	if reg := c.Registry.Registration(before.ID); reg == nil || reg.Phase != registry.PhaseDeleting {
		t.Errorf("got registration %+v, want one that is being deleted until its webhook is gone", reg)
	}
	after := c.Register("jane", c.sheet.ID, request)
	c.TakePasses()
	c.edit("Open")
	c.Check("acme")
	called := false
	for _, p := range c.TakePasses() {
		called = called || p.Owner == "jane" && p.Why == inbox.WhyCallback
	}
	if !called {
		t.Error("no callback came for the sheet")
	}
	hooks := c.Sim.Webhooks()
	if len(hooks) != 2 || hooks[0].ID != before.WebhookID || hooks[1].ID != after.WebhookID || hooks[1].Status != string(smartsheet.WebhookEnabled) {
		t.Errorf("got webhooks %+v, want the one of before, which nobody could remove, and the app's own", hooks)
	}
	if hooks[0].CallbackURL == hooks[1].CallbackURL {
		t.Error("both webhooks call one address: Smartsheet would use the older one alone")
	}
}
