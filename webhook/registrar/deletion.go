package registrar

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/sheetbridge/sheetbridge/smartsheet"
	"github.com/sheetbridge/sheetbridge/webhook/budget"
	"github.com/sheetbridge/sheetbridge/webhook/inbox"
	"github.com/sheetbridge/sheetbridge/webhook/owner"
	"github.com/sheetbridge/sheetbridge/webhook/problem"
	"github.com/sheetbridge/sheetbridge/webhook/registry"
)

// changesAtOnce bounds how many records are changed side by side.
const changesAtOnce = 16

// errAccess says that nothing can be done in an owner's name.
var errAccess = errors.New("the owner's access does not work")

// Delete ends a registration with all its shares and deletes its webhook. Gone
// tells whether Smartsheet has let go of the webhook, and so whether the record
// is removed: where it does not answer, or refuses, that is tried again by Run
// and EnsureWebhook. Either way nobody sees the registration any more, and its shares end
// by themselves.
func (g *Registrar) Delete(ctx context.Context, id string) (gone bool, err error) {
	if _, err := g.Registration(id); err != nil {
		return false, err
	}
	reg, err := g.Registry.UpdateRegistration(ctx, id, func(reg *registry.Registration) error {
		if reg.Phase != registry.PhaseActive {
			return registry.ErrNotFound // somebody else deletes it
		}
		reg.Phase = registry.PhaseDeleting
		return nil
	})
	if err != nil {
		return false, problem.FromRegistry("such registration", err)
	}
	// What is begun is ended also for a caller who has hung up.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTime)
	defer cancel()
	if err := g.finishDelete(ctx, reg, budget.Callback); err != nil {
		g.Log.Warn("cannot delete the webhook of a deleted registration at Smartsheet: the bridge tries again", "registration", id, "err", err)
		return false, g.enqueue(ctx, id, inbox.Hint{Why: inbox.WhyShare, Whole: true, Webhook: true})
	}
	return true, nil
}

// finishDelete deletes the webhook of a registration that is being deleted, then
// its record, and has its shares ended. It may be repeated until it succeeds.
func (g *Registrar) finishDelete(ctx context.Context, reg *registry.Registration, class budget.Class) error {
	if err := g.endShares(ctx, g.Registry.Shares(reg.ID)); err != nil {
		return err
	}
	if err := g.deleteWebhook(ctx, reg, class); err != nil {
		return fmt.Errorf("deleting the webhook of registration %s: %w", reg.ID, err)
	}
	// Its clock too, and before the record goes: then the sheet can be registered again.
	if err := g.Inbox.Forget(ctx, reg.ID); err != nil {
		return err
	}
	if err := g.removeDeleted(ctx, reg); err != nil {
		return err
	}
	return g.enqueueDetached(ctx, reg.ID)
}

// removeDeleted removes the record of a registration whose webhook is gone.
func (g *Registrar) removeDeleted(ctx context.Context, was *registry.Registration) error {
	for {
		reg, err := g.Registry.FreshRegistration(ctx, was.ID)
		switch {
		case errors.Is(err, registry.ErrNotFound):
			return nil
		case err != nil:
			return err
		case reg.Phase != registry.PhaseDeleting || !reg.CreatedAt.Equal(was.CreatedAt): // another's
			return nil
		}
		if err := g.Registry.DeleteRegistration(ctx, reg); !errors.Is(err, registry.ErrConflict) {
			return err
		}
	}
}

// enqueueDetached has the shares ended that have outlived the registration.
func (g *Registrar) enqueueDetached(ctx context.Context, id string) error {
	if len(g.Registry.Shares(id)) == 0 {
		return nil
	}
	return g.enqueue(ctx, id, inbox.Hint{Why: inbox.WhyShare, Whole: true})
}

// endShares marks shares as ending.
func (g *Registrar) endShares(ctx context.Context, shares []*registry.Share) error {
	var all errgroup.Group
	all.SetLimit(changesAtOnce)
	for _, s := range shares {
		if !s.Ending {
			all.Go(func() error { return g.endShare(ctx, s) })
		}
	}
	return all.Wait()
}

// endShare marks a share as ending, unless it is gone or another was made under
// its name.
func (g *Registrar) endShare(ctx context.Context, was *registry.Share) error {
	_, err := g.Registry.UpdateShare(ctx, was.Partner, was.Sheet, func(now *registry.Share) error {
		if !now.SameAs(was) {
			return registry.ErrNotFound
		}
		now.Ending = true
		return nil
	})
	if err != nil && !errors.Is(err, registry.ErrNotFound) {
		return fmt.Errorf("ending share %s: %w", was.Key(), err)
	}
	return nil
}

// webhookGone tells by the answer to the deletion of a webhook whether it is gone at
// Smartsheet. Nothing else than these answers says so: a webhook whose record is
// removed before that stays enabled for good.
func webhookGone(err error) bool {
	var e *smartsheet.Error
	return err == nil || errors.As(err, &e) && (e.Status == http.StatusNotFound || e.Code == smartsheet.CodeNotFound)
}

// deleteWebhook deletes the webhook of a registration at Smartsheet, also one
// that was made and whose id was not stored.
func (g *Registrar) deleteWebhook(ctx context.Context, reg *registry.Registration, class budget.Class) error {
	if reg.WebhookID == 0 && g.PublicURL == "" {
		return nil // the sheet was polled
	}
	o, err := g.Registry.FreshOwner(ctx, reg.Owner)
	if err != nil {
		return fmt.Errorf("finding owner %s: %w", reg.Owner, err)
	}
	if o.State != registry.OwnerOK {
		return fmt.Errorf("%w: %s", errAccess, owner.AccessError(o))
	}
	client, err := g.Access.Client(o, class)
	if err != nil {
		return err
	}
	if reg.WebhookID != 0 {
		if err := client.DeleteWebhook(ctx, reg.WebhookID); !webhookGone(err) {
			return err
		}
		return nil
	}
	for w, err := range client.Webhooks(ctx) {
		if err != nil {
			return err
		}
		if !strings.HasSuffix(w.CallbackURL, registry.CallbackPath+string(reg.CallbackKey())) {
			continue
		}
		if err := client.DeleteWebhook(ctx, w.ID); !webhookGone(err) {
			return err
		}
	}
	return nil
}
