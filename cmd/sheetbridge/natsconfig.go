package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strconv"

	"github.com/sheetbridge/sheetbridge/events/broker"
	"github.com/sheetbridge/sheetbridge/events/seal"
)

type natsConfig struct {
	URL            string // empty: embedded
	Creds          seal.Secret
	Listen         string
	TLS            broker.TLSFiles
	WSListen       string // empty: no WebSocket
	LeafListen     string // empty: no leaf nodes
	AllowPlaintext bool
	PublicURL      string
	Replicas       int
	trust          *tls.Config // of connections to other NATS servers; nil: the system's authorities
}

func (s *settings) nats(w *wrong) natsConfig {
	n := natsConfig{
		URL: s.NATSURL, Listen: s.NATSListen, WSListen: s.NATSWSListen, LeafListen: s.NATSLeafListen, PublicURL: s.NATSPublicURL,
		TLS: broker.TLSFiles{Cert: s.NATSTLSCert, Key: s.NATSTLSKey, ClientCA: s.NATSClientCA},
	}
	var err error
	n.Replicas, err = parseCount(s.NATSReplicas, 1, 5)
	w.add("NATS_REPLICAS", err)
	n.AllowPlaintext, err = strconv.ParseBool(s.NATSAllowPlaintext)
	if err != nil {
		w.add("NATS_ALLOW_PLAINTEXT", fmt.Errorf("%q is neither true nor false", s.NATSAllowPlaintext))
	}
	if n.PublicURL != "" {
		w.add("NATS_PUBLIC_URL", broker.CheckURL(n.PublicURL))
	}
	if s.NATSCA != "" {
		n.trust, err = loadTrust(s.NATSCA)
		w.add("NATS_CA", err)
	}
	if n.URL == "" {
		if s.NATSCreds != "" {
			w.add("NATS_CREDS", errors.New("is for an external NATS: set NATS_URL too"))
		}
		n.checkEmbedded(w)
		w.add("DATA_DIR", checkDataDir(s.DataDir))
		return n
	}
	for name, address := range map[string]string{"NATS_WS_LISTEN": n.WSListen, "NATS_LEAF_LISTEN": n.LeafListen} {
		if address != "" {
			w.add(name, errors.New("is of the embedded server, which NATS_URL turns off"))
		}
	}
	w.add("NATS_URL", broker.CheckURLs(n.URL))
	if s.NATSCreds == "" {
		w.add("NATS_CREDS", errors.New("is required with NATS_URL: a credentials file for the bridge's account"))
		return n
	}
	creds, err := os.ReadFile(s.NATSCreds)
	n.Creds = seal.Secret(creds)
	if err == nil {
		err = broker.CheckCreds(n.Creds)
	}
	w.add("NATS_CREDS", err)
	return n
}

// loadTrust trusts the authorities in the file besides the system's, for the
// connections that are made with it and for no others.
func loadTrust(path string) (*tls.Config, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("%s holds no certificate in PEM", path)
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: pool}, nil
}

// checkEmbedded adds what is wrong with the settings of the embedded server.
func (n *natsConfig) checkEmbedded(w *wrong) {
	plain := n.TLS.Cert == "" && !n.AllowPlaintext
	w.add("NATS_LISTEN", broker.CheckListen(n.Listen, plain))
	for name, address := range map[string]string{"NATS_WS_LISTEN": n.WSListen, "NATS_LEAF_LISTEN": n.LeafListen} {
		if address != "" {
			w.add(name, broker.CheckListen(address, plain))
		}
	}
	if n.Replicas > 1 {
		w.add("NATS_REPLICAS", errors.New("the embedded server is one: more replicas need NATS_URL"))
	}
	checkTLS(w, "NATS", n.TLS)
}

// checkTLS adds what is wrong with each of the files of a listener, whose settings
// begin with the name.
func checkTLS(w *wrong, name string, f broker.TLSFiles) {
	var certErr, keyErr error
	switch {
	case f.Cert != "" && f.Key != "":
		if certErr, keyErr = checkFile(f.Cert), checkFile(f.Key); certErr == nil && keyErr == nil {
			_, certErr = broker.LoadTLS(broker.TLSFiles{Cert: f.Cert, Key: f.Key}, slog.New(slog.DiscardHandler))
		}
	case f.Cert != "":
		certErr, keyErr = checkFile(f.Cert), errors.New("is missing: certificate and key go together, set both or neither")
	case f.Key != "":
		certErr, keyErr = errors.New("is missing: certificate and key go together, set both or neither"), checkFile(f.Key)
	}
	w.add(name+"_TLS_CERT", certErr)
	w.add(name+"_TLS_KEY", keyErr)
	if f.ClientCA == "" {
		return
	}
	_, err := broker.LoadClientCA(f.ClientCA)
	if err == nil && f.Cert == "" && f.Key == "" {
		err = fmt.Errorf("client certificates need TLS: set %[1]s_TLS_CERT and %[1]s_TLS_KEY too", name)
	}
	w.add(name+"_CLIENT_CA", err)
}

// checkFile tells why a file cannot be read.
func checkFile(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return f.Close()
}
