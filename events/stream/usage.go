package stream

import (
	"context"
	"encoding/json"
	"fmt"
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
}

// Usage asks the stream's server. What consumers are called is the partner's to
// choose, and nobody else's to repeat: they are only counted.
func (s *Stream) Usage(ctx context.Context) (Usage, error) {
	st, err := s.js.Stream(ctx, Name)
	if err != nil {
		return Usage{}, fmt.Errorf("asking for the use of the stream: %w", err)
	}
	state := st.CachedInfo().State
	u := Usage{Messages: state.Msgs, Bytes: state.Bytes, Readers: state.Consumers}
	if account, err := s.js.AccountInfo(ctx); err == nil {
		u.Stored, u.Limit = account.Store, max(0, account.Limits.MaxStore)
	} // else without: an account elsewhere need not let us ask
	u.Lag, u.LastRead, err = s.reading(ctx)
	return u, err
}

// reading is how far the slowest of the consumers is behind, and when one was last
// given something. One request tells of 256 of them, and more are not looked at.
func (s *Stream) reading(ctx context.Context) (lag uint64, last time.Time, err error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	m, err := s.nc.RequestWithContext(ctx, "$JS.API.CONSUMER.LIST."+Name, nil)
	if err != nil {
		return 0, last, fmt.Errorf("listing the stream's consumers: %w", err)
	}
	var answer struct {
		Error     *jetstream.APIError `json:"error"`
		Consumers []struct {
			Pending   uint64 `json:"num_pending"`
			Delivered struct {
				LastActive *time.Time `json:"last_active"`
			} `json:"delivered"`
		} `json:"consumers"`
	}
	if err := json.Unmarshal(m.Data, &answer); err != nil {
		return 0, last, fmt.Errorf("listing the stream's consumers: %w", err)
	}
	if answer.Error != nil {
		return 0, last, fmt.Errorf("listing the stream's consumers: %w", answer.Error)
	}
	for _, c := range answer.Consumers {
		lag = max(lag, c.Pending)
		if at := c.Delivered.LastActive; at != nil && at.After(last) {
			last = *at
		}
	}
	return lag, last, nil
}
