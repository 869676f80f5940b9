package admin

import (
	"context"
	"net/http"
	"reflect"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/events/seal"
	"github.com/sheetbridge/sheetbridge/webhook/partner"
	"github.com/sheetbridge/sheetbridge/webhook/registry"
)

// Partner is a partner as the API shows it.
type Partner struct {
	Name      string    `json:"name" example:"acme"`
	URL       string    `json:"url" doc:"Where its NATS is" example:"tls://nats.a.example:4222"`
	Stream    string    `json:"stream" doc:"The one stream of its account" example:"EVENTS"`
	Subjects  string    `json:"subjects" doc:"What its stream holds" example:"smartsheet.acme.>"`
	External  bool      `json:"external" doc:"Its account is at another NATS: the bridge mints no credentials there"`
	CreatedAt time.Time `json:"createdAt"`
	Contact   string    `json:"contact,omitempty" doc:"Host of the address where it is told what concerns it; absent: it is not" example:"hooks.b.example"`
	Terms
}

// MadePartner is a partner that was just added.
type MadePartner struct {
	Partner
	Credentials string `json:"credentials,omitempty" doc:"Text of a NATS .creds file, named default. Shown this once; absent where the account is external"`
}

// NewPartner is a partner to be added.
type NewPartner struct {
	Name string `json:"name" pattern:"^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$" patternDescription:"1 to 32 of a-z, 0-9 and -, with no - at either end" example:"acme"`
	NATS *NATS  `json:"nats,omitempty" doc:"Where the partner's account is somewhere else; required where SHEETBRIDGE_NATS_URL is set"`

	WithoutCredentials bool `json:"withoutCredentials,omitempty" doc:"Make no first credentials: the partner gets them by an invitation"`
	NewTerms
}

// NATS is an account at another NATS.
type NATS struct {
	URL         string `json:"url" minLength:"1" maxLength:"2048" doc:"nats://host:port or tls://host:port, several of one cluster separated by commas" example:"tls://nats.b.example:4222"`
	Credentials string `json:"credentials" minLength:"1" maxLength:"16384" writeOnly:"true" doc:"Text of a .creds file with which the bridge publishes there. It is sealed, and never shown again"`
}

type newPartnerRequest struct {
	DryRun bool `query:"dryRun" doc:"Show what the partner would be, and make nothing. An account at another NATS is not tried"`
	Body   NewPartner
}

// newPartnerAnswer has a status and a body of two kinds.
type newPartnerAnswer struct {
	Status int
	Body   any
}

const pathPartners = "/v1/partners"

func (a *API) routePartners(api huma.API) {
	const tag = "partners"
	register(api, operation{
		method: http.MethodPost, path: pathPartners, id: "addPartner", tag: tag, status: http.StatusCreated, body: smallBody,
		summary: "Add a partner", description: "Makes its NATS account, its stream and its first credentials, or tries the account that is given. " +
			"With dryRun it is 200 and what the partner would be, and nothing is made.",
		also: map[int][]reflect.Type{
			http.StatusCreated: {reflect.TypeFor[MadePartner]()},
			http.StatusOK:      {reflect.TypeFor[Partner]()},
		},
		errors: []int{http.StatusConflict, http.StatusBadGateway},
	}, a.addPartner)
	register(api, operation{
		method: http.MethodGet, path: "/v1/partners", id: "listPartners", tag: tag,
		summary: "List the partners", description: "Without their credentials.",
	}, a.listPartners)
	register(api, operation{
		method: http.MethodGet, path: "/v1/partners/{name}", id: "getPartner", tag: tag,
		summary: "Get a partner", description: "Without its credentials.",
		errors: []int{http.StatusNotFound},
	}, a.getPartner)
	register(api, operation{
		method: http.MethodDelete, path: "/v1/partners/{name}", id: "deletePartner", tag: tag, status: http.StatusNoContent,
		summary: "Remove a partner", description: "Ends its shares and closes its connections; its account and its stream go.",
		errors: []int{http.StatusNotFound, http.StatusConflict, http.StatusBadGateway},
	}, a.deletePartner)
}

func (a *API) partnerOf(p *registry.Partner) Partner {
	shown := Partner{
		Name: p.Name, Stream: events.StreamName, Subjects: "smartsheet." + p.Name + ".>",
		External: p.External != nil, CreatedAt: p.CreatedAt, Terms: termsOf(p),
	}
	if p.Contact != nil {
		shown.Contact = p.Contact.Host
	}
	switch {
	case p.External != nil:
		shown.URL = p.External.URL
	case a.Broker != nil:
		shown.URL = a.Broker.URL()
	}
	return shown
}

func (a *API) addPartner(ctx context.Context, in *newPartnerRequest) (*newPartnerAnswer, error) {
	b := in.Body
	n := partner.NewPartner{Name: b.Name, WithoutCredentials: b.WithoutCredentials}
	if b.NATS != nil {
		n.External = &partner.ExternalAccount{URL: b.NATS.URL, Credentials: seal.Secret(b.NATS.Credentials)}
		if err := b.onlyElsewhere(); err != nil {
			return nil, err
		}
	}
	if err := b.apply(&n.Terms); err != nil {
		return nil, err
	}
	if in.DryRun {
		p, err := a.Accounts.New(n)
		if err != nil {
			return nil, err
		}
		return &newPartnerAnswer{http.StatusOK, a.partnerOf(p)}, nil
	}
	p, creds, err := a.Accounts.Add(ctx, n)
	if err != nil {
		return nil, err
	}
	return &newPartnerAnswer{http.StatusCreated, MadePartner{a.partnerOf(p), creds}}, nil
}

func (a *API) listPartners(context.Context, *none) (*out[list[Partner]], error) {
	var items []Partner
	for _, p := range a.Registry.Partners() {
		items = append(items, a.partnerOf(p))
	}
	return &out[list[Partner]]{listOf(items)}, nil
}

func (a *API) getPartner(_ context.Context, in *named) (*out[Partner], error) {
	p, err := a.Accounts.Find(in.Name)
	if err != nil {
		return nil, err
	}
	return &out[Partner]{a.partnerOf(p)}, nil
}

func (a *API) deletePartner(ctx context.Context, in *named) (*none, error) {
	return nil, a.Registrar.RemovePartner(ctx, in.Name)
}
