package write

import (
	"context"
	"slices"
	"time"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/events/stream"
	"github.com/sheetbridge/sheetbridge/smartsheet"
	"github.com/sheetbridge/sheetbridge/webhook/registry"
)

// sheetQueue are the writes to one sheet that this process holds, oldest first.
type sheetQueue struct {
	jobs    []*job
	busy    bool          // a worker is at it
	current map[*job]bool // those of the round under way
}

// job is one write that this process holds.
type job struct {
	write   *stream.Write
	stream  *stream.Stream
	request events.WriteRequest
	invalid *events.Refusal // why the request is none; nil: it is one
	share   *registry.Share // as it was when the write came; nil: there was none

	single    bool      // it is sent by itself: together with others it was refused
	retryAt   time.Time // it waits until then
	recoverAt time.Time // when to read whether it was made; zero: its outcome is known
	counted   bool      // among the writes of its minute
}

// answerBefore is how long before it leaves the queue a write is answered that its time
// has run out.
const answerBefore = time.Minute

// newJob returns the job for a write that was received.
func newJob(st *stream.Stream, w *stream.Write, share *registry.Share) *job {
	j := &job{write: w, stream: st, share: share}
	if j.request, j.invalid = events.ParseWrite(w.Data, w.Received); j.invalid == nil {
		if last := w.Received.Add(stream.WritesKept - answerBefore); j.request.Until.After(last) {
			j.request.Until = last
		}
	}
	return j
}

func (j *job) name() string { return j.write.Partner + "/" + j.write.Identity }

// attemptName is how the job is known in the lease.
func (j *job) attemptName() string {
	return j.write.Partner + "/" + j.write.Sheet + "/" + j.request.ID
}

// enqueue holds a write until it is answered.
func (e *Engine) enqueue(ctx context.Context, st *stream.Stream, w *stream.Write) {
	j := newJob(st, w, e.Registry.Share(w.Partner, w.Sheet))
	key := sheetKey{region: smartsheet.Region("none/" + w.Partner)} // of those for no sheet
	if j.share != nil {
		key = sheetKey{j.share.Region, j.share.SheetID}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if ctx.Err() != nil {
		_ = w.Return() // else it is given to another process a little later
		return
	}
	if e.held[j.name()] != nil {
		return // it was delivered once more
	}
	e.held[j.name()] = j
	q := e.sheets[key]
	if q == nil {
		q = &sheetQueue{}
		e.sheets[key] = q
	}
	at := len(q.jobs)
	for at > 0 && q.jobs[at-1].write.Received.After(w.Received) { // another process had it before
		at--
	}
	q.jobs = slices.Insert(q.jobs, at, j)
	if !q.busy {
		q.busy = true
		e.running.Go(func() { e.work(ctx, key, q) })
	}
}

// pick adds to the round under way those of the writes to a sheet that are due and that
// take takes, oldest first, and returns them: none once the context has ended.
func (e *Engine) pick(ctx context.Context, q *sheetQueue, take func(j *job, due bool) bool) (picked []*job) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if ctx.Err() != nil {
		return nil
	}
	now := time.Now()
	for _, j := range q.jobs {
		if !q.current[j] && take(j, !j.retryAt.After(now)) {
			picked = append(picked, j)
		}
	}
	if q.current == nil {
		q.current = map[*job]bool{}
	}
	for _, j := range picked {
		q.current[j] = true
	}
	return picked
}

// endRound forgets the writes of the round that are answered; the others wait again. It
// returns how many are due.
func (e *Engine) endRound(q *sheetQueue, answered map[*job]bool) (due int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	q.current = nil
	for j := range answered {
		delete(e.held, j.name())
	}
	q.jobs = slices.DeleteFunc(q.jobs, func(j *job) bool { return answered[j] })
	due, _ = q.due(time.Now())
	return due
}

// length is how many writes to a sheet are held.
func (e *Engine) length(q *sheetQueue) int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(q.jobs)
}

// waiting is how many of the writes to a sheet are due, and when the next one is that is
// not. With none at all the worker is done.
func (e *Engine) waiting(key sheetKey, q *sheetQueue, now time.Time) (due int, next time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(q.jobs) == 0 {
		q.busy = false
		delete(e.sheets, key)
	}
	return q.due(now)
}

// due is how many of the writes are due, and when the next one is that is not.
func (q *sheetQueue) due(now time.Time) (due int, next time.Time) {
	for _, j := range q.jobs {
		switch {
		case !j.retryAt.After(now):
			due++
		case next.IsZero() || j.retryAt.Before(next):
			next = j.retryAt
		}
	}
	return due, next
}

// firstUntil is when the time of one of the writes to a sheet runs out first that wait
// and were not sent.
func (e *Engine) firstUntil(q *sheetQueue) (first time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, j := range q.jobs {
		if j.invalid == nil && j.recoverAt.IsZero() && (first.IsZero() || j.request.Until.Before(first)) {
			first = j.request.Until
		}
	}
	return first
}

// extend tells the queues again and again that what is held is in progress.
func (e *Engine) extend(ctx context.Context) {
	tick := time.NewTicker(progressEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		e.mu.Lock()
		held := make([]*job, 0, len(e.held))
		for _, j := range e.held {
			held = append(held, j)
		}
		e.mu.Unlock()
		for _, j := range held {
			_ = j.write.InProgress() // where that fails it is given to another process, which asks the memory
		}
	}
}

// release lets other processes have at once what is held and in no round.
func (e *Engine) release() {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, q := range e.sheets {
		q.jobs = slices.DeleteFunc(q.jobs, func(j *job) bool {
			if q.current[j] {
				return false
			}
			_ = j.write.Return() // else it is given to another one a little later
			delete(e.held, j.name())
			return true
		})
	}
}

// Waiting is how many writes this process holds.
func (e *Engine) Waiting() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.held)
}
