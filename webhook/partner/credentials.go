package partner

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/sheetbridge/sheetbridge/events/broker"
	"github.com/sheetbridge/sheetbridge/webhook/problem"
	"github.com/sheetbridge/sheetbridge/webhook/registry"
)

const (
	// DefaultLife is how long credentials last by default.
	DefaultLife = 365 * 24 * time.Hour
	// MaxOverlap is the longest that replaced credentials may go on.
	MaxOverlap = 90 * 24 * time.Hour
	// maxCredentials is how many sets of credentials one partner may have.
	maxCredentials = 100
)

// NewCredentials says what credentials are to be made.
type NewCredentials struct {
	Name      string
	ExpiresAt time.Time     // zero: in DefaultLife, unless Never is set
	Never     bool          // they do not expire
	Overlap   time.Duration // how long those that have the name go on; 0: not at all
	Leaf      bool          // for a server of the partner's own
	PublicKey string        // of a user key that the partner made; empty: one is made here
}

// MadeCredentials are credentials that were just made: with a secret, which is
// nowhere else, or only the JWT for a key that the partner made.
type MadeCredentials struct {
	registry.Credential
	Creds string // text of a .creds file; empty with a key of the partner's
	JWT   string // with a key of the partner's
}

// record is the record of the credentials that are asked for.
func (n NewCredentials) record() (registry.Credential, error) {
	c := registry.Credential{Name: n.Name, CreatedAt: now(), Leaf: n.Leaf, PublicKey: n.PublicKey}
	switch {
	case n.Never:
	case n.ExpiresAt.IsZero():
		expires := c.CreatedAt.Add(DefaultLife).Truncate(time.Second)
		c.ExpiresAt = &expires
	default:
		expires := n.ExpiresAt.UTC().Truncate(time.Second)
		c.ExpiresAt = &expires
		if !expires.After(c.CreatedAt) {
			return c, problem.New(problem.Invalid, "expiresAt", "is in the past: choose a time to come, or leave it out for a year")
		}
	}
	if n.Overlap < 0 || n.Overlap > MaxOverlap {
		return c, problem.New(problem.Invalid, "overlap", "want a duration from 0s to 2160h, such as 24h")
	}
	return c, nil
}

// Make makes credentials of a partner. Those that have the name are refused from
// then on and their connections closed, or go on for the overlap.
func (a *Accounts) Make(ctx context.Context, name string, n NewCredentials) (*MadeCredentials, error) {
	return a.make(ctx, name, n, func(*registry.Partner) error { return nil })
}

// make makes credentials. Also is changed in the partner's record together with
// them, or neither.
func (a *Accounts) make(ctx context.Context, name string, n NewCredentials, also func(*registry.Partner) error) (*MadeCredentials, error) {
	if _, err := a.Find(name); err != nil {
		return nil, err
	}
	c, err := n.record()
	if err != nil {
		return nil, err
	}
	done, err := a.Hold(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	p, err := a.withAccount(name)
	if err != nil {
		return nil, err
	}
	account, err := a.Partners.Account(p)
	if err != nil {
		return nil, err
	}
	made, err := mint(account, c)
	if err != nil {
		return nil, err
	}
	err = a.Registry.UpdatePartner(ctx, name, func(p *registry.Partner) error {
		if err := also(p); err != nil {
			return err
		}
		if err := keyFree(p, made.PublicKey); err != nil {
			return err
		}
		replace(p, n.Name, made.CreatedAt, n.Overlap)
		return add(p, made.Credential)
	})
	if err != nil || n.Overlap > 0 { // a new user is the account's without the server being told
		return made, err
	}
	return made, a.Put(ctx, name)
}

// mint makes the credentials of the record in an account of ours.
func mint(account broker.Account, c registry.Credential) (*MadeCredentials, error) {
	made := &MadeCredentials{Credential: c}
	var err error
	switch {
	case c.PublicKey != "" && c.Leaf:
		made.JWT, err = account.SignLeaf(c.Name, c.PublicKey, Expiry(c))
	case c.PublicKey != "":
		made.JWT, err = account.SignUser(c.Name, c.PublicKey, Expiry(c))
	case c.Leaf:
		made.Creds, made.PublicKey, err = account.MintLeaf(c.Name, Expiry(c))
	default:
		made.Creds, made.PublicKey, err = account.MintUser(c.Name, Expiry(c))
	}
	if errors.Is(err, broker.ErrUserKey) {
		return nil, problem.New(problem.Invalid, "publicKey", "is not the public key of a NATS user, which begins with U: sheetbridge join makes one")
	}
	return made, err
}

// keyFree refuses a key that the partner has, or had: what was revoked is revoked by
// its key, for ever.
func keyFree(p *registry.Partner, public string) error {
	_, revoked := p.Revoked[public]
	if revoked || slices.ContainsFunc(p.Credentials, func(c registry.Credential) bool { return c.PublicKey == public }) {
		return problem.New(problem.Invalid, "publicKey", "is of other credentials of this partner: make a new key for each")
	}
	return nil
}

// withAccount finds a partner whose credentials are ours to make.
func (a *Accounts) withAccount(name string) (*registry.Partner, error) {
	p, err := a.Find(name)
	if err != nil {
		return nil, err
	}
	if p.Account == nil || a.Broker == nil {
		return nil, elsewhere(p)
	}
	return p, nil
}

func elsewhere(p *registry.Partner) error {
	return problem.New(problem.Conflict, "", "the account of partner %q is at another NATS: make and revoke its credentials there", p.Name)
}

// replace takes the name from credentials that have it: they are revoked, or are
// once the overlap is over. Those that go on from an earlier replacement are
// revoked with it, unless there is an overlap again.
func replace(p *registry.Partner, name string, at time.Time, overlap time.Duration) {
	p.Credentials = slices.DeleteFunc(p.Credentials, func(c registry.Credential) bool {
		if c.Name != name || overlap > 0 {
			return false
		}
		revoke(p, c.PublicKey)
		return true
	})
	until := at.Add(overlap)
	for i := range p.Credentials {
		if c := &p.Credentials[i]; c.Name == name && c.OverlapUntil == nil {
			c.OverlapUntil = &until
		}
	}
}

func revoke(p *registry.Partner, public string) {
	if p.Revoked == nil {
		p.Revoked = map[string]int64{}
	}
	p.Revoked[public] = now().Unix()
}

// add notes credentials of a partner.
func add(p *registry.Partner, c registry.Credential) error {
	if len(p.Credentials) >= maxCredentials {
		return problem.New(problem.Conflict, "", "partner %q has %d credentials: delete some that nobody uses", p.Name, maxCredentials).Next(problem.ListCredentials.For(p.Name))
	}
	p.Credentials = append(p.Credentials, c)
	return nil
}

// Expiry is when credentials expire; zero: never.
func Expiry(c registry.Credential) time.Time {
	if c.ExpiresAt == nil {
		return time.Time{}
	}
	return *c.ExpiresAt
}

// Expired tells whether credentials are refused by themselves.
func Expired(c registry.Credential) bool { return c.ExpiresAt != nil && !c.ExpiresAt.After(now()) }

// Revoke has the partner's credentials with the name refused at once, those in an
// overlap too; their connections close. The record comes first: after a failure the
// same request again finishes it, and so does a start.
func (a *Accounts) Revoke(ctx context.Context, name, credentials string) error {
	done, err := a.Hold(ctx)
	if err != nil {
		return err
	}
	defer done()
	p, err := a.withAccount(name)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(p.Credentials, func(c registry.Credential) bool { return c.Name == credentials }) {
		// An earlier attempt may have died before the server knew of it.
		if err := a.Put(ctx, name); err != nil {
			return err
		}
		return unknown(p, credentials)
	}
	err = a.Registry.UpdatePartner(ctx, name, func(p *registry.Partner) error {
		replace(p, credentials, now(), 0)
		return nil
	})
	if err != nil {
		return err
	}
	return a.Put(ctx, name)
}

func unknown(p *registry.Partner, credentials string) error {
	return problem.New(problem.NotFound, "", "partner %q has no credentials %q: GET /v1/partners/%s/credentials lists them", p.Name, clip(credentials), p.Name).Next(problem.ListCredentials.For(p.Name))
}
