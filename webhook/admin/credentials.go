package admin

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/sheetbridge/sheetbridge/webhook/partner"
)

// Credentials is a set of credentials of a partner, without its secret.
type Credentials struct {
	Name      string     `json:"name" example:"erp"`
	PublicKey string     `json:"publicKey" doc:"The NATS user, as logs of NATS name it"`
	CreatedAt time.Time  `json:"createdAt"`
	ExpiresAt *time.Time `json:"expiresAt" doc:"When they are refused by themselves; null: never"`
	Leaf      bool       `json:"leaf" doc:"They are for a server of the partner's own, and only there"`

	OverlapUntil *time.Time `json:"overlapUntil,omitempty" doc:"They were replaced by others of that name, and are refused from then on"`
}

// NewCredentials is a set of credentials to be made.
type NewCredentials struct {
	Name      string `json:"name" pattern:"^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$" patternDescription:"1 to 32 of a-z, 0-9 and -, with no - at either end" example:"erp"`
	ExpiresAt Moment `json:"expiresAt,omitzero" doc:"When they are to be refused; left out: in a year; null: never"`
	Overlap   string `json:"overlap,omitempty" maxLength:"32" doc:"How long those that have the name go on beside these, up to 2160h; left out: they are refused at once" example:"24h"`
	PublicKey string `json:"publicKey,omitempty" maxLength:"128" doc:"Public half of a NATS user key that the partner made. The answer has a jwt then, and no secret" example:"UBEXAMPLE"`
	Leaf      bool   `json:"leaf,omitempty" doc:"For a server of the partner's own that copies the stream through SHEETBRIDGE_NATS_LEAF_LISTEN; good for nothing else"`
}

// MadeCredentials is a set of credentials that was just made.
type MadeCredentials struct {
	Name        string     `json:"name"`
	Credentials string     `json:"credentials,omitempty" doc:"Text of a NATS .creds file. Shown this once; absent with a publicKey"`
	JWT         string     `json:"jwt,omitempty" doc:"With a publicKey: what makes its owner a user. It is no secret"`
	PublicKey   string     `json:"publicKey" doc:"The NATS user"`
	ExpiresAt   *time.Time `json:"expiresAt" doc:"When they are refused by themselves; null: never"`
}

type newCredentialsRequest struct {
	Name string `path:"name" doc:"The partner's name"`
	Body NewCredentials
}

type credentialsRequest struct {
	Name        string `path:"name" doc:"The partner's name"`
	Credentials string `path:"credentials" doc:"Name of the credentials"`
}

func (a *API) routeCredentials(api huma.API) {
	const tag, path = "partners", "/v1/partners/{name}/credentials"
	register(api, operation{
		method: http.MethodPost, path: path, id: "makeCredentials", tag: tag, status: http.StatusCreated, body: smallBody,
		summary: "Make credentials for a partner", description: "Those that have the name already are replaced: they are refused from then on and their connections are closed, or after the overlap. With a publicKey no secret travels.",
		errors: []int{http.StatusNotFound, http.StatusConflict, http.StatusBadGateway},
	}, a.makeCredentials)
	register(api, operation{
		method: http.MethodGet, path: path, id: "listCredentials", tag: tag,
		summary: "List a partner's credentials", description: "Without their secrets.",
		errors: []int{http.StatusNotFound},
	}, a.listCredentials)
	register(api, operation{
		method: http.MethodDelete, path: path + "/{credentials}", id: "revokeCredentials", tag: tag, status: http.StatusNoContent,
		summary: "Revoke a partner's credentials", description: "Their connections are closed at once.",
		errors: []int{http.StatusNotFound, http.StatusConflict, http.StatusBadGateway},
	}, a.revokeCredentials)
}

func (a *API) makeCredentials(ctx context.Context, in *newCredentialsRequest) (*out[MadeCredentials], error) {
	n := partner.NewCredentials{Name: in.Body.Name, Leaf: in.Body.Leaf, PublicKey: in.Body.PublicKey}
	n.ExpiresAt, n.Never = in.Body.ExpiresAt.At, in.Body.ExpiresAt.Null
	if in.Body.Overlap != "" {
		overlap, err := time.ParseDuration(in.Body.Overlap)
		if err != nil {
			return nil, invalid("overlap", "want a duration from 0s to 2160h, such as 24h")
		}
		n.Overlap = overlap
	}
	made, err := a.Accounts.Make(ctx, in.Name, n)
	if err != nil {
		return nil, err
	}
	return &out[MadeCredentials]{MadeCredentials{
		Name: made.Name, Credentials: made.Creds, JWT: made.JWT, PublicKey: made.PublicKey, ExpiresAt: made.ExpiresAt,
	}}, nil
}

func (a *API) listCredentials(_ context.Context, in *named) (*out[list[Credentials]], error) {
	p, err := a.Accounts.Find(in.Name)
	if err != nil {
		return nil, err
	}
	var items []Credentials
	for _, c := range p.Credentials {
		items = append(items, Credentials(c))
	}
	return &out[list[Credentials]]{listOf(items)}, nil
}

func (a *API) revokeCredentials(ctx context.Context, in *credentialsRequest) (*none, error) {
	return nil, a.Accounts.Revoke(ctx, in.Name, in.Credentials)
}
