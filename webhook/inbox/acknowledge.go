package inbox

import (
	"context"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

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
