package inbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sync/errgroup"
)

// Handler works on the merged hints of one registration. Its context ends when
// the work must stop. When it returns nil the hints are done with; after an
// error they come again.
type Handler func(ctx context.Context, h *Hint) error

// Work hands out hints until the context ends: one at a time in each partition,
// merged with all that wait for the same registration.
func (in *Inbox) Work(ctx context.Context, log *slog.Logger, handle Handler) error {
	g, ctx := errgroup.WithContext(ctx)
	for p := range Partitions {
		g.Go(func() error {
			for ctx.Err() == nil {
				if err := in.workPartition(ctx, p, log, handle); err != nil && ctx.Err() == nil {
					log.Warn("inbox: a partition stopped, starting again", "partition", p, "err", err)
					pause(ctx, time.Second)
				}
			}
			return nil
		})
	}
	return g.Wait()
}

// Reclaim takes back the hints that workers held when they were stopped or
// killed, which would otherwise wait until their time is over. It is for a start
// where no other replica can be at work: NATS was down with the workers, and has
// forgotten what they handed back, not what they held.
func (in *Inbox) Reclaim(ctx context.Context) error {
	consumers := in.stream.ListConsumers(ctx)
	var held []string
	for info := range consumers.Info() {
		if info.NumAckPending > 0 {
			held = append(held, info.Name)
		}
	}
	if err := consumers.Err(); err != nil {
		return fmt.Errorf("reclaiming hints: %w", err)
	}
	for _, name := range held { // Work makes it again, and it begins with the oldest hint
		if err := in.stream.DeleteConsumer(ctx, name); err != nil {
			return fmt.Errorf("reclaiming hints: %w", err)
		}
	}
	return nil
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

func (in *Inbox) workPartition(ctx context.Context, p int, log *slog.Logger, handle Handler) error {
	name := fmt.Sprintf("relay-%d", p)
	consumer, err := in.stream.CreateOrUpdateConsumer(ctx, jetstream.ConsumerConfig{
		Durable:       name,
		FilterSubject: fmt.Sprintf("inbox.%d.>", p),
		AckPolicy:     jetstream.AckExplicitPolicy,
		AckWait:       ackWait,
		MaxAckPending: 1, // one sheet, one worker
		MaxDeliver:    -1,
	})
	if err != nil {
		return err
	}
	msgs, err := consumer.Messages(jetstream.PullMaxMessages(1), jetstream.PullExpiry(30*time.Second))
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
		switch err := in.work(ctx, m, handle); {
		case err == nil:
		case ctx.Err() != nil: // stopped: another replica takes it at once
			return m.Nak()
		default:
			log.Warn("inbox: a hint comes again", "partition", p, "err", err)
			if err := m.NakWithDelay(time.Second); err != nil {
				return err
			}
		}
	}
}

// work merges what waits, keeps the message alive while it is worked on, and
// removes what was merged.
func (in *Inbox) work(ctx context.Context, m jetstream.Msg, handle Handler) error {
	h := &Hint{}
	if err := json.Unmarshal(m.Data(), h); err != nil {
		return m.TermWithReason("not a hint") // ours alone write here
	}
	meta, err := m.Metadata()
	if err != nil {
		return err
	}
	if h.ReceivedAt.IsZero() { // the clock gave it
		h.ReceivedAt = meta.Timestamp
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go keepAlive(ctx, cancel, m.InProgress)
	last, err := in.merge(ctx, h, m.Subject(), meta.Sequence.Stream)
	if err != nil {
		return err
	}
	if err := handle(ctx, h); err != nil {
		return err
	}
	if last > meta.Sequence.Stream {
		if err := in.stream.Purge(ctx, jetstream.WithPurgeSubject(m.Subject()), jetstream.WithPurgeSequence(last+1)); err != nil {
			return err
		}
	}
	return m.DoubleAck(ctx)
}

// maxMerged bounds how many hints one pass takes: the rest come with the next.
const maxMerged = 10_000

// merge adds the hints that wait behind the message and returns the sequence of
// the last one.
func (in *Inbox) merge(ctx context.Context, h *Hint, subject string, sequence uint64) (uint64, error) {
	for range maxMerged {
		next, err := in.stream.GetMsg(ctx, sequence+1, jetstream.WithGetMsgSubject(subject))
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			return sequence, nil
		}
		if err != nil {
			return 0, fmt.Errorf("looking for more hints: %w", err)
		}
		other := &Hint{}
		if err := json.Unmarshal(next.Data, other); err == nil {
			h.Merge(other)
		}
		sequence = next.Sequence
	}
	return sequence, nil
}

// keepAlive tells the server again and again that the message is being worked
// on. Where that has not been possible for so long that the message is handed to
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
