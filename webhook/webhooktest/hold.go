package webhooktest

import (
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/sheetbridge/sheetbridge/events/eventstest"
	"github.com/sheetbridge/sheetbridge/smartsheet/smartsheettest"
)

// Await returns when a condition holds, and fails the test when it does not in
// a minute.
func (b *Bridge) Await(what string, holds func() bool) {
	b.T.Helper()
	eventstest.Await(b.T, what, holds)
}

// LastEventHas tells whether the last event of some row in a partner's stream has the word.
func (b *Bridge) LastEventHas(partner, word string) bool {
	b.T.Helper()
	for _, m := range b.Stream(partner) {
		if m.Data.After == nil {
			continue
		}
		for _, v := range m.Data.After {
			if strings.Contains(string(v.JSON), word) {
				return true
			}
		}
	}
	return false
}

// gate holds requests to Smartsheet, until it is opened.
type gate struct {
	mu    sync.Mutex
	held  int
	count int           // that came so far
	open  chan struct{} // closed: it is open
	once  sync.Once
}

// Hold has the requests for which it is asked wait.
func (b *Bridge) Hold(which func(*http.Request) bool) *gate {
	g := &gate{open: make(chan struct{})}
	b.Sim.SetFault(func(r *http.Request) *smartsheettest.Fault {
		if !which(r) {
			return nil
		}
		g.mu.Lock()
		g.held++
		g.count++
		g.mu.Unlock()
		select {
		case <-g.open:
		case <-r.Context().Done():
		}
		g.mu.Lock()
		g.held--
		g.mu.Unlock()
		return nil
	})
	b.T.Cleanup(g.Release)
	return g
}

func (g *gate) Release() { g.once.Do(func() { close(g.open) }) }

// Holding is how many requests wait.
func (g *gate) Holding() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.held
}

// link is a connection to a server that may be held up: what the server answers
// waits then.
type link struct {
	Address string
	mu      sync.Mutex
	held    chan struct{} // closed: nothing is held
}

func NewLink(t *testing.T, to string) *link {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	Must(t, err)
	l := &link{Address: listener.Addr().String(), held: make(chan struct{})}
	close(l.held)
	done := make(chan struct{})
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", to)
			if err != nil {
				_ = client.Close()
				continue
			}
			go l.carry(server, client, nil)
			go l.carry(client, server, done)
		}
	}()
	t.Cleanup(func() { // before the bridge ends, which would wait for answers
		close(done)
		_ = listener.Close()
	})
	return l
}

// carry copies until one of the two is closed; what comes is held where that may
// be, until the link is released or done.
func (l *link) carry(to, from net.Conn, done <-chan struct{}) {
	defer func() { _, _ = to.Close(), from.Close() }()
	part := make([]byte, 64<<10)
	for {
		n, err := from.Read(part)
		if err != nil {
			return
		}
		if done != nil {
			l.mu.Lock()
			held := l.held
			l.mu.Unlock()
			select {
			case <-held:
			case <-done:
			}
		}
		if _, err := to.Write(part[:n]); err != nil {
			return
		}
	}
}

// Hold keeps back what the server answers from now on.
func (l *link) Hold() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.held = make(chan struct{})
}

func (l *link) Release() {
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case <-l.held:
	default:
		close(l.held)
	}
}
