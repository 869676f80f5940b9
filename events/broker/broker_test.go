package broker_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"

	"github.com/sheetbridge/sheetbridge/events/broker"
	"github.com/sheetbridge/sheetbridge/events/eventstest"
	"github.com/sheetbridge/sheetbridge/events/seal"
	"github.com/sheetbridge/sheetbridge/events/stream"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

// options are those of a server for a test: a free port on loopback.
func options(t *testing.T) broker.Options {
	t.Helper()
	return broker.Options{Dir: t.TempDir(), Master: seal.NewMasterKey(), Listen: "127.0.0.1:0", MaxStore: 8 << 30}
}

// start starts a server that ends with the test, unless it is closed before.
func start(t *testing.T, o broker.Options) *broker.Broker {
	t.Helper()
	b, err := broker.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, b) })
	return b
}

func stop(t *testing.T, b *broker.Broker) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), eventstest.Patience)
	defer cancel()
	if err := b.Close(ctx); err != nil {
		t.Error(err)
	}
}

// partner is a partner's account with its stream, as the bridge sees it.
type partner struct {
	name    string
	account broker.Account
	bridge  *nats.Conn // the bridge in the partner's account
	js      jetstream.JetStream
}

func newPartner(t *testing.T, b *broker.Broker, name string) *partner {
	t.Helper()
	a, err := broker.NewAccount(name)
	if err != nil {
		t.Fatal(err)
	}
	p := &partner{name: name, account: a}
	p.open(t, b)
	if _, err := stream.Open(t.Context(), p.bridge, name, stream.Options{}); err != nil {
		t.Fatal(err)
	}
	return p
}

// open puts the account and connects the bridge there.
func (p *partner) open(t *testing.T, b *broker.Broker) {
	t.Helper()
	var err error
	if err = b.PutAccount(t.Context(), p.name, p.account); err != nil {
		t.Fatal(err)
	}
	if p.bridge, err = b.Connect(t.Context(), p.name, p.account); err != nil {
		t.Fatal(err)
	}
	if p.js, err = jetstream.New(p.bridge, jetstream.WithDefaultTimeout(wait)); err != nil {
		t.Fatal(err)
	}
}

func (p *partner) publish(t *testing.T, subject, body string) {
	t.Helper()
	if _, err := p.js.Publish(t.Context(), "smartsheet."+p.name+"."+subject, []byte(body)); err != nil {
		t.Fatal(err)
	}
}

func (p *partner) mint(t *testing.T, name string) (creds, public string) {
	t.Helper()
	creds, public, err := p.account.MintUser(name, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	return creds, public
}

// login connects as the partner does, with a stock client and the credentials.
func login(t *testing.T, b *broker.Broker, creds string, opts ...nats.Option) *nats.Conn {
	t.Helper()
	nc, err := tryLogin(b, creds, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return nc
}

func tryLogin(b *broker.Broker, creds string, opts ...nats.Option) (*nats.Conn, error) {
	return tryLoginAt(b.URL(), creds, opts...)
}

func tryLoginAt(url, creds string, opts ...nats.Option) (*nats.Conn, error) {
	return nats.Connect(url, append([]nats.Option{
		nats.UserCredentialBytes([]byte(creds)),
		nats.Timeout(wait),
		nats.NoReconnect(), // what the server closes is closed
		nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}), // not to stderr
	}, opts...)...)
}

func wantRefused(t *testing.T, b *broker.Broker, creds string) {
	t.Helper()
	nc, err := tryLogin(b, creds)
	if err == nil {
		nc.Close()
		t.Fatal("connected, want refused")
	}
	if !errors.Is(err, nats.ErrAuthorization) && !errors.Is(err, nats.ErrAuthRevoked) {
		t.Errorf("got %v, want refused", err)
	}
}
