// Package budget divides what one Smartsheet token may ask for among all
// sheets, callbacks and replicas that use it. There is one value per token, a
// theoretical arrival time (generic cell rate algorithm, GCRA), in a bucket of
// the bridge's NATS account, changed by compare-and-set. A process that uses a
// token much takes several requests in one change (see block). All times are
// those of the NATS server's clock, whatever the replicas' own clocks show.
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
	Write                  // wants an eighth free
	Reconcile              // wants a quarter free
	Load                   // wants half free
)

const (
	attempts       = 100 // compare-and-set against many workers at once
	requestTimeout = 5 * time.Second
	// margin keeps the rate below the limit by what the network may squeeze
	// together on the way.
	margin = 0.95
	// maxPenalty is the longest time for which a token is not used because
	// Smartsheet asked for that.
	maxPenalty = 10 * time.Minute
)

// ErrContended says that the value changed under us too often.
var ErrContended = errors.New("the budget is contended")

// Budget is the budgets of all tokens. It is safe for concurrent use.
type Budget struct {
	kv       jetstream.KeyValue
	interval time.Duration // between two requests at the steady rate
	burst    time.Duration // how far a value may run ahead of the clock
	block    int           // most requests that one change takes
	clock    *clock
	now      func() time.Time // the server's clock
	leases   leases
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
	clock := newClock(kv)
	b := &Budget{kv: kv, clock: clock, now: clock.now, leases: leases{byToken: map[string]*lease{}}}
	b.interval, b.burst = rate(perMinute)
	b.block = min(max(int(b.burst/b.interval)/burstParts, 1), maxBlock)
	if err := clock.measure(ctx); err != nil {
		return nil, fmt.Errorf("opening the budget: %w", err)
	}
	return b, nil
}

// rate returns interval and burst for which burst/interval + 60s/interval stays
// within perMinute, also where requests are up to blockAge late.
func rate(perMinute int) (interval, burst time.Duration) {
	n := max(perMinute, 2)
	atOnce := max(n/4, 1)
	late := float64(time.Minute) / float64(time.Minute+blockAge)
	steady := max(float64(n-atOnce)*margin*late, 1)
	interval = time.Duration(float64(time.Minute) / steady)
	return interval, time.Duration(atOnce) * interval
}

// Offset returns how far the server's clock is ahead of this process's clock,
// as it was measured last; it is off by at most half the time of one request.
func (b *Budget) Offset() time.Duration { return b.clock.offset() }

// Take takes one request from the token's budget. It returns 0 when it was
// taken, else how long to wait before asking again. A request that was taken is
// to be sent now.
func (b *Budget) Take(ctx context.Context, token string, class Class) (time.Duration, error) {
	l := b.leases.of(token)
	if err := l.lock(ctx); err != nil {
		return 0, fmt.Errorf("waiting for the budget: %w", err)
	}
	defer l.unlock()
	if l.spend(class, b.now()) {
		return 0, nil
	}
	var wait time.Duration
	var taken int
	var at time.Time
	err := b.change(ctx, token, func(s *use, now time.Time) bool {
		at = now
		if taken, wait = b.fit(s, class, now, l.want(class, now, b.block)); taken == 0 {
			return false
		}
		s.count(taken, b.interval, now)
		return true
	})
	if err == nil && taken > 0 {
		l.put(class, taken, at)
	}
	return wait, err
}

// fit returns how many requests of a class may be taken now, up to want; for
// none it returns how long to wait for one. It brings the arrival time up to now.
func (b *Budget) fit(s *use, class Class, now time.Time, want int) (n int, wait time.Duration) {
	ahead := b.burst
	switch class {
	case Write:
		ahead -= b.burst / 8
	case Reconcile:
		ahead -= b.burst / 4
	case Load:
		ahead -= b.burst / 2
	}
	ahead = max(ahead, b.interval)
	s.arrival = b.arrival(s, now)
	room := now.Add(ahead).Sub(s.arrival)
	if room < b.interval {
		return 0, b.interval - room
	}
	return min(want, int(room/b.interval)), 0
}

// arrival is the theoretical arrival time, not before now. No replica that keeps
// to the server's clock leaves one that is further ahead than the burst, so that
// is the most there can be, but that a penalty reaches further: at its end the
// burst is used up.
func (b *Budget) arrival(s *use, now time.Time) time.Time {
	used := earlier(s.arrival, now.Add(b.burst))
	penalized := earlier(s.penalty, now.Add(maxPenalty)).Add(b.burst - b.interval)
	return later(later(used, penalized), now)
}

// Penalize lets nobody use the token for the duration, at most ten minutes:
// Smartsheet asked for it.
func (b *Budget) Penalize(ctx context.Context, token string, d time.Duration) error {
	l := b.leases.of(token)
	if err := l.lock(ctx); err != nil {
		return fmt.Errorf("waiting for the budget: %w", err)
	}
	defer l.unlock()
	l.drop()
	return b.change(ctx, token, func(s *use, now time.Time) bool {
		until := now.Add(min(d, maxPenalty))
		if !until.After(s.penalty) {
			return false
		}
		s.penalty = until
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
	now := b.now()
	ahead := b.arrival(&s, now).Sub(now)
	return int((ahead + b.interval - 1) / b.interval), of, nil
}

// change replaces the token's value by what the function makes of it, unless
// that says that it stays as it is.
func (b *Budget) change(ctx context.Context, token string, next func(s *use, now time.Time) bool) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	if err := b.clock.check(ctx); err != nil {
		return fmt.Errorf("taking from the budget: %w", err)
	}
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
	b.clock.observe(e.Created())
	return parseUse(e.Value()), e.Revision(), nil
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
