package webhook_test

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/sheetbridge/sheetbridge/webhook/partner"
)

// TestCallerHungUp: that somebody gave up while a partner's stream was opened is
// no reason for others to leave the partner alone.
func TestCallerHungUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{idle: true})
	w.addPartner("acme")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := w.partners.Stream(ctx, w.registry.Partner("acme")); err == nil {
		t.Error("got a stream for nobody")
	}
	if _, err := w.partners.Stream(t.Context(), w.registry.Partner("acme")); err != nil {
		t.Errorf("the next who asks: got error %v", err)
	}
}

// TestRemovedAtAnotherReplica: a partner that another replica removes keeps no
// connection here.
func TestRemovedAtAnotherReplica(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{idle: true})
	w.addPartner("acme")
	w.addPartner("bolt")
	here := &partner.Partners{Registry: w.another().Registry, Broker: w.broker, Replicas: 1, Log: slog.New(w.opts.log)}
	ctx, cancel := context.WithCancel(t.Context())
	var run sync.WaitGroup
	run.Go(func() { _ = here.Run(ctx) })
	t.Cleanup(func() { cancel(); run.Wait(); here.Close() })
	gone, err := here.Stream(t.Context(), w.registry.Partner("acme"))
	must(t, err)
	stays, err := here.Stream(t.Context(), w.registry.Partner("bolt"))
	must(t, err)
	must(t, w.registry.DeletePartner(t.Context(), w.registry.Partner("acme")))
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for gone.Connected() == nil {
		select {
		case <-tick.C:
		case <-t.Context().Done():
			t.Fatal("the connection to a partner that is removed stays")
		}
	}
	must(t, stays.Connected())
}
