package registrar_test

import (
	"testing"

	"github.com/sheetbridge/sheetbridge/webhook/inbox"
	"github.com/sheetbridge/sheetbridge/webhook/registry"
	"github.com/sheetbridge/sheetbridge/webhook/webhooktest"
)

// TestDeletedWhileItsShareEnds: a registration that comes to be deleted while a
// pass ends its last share, by a process that dies before it does more, takes its
// webhook along.
func TestDeletedWhileItsShareEnds(t *testing.T) {
	t.Parallel()
	w := webhooktest.NewWorld(t, webhooktest.Options{}, webhooktest.Everything())
	w.StopRelay()
	_, err := w.Registry.UpdateShare(t.Context(), "acme", "orders", func(s *registry.Share) error {
		s.Ending = true
		return nil
	})
	webhooktest.Must(t, err)
	webhooktest.Must(t, w.Handle(t.Context(), &inbox.Hint{Registration: w.Reg.ID, Why: inbox.WhyShare, Whole: true, Webhook: true}))
	_, err = w.Registry.UpdateRegistration(t.Context(), w.Reg.ID, func(reg *registry.Registration) error {
		reg.Phase = registry.PhaseDeleting
		return nil
	})
	webhooktest.Must(t, err)
	w.Registrar.CleanUp(t.Context())
	if n := len(w.Sim.Webhooks()); n != 0 || w.Registry.Registration(w.Reg.ID) != nil {
		t.Errorf("got %d webhooks at Smartsheet and registration %v, want neither", n, w.Registry.Registration(w.Reg.ID))
	}
}
