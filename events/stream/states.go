package stream

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/sheetbridge/sheetbridge/events"
)

// extent is what a stream holds: as long as it is the same, so is every message.
type extent struct {
	created                time.Time
	messages, bytes        uint64
	firstSequence, lastOne uint64
}

func extentOf(info *jetstream.StreamInfo) extent {
	return extent{info.Created, info.State.Msgs, info.State.Bytes, info.State.FirstSeq, info.State.LastSeq}
}

// continues tells whether the stream held this much before, and has all of it still.
func (e extent) continues(before extent) bool {
	return e.created.Equal(before.created) && e.lastOne >= before.lastOne && e.messages-before.messages == e.lastOne-before.lastOne
}

// lastStates is how shares stood when they were last asked for.
type lastStates struct {
	mu     sync.Mutex
	of     extent
	shares []*events.Share
	found  map[*events.Share]*State
}

// at returns what was found for the shares, false where the stream is another now.
func (st *lastStates) at(of extent, shares []*events.Share) (map[*events.Share]*State, bool) {
	st.mu.Lock()
	defer st.mu.Unlock()
	return st.found, st.found != nil && st.of == of && slices.Equal(st.shares, shares)
}

func (st *lastStates) set(of extent, shares []*events.Share, found map[*events.Share]*State) {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.of, st.shares, st.found = of, slices.Clone(shares), found
}

// States reads how shares stand, some hundred in one request; what was never
// published to has no state. It is for people and metrics, which ask again and
// again: what they are told is kept as long as nothing happens in the stream. The
// server would hold the whole last block of the stream in memory otherwise, some
// megabytes for each partner. The answer must not be changed.
func (s *Stream) States(ctx context.Context, shares []*events.Share) (map[*events.Share]*State, error) {
	if s.replicated() { // a copy that lags behind may have answered
		return s.readStates(ctx, shares)
	}
	now, err := s.extent(ctx) // before what is read: what comes in the meantime is read again
	if err != nil {
		return nil, fmt.Errorf("reading the states of shares: %w", err)
	}
	if found, ok := s.lastStates.at(now, shares); ok {
		return found, nil
	}
	found, err := s.readStates(ctx, shares)
	if err == nil {
		s.lastStates.set(now, shares, found)
	}
	return found, err
}

func (s *Stream) extent(ctx context.Context) (extent, error) {
	st, err := s.js.Stream(ctx, Name)
	if err != nil {
		return extent{}, err
	}
	return extentOf(st.CachedInfo()), nil
}

func (s *Stream) readStates(ctx context.Context, shares []*events.Share) (map[*events.Share]*State, error) {
	found := make(map[*events.Share]*State, len(shares))
	for chunk := range slices.Chunk(shares, maxSubjects/2) {
		subjects := make([]string, 0, 2*len(chunk))
		for _, sh := range chunk {
			subjects = append(subjects, sh.SubjectSchema(), sh.SubjectStatus())
		}
		msgs, err := s.lastMessages(ctx, subjects, 0)
		if err != nil {
			return nil, fmt.Errorf("reading the states of shares: %w", err)
		}
		for _, sh := range chunk {
			st, err := s.readState(ctx, sh, msgs)
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
