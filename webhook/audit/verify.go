package audit

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

const (
	maxBroken   = 100 // findings of one verification
	verifyBatch = 100 // entries that are read at once; the largest have 256 KiB
	// readerTime is how long NATS keeps the reader of a verification that broke
	// off.
	readerTime = 30 * time.Second
)

// Report is what a verification found. With Sequence and Hash kept somewhere else,
// it can be proved later that nothing up to there was cut off or replaced.
type Report struct {
	Entries  uint64   `json:"entries" doc:"How many there are"`
	Sequence uint64   `json:"sequence" doc:"Of the last one"`
	Hash     string   `json:"hash" doc:"SHA-256 of the last one"`
	Intact   bool     `json:"intact" doc:"No entry was changed, left out or slipped in"`
	Broken   []Broken `json:"broken" nullable:"false" doc:"What is wrong, the first hundred"`
}

// Broken is one finding.
type Broken struct {
	Sequence uint64 `json:"sequence"`
	Why      string `json:"why"`
}

// List returns up to limit entries with a sequence below before, newest first;
// before 0 is from the end.
func (l *Log) List(ctx context.Context, before uint64, limit int) ([]Entry, error) {
	info, err := l.stream.Info(ctx)
	if err != nil {
		return nil, fmt.Errorf("listing the audit log: %w", err)
	}
	next := info.State.LastSeq
	if before > 0 {
		next = min(next, before-1)
	}
	var list []Entry
	for ; next >= max(info.State.FirstSeq, 1) && len(list) < limit; next-- {
		e, _, err := l.get(ctx, next)
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			continue // a gap, which a verification finds
		}
		if err != nil {
			return nil, err
		}
		list = append(list, *e)
	}
	return list, nil
}

// Verify reads all entries and follows the chain.
func (l *Log) Verify(ctx context.Context) (*Report, error) {
	r, err := l.verify(ctx)
	if err != nil {
		return nil, fmt.Errorf("verifying the audit log: %w", err)
	}
	r.Intact = len(r.Broken) == 0
	return r, nil
}

func (l *Log) verify(ctx context.Context) (*Report, error) {
	info, err := l.stream.Info(ctx)
	if err != nil {
		return nil, err
	}
	r := &Report{Entries: info.State.Msgs, Hash: first, Broken: []Broken{}}
	reader, err := l.stream.CreateConsumer(ctx, jetstream.ConsumerConfig{
		AckPolicy: jetstream.AckNonePolicy, MemoryStorage: true, Replicas: 1, InactiveThreshold: readerTime,
	})
	if err != nil {
		return nil, err
	}
	for next, last := uint64(1), info.State.LastSeq; next <= last; {
		batch, err := reader.Fetch(int(min(verifyBatch, last-next+1)), jetstream.FetchMaxWait(requestTimeout))
		if err != nil {
			return nil, err
		}
		began := next
		for m := range batch.Messages() {
			meta, err := m.Metadata()
			if err != nil {
				return nil, err
			}
			if sequence := meta.Sequence.Stream; sequence >= next && sequence <= last {
				if err := l.oneByOne(ctx, r, next, sequence); err != nil {
					return nil, err
				}
				e, signed := l.entryOf(sequence, m.Data(), m.Headers())
				r.follow(e, signed)
				next = sequence + 1
			}
		}
		if next == began { // nothing more comes
			return r, l.oneByOne(ctx, r, next, last+1)
		}
	}
	return r, ctx.Err()
}

// oneByOne looks for the entries from a sequence to before another that were not
// read with the others: they are missing, or got lost on their way here. What is
// missing beyond what a report holds is not looked for.
func (l *Log) oneByOne(ctx context.Context, r *Report, from, to uint64) error {
	for sequence := from; sequence < to && len(r.Broken) < maxBroken; sequence++ {
		e, signed, err := l.get(ctx, sequence)
		switch {
		case errors.Is(err, jetstream.ErrMsgNotFound):
			r.broken(sequence, "the entry is missing")
		case err != nil:
			return err
		default:
			r.follow(e, signed)
		}
	}
	return nil
}

// follow goes one entry further.
func (r *Report) follow(e *Entry, signed bool) {
	switch {
	case !signed:
		r.broken(e.Sequence, "the entry was changed or slipped in: its signature is wrong")
	case e.Previous != r.Hash:
		r.broken(e.Sequence, "the entry does not follow the one before it: something was changed, left out or put in another order")
	}
	r.Sequence, r.Hash = e.Sequence, e.Hash
}

func (r *Report) broken(sequence uint64, why string) {
	if len(r.Broken) < maxBroken {
		r.Broken = append(r.Broken, Broken{sequence, why})
	}
}
