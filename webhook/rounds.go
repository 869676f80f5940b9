package webhook

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sheetbridge/sheetbridge/smartsheet"
	"github.com/sheetbridge/sheetbridge/webhook/budget"
	"github.com/sheetbridge/sheetbridge/webhook/inbox"
	"github.com/sheetbridge/sheetbridge/webhook/registry"
)

// Recover finishes at a start what was cut off: names of shares are claimed or
// given back, registrations are looked at and followed. Those half made Run
// removes.
func (g *Registrar) Recover(ctx context.Context) error {
	if err := g.checkNames(ctx); err != nil {
		return fmt.Errorf("claiming the names of shares: %w", err)
	}
	for _, reg := range g.Registry.Registrations() {
		if reg.Phase == registry.PhaseCreating {
			continue
		}
		if err := g.follow(ctx, reg.ID, inbox.Hint{Why: inbox.WhyReconcile, Whole: true, Webhook: true}); err != nil {
			return fmt.Errorf("following registration %s: %w", reg.ID, err)
		}
	}
	return nil
}

// checkEvery is how often registrations are looked for that were left half made.
const checkEvery = 10 * time.Second

// Run removes registrations that were left half made, and sees that the clocks
// of the others go, until the context ends.
func (g *Registrar) Run(ctx context.Context) error {
	started, checked := g.Registry.Begun(), time.Now()
	tick := time.NewTicker(checkEvery)
	defer tick.Stop()
	for {
		for _, reg := range g.Registry.Registrations() {
			abandoned := time.Now().After(reg.Until) || (g.Alone && reg.CreatedAt.Before(started))
			if reg.Phase == registry.PhaseCreating && abandoned {
				g.sweep(ctx, reg)
			}
		}
		if time.Since(checked) >= g.Every/2 {
			checked = time.Now()
			g.checkClocks(ctx)
			if err := g.checkNames(ctx); err != nil && ctx.Err() == nil {
				g.Log.Warn("the names of shares could not be checked", "err", err)
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// checkClocks sees that every registration is looked at in time. What cannot be
// seen to now is at the next round.
func (g *Registrar) checkClocks(ctx context.Context) {
	for _, reg := range g.Registry.Registrations() {
		if reg.Phase == registry.PhaseCreating {
			continue
		}
		switch late, err := g.Inbox.Overdue(ctx, reg.ID); {
		case ctx.Err() != nil:
			return
		case err != nil:
			g.Log.Warn("the reconciles of a registration could not be checked", "registration", reg.ID, "err", err)
			return // NATS is away; it is the same for the others
		case late:
			g.Log.Warn("a registration was not looked at in time: it is now", "registration", reg.ID)
			if err := g.Inbox.Follow(ctx, reg.ID, g.Every); err != nil {
				g.Log.Warn("a registration could not be followed", "registration", reg.ID, "err", err)
			}
		}
	}
}

// checkNames sees that the names of shares are claimed, and none for nothing.
func (g *Registrar) checkNames(ctx context.Context) error {
	twice, err := g.Registry.TidyNames(ctx, g.Alone)
	for _, t := range twice {
		g.Log.Error("a partner gets two sheets under one name: end one of the shares", "partner", t.Partner, "sheet", t.Sheet)
	}
	return err
}

// sweep removes a registration that was left half made.
func (g *Registrar) sweep(ctx context.Context, reg *registry.Registration) {
	var client *smartsheet.Client
	o, err := g.Registry.FreshOwner(ctx, reg.Owner)
	if err == nil {
		client, err = g.Access.Client(o, budget.Reconcile)
	}
	if err == nil || errors.Is(err, registry.ErrNotFound) {
		err = g.abandon(ctx, client, reg)
	}
	if err != nil {
		g.Log.Warn("a registration that was left half made could not be removed yet", "registration", reg.ID, "err", err)
		return
	}
	g.Log.Info("a registration that was left half made was removed", "registration", reg.ID)
}
