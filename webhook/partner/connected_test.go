package partner_test

import (
	"context"
	"log/slog"
	"sync"
	"testing"

	"github.com/sheetbridge/sheetbridge/webhook/partner"
	"github.com/sheetbridge/sheetbridge/webhook/webhooktest"
)

// TestCallerHungUp: that somebody gave up while a partner's stream was opened is
// no reason for others to leave the partner alone.
func TestCallerHungUp(t *testing.T) {
	t.Parallel()
	w := webhooktest.NewWorld(t, webhooktest.Options{NoRelay: true})
	w.AddPartner("acme")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := w.Partners.Stream(ctx, w.Registry.Partner("acme")); err == nil {
		t.Error("got a stream for nobody")
	}
	if _, err := w.Partners.Stream(t.Context(), w.Registry.Partner("acme")); err != nil {
		t.Errorf("the next who asks: got error %v", err)
	}
}

// TestRemovedAtAnotherReplica: a partner that another replica removes keeps no
// connection here.
func TestRemovedAtAnotherReplica(t *testing.T) {
	t.Parallel()
	w := webhooktest.NewWorld(t, webhooktest.Options{NoRelay: true})
	w.AddPartner("acme")
	w.AddPartner("bolt")
	here := &partner.Partners{Registry: w.OtherRegistrar().Registry, Broker: w.Broker, Replicas: 1, Log: slog.New(w.Opts.Log)}
	ctx, cancel := context.WithCancel(t.Context())
	var run sync.WaitGroup
	run.Go(func() { _ = here.Run(ctx) })
	t.Cleanup(func() { cancel(); run.Wait(); here.Close() })
	gone, err := here.Stream(t.Context(), w.Registry.Partner("acme"))
	webhooktest.Must(t, err)
	stays, err := here.Stream(t.Context(), w.Registry.Partner("bolt"))
	webhooktest.Must(t, err)
	webhooktest.Must(t, w.Registry.DeletePartner(t.Context(), w.Registry.Partner("acme")))
	w.Await("the connection to a partner that is removed is gone", func() bool { return gone.Connected() != nil })
	webhooktest.Must(t, stays.Connected())
}
