package write

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/smartsheet"
	"github.com/sheetbridge/sheetbridge/webhook/owner"
	"github.com/sheetbridge/sheetbridge/webhook/registry"
)

const (
	// gatherTime is how long the first of some writes waits for others, which are made
	// with it in one request.
	gatherTime   = 50 * time.Millisecond
	firstBackoff = time.Second
	maxBackoff   = time.Minute
)

// work has the writes to one sheet made, until there are none or the context ends.
func (e *Engine) work(ctx context.Context, key sheetKey, q *sheetQueue) {
	failures := 0
	for ctx.Err() == nil {
		pause(ctx, gatherTime)
		due, next := e.waiting(key, q, time.Now())
		if len(due) == 0 && next.IsZero() {
			return
		}
		if len(due) == 0 {
			pause(ctx, time.Until(next))
			continue
		}
		moved, wait, err := e.underLease(ctx, key, q)
		if moved {
			failures = 0
		}
		if err != nil && ctx.Err() == nil && !errors.Is(err, errLeaseLost) {
			failures++
			level := slog.LevelWarn
			if errors.Is(err, owner.ErrBudget) {
				level = slog.LevelInfo // it is how the budget is kept
			}
			e.Log.Log(ctx, level, "writes wait and are tried again", "sheet", key.id, "waiting", len(due), "err", err)
			d := max(wait, backoff(failures))
			if until := e.firstUntil(q); !until.IsZero() {
				d = min(d, max(time.Until(until), firstBackoff)) // it is answered soon after its time has run out
			}
			pause(ctx, d)
		}
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

// underLease has writes to a sheet made as long as some are due. It returns whether
// any was answered and, with an error, how long Smartsheet, or the budget, asks to
// wait.
func (e *Engine) underLease(ctx context.Context, key sheetKey, q *sheetQueue) (moved bool, wait time.Duration, err error) {
	l, err := e.Store.leases.acquire(ctx, key)
	if err != nil {
		return false, 0, err
	}
	defer func() {
		released, cancel := context.WithTimeout(context.WithoutCancel(ctx), requestTimeout)
		defer cancel()
		err = errors.Join(err, l.release(released))
	}()
	for {
		due := e.begin(ctx, q)
		if len(due) == 0 {
			return moved, 0, ctx.Err()
		}
		// What was begun is ended: a request that was sent has to be answered.
		done, err := e.round(context.WithoutCancel(ctx), l, due)
		e.drop(q, done)
		moved = moved || len(done) > 0
		if err != nil {
			return moved, owner.WaitOf(err), err
		}
	}
}

// round has some of the writes made that are due: those that one request can make.
// It returns those that are answered.
func (e *Engine) round(ctx context.Context, l *lease, due []*job) (map[*job]bool, error) {
	done := map[*job]bool{}
	var ready []*task
	for _, j := range due {
		t, answered, err := e.prepare(ctx, l, j)
		switch {
		case err != nil:
			return done, err
		case answered:
			done[j] = true
		case t != nil:
			ready = append(ready, t)
		}
	}
	bulk := choose(ready)
	if len(bulk) == 0 {
		return done, nil
	}
	err := e.write(ctx, l, bulk)
	for _, t := range bulk {
		if t.answered {
			done[t.job] = true
		}
	}
	return done, err
}

// task is a write in the making.
type task struct {
	job      *job
	request  events.WriteRequest
	share    *registry.Share
	rules    *events.Writes
	writer   *registry.Owner
	attempt  *attempt // it may have been written; nil: it was not sent
	cells    []smartsheet.CellWrite
	rowID    int64 // of the row; 0: not known yet
	modified time.Time
	answered bool
}

// name is how the task is known in the lease.
func (t *task) name() string { return t.share.Key() + "/" + t.request.ID }

// choose returns the tasks that one request can make: of the kind and the writer of
// the first one, each row once, and each key once.
func choose(ready []*task) []*task {
	var bulk []*task
	rows, ids, keys := map[int64]bool{}, map[string]bool{}, map[string]bool{}
	for _, t := range ready {
		first := t
		if len(bulk) > 0 {
			first = bulk[0]
		}
		most := smartsheet.MaxRowsPerWrite
		if t.request.Op == events.OpDelete {
			most = smartsheet.MaxRowIDs
		}
		key := ""
		if t.request.Op == events.OpCreate {
			key = t.rules.KeyOf(&t.request, nil, events.SheetNow{})
		}
		switch {
		case t.request.Op != first.request.Op, t.writer.Name != first.writer.Name, len(bulk) >= most,
			ids[t.name()], t.request.RowID != 0 && rows[t.request.RowID], key != "" && keys[key],
			len(bulk) > 0 && (t.job.alone || first.job.alone):
			continue
		}
		ids[t.name()], rows[t.request.RowID], keys[key] = true, true, true
		bulk = append(bulk, t)
	}
	return bulk
}
