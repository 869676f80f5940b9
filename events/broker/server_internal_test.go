package broker

import (
	"context"
	"testing"

	"github.com/sheetbridge/sheetbridge/events/seal"
)

func TestServerRunsDurably(t *testing.T) {
	b, err := Start(t.Context(), Options{Dir: t.TempDir(), Master: seal.NewMasterKey(), Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	cfg := b.srv.JetStreamConfig()
	if !cfg.SyncAlways {
		t.Error("what is acknowledged may not survive a power cut")
	}
	if cfg.MaxStore <= 0 || cfg.MaxMemory != maxMemory {
		t.Errorf("got limits of %d bytes on disk and %d in memory, want both bounded", cfg.MaxStore, cfg.MaxMemory)
	}
	v, err := b.srv.Varz(nil)
	if err != nil {
		t.Fatal(err)
	}
	if v.HTTPPort != 0 || v.Cluster.Port != 0 || v.LeafNode.Port != 0 || v.Websocket.Port != 0 || v.MQTT.Port != 0 {
		t.Error("server listens for more than clients")
	}
}

func TestURL(t *testing.T) {
	for name, test := range map[string]struct {
		options Options
		host    string
		want    string
	}{
		"loopback": {Options{}, "127.0.0.1", "nats://127.0.0.1:4222"},
		"IPv6":     {Options{}, "::1", "nats://[::1]:4222"},
		"public":   {Options{PublicURL: "tls://nats.a.example:443"}, "0.0.0.0", "tls://nats.a.example:443"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := test.options.publicURL(test.host, 4222)
			if err != nil || got != test.want {
				t.Errorf("got %s, error %v, want %s", got, err, test.want)
			}
		})
	}
	everywhere, err := Options{}.publicURL("0.0.0.0", 4222)
	if err != nil || everywhere == "nats://0.0.0.0:4222" {
		t.Errorf("got %s, error %v, want a host that partners could reach", everywhere, err)
	}
}
