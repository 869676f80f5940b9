package webhook

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/smartsheet"
	"github.com/sheetbridge/sheetbridge/webhook/inbox"
	"github.com/sheetbridge/sheetbridge/webhook/registry"
)

var (
	// errAgain says that the pass must start again at reading.
	errAgain = errors.New("start again")
	// errLively says that the sheet changed while it was read, every time.
	errLively = errors.New("the sheet changes faster than it can be read")
	// errEarly says that Smartsheet answered with an older version of the sheet
	// than it did before, and that something differs.
	errEarly = errors.New("an older version of the sheet was read than before")
)

// pass is one round for one registration.
type pass struct {
	relay *Relay
	hint  *inbox.Hint
	began time.Time

	reg    *registry.Registration
	owner  *registry.Owner
	client *smartsheet.Client
	runs   []*run

	types   map[int64]smartsheet.ColumnType // of the columns that were read last
	renamed bool                            // names were taken over
	leaving bool                            // the webhook was removed, and the registration goes

	readErr  error // of Smartsheet
	trouble  int   // what kept it from its end
	version  int64 // newest of the sheet that was read
	rows     int   // read
	requests int
	restarts int
	tally    tally
}

// run is the part of a pass that is for one share.
type run struct {
	pass   *pass
	share  *registry.Share
	view   *events.View
	stream *events.Stream
	state  *events.ShareState // nil until it is open, as the next two are
	writer *events.Writer
	epoch  string
	origin events.Origin
	purged uint64 // nothing stands below it, though a copy of the stream may not know yet

	err       error
	over      bool                              // the share has ended
	early     bool                              // something differs from what was published at a newer version
	tooLarge  int                               // rows that the partner's NATS does not take
	appeared  map[int64]bool                    // rows that came into view, where what hangs on them is shared
	hanging   map[events.Kind]map[int64][]int64 // what the partner saw on each row, once a row left
	changedAt time.Time                         // the oldest change that a reconcile found
}

// run does the pass, from the start again as often as it must.
func (p *pass) run(ctx context.Context) error {
	for {
		err := p.once(ctx)
		if err == nil && p.lostRace() {
			err = errAgain
		}
		if !errors.Is(err, errAgain) {
			return err
		}
		if p.restarts++; p.restarts > maxRestarts {
			return fmt.Errorf("the pass started again %d times: %w", maxRestarts, err)
		}
	}
}

func (p *pass) once(ctx context.Context) error {
	p.readErr = nil
	if err := p.open(ctx); err != nil || p.reg == nil {
		return err
	}
	p.each(func(r *run) error {
		err := r.prepare(ctx)
		r.origin = r.originNow()
		return err
	})
	if err := p.tend(ctx); err != nil {
		return err
	}
	if err := p.dropEnded(ctx); err != nil || p.reg.Phase == registry.PhaseDeleting {
		return err
	}
	if !slices.ContainsFunc(p.runs, (*run).active) {
		return nil
	}
	if p.owner == nil || p.owner.State != registry.OwnerOK {
		p.say(ctx, p.runs, events.StateSuspended, suspension(p.owner))
		return nil
	}
	if err := p.read(ctx); err != nil {
		return err
	}
	if slices.ContainsFunc(p.runs, func(r *run) bool { return r.early }) {
		return errEarly
	}
	return nil
}

// tend has the webhook removed where the registration is being deleted.
func (p *pass) tend(ctx context.Context) error {
	deleting := p.reg.Phase == registry.PhaseDeleting
	p.leaving = deleting
	if p.relay.Webhook == nil || !deleting {
		return nil
	}
	err := p.relay.Webhook(ctx, p.reg, p.hint.Why != inbox.WhyReconcile)
	if err == nil {
		// What was found out about the webhook is told by this pass already.
		if now := p.relay.Registry.Registration(p.reg.ID); now != nil {
			p.reg = now
		}
		return nil
	}
	return p.failed(err)
}

// open finds the registration, and for each of its shares the state of the
// partner's stream. The state is read before the registration is read anew: so
// a share that changes after that also changes what the lock protects.
func (p *pass) open(ctx context.Context) error {
	p.runs = nil
	p.reg = p.relay.Registry.Registration(p.hint.Registration)
	if p.reg == nil {
		p.reg = &registry.Registration{}
	}
	for {
		known := p.reg
		p.runs = make([]*run, len(known.Shares))
		for i := range known.Shares {
			p.runs[i] = &run{pass: p, share: &known.Shares[i], appeared: map[int64]bool{}}
		}
		p.each(func(r *run) error { return r.open(ctx) })
		fresh, err := p.relay.Registry.FreshRegistration(ctx, p.hint.Registration)
		if errors.Is(err, registry.ErrNotFound) {
			p.reg = nil
			return p.relay.Inbox.Forget(ctx, p.hint.Registration)
		}
		if err != nil {
			return err
		}
		p.reg = fresh
		if fresh.Revision == known.Revision {
			break
		}
	}
	if p.reg.Phase == registry.PhaseCreating { // its first load follows, or it is given up
		p.reg = nil
		return nil
	}
	var err error
	if p.owner, err = p.relay.Registry.FreshOwner(ctx, p.reg.Owner); errors.Is(err, registry.ErrNotFound) {
		return nil
	} else if err != nil {
		return err
	}
	if p.client, err = p.relay.Access.Client(p.owner, p.class()); err != nil {
		return err
	}
	turn := p.client.Before
	p.client.Before = func(ctx context.Context) error {
		p.requests++
		return turn(ctx)
	}
	told := p.client.After
	p.client.After = func(call smartsheet.Call) {
		told(call)
		requestSpan(ctx, p.relay.Tracer, call)
	}
	return nil
}

// open finds the partner's stream and how the share stands there.
func (r *run) open(ctx context.Context) error {
	partner, err := r.pass.relay.Registry.FreshPartner(ctx, r.share.Partner)
	if errors.Is(err, registry.ErrNotFound) {
		r.over = true // with all that it was shown
		return nil
	}
	if err != nil {
		return err
	}
	key, err := r.pass.relay.Registry.Sealer().Open(partner.MaskKey, partner.SealName("maskKey"))
	if err != nil {
		return err
	}
	if r.view, err = events.NewView(r.share.Share, key); err != nil {
		return err
	}
	if r.stream, err = r.pass.relay.Partners.Stream(ctx, partner); err != nil {
		return err
	}
	state, err := r.stream.State(ctx, &r.share.Share)
	if err != nil {
		return err
	}
	// Looked at after the state: the lock of a stream that was made anew between
	// is refused.
	if r.epoch, err = r.pass.relay.Partners.Epoch(ctx, partner.Name, r.stream); err != nil {
		return err
	}
	r.state, r.writer = state, r.stream.NewWriter(&r.share.Share, state.Lock)
	r.watch(ctx)
	return nil
}

func (r *run) active() bool { return r.err == nil && !r.over }

// each calls the function for every share that nothing has gone wrong for, all
// at once: what goes wrong or takes long for one stays with that one.
func (p *pass) each(f func(*run) error) {
	var wg sync.WaitGroup
	for _, r := range p.runs {
		if r.active() {
			wg.Go(func() { r.err = f(r) })
		}
	}
	wg.Wait()
}

// loading tells whether some share has not been loaded.
func (p *pass) loading() bool {
	return slices.ContainsFunc(p.runs, func(r *run) bool { return r.active() && !r.state.Loaded() })
}

func (p *pass) lostRace() bool {
	return slices.ContainsFunc(p.runs, func(r *run) bool {
		return errors.Is(r.err, events.ErrLostRace) || errors.Is(r.err, events.ErrLag)
	})
}

// shareError joins what went wrong for single shares.
func (p *pass) shareError() error {
	var errs []error
	for _, r := range p.runs {
		if r.err != nil {
			errs = append(errs, fmt.Errorf("share %s/%s: %w", r.share.Partner, r.share.Sheet, r.err))
		}
	}
	return errors.Join(errs...)
}
