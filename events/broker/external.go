package broker

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/sheetbridge/sheetbridge/events/seal"
)

// ExternalOptions says where another NATS is and who the bridge is there.
type ExternalOptions struct {
	URL   string       // one or more of one cluster, separated by commas: nats://host:port or tls://host:port
	Creds seal.Secret  // text of a .creds file
	Name  string       // of the connection
	TLS   *tls.Config  // nil trusts the system's authorities
	Log   *slog.Logger // nil discards
}

const (
	maxURLs     = 16
	defaultPort = "4222"
	// minMajor.minMinor is the oldest server that has all that the bridge uses
	// and is still mended.
	minMajor, minMinor = 2, 14
)

// Dial connects to a NATS that is not embedded and checks that it will do:
// server 2.14 or newer, JetStream there for these credentials.
//
// The other side is not trusted further than needed: TLS unless it is loopback,
// servers that it tells of are not followed, and a message larger than 16 MiB
// ends the connection instead of filling the memory. Otherwise the connection
// is like those of Broker.Connect, its replies at _BRIDGE.> too, and the
// caller's to close. ctx bounds this call only.
func Dial(ctx context.Context, o ExternalOptions) (*nats.Conn, error) {
	nc, err := dialExternal(ctx, o)
	if err != nil {
		return nil, fmt.Errorf("connect to external NATS: %w", err)
	}
	return nc, nil
}

func dialExternal(ctx context.Context, o ExternalOptions) (*nats.Conn, error) {
	urls, err := parseURLs(o.URL)
	if err != nil {
		return nil, err
	}
	if err := checkCreds([]byte(o.Creds), time.Now()); err != nil {
		return nil, err
	}
	log := o.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	opts := append(connOptions(o.Name, log),
		nats.UserCredentialBytes([]byte(o.Creds)),
		nats.IgnoreDiscoveredServers(),
		nats.SkipHostLookup(), // the dialer wants the name, to check the certificate
		nats.SetCustomDialer(guardedDialer{tls: o.TLS}))
	nc, err := connectUntil(ctx, strings.Join(urls, ","), opts)
	if errors.Is(err, nats.ErrNoServers) { // the client's word for it
		return nil, fmt.Errorf("%s: connection refused: %w", strings.Join(urls, ", "), err)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", strings.Join(urls, ", "), err)
	}
	if err := checkServer(ctx, nc); err != nil {
		nc.Close()
		return nil, fmt.Errorf("%s: %w", strings.Join(urls, ", "), err)
	}
	return nc, nil
}

// Retriable reports whether an error of Dial, or of a request over a connection,
// may go away by itself: nobody is there yet, or a cluster has no leader at the
// moment.
func Retriable(err error) bool {
	var refused *jetstream.APIError
	if errors.As(err, &refused) {
		return refused.Code == http.StatusServiceUnavailable
	}
	for _, passing := range []error{
		context.DeadlineExceeded, nats.ErrTimeout, nats.ErrNoServers, nats.ErrNoResponders, nats.ErrConnectionClosed,
		nats.ErrDisconnected, jetstream.ErrNoStreamResponse, io.EOF,
	} {
		if errors.Is(err, passing) {
			return true
		}
	}
	return false
}

// connectUntil is nats.Connect until ctx ends. A connection that comes later is
// closed.
func connectUntil(ctx context.Context, urls string, opts []nats.Option) (*nats.Conn, error) {
	type result struct {
		nc  *nats.Conn
		err error
	}
	done := make(chan result) // what is not taken is nobody's
	go func() {
		nc, err := nats.Connect(urls, opts...)
		select {
		case done <- result{nc, err}:
		case <-ctx.Done():
			if err == nil {
				nc.Close()
			}
		}
	}()
	select {
	case r := <-done:
		return r.nc, r.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// CheckURLs returns what is wrong with a list of servers, separated by commas.
func CheckURLs(list string) error {
	_, err := parseURLs(list)
	return err
}

// CheckURL returns what is wrong with the address of a server.
func CheckURL(text string) error {
	_, err := parseURL(text)
	return err
}

// parseURLs checks a list of servers and writes each with its port.
func parseURLs(list string) ([]string, error) {
	var urls []string
	for text := range strings.SplitSeq(list, ",") {
		u, err := parseURL(strings.TrimSpace(text))
		if err != nil {
			return nil, err
		}
		urls = append(urls, u.String())
	}
	if len(urls) > maxURLs {
		return nil, fmt.Errorf("%d servers, at most %d are used", len(urls), maxURLs)
	}
	return urls, nil
}

// parseURL reads the address of a server. It says nothing of what else the text
// holds: that may be a password.
func parseURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil {
		return nil, errors.New("not a URL, want nats://host:port or tls://host:port")
	}
	if u.User != nil {
		return nil, errors.New("a URL must not hold a user or password: give credentials")
	}
	if u.Scheme != "nats" && u.Scheme != "tls" || u.Hostname() == "" || u.Opaque != "" {
		return nil, errors.New("want a URL like nats://host:port or tls://host:port")
	}
	if u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "" {
		return nil, fmt.Errorf("URL of %s: nothing may follow the port", u.Host)
	}
	port := u.Port()
	if port == "" {
		port = defaultPort
	}
	return &url.URL{Scheme: u.Scheme, Host: net.JoinHostPort(u.Hostname(), port)}, nil
}

// errNoCreds says no more, since what was given may be a secret of another kind.
var errNoCreds = errors.New("read credentials: want the text of a .creds file, a user's JWT and seed")

// CheckCreds tells what is wrong with the text of a .creds file, whatever a server
// will say of it: nil for credentials of one user that have not expired.
func CheckCreds(creds seal.Secret) error { return checkCreds([]byte(creds), time.Now()) }

// checkCreds tells what is wrong with credentials before a server only says no.
func checkCreds(creds []byte, now time.Time) error {
	text, err := jwt.ParseDecoratedJWT(creds)
	if err != nil {
		return errNoCreds
	}
	claims, err := jwt.DecodeUserClaims(text)
	if err != nil {
		return errNoCreds
	}
	key, err := jwt.ParseDecoratedUserNKey(creds)
	if err != nil {
		return errNoCreds
	}
	defer key.Wipe()
	if public, err := key.PublicKey(); err != nil || public != claims.Subject {
		return errors.New("read credentials: JWT and seed are not of one user")
	}
	if claims.Expires > 0 && claims.Expires <= now.Unix() {
		return fmt.Errorf("credentials expired on %s", time.Unix(claims.Expires, 0).UTC().Format(time.RFC3339))
	}
	return nil
}

// checkServer tells whether the server connected to is one that will do.
func checkServer(ctx context.Context, nc *nats.Conn) error {
	version := nc.ConnectedServerVersion()
	if !newEnough(version) {
		return fmt.Errorf("server version %q, want %d.%d or newer", version, minMajor, minMinor)
	}
	if !nc.HeadersSupported() {
		return errors.New("server has headers turned off")
	}
	js, err := jetstream.New(nc)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, connectWait)
	defer cancel()
	if _, err = js.AccountInfo(ctx); errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("JetStream does not answer: the credentials must allow to publish $JS.API.> and to subscribe %s.>: %w", inboxRoot, err)
	}
	if err != nil {
		return fmt.Errorf("JetStream: %w", err)
	}
	return nil
}

// newEnough compares major and minor of a version like 2.14.0 or 2.15.0-beta.1.
func newEnough(version string) bool {
	major, rest, _ := strings.Cut(strings.TrimPrefix(version, "v"), ".")
	minor, _, _ := strings.Cut(rest, ".")
	a, err := strconv.Atoi(major)
	b, err2 := strconv.Atoi(minor)
	if err != nil || err2 != nil {
		return false
	}
	return a > minMajor || a == minMajor && b >= minMinor
}
