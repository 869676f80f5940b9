package webhook_test

import (
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sheetbridge/sheetbridge/smartsheet/smartsheettest"
)

// waitFor returns when a condition holds, and fails the test when it does not in
// a minute.
func (b *bridge) waitFor(what string, holds func() bool) {
	b.t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	giveUp := time.NewTimer(time.Minute)
	defer giveUp.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-giveUp.C:
			b.t.Fatalf("waited in vain for this: %s", what)
		}
	}
}

// shows tells whether the last event of some row in a partner's stream has the word.
func (b *bridge) shows(partner, word string) bool {
	b.t.Helper()
	for _, m := range b.stream(partner) {
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

// hold has the requests for which it is asked wait.
func (b *bridge) hold(which func(*http.Request) bool) *gate {
	g := &gate{open: make(chan struct{})}
	b.sim.SetFault(func(r *http.Request) *smartsheettest.Fault {
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
	b.t.Cleanup(g.release)
	return g
}

func (g *gate) release() { g.once.Do(func() { close(g.open) }) }

// holding is how many requests wait.
func (g *gate) holding() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.held
}

// link is a connection to a server that may be held up: what the server answers
// waits then.
type link struct {
	address string
	mu      sync.Mutex
	held    chan struct{} // closed: nothing is held
}

func newLink(t *testing.T, to string) *link {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	l := &link{address: listener.Addr().String(), held: make(chan struct{})}
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

// hold keeps back what the server answers from now on.
func (l *link) hold() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.held = make(chan struct{})
}

func (l *link) release() {
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case <-l.held:
	default:
		close(l.held)
	}
}
