package relay

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/events/stream"
	"github.com/sheetbridge/sheetbridge/webhook/inbox"
	"github.com/sheetbridge/sheetbridge/webhook/registry"
)

const (
	// openPatience, rowsPatience (and rowPatience for each row) and pagePatience are
	// how long the other shares of a pass wait for one, at a step of it.
	openPatience = time.Second
	rowsPatience = time.Second
	rowPatience  = 5 * time.Millisecond
	pagePatience = 10 * time.Second
	// sharesAtOnce is how many shares of a pass are worked on together.
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
	// maxRaces is how often in a row somebody else may publish to a share before it
	// is tried later.
	maxRaces  = 5
	racePause = 20 * time.Millisecond
)

var (
	// errSlow says that a share took too long while others waited.
	errSlow = errors.New("the partner's NATS answers slowly")
	// errDefinition says that a share was changed or ended during the pass.
	errDefinition = errors.New("the share was changed")
	// errOldReading says that Smartsheet answered with an older version of the
	// sheet than it did before, and that something differs.
	errOldReading = errors.New("an older version of the sheet was read than before")
)

// shareSync is one share's part in a pass.
type shareSync struct {
	relay   *Relay
	plan    *plan
	share   *registry.Share
	partner *registry.Partner
	target  *target
	stream  *stream.Stream // nil: it could not be opened
	view    *events.View
	origin  events.Origin
	epoch   string
	parent  string // W3C trace context of the pass

	answerTime time.Duration // that the partner's NATS took for the share's state

	start      uint64    // the share's lock when the pass began: later statuses came during it
	schemaSeq  uint64    // of the schema that the pass began with; 0: it has not begun
	completeTo int64     // version that the share was complete to then
	definedAt  time.Time // when the schema that the stream has now was published
	resetBelow uint64    // what stands below shows an older definition; 0: nothing does
	reading    moment    // when the pass began to read

	err    error // why it takes part no longer
	ended  bool  // there is no such share any more
	result shareResult
}

// shareResult is what a pass has done for a share so far.
type shareResult struct {
	compared   int                   // rows of a load
	published  map[string]int        // events stored, by type
	found      int                   // of them, changes that no callback reported
	changedAt  time.Time             // the oldest change that a reconcile found
	tooLarge   int                   // objects that the partner's NATS does not take
	filter     registry.FilterResult // what the filter said of the rows that were read
	oldReading bool                  // something differs from what was published of a newer version
	appeared   map[int64]bool        // rows that came into view
	missing    []int64               // columns of the share that the last answer did not have
	children   map[events.Kind]map[int64][]int64
}

// open finds the streams of the plan's shares and brings each to the definition
// that its share has now, which needs no Smartsheet.
func (r *Relay) open(ctx context.Context, p *plan) []*shareSync {
	shares := make([]*shareSync, len(p.shares))
	for i, s := range p.shares {
		shares[i] = &shareSync{relay: r, plan: p, share: s, target: r.targets.of(s), parent: r.traceParent(ctx, p.hint)}
	}
	r.each(ctx, shares, openPatience, func(ctx context.Context, s *shareSync) error { return s.open(ctx) })
	return shares
}

// active are the shares that still take part.
func active(shares []*shareSync) []*shareSync {
	return slices.DeleteFunc(slices.Clone(shares), func(s *shareSync) bool { return s.err != nil || s.ended })
}

// each has every share that takes part do a step, some at once. What fails for one
// ends its part in the pass. So does what takes longer than patience, where others
// would wait for it.
func (r *Relay) each(ctx context.Context, shares []*shareSync, patience time.Duration, step func(context.Context, *shareSync) error) {
	participants := active(shares)
	var others *pace
	if len(participants) > 1 {
		others = &pace{}
	}
	places := make(chan struct{}, sharesAtOnce)
	var wg sync.WaitGroup
	for _, s := range participants {
		places <- struct{}{}
		wg.Go(func() {
			defer func() { <-places }()
			s.err = s.within(ctx, patience, others, step)
		})
	}
	wg.Wait()
}

// gather has every share that takes part name rows, and returns them all. Those of a
// share that fails do not count.
func (r *Relay) gather(ctx context.Context, shares []*shareSync, rowsOf func(context.Context, *shareSync) ([]int64, error)) map[int64]bool {
	var mu sync.Mutex
	rows := map[int64]bool{}
	r.each(ctx, shares, pagePatience, func(ctx context.Context, s *shareSync) error {
		ids, err := rowsOf(ctx, s)
		if err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		for _, id := range ids {
			rows[id] = true
		}
		return nil
	})
	return rows
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
func (s *shareSync) within(ctx context.Context, patience time.Duration, others *pace, step func(context.Context, *shareSync) error) error {
	if others == nil {
		return step(ctx, s)
	}
	limited, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go others.watch(limited, patience, func() { cancel(errSlow) })
	began := time.Now()
	err := step(limited, s)
	if err == nil {
		others.finished(time.Since(began))
	}
	if err == nil || ctx.Err() != nil || !errors.Is(context.Cause(limited), errSlow) {
		return err
	}
	if lost := s.connectionLost(); lost != nil { // it does not answer at all
		return lost
	}
	return fmt.Errorf("%w: %w", errSlow, err)
}

// connectionLost says why the partner's NATS cannot be reached, nil where it can
// as far as is known.
func (s *shareSync) connectionLost() error {
	if s.stream == nil {
		return nil
	}
	return s.stream.Connected()
}

// open finds the partner's stream, reads how the share stands there, and brings
// it to the share's definition.
func (s *shareSync) open(ctx context.Context) error {
	r := s.relay
	partner, err := r.Registry.FreshPartner(ctx, s.share.Partner)
	if errors.Is(err, registry.ErrNotFound) {
		return s.forget(ctx) // with all that it was shown
	}
	if err != nil {
		return err
	}
	s.partner = partner
	if _, same := s.share.WithAttributes(partner.Attributes); !same && !s.share.Ending {
		return s.rebind(ctx)
	}
	st, err := r.Partners.Stream(ctx, partner)
	if err != nil {
		return err
	}
	s.stream = st
	t := s.target
	if err := t.enter(ctx); err != nil {
		return err
	}
	defer t.leave()
	if s.view, err = t.viewAs(&s.share.Share, s.maskKey); err != nil {
		return err
	}
	asked := time.Now()
	if err := s.use(ctx, st); err != nil {
		return err
	}
	s.answerTime = time.Since(asked)
	if s.epoch, err = r.Partners.Epoch(ctx, partner.Name, st, t.state.Lock); err != nil {
		return err
	}
	t.writer.TraceParent = s.parent
	if err := s.define(ctx); err != nil {
		return err
	}
	s.definedAt = t.state.SchemaAt
	s.start, s.completeTo, s.origin = t.state.Lock, t.state.CompleteTo(), s.originNow()
	s.schemaSeq = t.state.SchemaSeq
	return nil
}

// rebind brings the share to the partner's attributes, which were changed by a call
// that did not come to the end or while the share was made. The next pass goes on.
func (s *shareSync) rebind(ctx context.Context) error {
	_, err := s.relay.Registry.RebindShare(ctx, s.share, s.partner)
	if err != nil && !errors.Is(err, registry.ErrNotFound) {
		return err
	}
	return fmt.Errorf("the partner's attributes were changed: %w", errDefinition)
}

func (s *shareSync) maskKey() ([]byte, error) {
	return s.relay.Registry.Sealer().Open(s.partner.MaskKey, s.partner.SealName("maskKey"))
}

// originNow says what the events of the pass come from. Until a share is loaded
// it is what made it load. It must be the share's turn.
func (s *shareSync) originNow() events.Origin {
	switch loaded := s.target.state.Loaded(); {
	case !loaded && (s.share.Revision == 1 || s.share.Resend == s.share.Revision):
		return events.OriginSnapshot
	case !loaded:
		return events.OriginShare
	case s.plan.hint.Why == inbox.WhyCallback:
		return events.OriginCallback
	}
	return events.OriginReconcile
}

// forget removes the record of a share that has ended, unless one was made again
// under its name.
func (s *shareSync) forget(ctx context.Context) error {
	err := s.relay.Registry.DeleteShare(ctx, s.share)
	if errors.Is(err, registry.ErrConflict) {
		var now *registry.Share
		if now, err = s.relay.Registry.FreshShare(ctx, s.share.Partner, s.share.Sheet); err == nil && now.SameAs(s.share) {
			return errDefinition // something was stored in its record in the meantime
		}
	}
	if err != nil && !errors.Is(err, registry.ErrNotFound) {
		return err
	}
	s.relay.targets.forget(s.share)
	s.ended = true
	return nil
}

// unchanged says whether the share is still the one that the pass was planned
// for. What memory has is as new as what this process has answered. Where the
// stream has another schema than the pass began with, another pass of this process
// has begun the share again, and what this one published before may be gone. It
// must be the share's turn.
func (s *shareSync) unchanged() error {
	now := s.relay.Registry.Share(s.share.Partner, s.share.Sheet)
	if now == nil || now.Ending != s.share.Ending || now.Revision != s.share.Revision || !now.CreatedAt.Equal(s.share.CreatedAt) {
		return errDefinition
	}
	if s.schemaSeq > 0 && s.target.state.SchemaSeq != s.schemaSeq {
		return errDefinition
	}
	return nil
}

// current says whether what the pass publishes is of the definition that the
// stream has. Memory may not have heard yet of what another process published,
// while another pass of this one has met it. It must be the share's turn.
func (s *shareSync) current() error {
	schema := s.target.state.Schema
	if schema == nil || schema.Revision != s.share.Revision {
		return errDefinition
	}
	return s.unchanged()
}
