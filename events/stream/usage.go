package stream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Usage is how much of a partner's stream there is, and how far its readers are.
type Usage struct {
	Messages uint64
	Bytes    uint64
	Stored   uint64    // bytes that the account stores, as its limit counts them: in a cluster every copy
	Limit    int64     // bytes that the account may store; 0: no limit is known
	Lag      uint64    // messages that the slowest consumer has still to get
	Readers  int       // consumers
	LastRead time.Time // when a consumer that is there was last given something; zero: none was

	LastSequence uint64     // of the last message, ever
	LastTime     time.Time  // when that was stored
	Consumers    []Consumer // 256 of them at most

	extent extent
}

// Consumer is a consumer of the stream, and how far it has come. What it is called
// is the partner's to choose: it belongs in no log and no metric.
type Consumer struct {
	Name        string
	Durable     bool
	Delivered   uint64    // sequence up to which it was given the stream; 0: nothing was
	DeliveredAt time.Time // when it was last given something
	Pending     uint64    // messages that it has still to get
	Asking      bool      // somebody waits for its messages at this moment
}

// Usage asks the stream's server.
func (s *Stream) Usage(ctx context.Context) (Usage, error) {
	st, err := s.js.Stream(ctx, Name)
	if err != nil {
		return Usage{}, fmt.Errorf("asking for the use of the stream: %w", err)
	}
	state := st.CachedInfo().State
	u := Usage{
		Messages: state.Msgs, Bytes: state.Bytes, Readers: state.Consumers, LastSequence: state.LastSeq, LastTime: state.LastTime.UTC(),
		extent: extentOf(st.CachedInfo()),
	}
	if account, err := s.js.AccountInfo(ctx); err == nil {
		u.Stored, u.Limit = account.Store, max(0, account.Limits.MaxStore)
	} // else without: an account elsewhere need not let us ask
	if u.Consumers, err = s.consumers(ctx); err != nil {
		return u, err
	}
	for _, c := range u.Consumers {
		u.Lag = max(u.Lag, c.Pending)
		if c.DeliveredAt.After(u.LastRead) {
			u.LastRead = c.DeliveredAt
		}
	}
	return u, nil
}

// consumers lists the consumers. One request tells of 256 of them, and more are not
// looked at.
func (s *Stream) consumers(ctx context.Context) ([]Consumer, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	m, err := s.nc.RequestWithContext(ctx, "$JS.API.CONSUMER.LIST."+Name, nil)
	if err != nil {
		return nil, fmt.Errorf("listing the stream's consumers: %w", err)
	}
	var answer struct {
		Error     *jetstream.APIError       `json:"error"`
		Consumers []*jetstream.ConsumerInfo `json:"consumers"`
	}
	if err := json.Unmarshal(m.Data, &answer); err != nil {
		return nil, fmt.Errorf("listing the stream's consumers: %w", err)
	}
	if answer.Error != nil {
		return nil, fmt.Errorf("listing the stream's consumers: %w", answer.Error)
	}
	list := make([]Consumer, 0, len(answer.Consumers))
	for _, info := range answer.Consumers {
		c := Consumer{Name: info.Name, Durable: info.Config.Durable != "", Pending: info.NumPending, Asking: info.NumWaiting > 0 || info.PushBound}
		if at := info.Delivered.Last; at != nil { // else its sequence is where it will begin
			c.Delivered, c.DeliveredAt = info.Delivered.Stream, at.UTC()
		}
		list = append(list, c)
	}
	return list, nil
}

// UnreadSince is when the first message about an object (a row, an attachment, a
// comment or a write) was stored behind the sequence; zero where there is none. A
// status is none: it is renewed while nothing happens. Usage is what the stream was
// just found to be: as long as the answer cannot have changed, the server is not asked
// again. It would hold the block with that message in memory, some megabytes.
func (s *Stream) UnreadSince(ctx context.Context, usage *Usage, sequence uint64) (time.Time, error) {
	if since, ok := s.unread.at(usage.extent, sequence); ok {
		return since, nil
	}
	request := struct {
		From  uint64 `json:"seq"`
		Next  string `json:"next_by_subj"`
		Batch int    `json:"batch"`
	}{sequence + 1, "smartsheet." + s.partner + ".*.*.*", 1}
	var since time.Time
	_, err := s.directGet(ctx, request, 1, func(m message) { since = m.stored })
	if err != nil && !errors.Is(err, errNone) {
		return since, fmt.Errorf("looking for what was not read: %w", err)
	}
	s.unread.set(usage.extent, sequence, since)
	return since, nil
}

// unread is what [Stream.UnreadSince] found last.
type unread struct {
	mu     sync.Mutex
	of     extent
	behind uint64
	since  time.Time
}

// at returns what was found behind the sequence, false where it may be another by now.
func (u *unread) at(of extent, behind uint64) (time.Time, bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.since, u.behind == behind && (u.of == of || !u.since.IsZero() && of.continues(u.of))
}

func (u *unread) set(of extent, behind uint64, since time.Time) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.of, u.behind, u.since = of, behind, since
}
