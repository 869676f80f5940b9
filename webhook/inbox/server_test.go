package inbox_test

import (
	"context"
	"flag"
	"log/slog"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/sheetbridge/sheetbridge/events/eventstest"
	"github.com/sheetbridge/sheetbridge/events/eventstest/natstest"
	"github.com/sheetbridge/sheetbridge/webhook/inbox"
)

var quiet = slog.New(slog.DiscardHandler)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestMain has more tests run at once than there are processors: most wait, for a
// schedule's second or for the disk.
func TestMain(m *testing.M) {
	if err := flag.Set("test.parallel", "8"); err != nil {
		panic(err)
	}
	os.Exit(natstest.Main(m))
}

// queue is an inbox in an account of its own.
type queue struct {
	*inbox.Inbox
	js       jetstream.JetStream
	nc       *nats.Conn
	replicas int
}

// onEach runs a test on one server and on a cluster of three.
func onEach(t *testing.T, test func(t *testing.T, q *queue)) {
	onOne(t, test)
	t.Run("R3", func(t *testing.T) {
		t.Parallel()
		test(t, newQueue(t, 3, inbox.Options{}))
	})
}

// onEachLong is onEach where a cluster shows the same as one server, since what is at
// stake happens in this process: on the cluster the test is run in the long form alone.
func onEachLong(t *testing.T, test func(t *testing.T, q *queue)) {
	if !eventstest.Long() {
		onOne(t, test)
		return
	}
	onEach(t, test)
}

func onOne(t *testing.T, test func(t *testing.T, q *queue)) {
	t.Run("R1", func(t *testing.T) {
		t.Parallel()
		test(t, newQueue(t, 1, inbox.Options{}))
	})
}

// newQueue opens an inbox on so many servers, one or three.
func newQueue(t testing.TB, n int, o inbox.Options) *queue {
	t.Helper()
	servers := natstest.One
	if n > 1 {
		servers = natstest.Three
	}
	q := &queue{replicas: n, nc: servers.Connect(t)[0]}
	var err error
	q.js, err = jetstream.New(q.nc, jetstream.WithDefaultTimeout(eventstest.Patience))
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
