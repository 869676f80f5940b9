package relay

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/sheetbridge/sheetbridge/webhook/registry"
)

const (
	// openPatience, rowsPatience (and rowPatience for each row) and pagePatience are
	// how long the other shares of a pass wait for one, at a step of it.
	openPatience = time.Second
	rowsPatience = time.Second
	rowPatience  = 5 * time.Millisecond
	pagePatience = 10 * time.Second
	// sharesAtOnce is how many shares of a pass are worked on together, where they
	// wait for their partners' NATS more than they work.
	sharesAtOnce = 8
	// paceFactor is how many times as long as the slowest of the others a share may
	// take.
	paceFactor = 4
	// keepsUpWithin is how soon a partner's NATS must answer for its shares to take
	// part in the passes of others again.
	keepsUpWithin = openPatience / 4
	// loadAgain is how long a share that is not loaded is left to whom it was
	// given to load.
	loadAgain = 10 * time.Second
)

// outcomes say what has become of shares' parts in a pass: by one step of it, or by all
// so far.
type outcomes map[*shareSync]outcome

// outcome is that of one share.
type outcome struct {
	err        error         // why it takes part no longer; nil: it does
	answerTime time.Duration // that the partner's NATS took for the share's state
	findings
}

// findings are what comparing shows of a share, beside the events that were published.
type findings struct {
	appeared   []int64               // rows that came into view
	filter     registry.FilterResult // what the filter said of the rows that were read
	oldReading bool                  // something differs from what was published of a newer version
	tooLarge   int                   // objects that the partner's NATS does not take
	unreported int                   // changes that no callback reported
	changedAt  time.Time             // the oldest of them
}

// add adds what has come of a further step.
func (all outcomes) add(step outcomes) {
	for s, o := range step {
		was := all[s]
		if o.err != nil {
			was.err = o.err
		}
		was.answerTime = max(was.answerTime, o.answerTime)
		was.findings.add(o.findings)
		all[s] = was
	}
}

// with is the outcomes with what the shares' comparisons found.
func (all outcomes) with(found map[*shareSync]findings) outcomes {
	for s, f := range found {
		all.add(outcomes{s: {findings: f}})
	}
	return all
}

func (f *findings) add(more findings) {
	f.appeared = append(f.appeared, more.appeared...)
	f.filter.Rows += more.filter.Rows
	f.filter.Shown += more.filter.Shown
	f.filter.Failed += more.filter.Failed
	f.oldReading = f.oldReading || more.oldReading
	f.tooLarge += more.tooLarge
	f.unreported += more.unreported
	f.changedAt = earliest(f.changedAt, more.changedAt)
}

// earliest returns the earlier of two times; a zero one is none.
func earliest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// active are those of the shares that still take part.
func (all outcomes) active(shares []*shareSync) []*shareSync {
	return slices.DeleteFunc(slices.Clone(shares), func(s *shareSync) bool { return all[s].err != nil })
}

// appeared are the rows that came into the view of those shares that still take part.
func (all outcomes) appeared(shares []*shareSync) map[int64]bool {
	rows := map[int64]bool{}
	for _, s := range all.active(shares) {
		for _, id := range all[s].appeared {
			rows[id] = true
		}
	}
	return rows
}

// each has shares do a step, some at once, and returns what each of them found, also
// before it failed. What fails for one ends its part in the pass. So does what takes
// longer than patience, where others would wait for it.
func each[T any](ctx context.Context, shares []*shareSync, patience time.Duration, step func(context.Context, *shareSync) (T, error)) (map[*shareSync]T, outcomes) {
	var others *pace
	if len(shares) > 1 {
		others = &pace{}
	}
	found, all := make(map[*shareSync]T, len(shares)), make(outcomes, len(shares))
	waiting, working := make(chan struct{}, sharesAtOnce), make(chan struct{}, busyAtOnce())
	var mu sync.Mutex
	var wg sync.WaitGroup
	for _, s := range shares {
		places := waiting
		if s.busy() {
			places = working
		}
		wg.Go(func() {
			places <- struct{}{}
			defer func() { <-places }()
			var of T
			err := s.within(ctx, patience, others, func(ctx context.Context) (err error) {
				of, err = step(ctx, s)
				return err
			})
			mu.Lock()
			defer mu.Unlock()
			found[s], all[s] = of, outcome{err: err}
		})
	}
	wg.Wait()
	return found, all
}

// busyAtOnce is how many busy shares of a pass are worked on together: one for each
// processor, and two at least, so that one works while the other waits for the disk.
func busyAtOnce() int { return min(sharesAtOnce, max(2, runtime.GOMAXPROCS(0))) }

// busy tells whether a share works more than it waits: it compares the whole sheet, and
// the server of its stream is in this process. More of those at once end no sooner. Each
// has its batch here and at the server in memory, and the server has the blocks that
// it reads from there, of 8 MiB each; and all answers come later, beyond their
// time-outs where the machine is busy besides.
func (s *shareSync) busy() bool {
	return s.plan.whole() && s.partner != nil && s.partner.External == nil && s.relay.Partners.Broker != nil
}

// eachDoes is each for a step that finds nothing.
func eachDoes(ctx context.Context, shares []*shareSync, patience time.Duration, step func(context.Context, *shareSync) error) outcomes {
	_, all := each(ctx, shares, patience, func(ctx context.Context, s *shareSync) (struct{}, error) { return struct{}{}, step(ctx, s) })
	return all
}

// gather has shares name rows, and returns them all. Those of a share that fails do not
// count.
func gather(ctx context.Context, shares []*shareSync, rowsOf func(context.Context, *shareSync) ([]int64, error)) (map[int64]bool, outcomes) {
	named, all := each(ctx, shares, pagePatience, rowsOf)
	rows := map[int64]bool{}
	for _, s := range all.active(shares) {
		for _, id := range named[s] {
			rows[id] = true
		}
	}
	return rows, all
}

// pace is how long shares take for a step of a pass.
type pace struct {
	mu      sync.Mutex
	done    int
	slowest time.Duration // of those that are done
}

func (p *pace) finished(took time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done++
	p.slowest = max(p.slowest, took)
}

// limit is how long another share may take: not longer than patience, nor than a
// few times what the others took, which are slow too where the machine is busy.
// There is none as long as nobody waits.
func (p *pace) limit(patience time.Duration) (limit time.Duration, waiting bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return max(patience, paceFactor*p.slowest), p.done > 0
}

// watch ends a step when it has taken longer than the pace of the others allows.
func (p *pace) watch(ctx context.Context, patience time.Duration, end func()) {
	began, timer := time.Now(), time.NewTimer(patience)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		limit, waiting := p.limit(patience)
		left := limit - time.Since(began)
		if waiting && left <= 0 {
			end()
			return
		}
		timer.Reset(max(left, patience/10))
	}
}

// within does a step, for as long as the pace of the others allows. Nil is that
// there are none.
func (s *shareSync) within(ctx context.Context, patience time.Duration, others *pace, step func(context.Context) error) error {
	if others == nil {
		return step(ctx)
	}
	limited, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go others.watch(limited, patience, func() { cancel(errSlow) })
	began := time.Now()
	err := step(limited)
	ended := errors.Is(err, errEnded)
	if err == nil || ended {
		others.finished(time.Since(began))
	}
	if err == nil || ended || ctx.Err() != nil || !errors.Is(context.Cause(limited), errSlow) {
		return err
	}
	if lost := s.connectionLost(); lost != nil { // it does not answer at all
		return lost
	}
	return fmt.Errorf("%w: %w", errSlow, err)
}

// attendance is whether a share takes part in the passes of its registration.
type attendance struct {
	lock       sync.Mutex
	slow       bool
	failures   int       // in a row
	retryAt    time.Time // it failed, and is put off until then
	loadHintAt time.Time // when it was last given a hint to load
	complete   bool      // its state was seen to be loaded
}

// participation says which passes a share takes part in.
type participation int

const (
	joins     participation = iota // those of its registration
	alone                          // its own
	postponed                      // none until it is tried again
)

func (a *attendance) participation(now time.Time) participation {
	a.lock.Lock()
	defer a.lock.Unlock()
	switch {
	case now.Before(a.retryAt):
		return postponed
	case a.slow:
		return alone
	}
	return joins
}

func (a *attendance) loaded() bool {
	a.lock.Lock()
	defer a.lock.Unlock()
	return a.complete
}

func (a *attendance) setLoaded(loaded bool) {
	a.lock.Lock()
	defer a.lock.Unlock()
	a.complete = loaded
}

// shouldLoad tells, once in a while, that a share which is not loaded is to be.
func (a *attendance) shouldLoad(now time.Time) bool {
	a.lock.Lock()
	defer a.lock.Unlock()
	if now.Sub(a.loadHintAt) < loadAgain {
		return false
	}
	a.loadHintAt = now
	return true
}

// succeeded notes that a pass has come to its end for the share, and whether it
// kept up.
func (a *attendance) succeeded(slow bool) {
	a.lock.Lock()
	defer a.lock.Unlock()
	a.slow, a.failures, a.retryAt = slow, 0, time.Time{}
}

func (a *attendance) setSlow() {
	a.lock.Lock()
	defer a.lock.Unlock()
	a.slow = true
}

// nextTry is when a share that failed at now is to be tried again, and how often it
// has failed in a row then.
func (a *attendance) nextTry(now time.Time) (at time.Time, failures int) {
	a.lock.Lock()
	defer a.lock.Unlock()
	return now.Add(backoff(a.failures + 1)), a.failures + 1
}

// postpone has a share take part in no pass for a callback until then. A hint for
// it at that time must have been stored.
func (a *attendance) postpone(until time.Time, failures int) {
	a.lock.Lock()
	defer a.lock.Unlock()
	a.retryAt, a.failures = until, failures
}
