package registrar

import (
	"context"
	"sync"
	"time"

	"github.com/sheetbridge/sheetbridge/events/seal"
	"github.com/sheetbridge/sheetbridge/webhook/inbox"
	"github.com/sheetbridge/sheetbridge/webhook/problem"
	"github.com/sheetbridge/sheetbridge/webhook/registry"
)

// RotateSecret has Smartsheet make a new shared secret. The old one is accepted
// for an hour more.
func (g *Registrar) RotateSecret(ctx context.Context, id string) error {
	reg, err := g.Registration(id)
	if err != nil {
		return err
	}
	if reg.WebhookID == 0 {
		return problem.New(problem.Conflict, "", "the sheet is polled: it has no webhook and no secret")
	}
	_, client, err := g.owner(reg.Owner)
	if err != nil {
		return err
	}
	secret, err := client.ResetSharedSecret(ctx, reg.WebhookID)
	if err != nil {
		return problem.FromSmartsheet("resetting the shared secret", err)
	}
	return g.storeSecret(context.WithoutCancel(ctx), id, secret)
}

// storeSecret stores a new shared secret and keeps the old one for a while.
func (g *Registrar) storeSecret(ctx context.Context, id, secret string) error {
	_, err := g.Registry.UpdateRegistration(ctx, id, func(reg *registry.Registration) error {
		if known := reg.Secrets(time.Now()); len(known) > 0 && known[0] == seal.Secret(secret) {
			return nil // a look at the webhook was faster than we; the old one must stay
		}
		sealed, err := g.Registry.Sealer().SealString(secret, reg.SealName("secret"))
		if err != nil {
			return err
		}
		reg.OldSecret, reg.OldUntil, reg.Secret = reg.Secret, time.Now().Add(oldSecretTime).UTC(), sealed
		return nil
	})
	return problem.FromRegistry("such registration", err)
}

func hasSecret(reg *registry.Registration, secret string) bool {
	for _, s := range reg.Secrets(time.Now()) {
		if s == seal.Secret(secret) {
			return true
		}
	}
	return false
}

// secretTimeout bounds storing the hint that asks for it.
const secretTimeout = 5 * time.Second

// secretEvery is how often wrong signatures make us ask for the secret.
const secretEvery = time.Minute

// CheckSecret has Smartsheet asked for the current shared secret of a
// registration whose callback was signed wrong: once, not once a request.
func (g *Registrar) CheckSecret(ctx context.Context, id string) {
	g.secretChecks.mu.Lock()
	recent := time.Since(g.secretChecks.at[id]) < secretEvery
	if !recent {
		if g.secretChecks.at == nil {
			g.secretChecks.at = map[string]time.Time{}
		}
		g.secretChecks.at[id] = time.Now()
	}
	g.secretChecks.mu.Unlock()
	if recent {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), secretTimeout)
	defer cancel()
	if err := g.hint(ctx, id, inbox.Hint{Why: inbox.WhyCallback, Whole: true, Webhook: true}); err != nil {
		g.Log.Warn("cannot ask Smartsheet for the shared secret", "registration", id, "err", err)
	}
}

// secretChecks is when the secrets of registrations were last asked for.
type secretChecks struct {
	mu sync.Mutex
	at map[string]time.Time
}
