package registrar

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/sheetbridge/sheetbridge/smartsheet"
	"github.com/sheetbridge/sheetbridge/webhook/budget"
	"github.com/sheetbridge/sheetbridge/webhook/inbox"
	"github.com/sheetbridge/sheetbridge/webhook/registry"
)

// removeFailed removes a registration that could not be made, at Smartsheet first, also
// when nobody waits for it any more. What cannot be removed now Run removes.
func (g *Registrar) removeFailed(ctx context.Context, client *smartsheet.Client, reg *registry.Registration) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTime)
	defer cancel()
	if err := g.abandon(ctx, client, reg); err != nil {
		g.Log.Warn("cannot remove a registration that failed: the bridge tries again", "registration", reg.ID, "err", err)
	}
}

// abandon removes the webhook of an unfinished registration and then the
// registration. A webhook that was made but not stored is known by its
// callbackUrl. A nil client is of an owner who is gone: nothing can be removed
// in its name, and Smartsheet disables what it calls in vain.
func (g *Registrar) abandon(ctx context.Context, client *smartsheet.Client, was *registry.Registration) error {
	reg, err := g.Registry.FreshRegistration(ctx, was.ID)
	switch {
	case errors.Is(err, registry.ErrNotFound):
		return nil
	case err != nil:
		return err
	case !reg.CreatedAt.Equal(was.CreatedAt): // another's
		return nil
	case reg.Phase == registry.PhaseActive: // only the answer was lost
		return g.scheduleReconciles(ctx, reg.ID, inbox.Hint{Why: inbox.WhyShare, Whole: true})
	case reg.Phase != registry.PhaseCreating:
		return nil
	}
	if g.PublicURL != "" && client != nil {
		for w, err := range client.Webhooks(ctx) {
			if err != nil {
				return err
			}
			if w.ID != reg.WebhookID && !strings.HasSuffix(w.CallbackURL, registry.CallbackPath+string(reg.CallbackKey())) {
				continue
			}
			if err := client.DeleteWebhook(ctx, w.ID); !webhookGone(err) {
				return err
			}
		}
	}
	if err := g.removeUnseen(ctx, reg); err != nil {
		return err
	}
	return g.Registry.DeleteRegistration(ctx, reg)
}

// removeUnseen removes the shares of a registration that was never active: no
// partner has seen anything of them. Those that are ending are of an earlier
// registration of the sheet.
func (g *Registrar) removeUnseen(ctx context.Context, reg *registry.Registration) error {
	for _, s := range g.Registry.Shares(reg.ID) {
		if s.Ending {
			continue
		}
		if err := g.Registry.DeleteShare(ctx, s); err != nil {
			return fmt.Errorf("removing share %s of a registration that was not made: %w", s.Key(), err)
		}
	}
	return nil
}

// removeUnfinished removes a registration that was left half made.
func (g *Registrar) removeUnfinished(ctx context.Context, reg *registry.Registration) {
	var client *smartsheet.Client
	o, err := g.Registry.FreshOwner(ctx, reg.Owner)
	if err == nil {
		client, err = g.Access.Client(o, budget.Reconcile)
	}
	if err == nil || errors.Is(err, registry.ErrNotFound) {
		err = g.abandon(ctx, client, reg)
	}
	if err != nil {
		g.Log.Warn("cannot remove an unfinished registration: the bridge tries again", "registration", reg.ID, "err", err)
		return
	}
	g.Log.Info("removed an unfinished registration", "registration", reg.ID)
}
