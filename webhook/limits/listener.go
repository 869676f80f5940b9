package limits

import (
	"container/list"
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"sync"
)

// Listener bounds how many connections it has open, together and from one
// address. Where there are too many, the connection goes that has waited longest
// for a request, of the address that has most of those: who only holds
// connections takes them from nobody else. A connection is never closed while a
// request of it is answered; where all are busy, the new one is closed.
type Listener struct {
	net.Listener
	total, each int
	closed      func(why string)

	mu        sync.Mutex
	open      int
	addresses map[string]*address
}

// address is what one address has open.
type address struct {
	open    int
	waiting list.List // of *conn without a request, the longest first
}

// Limit returns the listener with bounds: total connections, each of them from one
// address. closed is called for every connection that was closed to keep them, with
// "waiting" or, for a new one, "busy"; nil: not called. The handler of its server has to be in
// Handler, and ConnContext to be the server's.
func Limit(l net.Listener, total, each int, closed func(why string)) *Listener {
	if closed == nil {
		closed = func(string) {}
	}
	return &Listener{Listener: l, total: total, each: each, closed: closed, addresses: map[string]*address{}}
}

// Accept waits for the next connection there is room for.
func (l *Listener) Accept() (net.Conn, error) {
	for {
		accepted, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		c := &conn{Conn: accepted, listener: l, address: Address(accepted.RemoteAddr().String())}
		if l.admit(c) {
			return c, nil
		}
		_ = accepted.Close() // nobody uses it
		l.closed("busy")
	}
}

// admit takes a connection in, and closes another for it where that is needed. It
// is false where there is none to close.
func (l *Listener) admit(c *conn) bool {
	l.mu.Lock()
	own := l.addresses[c.address]
	var from *address
	switch {
	case own != nil && own.open >= l.each:
		from = own
	case l.open >= l.total:
		from = l.greediest()
	}
	var victim *conn
	if from != nil {
		if from.waiting.Len() == 0 {
			l.mu.Unlock()
			return false
		}
		victim = from.waiting.Front().Value.(*conn)
		victim.remove()
	}
	if own = l.addresses[c.address]; own == nil {
		own = &address{}
		l.addresses[c.address] = own
	}
	own.open++
	l.open++
	c.element = own.waiting.PushBack(c)
	l.mu.Unlock()
	if victim != nil {
		_ = victim.Conn.Close() // nobody waits for an answer on it
		l.closed("waiting")
	}
	return true
}

// greediest is the address with most connections that wait for a request.
func (l *Listener) greediest() *address {
	most := &address{}
	for _, a := range l.addresses {
		if a.waiting.Len() > most.waiting.Len() {
			most = a
		}
	}
	return most
}

// Open returns how many connections are open.
func (l *Listener) Open() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.open
}

// conn is a connection that counts.
type conn struct {
	net.Conn
	listener *Listener
	address  string
	element  *list.Element // among those that wait; nil: busy, or gone
	gone     bool
}

// remove takes the connection out of the count. The listener's lock is held.
func (c *conn) remove() {
	if c.gone {
		return
	}
	c.gone = true
	a := c.listener.addresses[c.address]
	if c.element != nil {
		a.waiting.Remove(c.element)
		c.element = nil
	}
	a.open--
	c.listener.open--
	if a.open == 0 {
		delete(c.listener.addresses, c.address)
	}
}

// busy says whether a request of the connection is being answered.
func (c *conn) busy(is bool) {
	c.listener.mu.Lock()
	defer c.listener.mu.Unlock()
	if c.gone {
		return
	}
	waiting := &c.listener.addresses[c.address].waiting
	switch {
	case is && c.element != nil:
		waiting.Remove(c.element)
		c.element = nil
	case !is && c.element == nil:
		c.element = waiting.PushBack(c)
	}
}

// Close closes the connection.
func (c *conn) Close() error {
	c.listener.mu.Lock()
	c.remove()
	c.listener.mu.Unlock()
	return c.Conn.Close()
}

// CloseWrite says that nothing more is sent: the server does so before it closes a
// connection whose other side may still be sending.
func (c *conn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

type connKey struct{}

// ConnContext lets Handler find the connection of a request.
func ConnContext(ctx context.Context, c net.Conn) context.Context {
	if secure, ok := c.(*tls.Conn); ok {
		c = secure.NetConn()
	}
	if own, ok := c.(*conn); ok {
		return context.WithValue(ctx, connKey{}, own)
	}
	return ctx
}

// Handler has the next handler answer, and keeps the connection open in the meantime. It
// is for one request at a time on a connection, which HTTP/1 has.
func Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c, ok := r.Context().Value(connKey{}).(*conn); ok {
			c.busy(true)
			defer c.busy(false)
		}
		next.ServeHTTP(w, r)
	})
}
