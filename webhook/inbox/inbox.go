// Package inbox is the work queue between those who notice that a sheet may
// have changed and the relay that looks. It is a stream in the bridge's NATS
// account with 32 partitions; a registration belongs to one of them, and each
// partition hands out one message at a time over all replicas, so that a sheet
// has one worker at a time without a leader or a lease.
package inbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Names in the bridge's account, and the settings of the queue.
const (
	StreamName = "INBOX"
	// Partitions is the number of sheets that are worked on at once over all
	// replicas. It is kept in the stream's metadata: a hint that waits in a
	// partition would be missed by whoever counts differently.
	Partitions = 32

	ackWait        = 30 * time.Second
	requestTimeout = 5 * time.Second
)

// ErrPartitions says that the queue was made with another number of partitions.
var ErrPartitions = errors.New("the queue has another number of partitions")

// Inbox is the queue. It is safe for concurrent use.
type Inbox struct {
	js     jetstream.JetStream
	stream jetstream.Stream
	dead   jetstream.Stream
}

// Open opens the queue over a connection into the bridge's account and makes it
// when there is none.
func Open(ctx context.Context, nc *nats.Conn, replicas int) (*Inbox, error) {
	js, err := jetstream.New(nc, jetstream.WithDefaultTimeout(requestTimeout))
	if err != nil {
		return nil, fmt.Errorf("opening the inbox: %w", err)
	}
	partitions := strconv.Itoa(Partitions)
	switch old, err := js.Stream(ctx, StreamName); {
	case err == nil:
		if was := old.CachedInfo().Config.Metadata["partitions"]; was != "" && was != partitions {
			return nil, fmt.Errorf("opening the inbox: %w: %s, not %s; empty it with the version that made it", ErrPartitions, was, partitions)
		}
	case !errors.Is(err, jetstream.ErrStreamNotFound):
		return nil, fmt.Errorf("opening the inbox: %w", err)
	}
	stream, err := js.CreateOrUpdateStream(ctx, jetstream.StreamConfig{
		Name:              StreamName,
		Description:       "Sheetbridge: registrations to look at",
		Subjects:          []string{"inbox.>", "timer.>", "every.>"},
		Storage:           jetstream.FileStorage,
		Retention:         jetstream.WorkQueuePolicy,
		Replicas:          replicas,
		AllowMsgSchedules: true,
		Metadata:          map[string]string{"partitions": partitions},
	})
	if err != nil {
		return nil, fmt.Errorf("opening the inbox: %w", err)
	}
	dead, err := openDead(ctx, js, replicas)
	if err != nil {
		return nil, fmt.Errorf("opening the inbox: %w", err)
	}
	return &Inbox{js: js, stream: stream, dead: dead}, nil
}

// partition is where a registration's hints wait.
func partition(registration string) int {
	h := fnv.New32a()
	h.Write([]byte(registration))
	return int(h.Sum32() % Partitions)
}

func subject(registration string) string {
	return fmt.Sprintf("inbox.%d.%s", partition(registration), registration)
}

// Put stores a hint. When it returns nil the hint is stored durably.
func (in *Inbox) Put(ctx context.Context, h *Hint) error {
	data, err := json.Marshal(h)
	if err != nil {
		return fmt.Errorf("storing a hint: %w", err)
	}
	if _, err := in.js.Publish(ctx, subject(h.Registration), data); err != nil {
		return fmt.Errorf("storing a hint: %w", err)
	}
	return nil
}

// Forget drops all that waits for a registration.
func (in *Inbox) Forget(ctx context.Context, registration string) error {
	for _, s := range []string{clockOf(registration), timerOf(registration), subject(registration)} {
		if err := in.stream.Purge(ctx, jetstream.WithPurgeSubject(s)); err != nil {
			return fmt.Errorf("forgetting hints: %w", err)
		}
	}
	return nil
}

// Waiting returns how many hints wait for a registration.
func (in *Inbox) Waiting(ctx context.Context, registration string) (int, error) {
	info, err := in.stream.Info(ctx, jetstream.WithSubjectFilter(subject(registration)))
	if err != nil {
		return 0, fmt.Errorf("counting hints: %w", err)
	}
	return int(info.State.Subjects[subject(registration)]), nil
}

// Idle returns when no hint waits or is worked on. What is put off does not count.
func (in *Inbox) Idle(ctx context.Context) error {
	for {
		info, err := in.stream.Info(ctx, jetstream.WithSubjectFilter("inbox.>"))
		if err != nil {
			return fmt.Errorf("counting hints: %w", err)
		}
		if len(info.State.Subjects) == 0 {
			return nil
		}
		pause(ctx, 10*time.Millisecond)
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
}
