package partner

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/sheetbridge/sheetbridge/events/broker"
	"github.com/sheetbridge/sheetbridge/events/seal"
	"github.com/sheetbridge/sheetbridge/webhook/problem"
	"github.com/sheetbridge/sheetbridge/webhook/registry"
)

const (
	// lentLife is how long credentials at another NATS last unless told, and the
	// longest that they may: nobody here can revoke them.
	lentLife = 90 * 24 * time.Hour
	// dialTime bounds trying credentials at another NATS.
	dialTime = 10 * time.Second
)

// MintLent makes credentials with the signing key that another NATS has lent, and
// tries them: they must read, and do no more. Nothing is stored. The partner must
// not be one that others see: its External says afterwards whether readers can
// forge.
func (a *Accounts) MintLent(ctx context.Context, p *registry.Partner, c registry.Credential) (*MadeCredentials, error) {
	latest := c.CreatedAt.Add(lentLife).Truncate(time.Second)
	switch {
	case c.Leaf:
		return nil, problem.New(problem.Invalid, "leaf", "the account is at another NATS: leaf nodes connect as that says")
	case c.ExpiresAt == nil:
		c.ExpiresAt = &latest
	case c.ExpiresAt.After(latest):
		return nil, problem.New(problem.Invalid, "expiresAt", "is more than 90 days away: the bridge cannot revoke credentials at another NATS")
	}
	account, err := a.Partners.Minter(p)
	if errors.Is(err, ErrNoBroker) {
		return nil, elsewhere(p)
	}
	if err != nil {
		return nil, problem.New(problem.Invalid, "nats.signingKey", "%v", err)
	}
	made, err := mint(account, c)
	if err != nil {
		return nil, err
	}
	tried := made.Creds
	if tried == "" { // for a key that is not ours: another user of the same scope is tried
		if tried, _, err = account.MintUser("sheetbridge check", time.Now().Add(time.Minute)); err != nil {
			return nil, err
		}
	}
	forged, err := broker.CheckReader(ctx, p.Name, broker.ExternalOptions{URL: p.External.URL, Creds: seal.Secret(tried), Name: "sheetbridge check", TLS: a.Partners.TLS})
	if err != nil {
		return nil, problem.New(problem.Invalid, "nats.signingKey", "credentials minted with it are no partner's: %v", err)
	}
	p.External.ReadersForge = forged != ""
	if forged == "" {
		return made, nil
	}
	a.Log.Warn("readers of a partner can write to its stream: deploy/nats/accounts.md says how readers live apart", "partner", p.Name)
	return made, a.removeForged(ctx, p, forged)
}

// removeForged removes the message that trying credentials has left in the stream.
func (a *Accounts) removeForged(ctx context.Context, p *registry.Partner, subject string) error {
	st, closing, err := a.Partners.Dial(ctx, p)
	if err != nil {
		return err
	}
	defer closing()
	last, err := st.LastSequence(ctx)
	if err != nil {
		return err
	}
	return st.PurgeBelow(ctx, subject, last+1)
}

// makeLent makes credentials at another NATS. A name is used once while its
// credentials are good: they cannot be replaced.
func (a *Accounts) makeLent(ctx context.Context, p *registry.Partner, n NewCredentials, c registry.Credential, also func(*registry.Partner) error) (*MadeCredentials, error) {
	if n.Overlap > 0 {
		return nil, problem.New(problem.Invalid, "overlap", "credentials at another NATS cannot be revoked here: they go on until they expire; choose another name for the new ones")
	}
	if n.Never {
		return nil, problem.New(problem.Invalid, "expiresAt", "cannot be null: the bridge cannot revoke credentials at another NATS, which expire in 90 days at most")
	}
	if n.ExpiresAt.IsZero() {
		c.ExpiresAt = nil
	}
	trying, cancel := context.WithTimeout(ctx, dialTime)
	defer cancel()
	own := *p.External // what is in memory is not changed
	tried := *p
	tried.External = &own
	made, err := a.MintLent(trying, &tried, c)
	if err != nil {
		return nil, err
	}
	err = a.Registry.UpdatePartner(ctx, p.Name, func(p *registry.Partner) error {
		if err := also(p); err != nil {
			return err
		}
		p.External.ReadersForge = own.ReadersForge
		p.Credentials = slices.DeleteFunc(p.Credentials, Expired)
		if slices.ContainsFunc(p.Credentials, func(old registry.Credential) bool { return old.Name == c.Name }) {
			return problem.New(problem.Conflict, "", "partner %q has credentials %q, which cannot be revoked here: choose another name", p.Name, c.Name)
		}
		if err := keyFree(p, made.PublicKey); err != nil {
			return err
		}
		return add(p, made.Credential)
	})
	if err != nil {
		return nil, err
	}
	return made, nil
}

// forgetLent forgets credentials at another NATS once they have expired.
func (a *Accounts) forgetLent(ctx context.Context, p *registry.Partner, name string) error {
	i := slices.IndexFunc(p.Credentials, func(c registry.Credential) bool { return c.Name == name })
	if i < 0 {
		return unknown(p, name)
	}
	if c := p.Credentials[i]; !Expired(c) {
		return problem.New(problem.Conflict, "", "credentials %q are of an account at another NATS: revoke user %s there; they expire on %s",
			name, c.PublicKey, c.ExpiresAt.Format(time.RFC3339))
	}
	return a.Registry.UpdatePartner(ctx, p.Name, func(p *registry.Partner) error {
		p.Credentials = slices.DeleteFunc(p.Credentials, func(c registry.Credential) bool { return c.Name == name && Expired(c) })
		return nil
	})
}
