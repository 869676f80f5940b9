package webhooktest

import (
	"context"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/sheetbridge/sheetbridge/events/eventstest"
	"github.com/sheetbridge/sheetbridge/webhook/inbox"
	"github.com/sheetbridge/sheetbridge/webhook/registry"
)

// WantNothingLeft fails for whatever is left of a registration that was not made.
func (w *World) WantNothingLeft(doing string) {
	w.T.Helper()
	if got := w.Sim.Webhooks(); len(got) != 0 {
		w.T.Errorf("%s: %d webhooks are left at Smartsheet", doing, len(got))
	}
	if got := w.Registry.Registrations(); len(got) != 0 {
		w.T.Errorf("%s: %d registrations are left", doing, len(got))
	}
	js, err := jetstream.New(w.Broker.Bridge())
	Must(w.T, err)
	s, err := js.Stream(w.T.Context(), inbox.StreamName)
	Must(w.T, err)
	if n := s.CachedInfo().State.Msgs; n != 0 {
		w.T.Errorf("%s: %d hints are left", doing, n)
	}
	// A share that ends outlives its registration for a moment.
	kv, err := js.KeyValue(w.T.Context(), registry.Bucket)
	Must(w.T, err)
	ctx, cancel := context.WithTimeout(w.T.Context(), eventstest.Patience)
	defer cancel()
	for {
		changed := w.Registry.Changed()
		keys, err := kv.ListKeysFiltered(ctx, "share.>")
		Must(w.T, err)
		var names []string
		for key := range keys.Keys() {
			names = append(names, key)
		}
		if len(names) == 0 {
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
			w.T.Fatalf("%s: the shares %v are left", doing, names)
		}
	}
}
