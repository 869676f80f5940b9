package broker_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
)

func TestListenBeyondLoopback(t *testing.T) {
	cert, pool := certificate(t)
	o := options(t)
	o.TLS = &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}
	b := start(t, o)
	if !strings.HasPrefix(b.URL(), "tls://127.0.0.1:") {
		t.Errorf("got URL %s, want tls", b.URL())
	}
	p := newPartner(t, b, "acme")
	creds, _ := p.mint(t, "default")
	if nc, err := tryLogin(b, creds); err == nil {
		nc.Close()
		t.Error("a client that does not know the authority connected")
	}
	nc := login(t, b, creds, nats.Secure(&tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}))
	if !nc.TLSRequired() {
		t.Error("TLS is not required")
	}
	if got := nc.DiscoveredServers(); len(got) > 0 {
		t.Errorf("server tells clients of %v", got)
	}
}

// certificate makes one for 127.0.0.1 that signs itself.
func certificate(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}
