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
)

// outcomes say how each share fared: in one step, or in all steps so far.
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

// addFindings adds what comparing has shown of each share.
func (all outcomes) addFindings(shown map[*shareSync]findings) {
	for s, f := range shown {
		all.add(outcomes{s: {findings: f}})
	}
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

// each has shares do a step, some at once, and returns the result of each, also of one
// that failed. What fails for one ends its part in the pass. So does what takes
// longer than patience, where others would wait for it.
func each[T any](ctx context.Context, shares []*shareSync, patience time.Duration, step func(context.Context, *shareSync) (T, error)) (map[*shareSync]T, outcomes) {
	var others *pace
	if len(shares) > 1 {
		others = &pace{}
	}
	results, all := make(map[*shareSync]T, len(shares)), make(outcomes, len(shares))
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
			results[s], all[s] = of, outcome{err: err}
		})
	}
	wg.Wait()
	return results, all
}

// busyAtOnce is how many busy shares of a pass are worked on together: one for each
// processor, and two at least, so that one works while the other waits for the disk.
func busyAtOnce() int { return min(sharesAtOnce, max(2, runtime.GOMAXPROCS(0))) }

// busy tells whether a share works more than it waits: it compares the whole sheet, and
// the server of its stream is in this process. With more of them at once than there are
// processors none ends sooner, and answers may come after their time-outs. Each costs
// memory: for its batch, here and at the server, and for the blocks of 8 MiB that the
// server reads.
func (s *shareSync) busy() bool {
	return s.plan.whole() && s.partner != nil && s.partner.External == nil && s.relay.Partners.Broker != nil
}

// eachDoes is each for a step without a result.
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

// within does a step, for as long as the pace of the others allows. Nil is that
// there are none.
func (s *shareSync) within(ctx context.Context, patience time.Duration, others *pace, step func(context.Context) error) error {
	if others == nil {
		return step(ctx)
	}
	limited, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go others.watch(limited, patience, func() { cancel(errSlow) })
	startedAt := time.Now()
	err := step(limited)
	ended := errors.Is(err, errEnded)
	if err == nil || ended {
		others.finished(time.Since(startedAt))
	}
	if err == nil || ended || ctx.Err() != nil || !errors.Is(context.Cause(limited), errSlow) {
		return err
	}
	if lost := s.connectionLost(); lost != nil { // it does not answer at all
		return lost
	}
	return fmt.Errorf("%w: %w", errSlow, err)
}
