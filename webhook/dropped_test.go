package webhook_test

import (
	"testing"

	"github.com/sheetbridge/sheetbridge/webhook/inbox"
	"github.com/sheetbridge/sheetbridge/webhook/registry"
)

// TestDeletedWhileItsShareEnds: a registration that comes to be deleted while a
// pass ends its last share, by a process that dies before it does more, takes its
// webhook along.
func TestDeletedWhileItsShareEnds(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{}, everything())
	w.endRelay()
	_, err := w.registry.UpdateShare(t.Context(), "acme", "orders", func(s *registry.Share) error {
		s.Ending = true
		return nil
	})
	must(t, err)
	must(t, w.handle(t.Context(), &inbox.Hint{Registration: w.reg.ID, Why: inbox.WhyShare, Whole: true, Webhook: true}))
	_, err = w.registry.UpdateRegistration(t.Context(), w.reg.ID, func(reg *registry.Registration) error {
		reg.Phase = registry.PhaseDeleting
		return nil
	})
	must(t, err)
	w.registrar.CleanUp(t.Context())
	if n := len(w.sim.Webhooks()); n != 0 || w.registry.Registration(w.reg.ID) != nil {
		t.Errorf("got %d webhooks at Smartsheet and registration %v, want neither", n, w.registry.Registration(w.reg.ID))
	}
}
