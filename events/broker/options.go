package broker

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"strconv"

	"github.com/sheetbridge/sheetbridge/events/seal"
)

// Options says how the server runs. Dir and Master are required.
type Options struct {
	Dir    string         // of this server alone; made with mode 0700
	Master seal.MasterKey // seals the operator's keys, encrypts the store

	Listen    string      // host:port for partners; "" is 127.0.0.1:4222, port 0 a free one
	PublicURL string      // what partners are told; "" derives it from Listen
	TLS       *tls.Config // of the listener; nil is plain text
	// AllowPlaintext lets the server listen beyond loopback without TLS.
	AllowPlaintext bool

	// MaxStore bounds the store on disk, in bytes. The storage limits of all
	// accounts together must fit in it. 0 is no bound: partners' limits are
	// quotas then, and may add up to more than the disk has.
	MaxStore int64

	Log *slog.Logger // of the server and its connections; nil discards
}

const (
	defaultListen = "127.0.0.1:4222"
	// maxPayload is the largest message. An event has a row before and after,
	// of at most 4,000 characters in each of 400 cells.
	maxPayload = 8 << 20
	// noMaxStore is more than any disk has: at 0 the server would take three
	// quarters of what is free at the moment.
	noMaxStore = 1 << 50
	// maxMemory bounds what buckets in memory hold.
	maxMemory = 256 << 20
)

// address returns the host and port to listen at, or why it must not.
func (o Options) address() (host string, port int, err error) {
	listen := o.Listen
	if listen == "" {
		listen = defaultListen
	}
	host, p, err := net.SplitHostPort(listen)
	if err != nil {
		return "", 0, fmt.Errorf("listen at %q: want host:port: %w", listen, err)
	}
	n, err := strconv.ParseUint(p, 10, 16)
	if err != nil {
		return "", 0, fmt.Errorf("listen at %q: no such port", listen)
	}
	if !isLoopback(host) && o.TLS == nil && !o.AllowPlaintext {
		return "", 0, fmt.Errorf("listen at %q: beyond loopback partners' events would cross the network in the clear: "+
			"give a TLS certificate and key, or allow plain text", listen)
	}
	return host, int(n), nil
}

// publicURL returns what partners are told, given the address listened at.
func (o Options) publicURL(host string, port int) (string, error) {
	if o.PublicURL != "" {
		if _, err := parseURL(o.PublicURL); err != nil {
			return "", fmt.Errorf("public URL: %w", err)
		}
		return o.PublicURL, nil
	}
	if ip, err := netip.ParseAddr(host); host == "" || err == nil && ip.IsUnspecified() {
		name, err := os.Hostname()
		if err != nil {
			return "", fmt.Errorf("find this host's name for partners' URL: %w", err)
		}
		host = name
	}
	scheme := "nats://"
	if o.TLS != nil {
		scheme = "tls://"
	}
	return scheme + net.JoinHostPort(host, strconv.Itoa(port)), nil
}

func (o Options) check() error {
	switch {
	case o.Dir == "":
		return errors.New("no directory")
	case o.Master.IsZero():
		return errors.New("no master key")
	case o.MaxStore < 0:
		return fmt.Errorf("store limit %d is negative", o.MaxStore)
	}
	return nil
}

// isLoopback tells whether the host is this machine and nothing else. Names are
// not looked up: what a name means today it may not mean tomorrow.
func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}
