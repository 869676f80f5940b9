package admin

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/sheetbridge/sheetbridge/smartsheet"
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

// errNoOAuth refuses what needs an app.
func errNoOAuth() error {
	return invalid("kind", "OAuth is not configured: register an app at Smartsheet (Developer Tools) whose redirect URL is SHEETBRIDGE_PUBLIC_URL followed by /oauth/callback, "+
		"and set SHEETBRIDGE_OAUTH_CLIENT_ID and SHEETBRIDGE_OAUTH_CLIENT_SECRET; or give a token")
}

// addByConsent adds an owner who has yet to consent.
func (a *API) addByConsent(ctx context.Context, b NewOwner) (*out[Owner], error) {
	switch {
	case a.Access.OAuth == nil:
		return nil, errNoOAuth()
	case b.Token != "":
		return nil, invalid("token", "has no place in the kind oauth: nobody hands over a key there")
	case b.AssumeUser != "":
		return nil, invalid("assumeUser", "has no place in the kind oauth: the bridge acts for who consents")
	}
	o := &registry.Owner{
		Name: b.Name, Email: b.Email, Region: smartsheet.Region(b.Region), Kind: kindOAuth, State: registry.OwnerAuthorize,
		Reason: "the consent is awaited", CreatedAt: now(), OAuth: &registry.OAuth{},
	}
	if err := a.Registry.CreateOwner(ctx, o); errors.Is(err, registry.ErrExists) {
		return nil, nameTaken("owner", b.Name)
	} else if err != nil {
		return nil, err
	}
	made, err := a.answerAuthorizationURL(ctx, b.Name)
	if err == nil && b.Email == "" {
		made.Body.Warnings = append(made.Body.Warnings, "no email was given: the first user who consents at the address becomes the owner")
	}
	return made, err
}

func (a *API) authorizeOwner(ctx context.Context, in *named) (*out[Owner], error) {
	if _, err := a.owner(in.Name); err != nil {
		return nil, err
	}
	if a.Access.OAuth == nil {
		return nil, errNoOAuth()
	}
	return a.answerAuthorizationURL(ctx, in.Name)
}

// answerAuthorizationURL answers the owner with an address at which to consent.
func (a *API) answerAuthorizationURL(ctx context.Context, name string) (*out[Owner], error) {
	url, err := a.Access.OAuth.AuthorizationURL(ctx, name)
	if err != nil {
		return nil, err
	}
	o, err := a.owner(name)
	if err != nil {
		return nil, err
	}
	shown := ownerOf(o)
	shown.AuthorizeURL = url
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
