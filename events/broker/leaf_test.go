package broker_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/sheetbridge/sheetbridge/events/broker"
	"github.com/sheetbridge/sheetbridge/events/eventstest"
)

// ownServer is a partner's own server, connected to the bridge's as a leaf node.
type ownServer struct {
	srv *server.Server
	nc  *nats.Conn
	js  jetstream.JetStream
}

// startOwn starts a server of a partner's own with leaf credentials.
func startOwn(t *testing.T, b *broker.Broker, creds string) *ownServer {
	t.Helper()
	return startOwnAt(t, b.LeafURL(), creds)
}

func startOwnAt(t *testing.T, address, creds string) *ownServer {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "leaf.creds")
	if err := os.WriteFile(file, []byte(creds), 0o600); err != nil {
		t.Fatal(err)
	}
	hub, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	srv, err := server.NewServer(&server.Options{
		ServerName: "own", Host: "127.0.0.1", Port: server.RANDOM_PORT, NoSigs: true, NoLog: true,
		JetStream: true, JetStreamDomain: "own", StoreDir: filepath.Join(dir, "store"),
		JetStreamMaxStore: 1 << 30, JetStreamMaxMemory: 1 << 20,
		LeafNode: server.LeafNodeOpts{
			ReconnectInterval: 50 * time.Millisecond,
			Remotes:           []*server.RemoteLeafOpts{{URLs: []*url.URL{hub}, Credentials: file}},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	srv.Start()
	t.Cleanup(func() { srv.Shutdown(); srv.WaitForShutdown() })
	if !srv.ReadyForConnections(wait) {
		t.Fatal("own server does not listen")
	}
	nc, err := nats.Connect(srv.ClientURL(), nats.NoReconnect())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc, jetstream.WithDefaultTimeout(wait))
	if err != nil {
		t.Fatal(err)
	}
	return &ownServer{srv, nc, js}
}

func TestLeafCopiesEvents(t *testing.T) {
	t.Parallel()
	for name, config := range map[string]jetstream.StreamConfig{
		"mirror": documented(t),
		"source": {Name: "COPY", Sources: []*jetstream.StreamSource{origin()}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := options(t)
			o.LeafListen = "127.0.0.1:0"
			b := start(t, o)
			p := newPartner(t, b, "acme")
			for _, row := range []string{"1", "2", "3"} {
				p.publish(t, "orders.row."+row, "before")
			}
			creds, _, err := p.account.MintLeaf("mirror", time.Time{})
			if err != nil {
				t.Fatal(err)
			}
			own := startOwn(t, b, creds)
			s, err := own.js.CreateStream(t.Context(), config)
			if err != nil {
				t.Fatal(err)
			}
			wantCopied(t, s, 3, "before")
			p.publish(t, "orders.row.3", "live")
			wantCopied(t, s, 4, "live")

			// The bridge restarts on the same port; the copy goes on.
			o.Listen, o.LeafListen = hostPort(t, b.URL()), hostPort(t, b.LeafURL())
			stop(t, b)
			b = start(t, o)
			p.open(t, b)
			p.publish(t, "orders.row.3", "after")
			wantCopied(t, s, 5, "after")
		})
	}
}

// documented is the copy that partners are told to make.
func documented(t *testing.T) (c jetstream.StreamConfig) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "deploy", "examples", "mirror.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &c); err != nil {
		t.Fatal(err)
	}
	return c
}

func origin() *jetstream.StreamSource {
	return &jetstream.StreamSource{Name: "EVENTS", External: &jetstream.ExternalStream{APIPrefix: "$JS." + broker.Domain + ".API"}}
}

func hostPort(t *testing.T, text string) string {
	t.Helper()
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return u.Host
}

// wantCopied waits until the stream has n messages, and wants the last one's
// body.
func wantCopied(t *testing.T, s jetstream.Stream, n uint64, body string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), eventstest.Patience)
	defer cancel()
	// A consumer waits without asking again and again.
	c, err := s.OrderedConsumer(ctx, jetstream.OrderedConsumerConfig{})
	if err != nil {
		t.Fatal(err)
	}
	messages, err := c.Messages()
	if err != nil {
		t.Fatal(err)
	}
	defer messages.Stop()
	for i := range n {
		m, err := messages.Next(jetstream.NextContext(ctx))
		if err != nil {
			t.Fatalf("after %d messages, want %d: %v", i, n, err)
		}
		if i == n-1 && string(m.Data()) != body {
			t.Errorf("got %q, want %q", m.Data(), body)
		}
	}
}

// What a partner's own server may not do comes to nothing at the bridge.
func TestLeafMayNot(t *testing.T) {
	t.Parallel()
	o := options(t)
	o.LeafListen = "127.0.0.1:0"
	b := start(t, o)
	p, other := newPartner(t, b, "acme"), newPartner(t, b, "bolt")
	p.publish(t, "orders.row.1", "one")
	other.publish(t, "orders.row.1", "bolt's")
	creds, public, err := p.account.MintLeaf("mirror", time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	wantRefused(t, b, creds) // by the port for clients
	own := startOwn(t, b, creds)
	copied, err := own.js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "COPY", Sources: []*jetstream.StreamSource{origin()}})
	if err != nil {
		t.Fatal(err)
	}
	wantCopied(t, copied, 1, "one") // connected
	all, err := own.nc.SubscribeSync(">")
	if err := errors.Join(err, own.nc.Flush()); err != nil {
		t.Fatal(err)
	}
	const api = "$JS." + broker.Domain + ".API."
	for _, subject := range []string{
		"STREAM.PURGE.EVENTS", "STREAM.DELETE.EVENTS", "STREAM.UPDATE.EVENTS", "STREAM.CREATE.MINE", "STREAM.INFO.EVENTS",
		"STREAM.LIST", "STREAM.MSG.GET.EVENTS", "STREAM.MSG.DELETE.EVENTS", "STREAM.SNAPSHOT.EVENTS", "DIRECT.GET.EVENTS",
		"CONSUMER.LIST.EVENTS", "CONSUMER.MSG.NEXT.EVENTS.x", "CONSUMER.DURABLE.CREATE.EVENTS.x", "ACCOUNT.PURGE.x", "INFO",
	} {
		if err := own.nc.Publish(api+subject, []byte("{}")); err != nil {
			t.Fatal(err)
		}
	}
	for _, subject := range []string{
		"smartsheet.acme.orders.row.1", "smartsheet.bolt.orders.row.1", "_BRIDGE.x", "_INBOX.x", "$SYS.REQ.CLAIMS.UPDATE",
		"$JS.API.STREAM.PURGE.EVENTS", "$JS.ACK.EVENTS.x.1.1.1.1.1", "$KV.sheetbridge.x",
	} {
		if err := own.nc.Publish(subject, []byte("forged")); err != nil {
			t.Fatal(err)
		}
	}
	p.publish(t, "orders.row.1", "two")
	wantCopied(t, copied, 2, "two")
	for _, q := range []*partner{p, other} {
		s, err := q.js.Stream(t.Context(), "EVENTS")
		if err != nil {
			t.Fatal(err)
		}
		got, want := s.CachedInfo().State, map[string]uint64{"acme": 2, "bolt": 1}[q.name]
		if got.LastSeq != want || got.Msgs != want {
			t.Errorf("%s: got %d messages up to %d, want %d", q.name, got.Msgs, got.LastSeq, want)
		}
		var streams []string
		for name := range q.js.StreamNames(t.Context()).Name() {
			streams = append(streams, name)
		}
		if diff := cmp.Diff([]string{"EVENTS"}, streams); diff != "" {
			t.Errorf("%s: streams (-want +got):\n%s", q.name, diff)
		}
	}
	// What comes to the partner's server is the partner's.
	for n, _, _ := all.Pending(); n > 0; n, _, _ = all.Pending() {
		m, err := all.NextMsg(wait)
		if err != nil {
			t.Fatal(err)
		}
		if text := string(m.Data); strings.Contains(text, "bolt's") {
			t.Errorf("own server sees %s on %s", text, m.Subject)
		}
	}

	p.account.Revoke(public)
	closed := own.srv.NumLeafNodes()
	if err := b.PutAccount(t.Context(), p.name, p.account); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(1, closed); diff != "" {
		t.Errorf("leaf connections before (-want +got):\n%s", diff)
	}
	p.publish(t, "orders.row.1", "three")
	p.publish(t, "orders.row.1", "four")
	eventstest.Await(t, "the leaf connection to be closed", func() bool { return own.srv.NumLeafNodes() == 0 })
	info, err := copied.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if info.State.Msgs > 2 {
		t.Errorf("got %d messages after the revocation, want 2", info.State.Msgs)
	}
}

// The JetStream domain that leaf nodes need changes nothing for clients.
func TestLeafListenerKeepsClients(t *testing.T) {
	o := options(t)
	b := start(t, o)
	p := newPartner(t, b, "acme")
	p.publish(t, "orders.row.1", "one")
	creds, _ := p.mint(t, "default")
	if b.LeafURL() != "" || b.WebSocketURL() != "" {
		t.Errorf("got leaf %q and WebSocket %q, want neither unless asked for", b.LeafURL(), b.WebSocketURL())
	}
	durable(t, b, creds, "one")
	stop(t, b)
	o.LeafListen = "127.0.0.1:0"
	b = start(t, o)
	p.open(t, b)
	p.publish(t, "orders.row.1", "two")
	durable(t, b, creds, "two")
	stop(t, b)
	o.LeafListen = ""
	b = start(t, o)
	p.open(t, b)
	p.publish(t, "orders.row.1", "three")
	durable(t, b, creds, "three")
}

// durable reads the next message of a durable consumer, which it makes if it
// must.
func durable(t *testing.T, b *broker.Broker, creds, want string) {
	t.Helper()
	js, err := jetstream.New(login(t, b, creds), jetstream.WithDefaultTimeout(wait))
	if err != nil {
		t.Fatal(err)
	}
	c, err := js.CreateOrUpdateConsumer(t.Context(), "EVENTS", jetstream.ConsumerConfig{Durable: "erp", AckPolicy: jetstream.AckExplicitPolicy})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"smartsheet.acme.orders.row.1 " + want}, fetch(t, c, 1, jetstream.Msg.DoubleAck)); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}
