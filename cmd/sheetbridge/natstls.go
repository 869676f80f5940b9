package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// serverYears is how long a certificate made here holds. Its authority's key is
// thrown away: a new certificate is a new directory.
const serverYears = 5

// makeTLS makes an authority and a certificate of it for the hosts, unless there
// is one: ca.pem, server.pem and server-key.pem.
func makeTLS(dir string, hosts []string) error {
	if _, err := os.Stat(filepath.Join(dir, "server.pem")); err == nil {
		return nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	authority, err := newCertificate("Sheetbridge NATS authority", nil)
	if err != nil {
		return err
	}
	authority.template.IsCA, authority.template.KeyUsage = true, x509.KeyUsageCertSign
	server, err := newCertificate(hosts[0], hosts)
	if err != nil {
		return err
	}
	ca, err := x509.CreateCertificate(rand.Reader, authority.template, authority.template, authority.key.Public(), authority.key)
	if err != nil {
		return err
	}
	signed, err := x509.CreateCertificate(rand.Reader, server.template, authority.template, server.key.Public(), authority.key)
	if err != nil {
		return err
	}
	key, err := x509.MarshalPKCS8PrivateKey(server.key)
	if err != nil {
		return err
	}
	for _, f := range []struct {
		name, kind string
		content    []byte
		mode       os.FileMode
	}{
		{"ca.pem", "CERTIFICATE", ca, 0o644},
		{"server-key.pem", "PRIVATE KEY", key, 0o600},
		{"server.pem", "CERTIFICATE", signed, 0o644}, // last: it says that all are there
	} {
		text := pem.EncodeToMemory(&pem.Block{Type: f.kind, Bytes: f.content})
		if err := writeWhole(filepath.Join(dir, f.name), text, f.mode); err != nil {
			return err
		}
	}
	return nil
}

// certificate is one that is not signed yet.
type certificate struct {
	template *x509.Certificate
	key      *ecdsa.PrivateKey
}

func newCertificate(name string, hosts []string) (*certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, err
	}
	t := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: name}, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(serverYears, 0, 0),
	}
	if len(hosts) > 0 { // servers are each other's clients as well
		t.KeyUsage = x509.KeyUsageDigitalSignature
		t.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	}
	for _, h := range hosts {
		if ip := net.ParseIP(h); ip != nil {
			t.IPAddresses = append(t.IPAddresses, ip)
		} else {
			t.DNSNames = append(t.DNSNames, h)
		}
	}
	return &certificate{t, key}, nil
}
