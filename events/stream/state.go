package stream

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/sheetbridge/sheetbridge/events"
)

// State is how a share stands in the partner's stream. It must not be changed.
type State struct {
	// Lock is the sequence of the share's last status, 0 for none: what a Writer
	// publishes under. It moves with every status, and only with those.
	Lock      uint64
	Status    *events.StatusData // nil: none
	StatusAt  time.Time          // when the status was stored; zero: it was just published, see [Writer]
	Carried   string             // by the status, see [Writer.Carry]
	Schema    *events.SchemaData // nil: none
	SchemaSeq uint64
	SchemaAt  time.Time // when the schema was published
}

// Loaded tells whether all that the share shows, as its schema in the stream
// defines it, has been published once.
func (st *State) Loaded() bool {
	return st.Schema != nil && st.Status != nil && st.Lock > st.SchemaSeq && st.Status.CompleteTo != nil
}

// CompleteTo is the version of the sheet that the share is complete to, 0 until
// it is loaded.
func (st *State) CompleteTo() int64 {
	if !st.Loaded() {
		return 0
	}
	return st.Status.CompleteTo.Version
}

// At says how a share stands that should have the revision: as its partner was
// told, or has to conclude at that time. Nil is the state of a share of which
// nothing was ever published.
func (st *State) At(revision int64, at time.Time) (state events.State, reason string, to *events.CompleteTo) {
	if st == nil || st.Schema == nil || st.Status == nil || st.Status.State == events.StateEnded && st.Lock > st.SchemaSeq {
		return events.StateLoading, "nothing was published yet", nil // or all of it of an earlier share
	}
	switch status := st.Status; {
	case st.Schema.Revision < revision:
		return events.StateLoading, "the change was not published yet", nil
	case status.NextBefore != nil && at.After(*status.NextBefore):
		return events.StateStale, "the status was not renewed in time; it was " + string(status.State), status.CompleteTo
	default:
		return status.State, status.Reason, status.CompleteTo
	}
}

// State reads how the share stands. Known is what was read before, nil for
// nothing: where no status came since, it is returned as it is, which costs one
// small request. A copy of the stream that lags behind may answer: what is
// published under a lock that is too old is refused. ErrLag says that copies did
// not agree.
func (s *Stream) State(ctx context.Context, sh *events.Share, known *State) (*State, error) {
	last, err := s.lastMessages(ctx, []string{sh.SubjectStatus()}, 0)
	if err != nil {
		return nil, fmt.Errorf("reading the state of share %s: %w", sh.Sheet, err)
	}
	status := last[sh.SubjectStatus()]
	if known != nil && known.Lock > 0 && status.sequence == known.Lock {
		if status.stored.Equal(known.StatusAt) {
			return known, nil
		}
		if known.StatusAt.IsZero() && known.sameStatus(sh, status) {
			confirmed := *known
			confirmed.StatusAt = status.stored
			return &confirmed, nil
		}
	}
	// A schema comes with a status of its own, in one batch. So who reads it after
	// the status, and from a copy that has come as far, does not get one that is
	// older than the lock.
	if last, err = s.lastMessages(ctx, []string{sh.SubjectSchema(), sh.SubjectStatus()}, status.sequence); err != nil {
		return nil, fmt.Errorf("reading the state of share %s: %w", sh.Sheet, err)
	}
	if status.sequence > 0 { // the older one: a status between the two requests has the lock
		last[sh.SubjectStatus()] = status
	} else {
		delete(last, sh.SubjectStatus())
	}
	return s.readState(ctx, sh, last)
}

// readState is stateOf for messages of which those that cannot be read have to go.
func (s *Stream) readState(ctx context.Context, sh *events.Share, last map[string]message) (*State, error) {
	st, unreadable := stateOf(sh, last)
	for _, m := range unreadable {
		if err := s.removeForeign(ctx, m, true); err != nil {
			return nil, fmt.Errorf("reading the state of share %s: %w", sh.Sheet, err)
		}
	}
	return st, nil
}

// sameStatus tells whether a message is the state's status, which was published
// and not read.
func (st *State) sameStatus(sh *events.Share, m message) bool {
	read, unreadable := stateOf(sh, map[string]message{sh.SubjectStatus(): m})
	return len(unreadable) == 0 && read.Status.Epoch == st.Status.Epoch && read.Status.Revision == st.Status.Revision &&
		read.Status.State == st.Status.State && read.Status.Since.Equal(st.Status.Since)
}

// Lock reads the sequence of the share's last status, 0 for none.
func (s *Stream) Lock(ctx context.Context, sh *events.Share) (uint64, error) {
	last, err := s.lastMessages(ctx, []string{sh.SubjectStatus()}, 0)
	if err != nil {
		return 0, fmt.Errorf("reading the lock of share %s: %w", sh.Sheet, err)
	}
	return last[sh.SubjectStatus()].sequence, nil
}

// stateOf is the state that the last messages of a share say. Those that cannot
// be read count as absent.
func stateOf(sh *events.Share, msgs map[string]message) (st *State, unreadable []message) {
	st = &State{}
	if m, ok := msgs[sh.SubjectSchema()]; ok {
		var schema events.SchemaData
		if err := decodeData(m, &schema); err != nil {
			unreadable = append(unreadable, m)
		} else {
			st.Schema, st.SchemaSeq, st.SchemaAt = &schema, m.sequence, m.stored
		}
	}
	if m, ok := msgs[sh.SubjectStatus()]; ok {
		var status events.StatusData
		if err := decodeData(m, &status); err != nil {
			unreadable = append(unreadable, m)
		} else {
			st.Status, st.Lock, st.StatusAt, st.Carried = &status, m.sequence, m.stored, m.carried
		}
	}
	return st, unreadable
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
