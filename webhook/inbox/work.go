package inbox

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

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
