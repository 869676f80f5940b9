package owner

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/sheetbridge/sheetbridge/smartsheet"
	"github.com/sheetbridge/sheetbridge/webhook/budget"
	"github.com/sheetbridge/sheetbridge/webhook/inbox"
	"github.com/sheetbridge/sheetbridge/webhook/problem"
	"github.com/sheetbridge/sheetbridge/webhook/registry"
)

const (
	renewEvery  = time.Minute
	reviveEvery = 10 * time.Minute
	// refusedEvery is how often a refused token is tried: it hardly ever works
	// again, but a refusal that was Smartsheet's mistake must not need a person.
	refusedEvery = time.Hour
)

// Owners keeps the access of all owners alive: tokens of consents are renewed
// before they expire, and what an administrator of Company A had blocked goes
// on when it works again.
type Owners struct {
	Registry *registry.Registry
	Access   *Access
	Inbox    *inbox.Inbox
	Log      *slog.Logger
}

// Run works until the context ends.
func (w *Owners) Run(ctx context.Context) error {
	renew, revive, refused := time.NewTicker(renewEvery), time.NewTicker(reviveEvery), time.NewTicker(refusedEvery)
	defer renew.Stop()
	defer revive.Stop()
	defer refused.Stop()
	for {
		w.Renew(ctx)
		select {
		case <-ctx.Done():
			return nil
		case <-renew.C:
		case <-revive.C:
			w.Revive(ctx, registry.OwnerSuspended)
		case <-refused.C:
			w.Revive(ctx, registry.OwnerRefused)
		}
	}
}

// Renew renews the tokens of consents that expire before long.
func (w *Owners) Renew(ctx context.Context) {
	oauth := w.Access.OAuth
	if oauth == nil {
		return
	}
	for _, owner := range w.Registry.Owners() {
		if owner.Kind != KindOAuth || !oauth.due(owner) {
			continue
		}
		err := oauth.renew(ctx, owner.Name, owner.OAuth.Generation)
		if err != nil && !errors.Is(err, errLeased) && !errors.Is(err, errRenewed) && ctx.Err() == nil {
			w.Log.Warn("cannot renew tokens: the next minute tries again", "owner", owner.Name, "expiresAt", owner.OAuth.ExpiresAt, "err", err)
		}
	}
}

// Revive tries the tokens of owners in a state: what brought them there is
// somebody else's to change, and that is not told.
func (w *Owners) Revive(ctx context.Context, state registry.OwnerState) {
	for _, owner := range w.Registry.Owners() {
		if owner.State != state || owner.Kind == KindOAuth {
			continue
		}
		if err := w.revive(ctx, owner); err != nil && ctx.Err() == nil {
			w.Log.Info("Smartsheet still refuses an owner's token", "owner", owner.Name, "state", string(state), "err", err)
		}
	}
}

func (w *Owners) revive(ctx context.Context, owner *registry.Owner) error {
	client, err := w.Access.Client(owner, budget.Load)
	if err != nil {
		return err
	}
	if _, err := client.Me(ctx); err != nil {
		return err
	}
	err = w.Registry.UpdateOwner(ctx, owner.Name, func(now *registry.Owner) error {
		if now.Revision != owner.Revision {
			return registry.ErrConflict
		}
		now.State, now.Reason = registry.OwnerOK, ""
		return nil
	})
	if err != nil {
		return err
	}
	return w.Wake(ctx, owner.Name)
}

// Wake has all sheets of an owner looked at, and their webhooks too.
func (w *Owners) Wake(ctx context.Context, owner string) error {
	for _, reg := range w.Registry.Registrations() {
		if reg.Owner != owner {
			continue
		}
		h := &inbox.Hint{Registration: reg.ID, Why: inbox.WhyShare, Whole: true, Webhook: true, ReceivedAt: time.Now()}
		if err := w.Inbox.Put(ctx, h); err != nil {
			return err
		}
	}
	return nil
}

// stateFor is the state of an owner whose request was refused so, and why.
func stateFor(o *registry.Owner, cause error) (registry.OwnerState, string) {
	reason := cause.Error()
	if advice := Advice(cause); advice != "" {
		reason += ". " + advice
	}
	var e *smartsheet.Error
	if o.Kind == KindOAuth || errors.As(cause, &e) && blocked(e.Code) {
		return registry.OwnerSuspended, reason
	}
	return registry.OwnerRefused, reason
}

// blocked tells whether a code is about what an administrator can undo while the
// token stays what it is.
func blocked(code int) bool {
	switch code {
	case 1005, 1030, 1044, 1188:
		return true
	}
	return code >= 1269 && code <= 1275
}

// Suspension says to partners why nothing is read in the owner's name. It names
// no person.
func Suspension(o *registry.Owner) string {
	switch {
	case o == nil:
		return "there is nobody in whose name the sheet could be read"
	case o.State == registry.OwnerAuthorize:
		return "the sheet's owner has to consent again"
	case o.State == registry.OwnerSuspended && o.Kind == KindOAuth:
		return "the sheet's owner withdrew the consent"
	case o.State == registry.OwnerSuspended:
		return "the owner's access is blocked at Smartsheet"
	}
	return "Smartsheet refuses the owner's token"
}

// AccessError says to an administrator that nothing can be done in the owner's name,
// and what helps.
func AccessError(o *registry.Owner) string {
	help := "replace its token with PUT /v1/owners/" + o.Name + "/token"
	if o.Kind == KindOAuth {
		help = "send its user the address that POST /v1/owners/" + o.Name + "/authorize gives"
	}
	return fmt.Sprintf("the access of owner %q does not work (%s): %s", o.Name, o.State, help)
}

// RestoreAccess is the call that makes an owner's access work again.
func RestoreAccess(o *registry.Owner) *problem.Action {
	if o.Kind == KindOAuth {
		return problem.AskConsent.For(o.Name)
	}
	return problem.ReplaceToken.For(o.Name)
}

// AccessProblem is the conflict that nothing can be done in the owner's name, because of a
// field of the request or, where that is empty, of its path.
func AccessProblem(o *registry.Owner, field string) *problem.Problem {
	return problem.New(problem.Conflict, field, "%s", AccessError(o)).Next(RestoreAccess(o))
}
