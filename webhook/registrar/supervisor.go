package registrar

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/sheetbridge/sheetbridge/smartsheet"
	"github.com/sheetbridge/sheetbridge/webhook/budget"
	"github.com/sheetbridge/sheetbridge/webhook/inbox"
	"github.com/sheetbridge/sheetbridge/webhook/owner"
	"github.com/sheetbridge/sheetbridge/webhook/problem"
	"github.com/sheetbridge/sheetbridge/webhook/registry"
)

const (
	// firstRetry is how long after the first failure a webhook is looked at again.
	firstRetry   = time.Second
	maxDoublings = 16 // how often the wait is doubled
)

// Supervise looks after the webhook of the registration that the hint is for. What
// changes with it the partners are told by a pass. A nil error means that it is
// done with or put off.
func (g *Registrar) Supervise(ctx context.Context, h *inbox.Hint) error {
	reg, err := g.Registry.FreshRegistration(ctx, h.Registration)
	if errors.Is(err, registry.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if reg.Phase == registry.PhaseCreating {
		return nil
	}
	err = g.EnsureWebhook(ctx, reg, h.Why != inbox.WhyReconcile)
	switch class := smartsheet.Classify(err); {
	case err != nil && ctx.Err() != nil:
		return err
	case errors.Is(err, owner.ErrBudget):
		return g.Inbox.Defer(ctx, h, time.Now().Add(max(owner.WaitOf(err), time.Second)))
	case class == smartsheet.Refused || class == smartsheet.Expired:
		return g.suspend(ctx, reg, err)
	case class == smartsheet.Retry || class == smartsheet.Wait:
		g.Log.Warn("cannot check or enable a webhook at Smartsheet", "registration", reg.ID, "err", err)
		if err := g.retrySupervise(ctx, h, owner.WaitOf(err)); err != nil {
			return err
		}
	case err != nil: // the next reconcile looks again
		g.Log.Warn("cannot check or enable a webhook at Smartsheet", "registration", reg.ID, "err", err)
	}
	now := g.Registry.Registration(reg.ID)
	if now == nil || now.Status == reg.Status && now.Reason == reg.Reason {
		return nil
	}
	return g.hint(ctx, reg.ID, inbox.Hint{Why: inbox.WhyReconcile, Whole: true})
}

// retrySupervise puts a look that failed off: twice as long each time, and at least
// for the wait. From Every on there is nothing to put off, since a reconcile
// looks then.
func (g *Registrar) retrySupervise(ctx context.Context, h *inbox.Hint, wait time.Duration) error {
	wait = max(wait, firstRetry<<min(h.Attempt, maxDoublings))
	if wait >= g.ReconcileEvery {
		return nil
	}
	late := *h
	late.Attempt++
	return g.Inbox.Defer(ctx, &late, time.Now().Add(wait))
}

// suspend marks the owner of a registration whose token is refused, and has the
// partners of all the owner's sheets told.
func (g *Registrar) suspend(ctx context.Context, reg *registry.Registration, cause error) error {
	o := g.Registry.Owner(reg.Owner)
	if o == nil {
		return nil
	}
	suspended, err := g.Access.Suspend(ctx, o, cause)
	if err != nil || !suspended {
		g.Log.Warn("cannot check or enable a webhook at Smartsheet", "registration", reg.ID, "err", errors.Join(cause, err))
		return nil
	}
	for _, other := range g.Registry.Registrations() {
		if other.Owner != reg.Owner {
			continue
		}
		if err := g.hint(ctx, other.ID, inbox.Hint{Why: inbox.WhyReconcile, Whole: true}); err != nil {
			return err
		}
	}
	return nil
}

// EnsureWebhook looks after the webhook of a registration: it is enabled again where it
// can be, made again where it is gone, told where we are reached now, and
// removed where the registration is being deleted.
func (g *Registrar) EnsureWebhook(ctx context.Context, reg *registry.Registration, urgent bool) error {
	if reg.Phase == registry.PhaseDeleting {
		if err := g.finishDelete(ctx, reg, budget.Reconcile); !errors.Is(err, errAccess) {
			return err
		}
		return nil // Run says so
	}
	o := g.Registry.Owner(reg.Owner)
	if o == nil || o.State != registry.OwnerOK {
		return nil // nothing can be done in its name
	}
	client, err := g.Access.Client(o, budget.Reconcile)
	if err != nil {
		return err
	}
	if g.PublicURL == "" {
		return g.stopWebhook(ctx, client, reg)
	}
	w, err := g.currentWebhook(ctx, o, client, reg, urgent)
	switch {
	case smartsheet.Classify(err) == smartsheet.NotFound:
		return g.recreateWebhook(ctx, client, reg)
	case err != nil:
		return err
	}
	if w.SharedSecret != "" && !hasSecret(reg, w.SharedSecret) {
		g.Log.Warn("Smartsheet has another shared secret: stored it", "registration", reg.ID)
		if err := g.storeSecret(ctx, reg.ID, w.SharedSecret); err != nil {
			return err
		}
	}
	return g.enable(ctx, client, reg, w)
}

// currentWebhook finds the registration's webhook: in the owner's list, and where that
// shows anything unusual, by itself.
func (g *Registrar) currentWebhook(ctx context.Context, o *registry.Owner, client *smartsheet.Client, reg *registry.Registration, urgent bool) (*smartsheet.Webhook, error) {
	if reg.WebhookID == 0 {
		return nil, &smartsheet.Error{Status: 404, Code: 1006, Message: "no webhook yet"}
	}
	if !urgent {
		list, err := g.webhooks.webhooks(ctx, o.Name, client, g.ReconcileEvery/2)
		if err != nil {
			return nil, err
		}
		w, ok := list[reg.WebhookID]
		if ok && w.Status == smartsheet.WebhookEnabled && w.CallbackURL == g.CallbackURL(reg) {
			return &w, nil
		}
	}
	return client.Webhook(ctx, reg.WebhookID)
}

// enable brings the webhook to where it should be, once: what fails is tried
// again at the next look.
func (g *Registrar) enable(ctx context.Context, client *smartsheet.Client, reg *registry.Registration, w *smartsheet.Webhook) error {
	url, enable := g.CallbackURL(reg), true
	moved := w.CallbackURL != url
	if w.Status == smartsheet.WebhookEnabled && !moved {
		return g.setStatus(ctx, reg, w)
	}
	if w.Status == smartsheet.WebhookAppRevoked {
		if err := client.DeleteWebhook(ctx, w.ID); err != nil && smartsheet.Classify(err) == smartsheet.Retry {
			return err
		}
		return g.recreateWebhook(ctx, client, reg)
	}
	if !w.Status.CanEnable() && !moved {
		return g.setStatus(ctx, reg, w)
	}
	update := smartsheet.WebhookUpdate{}
	if moved {
		update.CallbackURL = &url
	}
	if w.Status.CanEnable() || w.Status == smartsheet.WebhookEnabled {
		update.Enabled = &enable
	}
	now, err := client.UpdateWebhook(ctx, w.ID, update)
	if err != nil {
		if class := smartsheet.Classify(err); class == smartsheet.Forbidden || class == smartsheet.Invalid {
			return g.setStatus(ctx, reg, w) // it says no, and will say no again
		}
		return err
	}
	g.webhooks.forget()
	level := slog.LevelInfo
	if now.Status != smartsheet.WebhookEnabled { // Smartsheet does not reach us
		level = slog.LevelWarn
	}
	g.Log.Log(ctx, level, "webhook updated", "registration", reg.ID, "was", string(w.Status), "status", string(now.Status), "moved", moved)
	if now.Status == smartsheet.WebhookEnabled && w.Status != smartsheet.WebhookEnabled {
		// What happened while it was disabled is never told.
		if err := g.hint(ctx, reg.ID, inbox.Hint{Why: inbox.WhyReconcile, Whole: true}); err != nil {
			return err
		}
	}
	return g.setStatus(ctx, reg, now)
}

// adopt finds a webhook that has our key and that our records do not know: they
// were restored from an older copy. More of them than one are too many.
func (g *Registrar) adopt(ctx context.Context, client *smartsheet.Client, reg *registry.Registration) (*smartsheet.Webhook, error) {
	var ours *smartsheet.Webhook
	for w, err := range client.Webhooks(ctx) {
		switch {
		case err != nil:
			return nil, err
		case !strings.HasSuffix(w.CallbackURL, registry.CallbackPath+string(reg.CallbackKey())) || w.Status == smartsheet.WebhookAppRevoked:
		case ours == nil:
			ours = &w
		default:
			if err := client.DeleteWebhook(ctx, w.ID); !webhookGone(err) {
				return nil, err
			}
		}
	}
	if ours == nil {
		return nil, nil
	}
	w, err := client.Webhook(ctx, ours.ID)
	if err != nil {
		return nil, err
	}
	secret, err := g.Registry.Sealer().SealString(w.SharedSecret, reg.SealName("secret"))
	if err != nil {
		return nil, err
	}
	_, err = g.Registry.UpdateRegistration(ctx, reg.ID, func(r *registry.Registration) error {
		r.WebhookID, r.Secret, r.OldSecret = w.ID, secret, nil
		return nil
	})
	return w, err
}

// recreateWebhook makes a webhook again that is gone at Smartsheet, or adopts the one
// that took its place.
func (g *Registrar) recreateWebhook(ctx context.Context, client *smartsheet.Client, reg *registry.Registration) error {
	w, err := g.adopt(ctx, client, reg)
	if err != nil {
		return err
	}
	if w != nil {
		g.Log.Info("found the webhook of a registration at Smartsheet again", "registration", reg.ID)
		return g.enable(ctx, client, reg, w)
	}
	status, err := g.createWebhook(ctx, client, reg)
	if p := (*problem.Problem)(nil); errors.As(err, &p) && p.Err == nil { // not enabled; the next look tries again
		g.Log.Warn("Smartsheet did not enable a webhook that was created again", "registration", reg.ID, "err", err)
		return nil
	}
	if err != nil {
		return err
	}
	g.webhooks.forget()
	g.Log.Info("created a webhook again that was gone at Smartsheet", "registration", reg.ID)
	if err := g.hint(ctx, reg.ID, inbox.Hint{Why: inbox.WhyReconcile, Whole: true}); err != nil {
		return err
	}
	return g.setStatus(ctx, reg, &smartsheet.Webhook{Status: smartsheet.WebhookStatus(status)})
}

func (g *Registrar) setStatus(ctx context.Context, reg *registry.Registration, w *smartsheet.Webhook) error {
	if reg.Status == string(w.Status) && reg.Reason == w.DisabledDetails {
		return nil
	}
	_, err := g.Registry.UpdateRegistration(ctx, reg.ID, func(r *registry.Registration) error {
		r.Status, r.Reason = string(w.Status), w.DisabledDetails
		return nil
	})
	return err
}

// stopWebhook deletes the webhook of a registration whose sheet is polled from
// now on.
func (g *Registrar) stopWebhook(ctx context.Context, client *smartsheet.Client, reg *registry.Registration) error {
	if reg.WebhookID == 0 {
		return nil
	}
	if err := client.DeleteWebhook(ctx, reg.WebhookID); !webhookGone(err) {
		return fmt.Errorf("deleting the webhook of registration %s, whose sheet is polled now: %w", reg.ID, err)
	}
	_, err := g.Registry.UpdateRegistration(ctx, reg.ID, func(r *registry.Registration) error {
		r.WebhookID, r.Secret, r.OldSecret = 0, nil, nil
		r.Status, r.Reason = registry.StatusPolling, ""
		return nil
	})
	return err
}
