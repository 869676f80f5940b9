package broker_test

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"runtime"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/sheetbridge/sheetbridge/events/broker"
	"github.com/sheetbridge/sheetbridge/events/eventstest"
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
			for i := range eventstest.Times(10, 40) {
				name := fmt.Sprintf("p%d", i)
				account, err := broker.NewAccount(name)
				if err != nil {
					t.Fatal(err)
				}
				if err := b.PutAccount(t.Context(), name, account); err != nil {
					t.Fatal(err)
				}
			}
			creds, _ := newPartner(t, b, "acme").mint(t, "default")
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

// connectEarly connects as soon as somebody listens. A connection that waits for the
// server to open is closed after a while, and comes again.
func connectEarly(url string, opts []nats.Option) (nc *nats.Conn, err error) {
	opts = append(opts, nats.SetCustomDialer(early{}), nats.Timeout(wait))
	for began := time.Now(); time.Since(began) < wait; {
		nc, err = nats.Connect(url, opts...)
		if failed := (*net.OpError)(nil); !errors.As(err, &failed) {
			break
		}
	}
	return nc, err
}

// early is a dialer that dials until somebody listens.
type early struct{}

func (early) Dial(network, address string) (net.Conn, error) {
	for began := time.Now(); ; runtime.Gosched() {
		conn, err := net.Dial(network, address)
		if err == nil || time.Since(began) > wait {
			return conn, err
		}
	}
}
