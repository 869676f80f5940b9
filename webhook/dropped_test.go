package webhook_test

import (
	"context"
	"testing"

	"github.com/sheetbridge/sheetbridge/webhook/inbox"
	"github.com/sheetbridge/sheetbridge/webhook/registry"
)

// TestDeletedWhileItsShareEnds: a registration that comes to be deleted while a
// pass ends its last share takes its webhook along.
func TestDeletedWhileItsShareEnds(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{}, everything())
	w.endRelay()
	_, err := w.registry.UpdateRegistration(t.Context(), w.reg.ID, func(reg *registry.Registration) error {
		reg.Shares[0].Ending = true
		return nil
	})
	must(t, err)
	tend := w.relay.Webhook
	w.relay.Webhook = func(ctx context.Context, reg *registry.Registration, urgent bool) error {
		err := tend(ctx, reg, urgent)
		if reg.Phase != registry.PhaseDeleting { // now, after it was looked after
			_, updateErr := w.registry.UpdateRegistration(ctx, reg.ID, func(reg *registry.Registration) error {
				reg.Phase = registry.PhaseDeleting
				return nil
			})
			must(t, updateErr)
		}
		return err
	}
	must(t, w.relay.Handle(t.Context(), &inbox.Hint{Registration: w.reg.ID, Why: inbox.WhyShare, Whole: true, Webhook: true}))
	if n := len(w.sim.Webhooks()); n != 0 || w.registry.Registration(w.reg.ID) != nil {
		t.Errorf("got %d webhooks at Smartsheet and registration %v, want neither", n, w.registry.Registration(w.reg.ID))
	}
}
