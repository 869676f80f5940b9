package partner

import (
	"context"
	"crypto/rand"
	"errors"
	"time"

	"github.com/sheetbridge/sheetbridge/events/broker"
	"github.com/sheetbridge/sheetbridge/events/seal"
	"github.com/sheetbridge/sheetbridge/events/stream"
	"github.com/sheetbridge/sheetbridge/webhook/problem"
	"github.com/sheetbridge/sheetbridge/webhook/registry"
)

const (
	// FirstCredentials is the name of those that come with a new partner.
	FirstCredentials = "default"
	// undoTime bounds taking back what could not be finished.
	undoTime = 10 * time.Second
	// tryTime bounds trying a partner's own NATS.
	tryTime = 10 * time.Second
)

// NewPartner is a partner to be added.
type NewPartner struct {
	Name               string
	Terms              registry.Terms
	External           *ExternalAccount // nil: its account is made at our own NATS
	WithoutCredentials bool             // it gets them by an invitation
}

// ExternalAccount is an account at another NATS.
type ExternalAccount struct {
	URL         string
	Credentials seal.Secret // text of a .creds file with which the bridge publishes there
}

// New returns the record of a new partner, without keys, and makes nothing.
func (a *Accounts) New(n NewPartner) (*registry.Partner, error) {
	if a.Registry.Partner(n.Name) != nil {
		return nil, exists(n.Name)
	}
	p := &registry.Partner{Name: n.Name, Terms: n.Terms, Credentials: []registry.Credential{}, CreatedAt: now()}
	switch {
	case n.External != nil:
		p.External = &registry.External{URL: n.External.URL}
	case a.Broker == nil:
		return nil, problem.New(problem.Invalid, "nats", "is required, since SHEETBRIDGE_NATS_URL is set and the bridge can make no accounts there: give the url and credentials of the partner's account")
	default:
		p.Account = &registry.Account{}
	}
	return p, nil
}

func exists(name string) error {
	return problem.New(problem.Conflict, "name", "there is a partner %q already: choose another name", name)
}

// Add makes a partner: its account, its stream and its first credentials, whose text is
// returned; or it tries the account that is given, and makes no credentials. Where that
// fails nothing is left behind.
func (a *Accounts) Add(ctx context.Context, n NewPartner) (p *registry.Partner, creds string, err error) {
	if p, err = a.New(n); err != nil {
		return nil, "", err
	}
	key := make([]byte, 32) // by which values are hashed for this partner alone
	rand.Read(key)
	if p.MaskKey, err = a.Registry.Sealer().Seal(key, p.SealName("maskKey")); err != nil {
		return nil, "", err
	}
	if n.External != nil {
		err = a.addExternal(ctx, p, n.External.Credentials)
	} else {
		creds, err = a.addEmbedded(ctx, p, n.WithoutCredentials)
	}
	if errors.Is(err, registry.ErrExists) {
		err = exists(n.Name)
	}
	if err != nil {
		return nil, "", err
	}
	return p, creds, nil
}

// addEmbedded makes the partner's account at our own NATS. The record comes first: what
// is made after it can be found and removed.
func (a *Accounts) addEmbedded(ctx context.Context, p *registry.Partner, withoutCredentials bool) (creds string, err error) {
	done, err := a.Hold(ctx)
	if err != nil {
		return "", err
	}
	defer done()
	account, err := broker.NewAccount(p.Name)
	if err != nil {
		return "", err
	}
	account.Limits, account.Sources = p.Limits, p.Sources
	if !withoutCredentials {
		expires := p.CreatedAt.Add(DefaultLife).Truncate(time.Second)
		made, err := mint(account, registry.Credential{Name: FirstCredentials, CreatedAt: p.CreatedAt, ExpiresAt: &expires})
		if err != nil {
			return "", err
		}
		creds, p.Credentials = made.Creds, append(p.Credentials, made.Credential)
	}
	p.Account.PublicKey, p.Account.StorageKey = account.PublicKey, account.StorageKey
	for _, f := range sealedSeeds(p.Account, &account) {
		if *f.sealed, err = a.Registry.Sealer().SealString(string(*f.seed), p.SealName(f.name)); err != nil {
			return "", err
		}
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
		undoing, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTime)
		defer cancel()
		return "", upstream("making the partner's account", errors.Join(err, a.Remove(undoing, p)))
	}
	return creds, nil
}

// addExternal tries the partner's account at another NATS, and stores how to get there.
func (a *Accounts) addExternal(ctx context.Context, p *registry.Partner, creds seal.Secret) (err error) {
	if p.External.Credentials, err = a.Registry.Sealer().SealString(string(creds), p.SealName("credentials")); err != nil {
		return err
	}
	trying, cancel := context.WithTimeout(ctx, tryTime)
	defer cancel()
	st, closing, err := a.Partners.Dial(trying, p)
	if err != nil {
		return problem.New(problem.Invalid, "nats", "the partner's account cannot be used: %v", err)
	}
	defer closing()
	if err = st.Try(trying); err != nil {
		err = problem.New(problem.Invalid, "nats", "the partner's account cannot be used: %v", err)
	} else {
		err = a.Registry.CreatePartner(ctx, p)
	}
	// The request that was first with the name may have its partner in that account.
	if err != nil && !errors.Is(err, registry.ErrExists) {
		a.removeNewStream(ctx, p, st)
	}
	return err
}

// removeNewStream removes the stream of a partner that was refused from an account that
// is not ours, if it was made just now and nothing is in it.
func (a *Accounts) removeNewStream(ctx context.Context, p *registry.Partner, st *stream.Stream) {
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

// Remove removes stream, account and record of a partner, whose shares have ended. The
// caller holds the accounts. It may be repeated until it succeeds: the record goes last.
func (a *Accounts) Remove(ctx context.Context, p *registry.Partner) error {
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

// deleteStream removes the stream, if its NATS still lets us: a partner that is gone for
// good must not stay for ever. The embedded server would forget it with the account, but
// go on setting its storage aside.
func (a *Accounts) deleteStream(ctx context.Context, p *registry.Partner) {
	ctx, cancel := context.WithTimeout(ctx, tryTime)
	defer cancel()
	stream, err := a.Partners.Stream(ctx, p)
	if err == nil {
		err = stream.Delete(ctx)
	}
	if err != nil {
		a.Log.Warn("the stream of a removed partner could not be removed at its NATS", "partner", p.Name, "err", err)
	}
}
