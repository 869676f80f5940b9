package broker_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/events/broker"
	"github.com/sheetbridge/sheetbridge/events/eventstest"
)

// closes returns an option and what waits until a connection with it is closed.
func closes(t *testing.T) (nats.Option, func()) {
	t.Helper()
	closed := make(chan struct{})
	return nats.ClosedHandler(func(*nats.Conn) { close(closed) }), func() {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), wait)
		defer cancel()
		select {
		case <-closed:
		case <-ctx.Done():
			t.Error("connection is not closed")
		}
	}
}

func TestRevoke(t *testing.T) {
	o := options(t)
	b := start(t, o)
	p := newPartner(t, b, "acme")
	creds, public := p.mint(t, "default")
	kept, _ := p.mint(t, "erp")
	opt, wantClosed := closes(t)
	login(t, b, creds, opt)
	stays := login(t, b, kept)

	p.account.Revoke(public)
	copied := p.account
	_, unused := p.mint(t, "unused")
	p.account.Revoke(unused)
	if len(copied.Revocations) != 1 || len(p.account.Revocations) != 2 {
		t.Errorf("got %d revoked in a copy and %d, want 1 and 2", len(copied.Revocations), len(p.account.Revocations))
	}
	if err := b.PutAccount(t.Context(), p.name, p.account); err != nil {
		t.Fatal(err)
	}
	wantClosed()
	wantRefused(t, b, creds)
	if err := stays.Flush(); err != nil {
		t.Errorf("the other credentials: %v", err)
	}
	p.publish(t, "orders.row.1", "still") // the bridge's own connection
	replaced, _ := p.mint(t, "default")
	login(t, b, replaced)
	stop(t, b)

	b = start(t, o)
	wantRefused(t, b, creds)
	p.open(t, b)
	wantRefused(t, b, creds)
	login(t, b, kept)
}

func TestDeleteAccount(t *testing.T) {
	o := options(t)
	b := start(t, o)
	p, other := newPartner(t, b, "acme"), newPartner(t, b, "bolt")
	p.publish(t, "orders.row.1", "one")
	creds, _ := p.mint(t, "default")
	opt, wantClosed := closes(t)
	login(t, b, creds, opt)

	if err := b.DeleteAccount(t.Context(), p.account); err != nil {
		t.Fatal(err)
	}
	wantClosed()
	wantRefused(t, b, creds)
	if !p.bridge.IsClosed() {
		t.Error("the bridge's connection there is open")
	}
	if found, err := filepath.Glob(filepath.Join(o.Dir, "*", p.account.PublicKey+"*")); err != nil || len(found) > 0 {
		t.Errorf("got %v, error %v, want nothing left of it", found, err)
	}
	if found, err := filepath.Glob(filepath.Join(o.Dir, "*", p.account.StorageKey+"*")); err != nil || len(found) > 0 {
		t.Errorf("got %v, error %v, want nothing left of its stream", found, err)
	}
	if err := b.DeleteAccount(t.Context(), p.account); err != nil {
		t.Errorf("again: %v", err)
	}
	other.publish(t, "orders.row.1", "still")

	again := newPartner(t, b, "acme") // the name, with other keys
	s, err := again.js.Stream(t.Context(), "EVENTS")
	if err != nil {
		t.Fatal(err)
	}
	if got := s.CachedInfo().State.LastSeq; got != 0 {
		t.Errorf("got last sequence %d, want an empty stream", got)
	}
	wantRefused(t, b, creds)
	stop(t, b)
	b = start(t, o)
	wantRefused(t, b, creds)
	if err := b.DeleteAccount(t.Context(), broker.Account{PublicKey: "../../etc", StorageKey: "../../etc"}); err == nil {
		t.Error("deleted what is no account")
	}
}

func TestMintUser(t *testing.T) {
	b := start(t, options(t))
	p, other := newPartner(t, b, "acme"), newPartner(t, b, "bolt")
	creds, public := p.mint(t, "erp")
	text, err := jwt.ParseDecoratedJWT([]byte(creds))
	if err != nil {
		t.Fatal(err)
	}
	claims, err := jwt.DecodeUserClaims(text)
	if err != nil {
		t.Fatal(err)
	}
	if claims.Name != "erp" || claims.Subject != public || !claims.HasEmptyPermissions() || claims.Expires != 0 {
		t.Errorf("got name %q, expires %d, want erp without permissions of its own", claims.Name, claims.Expires)
	}
	soon := time.Now().Add(time.Hour)
	creds, _, err = p.account.MintUser("erp", soon)
	if err != nil {
		t.Fatal(err)
	}
	login(t, b, creds)
	expired, _, err := p.account.MintUser("erp", time.Now().Add(-time.Second))
	if err != nil {
		t.Fatal(err)
	}
	wantRefused(t, b, expired)

	mixed := p.account // a user of acme, signed by bolt
	mixed.SigningSeed = other.account.SigningSeed
	forged, _, err := mixed.MintUser("erp", time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	wantRefused(t, b, forged)
	if nc, err := nats.Connect(b.URL()); err == nil {
		nc.Close()
		t.Error("connected without credentials")
	}
	if _, _, err := (broker.Account{}).MintUser("erp", time.Time{}); err == nil {
		t.Error("minted for no account")
	}
}

func TestInboxesAreTheBridgesOwn(t *testing.T) {
	b := start(t, options(t))
	p := newPartner(t, b, "acme")
	if strings.HasPrefix(p.bridge.NewInbox(), "_INBOX.") {
		t.Error("the bridge's replies come where partners may subscribe")
	}
	second, err := b.Connect(t.Context(), p.name, p.account)
	if err != nil {
		t.Fatal(err)
	}
	cut := func(inbox string) string { return inbox[:strings.LastIndexByte(inbox, '.')] }
	if cut(second.NewInbox()) == cut(p.bridge.NewInbox()) {
		t.Error("two connections share an inbox")
	}
}

func TestConnectReconnects(t *testing.T) {
	b := start(t, options(t))
	p := newPartner(t, b, "acme")
	status := p.bridge.StatusChanged(nats.CONNECTED)
	if err := p.bridge.ForceReconnect(); err != nil {
		t.Fatal(err)
	}
	wantStatus(t, status, nats.CONNECTED)
	p.publish(t, "orders.row.1", "still")
}

func TestLimits(t *testing.T) {
	b := start(t, options(t))
	p := newPartner(t, b, "acme")
	p.account.Limits = broker.Limits{Connections: 1, Subscriptions: 2, Storage: 64 << 10, Consumers: 1, Payload: 1000}
	if err := b.PutAccount(t.Context(), p.name, p.account); err != nil {
		t.Fatal(err)
	}
	creds, _ := p.mint(t, "default")
	failed := make(chan error, 8)
	nc := login(t, b, creds, nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { failed <- err }))

	for range 3 {
		if _, err := nc.SubscribeSync("smartsheet.acme.>"); err != nil {
			t.Fatal(err)
		}
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := <-failed; !errors.Is(err, nats.ErrMaxSubscriptionsExceeded) {
		t.Errorf("third subscription: got %v, want too many", err)
	}
	if extra, err := tryLogin(b, creds); err == nil {
		extra.Close()
		t.Error("second connection stands")
	}
	s, err := p.js.Stream(t.Context(), "EVENTS")
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name string
		ok   bool
	}{{"one", true}, {"two", false}} {
		if _, err := s.CreateConsumer(t.Context(), jetstream.ConsumerConfig{Durable: test.name}); (err == nil) != test.ok {
			t.Errorf("consumer %s: got %v, want ok %v", test.name, err, test.ok)
		}
	}
	body := []byte(strings.Repeat("x", 80<<10))
	p.publish(t, "orders.row.1", string(body)) // uses it up
	if _, err := p.js.Publish(t.Context(), "smartsheet.acme.orders.row.1", body); err == nil {
		t.Error("published beyond the storage")
	}
	p.account.Limits = broker.Limits{Connections: -1, Subscriptions: -1, Consumers: -1, Payload: -1}
	if err := b.PutAccount(t.Context(), p.name, p.account); err != nil {
		t.Fatal(err)
	}
	if _, err := p.js.Publish(t.Context(), "smartsheet.acme.orders.row.1", body); err != nil {
		t.Errorf("with the limit lifted: %v", err)
	}
	for range 3 {
		login(t, b, creds)
	}
}

func TestStoreIsSetAside(t *testing.T) {
	o := options(t)
	o.MaxStore = 3 << 30
	b := start(t, o)
	p, other := newPartner(t, b, "acme"), newPartner(t, b, "bolt")
	for _, test := range []struct {
		p       *partner
		storage int64
		ok      bool
	}{
		{other, 4 << 30, false},
		{other, 2 << 30, true},
		{p, 2 << 30, false},
		{other, 1 << 30, true},
		{p, 2 << 30, true},
		{p, 2 << 30, true},
	} {
		test.p.account.Limits.Storage = test.storage
		err := b.PutAccount(t.Context(), test.p.name, test.p.account)
		if (err == nil) != test.ok {
			t.Errorf("%s sets %d bytes aside: got %v, want ok %v", test.p.name, test.storage, err, test.ok)
		}
		test.p.publish(t, "orders.row.1", "still")
	}
	third, err := broker.NewAccount("third")
	if err != nil {
		t.Fatal(err)
	}
	if err := b.PutAccount(t.Context(), "third", third); err == nil || !strings.Contains(err.Error(), "bytes") {
		t.Errorf("got %v, want no room", err)
	}
}

func TestPutAccountRefuses(t *testing.T) {
	b := start(t, options(t))
	a, err := broker.NewAccount("acme")
	if err != nil {
		t.Fatal(err)
	}
	other, err := broker.NewAccount("bolt")
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		partner string
		change  func(*broker.Account)
	}{
		"everybody's subjects": {"*", func(*broker.Account) {}},
		"all subjects":         {"acme.>", func(*broker.Account) {}},
		"no name":              {"", func(*broker.Account) {}},
		"no seed":              {"acme", func(a *broker.Account) { a.Seed = "" }},
		"no signing seed":      {"acme", func(a *broker.Account) { a.SigningSeed = "" }},
		"another's seed":       {"acme", func(a *broker.Account) { a.Seed = other.Seed }},
		"no storage seed":      {"acme", func(a *broker.Account) { a.StorageSeed = "" }},
		"another's storage":    {"acme", func(a *broker.Account) { a.StorageSeed = other.StorageSeed }},
	} {
		t.Run(name, func(t *testing.T) {
			changed := a
			test.change(&changed)
			err := b.PutAccount(t.Context(), test.partner, changed)
			if err == nil {
				t.Fatal("put")
			}
			if strings.Contains(err.Error(), string(other.Seed)) {
				t.Error("error shows the seed")
			}
		})
	}
}

func TestNamesAreTheContracts(t *testing.T) {
	for _, name := range []string{"acme", "a", "a-b", "0", "-a", "a-", "A", "", "a.b", "*", "ä", strings.Repeat("a", 32), strings.Repeat("a", 33), "a\n"} {
		_, err := broker.NewAccount(name)
		if got, want := err == nil, events.ValidName(name); got != want {
			t.Errorf("%q: got valid %v, want %v", name, got, want)
		}
	}
	if events.StreamName != "EVENTS" {
		t.Errorf("stream is called %s, partners may read EVENTS", events.StreamName)
	}
}

// TestAccountThatIsPutAsItIs leaves the claims that the server has as they are: it would
// apply others, and what clients ask for at that moment might be lost.
func TestAccountThatIsPutAsItIs(t *testing.T) {
	t.Parallel()
	o := options(t)
	b := start(t, o)
	p := newPartner(t, b, "acme")
	claims := func() string {
		files, err := filepath.Glob(filepath.Join(o.Dir, "accounts", "*.jwt"))
		if err != nil || len(files) == 0 {
			t.Fatalf("got %d files with claims, error %v", len(files), err)
		}
		var all strings.Builder
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			all.Write(text)
		}
		return all.String()
	}
	before, put := claims(), time.Now().Unix()
	eventstest.Await(t, "claims that are made now having another time in them", func() bool { return time.Now().Unix() > put })
	if err := b.PutAccount(t.Context(), p.name, p.account); err != nil {
		t.Fatal(err)
	}
	if claims() != before {
		t.Error("the same account was put with other claims")
	}
	p.account.Writes = true
	if err := b.PutAccount(t.Context(), p.name, p.account); err != nil {
		t.Fatal(err)
	}
	if claims() == before {
		t.Error("another account was put with the same claims")
	}
}
