package broker_test

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/sheetbridge/sheetbridge/events/broker"
	"github.com/sheetbridge/sheetbridge/events/freeport"
)

// TestReadersFindGatesOpen: who is let in by a server that starts is answered,
// however many gates it has to open.
func TestReadersFindGatesOpen(t *testing.T) {
	t.Parallel()
	for name, secure := range map[string]bool{"TCP": false, "WebSocket": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cert, pool := certificate(t)
			o := options(t)
			o.MaxStore = 0 // for any number of partners
			port, err := freeport.Take()
			if err != nil {
				t.Fatal(err)
			}
			address := fmt.Sprintf("127.0.0.1:%d", port)
			url, opts := "nats://"+address, []nats.Option{}
			if secure {
				o.TLS, o.WebSocketListen, url = &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}, address, "wss://"+address
				opts = append(opts, nats.Secure(&tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}))
			} else {
				o.Listen = address
			}
			b := start(t, o)
			var creds string
			for i := range 40 {
				p := newPartner(t, b, fmt.Sprintf("p%d", i))
				creds, _ = p.mint(t, "default")
			}
			stop(t, b)

			started := make(chan *broker.Broker, 1)
			go func() {
				b, err := broker.Start(t.Context(), o)
				if err != nil {
					t.Error(err)
				}
				started <- b
			}()
			nc, err := connectEarly(url, append(opts, nats.UserCredentialBytes([]byte(creds))))
			if err == nil {
				defer nc.Close()
				_, err = nc.Request("$JS.API.STREAM.INFO.EVENTS", nil, wait)
			}
			if err != nil {
				t.Error(err)
			}
			if b := <-started; b != nil {
				stop(t, b)
			}
		})
	}
}

// connectEarly connects as soon as somebody listens.
func connectEarly(url string, opts []nats.Option) (nc *nats.Conn, err error) {
	for range 100_000 {
		nc, err = nats.Connect(url, opts...)
		if refused := (*net.OpError)(nil); !errors.As(err, &refused) && !errors.Is(err, nats.ErrNoServers) {
			break
		}
	}
	return nc, err
}
