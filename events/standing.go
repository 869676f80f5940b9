package events

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// At says how a share stands that should have the revision: as its partner was
// told, or has to conclude at that time. Nil is the state of a share of which
// nothing was ever published.
func (st *ShareState) At(revision int64, at time.Time) (state State, reason string, to *CompleteTo) {
	if st == nil || st.Schema == nil || st.Status == nil || st.Status.State == StateEnded && st.StatusSeq > st.SchemaSeq {
		return StateLoading, "nothing was published yet", nil // or all of it of an earlier share
	}
	switch status := st.Status; {
	case st.Schema.Revision < revision:
		return StateLoading, "the change was not published yet", nil
	case status.NextBefore != nil && at.After(*status.NextBefore):
		return StateStale, "the status was not renewed in time; it was " + string(status.State), status.CompleteTo
	default:
		return status.State, status.Reason, status.CompleteTo
	}
}

// Usage is how much of a partner's stream there is, and how far its readers are.
type Usage struct {
	Messages uint64
	Bytes    uint64
	Stored   uint64 // bytes that the account stores, as its limit counts them: in a cluster every copy
	Limit    int64  // bytes that the account may store; 0: no limit is known
	Lag      uint64 // messages that the slowest consumer has still to get
	Readers  int    // consumers
}

// Usage asks the stream's server. What consumers are called is the partner's to
// choose, and nobody else's to repeat: they are only counted.
func (s *Stream) Usage(ctx context.Context) (Usage, error) {
	st, err := s.js.Stream(ctx, StreamName)
	if err != nil {
		return Usage{}, fmt.Errorf("asking for the use of the stream: %w", err)
	}
	state := st.CachedInfo().State
	u := Usage{Messages: state.Msgs, Bytes: state.Bytes, Readers: state.Consumers}
	if account, err := s.js.AccountInfo(ctx); err == nil {
		u.Stored, u.Limit = account.Store, max(0, account.Limits.MaxStore)
	} // else without: an account elsewhere need not let us ask
	u.Lag, err = s.lag(ctx)
	return u, err
}

// lag is how far the slowest of the consumers is behind. One request tells of
// 256 of them, and more are not looked at.
func (s *Stream) lag(ctx context.Context) (uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	m, err := s.nc.RequestWithContext(ctx, "$JS.API.CONSUMER.LIST."+StreamName, nil)
	if err != nil {
		return 0, fmt.Errorf("listing the stream's consumers: %w", err)
	}
	var answer struct {
		Error     *jetstream.APIError `json:"error"`
		Consumers []struct {
			Pending uint64 `json:"num_pending"`
		} `json:"consumers"`
	}
	if err := json.Unmarshal(m.Data, &answer); err != nil {
		return 0, fmt.Errorf("listing the stream's consumers: %w", err)
	}
	if answer.Error != nil {
		return 0, fmt.Errorf("listing the stream's consumers: %w", answer.Error)
	}
	lag := uint64(0)
	for _, c := range answer.Consumers {
		lag = max(lag, c.Pending)
	}
	return lag, nil
}

// States reads how shares stand, some hundred in one request; what was never
// published to has no state. For people and metrics: a copy of the stream that
// lags behind may have answered.
func (s *Stream) States(ctx context.Context, shares []*Share) (map[*Share]*ShareState, error) {
	found := make(map[*Share]*ShareState, len(shares))
	for chunk := range slices.Chunk(shares, maxLast/2) {
		subjects := make([]string, 0, 2*len(chunk))
		for _, sh := range chunk {
			subjects = append(subjects, sh.SubjectSchema(), sh.SubjectStatus())
		}
		msgs, err := s.last(ctx, subjects, 0)
		if errors.Is(err, errNone) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("reading the states of shares: %w", err)
		}
		for _, sh := range chunk {
			st, err := stateOf(sh, msgs)
			if err != nil {
				return nil, err
			}
			if st.Schema != nil || st.Status != nil {
				found[sh] = st
			}
		}
	}
	return found, nil
}

// stateOf is the state that the last messages of a share tell.
func stateOf(sh *Share, msgs map[string]message) (*ShareState, error) {
	st := &ShareState{}
	if m, ok := msgs[sh.SubjectSchema()]; ok {
		st.Schema, st.SchemaSeq = &SchemaData{}, m.sequence
		if err := decodeData(m, st.Schema); err != nil {
			return nil, err
		}
	}
	if m, ok := msgs[sh.SubjectStatus()]; ok {
		st.Status, st.StatusSeq = &StatusData{}, m.sequence
		if err := decodeData(m, st.Status); err != nil {
			return nil, err
		}
	}
	return st, nil
}
