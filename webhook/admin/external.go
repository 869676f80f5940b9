package admin

import (
	"context"
	"errors"

	"github.com/sheetbridge/sheetbridge/events/stream"
	"github.com/sheetbridge/sheetbridge/webhook/registry"
)

// addExternal tries the partner's account at another NATS and stores how to get
// there. With a signing key it returns the partner's first credentials,
// unless none are wanted.
func (a *API) addExternal(ctx context.Context, p *registry.Partner, n *NATS, withoutCredentials bool) (creds string, err error) {
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
		// The request that was first with the name may have its partner in that account.
		if err != nil && !errors.Is(err, registry.ErrExists) {
			a.removeNewStream(ctx, p, st)
		}
	}()
	if err := st.Try(dialing); err != nil {
		return "", invalid("nats", "the partner's account cannot be used: %v", err)
	}
	if n.SigningKey != "" && !withoutCredentials {
		made, err := a.Accounts.MintLent(dialing, p, registry.Credential{Name: firstCredentials, CreatedAt: p.CreatedAt})
		if err != nil {
			return "", err
		}
		creds, p.Credentials = made.Creds, append(p.Credentials, made.Credential)
	}
	return creds, a.Registry.CreatePartner(ctx, p)
}

// removeNewStream removes the stream of a partner that was refused from an account that
// is not ours, if it was made just now and nothing is in it.
func (a *API) removeNewStream(ctx context.Context, p *registry.Partner, st *stream.Stream) {
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
