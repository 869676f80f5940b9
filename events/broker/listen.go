package broker

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// tlsTimeout is how many seconds a TLS handshake may take.
const tlsTimeout = 5

// listener is where a server listens; the zero value is nowhere.
type listener struct {
	host string
	port int
}

// listeners are all that the server has.
type listeners struct {
	clients, webSocket, leaf listener
}

// listeners returns where the server is to listen, or why it must not.
func (o Options) listeners() (l listeners, err error) {
	listen := o.Listen
	if listen == "" {
		listen = defaultListen
	}
	if l.clients, err = o.listener(listen); err != nil {
		return listeners{}, err
	}
	if o.WebSocketListen != "" {
		if l.webSocket, err = o.listener(o.WebSocketListen); err != nil {
			return listeners{}, fmt.Errorf("WebSocket: %w", err)
		}
	}
	if o.LeafListen != "" {
		if l.leaf, err = o.listener(o.LeafListen); err != nil {
			return listeners{}, fmt.Errorf("leaf nodes: %w", err)
		}
	}
	return l, nil
}

// CheckListen returns why a server must not listen at the address; plain tells
// that it would do so without TLS, and that nobody allowed that beyond loopback.
func CheckListen(address string, plain bool) error {
	_, err := Options{AllowPlaintext: !plain}.listener(address)
	return err
}

// listener reads an address. A port 0 is a free one.
func (o Options) listener(address string) (listener, error) {
	host, p, err := net.SplitHostPort(address)
	if err != nil {
		return listener{}, fmt.Errorf("listen at %q: want host:port: %w", address, err)
	}
	n, err := strconv.ParseUint(p, 10, 16)
	if err != nil {
		return listener{}, fmt.Errorf("listen at %q: no such port", address)
	}
	if !isLoopback(host) && o.TLS == nil && !o.AllowPlaintext {
		return listener{}, fmt.Errorf("listen at %q: beyond loopback partners' events would cross the network in the clear: "+
			"give a TLS certificate and key, or allow plain text", address)
	}
	if n == 0 {
		return listener{host, server.RANDOM_PORT}, nil
	}
	return listener{host, int(n)}, nil
}

// set gives the listeners to the server; the same TLS holds for all of them.
func (l listeners) set(opts *server.Options, secure *tls.Config) {
	opts.Host, opts.Port = l.clients.host, l.clients.port
	opts.TLSConfig, opts.TLS, opts.TLSTimeout = secure, secure != nil, tlsTimeout
	if l.webSocket.port != 0 {
		opts.Websocket = server.WebsocketOpts{
			Host: l.webSocket.host, Port: l.webSocket.port, TLSConfig: secure, NoTLS: secure == nil,
			HandshakeTimeout: connectWait,
		}
	}
	if l.leaf.port != 0 {
		opts.JetStreamDomain = Domain // leaf nodes have JetStream of their own
		opts.LeafNode = server.LeafNodeOpts{
			Host: l.leaf.host, Port: l.leaf.port, TLSConfig: secure, TLSTimeout: tlsTimeout,
			NoAdvertise: true, // where this host is to others is not for us to say
			Compression: server.CompressionOpts{Mode: server.CompressionOff},
		}
	}
}

// heldUntil returns the same TLS, in which a handshake ends once the server is open.
func heldUntil(open <-chan struct{}, secure *tls.Config) *tls.Config {
	if secure == nil {
		return nil
	}
	held := secure.Clone()
	held.VerifyConnection = func(state tls.ConnectionState) error {
		select {
		case <-open:
		case <-time.After(tlsTimeout * time.Second):
			return errors.New("the server starts")
		}
		if secure.VerifyConnection == nil {
			return nil
		}
		return secure.VerifyConnection(state)
	}
	return held
}

// publicURL returns what partners are told, given the port listened at.
func (o Options) publicURL(host string, port int) (string, error) {
	if o.PublicURL != "" {
		if _, err := parseURL(o.PublicURL); err != nil {
			return "", fmt.Errorf("public URL: %w", err)
		}
		return o.PublicURL, nil
	}
	return o.urlOf("nats", "tls", host, port)
}

// urlOf returns the URL of a listener, with this host's name where it listens
// at every address.
func (o Options) urlOf(plain, secure, host string, port int) (string, error) {
	if ip, err := netip.ParseAddr(host); host == "" || err == nil && ip.IsUnspecified() {
		name, err := os.Hostname()
		if err != nil {
			return "", fmt.Errorf("find this host's name for partners' URL: %w", err)
		}
		host = name
	}
	scheme := plain
	if o.TLS != nil {
		scheme = secure
	}
	return scheme + "://" + net.JoinHostPort(host, strconv.Itoa(port)), nil
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
