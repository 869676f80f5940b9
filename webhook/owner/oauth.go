package owner

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/sheetbridge/sheetbridge/events/seal"
	"github.com/sheetbridge/sheetbridge/smartsheet"
	"github.com/sheetbridge/sheetbridge/webhook/limits"
	"github.com/sheetbridge/sheetbridge/webhook/problem"
	"github.com/sheetbridge/sheetbridge/webhook/registry"
)

// Kinds of owner.
const (
	KindToken  = "token"  // a token of the user's own
	KindAssume = "assume" // a System Admin's token that acts for the user
	KindOAuth  = "oauth"  // the user consented
)

const (
	// ConsentTime is how long a consent is waited for.
	ConsentTime = 10 * time.Minute
	// completeTime bounds what follows when the browser has come back.
	completeTime = 50 * time.Second
	// consentsAtOnce bounds the consents that are looked up in the bucket
	// together, and consentWait how long another one waits for them.
	consentsAtOnce = 16
	consentWait    = 2 * time.Second
	stateRandom    = 32 // bytes
	maxParameter   = 1024
)

// OAuth has owners consent to an app that is registered at Smartsheet, and keeps
// the tokens alive that they give: nobody hands over a key. It asks to read
// sheets and to manage webhooks, for nothing else.
type OAuth struct {
	Access   *Access
	ClientID string
	Secret   seal.Secret
	Now      func() time.Time // nil: time.Now
	Log      *slog.Logger
	// Strangers bounds the lines about consents that nobody waits for.
	Strangers *limits.Lines

	once    sync.Once
	lookups *semaphore.Weighted

	// Wake has all sheets of an owner looked at, and their partners told.
	Wake func(ctx context.Context, owner string) error
}

func (o *OAuth) now() time.Time {
	if o.Now != nil {
		return o.Now()
	}
	return time.Now()
}

func (o *OAuth) app(region smartsheet.Region) (*smartsheet.App, error) {
	app := &smartsheet.App{
		ClientID: o.ClientID, Secret: string(o.Secret), BaseURL: region.BaseURL(), AuthorizeURL: region.AuthorizeURL(),
		Scopes: []string{smartsheet.ScopeReadSheets, smartsheet.ScopeAdminWebhooks},
		HTTP:   o.Access.HTTP, Version: o.Access.Version, Now: o.Now,
	}
	if o.Access.BaseURL == "" {
		return app, nil
	}
	var err error
	app.BaseURL = o.Access.BaseURL
	app.AuthorizeURL, err = smartsheet.AuthorizeURLAt(app.BaseURL)
	return app, err
}

// AuthorizationURL returns the address at which the owner consents, for ten minutes and one
// use. An address that was asked for before works no more. It is meant for the
// sheet's owner alone: who consents there is whom the bridge acts for.
func (o *OAuth) AuthorizationURL(ctx context.Context, name string) (string, error) {
	random := make([]byte, stateRandom)
	rand.Read(random)
	state := name + "." + base64.RawURLEncoding.EncodeToString(random)
	hash := sha256.Sum256([]byte(state))
	var region smartsheet.Region
	err := o.Access.Registry.UpdateOwner(ctx, name, func(owner *registry.Owner) error {
		if owner.Kind != KindOAuth || owner.OAuth == nil {
			return problem.New(problem.Conflict, "", "owner %q stands on a token, not on a consent: replace that with PUT /v1/owners/%s/token", name, name).Next(problem.ReplaceToken.For(name))
		}
		owner.OAuth.Pending = &registry.PendingAuthorization{State: hash[:], Until: o.now().Add(ConsentTime).UTC()}
		region = owner.Region
		return nil
	})
	if err != nil {
		return "", problem.FromRegistry("owner "+name, err)
	}
	app, err := o.app(region)
	if err != nil {
		return "", err
	}
	return app.ConsentURL(state), nil
}

// What can be wrong with a browser that comes back.
var (
	errUnknownState = errors.New("the state is not the one that is waited for")
	errLateState    = errors.New("the state has expired")
	errOtherUser    = errors.New("another user has to consent")
)

// ownerOfState is the owner's name in a state, which may be anything.
func ownerOfState(state string) string {
	name, random, ok := strings.Cut(state, ".")
	if !ok || len(state) > maxParameter || len(random) != base64.RawURLEncoding.EncodedLen(stateRandom) {
		return ""
	}
	return name
}

// consumeState uses up the state: of all that bring it one gets the owner.
func (o *OAuth) consumeState(ctx context.Context, state string) (*registry.Owner, error) {
	name := ownerOfState(state)
	if name == "" || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
		return nil, errUnknownState
	}
	if o.Access.Registry.Owner(name) == nil {
		return nil, errUnknownState // without a question to the bucket
	}
	waiting, cancel := context.WithTimeout(ctx, consentWait)
	defer cancel()
	if err := o.lookups.Acquire(waiting, 1); err != nil {
		return nil, fmt.Errorf("too many consents at once: %w", err)
	}
	defer o.lookups.Release(1)
	hash := sha256.Sum256([]byte(state))
	var taken *registry.Owner
	err := o.Access.Registry.UpdateOwner(ctx, name, func(owner *registry.Owner) error {
		if owner.OAuth == nil || owner.OAuth.Pending == nil || subtle.ConstantTimeCompare(owner.OAuth.Pending.State, hash[:]) != 1 {
			return errUnknownState
		}
		if !o.now().Before(owner.OAuth.Pending.Until) {
			return errLateState
		}
		owner.OAuth.Pending = nil
		taken = owner
		return nil
	})
	if errors.Is(err, registry.ErrNotFound) {
		return nil, errUnknownState
	}
	return taken, err
}

// complete exchanges the code of a consent and stores what it gives, unless
// another user than before consented. It returns who did, also with an error.
func (o *OAuth) complete(ctx context.Context, owner *registry.Owner, code string) (*smartsheet.User, error) {
	app, err := o.app(owner.Region)
	if err != nil {
		return nil, err
	}
	grant, err := app.Exchange(ctx, code)
	if err != nil {
		return nil, err
	}
	me, err := o.Access.NewClient(owner.Region, grant.AccessToken, "").Me(ctx)
	if err != nil {
		return nil, err
	}
	if !mayConsent(owner, me) {
		if err := app.Revoke(ctx, grant.AccessToken, false); err != nil {
			o.Log.Warn("cannot revoke the tokens of a user who is not the owner", "owner", owner.Name, "err", err)
		}
		return me, errOtherUser
	}
	return me, o.consented(ctx, owner.Name, me, grant)
}

// mayConsent tells whether the user is whom the owner is made for: who consented
// before, or, at first, who has the e-mail address that it was made with.
func mayConsent(owner *registry.Owner, me *smartsheet.User) bool {
	if owner.UserID != 0 {
		return me.ID == owner.UserID
	}
	return owner.Email == "" || strings.EqualFold(owner.Email, me.Email)
}

// consented stores the first pair of tokens of a consent.
func (o *OAuth) consented(ctx context.Context, name string, me *smartsheet.User, grant *smartsheet.Grant) error {
	err := o.storeWithRetry(ctx, name, func(owner *registry.Owner) error {
		if owner.OAuth == nil || !mayConsent(owner, me) {
			return errOtherUser // of two who consented at once, the other was first
		}
		owner.UserID, owner.Email = me.ID, me.Email
		owner.TokenID = o.Access.TokenID(owner.Region, tokenOfUser(me.ID))
		return o.setTokens(owner, grant)
	})
	if err != nil {
		return err
	}
	o.Log.Info("an owner consented", "owner", name)
	return o.wake(ctx, name)
}

// setTokens writes a new pair of tokens into the owner's record.
func (o *OAuth) setTokens(owner *registry.Owner, grant *smartsheet.Grant) error {
	sealer := o.Access.Registry.Sealer()
	token, err := sealer.SealString(grant.AccessToken, owner.SealName("token"))
	if err != nil {
		return err
	}
	refresh, err := sealer.SealString(grant.RefreshToken, owner.SealName("refresh"))
	if err != nil {
		return err
	}
	owner.Token, owner.State, owner.Reason = token, registry.OwnerOK, ""
	owner.OAuth.Refresh, owner.OAuth.Lease = refresh, nil
	owner.OAuth.ExpiresAt, owner.OAuth.RenewedAt = grant.ExpiresAt.UTC(), o.now().UTC()
	owner.OAuth.Generation++
	return nil
}

func (o *OAuth) wake(ctx context.Context, name string) error {
	if o.Wake == nil {
		return nil
	}
	return o.Wake(ctx, name)
}

// Withdraw gives the owner's tokens back to Smartsheet, all that the user gave
// the app, unless another owner stands on the same user.
func (o *OAuth) Withdraw(ctx context.Context, owner *registry.Owner) error {
	if owner.Kind != KindOAuth || len(owner.Token) == 0 {
		return nil
	}
	for _, other := range o.Access.Registry.Owners() {
		if other.Name != owner.Name && other.Kind == KindOAuth && other.Region == owner.Region && other.UserID == owner.UserID {
			return nil
		}
	}
	token, err := o.Access.Registry.Sealer().OpenString(owner.Token, owner.SealName("token"))
	if err != nil {
		return err
	}
	app, err := o.app(owner.Region)
	if err != nil {
		return err
	}
	return app.Revoke(ctx, token, true)
}
