package webhook_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/webhook/inbox"
	"github.com/sheetbridge/sheetbridge/webhook/registry"
)

// TestNoStatusWithoutEpoch: where nobody can tell which epoch it is, it is not
// said to be "".
func TestNoStatusWithoutEpoch(t *testing.T) {
	t.Parallel()
	bolt := everything()
	bolt.Partner = "bolt"
	w := newWorld(t, options{}, everything(), bolt)
	js, err := jetstream.New(w.broker.Bridge())
	must(t, err)
	kv, err := js.KeyValue(t.Context(), registry.Bucket)
	must(t, err)
	_, err = kv.Put(t.Context(), "epoch.acme", []byte("not to be read now"))
	must(t, err)
	w.sim.RevokeToken(w.token)
	w.restart() // else it is still known
	w.endRelay()
	must(t, w.handle(t.Context(), &inbox.Hint{Registration: w.reg.ID, Why: inbox.WhyReconcile, Whole: true, Full: true, ReceivedAt: time.Now()}))
	for partner, want := range map[string]events.State{"acme": events.StateLive, "bolt": events.StateSuspended} {
		all := w.stream(partner)
		if got := statusOf(all, "orders").State; got != want {
			t.Errorf("%s was told %s, want %s", partner, got, want)
		}
		for _, m := range all {
			if bytes.Contains(m.Raw, []byte(`"epoch":""`)) {
				t.Errorf("%s was told an empty epoch: %s", partner, m.Raw)
			}
		}
	}
}
