package stream

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/sheetbridge/sheetbridge/events"
)

// Bounds of a partner's writes that wait.
const (
	maxWriteStored = 16 << 20 // bytes, all together
	maxWrites      = 10_000
	writesConsumer = "bridge"
	// WritesKept is how long one that has no answer waits in the queue at most.
	WritesKept = 24 * time.Hour
	// writesAtOnce is how many of them are on their way to this process.
	writesAtOnce = 500
	// WriteAckWait is how soon a write that a process has taken and says nothing of
	// is given to another one.
	WriteAckWait = 30 * time.Second
)

// WriteQueue is the stream of one partner's writes: a work queue that refuses when
// it is full. Only the bridge reads it.
type WriteQueue struct {
	partner  string
	consumer jetstream.Consumer
}

// Writes opens the queue of the partner's writes over the stream's connection and
// makes it where there is none. Alone says that no other process works on it: what a
// killed one had taken comes again at once.
func (s *Stream) Writes(ctx context.Context, alone bool) (*WriteQueue, error) {
	q, err := s.openWrites(ctx, alone)
	if err != nil {
		return nil, fmt.Errorf("opening the writes of partner %s: %w", s.partner, err)
	}
	return q, nil
}

func (s *Stream) openWrites(ctx context.Context, alone bool) (*WriteQueue, error) {
	subjects := []string{"write." + s.partner + ".>"}
	there, err := s.js.Stream(ctx, events.WriteStreamName)
	if err != nil && !errors.Is(err, jetstream.ErrStreamNotFound) {
		return nil, err
	}
	if err == nil && !slices.Equal(there.CachedInfo().Config.Subjects, subjects) {
		return nil, fmt.Errorf("the account has another stream %s: give the partner an account of its own", events.WriteStreamName)
	}
	st, err := s.js.CreateOrUpdateStream(ctx, jetstream.StreamConfig{
		Name:        events.WriteStreamName,
		Description: "Sheetbridge: what " + s.partner + " asks to have written",
		Subjects:    subjects,
		Storage:     jetstream.FileStorage,
		Retention:   jetstream.WorkQueuePolicy,
		Discard:     jetstream.DiscardNew,
		MaxBytes:    maxWriteStored,
		MaxMsgs:     maxWrites,
		MaxMsgSize:  events.MaxWriteBytes + 4<<10, // headers count
		MaxAge:      WritesKept,
		Replicas:    max(s.options.Replicas, 1),
	})
	if err != nil {
		return nil, err
	}
	if alone {
		if err := st.DeleteConsumer(ctx, writesConsumer); err != nil && !errors.Is(err, jetstream.ErrConsumerNotFound) {
			return nil, err
		}
	}
	consumer, err := st.CreateOrUpdateConsumer(ctx, jetstream.ConsumerConfig{
		Durable:       writesConsumer,
		AckPolicy:     jetstream.AckExplicitPolicy,
		AckWait:       WriteAckWait,
		MaxAckPending: maxWrites,
		MaxDeliver:    -1,
		MemoryStorage: true, // what is not acknowledged lies in the stream anyway
	})
	if err != nil {
		return nil, err
	}
	return &WriteQueue{partner: s.partner, consumer: consumer}, nil
}

// Write is a request as it lies in the queue.
type Write struct {
	Partner    string
	Sheet      string // the partner's name for it, as the subject has it
	Credential string // who published it; where the account is ours the server has seen to that
	Identity   string // of this message among all that ever lay in the queue
	Received   time.Time
	Data       []byte

	msg jetstream.Msg
}

// Receive takes writes as they come, until the context ends or an error says that the
// queue is to be opened again.
func (q *WriteQueue) Receive(ctx context.Context, take func(*Write)) error {
	if err := q.receive(ctx, take); err != nil && ctx.Err() == nil {
		return fmt.Errorf("taking writes of partner %s: %w", q.partner, err)
	}
	return ctx.Err()
}

func (q *WriteQueue) receive(ctx context.Context, take func(*Write)) error {
	msgs, err := q.consumer.Messages(jetstream.PullMaxMessages(writesAtOnce), jetstream.PullExpiry(WriteAckWait))
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, msgs.Drain)
	defer stop()
	defer msgs.Stop()
	for {
		m, err := msgs.Next()
		if err != nil {
			return err
		}
		if ctx.Err() != nil { // it came before, and nobody takes it
			_ = m.Nak()
			continue
		}
		w, err := q.read(m)
		if err == nil {
			take(w)
			continue
		}
		if err := m.TermWithReason("no write"); err != nil {
			return err
		}
	}
}

var errNoWrite = errors.New("the subject is not a subject of writes")

func (q *WriteQueue) read(m jetstream.Msg) (*Write, error) {
	meta, err := m.Metadata()
	if err != nil {
		return nil, err
	}
	tokens := strings.Split(m.Subject(), ".")
	if len(tokens) != 4 || !events.ValidName(tokens[2]) || !events.ValidName(tokens[3]) {
		return nil, errNoWrite
	}
	return &Write{
		Partner: q.partner, Sheet: tokens[2], Credential: tokens[3], Received: meta.Timestamp, Data: m.Data(), msg: m,
		Identity: identityOf(meta.Sequence.Stream, meta.Timestamp),
	}, nil
}

// Done removes the write from the queue: its answer is stored.
func (w *Write) Done(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	if err := w.msg.DoubleAck(ctx); err != nil {
		return fmt.Errorf("removing a write of partner %s from the queue: %w", w.Partner, err)
	}
	return nil
}

// InProgress says that the write is being worked on.
func (w *Write) InProgress() error { return w.msg.InProgress() }

// Return returns the write to the queue, for the next who receives it.
func (w *Write) Return() error { return w.msg.Nak() }
