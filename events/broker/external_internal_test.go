package broker

import (
	"context"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/sheetbridge/sheetbridge/events/seal"
)

// ending is a context that ends between two looks: it is done, and told nobody
// who asked for its error.
type ending struct{ context.Context }

func (ending) Err() error { return nil }

func TestConnectThatNobodyTakes(t *testing.T) {
	o := Options{Dir: t.TempDir(), Master: seal.NewMasterKey(), Listen: "127.0.0.1:0"}
	b, err := Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	k, err := loadKeys(o.Dir, o.Master)
	if err != nil {
		t.Fatal(err)
	}
	creds, err := mintFull(seed(k.Bridge), "late")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	closed := make(chan struct{})
	nc, err := connectUntil(ending{ctx}, b.URL(), []nats.Option{
		nats.UserCredentialBytes([]byte(creds)), nats.ClosedHandler(func(*nats.Conn) { close(closed) }),
	})
	if nc != nil || err != nil { // the error is that of the context
		t.Error("got a connection from a context that has ended")
	}
	select {
	case <-closed:
	case <-time.After(10 * time.Second):
		t.Error("the connection that came too late stays open")
	}
}
