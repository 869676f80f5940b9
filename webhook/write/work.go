package write

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/sheetbridge/sheetbridge/webhook/owner"
)

const (
	// gatherTime is how long the first of some writes waits for others, which are made
	// with it in one request, and gatherTimes how often as long as others come.
	gatherTime   = 50 * time.Millisecond
	gatherTimes  = 5
	firstBackoff = time.Second
	maxBackoff   = time.Minute
)

// work makes the writes to one sheet, until there are none or the context ends.
func (e *Engine) work(ctx context.Context, key sheetKey, q *sheetQueue) {
	failures := 0
	for ctx.Err() == nil {
		e.awaitOthers(ctx, q)
		due, next := e.waiting(key, q, time.Now())
		if due == 0 && next.IsZero() {
			return
		}
		if due == 0 {
			pause(ctx, time.Until(next))
			continue
		}
		progressed, wait, err := e.underLease(ctx, key, q)
		if progressed {
			failures = 0
		}
		if err != nil && ctx.Err() == nil && !errors.Is(err, errLeaseLost) {
			failures++
			level := slog.LevelWarn
			if errors.Is(err, owner.ErrBudget) {
				level = slog.LevelInfo // it is how the budget is kept
			}
			e.Log.Log(ctx, level, "writes wait and are tried again", "sheet", key.id, "waiting", due, "err", err)
			d := max(wait, backoff(failures))
			if until := e.firstUntil(q); !until.IsZero() {
				d = min(d, max(time.Until(until), firstBackoff)) // it is answered soon after its time has run out
			}
			pause(ctx, d)
		}
	}
}

// awaitOthers waits for writes that come together, as long as they come and for a moment
// at most.
func (e *Engine) awaitOthers(ctx context.Context, q *sheetQueue) {
	for n, before := 0, e.length(q); n < gatherTimes; n++ {
		pause(ctx, gatherTime)
		now := e.length(q)
		if now == before {
			return
		}
		before = now
	}
}

// backoff is how long to wait after so many failures in a row.
func backoff(failures int) time.Duration {
	d := maxBackoff
	if failures < 10 {
		d = min(firstBackoff<<(failures-1), maxBackoff)
	}
	return d/2 + rand.N(d/2)
}

func pause(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// underLease makes writes to a sheet as long as some are due. It returns whether
// any was answered and, with an error, how long Smartsheet, or the budget, asks to
// wait.
func (e *Engine) underLease(ctx context.Context, key sheetKey, q *sheetQueue) (progressed bool, wait time.Duration, err error) {
	l, err := e.Store.leases.acquire(ctx, key)
	if err != nil {
		return false, 0, err
	}
	defer func() {
		released, cancel := context.WithTimeout(context.WithoutCancel(ctx), requestTimeout)
		defer cancel()
		err = errors.Join(err, l.release(released))
	}()
	for ctx.Err() == nil {
		answered, err := e.round(ctx, l, q)
		due := e.endRound(q, answered)
		progressed = progressed || len(answered) > 0
		if err != nil {
			return progressed, owner.WaitOf(err), err
		}
		if due == 0 {
			return progressed, 0, nil
		}
	}
	return progressed, 0, ctx.Err()
}
