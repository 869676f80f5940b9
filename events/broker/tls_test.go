package broker_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/sheetbridge/sheetbridge/events/broker"
	"github.com/sheetbridge/sheetbridge/events/eventstest"
)

// authority signs certificates for tests.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pool *x509.CertPool
	last int64 // serial number
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{pool: x509.NewCertPool()}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	a.cert, a.key = a.sign(t, template)
	a.pool.AddCert(a.cert)
	return a
}

// sign makes a key and a certificate of it, signed by itself for the first one.
func (a *authority) sign(t *testing.T, template *x509.Certificate) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert, key
}

// issue makes a certificate for 127.0.0.1, as PEM and as a pair.
func (a *authority) issue(t *testing.T) (cert, key []byte, pair tls.Certificate) {
	t.Helper()
	a.last++
	c, k := a.sign(t, &x509.Certificate{
		SerialNumber: big.NewInt(1000 + a.last), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	})
	der, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	cert = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})
	key = pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	return cert, key, tls.Certificate{Certificate: [][]byte{c.Raw}, PrivateKey: k}
}

func (a *authority) client() *tls.Config {
	return &tls.Config{RootCAs: a.pool, MinVersion: tls.VersionTLS12}
}

// putPair puts a certificate and a key into a directory, as most tools do: in a
// new file that takes the place of the old one.
func putPair(t *testing.T, dir string, cert, key []byte) broker.TLSFiles {
	t.Helper()
	f := broker.TLSFiles{Cert: filepath.Join(dir, "tls.crt"), Key: filepath.Join(dir, "tls.key")}
	put(t, f.Cert, cert)
	put(t, f.Key, key)
	return f
}

func put(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path+".new", content, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

// record is a log that can be read while it is written.
type record struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (r *record) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.Write(p)
}

func (r *record) count(words string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Count(r.text.String(), words)
}

// served is the serial number of the certificate that the server shows.
func served(t *testing.T, b *broker.Broker, creds string, secure *tls.Config) int64 {
	t.Helper()
	nc := login(t, b, creds, nats.Secure(secure))
	defer nc.Close()
	state, err := nc.TLSConnectionState()
	if err != nil {
		t.Fatal(err)
	}
	return state.PeerCertificates[0].SerialNumber.Int64()
}

func TestCertificateIsReplacedWhileConnected(t *testing.T) {
	t.Parallel()
	ca, dir := newAuthority(t), t.TempDir()
	cert, key, _ := ca.issue(t)
	log := &record{}
	o := options(t)
	files := putPair(t, dir, cert, key)
	var err error
	o.TLS, err = broker.LoadTLS(files, slog.New(slog.NewTextHandler(log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	b := start(t, o)
	p := newPartner(t, b, "acme")
	creds, _ := p.mint(t, "default")
	connected := login(t, b, creds, nats.Secure(ca.client()))
	live, err := connected.SubscribeSync("smartsheet.acme.>")
	if err != nil {
		t.Fatal(err)
	}

	// Half of the new pair is no pair: the old one stays.
	cert, key, _ = ca.issue(t)
	put(t, files.Cert, cert)
	eventstest.Await(t, "the log to tell of the broken pair", func() bool {
		if got := served(t, b, creds, ca.client()); got != 1001 {
			t.Fatalf("got certificate %d, want the old one, 1001", got)
		}
		return log.count("cannot be used") > 0
	})
	put(t, files.Key, key)
	eventstest.Await(t, "the new certificate", func() bool { return served(t, b, creds, ca.client()) == 1002 })

	// Files that go, or hold something else, change nothing.
	put(t, files.Key, []byte("hunter2"))
	eventstest.Await(t, "the log to tell of the broken key", func() bool {
		return served(t, b, creds, ca.client()) == 1002 && log.count("cannot be used") == 2
	})
	if err := os.Remove(files.Cert); err != nil {
		t.Fatal(err)
	}
	eventstest.Await(t, "the log to tell of the missing file", func() bool {
		return served(t, b, creds, ca.client()) == 1002 && log.count("cannot be used") == 3
	})
	if n := log.count("hunter2") + log.count("PRIVATE"); n > 0 {
		t.Error("log shows the key file")
	}

	p.publish(t, "orders.row.1", "still")
	if m, err := live.NextMsg(wait); err != nil || string(m.Data) != "still" {
		t.Errorf("the old connection: got %v, error %v, want the event", m, err)
	}
}

func TestClientCertificates(t *testing.T) {
	t.Parallel()
	ca, partners := newAuthority(t), newAuthority(t)
	cert, key, own := ca.issue(t)
	_, _, theirs := partners.issue(t)
	dir := t.TempDir()
	files := putPair(t, dir, cert, key)
	files.ClientCA = filepath.Join(dir, "clients.crt")
	put(t, files.ClientCA, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: partners.cert.Raw}))
	o := options(t)
	o.WebSocketListen = "127.0.0.1:0"
	var err error
	if o.TLS, err = broker.LoadTLS(files, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	b := start(t, o)
	p := newPartner(t, b, "acme")
	creds, _ := p.mint(t, "default")
	for _, url := range []string{b.URL(), b.WebSocketURL()} {
		for name, test := range map[string]struct {
			certs []tls.Certificate
			ok    bool
		}{
			"theirs":         {[]tls.Certificate{theirs}, true},
			"none":           {nil, false},
			"another's":      {[]tls.Certificate{own}, false},
			"but not theirs": {[]tls.Certificate{{Certificate: own.Certificate, PrivateKey: theirs.PrivateKey}}, false},
		} {
			secure := ca.client()
			secure.Certificates = test.certs
			nc, err := nats.Connect(url, nats.UserCredentialBytes([]byte(creds)), nats.Secure(secure), nats.NoReconnect())
			if err == nil {
				nc.Close()
			}
			if (err == nil) != test.ok {
				t.Errorf("%s with certificate %s: got %v, want ok %v", url, name, err, test.ok)
			}
		}
	}
	p.publish(t, "orders.row.1", "by the bridge, in process")
}

func TestLoadTLSRefuses(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	cert, key, _ := ca.issue(t)
	_, foreign, _ := ca.issue(t)
	for name, test := range map[string]struct {
		cert, key, clients []byte
		want               string
	}{
		"key of another": {cert, foreign, nil, "private key does not match"},
		"no certificate": {key, key, nil, "certificate"},
		"no key":         {cert, []byte("hunter2"), nil, "key"},
		"no authority":   {cert, key, []byte("hunter2"), "no certificate in PEM"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			files := putPair(t, dir, test.cert, test.key)
			if test.clients != nil {
				files.ClientCA = filepath.Join(dir, "clients.crt")
				put(t, files.ClientCA, test.clients)
			}
			_, err := broker.LoadTLS(files, slog.New(slog.DiscardHandler))
			if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("got %v, want %q in it", err, test.want)
			}
		})
	}
	if _, err := broker.LoadTLS(broker.TLSFiles{Cert: "/nowhere/tls.crt", Key: "/nowhere/tls.key"}, nil); err == nil {
		t.Error("loaded what is not there")
	}
}

// With a certificate nobody gets in without TLS, by any listener.
func TestPlaintextIsRefused(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	_, _, pair := ca.issue(t)
	o := options(t)
	o.WebSocketListen, o.LeafListen = "127.0.0.1:0", "127.0.0.1:0"
	o.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
	b := start(t, o)
	p := newPartner(t, b, "acme")
	creds, _ := p.mint(t, "default")
	for _, url := range []string{b.WebSocketURL(), b.LeafURL(), b.URL()} {
		if !strings.HasPrefix(url, "tls://") && !strings.HasPrefix(url, "wss://") {
			t.Errorf("got URL %s, want TLS", url)
		}
	}
	nc, err := nats.Connect("ws"+strings.TrimPrefix(b.WebSocketURL(), "wss"), nats.UserCredentialBytes([]byte(creds)))
	if err == nil {
		nc.Close()
		t.Error("connected by WebSocket without TLS")
	}
	for _, address := range []string{hostPort(t, b.URL()), hostPort(t, b.LeafURL())} {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		if err := conn.SetDeadline(time.Now().Add(wait)); err != nil {
			t.Fatal(err)
		}
		// The server greets, then wants TLS: a client that does not begin it is cut off.
		if _, err := conn.Write([]byte("CONNECT {\"verbose\":false}\r\nPING\r\n")); err != nil {
			t.Fatal(err)
		}
		var answer bytes.Buffer
		if _, err := answer.ReadFrom(conn); err == nil && strings.Contains(answer.String(), "PONG") {
			t.Errorf("%s answers without TLS: %s", address, answer.String())
		}
	}
}

func TestBrowsersConnect(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	_, _, pair := ca.issue(t)
	for name, secure := range map[string]*tls.Config{"plain": nil, "TLS": {Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}} {
		t.Run(name, func(t *testing.T) {
			o := options(t)
			o.WebSocketListen, o.TLS = "127.0.0.1:0", secure
			b := start(t, o)
			p := newPartner(t, b, "acme")
			creds, public := p.mint(t, "browser")
			opt, wantClosed := closes(t)
			opts := []nats.Option{nats.UserCredentialBytes([]byte(creds)), nats.NoReconnect(), opt}
			if secure != nil {
				opts = append(opts, nats.Secure(ca.client()))
			}
			nc, err := nats.Connect(b.WebSocketURL(), opts...)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(nc.Close)
			live, err := nc.SubscribeSync("smartsheet.acme.>")
			if err != nil {
				t.Fatal(err)
			}
			if err := nc.Flush(); err != nil {
				t.Fatal(err)
			}
			p.publish(t, "orders.row.1", "one")
			if m, err := live.NextMsg(wait); err != nil || string(m.Data) != "one" {
				t.Errorf("got %v, error %v, want the event", m, err)
			}
			p.account.Revoke(public)
			if err := b.PutAccount(t.Context(), p.name, p.account); err != nil {
				t.Fatal(err)
			}
			wantClosed()
		})
	}
}
