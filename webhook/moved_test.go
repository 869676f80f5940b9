package webhook_test

import (
	"testing"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/smartsheet"
	"github.com/sheetbridge/sheetbridge/webhook/inbox"
	"github.com/sheetbridge/sheetbridge/webhook/registry"
)

// TestFromATokenToAConsent: a sheet that was shared in the name of a token, which
// is dead by now, is shared by consent. The app neither sees nor can remove the
// webhook of before, and makes its own.
func TestFromATokenToAConsent(t *testing.T) {
	c := newConsents(t)
	c.consent()
	c.addPartner("acme")
	token := c.sim.AddToken(c.jane)
	c.addOwner("ops", token)
	request := events.Request{Partner: "acme", Sheet: "orders", Columns: columns("No", "Status")}
	before := c.register("ops", c.sheet.ID, request)
	c.edit("Done")
	c.check("acme")

	c.sim.RevokeToken(token)
	if gone, err := c.registrar.Delete(t.Context(), before.ID); err != nil || gone {
		t.Errorf("got gone %v and error %v, want a webhook that nobody can delete now", gone, err)
	}
	c.settle()
	if reg := c.registry.Registration(before.ID); reg == nil || reg.Phase != registry.PhaseDeleting {
		t.Errorf("got registration %+v, want one that is being deleted until its webhook is gone", reg)
	}
	after := c.register("jane", c.sheet.ID, request)
	c.takePasses()
	c.edit("Open")
	c.check("acme")
	called := false
	for _, p := range c.takePasses() {
		called = called || p.Owner == "jane" && p.Why == inbox.WhyCallback
	}
	if !called {
		t.Error("no callback came for the sheet")
	}
	hooks := c.sim.Webhooks()
	if len(hooks) != 2 || hooks[0].ID != before.WebhookID || hooks[1].ID != after.WebhookID || hooks[1].Status != string(smartsheet.WebhookEnabled) {
		t.Errorf("got webhooks %+v, want the one of before, which nobody could remove, and the app's own", hooks)
	}
	if hooks[0].CallbackURL == hooks[1].CallbackURL {
		t.Error("both webhooks call one address: Smartsheet would use the older one alone")
	}
}
