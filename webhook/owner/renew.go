package owner

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/sheetbridge/sheetbridge/smartsheet"
	"github.com/sheetbridge/sheetbridge/webhook/registry"
)

const (
	// leaseTime is how long one process has to renew a pair of tokens: a request
	// to Smartsheet and a write to the bucket, with room.
	leaseTime = time.Minute
	// urgentTime before a token expires nobody starts with it any more.
	urgentTime = 2 * time.Minute
	// renewBefore before a token expires it is renewed without being asked for; a
	// quarter of its life, where that is less.
	renewBefore = 24 * time.Hour
	// renewPause after a renewal a refused token is not renewed again: it is
	// not its age.
	renewPause = time.Minute
	// storeTime is how long a new pair is tried to be stored: the old one is dead,
	// so nothing is worse than to lose it.
	storeTime  = 5 * time.Minute
	storePause = time.Second
)

var (
	errRenewed = errors.New("another process renewed the tokens")
	errLeased  = errors.New("the tokens are being renewed by another process")
)

// tokenOfUser is by what a budget counts the tokens of a consent, which change
// every week.
func tokenOfUser(id int64) string { return "user " + strconv.FormatInt(id, 10) }

// noConsent is the error of an owner who has to consent again, as Smartsheet's
// own would be.
func noConsent(name string) error {
	return fmt.Errorf("owner %s: %w", name, &smartsheet.Error{
		Status: 401, Code: smartsheet.CodeGrantRevoked, Message: "the owner has to consent again", Method: "POST", Route: "/token",
	})
}

// token returns an access token that is good for a while, and renews it where
// it is not. While another process does that it waits: the old token is dead
// from one moment to the next.
func (o *OAuth) token(ctx context.Context, name string) (string, error) {
	for {
		changed := o.Access.Registry.Changed()
		owner, err := o.Access.Registry.FreshOwner(ctx, name)
		if err != nil {
			return "", err
		}
		if owner.OAuth == nil || owner.State == registry.OwnerAuthorize || owner.State == registry.OwnerSuspended {
			return "", noConsent(name)
		}
		lease := owner.OAuth.Lease
		leased := lease != nil && o.now().Before(lease.Until)
		if !leased && o.now().Add(urgentTime).Before(owner.OAuth.ExpiresAt) {
			return o.Access.Registry.Sealer().OpenString(owner.Token, owner.SealName("token"))
		}
		pause := storePause
		if !leased {
			err = o.renew(ctx, name, owner.OAuth.Generation)
			if err == nil {
				continue
			}
			if !errors.Is(err, errLeased) && !errors.Is(err, errRenewed) {
				return "", err
			}
		}
		select {
		case <-ctx.Done():
			return "", ctx.Err()
		case <-changed:
		case <-time.After(pause):
		}
	}
}

// renewed returns another token than the one that was refused, or none where a
// renewal would not help.
func (o *OAuth) renewed(ctx context.Context, name, refused string, cause error) (string, error) {
	var e *smartsheet.Error
	if !errors.As(cause, &e) || e.Code != smartsheet.CodeTokenExpired && e.Code != smartsheet.CodeTokenInvalid {
		return "", nil
	}
	now, err := o.token(ctx, name)
	if err != nil || now != refused {
		return now, err
	}
	owner, err := o.Access.Registry.FreshOwner(ctx, name)
	if err != nil {
		return "", err
	}
	if o.now().Before(owner.OAuth.RenewedAt.Add(renewPause)) {
		return "", nil
	}
	err = o.renew(ctx, name, owner.OAuth.Generation)
	if err != nil && !errors.Is(err, errLeased) && !errors.Is(err, errRenewed) {
		return "", err
	}
	return o.token(ctx, name)
}

// renew makes the next pair of tokens, once over all replicas: only who holds
// the lease in the owner's record uses the refresh token, which works once. The
// lease is bound to the pair by its generation. The caller may give up:
// what was begun is finished, for the answer is the only copy.
func (o *OAuth) renew(ctx context.Context, name string, generation int64) error {
	lease := &registry.Lease{Holder: uuid.NewString(), Until: o.now().Add(leaseTime).UTC()}
	var owner *registry.Owner
	err := o.Access.Registry.UpdateOwner(ctx, name, func(now *registry.Owner) error {
		switch {
		case now.OAuth == nil || len(now.OAuth.Refresh) == 0:
			return noConsent(name)
		case now.OAuth.Generation != generation:
			return errRenewed
		case now.OAuth.Lease != nil && o.now().Before(now.OAuth.Lease.Until):
			return errLeased
		}
		now.OAuth.Lease = lease
		owner = now
		return nil
	})
	if err != nil {
		return err
	}
	ctx = context.WithoutCancel(ctx)
	grant, err := o.refresh(ctx, owner)
	if err != nil {
		return errors.Join(err, o.failed(ctx, owner, lease, err))
	}
	suspended := owner.State != registry.OwnerOK
	err = o.storeWithRetry(ctx, name, func(now *registry.Owner) error {
		if now.OAuth == nil || now.OAuth.Generation != generation {
			return errRenewed // by a new consent
		}
		return o.setTokens(now, grant)
	})
	if errors.Is(err, errRenewed) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("storing the renewed tokens of owner %s: %w", name, err)
	}
	o.Log.Info("tokens renewed", "owner", name, "expiresAt", grant.ExpiresAt)
	if suspended {
		return o.wake(ctx, name)
	}
	return nil
}

func (o *OAuth) refresh(ctx context.Context, owner *registry.Owner) (*smartsheet.Grant, error) {
	refresh, err := o.Access.Registry.Sealer().OpenString(owner.OAuth.Refresh, owner.SealName("refresh"))
	if err != nil {
		return nil, fmt.Errorf("opening the refresh token of owner %s: %w", owner.Name, err)
	}
	app, err := o.app(owner.Region)
	if err != nil {
		return nil, err
	}
	return app.Refresh(ctx, refresh)
}

// failed lets the lease go. Where Smartsheet knows the refresh token no more,
// the owner has to consent again, and the partners are told.
func (o *OAuth) failed(ctx context.Context, owner *registry.Owner, lease *registry.Lease, cause error) error {
	state, reason, lost := o.classifyRefreshError(owner, cause)
	err := o.Access.Registry.UpdateOwner(ctx, owner.Name, func(now *registry.Owner) error {
		if now.OAuth == nil || now.OAuth.Generation != owner.OAuth.Generation || now.OAuth.Lease == nil || now.OAuth.Lease.Holder != lease.Holder {
			return errRenewed
		}
		now.OAuth.Lease = nil
		if state != "" {
			now.State, now.Reason = state, reason
		}
		if lost {
			now.OAuth.Refresh = nil
		}
		return nil
	})
	if errors.Is(err, errRenewed) || errors.Is(err, registry.ErrNotFound) {
		return nil
	}
	if err != nil || state == "" {
		return err
	}
	if owner.State == state {
		return nil // told before
	}
	o.Log.Warn("an owner has to consent again: the tokens cannot be renewed", "owner", owner.Name, "state", string(state), "err", cause)
	return o.wake(ctx, owner.Name)
}

// classifyRefreshError says what becomes of an owner whose pair could not be renewed, and
// whether the refresh token is lost; an empty state is for what may pass while
// the access token still works.
func (o *OAuth) classifyRefreshError(owner *registry.Owner, cause error) (state registry.OwnerState, reason string, lost bool) {
	var e *smartsheet.Error
	if !errors.As(cause, &e) {
		return "", "", false
	}
	switch e.Code {
	case smartsheet.CodeGrantRevoked:
		return registry.OwnerSuspended, "the consent was withdrawn at Smartsheet. " + consentHint, true
	case smartsheet.CodeGrantInvalid:
		return registry.OwnerAuthorize, "Smartsheet does not know the refresh token any more: it was used up and its answer lost, or the consent is gone. " + consentHint, true
	}
	class := smartsheet.Classify(cause)
	final := class == smartsheet.Refused || class == smartsheet.Forbidden || class == smartsheet.Invalid
	if final && !o.now().Add(urgentTime).Before(owner.OAuth.ExpiresAt) {
		state, reason = stateFor(owner, cause)
	}
	return state, reason, false
}

const consentHint = "Ask the owner again with POST /v1/owners/{name}/authorize"

// storeWithRetry changes the owner's record and tries for minutes, whatever NATS does.
func (o *OAuth) storeWithRetry(ctx context.Context, name string, change func(*registry.Owner) error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTime)
	defer cancel()
	for {
		final := false
		err := o.Access.Registry.UpdateOwner(ctx, name, func(owner *registry.Owner) error {
			err := change(owner)
			final = err != nil
			return err
		})
		if err == nil || final || errors.Is(err, registry.ErrNotFound) {
			return err
		}
		o.Log.Warn("cannot store renewed tokens: trying again", "owner", name, "err", err)
		select {
		case <-ctx.Done():
			return err
		case <-time.After(storePause):
		}
	}
}

// due tells whether the owner's tokens should be renewed now.
func (o *OAuth) due(owner *registry.Owner) bool {
	if owner.OAuth == nil || len(owner.OAuth.Refresh) == 0 {
		return false
	}
	if owner.State == registry.OwnerSuspended {
		return true // by something that may have passed
	}
	ahead := min(renewBefore, owner.OAuth.ExpiresAt.Sub(owner.OAuth.RenewedAt)/4)
	return owner.State == registry.OwnerOK && !o.now().Add(ahead).Before(owner.OAuth.ExpiresAt)
}
