package admin

import (
	"context"
	"net/http"
	"time"

	"github.com/sheetbridge/sheetbridge/smartsheet"
	"github.com/sheetbridge/sheetbridge/webhook/owner"
	"github.com/sheetbridge/sheetbridge/webhook/problem"
	"github.com/sheetbridge/sheetbridge/webhook/registry"
)

// check tells what kinds of owner there can be.
func (b NewOwner) check() error {
	switch {
	case b.ExpiresAt != nil && !b.ExpiresAt.After(time.Now()):
		return invalid("expiresAt", "is in the past: give the time when the token runs out, or leave it out")
	case b.Kind == kindOAuth && b.ExpiresAt != nil:
		return invalid("expiresAt", "is known by itself where the owner consents: leave it out")
	case b.Kind == kindOAuth:
		return nil
	case b.Token == "":
		return invalid("token", "is required: give an access token of the user")
	case b.Kind == kindAssume && b.AssumeUser == "":
		return invalid("assumeUser", "is required for the kind assume: give the e-mail address of the user to act as")
	case b.Kind == kindToken && b.AssumeUser != "":
		return invalid("kind", "with assumeUser the kind is assume: leave the kind out")
	}
	return nil
}

// try asks Smartsheet whom the token speaks for.
func (a *API) try(ctx context.Context, region smartsheet.Region, token, assumeUser string) (*smartsheet.User, error) {
	me, err := a.Access.NewClient(region, token, assumeUser).Me(ctx)
	switch smartsheet.Classify(err) {
	case smartsheet.OK:
		return me, nil
	case smartsheet.Refused, smartsheet.Expired, smartsheet.Forbidden, smartsheet.NotFound, smartsheet.Invalid:
		p := problem.FromSmartsheet("trying the token in region "+string(region), err)
		p.Fault, p.Field = problem.Invalid, "token"
		if words := owner.Advice(err); words != "" {
			p.Detail += ". " + words
		} else {
			p.Detail += ". Is it a token of that region, neither revoked nor run out?"
		}
		return nil, p
	}
	return nil, problem.FromSmartsheet("trying the token", err)
}

func (a *API) replaceToken(ctx context.Context, in *newTokenRequest) (*out[Owner], error) {
	o, err := a.owner(in.Name)
	if err != nil {
		return nil, err
	}
	if o.Kind == kindOAuth {
		return nil, httpProblem(http.StatusConflict, "owner %q stands on a consent, not on a token: POST /v1/owners/%s/authorize asks for it again", o.Name, o.Name).next(problem.AskConsent.For(o.Name))
	}
	me, err := a.try(ctx, o.Region, in.Body.Token, o.AssumeUser)
	if err != nil {
		return nil, err
	}
	if me.ID != o.UserID {
		return nil, invalid("token", "it speaks for %s, owner %q is %s: use a token of the same user, or add another owner", me.Email, o.Name, o.Email)
	}
	sealed, err := a.Registry.Sealer().SealString(in.Body.Token, o.SealName("token"))
	if err != nil {
		return nil, err
	}
	var now registry.Owner
	err = a.Registry.UpdateOwner(ctx, o.Name, func(o *registry.Owner) error {
		o.Token, o.TokenID, o.Email = sealed, a.Access.TokenID(o.Region, in.Body.Token), me.Email
		o.State, o.Reason, o.ExpiresAt = registry.OwnerOK, "", utc(in.Body.ExpiresAt)
		now = *o
		return nil
	})
	if err != nil {
		return nil, err
	}
	owners := owner.Owners{Registry: a.Registry, Inbox: a.Inbox}
	return &out[Owner]{ownerOf(&now)}, owners.Wake(ctx, o.Name)
}
