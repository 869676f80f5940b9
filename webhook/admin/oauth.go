package admin

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/sheetbridge/sheetbridge/webhook/owner"
	"github.com/sheetbridge/sheetbridge/webhook/registry"
)

// usageTime bounds how long an answer waits for the usage of a token; what has not
// come by then is left out.
const usageTime = 2 * time.Second

func (a *API) routeOAuth(api huma.API) {
	register(api, operation{
		method: http.MethodPost, path: "/v1/owners/{name}/authorize", id: "authorizeOwner", tag: "owners",
		summary:     "Ask an owner to consent",
		description: "Answers an address to send to the sheet's owner, who consents there in the browser: it works for ten minutes and once. One that was made before works no more.",
		errors:      []int{http.StatusNotFound, http.StatusConflict},
	}, a.authorizeOwner)
}

func (a *API) authorizeOwner(ctx context.Context, in *named) (*out[Owner], error) {
	o, err := a.owner(in.Name)
	if err != nil {
		return nil, err
	}
	if a.Access.OAuth == nil {
		return nil, owner.ErrNoOAuth
	}
	return a.answerAuthorizationURL(ctx, o)
}

// answerAuthorizationURL answers the owner with an address at which to consent.
func (a *API) answerAuthorizationURL(ctx context.Context, o *registry.Owner) (*out[Owner], error) {
	url, err := a.Access.OAuth.AuthorizationURL(ctx, o.Name)
	if err != nil {
		return nil, err
	}
	if o, err = a.owner(o.Name); err != nil {
		return nil, err
	}
	shown := ownerOf(o)
	shown.AuthorizeURL = url
	if o.Email == "" {
		shown.Warnings = append(shown.Warnings, "no email was given: the first user who consents at the address becomes the owner")
	}
	return &out[Owner]{shown}, nil
}

// withUsage shows an owner with how its token is used.
func (a *API) withUsage(ctx context.Context, o *registry.Owner) Owner {
	shown := ownerOf(o)
	ctx, cancel := context.WithTimeout(ctx, usageTime)
	defer cancel()
	last, minute, err := a.Access.Budget.Usage(ctx, o.TokenID)
	if err != nil {
		return shown // unknown
	}
	if !last.IsZero() {
		last = last.UTC().Truncate(time.Millisecond)
		shown.LastUsed = &last
	}
	shown.RequestsThisMinute = &minute
	return shown
}
