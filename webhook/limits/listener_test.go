package limits_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/sheetbridge/sheetbridge/webhook/limits"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestAddress(t *testing.T) {
	for remote, want := range map[string]string{
		"192.0.2.7:4711": "192.0.2.7", "[::ffff:192.0.2.7]:4711": "192.0.2.7",
		"[2001:db8:1:2:3:4:5:6]:4711": "2001:db8:1:2::/64", "[2001:db8:1:2::9]:1": "2001:db8:1:2::/64", "[2001:db8:1:3::9]:1": "2001:db8:1:3::/64",
		"[fe80::1%eth0]:1": "fe80::/64", "pipe": "pipe",
	} {
		if got := limits.Address(remote); got != want {
			t.Errorf("%s: got %s, want %s", remote, got, want)
		}
	}
}

// served is an HTTP server behind a bounded listener. /wait answers when it is let
// go.
type served struct {
	t        *testing.T
	listener *limits.Listener
	closed   atomic.Int64
	entered  chan struct{}
	letGo    chan struct{}
}

func serve(t *testing.T, total, each int) *served {
	t.Helper()
	socket, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &served{t: t, entered: make(chan struct{}, 100), letGo: make(chan struct{})}
	s.listener = limits.Limit(socket, total, each, func(string) { s.closed.Add(1) })
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "ok") })
	mux.HandleFunc("/wait", func(http.ResponseWriter, *http.Request) {
		s.entered <- struct{}{}
		<-s.letGo
	})
	server := &http.Server{Handler: limits.Handler(mux), ConnContext: limits.ConnContext}
	done := make(chan struct{})
	go func() { defer close(done); _ = server.Serve(s.listener) }()
	t.Cleanup(func() { _ = server.Close(); <-done })
	return s
}

// dial connects from an address of loopback.
func (s *served) dial(from string) net.Conn {
	s.t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	c, err := d.Dial("tcp", s.listener.Addr().String())
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = c.Close() })
	return c
}

// ask sends a request and returns the answer's status, 0 where the connection was
// closed.
func ask(t *testing.T, c net.Conn, path string) int {
	t.Helper()
	_ = c.SetDeadline(time.Now().Add(30 * time.Second))
	_, _ = fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path)
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return 0
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode
}

// ended waits until the other side has closed the connection.
func ended(t *testing.T, c net.Conn) {
	t.Helper()
	_ = c.SetReadDeadline(time.Now().Add(30 * time.Second))
	if n, err := c.Read(make([]byte, 1)); n != 0 || err == nil {
		t.Errorf("got %d bytes, error %v, want the connection closed", n, err)
	} else if timeout, ok := err.(net.Error); ok && timeout.Timeout() {
		t.Error("the connection stays open")
	}
}

// Who holds connections loses the oldest of them, and nobody else does.
func TestHolderLosesItsOwn(t *testing.T) {
	s := serve(t, 10, 8)
	honest := s.dial("127.0.0.1")
	if got := ask(t, honest, "/"); got != 200 {
		t.Fatalf("got %d, want 200", got)
	}
	var held []net.Conn
	for range 50 {
		held = append(held, s.dial("127.0.0.2"))
	}
	for _, c := range held[:42] {
		ended(t, c)
	}
	if got := ask(t, honest, "/"); got != 200 {
		t.Errorf("the honest one's connection: got %d, want 200 though it is the oldest", got)
	}
	others := s.dial("127.0.0.3")
	if got := ask(t, others, "/"); got != 200 {
		t.Errorf("another one's: got %d, want 200", got)
	}
	if got := s.listener.Open(); got > 10 {
		t.Errorf("%d connections are open, want at most 10", got)
	}
	if got := s.closed.Load(); got < 42 {
		t.Errorf("%d closed connections were counted, want 42 or more", got)
	}
}

// With many addresses of one connection each, those that wait longest go.
func TestManyHolders(t *testing.T) {
	s := serve(t, 10, 5)
	for i := range 50 {
		s.dial(fmt.Sprintf("127.0.1.%d", i+1))
	}
	if got := ask(t, s.dial("127.0.0.1"), "/"); got != 200 {
		t.Errorf("got %d, want 200", got)
	}
}

// A request that is being answered is not cut off, and its connection counts.
func TestBusyConnectionsStay(t *testing.T) {
	s := serve(t, 3, 3)
	answers := make(chan int, 3)
	for range 3 {
		c := s.dial("127.0.0.2")
		go func() { answers <- ask(t, c, "/wait") }()
		<-s.entered
	}
	for range 5 {
		ended(t, s.dial("127.0.0.3"))
	}
	close(s.letGo)
	for range 3 {
		if got := <-answers; got != 200 {
			t.Errorf("got %d, want 200 for a request that was being answered", got)
		}
	}
	if got := ask(t, s.dial("127.0.0.3"), "/"); got != 200 {
		t.Errorf("afterwards: got %d, want 200", got)
	}
}

func TestLines(t *testing.T) {
	left := 0
	l := &limits.Lines{LeftOut: func() { left++ }}
	written := 0
	for range 10_000 {
		if _, ok := l.Next(); ok {
			written++
		}
	}
	if written < 100 || written > 200 || left != 10_000-written {
		t.Errorf("got %d lines, %d left out, want about 100 and the rest", written, left)
	}
	if _, ok := (*limits.Lines)(nil).Next(); !ok {
		t.Error("without a bound a line is left out")
	}
}
