package owner_test

import (
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/smartsheet"
	"github.com/sheetbridge/sheetbridge/smartsheet/smartsheettest"
	"github.com/sheetbridge/sheetbridge/webhook/owner"
	"github.com/sheetbridge/sheetbridge/webhook/registry"
	"github.com/sheetbridge/sheetbridge/webhook/webhooktest"
)

// TestReviveRefused: a token that Smartsheet refused by mistake works again
// without a person, and what changed meanwhile is published.
func TestReviveRefused(t *testing.T) {
	t.Parallel()
	w := webhooktest.NewWorld(t, webhooktest.Options{}, webhooktest.Everything())
	owners := &owner.Owners{Registry: w.Registry, Access: w.Access, Inbox: w.Inbox, Log: slog.New(slog.DiscardHandler)}
	w.Sim.SetFault(func(*http.Request) *smartsheettest.Fault { return &smartsheettest.Fault{Status: 401, ErrorCode: 1002} })
	w.Edit(0, webhooktest.Cells{"Qty": 4})
	w.Settle()
	owners.Revive(t.Context(), registry.OwnerRefused)
	if o := w.Registry.Owner("ops"); o.State != registry.OwnerRefused {
		t.Fatalf("got owner %s while the token is refused, want refused", o.State)
	}
	w.Sim.SetFault(nil)
	owners.Revive(t.Context(), registry.OwnerRefused)
	w.Settle()
	if o := w.Registry.Owner("ops"); o.State != registry.OwnerOK || o.Reason != "" {
		t.Errorf("got owner %s (%s) when the token works again, want ok", o.State, o.Reason)
	}
	if s := webhooktest.StatusOf(w.Stream("acme"), "orders"); s.State != events.StateLive {
		t.Errorf("got status %s, want live", s.State)
	}
	w.Check("acme")
}

// TestRegisterTooLarge: a sheet that is too large for a webhook is registered
// nevertheless, follows with each reconcile, and says so.
func TestRegisterTooLarge(t *testing.T) {
	t.Parallel()
	sim := smartsheettest.New(t, func(s *smartsheettest.Server) { s.RateLimit, s.Limits = -1, smartsheettest.GridLimits{Rows: 1} })
	jane, token, sheet := webhooktest.Orders(t, sim)
	b := webhooktest.NewBridge(t, sim, webhooktest.Options{})
	b.AddOwner("ops", token)
	b.AddPartner("acme")
	reg := b.Register("ops", sheet.ID, webhooktest.Everything())
	if reg.Status != string(smartsheet.WebhookGridLimits) {
		t.Errorf("got webhook status %s, want %s", reg.Status, smartsheet.WebhookGridLimits)
	}
	webhooktest.Must(t, sim.As(jane).UpdateRows(sheet.ID, smartsheettest.Row{ID: sheet.Rows[0], Cells: webhooktest.Cells{"Qty": 4}}))
	b.Reconcile(reg)
	b.Check("acme")
	if row := webhooktest.LastRow(b.Stream("acme")); string(row.Data.After.Get("qty")) != "4" {
		t.Errorf("got %s after a reconcile, want the edit", row.Data.After)
	}
	if s := webhooktest.StatusOf(b.Stream("acme"), "orders"); s.State != events.StateLive || s.Mode != "polling" || !strings.Contains(string(s.Reason), "too large") {
		t.Errorf("got status %s by %s (%s), want live by polling, and why", s.State, s.Mode, s.Reason)
	}
}
