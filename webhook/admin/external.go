package admin

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/sheetbridge/sheetbridge/events/broker"
	"github.com/sheetbridge/sheetbridge/events/seal"
	"github.com/sheetbridge/sheetbridge/events/stream"
	"github.com/sheetbridge/sheetbridge/webhook/partner"
	"github.com/sheetbridge/sheetbridge/webhook/registry"
)

// lentTime is how long credentials at another NATS last unless told, and the
// longest that they may: nobody here can revoke them.
const lentTime = 90 * 24 * time.Hour

// addExternal tries the partner's account at another NATS and stores how to get
// there. With a signing key it returns the partner's first credentials.
func (a *API) addExternal(ctx context.Context, p *registry.Partner, n *NATS) (creds string, err error) {
	sealer := a.Registry.Sealer()
	p.External = &registry.External{URL: n.URL, SigningAccount: n.SigningAccount}
	if p.External.Credentials, err = sealer.SealString(n.Credentials, p.SealName("credentials")); err != nil {
		return "", err
	}
	if n.SigningKey != "" {
		if p.External.SigningSeed, err = sealer.SealString(n.SigningKey, p.SealName("lentSeed")); err != nil {
			return "", err
		}
	}
	if _, err := a.Partners.Minter(p); err != nil && n.SigningKey != "" { // before anything is made there
		return "", invalid("nats.signingKey", "%v", err)
	}
	dialing, cancel := context.WithTimeout(ctx, dialTime)
	defer cancel()
	st, closing, err := a.Partners.Dial(dialing, p)
	if err != nil {
		return "", invalid("nats", "the partner's account cannot be used: %v", err)
	}
	defer closing()
	defer func() {
		// Whoever was first with the name may have its partner in that account.
		if err != nil && !errors.Is(err, registry.ErrExists) {
			a.takeBack(ctx, p, st)
		}
	}()
	if err := st.Try(dialing); err != nil {
		return "", invalid("nats", "the partner's account cannot be used: %v", err)
	}
	if n.SigningKey != "" {
		c := registry.Credential{Name: firstCredentials, CreatedAt: p.CreatedAt}
		if creds, err = a.mintLent(dialing, p, &c); err != nil {
			return "", err
		}
		p.Credentials = append(p.Credentials, c)
	}
	return creds, a.Registry.CreatePartner(ctx, p)
}

// takeBack removes the stream of a partner that was refused from an account that
// is not ours, if it was made just now and nothing is in it.
func (a *API) takeBack(ctx context.Context, p *registry.Partner, st *stream.Stream) {
	if !st.Made() {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTime)
	defer cancel()
	last, err := st.LastSequence(ctx)
	if err == nil && last == 0 {
		err = st.Delete(ctx)
	}
	if err != nil {
		a.Log.Warn("the stream of a partner that was refused could not be removed at its NATS", "partner", p.Name, "err", err)
	}
}

// mintLent mints credentials with the signing key that another NATS has lent,
// and tries them: they must read, and do no more.
func (a *API) mintLent(ctx context.Context, p *registry.Partner, c *registry.Credential) (creds string, err error) {
	latest := c.CreatedAt.Add(lentTime).Truncate(time.Second)
	switch {
	case c.Leaf:
		return "", invalid("leaf", "the account is at another NATS: leaf nodes connect as that says")
	case c.ExpiresAt == nil:
		c.ExpiresAt = &latest
	case c.ExpiresAt.After(latest):
		return "", invalid("expiresAt", "is more than 90 days away: the bridge cannot revoke credentials at another NATS")
	}
	account, err := a.Partners.Minter(p)
	if errors.Is(err, partner.ErrNoBroker) {
		return "", httpProblem(http.StatusConflict, "the account of partner %q is at another NATS: make and revoke its credentials there", p.Name)
	}
	if err != nil {
		return "", invalid("nats.signingKey", "%v", err)
	}
	if creds, c.PublicKey, err = account.MintUser(c.Name, *c.ExpiresAt); err != nil {
		return "", err
	}
	forged, err := broker.CheckReader(ctx, p.Name, broker.ExternalOptions{URL: p.External.URL, Creds: seal.Secret(creds), Name: "sheetbridge check", TLS: a.Partners.TLS})
	if err != nil {
		return "", invalid("nats.signingKey", "credentials minted with it are no partner's: %v", err)
	}
	p.External.ReadersForge = forged != ""
	if forged == "" {
		return creds, nil
	}
	a.Log.Warn("readers of a partner can write to its stream: deploy/nats/accounts.md says how readers live apart", "partner", p.Name)
	st, closing, err := a.Partners.Dial(ctx, p)
	if err != nil {
		return "", err
	}
	defer closing()
	last, err := st.LastSequence(ctx)
	if err == nil {
		err = st.PurgeBelow(ctx, forged, last+1)
	}
	return creds, err
}

// lendCredentials makes credentials at another NATS. A name is used once while
// its credentials are good: they cannot be replaced.
func (a *API) lendCredentials(ctx context.Context, p *registry.Partner, c registry.Credential) (*out[MadeCredentials], error) {
	trying, cancel := context.WithTimeout(ctx, dialTime)
	defer cancel()
	own := *p.External // what is in memory is not changed
	tried := *p
	tried.External = &own
	p = &tried
	creds, err := a.mintLent(trying, p, &c)
	if err != nil {
		return nil, err
	}
	forge := p.External.ReadersForge
	err = a.Registry.UpdatePartner(ctx, p.Name, func(p *registry.Partner) error {
		p.External.ReadersForge = forge
		p.Credentials = slices.DeleteFunc(p.Credentials, func(old registry.Credential) bool { return expired(old) })
		if slices.ContainsFunc(p.Credentials, func(old registry.Credential) bool { return old.Name == c.Name }) {
			return httpProblem(http.StatusConflict, "partner %q has credentials %q, which cannot be revoked here: choose another name", p.Name, c.Name)
		}
		return add(p, c)
	})
	if err != nil {
		return nil, err
	}
	return &out[MadeCredentials]{MadeCredentials{c.Name, creds, c.ExpiresAt}}, nil
}

// forgetLent forgets credentials at another NATS once they have expired.
func (a *API) forgetLent(ctx context.Context, p *registry.Partner, name string) error {
	i := slices.IndexFunc(p.Credentials, func(c registry.Credential) bool { return c.Name == name })
	if i < 0 {
		return httpProblem(http.StatusNotFound, "partner %q has no credentials %q: GET /v1/partners/%s/credentials lists them", p.Name, clip(name), p.Name)
	}
	if c := p.Credentials[i]; !expired(c) {
		return httpProblem(http.StatusConflict, "credentials %q are of an account at another NATS: revoke user %s there; they expire on %s",
			name, c.PublicKey, c.ExpiresAt.Format(time.RFC3339))
	}
	return a.Registry.UpdatePartner(ctx, p.Name, func(p *registry.Partner) error {
		p.Credentials = slices.DeleteFunc(p.Credentials, func(c registry.Credential) bool { return c.Name == name && expired(c) })
		return nil
	})
}

func expired(c registry.Credential) bool { return c.ExpiresAt != nil && !c.ExpiresAt.After(now()) }
