package inbox_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/sheetbridge/sheetbridge/events/eventstest"
	"github.com/sheetbridge/sheetbridge/events/freeport"
	"github.com/sheetbridge/sheetbridge/webhook/inbox"
)

var quiet = slog.New(slog.DiscardHandler)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// queue is an inbox on servers of its own.
type queue struct {
	*inbox.Inbox
	js       jetstream.JetStream
	nc       *nats.Conn
	servers  []*server.Server
	replicas int
}

// onEach runs a test on one server and on a cluster of three.
func onEach(t *testing.T, test func(t *testing.T, q *queue)) {
	for _, n := range []int{1, 3} {
		t.Run(fmt.Sprintf("R%d", n), func(t *testing.T) {
			t.Parallel()
			test(t, newQueue(t, n, inbox.Options{}))
		})
	}
}

// newQueue opens an inbox on so many servers.
func newQueue(t testing.TB, n int, o inbox.Options) *queue {
	t.Helper()
	q := &queue{replicas: n}
	q.servers = startServers(t, n)
	var err error
	q.nc, err = nats.Connect(q.servers[0].ClientURL(), nats.MaxReconnects(-1), nats.ReconnectWait(20*time.Millisecond), nats.ReconnectBufSize(-1))
	must(t, err)
	t.Cleanup(q.nc.Close)
	q.js, err = jetstream.New(q.nc)
	must(t, err)
	q.Inbox = q.another(t, o)
	return q
}

// another opens the queue once more, as another replica does.
func (q *queue) another(t testing.TB, o inbox.Options) *inbox.Inbox {
	t.Helper()
	o.Replicas = q.replicas
	var in *inbox.Inbox
	eventstest.AwaitNil(t, time.Minute, "the queue", func() (err error) { // a cluster without a leader does not answer
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		in, err = inbox.Open(ctx, q.nc, o)
		return err
	})
	return in
}

// stream returns the queue's stream, read from its leader.
func (q *queue) stream(t testing.TB) jetstream.Stream {
	t.Helper()
	s, err := q.js.Stream(t.Context(), inbox.StreamName)
	must(t, err)
	return s
}

// startServers starts servers that sync what they store.
func startServers(t testing.TB, n int) []*server.Server {
	t.Helper()
	routes := make([]*url.URL, n)
	for i := range routes {
		routes[i] = &url.URL{Scheme: "nats", Host: fmt.Sprintf("127.0.0.1:%d", freePort(t))}
	}
	var list []*server.Server
	for i := range n {
		o := &server.Options{
			ServerName: fmt.Sprintf("n%d", i), Host: "127.0.0.1", Port: server.RANDOM_PORT, NoLog: true, NoSigs: true,
			JetStream: true, StoreDir: t.TempDir(), SyncAlways: true, MaxPayload: 8 << 20,
		}
		if n > 1 {
			o.Cluster.Name, o.Cluster.Host, o.Routes = "c", "127.0.0.1", routes
			_, err := fmt.Sscanf(routes[i].Port(), "%d", &o.Cluster.Port)
			must(t, err)
		}
		s, err := server.NewServer(o)
		must(t, err)
		s.Start()
		t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
		list = append(list, s)
	}
	for _, s := range list {
		if !s.ReadyForConnections(60 * time.Second) {
			t.Fatal("a server does not start")
		}
	}
	return list
}

func freePort(t testing.TB) int {
	t.Helper()
	port, err := freeport.Take()
	must(t, err)
	return port
}

type handler func(ctx context.Context, h *inbox.Hint) error

// work runs one replica until stop is called.
func work(t testing.TB, in *inbox.Inbox, pass handler) (stop func()) {
	t.Helper()
	return workers(t, in, inbox.Workers{Pass: pass, Webhook: func(context.Context, *inbox.Hint) error { return nil }})
}

func workers(t testing.TB, in *inbox.Inbox, w inbox.Workers) (stop func()) {
	t.Helper()
	if w.Log == nil {
		w.Log = quiet
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan struct{})
	go func() { _ = in.Work(ctx, w); close(done) }()
	stop = sync.OnceFunc(func() { cancel(); <-done })
	t.Cleanup(stop)
	return stop
}

// handed lets one replica work and returns what it is handed.
func handed(t testing.TB, in *inbox.Inbox) <-chan *inbox.Hint {
	t.Helper()
	hints := make(chan *inbox.Hint, 100)
	work(t, in, func(_ context.Context, h *inbox.Hint) error {
		hints <- h
		return nil
	})
	return hints
}

func rows(ids ...int64) *inbox.Hint {
	h := &inbox.Hint{Registration: "r1", Why: inbox.WhyCallback, Rows: map[int64]inbox.Row{}, ReceivedAt: noon}
	for _, id := range ids {
		h.Rows[id] = inbox.Row{}
	}
	return h
}

// of returns the hint for another registration.
func of(registration string, h *inbox.Hint) *inbox.Hint {
	h.Registration = registration
	return h
}

// empty fails if anything is left in the queue, and if the consumer believes
// that something is.
func (q *queue) empty(t testing.TB) {
	t.Helper()
	must(t, q.Idle(t.Context()))
	for info := range q.stream(t).ListConsumers(t.Context()).Info() {
		if info.NumPending != 0 || info.NumAckPending != 0 {
			t.Errorf("consumer %s: %d wait and %d are worked on, want none", info.Name, info.NumPending, info.NumAckPending)
		}
	}
}
