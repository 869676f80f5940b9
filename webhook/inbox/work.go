package inbox

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sync/errgroup"
)

const (
	ackWait = 30 * time.Second
	// maxHeld is how many messages all replicas may hold together.
	maxHeld = 16 << 10
	// fetched bounds what is on its way to this process.
	fetched      = 256
	fetchedBytes = 16 << 20
)

// TooEarlyError is what a worker returns where another hint, about to come, says more of
// the same change. Nothing has failed. The rest is what waits for that hint, all else is
// done.
type TooEarlyError struct{ Rest *Hint }

func (*TooEarlyError) Error() string { return "another hint of this change is awaited" }

// Workers work on hints. Their contexts end when the work must stop. When they
// return nil a hint is done; after an error it comes again, merged with what came in
// by then: a second later. After a [TooEarlyError] its rest comes again, a tenth of one later.
type Workers struct {
	// Pass works on the merged hints of one registration, or, where h.Shares has
	// one element, of one of its shares. There is at most one at a time of each.
	Pass func(ctx context.Context, h *Hint) error
	// Webhook looks after the registration's webhook, beside its passes.
	Webhook func(ctx context.Context, h *Hint) error
	// Token names what the registration's requests are made with. Only a few
	// passes of one token run at a time; "" is a token like any other.
	Token func(registration string) string
	Log   *slog.Logger
}

// Work hands out hints until the context ends.
func (in *Inbox) Work(ctx context.Context, w Workers) error {
	if in.options.SingleReplica {
		err := in.stream.DeleteConsumer(ctx, consumerName)
		if err != nil && !errors.Is(err, jetstream.ErrConsumerNotFound) && ctx.Err() == nil {
			return fmt.Errorf("taking back hints: %w", err)
		}
	}
	for ctx.Err() == nil {
		in.workUntilLost(ctx, w)
	}
	return nil
}

// workUntilLost hands out hints until the context ends, or until the server was
// away for so long that what is held here is handed to somebody else.
func (in *Inbox) workUntilLost(ctx context.Context, w Workers) {
	d := newDispatcher(in, w)
	in.setDispatcher(d, true)
	defer in.setDispatcher(d, false)
	working, cancel := context.WithCancel(ctx)
	var g errgroup.Group
	g.Go(func() error {
		defer cancel()
		keepAlive(working, cancel, d.extend)
		return nil
	})
	g.Go(func() error {
		in.receive(working, w.Log, d)
		return nil
	})
	g.Go(func() error {
		d.removeFinished(working)
		return nil
	})
	_ = g.Wait() // they return none
	d.close(working)
	if ctx.Err() == nil {
		w.Log.Warn("inbox: NATS was away for too long: starting to read the queue again")
	}
}

func (in *Inbox) setDispatcher(d *dispatcher, works bool) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if works {
		in.dispatchers[d] = true
	} else {
		delete(in.dispatchers, d)
	}
}

// receive takes messages until the context ends. The consumer lives in memory:
// after a restart of the server it is made again and begins with the oldest
// message, and what is held here already is recognized.
func (in *Inbox) receive(ctx context.Context, log *slog.Logger, d *dispatcher) {
	for ctx.Err() == nil {
		if err := in.receiveSome(ctx, d); err != nil && ctx.Err() == nil {
			log.Warn("inbox: receiving hints failed, trying again", "err", err)
			pause(ctx, time.Second)
		}
	}
}

func (in *Inbox) receiveSome(ctx context.Context, d *dispatcher) error {
	consumer, err := in.stream.CreateOrUpdateConsumer(ctx, jetstream.ConsumerConfig{
		Durable:       consumerName,
		FilterSubject: "inbox.>",
		AckPolicy:     jetstream.AckExplicitPolicy,
		AckWait:       ackWait,
		MaxAckPending: maxHeld,
		MaxDeliver:    -1,
		MemoryStorage: true, // what is not acknowledged lies in the stream anyway
	})
	if err != nil {
		return err
	}
	msgs, err := consumer.Messages(jetstream.PullMaxMessagesWithBytesLimit(fetched, fetchedBytes), jetstream.PullExpiry(30*time.Second))
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, msgs.Stop)
	defer stop()
	defer msgs.Stop()
	for {
		m, err := msgs.Next()
		if err != nil {
			return err
		}
		if err := d.deliver(ctx, m); err != nil {
			return err
		}
	}
}

// keepAlive tells the server again and again that the messages are being worked
// on. Where that has not been possible for so long that they are handed to
// somebody else, it ends the work.
func keepAlive(ctx context.Context, end context.CancelFunc, inProgress func() error) {
	tick := time.NewTicker(ackWait / 6)
	defer tick.Stop()
	told := time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if inProgress() == nil {
			told = time.Now()
		} else if time.Since(told) >= ackWait {
			end()
			return
		}
	}
}

const (
	// collectTime is how long messages that are done are collected. Each one that
	// is removed by its acknowledgement costs a write that is synced, in the way
	// of the next bundle; a purge removes many for the price of one.
	collectTime = 20 * time.Millisecond
	// purgedTogether is how many messages a purge is worth.
	purgedTogether = 4
)

// Answers to a message.
const (
	ackDone     = "+ACK"
	ackProgress = "+WPI"
	ackAgain    = "-NAK"
)

// answer sends answers to messages. One that is lost does no harm: the message
// comes again.
func answer(nc *nats.Conn, what string, messages ...*message) error {
	if !nc.IsConnected() {
		return nats.ErrDisconnected
	}
	for _, m := range messages {
		if err := nc.Publish(m.reply, []byte(what)); err != nil {
			return err
		}
	}
	return nil
}

// received is up to which message of the stream all have come here.
type received struct {
	consumer uint64 // sequence of the last delivery
	stream   uint64
	gap      bool // a delivery went elsewhere, or was lost
}

// add counts a delivery. A consumer that was made again begins with the oldest
// message.
func (r *received) add(meta *jetstream.MsgMetadata) {
	if meta.Sequence.Consumer == 1 {
		*r = received{}
	}
	if meta.Sequence.Consumer != r.consumer+1 {
		r.gap = true
	}
	r.consumer = meta.Sequence.Consumer
	if !r.gap && meta.NumDelivered == 1 {
		r.stream = max(r.stream, meta.Sequence.Stream)
	}
}

// done counts a task of each message as done. Those of which all are will be
// removed from the queue. d.mu is held.
func (d *dispatcher) done(from []*message) {
	for _, m := range from {
		if m.tasks--; m.tasks == 0 {
			d.finished = append(d.finished, m)
		}
	}
	if len(d.finished) > 0 {
		select {
		case d.wake <- struct{}{}:
		default: // it will look anyway
		}
	}
}

// removeFinished removes messages that are done from the queue until the context
// ends.
func (d *dispatcher) removeFinished(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-d.wake:
		}
		d.removeSome(ctx)
		if d.in.options.SingleReplica {
			pause(ctx, collectTime)
		}
	}
}

func (d *dispatcher) removeSome(ctx context.Context) {
	d.mu.Lock()
	done, upTo := d.finished, d.doneUpTo()
	d.finished = nil
	d.mu.Unlock()
	if len(done) >= purgedTogether && upTo > 0 && ctx.Err() == nil {
		// Where it fails, each is removed by its acknowledgement.
		_ = d.in.stream.Purge(ctx, jetstream.WithPurgeSubject(bundleSubject), jetstream.WithPurgeSequence(upTo+1))
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, m := range done {
		d.acknowledge(m)
	}
}

// doneUpTo returns the sequence up to which every bundle in the stream came here
// and is done; 0: that is not known, since others work on the queue too. d.mu is
// held.
func (d *dispatcher) doneUpTo() uint64 {
	if !d.in.options.SingleReplica {
		return 0
	}
	upTo := d.received.stream
	for sequence, m := range d.held {
		if m.tasks > 0 && sequence <= upTo {
			upTo = sequence - 1
		}
	}
	return upTo
}

// acknowledge removes a message from the queue. Where that cannot be sent now,
// extend sends it. d.mu is held.
func (d *dispatcher) acknowledge(m *message) {
	if answer(d.in.js.Conn(), ackDone, m) == nil {
		delete(d.held, m.sequence)
	}
}

// extend tells the server that the messages are being worked on.
func (d *dispatcher) extend() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	var busy []*message
	for _, m := range d.held {
		if m.tasks > 0 {
			busy = append(busy, m)
		} else {
			d.acknowledge(m)
		}
	}
	return answer(d.in.js.Conn(), ackProgress, busy...)
}

// forget drops what waits for a registration.
func (d *dispatcher) forget(registration string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for k, it := range d.items {
		if k.registration == registration && it.hint != nil {
			from := it.from
			it.hint, it.from = nil, nil
			d.done(from)
			d.tidy(it)
		}
	}
}
