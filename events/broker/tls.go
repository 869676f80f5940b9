package broker

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"sync"
	"time"
)

// TLSFiles are files that a listener's TLS is made from, PEM all of them.
type TLSFiles struct {
	Cert, Key string // the chain, leaf first, and its private key
	ClientCA  string // authorities of client certificates, which are required then; "" is none
}

// LoadTLS reads the files. The certificate and its key may be replaced while the
// server runs: who connects after that gets the new ones. The files are looked
// at when somebody connects, at most once a second. While they do not fit each
// other, in the midst of being replaced or because they are broken, the old
// ones stay in use and the log says so, once for each change of the files.
// ClientCA is read once.
func LoadTLS(f TLSFiles, log *slog.Logger) (*tls.Config, error) {
	p := &pair{files: f, log: log, now: time.Now}
	stamps, err := p.stat()
	if err == nil {
		p.current, err = p.load()
	}
	if err != nil {
		return nil, fmt.Errorf("load TLS certificate and key: %w", err)
	}
	p.stamps, p.looked = stamps, p.now()
	cfg := &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: p.get}
	if f.ClientCA == "" {
		return cfg, nil
	}
	cfg.ClientAuth = tls.RequireAndVerifyClientCert
	if cfg.ClientCAs, err = LoadClientCA(f.ClientCA); err != nil {
		return nil, err
	}
	return cfg, nil
}

// LoadClientCA reads a file of authorities of client certificates.
func LoadClientCA(path string) (*x509.CertPool, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("load authorities of client certificates: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("load authorities of client certificates: %s holds no certificate in PEM", path)
	}
	return pool, nil
}

// checkEvery is how often the files are checked, however many connections there are.
const checkEvery = time.Second

// pair is a certificate and its key, followed in their files.
type pair struct {
	files TLSFiles
	log   *slog.Logger
	now   func() time.Time

	mu      sync.Mutex
	current *tls.Certificate
	stamps  [2]fs.FileInfo // of the files when they were last read, well or not
	looked  time.Time
}

// get returns the certificate for a connection.
func (p *pair) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if now := p.now(); now.Sub(p.looked).Abs() >= checkEvery {
		p.looked = now
		p.refresh()
	}
	return p.current, nil
}

// refresh reads the files if they are not those that were read last. They are
// looked at before they are read: what changes in between is seen the next time.
func (p *pair) refresh() {
	stamps, err := p.stat()
	if err == nil && same(stamps, p.stamps) {
		return
	}
	changed := err == nil || p.stamps[0] != nil
	p.stamps = stamps
	var fresh *tls.Certificate
	if err == nil {
		fresh, err = p.load()
	}
	switch {
	case err == nil:
		p.current = fresh
		p.log.Info("TLS certificate replaced", "serial", fresh.Leaf.SerialNumber.String(), "until", fresh.Leaf.NotAfter)
	case changed:
		p.log.Error("TLS certificate and key cannot be used, the old ones stay", "err", err)
	}
}

// stat asks for the state of both files; zero where one cannot be found.
func (p *pair) stat() (stamps [2]fs.FileInfo, err error) {
	for i, name := range []string{p.files.Cert, p.files.Key} {
		if stamps[i], err = os.Stat(name); err != nil {
			return [2]fs.FileInfo{}, err
		}
	}
	return stamps, nil
}

func same(a, b [2]fs.FileInfo) bool {
	for i := range a {
		if b[i] == nil || !os.SameFile(a[i], b[i]) || !a[i].ModTime().Equal(b[i].ModTime()) || a[i].Size() != b[i].Size() {
			return false
		}
	}
	return true
}

func (p *pair) load() (*tls.Certificate, error) {
	c, err := tls.LoadX509KeyPair(p.files.Cert, p.files.Key)
	if err != nil {
		return nil, err
	}
	if c.Leaf == nil {
		return nil, errors.New("no certificate")
	}
	return &c, nil
}
