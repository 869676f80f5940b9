// Package inbox is the work queue between those who notice that a sheet may
// have changed and the relay that reads it. It is a stream in the bridge's NATS
// account.
//
// Hints that are put while others are being stored are stored together, as one
// message: a bundle. All replicas take bundles from one consumer. Each holds the
// hints that it took in memory, merged by what they are about, and hands them
// out: at most one at a time for a registration. A bundle is acknowledged when
// each of its hints is done, so a crash hands all of them out again.
//
// What must wait for a time is kept in one scheduled message for each
// registration, its [Note].
package inbox

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// StreamName is the name of the queue in the bridge's account.
const StreamName = "INBOX"

const (
	consumerName  = "relay"
	bundleSubject = "inbox.bundle"

	requestTimeout  = 5 * time.Second
	defaultMaxBytes = 256 << 20
)

// ErrFull says that the queue holds as many bytes as it may.
var ErrFull = errors.New("the queue is full")

// Options are the settings of the queue.
type Options struct {
	Replicas int
	// MaxBytes is how many bytes may lie in the queue before hints are refused;
	// 0: 256 MiB.
	MaxBytes int64
	// SingleReplica says that no other process works on the queue: what a killed
	// worker held is handed out again at once.
	SingleReplica bool
}

// Inbox is the queue. It is safe for concurrent use.
type Inbox struct {
	options Options
	js      jetstream.JetStream
	stream  jetstream.Stream
	dead    jetstream.Stream
	clock   clock
	bundles bundleQueue
	usage   usage

	mu          sync.Mutex
	dispatchers map[*dispatcher]bool
	interval    time.Duration // that Follow was last given
}

// Open opens the queue over a connection into the bridge's account and makes it
// when there is none.
func Open(ctx context.Context, nc *nats.Conn, o Options) (*Inbox, error) {
	if o.MaxBytes <= 0 {
		o.MaxBytes = defaultMaxBytes
	}
	in := &Inbox{options: o, dispatchers: map[*dispatcher]bool{}}
	if err := in.open(ctx, nc); err != nil {
		return nil, fmt.Errorf("opening the inbox: %w", err)
	}
	return in, nil
}

func (in *Inbox) open(ctx context.Context, nc *nats.Conn) (err error) {
	if in.js, err = jetstream.New(nc, jetstream.WithDefaultTimeout(requestTimeout)); err != nil {
		return err
	}
	in.stream, err = in.js.CreateOrUpdateStream(ctx, jetstream.StreamConfig{
		Name:              StreamName,
		Description:       "Sheetbridge: registrations to look at",
		Subjects:          []string{"inbox.>", "timer.>"},
		Storage:           jetstream.FileStorage,
		Retention:         jetstream.WorkQueuePolicy,
		Replicas:          in.options.Replicas,
		AllowDirect:       true,
		AllowMsgSchedules: true,
	})
	if err != nil {
		return err
	}
	if in.dead, err = openDead(ctx, in.js, in.options.Replicas); err != nil {
		return err
	}
	_, err = in.info(ctx)
	return err
}

// Shared tells whether other processes may work on the queue too.
func (in *Inbox) Shared() bool { return !in.options.SingleReplica }

// info asks for the stream's state, from which the server's clock and the bytes
// that lie in the queue are known.
func (in *Inbox) info(ctx context.Context, opts ...jetstream.StreamInfoOpt) (*jetstream.StreamInfo, error) {
	asked := time.Now()
	info, err := in.stream.Info(ctx, opts...)
	if err != nil {
		return nil, err
	}
	in.clock.set(info.TimeStamp, asked)
	in.usage.set(info.State.Bytes)
	return info, nil
}

// Forget drops what waits for a registration in its schedule and in this process.
// What lies in a bundle is handed out still.
func (in *Inbox) Forget(ctx context.Context, registration string) error {
	for _, s := range []string{timerOf(registration), dueSubject(registration)} {
		if err := in.stream.Purge(ctx, jetstream.WithPurgeSubject(s)); err != nil {
			return fmt.Errorf("forgetting hints: %w", err)
		}
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	for d := range in.dispatchers {
		d.forget(registration)
	}
	return nil
}

// Idle returns when no hint waits or is worked on. What is deferred does not
// count.
func (in *Inbox) Idle(ctx context.Context) error {
	for wait := 5 * time.Millisecond; ; wait = min(wait*3/2, 40*time.Millisecond) {
		info, err := in.info(ctx, jetstream.WithSubjectFilter("inbox.>"))
		if err != nil {
			return fmt.Errorf("counting hints: %w", err)
		}
		if len(info.State.Subjects) == 0 {
			return nil
		}
		pause(ctx, wait)
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

// Answers returns an error unless the queue can be written to: its leader
// answers.
func (in *Inbox) Answers(ctx context.Context) error {
	if _, err := in.info(ctx); err != nil {
		return fmt.Errorf("stream %s: %w", StreamName, err)
	}
	return nil
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
