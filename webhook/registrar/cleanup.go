package registrar

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sheetbridge/sheetbridge/webhook/budget"
	"github.com/sheetbridge/sheetbridge/webhook/inbox"
	"github.com/sheetbridge/sheetbridge/webhook/registry"
)

const (
	// checkEvery is how often Run looks for what was left unfinished.
	checkEvery = 10 * time.Second
	// maxDeleteWait is the longest time between two tries to delete a webhook.
	maxDeleteWait = 10 * time.Minute
)

// Recover has all registrations looked at and followed at a start, and what is
// left of those that are gone. Those half made Run removes. When the context ends
// before, the next start does the rest.
func (g *Registrar) Recover(ctx context.Context) error {
	for _, reg := range g.Registry.Registrations() {
		if ctx.Err() != nil {
			return nil
		}
		if reg.Phase == registry.PhaseCreating {
			continue
		}
		if err := g.scheduleReconciles(ctx, reg.ID, inbox.Hint{Why: inbox.WhyReconcile, Whole: true, Webhook: true}); err != nil {
			return fmt.Errorf("following registration %s: %w", reg.ID, err)
		}
	}
	return g.enqueueAllDetached(ctx)
}

// Run finishes what was left half done until the context ends: it removes
// registrations that were never made or are being deleted, ends or removes
// shares that have no registration or no partner, and sees that the clocks of
// registrations go.
func (g *Registrar) Run(ctx context.Context) error {
	checked, deletions := time.Now(), deletions{}
	tick := time.NewTicker(checkEvery)
	defer tick.Stop()
	for {
		g.cleanUp(ctx, deletions)
		if time.Since(checked) >= g.ReconcileEvery/2 {
			checked = time.Now()
			g.checkClocks(ctx)
			if err := g.enqueueAllDetached(ctx); err != nil && ctx.Err() == nil {
				g.Log.Warn("cannot check the shares of deleted registrations", "err", err)
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// cleanUp looks once at all registrations and shares for what is unfinished.
func (g *Registrar) cleanUp(ctx context.Context, d deletions) {
	for _, reg := range g.Registry.Registrations() {
		abandoned := time.Now().After(reg.Until) || (g.SingleReplica && reg.CreatedAt.Before(g.Registry.Begun()))
		switch {
		case reg.Phase == registry.PhaseCreating && abandoned:
			g.removeUnfinished(ctx, reg)
		case reg.Phase == registry.PhaseDeleting && d.due(reg.ID, time.Now()):
			g.deleteAgain(ctx, reg)
		}
	}
	for _, s := range g.Registry.AllShares() {
		if err := g.cleanShare(ctx, s); err != nil && ctx.Err() == nil {
			g.Log.Warn("cannot remove a share of a deleted registration or partner: the bridge tries again", "share", s.Key(), "err", err)
			return // most likely NATS is away; it is the same for the others
		}
	}
}

// deletions says when the webhooks of registrations are to be deleted again, by
// registration.
type deletions map[string]deletion

type deletion struct {
	next time.Time
	wait time.Duration
}

// due tells whether it is time to try again, and puts the next time off: each
// twice as long as the one before. What is seen for the first time is being
// deleted by somebody else just now.
func (d deletions) due(id string, now time.Time) bool {
	last, known := d[id]
	if known && now.Before(last.next) {
		return false
	}
	wait := min(max(2*last.wait, checkEvery), maxDeleteWait)
	d[id] = deletion{next: now.Add(wait), wait: wait}
	return known
}

// deleteAgain tries to finish the deletion of a registration.
func (g *Registrar) deleteAgain(ctx context.Context, reg *registry.Registration) {
	err := g.finishDelete(ctx, reg, budget.Reconcile)
	switch {
	case ctx.Err() != nil:
	case err != nil:
		g.Log.Warn("cannot delete the webhook of a deleted registration at Smartsheet: the bridge tries again",
			"registration", reg.ID, "owner", reg.Owner, "sheet", reg.SheetID, "webhook", reg.WebhookID, "err", err)
	default:
		g.Log.Info("removed a deleted registration: its webhook is gone at Smartsheet", "registration", reg.ID)
	}
}

// cleanShare removes a share whose partner is gone, with its stream, and has one
// ended whose registration is gone.
func (g *Registrar) cleanShare(ctx context.Context, s *registry.Share) error {
	_, err := g.Registry.FreshPartner(ctx, s.Partner)
	switch {
	case errors.Is(err, registry.ErrNotFound):
		return g.removeShare(ctx, s)
	case err != nil:
		return err
	}
	if s.Ending || g.Registry.Registration(s.Registration) != nil {
		return nil
	}
	_, err = g.Registry.FreshRegistration(ctx, s.Registration)
	if err == nil || !errors.Is(err, registry.ErrNotFound) {
		return err
	}
	if err := g.endShare(ctx, s); err != nil {
		return err
	}
	g.Log.Info("ended a share that has no registration", "share", s.Key(), "registration", s.Registration)
	return g.enqueueDetached(ctx, s.Registration)
}

// removeShare removes the record of a share, unless another was made under its
// name.
func (g *Registrar) removeShare(ctx context.Context, was *registry.Share) error {
	for {
		now, err := g.Registry.FreshShare(ctx, was.Partner, was.Sheet)
		switch {
		case errors.Is(err, registry.ErrNotFound):
			return nil
		case err != nil:
			return err
		case !now.SameAs(was):
			return nil
		}
		if err := g.Registry.DeleteShare(ctx, now); !errors.Is(err, registry.ErrConflict) {
			return err
		}
	}
}

// enqueueAllDetached has all shares ended that have outlived their registrations.
func (g *Registrar) enqueueAllDetached(ctx context.Context) error {
	told := map[string]bool{}
	for _, s := range g.Registry.AllShares() {
		if !s.Ending || told[s.Registration] || g.Registry.Registration(s.Registration) != nil {
			continue
		}
		told[s.Registration] = true
		if err := g.enqueueDetached(ctx, s.Registration); err != nil {
			return fmt.Errorf("having share %s ended: %w", s.Key(), err)
		}
	}
	return nil
}

// checkClocks sees that every registration is looked at in time. What cannot be
// seen to now is at the next round.
func (g *Registrar) checkClocks(ctx context.Context) {
	for _, reg := range g.Registry.Registrations() {
		if reg.Phase == registry.PhaseCreating {
			continue
		}
		switch late, err := g.Inbox.EnsureReconciles(ctx, reg.ID); {
		case ctx.Err() != nil:
			return
		case err != nil:
			g.Log.Warn("cannot check whether a sheet is reconciled in time", "registration", reg.ID, "err", err)
			return // NATS is away; it is the same for the others
		case late:
			g.Log.Warn("a sheet was not reconciled in time: scheduled it again", "registration", reg.ID)
			if err := g.Inbox.ScheduleReconciles(ctx, reg.ID, g.ReconcileEvery); err != nil {
				g.Log.Warn("cannot schedule the reconciles of a sheet", "registration", reg.ID, "err", err)
			}
		}
	}
}
