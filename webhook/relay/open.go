package relay

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/events/stream"
	"github.com/sheetbridge/sheetbridge/webhook/inbox"
	"github.com/sheetbridge/sheetbridge/webhook/registry"
)

var (
	// errSlow says that a share took too long while others waited.
	errSlow = errors.New("the partner's NATS answers slowly")
	// errEnded says that there is no such share any more.
	errEnded = errors.New("the share has ended")
	// errDefinition says that a share was changed or ended during the pass.
	errDefinition = errors.New("the share was changed")
	// errOldReading says that Smartsheet answered with an older version of the
	// sheet than it did before, and that something differs.
	errOldReading = errors.New("an older version of the sheet was read than before")
)

// shareSync is one share's part in a pass. It has how the share stands with its stream.
// What the pass finds out about the share is not in it: each step returns that, see
// [outcome].
type shareSync struct {
	relay   *Relay
	plan    *plan
	share   *registry.Share // with what the pass has recorded in it
	partner *registry.Partner
	target  *target
	stream  *stream.Stream // nil: it could not be opened
	view    *events.View
	epoch   string

	opened     *stream.State // how the share stood when the pass began; nil: it has not begun
	resetBelow uint64        // what stands below shows an older definition; 0: nothing does

	published map[string]int                    // events stored, by type
	children  map[events.Kind]map[int64][]int64 // what the partner sees on each row, once it was looked for
}

// open finds the streams of the plan's shares and brings each to the definition
// that its share has now, which needs no Smartsheet. The shares are to be closed.
func (r *Relay) open(ctx context.Context, p *plan) ([]*shareSync, outcomes) {
	shares := make([]*shareSync, len(p.shares))
	for i, s := range p.shares {
		shares[i] = &shareSync{relay: r, plan: p, share: s, target: r.targets.of(s)}
	}
	took, all := each(ctx, shares, openPatience, func(ctx context.Context, s *shareSync) (time.Duration, error) { return s.open(ctx) })
	for s, d := range took {
		all.add(outcomes{s: {answerTime: d}})
	}
	return shares, all
}

// closeShares stops recording what others compare of these shares.
func closeShares(shares []*shareSync) {
	for _, s := range shares {
		if s.opened != nil {
			s.target.compared.end()
		}
	}
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
// it to the share's definition. It returns how long the partner's NATS took to answer.
func (s *shareSync) open(ctx context.Context) (answerTime time.Duration, err error) {
	r := s.relay
	partner, err := r.Registry.FreshPartner(ctx, s.share.Partner)
	if errors.Is(err, registry.ErrNotFound) {
		return 0, s.forget(ctx) // with all that it was shown
	}
	if err != nil {
		return 0, err
	}
	s.partner = partner
	if _, same := s.share.WithAttributes(partner.Attributes); !same && !s.share.Ending {
		return 0, s.rebind(ctx)
	}
	if s.stream, err = r.Partners.Stream(ctx, partner); err != nil {
		return 0, err
	}
	t := s.target
	if err := t.enter(ctx); err != nil {
		return 0, err
	}
	defer t.leave()
	if s.view, err = t.viewAs(&s.share.Share, s.maskKey); err != nil {
		return 0, err
	}
	asked := time.Now()
	if err := s.use(ctx, s.stream); err != nil {
		return 0, err
	}
	answerTime = time.Since(asked)
	if s.epoch, err = r.Partners.Epoch(ctx, partner.Name, s.stream, t.state.Lock); err != nil {
		return answerTime, err
	}
	t.writer.TraceParent = r.traceParent(ctx, s.plan.hint)
	if err := s.define(ctx); err != nil {
		return answerTime, err
	}
	t.compared.begin()
	s.opened = t.state
	return answerTime, nil
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

// origin is what the events of the pass come from. Until a share is loaded it is what
// made it load.
func (s *shareSync) origin() events.Origin {
	switch loaded := s.opened != nil && s.opened.Loaded(); {
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
// under its name. It never returns nil: errEnded, or why it could not.
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
	return errEnded
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
	if s.opened != nil && s.target.state.SchemaSeq != s.opened.SchemaSeq {
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

// target is one share's place in its partner's stream, as this process knows it.
// All passes of the process that work on the share use it, and so hold its lock
// together.
type target struct {
	turn   chan struct{} // holds one while the share is compared and published
	stream *stream.Stream
	state  *stream.State // never nil once stream is set
	writer *stream.Writer
	view   *events.View // of viewOf
	viewOf *events.Share
	purged uint64 // nothing of the share stands below it, though a copy of the stream may not know yet
	reset  uint64 // sequence of the schema whose reset is known to be finished

	// unknown is that what was published last may be stored only later: nothing can
	// be told from what stands there until the lock is acquired again.
	unknown bool

	compared comparedObjects

	attendance // how it keeps up
}

// enter waits for the share's turn, until the context ends. It is given back with
// leave.
func (t *target) enter(ctx context.Context) error {
	select {
	case t.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("waiting for another pass of the share: %w", ctx.Err())
	}
}

func (t *target) leave() { <-t.turn }

// targets are the targets of all shares, by their keys.
type targets struct {
	moments moments
	mu      sync.Mutex
	known   map[targetKey]*target
}

// targetKey tells a share from an earlier one of the same name.
type targetKey struct {
	share   string
	created time.Time
}

func (ts *targets) of(s *registry.Share) *target {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	if ts.known == nil {
		ts.known = map[targetKey]*target{}
	}
	key := targetKey{s.Key(), s.CreatedAt}
	t := ts.known[key]
	if t == nil {
		t = &target{turn: make(chan struct{}, 1), compared: comparedObjects{moments: &ts.moments}}
		ts.known[key] = t
	}
	return t
}

func (ts *targets) forget(s *registry.Share) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	delete(ts.known, targetKey{s.Key(), s.CreatedAt})
}

// use has the target work on the stream and reads how the share stands there. It
// must be the caller's turn.
func (t *target) use(ctx context.Context, st *stream.Stream, sh *events.Share) error {
	var known *stream.State
	if t.stream == st {
		known = t.state
	}
	state, err := st.State(ctx, sh, known)
	if err != nil {
		return err
	}
	if known == nil || t.writer == nil || state.Lock != known.Lock || !known.StatusAt.IsZero() && state != known {
		t.writer = st.NewWriter(sh, state.Lock)
		t.writer.Carry(state.Carried)
	}
	t.stream, t.state = st, state
	t.setLoaded(state.Loaded())
	return nil
}

// viewAs returns the view of a share, which is kept as long as its definition is
// the same. It must be the caller's turn.
func (t *target) viewAs(sh *events.Share, maskKey func() ([]byte, error)) (*events.View, error) {
	if t.view != nil && (t.viewOf == sh || t.viewOf.Revision == sh.Revision) {
		return t.view, nil
	}
	key, err := maskKey()
	if err != nil {
		return nil, err
	}
	view, err := events.NewView(*sh, key)
	if err != nil {
		return nil, err
	}
	t.view, t.viewOf = view, sh
	return view, nil
}

// published takes over a status that was stored.
func (t *target) published(status events.StatusData) {
	t.state = &stream.State{
		Lock: t.writer.Lock(), Status: &status, Carried: t.writer.Carried(),
		Schema: t.state.Schema, SchemaSeq: t.state.SchemaSeq, SchemaAt: t.state.SchemaAt,
	}
	t.setLoaded(t.state.Loaded())
}

// startedRevision takes over a schema and a status that were stored together.
func (t *target) startedRevision(schema events.SchemaData, status events.StatusData, at time.Time) {
	lock := t.writer.Lock()
	t.state = &stream.State{
		Lock: lock, Status: &status, Carried: t.writer.Carried(), Schema: &schema, SchemaSeq: lock - 1, SchemaAt: at,
	}
	t.setLoaded(false)
}
