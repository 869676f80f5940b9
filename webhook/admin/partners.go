package admin

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/events/broker"
	"github.com/sheetbridge/sheetbridge/webhook/partner"
	"github.com/sheetbridge/sheetbridge/webhook/problem"
	"github.com/sheetbridge/sheetbridge/webhook/registry"
)

const (
	// firstCredentials is the name of those that come with a new partner.
	firstCredentials = "default"
	// undoTime bounds taking back what could not be finished.
	undoTime = 10 * time.Second
	// dialTime bounds trying a partner's own NATS.
	dialTime = 10 * time.Second
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
	Credentials string `json:"credentials,omitempty" doc:"Text of a NATS .creds file, named default. Shown this once; absent where the account is external and lends no signing key"`
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
	URL            string `json:"url" minLength:"1" maxLength:"2048" doc:"nats://host:port or tls://host:port, several of one cluster separated by commas" example:"tls://nats.b.example:4222"`
	Credentials    string `json:"credentials" minLength:"1" maxLength:"16384" writeOnly:"true" doc:"Text of a .creds file with which the bridge publishes there. It is sealed, and never shown again"`
	SigningKey     string `json:"signingKey,omitempty" maxLength:"128" writeOnly:"true" doc:"Seed of a signing key of that account, scoped to what a partner may do. With it the bridge mints the partner's credentials; they expire, since the bridge cannot revoke them there. Sealed, and never shown again"`
	SigningAccount string `json:"signingAccount,omitempty" maxLength:"128" doc:"Public key of the account that the signing key is of, where the partner's users are in another account than the stream, as they should be; left out: the account of the credentials"`
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
	if a.Registry.Partner(b.Name) != nil {
		return nil, partnerExists(b.Name)
	}
	if b.NATS == nil && a.Broker == nil {
		return nil, invalid("nats", "is required, since SHEETBRIDGE_NATS_URL is set and the bridge can make no accounts there: give the url and credentials of the partner's account")
	}
	if b.NATS != nil && b.Limits != nil {
		return nil, invalid("limits", "the account is at another NATS: limit it there")
	}
	if b.NATS != nil && b.Sources != nil {
		return nil, invalid("sources", "the account is at another NATS: say there from where it is used")
	}
	p := &registry.Partner{Name: b.Name, Credentials: []registry.Credential{}, CreatedAt: now()}
	err := b.apply(&p.Terms)
	if err != nil {
		return nil, err
	}
	if in.DryRun {
		if b.NATS != nil {
			p.External = &registry.External{URL: b.NATS.URL}
		} else {
			p.Account = &registry.Account{}
		}
		return &newPartnerAnswer{http.StatusOK, a.partnerOf(p)}, nil
	}
	if p.MaskKey, err = a.newMaskKey(p); err != nil {
		return nil, err
	}
	var creds string
	if b.NATS != nil {
		creds, err = a.addExternal(ctx, p, b.NATS, b.WithoutCredentials)
	} else {
		creds, err = a.addEmbedded(ctx, p, b.WithoutCredentials)
	}
	if errors.Is(err, registry.ErrExists) {
		return nil, partnerExists(b.Name)
	}
	if err != nil {
		return nil, err
	}
	return &newPartnerAnswer{http.StatusCreated, MadePartner{a.partnerOf(p), creds}}, nil
}

// newMaskKey makes the key by which values are hashed for this partner alone.
func (a *API) newMaskKey(p *registry.Partner) ([]byte, error) {
	key := make([]byte, 32)
	rand.Read(key)
	return a.Registry.Sealer().Seal(key, p.SealName("maskKey"))
}

// addEmbedded makes the partner's account at our own NATS. The record comes
// first: what is made after it can be found and removed.
func (a *API) addEmbedded(ctx context.Context, p *registry.Partner, withoutCredentials bool) (creds string, err error) {
	done, err := a.Accounts.Hold(ctx)
	if err != nil {
		return "", err
	}
	defer done()
	account, err := broker.NewAccount(p.Name)
	if err != nil {
		return "", err
	}
	account.Limits = p.Limits
	account.Sources = p.Sources
	if !withoutCredentials {
		expires := p.CreatedAt.Add(partner.DefaultLife).Truncate(time.Second)
		text, user, err := account.MintUser(firstCredentials, expires)
		if err != nil {
			return "", err
		}
		creds = text
		p.Credentials = append(p.Credentials, registry.Credential{Name: firstCredentials, PublicKey: user, CreatedAt: p.CreatedAt, ExpiresAt: &expires})
	}
	sealer := a.Registry.Sealer()
	p.Account = &registry.Account{PublicKey: account.PublicKey, StorageKey: account.StorageKey}
	if p.Account.Seed, err = sealer.SealString(string(account.Seed), p.SealName("seed")); err != nil {
		return "", err
	}
	if p.Account.SigningSeed, err = sealer.SealString(string(account.SigningSeed), p.SealName("signingSeed")); err != nil {
		return "", err
	}
	if p.Account.StorageSeed, err = sealer.SealString(string(account.StorageSeed), p.SealName("storageSeed")); err != nil {
		return "", err
	}
	if err := a.Registry.CreatePartner(ctx, p); err != nil {
		return "", err
	}
	if err = a.Broker.PutAccount(ctx, p.Name, account); err == nil {
		// A pass that saw the record before the account was there has failed with
		// it, and that is no reason to wait.
		a.Partners.Forget(p.Name)
		_, err = a.Partners.Stream(ctx, p)
	}
	if err != nil {
		return "", upstream("making the partner's account", errors.Join(err, a.undoPartner(ctx, p)))
	}
	return creds, nil
}

// undoPartner takes back a partner that could not be made.
func (a *API) undoPartner(ctx context.Context, p *registry.Partner) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTime)
	defer cancel()
	return a.removePartner(ctx, p)
}

func (a *API) listPartners(context.Context, *none) (*out[list[Partner]], error) {
	var items []Partner
	for _, p := range a.Registry.Partners() {
		items = append(items, a.partnerOf(p))
	}
	return &out[list[Partner]]{listOf(items)}, nil
}

// partner finds a partner by its name in the path.
func (a *API) partner(name string) (*registry.Partner, error) {
	if p := a.Registry.Partner(name); p != nil {
		return p, nil
	}
	return nil, httpProblem(http.StatusNotFound, "there is no partner %q: GET /v1/partners lists them", clip(name)).next(problem.ListPartners.For())
}

func (a *API) getPartner(_ context.Context, in *named) (*out[Partner], error) {
	p, err := a.partner(in.Name)
	if err != nil {
		return nil, err
	}
	return &out[Partner]{a.partnerOf(p)}, nil
}

// deletePartner may be repeated until it succeeds: the record goes last.
func (a *API) deletePartner(ctx context.Context, in *named) (*none, error) {
	done, err := a.Accounts.Hold(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	p, err := a.partner(in.Name)
	if err != nil {
		return nil, err
	}
	if err := a.Registrar.EndPartner(ctx, p.Name); err != nil {
		return nil, err
	}
	if err := a.removePartner(ctx, p); err != nil {
		return nil, err
	}
	return nil, a.Registrar.ForgetPartner(ctx, p.Name)
}

// removePartner removes stream, account and record of a partner.
func (a *API) removePartner(ctx context.Context, p *registry.Partner) error {
	a.deleteStream(ctx, p)
	a.Partners.Forget(p.Name)
	if p.Account != nil && a.Broker != nil {
		if err := a.Broker.DeleteAccount(ctx, broker.Account{PublicKey: p.Account.PublicKey, StorageKey: p.Account.StorageKey}); err != nil {
			return upstream("removing the partner's account", err)
		}
	}
	if err := a.Registry.ForgetEpoch(ctx, p.Name); err != nil {
		return err
	}
	if err := a.Registry.ForgetReading(ctx, p.Name); err != nil {
		return err
	}
	p = a.Registry.Partner(p.Name) // with its revision
	if p == nil {
		return nil
	}
	if err := a.Registry.DeletePartner(ctx, p); err != nil {
		return err
	}
	a.Partners.Forget(p.Name) // a pass may have opened it again in the meantime
	return nil
}

// deleteStream removes the stream, if its NATS still lets us: a partner that is
// gone for good must not stay for ever. The embedded server would forget it with
// the account, but go on setting its storage aside.
func (a *API) deleteStream(ctx context.Context, p *registry.Partner) {
	ctx, cancel := context.WithTimeout(ctx, dialTime)
	defer cancel()
	stream, err := a.Partners.Stream(ctx, p)
	if err == nil {
		err = stream.Delete(ctx)
	}
	if err != nil {
		a.Log.Warn("the stream of a removed partner could not be removed at its NATS", "partner", p.Name, "err", err)
	}
}

func partnerExists(name string) error {
	return fieldProblem(http.StatusConflict, "name", fmt.Sprintf("there is a partner %q already: choose another name", name))
}
