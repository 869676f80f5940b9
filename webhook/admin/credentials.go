package admin

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/sheetbridge/sheetbridge/webhook/registry"
)

// maxCredentials is how many sets of credentials one partner may have.
const maxCredentials = 100

// Credentials is a set of credentials of a partner, without its secret.
type Credentials struct {
	Name      string     `json:"name" example:"erp"`
	PublicKey string     `json:"publicKey" doc:"The NATS user, as logs of NATS name it"`
	CreatedAt time.Time  `json:"createdAt"`
	ExpiresAt *time.Time `json:"expiresAt" doc:"When they are refused by themselves; null: never"`
	Leaf      bool       `json:"leaf" doc:"They are for a server of the partner's own, and only there"`
}

// NewCredentials is a set of credentials to be made.
type NewCredentials struct {
	Name      string     `json:"name" pattern:"^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$" patternDescription:"1 to 32 of a-z, 0-9 and -, with no - at either end" example:"erp"`
	ExpiresAt *time.Time `json:"expiresAt,omitempty" doc:"When they are to be refused; left out: never"`
	Leaf      bool       `json:"leaf,omitempty" doc:"For a server of the partner's own that copies the stream through SHEETBRIDGE_NATS_LEAF_LISTEN; good for nothing else"`
}

// MadeCredentials is a set of credentials that was just made.
type MadeCredentials struct {
	Name        string     `json:"name"`
	Credentials string     `json:"credentials" doc:"Text of a NATS .creds file. Shown this once"`
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
		summary: "Make credentials for a partner", description: "Those that have the name already are replaced: they are refused from then on, and their connections are closed.",
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

// minted finds a partner whose credentials are ours to make.
func (a *API) minted(name string) (*registry.Partner, error) {
	p, err := a.partner(name)
	if err != nil {
		return nil, err
	}
	if p.Account == nil || a.Broker == nil {
		return nil, httpProblem(http.StatusConflict, "the account of partner %q is at another NATS: make and revoke its credentials there", p.Name)
	}
	return p, nil
}

func (a *API) makeCredentials(ctx context.Context, in *newCredentialsRequest) (*out[MadeCredentials], error) {
	p, err := a.partner(in.Name)
	if err != nil {
		return nil, err
	}
	c, err := newCredential(in.Body)
	if err != nil {
		return nil, err
	}
	if p.External != nil {
		return a.lendCredentials(ctx, p, c)
	}
	done, err := a.holdAccounts(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	if p, err = a.minted(in.Name); err != nil {
		return nil, err
	}
	account, err := a.Partners.Account(p)
	if err != nil {
		return nil, err
	}
	mint := account.MintUser
	if c.Leaf {
		mint = account.MintLeaf
	}
	creds, user, err := mint(c.Name, expiry(c))
	if err != nil {
		return nil, err
	}
	c.PublicKey = user
	err = a.changeCredentials(ctx, p.Name, c.Name, func(p *registry.Partner) error { return add(p, c) })
	if err != nil {
		return nil, err
	}
	return &out[MadeCredentials]{MadeCredentials{c.Name, creds, c.ExpiresAt}}, nil
}

// newCredential is the record of credentials that are asked for.
func newCredential(n NewCredentials) (registry.Credential, error) {
	c := registry.Credential{Name: n.Name, CreatedAt: now(), Leaf: n.Leaf}
	if n.ExpiresAt == nil {
		return c, nil
	}
	expires := n.ExpiresAt.UTC().Truncate(time.Second)
	c.ExpiresAt = &expires
	if !expires.After(c.CreatedAt) {
		return c, invalid("expiresAt", "is in the past: choose a time to come, or leave it out")
	}
	return c, nil
}

// expiry is zero for credentials that do not expire.
func expiry(c registry.Credential) time.Time {
	if c.ExpiresAt == nil {
		return time.Time{}
	}
	return *c.ExpiresAt
}

// add notes credentials of a partner.
func add(p *registry.Partner, c registry.Credential) error {
	if len(p.Credentials) >= maxCredentials {
		return httpProblem(http.StatusConflict, "partner %q has %d credentials: delete some that nobody uses", p.Name, maxCredentials)
	}
	p.Credentials = append(p.Credentials, c)
	return nil
}

// changeCredentials revokes the partner's credentials with the name, if there
// are any, makes another change, and tells the server of both. The record comes
// first: after a failure the same request again finishes it, and so does a
// start.
func (a *API) changeCredentials(ctx context.Context, partner, name string, change func(*registry.Partner) error) error {
	err := a.Registry.UpdatePartner(ctx, partner, func(p *registry.Partner) error {
		p.Credentials = slices.DeleteFunc(p.Credentials, func(c registry.Credential) bool {
			if c.Name != name {
				return false
			}
			if p.Revoked == nil {
				p.Revoked = map[string]int64{}
			}
			p.Revoked[c.PublicKey] = now().Unix()
			return true
		})
		return change(p)
	})
	if err != nil {
		return err
	}
	return a.putAccount(ctx, partner)
}

// putAccount tells the server who is revoked in the partner's account.
func (a *API) putAccount(ctx context.Context, partner string) error {
	p := a.Registry.Partner(partner)
	if p == nil {
		return registry.ErrNotFound
	}
	account, err := a.Partners.Account(p)
	if err != nil {
		return err
	}
	if err := a.Broker.PutAccount(ctx, partner, account); err != nil {
		return upstream("changing the partner's account", err)
	}
	return nil
}

func (a *API) listCredentials(_ context.Context, in *named) (*out[list[Credentials]], error) {
	p, err := a.partner(in.Name)
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
	p, err := a.partner(in.Name)
	if err != nil {
		return nil, err
	}
	if p.External != nil && len(p.External.SigningSeed) > 0 {
		return nil, a.forgetLent(ctx, p, in.Credentials)
	}
	done, err := a.holdAccounts(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	if p, err = a.minted(in.Name); err != nil {
		return nil, err
	}
	known := slices.ContainsFunc(p.Credentials, func(c registry.Credential) bool { return c.Name == in.Credentials })
	if !known {
		// An earlier attempt may have died before the server knew of it.
		if err := a.putAccount(ctx, p.Name); err != nil {
			return nil, err
		}
		return nil, httpProblem(http.StatusNotFound, "partner %q has no credentials %q: GET /v1/partners/%s/credentials lists them", p.Name, clip(in.Credentials), p.Name)
	}
	return nil, a.changeCredentials(ctx, p.Name, in.Credentials, func(*registry.Partner) error { return nil })
}
