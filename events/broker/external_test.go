package broker_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nkeys"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/events/broker"
	"github.com/sheetbridge/sheetbridge/events/freeport"
	"github.com/sheetbridge/sheetbridge/events/seal"
)

// writerCreds are credentials of the bridge in the account of the partner's stream,
// as those of an account at another NATS.
func writerCreds(t *testing.T, p *partner) seal.Secret {
	t.Helper()
	return fullCreds(t, p.account.StorageSeed)
}

// allCreds are credentials that may do everything in the partner's account, as
// the operator of another NATS makes them for the bridge.
func allCreds(t *testing.T, p *partner) seal.Secret {
	t.Helper()
	return fullCreds(t, p.account.Seed)
}

func fullCreds(t *testing.T, of seal.Secret) seal.Secret {
	t.Helper()
	account, err := nkeys.FromSeed([]byte(of))
	if err != nil {
		t.Fatal(err)
	}
	user, err := nkeys.CreateUser()
	if err != nil {
		t.Fatal(err)
	}
	public, err := user.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	seed, err := user.Seed()
	if err != nil {
		t.Fatal(err)
	}
	text, err := jwt.NewUserClaims(public).Encode(account)
	if err != nil {
		t.Fatal(err)
	}
	creds, err := jwt.FormatUserConfig(text, seed)
	if err != nil {
		t.Fatal(err)
	}
	return seal.Secret(creds)
}

func TestDial(t *testing.T) {
	cert, pool := certificate(t)
	for name, secure := range map[string]bool{"plain": false, "TLS": true} {
		t.Run(name, func(t *testing.T) {
			o := options(t)
			if secure {
				o.TLS = &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}
			}
			b := start(t, o)
			p := newPartner(t, b, "acme")
			eo := broker.ExternalOptions{URL: b.URL(), Creds: writerCreds(t, p), Name: "test"}
			if secure {
				if nc, err := broker.Dial(t.Context(), eo); err == nil {
					nc.Close()
					t.Error("connected to a server with an unknown certificate")
				}
				eo.TLS = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
			}
			nc, err := broker.Dial(t.Context(), eo)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(nc.Close)
			if strings.HasPrefix(nc.NewInbox(), "_INBOX.") {
				t.Error("replies come where partners may subscribe")
			}
			js, err := jetstream.New(nc, jetstream.WithDefaultTimeout(wait))
			if err != nil {
				t.Fatal(err)
			}
			body := bytes.Repeat([]byte("x"), 7<<20)
			if _, err := js.Publish(t.Context(), "smartsheet.acme.orders.row.1", body); err != nil {
				t.Fatal(err)
			}
			s, err := js.Stream(t.Context(), events.StreamName)
			if err != nil {
				t.Fatal(err)
			}
			m, err := s.GetLastMsgForSubject(t.Context(), "smartsheet.acme.orders.row.1")
			if err != nil || !bytes.Equal(m.Data, body) {
				t.Errorf("got error %v, want what was published", err)
			}
		})
	}
}

func TestDialReconnects(t *testing.T) {
	o := options(t)
	b := start(t, o)
	p := newPartner(t, b, "acme")
	nc, err := broker.Dial(t.Context(), broker.ExternalOptions{URL: b.URL(), Creds: writerCreds(t, p)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	status := nc.StatusChanged(nats.CONNECTED, nats.RECONNECTING)
	stop(t, b)
	wantStatus(t, status, nats.RECONNECTING)
	if err := nc.Publish("x", nil); err == nil {
		t.Error("published while disconnected: it would be sent at any time later")
	}
	o.Listen = strings.TrimPrefix(b.URL(), "nats://")
	start(t, o)
	wantStatus(t, status, nats.CONNECTED)
}

func wantStatus(t *testing.T, status <-chan nats.Status, want nats.Status) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), wait)
	defer cancel()
	for {
		select {
		case got := <-status:
			if got == want {
				return
			}
		case <-ctx.Done():
			t.Fatalf("connection does not become %v", want)
		}
	}
}

func TestDialRefuses(t *testing.T) {
	b := start(t, options(t))
	p := newPartner(t, b, "acme")
	good, _ := p.mint(t, "default")
	revoked, public := p.mint(t, "erp")
	p.account.Revoke(public)
	if err := b.PutAccount(t.Context(), p.name, p.account); err != nil {
		t.Fatal(err)
	}
	expired, _, err := p.account.MintUser("erp", time.Unix(1, 0))
	if err != nil {
		t.Fatal(err)
	}
	_, seedOfOther, _ := strings.Cut(revoked, "------END NATS USER JWT------")
	mixed, _, _ := strings.Cut(good, "------END NATS USER JWT------")
	free, err := freeport.Take()
	if err != nil {
		t.Fatal(err)
	}
	nobody := fmt.Sprintf("nats://127.0.0.1:%d", free)
	for name, test := range map[string]struct {
		url, creds, want string
	}{
		"no URL":             {"", good, "want a URL"},
		"http":               {"http://127.0.0.1:4222", good, "want a URL"},
		"websocket":          {"ws://127.0.0.1:4222", good, "want a URL"},
		"password":           {"nats://u:hunter2@127.0.0.1:4222", good, "must not hold a user"},
		"password, broken":   {"nats://u:hunter2@[::1:4222", good, "not a URL"},
		"path":               {"nats://127.0.0.1:4222/hunter2", good, "nothing may follow"},
		"one of two":         {b.URL() + ",http://h", good, "want a URL"},
		"too many":           {strings.Repeat("nats://127.0.0.1,", 16) + "nats://127.0.0.1", good, "17 servers"},
		"nobody there":       {nobody, good, "refused"},
		"no TLS at loopback": {strings.Replace(b.URL(), "nats", "tls", 1), good, "secure connection not available"},
		"no credentials":     {b.URL(), "", ".creds"},
		"not credentials":    {b.URL(), "hunter2", ".creds"},
		"JWT of another":     {b.URL(), mixed + "------END NATS USER JWT------" + seedOfOther, "not of one user"},
		"expired":            {b.URL(), expired, "expired on 1970-01-01"},
		"revoked":            {b.URL(), revoked, "uthorization"},
	} {
		t.Run(name, func(t *testing.T) {
			nc, err := broker.Dial(t.Context(), broker.ExternalOptions{URL: test.url, Creds: seal.Secret(test.creds)})
			if err == nil {
				nc.Close()
				t.Fatal("connected")
			}
			if !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q in it", err, test.want)
			}
			for _, secret := range []string{"hunter2", "SUA", "eyJ"} {
				if strings.Contains(err.Error(), secret) {
					t.Errorf("error shows %s: %v", secret, err)
				}
			}
		})
	}
}

func TestDialChecksTheServer(t *testing.T) {
	b := start(t, options(t))
	p := newPartner(t, b, "acme")
	partners, _ := p.mint(t, "default")
	plain, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, NoSigs: true, NoLog: true})
	if err != nil {
		t.Fatal(err)
	}
	plain.Start()
	t.Cleanup(func() { plain.Shutdown(); plain.WaitForShutdown() })
	if !plain.ReadyForConnections(wait) {
		t.Fatal("server does not listen")
	}
	for name, test := range map[string]struct {
		url   string
		creds seal.Secret
		want  string
	}{
		"a partner's credentials": {b.URL(), seal.Secret(partners), "_BRIDGE.>"},
		"no JetStream":            {plain.ClientURL(), writerCreds(t, p), "JetStream"},
		"old":                     {fake(t, info(`"version":"2.12.9"`)), writerCreds(t, p), "want 2.14 or newer"},
		"no version":              {fake(t, info(`"version":"new"`)), writerCreds(t, p), "want 2.14 or newer"},
		"no headers":              {fake(t, info(`"version":"3.0.0","headers":false`)), writerCreds(t, p), "headers"},
		"not NATS":                {fake(t, "HTTP/1.1 400 Bad Request\r\n\r\n"), writerCreds(t, p), "not a NATS server"},
		"endless INFO":            {fake(t, "INFO {"+strings.Repeat(" ", 1<<20)), writerCreds(t, p), "line too long"},
		"huge message":            {fake(t, info(`"version":"2.15.2"`), "MSG x 1 2000000000\r\n"), writerCreds(t, p), "larger than"},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), wait)
			defer cancel()
			nc, err := broker.Dial(ctx, broker.ExternalOptions{URL: test.url, Creds: test.creds})
			if err == nil {
				nc.Close()
				t.Fatal("connected")
			}
			if !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q in it", err, test.want)
			}
		})
	}
}

func info(fields string) string {
	return `INFO {"server_id":"x","proto":1,"max_payload":1048576,"headers":true,` + fields + "}\r\n"
}

// fake is a server that greets, answers the first PING with more and then
// reads. It ends with the test.
func fake(t *testing.T, greeting string, more ...string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { converse(conn, greeting, strings.Join(more, "")) })
		}
	})
	t.Cleanup(func() { l.Close(); wg.Wait() })
	return "nats://" + l.Addr().String()
}

func converse(conn net.Conn, greeting, more string) {
	defer conn.Close()
	if _, err := io.WriteString(conn, greeting); err != nil {
		return
	}
	for lines := bufio.NewScanner(conn); lines.Scan(); {
		if lines.Text() != "PING" {
			continue
		}
		if _, err := io.WriteString(conn, more+"PONG\r\n"); err != nil {
			return
		}
	}
}
