package write

import (
	"context"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/smartsheet"
)

// lookupsAtOnce is how many ids are looked up in the memory side by side.
const lookupsAtOnce = 16

// round makes writes that one request can make. What it needs of shares, partners and
// owners it reads once.
type round struct {
	*Engine
	lease    *lease
	terms    map[string]*terms // by partner and sheet; nil: there is no such share
	mu       sync.Mutex
	answered map[*job]bool
}

// round makes some of the writes that are due: those that one request can make. It
// returns those that are answered.
func (e *Engine) round(ctx context.Context, l *lease, q *sheetQueue) (map[*job]bool, error) {
	r := &round{Engine: e, lease: l, terms: map[string]*terms{}, answered: map[*job]bool{}}
	ready, err := r.gather(ctx, q)
	if err != nil {
		return r.answered, err
	}
	bulk := choose(ready)
	if len(bulk) == 0 {
		return r.answered, nil
	}
	err = r.write(context.WithoutCancel(ctx), bulk)
	return r.answered, err
}

// gather prepares writes that are due, oldest first, and those that arrive while it does,
// until there are as many as one request takes or no more wait. What was begun is ended
// even if the context ends.
func (r *round) gather(ctx context.Context, q *sheetQueue) ([]*task, error) {
	var ready []*task
	c := newCandidates(r.tooLate)
	for {
		jobs := r.pick(ctx, q, c.take)
		if len(jobs) == 0 {
			return ready, nil
		}
		before, err := r.lookUp(context.WithoutCancel(ctx), jobs)
		if err != nil {
			return ready, err
		}
		for i, j := range jobs {
			t, err := r.prepare(context.WithoutCancel(ctx), j, before[i])
			if err != nil {
				return ready, err
			}
			if t != nil {
				ready = append(ready, t)
			}
		}
	}
}

// lookUp returns the answers that the ids of writes have, nil for none.
func (r *round) lookUp(ctx context.Context, jobs []*job) ([]*remembered, error) {
	before := make([]*remembered, len(jobs))
	var lookups errgroup.Group
	lookups.SetLimit(lookupsAtOnce)
	for i, j := range jobs {
		if j.request.ID == "" {
			continue
		}
		lookups.Go(func() (err error) {
			before[i], err = r.Store.memory.get(ctx, memoryKey(j.write.Partner, j.write.Sheet, j.request.ID))
			return err
		})
	}
	return before, lookups.Wait()
}

// tooLate tells whether a write's time has run out before it was sent: it is answered,
// whatever other writes wait for.
func (r *round) tooLate(j *job) bool {
	if j.invalid != nil || !time.Now().After(j.request.Until) {
		return false
	}
	_, sent := r.lease.record.Attempts[j.attemptName()]
	return !sent
}

// candidates are the writes of a round: no more than one request takes, of one kind,
// each row and each id once, so that nothing is read for the others in vain. Those whose
// time has run out come besides.
type candidates struct {
	count   int
	most    int // that one request takes
	tooLate func(*job) bool
	op      events.Op // of the first that is a request
	single  bool      // it is sent by itself
	rows    map[int64]bool
	ids     map[string]bool
}

func newCandidates(tooLate func(*job) bool) *candidates {
	return &candidates{most: smartsheet.MaxRowsPerWrite, tooLate: tooLate, rows: map[int64]bool{}, ids: map[string]bool{}}
}

// take adds a write, unless it has to wait for those that are older.
func (c *candidates) take(j *job, due bool) bool {
	id := memoryKey(j.write.Partner, j.write.Sheet, j.request.ID)
	if j.request.ID != "" && c.ids[id] {
		return false
	}
	c.ids[id] = true // one with this id that is older and not due goes first
	if due && c.tooLate(j) {
		return true
	}
	if !due || c.count >= c.most {
		return false
	}
	if j.request.ID != "" && j.invalid == nil {
		switch {
		case c.op == "":
			c.op, c.single = j.request.Op, j.single
			if c.op == events.OpDelete {
				c.most = smartsheet.MaxRowIDs
			}
		case c.single, j.single, c.op != j.request.Op, j.request.RowID != 0 && c.rows[j.request.RowID]:
			return false
		}
		c.rows[j.request.RowID] = true
	}
	c.count++
	return true
}

// task is a write in the making.
type task struct {
	proposal
	job     *job
	attempt *attempt // it may have been written; nil: it was not sent
	rowID   int64    // of the row; 0: not known yet
}

// choose returns the tasks that one request can make: of the writer of the first one,
// each key once.
func choose(ready []*task) []*task {
	var bulk []*task
	keys := map[string]bool{}
	for _, t := range ready {
		key := ""
		if t.request.Op == events.OpCreate {
			key = t.rules.KeyOf(&t.request, nil, events.SheetNow{})
		}
		if len(bulk) > 0 && t.writer.Name != bulk[0].writer.Name || key != "" && keys[key] {
			continue
		}
		keys[key] = true
		bulk = append(bulk, t)
	}
	return bulk
}
