// Package stream is a partner's stream: what is published to it and what the
// partner last saw, over a NATS connection into the partner's account.
//
// The last message of a subject is the state of one object, so the stream is the
// only memory of what a partner has seen. A share has one writer at a time, by an
// optimistic lock on one exact subject: see [Writer].
package stream

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/events/seal"
)

// Name is the name of the one stream that a partner's account has.
const Name = events.StreamName

// History is how many messages of one subject the stream keeps, unless told
// otherwise.
const History = 32

// Options say how a partner's stream is kept. They may change when it is
// opened again.
type Options struct {
	Replicas int // copies that a cluster keeps; 0 is 1
	History  int // messages kept of each subject; 0 is History
	// Storage is how many bytes the stream may have; 0 is no limit. It should
	// have one where its account has, and the same: a server that finds an
	// account exhausted in the midst of a batch has stored a part of it, and does
	// not answer.
	Storage int64
	// Key is what the MAC of each message is made with, where others than the
	// bridge may write to the stream; empty where nobody can.
	Key     seal.Secret
	Foreign ForeignRecorder // records what others wrote; nil: nobody does
}

// minDuplicates is the shortest time for which the server looks for repeated ids of
// messages, of which there are none: when it starts it reads all that was stored
// within that time.
const minDuplicates = 100 * time.Millisecond

// requestTimeout bounds one request to NATS. While a cluster has no leader its
// API does not answer at all, so this is also how soon we look again.
const requestTimeout = 3 * time.Second

// Stream is the stream EVENTS of one partner: what the partner reads, and the
// only memory of what the partner has seen.
type Stream struct {
	nc      *nats.Conn
	js      jetstream.JetStream
	partner string
	options Options
	info    *jetstream.StreamInfo // as it was when the stream was opened
	made    bool

	lastStates lastStates // of shares, see States
	unread     unread     // see UnreadSince
}

// ErrTaken says that the account has a stream of that name which is not this
// partner's. It is left alone.
var ErrTaken = errors.New("the account has another stream " + Name + ": give the partner an account of its own")

// Open returns the partner's stream over a connection into its account,
// and makes it when there is none.
func Open(ctx context.Context, nc *nats.Conn, partner string, o Options) (*Stream, error) {
	js, err := jetstream.New(nc, jetstream.WithDefaultTimeout(requestTimeout))
	if err != nil {
		return nil, fmt.Errorf("opening the stream of partner %s: %w", partner, err)
	}
	subjects := []string{"smartsheet." + partner + ".>"}
	there, err := js.Stream(ctx, Name)
	missing := errors.Is(err, jetstream.ErrStreamNotFound)
	if err != nil && !missing { // one may be there, and not be this partner's
		return nil, fmt.Errorf("opening the stream of partner %s: %w", partner, err)
	}
	if !missing && !slices.Equal(there.CachedInfo().Config.Subjects, subjects) {
		return nil, fmt.Errorf("opening the stream of partner %s: %w: its subjects are %q", partner, ErrTaken, there.CachedInfo().Config.Subjects)
	}
	st, err := js.CreateOrUpdateStream(ctx, jetstream.StreamConfig{
		Name:               Name,
		Description:        "Sheetbridge: what is shared with " + partner,
		Subjects:           subjects,
		Storage:            jetstream.FileStorage,
		Retention:          jetstream.LimitsPolicy,
		Discard:            jetstream.DiscardNew, // when full it refuses; a living row's last state is never dropped
		MaxMsgsPerSubject:  int64(cmp.Or(o.History, History)),
		MaxBytes:           max(o.Storage, 0),
		Replicas:           cmp.Or(o.Replicas, 1),
		Duplicates:         minDuplicates,
		DenyDelete:         true,
		AllowDirect:        true,
		AllowAtomicPublish: true,
		AllowMsgTTL:        true, // of answers to writes; nothing else has one
	})
	if err != nil {
		return nil, fmt.Errorf("making the stream of partner %s: %w", partner, err)
	}
	return &Stream{nc: nc, js: js, partner: partner, options: o, info: st.CachedInfo(), made: missing}, nil
}

// Reopen opens the stream over the same connection, with other options if they
// have changed, and makes it again if it is gone.
func (s *Stream) Reopen(ctx context.Context, o Options) (*Stream, error) {
	return Open(ctx, s.nc, s.partner, o)
}

// Connected tells why the connection to the stream's server does not stand, nil
// if it does as far as is known. It is made again by itself.
func (s *Stream) Connected() error {
	if s.nc.IsConnected() {
		return nil
	}
	if err := s.nc.LastError(); err != nil {
		return fmt.Errorf("the connection is lost and being made again: %w", err)
	}
	return errors.New("the connection is lost and being made again")
}

// Options are those that the stream was opened with.
func (s *Stream) Options() Options { return s.options }

// Made tells whether there was no stream before this one was opened.
func (s *Stream) Made() bool { return s.made }

// Created is when the stream was made.
func (s *Stream) Created() time.Time { return s.info.Created }

// LastSequence is the last sequence of the whole stream, as its leader has it.
func (s *Stream) LastSequence(ctx context.Context) (uint64, error) {
	st, err := s.js.Stream(ctx, Name)
	if err != nil {
		return 0, fmt.Errorf("asking for the stream's last sequence: %w", err)
	}
	return st.CachedInfo().State.LastSeq, nil
}

// Subjects returns the subjects that the filter covers and that have messages.
func (s *Stream) Subjects(ctx context.Context, filter string) ([]string, error) {
	st, err := s.js.Stream(ctx, Name)
	if err != nil {
		return nil, fmt.Errorf("listing subjects: %w", err)
	}
	info, err := st.Info(ctx, jetstream.WithSubjectFilter(filter))
	if err != nil {
		return nil, fmt.Errorf("listing subjects: %w", err)
	}
	subjects := make([]string, 0, len(info.State.Subjects))
	for subject := range info.State.Subjects {
		subjects = append(subjects, subject)
	}
	return subjects, nil
}

// FirstSequence returns the lowest sequence under the filter, 0 for none.
func (s *Stream) FirstSequence(ctx context.Context, filter string) (uint64, error) {
	request := struct {
		From  uint64 `json:"seq"`
		Next  string `json:"next_by_subj"`
		Batch int    `json:"batch"`
	}{1, filter, 1}
	first := uint64(0)
	_, err := s.directGet(ctx, request, 1, func(m message) { first = m.sequence })
	if err != nil && !errors.Is(err, errNone) {
		return 0, fmt.Errorf("asking for the first sequence: %w", err)
	}
	return first, nil
}

// PurgeBelow removes what stands below the sequence under the filter. The
// sequence makes it safe to repeat, by whomever.
func (s *Stream) PurgeBelow(ctx context.Context, filter string, sequence uint64) error {
	st, err := s.js.Stream(ctx, Name)
	if err == nil {
		err = st.Purge(ctx, jetstream.WithPurgeSubject(filter), jetstream.WithPurgeSequence(sequence))
	}
	if err != nil {
		return fmt.Errorf("purging below sequence %d: %w", sequence, err)
	}
	return nil
}

// Delete removes the stream with all that was published. One that is gone
// already is no error.
func (s *Stream) Delete(ctx context.Context) error {
	if err := s.js.DeleteStream(ctx, Name); err != nil && !errors.Is(err, jetstream.ErrStreamNotFound) {
		return fmt.Errorf("deleting the stream: %w", err)
	}
	return nil
}

// All calls the function with every message of the bridge's in the stream, oldest
// first, as it stands now. A copy that lags behind gives less.
func (s *Stream) All(ctx context.Context, f func(sequence uint64, subject string, data []byte) error) error {
	st, err := s.js.Stream(ctx, Name)
	if err != nil {
		return fmt.Errorf("reading the stream: %w", err)
	}
	for next, last := uint64(1), st.CachedInfo().State.LastSeq; next <= last; {
		p, err := s.scan(ctx, next)
		if err != nil {
			return fmt.Errorf("reading the stream: %w", err)
		}
		for _, m := range p.messages {
			next = m.sequence + 1
			if !s.genuine(m) {
				continue
			}
			if err := f(m.sequence, m.subject, m.data); err != nil {
				return err
			}
		}
		if p.pending == 0 || len(p.messages) == 0 {
			return nil
		}
	}
	return nil
}
