package relay_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/webhook/inbox"
	"github.com/sheetbridge/sheetbridge/webhook/registry"
	"github.com/sheetbridge/sheetbridge/webhook/webhooktest"
)

// TestNoStatusWithoutEpoch: where nobody can tell which epoch it is, it is not
// said to be "".
func TestNoStatusWithoutEpoch(t *testing.T) {
	t.Parallel()
	bolt := webhooktest.Everything()
	bolt.Partner = "bolt"
	w := webhooktest.NewWorld(t, webhooktest.Options{}, webhooktest.Everything(), bolt)
	js, err := jetstream.New(w.Broker.Bridge())
	webhooktest.Must(t, err)
	kv, err := js.KeyValue(t.Context(), registry.Bucket)
	webhooktest.Must(t, err)
	_, err = kv.Put(t.Context(), "epoch.acme", []byte("not to be read now"))
	webhooktest.Must(t, err)
	w.Sim.RevokeToken(w.Token)
	w.Restart() // else it is still known
	w.StopRelay()
	webhooktest.Must(t, w.Handle(t.Context(), &inbox.Hint{Registration: w.Reg.ID, Why: inbox.WhyReconcile, Whole: true, Full: true, ReceivedAt: time.Now()}))
	for partner, want := range map[string]events.State{"acme": events.StateLive, "bolt": events.StateSuspended} {
		all := w.Stream(partner)
		if got := webhooktest.StatusOf(all, "orders").State; got != want {
			t.Errorf("%s was told %s, want %s", partner, got, want)
		}
		for _, m := range all {
			if bytes.Contains(m.Raw, []byte(`"epoch":""`)) {
				t.Errorf("%s was told an empty epoch: %s", partner, m.Raw)
			}
		}
	}
}
