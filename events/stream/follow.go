package stream

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
)

const (
	// followMessages and followTime bound one request of Follow, and how long it
	// waits where no subscription says that something came.
	followMessages = 200
	followTime     = 2 * time.Second
)

// ErrRestored says that the stream ends before the sequence that was to be read
// next: it was made again, or restored from an older copy.
var ErrRestored = errors.New("the stream was restored from an older copy")

// Position is where a follower of a stream begins: at a sequence, or where that is
// 0, with the first message that was stored at a time or later.
type Position struct {
	Sequence uint64
	Time     time.Time
}

// Follow calls the function with the bridge's messages of a subject filter, in the
// order of the stream, and with how many more wait to be read, until ctx ends or
// the function fails. It needs no consumer: it reads the stream when a message was
// published to it, and nobody who publishes waits for it.
func (s *Stream) Follow(ctx context.Context, filter string, from Position, take func(m Message, waiting uint64) error) error {
	came := make(chan struct{}, 1)
	sub, err := s.nc.Subscribe(filter, func(*nats.Msg) {
		select {
		case came <- struct{}{}:
		default:
		}
	})
	if err != nil {
		return fmt.Errorf("following the stream of partner %s: %w", s.partner, err)
	}
	defer func() { _ = sub.Unsubscribe() }() // a closed connection has no subscriptions either
	pause := time.NewTicker(followTime)
	defer pause.Stop()
	next := from
	for {
		waiting, err := s.followOn(ctx, filter, &next, take)
		if err != nil {
			return err
		}
		if waiting > 0 {
			continue
		}
		select {
		case <-came:
		case <-pause.C:
			if err := s.goesOn(ctx, next); err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// followOn reads the next messages and hands them over, moves the position behind
// them, and returns how many wait still.
func (s *Stream) followOn(ctx context.Context, filter string, next *Position, take func(Message, uint64) error) (waiting uint64, err error) {
	request := struct {
		From  uint64     `json:"seq,omitempty"`
		Since *time.Time `json:"start_time,omitempty"`
		Next  string     `json:"next_by_subj"`
		Batch int        `json:"batch"`
		Bytes int        `json:"max_bytes"`
	}{From: next.Sequence, Next: filter, Batch: followMessages, Bytes: maxAnswer}
	if next.Sequence == 0 {
		request.Since = &next.Time
	}
	var read []message
	end, err := s.directGet(ctx, request, followMessages, func(m message) { read = append(read, m) })
	if err != nil && !errors.Is(err, errNone) {
		return 0, fmt.Errorf("following the stream of partner %s: %w", s.partner, err)
	}
	for i, m := range read {
		next.Sequence = m.sequence + 1
		if !s.genuine(m) {
			continue
		}
		if err := take(Message{m.sequence, m.subject, m.data}, end.pending+uint64(len(read)-i-1)); err != nil {
			return 0, err
		}
	}
	return end.pending, nil
}

// goesOn returns ErrRestored where the stream ends before the position.
func (s *Stream) goesOn(ctx context.Context, next Position) error {
	if next.Sequence == 0 {
		return nil
	}
	last, err := s.LastSequence(ctx)
	if err == nil && last+1 < next.Sequence {
		return ErrRestored
	}
	return err
}
