// Package budget divides what one Smartsheet token may ask for among all
// sheets, callbacks and replicas that use it. There is one value per token, a
// theoretical arrival time (generic cell rate algorithm, GCRA), in a bucket of
// the bridge's NATS account, changed by compare-and-set.
package budget

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Bucket is the name of the key-value bucket.
const Bucket = "sheetbridge-budget"

// Class says how urgent a request is.
type Class int

// Classes of requests: each leaves a part of the burst to the ones before it.
const (
	Callback  Class = iota // may use all
	Reconcile              // wants a quarter free
	Load                   // wants half free
)

const (
	attempts       = 100 // compare-and-set against many workers at once
	requestTimeout = 5 * time.Second
	// margin keeps the rate below the limit by what the network may squeeze
	// together on the way.
	margin = 0.95
)

// ErrContended says that the value changed under us too often.
var ErrContended = errors.New("the budget is contended")

// Budget is the budgets of all tokens. It is safe for concurrent use.
type Budget struct {
	kv       jetstream.KeyValue
	interval time.Duration // between two requests at the steady rate
	burst    time.Duration // how far a value may run ahead of the clock
	now      func() time.Time
}

// Open opens the budgets over a connection into the bridge's account. PerMinute
// is the number of requests allowed in any 60 seconds per token: a quarter of
// it may come at once, the rest comes evenly.
func Open(ctx context.Context, nc *nats.Conn, perMinute, replicas int) (*Budget, error) {
	js, err := jetstream.New(nc, jetstream.WithDefaultTimeout(requestTimeout))
	if err != nil {
		return nil, fmt.Errorf("opening the budget: %w", err)
	}
	kv, err := js.CreateOrUpdateKeyValue(ctx, jetstream.KeyValueConfig{
		Bucket:      Bucket,
		Description: "Sheetbridge: use of Smartsheet tokens",
		History:     1,
		TTL:         time.Hour, // a value that old is in the past for long
		// Not in memory: a restart must not forget what was used a moment ago,
		// and a single server would lose the bucket with it.
		Storage:  jetstream.FileStorage,
		Replicas: replicas,
	})
	if err != nil {
		return nil, fmt.Errorf("opening the budget: %w", err)
	}
	interval, burst := rate(perMinute)
	return &Budget{kv: kv, interval: interval, burst: burst, now: time.Now}, nil
}

// rate returns interval and burst for which burst/interval + 60s/interval stays
// within perMinute.
func rate(perMinute int) (interval, burst time.Duration) {
	n := max(perMinute, 2)
	atOnce := max(n/4, 1)
	steady := max(float64(n-atOnce)*margin, 1)
	interval = time.Duration(float64(time.Minute) / steady)
	return interval, time.Duration(atOnce) * interval
}

// Take takes one request from the token's budget. It returns 0 when it was
// taken, else how long to wait before asking again.
func (b *Budget) Take(ctx context.Context, token string, class Class) (time.Duration, error) {
	ahead := b.burst
	switch class {
	case Reconcile:
		ahead -= b.burst / 4
	case Load:
		ahead -= b.burst / 2
	}
	ahead = max(ahead, b.interval)
	var wait time.Duration
	err := b.change(ctx, token, func(s *use, now time.Time) bool {
		arrival := s.arrival
		if arrival.Before(now) {
			arrival = now
		}
		next := arrival.Add(b.interval)
		if wait = next.Sub(now) - ahead; wait > 0 {
			return false
		}
		wait = 0
		s.arrival = next
		s.count(now)
		return true
	})
	return wait, err
}

// Penalize lets nobody use the token for the duration: Smartsheet asked for it.
func (b *Budget) Penalize(ctx context.Context, token string, d time.Duration) error {
	return b.change(ctx, token, func(s *use, now time.Time) bool {
		until := now.Add(d + b.burst - b.interval)
		if !until.After(s.arrival) {
			return false
		}
		s.arrival = until
		return true
	})
}

// Used tells how many requests of the burst are taken at the moment, for people.
func (b *Budget) Used(ctx context.Context, token string) (used, of int, err error) {
	of = int(b.burst / b.interval)
	s, _, err := b.get(ctx, token)
	if err != nil {
		return 0, of, err
	}
	if ahead := s.arrival.Sub(b.now()); ahead > 0 {
		used = int((ahead + b.interval - 1) / b.interval)
	}
	return used, of, nil
}

// change replaces the token's value by what the function makes of it, unless
// that says that it stays as it is.
func (b *Budget) change(ctx context.Context, token string, next func(s *use, now time.Time) bool) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	for range attempts {
		s, revision, err := b.get(ctx, token)
		if err != nil {
			return fmt.Errorf("reading the budget: %w", err)
		}
		if !next(&s, b.now()) {
			return nil
		}
		if revision == 0 {
			_, err = b.kv.Create(ctx, token, s.bytes())
		} else {
			_, err = b.kv.Update(ctx, token, s.bytes(), revision)
		}
		if err == nil {
			return nil
		}
		if !errors.Is(err, jetstream.ErrKeyExists) && !errors.Is(err, jetstream.ErrKeyRevisionMismatch) {
			return fmt.Errorf("taking from the budget: %w", err)
		}
	}
	return ErrContended
}

// get returns the token's value and its revision, 0 for none.
func (b *Budget) get(ctx context.Context, token string) (use, uint64, error) {
	e, err := b.kv.Get(ctx, token)
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return use{}, 0, nil
	}
	if err != nil {
		return use{}, 0, err
	}
	return parseUse(e.Value()), e.Revision(), nil
}
