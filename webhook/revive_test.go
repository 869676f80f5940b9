package webhook_test

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
)

// TestReviveRefused: a token that Smartsheet refused by mistake works again
// without a person, and what changed meanwhile is published.
func TestReviveRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{}, everything())
	owners := &owner.Owners{Registry: w.registry, Access: w.access, Inbox: w.inbox, Log: slog.New(slog.DiscardHandler)}
	w.sim.SetFault(func(*http.Request) *smartsheettest.Fault { return &smartsheettest.Fault{Status: 401, ErrorCode: 1002} })
	w.edit(0, cells{"Qty": 4})
	w.settle()
	owners.Revive(t.Context(), registry.OwnerRefused)
	if o := w.registry.Owner("ops"); o.State != registry.OwnerRefused {
		t.Fatalf("got owner %s while the token is refused, want refused", o.State)
	}
	w.sim.SetFault(nil)
	owners.Revive(t.Context(), registry.OwnerRefused)
	w.settle()
	if o := w.registry.Owner("ops"); o.State != registry.OwnerOK || o.Reason != "" {
		t.Errorf("got owner %s (%s) when the token works again, want ok", o.State, o.Reason)
	}
	if s := statusOf(w.stream("acme"), "orders"); s.State != events.StateLive {
		t.Errorf("got status %s, want live", s.State)
	}
	w.check("acme")
}

// TestRegisterTooLarge: a sheet that is too large for a webhook is registered
// nevertheless, follows with each reconcile, and says so.
func TestRegisterTooLarge(t *testing.T) {
	t.Parallel()
	sim := smartsheettest.New(t, func(s *smartsheettest.Server) { s.RateLimit, s.Limits = -1, smartsheettest.GridLimits{Rows: 1} })
	jane, token, sheet := orders(t, sim)
	b := newBridge(t, sim, options{})
	b.addOwner("ops", token)
	b.addPartner("acme")
	reg := b.register("ops", sheet.ID, everything())
	if reg.Status != string(smartsheet.WebhookGridLimits) {
		t.Errorf("got webhook status %s, want %s", reg.Status, smartsheet.WebhookGridLimits)
	}
	must(t, sim.As(jane).UpdateRows(sheet.ID, smartsheettest.Row{ID: sheet.Rows[0], Cells: cells{"Qty": 4}}))
	b.reconcile(reg)
	b.check("acme")
	if row := lastRow(b.stream("acme")); string(row.Data.After.Get("qty")) != "4" {
		t.Errorf("got %s after a reconcile, want the edit", row.Data.After)
	}
	if s := statusOf(b.stream("acme"), "orders"); s.State != events.StateLive || s.Mode != "polling" || !strings.Contains(string(s.Reason), "too large") {
		t.Errorf("got status %s by %s (%s), want live by polling, and why", s.State, s.Mode, s.Reason)
	}
}
