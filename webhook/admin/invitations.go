package admin

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/sheetbridge/sheetbridge/webhook/partner"
)

// Invitation is a link that a partner uses once, without the link.
type Invitation struct {
	ID        string     `json:"id" format:"uuid"`
	Name      string     `json:"name" doc:"Of the credentials that it gives" example:"erp"`
	State     string     `json:"state" enum:"open,used,expired"`
	CreatedAt time.Time  `json:"createdAt"`
	ExpiresAt time.Time  `json:"expiresAt"`
	UsedAt    *time.Time `json:"usedAt" doc:"null: not used"`
}

// NewInvitation is an invitation to be made.
type NewInvitation struct {
	Name      string     `json:"name" pattern:"^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$" patternDescription:"1 to 32 of a-z, 0-9 and -, with no - at either end" doc:"Of the credentials that it gives. Those that have it go on for 24 hours once it is used" example:"erp"`
	ExpiresAt *time.Time `json:"expiresAt,omitempty" doc:"Until when it is good, within 90 days; left out: 7 days"`
}

// MadeInvitation is an invitation that was just made.
type MadeInvitation struct {
	ID        string    `json:"id" format:"uuid"`
	Name      string    `json:"name" doc:"Of the credentials that it gives" example:"erp"`
	URL       string    `json:"url" doc:"What to send to the partner. It is a secret, and shown this once" example:"https://bridge.a.example/join/…"`
	ExpiresAt time.Time `json:"expiresAt"`
}

type newInvitationRequest struct {
	Name string `path:"name" doc:"The partner's name"`
	Body NewInvitation
}

type invitationRequest struct {
	Name string `path:"name" doc:"The partner's name"`
	ID   string `path:"id" doc:"Its id"`
}

func (a *API) routeInvitations(api huma.API) {
	const tag, path = "partners", "/v1/partners/{name}/invitations"
	register(api, operation{
		method: http.MethodPost, path: path, id: "invite", tag: tag, status: http.StatusCreated, body: smallBody,
		summary:     "Invite a partner",
		description: "Makes a link under SHEETBRIDGE_PUBLIC_URL that the partner uses once to get credentials. With sheetbridge join the partner makes the key, and no secret travels.",
		errors:      []int{http.StatusNotFound, http.StatusConflict},
	}, a.invite)
	register(api, operation{
		method: http.MethodGet, path: path, id: "listInvitations", tag: tag,
		summary: "List a partner's invitations", description: "Without their links.",
		errors: []int{http.StatusNotFound},
	}, a.listInvitations)
	register(api, operation{
		method: http.MethodDelete, path: path + "/{id}", id: "withdrawInvitation", tag: tag, status: http.StatusNoContent,
		summary: "Withdraw an invitation", description: "Its link works no more. Credentials that it gave stay.",
		errors: []int{http.StatusNotFound, http.StatusConflict},
	}, a.withdrawInvitation)
}

func (a *API) invitations() *partner.Invitations {
	return &partner.Invitations{Accounts: a.Accounts, PublicURL: a.Registrar.PublicURL}
}

func (a *API) invite(ctx context.Context, in *newInvitationRequest) (*out[MadeInvitation], error) {
	var expires time.Time
	if in.Body.ExpiresAt != nil {
		expires = *in.Body.ExpiresAt
	}
	made, url, err := a.invitations().Invite(ctx, in.Name, in.Body.Name, expires)
	if err != nil {
		return nil, err
	}
	return &out[MadeInvitation]{MadeInvitation{ID: made.ID, Name: made.Credentials, URL: url, ExpiresAt: made.ExpiresAt}}, nil
}

func (a *API) listInvitations(_ context.Context, in *named) (*out[list[Invitation]], error) {
	p, err := a.Accounts.Find(in.Name)
	if err != nil {
		return nil, err
	}
	var items []Invitation
	for _, v := range p.Invitations {
		items = append(items, Invitation{
			ID: v.ID, Name: v.Credentials, State: partner.StateOf(v), CreatedAt: v.CreatedAt, ExpiresAt: v.ExpiresAt, UsedAt: v.UsedAt,
		})
	}
	return &out[list[Invitation]]{listOf(items)}, nil
}

func (a *API) withdrawInvitation(ctx context.Context, in *invitationRequest) (*none, error) {
	return nil, a.invitations().Withdraw(ctx, in.Name, in.ID)
}
