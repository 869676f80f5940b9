package write

import (
	"context"
	"io"
	"net"
	"net/http"
	"time"
)

// guard is an HTTP client that sends nothing after a time, whatever stopped the
// process before. It looks at the clock right before each system call that sends, and
// at the wall clock too: the other stands still while a machine sleeps. A request of
// which only a part was sent is none.
func guard(client *http.Client, until time.Time) *http.Client {
	var guarded http.Client
	if client != nil {
		guarded = *client
	}
	next := guarded.Transport
	if next == nil {
		next = http.DefaultTransport
	}
	if t, ok := next.(*http.Transport); ok {
		next = guardedConnections(t, until)
	}
	guarded.Transport = &guardedTransport{next, until}
	return &guarded
}

// guardedConnections is a transport that makes a connection for each request, over
// which nothing is sent after a time. A connection that is used for the second time
// would be closed by the other side now and then right as the request is sent, and
// nobody could tell whether it was made.
func guardedConnections(t *http.Transport, until time.Time) *http.Transport {
	own := t.Clone()
	own.DisableKeepAlives = true
	own.Protocols = new(http.Protocols)
	own.Protocols.SetHTTP1(true)
	dial := own.DialContext
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	own.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return &guardedConn{conn, until}, nil
	}
	return own
}

// guardedConn looks at the clock right before each system call that sends.
type guardedConn struct {
	net.Conn
	until time.Time
}

func (c *guardedConn) Write(p []byte) (int, error) {
	if late(c.until) {
		return 0, errLate
	}
	return c.Conn.Write(p)
}

// Close drops what the kernel has not sent yet, when it is too late: it would go on
// trying for minutes.
func (c *guardedConn) Close() error {
	if tcp, ok := c.Conn.(*net.TCPConn); ok && late(c.until) {
		_ = tcp.SetLinger(0) // a connection that is gone already sends nothing either
	}
	return c.Conn.Close()
}

type guardedTransport struct {
	next  http.RoundTripper
	until time.Time
}

// RoundTrip sends a request unless it is too late. Requests that only read are let
// through.
func (g *guardedTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method == http.MethodGet {
		return g.next.RoundTrip(r)
	}
	if late(g.until) {
		return nil, errLate
	}
	r = r.Clone(r.Context())
	if body := r.Body; body != nil {
		r.Body = &guardedBody{ReadCloser: body, until: g.until}
		r.GetBody = nil // a request is not sent a second time behind our back
	}
	return g.next.RoundTrip(r)
}

func late(until time.Time) bool {
	now := time.Now()
	return now.After(until) || now.Round(0).After(until.Round(0))
}

type guardedBody struct {
	io.ReadCloser
	until time.Time
	begun bool
}

// Read fails before the first byte where it is too late.
func (b *guardedBody) Read(p []byte) (int, error) {
	if !b.begun && late(b.until) {
		return 0, errLate
	}
	b.begun = true
	return b.ReadCloser.Read(p)
}
