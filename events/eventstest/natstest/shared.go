// Package natstest is for tests only: NATS servers in this process that the tests of a
// package share, since a cluster takes seconds to find its leader. Each test has an
// account of its own, in which it may name streams as it likes. A test that stops a
// server starts its own.
package natstest

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/sheetbridge/sheetbridge/events/eventstest"
)

// Shared are servers that start for the first test that connects to them. They sync
// each write.
type Shared struct{ start func() (*cluster, error) }

// One is a server by itself, Three a cluster.
var (
	One   = shared(1)
	Three = shared(3)
)

var (
	mu      sync.Mutex
	running []*cluster
)

func shared(size int) *Shared {
	return &Shared{start: sync.OnceValues(func() (*cluster, error) {
		c, err := startCluster(size)
		if err != nil {
			return nil, err
		}
		mu.Lock()
		defer mu.Unlock()
		running = append(running, c)
		return c, nil
	})}
}

// Main runs the tests of a package, stops the servers that they shared, and returns the
// exit code of the process.
func Main(m *testing.M) int {
	defer func() {
		mu.Lock()
		defer mu.Unlock()
		for _, c := range running {
			c.stop()
		}
	}()
	return m.Run()
}

// Connect returns a connection to each of the servers, in an account that this test alone
// has. What is stored there is removed at the test's end.
func (s *Shared) Connect(t testing.TB) []*nats.Conn {
	t.Helper()
	c, err := s.start()
	if err != nil {
		t.Fatal(err)
	}
	eventstest.Await(t, "the NATS servers have a leader", c.ready)
	user, err := c.addAccount(t.Name())
	if err != nil {
		t.Fatal(err)
	}
	conns := make([]*nats.Conn, len(c.servers))
	for i, srv := range c.servers {
		conns[i], err = nats.Connect(srv.ClientURL(), user, nats.MaxReconnects(-1), nats.ReconnectWait(20*time.Millisecond), nats.ReconnectBufSize(-1), nats.Timeout(eventstest.Patience))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(conns[i].Close)
	}
	js, err := jetstream.New(conns[0], jetstream.WithDefaultTimeout(eventstest.Patience))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { removeStreams(context.WithoutCancel(t.Context()), js) })
	return conns
}

// removeStreams spares the tests that follow the work for streams that nobody uses. No
// test depends on it.
func removeStreams(ctx context.Context, js jetstream.JetStream) {
	ctx, cancel := context.WithTimeout(ctx, eventstest.Patience)
	defer cancel()
	for name := range js.StreamNames(ctx).Name() {
		_ = js.DeleteStream(ctx, name)
	}
}
