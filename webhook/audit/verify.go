package audit

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"
)

// maxBroken bounds the findings of one verification.
const maxBroken = 100

// Report is what a verification found. Whoever keeps Sequence and Hash somewhere
// else can tell later that nothing up to there was cut off or replaced.
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
	info, err := l.stream.Info(ctx)
	if err != nil {
		return nil, fmt.Errorf("verifying the audit log: %w", err)
	}
	r := &Report{Entries: info.State.Msgs, Hash: first, Broken: []Broken{}}
	for sequence := uint64(1); sequence <= info.State.LastSeq && len(r.Broken) < maxBroken; sequence++ {
		e, signed, err := l.get(ctx, sequence)
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			r.Broken = append(r.Broken, Broken{sequence, "the entry is missing"})
			continue
		}
		if err != nil {
			return nil, err
		}
		switch {
		case !signed:
			r.Broken = append(r.Broken, Broken{sequence, "the entry was changed or slipped in: its signature is wrong"})
		case e.Previous != r.Hash:
			r.Broken = append(r.Broken, Broken{sequence, "the entry does not follow the one before it: something was changed, left out or put in another order"})
		}
		r.Sequence, r.Hash = sequence, e.Hash
	}
	r.Intact = len(r.Broken) == 0
	return r, nil
}
