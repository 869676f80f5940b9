package relay

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/sheetbridge/sheetbridge/smartsheet"
	"github.com/sheetbridge/sheetbridge/webhook/budget"
	"github.com/sheetbridge/sheetbridge/webhook/inbox"
	"github.com/sheetbridge/sheetbridge/webhook/registry"
)

// plan is what a pass is about: made before anything is read, not changed since.
type plan struct {
	hint      *inbox.Hint
	startedAt time.Time
	reg       *registry.Registration
	owner     *registry.Owner // nil: there is none any more
	shares    []*registry.Share
	loading   bool // a share that takes part is not loaded, as far as this process knows
}

// plan finds the registration, its owner and the shares that the hint is for. It
// is nil where there is nothing to do.
func (r *Relay) plan(ctx context.Context, h *inbox.Hint, startedAt time.Time) (*plan, error) {
	if h.ShareChanged || h.Why == inbox.WhyShare { // perhaps by another replica, a moment ago
		if err := r.Registry.CatchUp(ctx); err != nil {
			return nil, err
		}
	}
	p := &plan{hint: h, startedAt: startedAt}
	if p.reg = r.Registry.Registration(h.Registration); p.reg == nil {
		fresh, err := r.Registry.FreshRegistration(ctx, h.Registration)
		if err != nil && !errors.Is(err, registry.ErrNotFound) {
			return nil, err
		}
		if p.reg = fresh; fresh == nil {
			return r.planWithout(ctx, p)
		}
	}
	if p.reg.Phase == registry.PhaseCreating { // its first load follows, or it is given up
		return nil, nil
	}
	var err error
	if p.owner, err = r.Registry.FreshOwner(ctx, p.reg.Owner); err != nil && !errors.Is(err, registry.ErrNotFound) {
		return nil, err
	}
	if p.shares, err = r.participants(ctx, h); err != nil || len(p.shares) == 0 {
		return nil, err
	}
	p.loading = slices.ContainsFunc(p.shares, func(s *registry.Share) bool { return !r.targets.of(s).loaded() })
	return p, nil
}

// planWithout is the plan for a registration that is gone: its shares are ending,
// and nothing is read.
func (r *Relay) planWithout(ctx context.Context, p *plan) (*plan, error) {
	p.shares = slices.Clone(r.Registry.Shares(p.hint.Registration))
	if p.hint.Shares != nil { // one that fails or is slow has passes of its own here too
		p.shares = slices.DeleteFunc(p.shares, func(s *registry.Share) bool { return !slices.Contains(p.hint.Shares, s.Key()) })
	} else if err := r.Inbox.Forget(ctx, p.hint.Registration); err != nil {
		return nil, err
	}
	if len(p.shares) == 0 {
		return nil, nil
	}
	p.reg = &registry.Registration{ID: p.hint.Registration, Phase: registry.PhaseDeleting}
	return p, nil
}

// participants are the shares that take part in the pass. One that is slow or is to be
// tried later has passes of its own.
func (r *Relay) participants(ctx context.Context, h *inbox.Hint) ([]*registry.Share, error) {
	var participants []*registry.Share
	for _, s := range r.Registry.Shares(h.Registration) {
		if h.Shares != nil {
			if slices.Contains(h.Shares, s.Key()) {
				participants = append(participants, s)
			}
			continue
		}
		switch r.targets.of(s).participation(time.Now()) {
		case joins:
			participants = append(participants, s)
		case alone:
			if err := r.enqueueAlone(ctx, h, s); err != nil {
				return nil, err
			}
		case postponed: // it is put off for the whole sheet; else it is tried with the others
			if h.Whole && h.Why != inbox.WhyCallback {
				participants = append(participants, s)
			}
		}
	}
	return participants, nil
}

// enqueueAlone gives the hint to one share alone.
func (r *Relay) enqueueAlone(ctx context.Context, h *inbox.Hint, s *registry.Share) error {
	alone := *h
	alone.Shares, alone.Webhook = []string{s.Key()}, false
	return r.Inbox.Put(ctx, &alone)
}

// whole tells whether the whole sheet is to be compared.
func (p *plan) whole() bool { return p.hint.Whole }

// readable tells whether the sheet can be read in the owner's name, as far as is
// known.
func (p *plan) readable() bool {
	return p.reg.Phase == registry.PhaseActive && p.owner != nil && p.owner.State == registry.OwnerOK
}

// class is how urgent the pass's first request is. What has waited for half a
// reconcile interval is as urgent as can be: a busy sheet must not keep the
// owner's quiet ones from being looked at.
func (p *plan) class(every time.Duration) budget.Class {
	switch {
	case p.startedAt.Sub(p.hint.ReceivedAt) > every/2:
		return budget.Callback
	case p.whole() && p.loading:
		return budget.Load
	case p.hint.Why == inbox.WhyCallback:
		return budget.Callback
	}
	return budget.Reconcile
}

// typesOf are the types of columns as they were read, by id.
func typesOf(columns []smartsheet.Column) map[int64]smartsheet.ColumnType {
	return smartsheet.TypesOf(columns)
}
