package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"

	"github.com/sheetbridge/sheetbridge/events/broker"
	"github.com/sheetbridge/sheetbridge/events/seal"
	"github.com/sheetbridge/sheetbridge/webhook/admin"
)

// adminConfig is how the admin listener is reached.
type adminConfig struct {
	Hosts  admin.Hosts
	Tokens []admin.Token
	TLS    broker.TLSFiles // without a certificate: plain http
}

func (s *settings) admin(w *wrong) adminConfig {
	c := adminConfig{
		Hosts: admin.DefaultHosts(s.AdminListen),
		TLS:   broker.TLSFiles{Cert: s.AdminTLSCert, Key: s.AdminTLSKey, ClientCA: s.AdminClientCA},
	}
	var err error
	if s.AdminHosts != "" {
		c.Hosts, err = admin.ParseHosts(s.AdminHosts)
		w.add("ADMIN_HOSTS", err)
	}
	if tokens, ok := s.secret(w, "ADMIN_TOKEN", s.AdminToken, s.AdminTokenFile); ok {
		c.Tokens, err = admin.ParseTokens(string(tokens))
		w.add("ADMIN_TOKEN", err)
	}
	plain, err := strconv.ParseBool(s.AdminAllowPlaintext)
	if err != nil {
		w.add("ADMIN_ALLOW_PLAINTEXT", fmt.Errorf("%q is neither true nor false", s.AdminAllowPlaintext))
	}
	w.add("ADMIN_LISTEN", checkAdminListen(s.AdminListen, plain || s.AdminTLSCert != ""))
	checkTLS(w, "ADMIN", c.TLS)
	return c
}

// checkAdminListen tells why admins must not be served at the address.
func checkAdminListen(address string, allowed bool) error {
	if err := checkAddress(address); err != nil {
		return err
	}
	if host, _, err := net.SplitHostPort(address); err == nil && !allowed && !loopback(host) {
		return fmt.Errorf("%q is beyond loopback, so tokens would cross the network unencrypted: set ADMIN_TLS_CERT and ADMIN_TLS_KEY, or ADMIN_ALLOW_PLAINTEXT=true behind a proxy with TLS", address)
	}
	return nil
}

// listener is the admin listener with TLS, where there is a certificate. Who has no
// client certificate gets as far as the probes: those who ask them have none.
func (c *adminConfig) listener(plain net.Listener, log *slog.Logger) (net.Listener, error) {
	if c.TLS.Cert == "" {
		return plain, nil
	}
	secure, err := broker.LoadTLS(c.TLS, log)
	if err != nil {
		return nil, fmt.Errorf("reading ADMIN_TLS_CERT, ADMIN_TLS_KEY and ADMIN_CLIENT_CA: %w", err)
	}
	secure.NextProtos = []string{"http/1.1"} // one request at a time on a connection
	if secure.ClientCAs != nil {
		secure.ClientAuth = tls.VerifyClientCertIfGiven
	}
	return tls.NewListener(plain, secure), nil
}

// secret is the value of a setting or what the file holds that stands for it. It
// is false where the file cannot be read or both are set.
func (s *settings) secret(w *wrong, name, value, file string) (seal.Secret, bool) {
	switch {
	case file == "":
		return seal.Secret(value), true
	case value != "":
		w.add(name, fmt.Errorf("is set beside %s_FILE: set one of them", name))
		return "", false
	}
	text, err := seal.ReadFile(file)
	if err == nil && text == "" {
		err = errors.New("the file is empty")
	}
	w.add(name+"_FILE", err)
	return text, err == nil
}
