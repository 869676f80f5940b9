package owner

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/sheetbridge/sheetbridge/smartsheet"
	"github.com/sheetbridge/sheetbridge/webhook/problem"
	"github.com/sheetbridge/sheetbridge/webhook/registry"
)

// maxNamed is how many webhooks a refusal names.
const maxNamed = 10

// New is an owner to be added.
type New struct {
	Name       string
	Region     smartsheet.Region
	Kind       string     // empty: it follows from the others
	Token      string     // empty of those who consent
	Email      string     // of those who consent: who has to; empty: the first user who does
	AssumeUser string     // with an administrator's token: for whom it acts
	ExpiresAt  *time.Time // when the token runs out; nil: not known
}

// check tells what kinds of owner there can be.
func (n *New) check() error {
	switch {
	case n.ExpiresAt != nil && !n.ExpiresAt.After(time.Now()):
		return problem.New(problem.Invalid, "expiresAt", "is in the past: give the time when the token runs out, or leave it out")
	case n.Kind == KindOAuth && n.ExpiresAt != nil:
		return problem.New(problem.Invalid, "expiresAt", "is known by itself where the owner consents: leave it out")
	case n.Kind == KindOAuth && n.Token != "":
		return problem.New(problem.Invalid, "token", "has no place in the kind oauth: nobody hands over a key there")
	case n.Kind == KindOAuth && n.AssumeUser != "":
		return problem.New(problem.Invalid, "assumeUser", "has no place in the kind oauth: the bridge acts for who consents")
	case n.Kind == KindOAuth:
		return nil
	case n.Token == "":
		return problem.New(problem.Invalid, "token", "is required: give an access token of the user")
	case n.Kind == KindAssume && n.AssumeUser == "":
		return problem.New(problem.Invalid, "assumeUser", "is required for the kind assume: give the e-mail address of the user to act as")
	case n.Kind == KindToken && n.AssumeUser != "":
		return problem.New(problem.Invalid, "kind", "with assumeUser the kind is assume: leave the kind out")
	}
	return nil
}

// Add adds an owner. A token is tried first, and one that Smartsheet refuses is not
// stored; who has to consent is asked with [OAuth.AuthorizationURL].
func (w *Owners) Add(ctx context.Context, n New) (*registry.Owner, error) {
	if n.Kind == KindOAuth && w.Access.OAuth == nil {
		return nil, ErrNoOAuth
	}
	if err := n.check(); err != nil {
		return nil, err
	}
	taken := problem.New(problem.Conflict, "name", "there is an owner %q already: choose another name", n.Name)
	if w.Registry.Owner(n.Name) != nil {
		return nil, taken
	}
	o := &registry.Owner{
		Name: n.Name, Email: n.Email, Region: n.Region, AssumeUser: n.AssumeUser,
		CreatedAt: time.Now().UTC().Truncate(time.Millisecond), ExpiresAt: n.ExpiresAt,
	}
	switch {
	case n.Kind == KindOAuth:
		o.Kind, o.State, o.Reason, o.OAuth = KindOAuth, registry.OwnerAuthorize, "the consent is awaited", &registry.OAuth{}
	default:
		me, err := w.try(ctx, n.Region, n.Token, n.AssumeUser)
		if err != nil {
			return nil, err
		}
		o.Kind, o.State, o.UserID, o.Email, o.TokenID = KindToken, registry.OwnerOK, me.ID, me.Email, w.Access.TokenID(n.Region, n.Token)
		if n.AssumeUser != "" {
			o.Kind = KindAssume
		}
		if o.Token, err = w.Registry.Sealer().SealString(n.Token, o.SealName("token")); err != nil {
			return nil, err
		}
	}
	err := w.Registry.CreateOwner(ctx, o)
	if errors.Is(err, registry.ErrExists) {
		return nil, taken
	}
	return o, err
}

// ErrNoOAuth refuses what needs an app at Smartsheet.
var ErrNoOAuth = problem.New(problem.Invalid, "kind", "OAuth is not configured: register an app at Smartsheet (Developer Tools) whose redirect URL is SHEETBRIDGE_PUBLIC_URL followed by /oauth/callback, "+
	"and set SHEETBRIDGE_OAUTH_CLIENT_ID and SHEETBRIDGE_OAUTH_CLIENT_SECRET; or give a token")

// try asks Smartsheet whom a token speaks for.
func (w *Owners) try(ctx context.Context, region smartsheet.Region, token, assumeUser string) (*smartsheet.User, error) {
	me, err := w.Access.NewClient(region, token, assumeUser).Me(ctx)
	switch smartsheet.Classify(err) {
	case smartsheet.OK:
		return me, nil
	case smartsheet.Refused, smartsheet.Expired, smartsheet.Forbidden, smartsheet.NotFound, smartsheet.Invalid:
		p := problem.FromSmartsheet("trying the token in region "+string(region), err)
		p.Fault, p.Field = problem.Invalid, "token"
		if words := Advice(err); words != "" {
			p.Detail += ". " + words
		} else {
			p.Detail += ". Is it a token of that region, neither revoked nor run out?"
		}
		return nil, p
	}
	return nil, problem.FromSmartsheet("trying the token", err)
}

// ReplaceToken gives an owner another token of the same user, and has the sheets
// read that were suspended for the old one.
func (w *Owners) ReplaceToken(ctx context.Context, o *registry.Owner, token string, expiresAt *time.Time) (*registry.Owner, error) {
	if o.Kind == KindOAuth {
		return nil, problem.New(problem.Conflict, "", "owner %q stands on a consent, not on a token: POST /v1/owners/%s/authorize asks for it again", o.Name, o.Name).
			Next(problem.AskConsent.For(o.Name))
	}
	me, err := w.try(ctx, o.Region, token, o.AssumeUser)
	if err != nil {
		return nil, err
	}
	if me.ID != o.UserID {
		return nil, problem.New(problem.Invalid, "token", "it speaks for %s, owner %q is %s: use a token of the same user, or add another owner", me.Email, o.Name, o.Email)
	}
	sealed, err := w.Registry.Sealer().SealString(token, o.SealName("token"))
	if err != nil {
		return nil, err
	}
	var replaced registry.Owner
	err = w.Registry.UpdateOwner(ctx, o.Name, func(o *registry.Owner) error {
		o.Token, o.TokenID, o.Email = sealed, w.Access.TokenID(o.Region, token), me.Email
		o.State, o.Reason, o.ExpiresAt = registry.OwnerOK, "", expiresAt
		replaced = *o
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &replaced, w.Wake(ctx, o.Name)
}

// Remove removes an owner that no registration uses, and gives the tokens of a
// consent back to Smartsheet.
func (w *Owners) Remove(ctx context.Context, o *registry.Owner) error {
	if err := w.unused(o.Name); err != nil {
		return err
	}
	if err := w.Registry.DeleteOwner(ctx, o); err != nil {
		return err
	}
	if err := w.unused(o.Name); err != nil { // a sheet was registered in between
		if err := w.Registry.CreateOwner(context.WithoutCancel(ctx), o); err != nil {
			return fmt.Errorf("putting back owner %s, who is in use: %w", o.Name, err)
		}
		return err
	}
	if w.Access.OAuth != nil {
		if err := w.Access.OAuth.Withdraw(ctx, o); err != nil { // nobody has them any more
			w.Log.Warn("tokens of a removed owner could not be given back to Smartsheet", "owner", o.Name, "err", err)
		}
	}
	return nil
}

// unused refuses while registrations use the owner.
func (w *Owners) unused(owner string) error {
	var used []string
	for _, reg := range w.Registry.Registrations() {
		switch {
		case reg.Owner != owner:
		case reg.Phase == registry.PhaseDeleting:
			used = append(used, fmt.Sprintf("%s (sheet %q: deleted, but Smartsheet has the webhook still)", reg.ID, reg.SheetName))
		default:
			used = append(used, fmt.Sprintf("%s (sheet %q)", reg.ID, reg.SheetName))
		}
	}
	if len(used) == 0 {
		return nil
	}
	return problem.New(problem.Conflict, "", "webhooks use owner %q: delete them first: %s", owner, strings.Join(used[:min(len(used), maxNamed)], ", ")).
		Next(problem.ListWebhooks.For())
}
