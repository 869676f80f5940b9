package events

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// StreamName is the name of the one stream that a partner's account has.
const StreamName = "EVENTS"

// History is how many messages of one subject the stream keeps, unless told
// otherwise.
const History = 32

// StreamOptions say how a partner's stream is kept. They may change when it is
// opened again.
type StreamOptions struct {
	Replicas int // copies that a cluster keeps; 0 is 1
	History  int // messages kept of each subject; 0 is History
	// Storage is how many bytes the stream may have; 0 is no limit. It should
	// have one where its account has, and the same: a server that finds an
	// account exhausted in the midst of a batch has stored a part of it, and does
	// not answer.
	Storage int64
}

// requestTimeout bounds one request to NATS. While a cluster has no leader its
// API does not answer at all, so this is also how soon we look again.
const requestTimeout = 3 * time.Second

// Stream is the stream EVENTS of one partner: what the partner reads, and the
// only memory of what the partner has seen.
type Stream struct {
	nc      *nats.Conn
	js      jetstream.JetStream
	partner string
	options StreamOptions
	info    *jetstream.StreamInfo // as it was when the stream was opened
	made    bool
}

// ErrTaken says that the account has a stream of that name which is not this
// partner's. It is left alone.
var ErrTaken = errors.New("the account has another stream " + StreamName + ": give the partner an account of its own")

// OpenStream returns the partner's stream over a connection into its account,
// and makes it when there is none.
func OpenStream(ctx context.Context, nc *nats.Conn, partner string, o StreamOptions) (*Stream, error) {
	js, err := jetstream.New(nc, jetstream.WithDefaultTimeout(requestTimeout))
	if err != nil {
		return nil, fmt.Errorf("opening the stream of partner %s: %w", partner, err)
	}
	subjects := []string{"smartsheet." + partner + ".>"}
	there, err := js.Stream(ctx, StreamName)
	missing := errors.Is(err, jetstream.ErrStreamNotFound)
	if err != nil && !missing { // one may be there, and not be this partner's
		return nil, fmt.Errorf("opening the stream of partner %s: %w", partner, err)
	}
	if !missing && !slices.Equal(there.CachedInfo().Config.Subjects, subjects) {
		return nil, fmt.Errorf("opening the stream of partner %s: %w: its subjects are %q", partner, ErrTaken, there.CachedInfo().Config.Subjects)
	}
	st, err := js.CreateOrUpdateStream(ctx, jetstream.StreamConfig{
		Name:               StreamName,
		Description:        "Sheetbridge: what is shared with " + partner,
		Subjects:           subjects,
		Storage:            jetstream.FileStorage,
		Retention:          jetstream.LimitsPolicy,
		Discard:            jetstream.DiscardNew, // when full it refuses; a living row's last state is never dropped
		MaxMsgsPerSubject:  int64(cmp.Or(o.History, History)),
		MaxBytes:           max(o.Storage, 0),
		Replicas:           cmp.Or(o.Replicas, 1),
		DenyDelete:         true,
		AllowDirect:        true,
		AllowAtomicPublish: true,
	})
	if err != nil {
		return nil, fmt.Errorf("making the stream of partner %s: %w", partner, err)
	}
	return &Stream{nc: nc, js: js, partner: partner, options: o, info: st.CachedInfo(), made: missing}, nil
}

// Reopen opens the stream over the same connection, with other options if they
// have changed, and makes it again if it is gone.
func (s *Stream) Reopen(ctx context.Context, o StreamOptions) (*Stream, error) {
	return OpenStream(ctx, s.nc, s.partner, o)
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
func (s *Stream) Options() StreamOptions { return s.options }

// Made tells whether there was no stream before this one was opened.
func (s *Stream) Made() bool { return s.made }

// Created is when the stream was made.
func (s *Stream) Created() time.Time { return s.info.Created }

// LastSequence is the last sequence of the whole stream, as its leader has it.
func (s *Stream) LastSequence(ctx context.Context) (uint64, error) {
	st, err := s.js.Stream(ctx, StreamName)
	if err != nil {
		return 0, fmt.Errorf("asking for the stream's last sequence: %w", err)
	}
	return st.CachedInfo().State.LastSeq, nil
}

// ShareState is how a share stands in the partner's stream.
type ShareState struct {
	Lock      uint64 // the last sequence of the share; 0: nothing was ever published
	Schema    *SchemaData
	SchemaSeq uint64
	Status    *StatusData
	StatusSeq uint64
}

// Loaded tells whether all that the share shows, as it is defined in the stream,
// has been published once.
func (st *ShareState) Loaded() bool {
	return st.Schema != nil && st.Status != nil && st.StatusSeq > st.SchemaSeq && st.Status.CompleteTo != nil
}

// State reads how the share stands. It must be called before Smartsheet is
// read: what is published later under its Lock is refused if anything of the
// share was published meanwhile.
func (s *Stream) State(ctx context.Context, sh *Share) (*ShareState, error) {
	lock, err := s.lastSequence(ctx, sh.SubjectAll())
	if err != nil {
		return nil, fmt.Errorf("reading the state of share %s: %w", sh.Sheet, err)
	}
	st := &ShareState{Lock: lock}
	if lock == 0 {
		return st, nil
	}
	msgs, err := s.last(ctx, []string{sh.SubjectSchema(), sh.SubjectStatus()}, lock)
	if err != nil {
		return nil, fmt.Errorf("reading the state of share %s: %w", sh.Sheet, err)
	}
	known, err := stateOf(sh, msgs)
	if err != nil {
		return nil, err
	}
	known.Lock = lock
	return known, nil
}

func decodeData(m message, into any) error {
	e := struct {
		Data any `json:"data"`
	}{into}
	if err := json.Unmarshal(m.data, &e); err != nil {
		return fmt.Errorf("reading the event at sequence %d of %s: %w", m.sequence, m.subject, err)
	}
	return nil
}

// Last returns what the partner last saw of each of the subjects, which are
// objects of the share, as the stream stood at sequence lock or later. A
// subject without a message is not in the answer. The share must have its
// schema in the stream.
func (s *Stream) Last(ctx context.Context, sh *Share, subjects []string, lock uint64) (map[string]*Seen, error) {
	seen := make(map[string]*Seen, len(subjects))
	for chunk := range slices.Chunk(subjects, maxLast) {
		msgs, err := s.last(ctx, append(slices.Clip(chunk), sh.SubjectSchema()), lock)
		if err != nil {
			return nil, err
		}
		delete(msgs, sh.SubjectSchema())
		for subject, m := range msgs {
			if seen[subject], err = ParseSeen(m.data, m.sequence); err != nil {
				return nil, err
			}
		}
	}
	return seen, nil
}

// Subjects returns the subjects that the filter covers and that have messages.
func (s *Stream) Subjects(ctx context.Context, filter string) ([]string, error) {
	st, err := s.js.Stream(ctx, StreamName)
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

// PurgeBelow removes what stands below the sequence under the filter. The
// sequence makes it safe to repeat, by whomever.
func (s *Stream) PurgeBelow(ctx context.Context, filter string, sequence uint64) error {
	st, err := s.js.Stream(ctx, StreamName)
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
	if err := s.js.DeleteStream(ctx, StreamName); err != nil && !errors.Is(err, jetstream.ErrStreamNotFound) {
		return fmt.Errorf("deleting the stream: %w", err)
	}
	return nil
}

// FirstSequence returns the lowest sequence under the filter, 0 for none.
func (s *Stream) FirstSequence(ctx context.Context, filter string) (uint64, error) {
	return s.getSequence(ctx, map[string]any{"seq": 1, "next_by_subj": filter})
}

// lastSequence returns the last sequence under the filter, 0 for none. It asks
// the leader: a copy may lag behind.
func (s *Stream) lastSequence(ctx context.Context, filter string) (uint64, error) {
	return s.getSequence(ctx, map[string]any{"last_by_subj": filter})
}

func (s *Stream) getSequence(ctx context.Context, request map[string]any) (uint64, error) {
	body, err := json.Marshal(request)
	if err != nil {
		return 0, err
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	m, err := s.nc.RequestWithContext(ctx, "$JS.API.STREAM.MSG.GET."+StreamName, body)
	if err != nil {
		return 0, fmt.Errorf("asking for a sequence: %w", err)
	}
	var answer struct {
		Error   *jetstream.APIError `json:"error"`
		Message struct {
			Sequence uint64 `json:"seq"`
		} `json:"message"`
	}
	if err := json.Unmarshal(m.Data, &answer); err != nil {
		return 0, fmt.Errorf("reading a sequence: %w", err)
	}
	if answer.Error != nil {
		if answer.Error.ErrorCode == jetstream.JSErrCodeMessageNotFound {
			return 0, nil
		}
		return 0, fmt.Errorf("asking for a sequence: %w", answer.Error)
	}
	return answer.Message.Sequence, nil
}

// ErrLag says that a copy of the stream answered that has not yet seen what we
// know to stand in it, or that a part of its answer was lost.
var ErrLag = errors.New("a replica of the stream lags behind")

// All calls the function with every message of the stream, oldest first, as it
// stands now.
func (s *Stream) All(ctx context.Context, f func(sequence uint64, subject string, data []byte) error) error {
	st, err := s.js.Stream(ctx, StreamName)
	if err != nil {
		return fmt.Errorf("reading the stream: %w", err)
	}
	for next, end := uint64(1), st.CachedInfo().State.LastSeq; next <= end; {
		p, err := s.scan(ctx, next)
		if err != nil {
			return fmt.Errorf("reading the stream: %w", err)
		}
		for _, m := range p.messages {
			if err := f(m.sequence, m.subject, m.data); err != nil {
				return err
			}
			next = m.sequence + 1
		}
		if p.pending == 0 || len(p.messages) == 0 {
			return nil
		}
	}
	return nil
}
