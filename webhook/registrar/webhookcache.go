package registrar

import (
	"context"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/sheetbridge/sheetbridge/smartsheet"
	"github.com/sheetbridge/sheetbridge/webhook/registry"
)

// webhookCache remembers for a while what the webhooks of owners looked like, so
// that many sheets of one owner cost one list.
type webhookCache struct {
	reading singleflight.Group

	mu     sync.Mutex
	owners map[string]webhookList
}

// webhookList are the webhooks of an owner as they were at a time.
type webhookList struct {
	at   time.Time
	byID map[int64]smartsheet.Webhook
}

func (c *webhookCache) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.owners = nil
}

func (c *webhookCache) known(owner string) webhookList {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.owners[owner]
}

// webhooks returns the owner's webhooks as they were at most maxAge ago. They are
// read once for all who wait for them, also when the first one hangs up.
func (c *webhookCache) webhooks(ctx context.Context, owner string, client *smartsheet.Client, maxAge time.Duration) (map[int64]smartsheet.Webhook, error) {
	if list := c.known(owner); list.byID != nil && time.Since(list.at) < maxAge {
		return list.byID, nil
	}
	read := c.reading.DoChan(owner, func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTime)
		defer cancel()
		return c.read(ctx, owner, client)
	})
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case result := <-read:
		if result.Err != nil {
			return nil, result.Err
		}
		return result.Val.(webhookList).byID, nil
	}
}

// read asks Smartsheet for the owner's webhooks.
func (c *webhookCache) read(ctx context.Context, owner string, client *smartsheet.Client) (webhookList, error) {
	list := webhookList{at: time.Now(), byID: map[int64]smartsheet.Webhook{}}
	for w, err := range client.Webhooks(ctx) {
		if err != nil {
			return webhookList{}, err
		}
		list.byID[w.ID] = w
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.owners == nil {
		c.owners = map[string]webhookList{}
	}
	c.owners[owner] = list
	return list, nil
}

// lastCallback returns when the owner's webhook was last called with success, as
// far as the last list said.
func (c *webhookCache) lastCallback(owner string, webhook int64) time.Time {
	if stats := c.known(owner).byID[webhook].Stats; stats != nil {
		return stats.LastSuccessfulCallback.Time
	}
	return time.Time{}
}

// LastCallback tells when Smartsheet last called for the registration with
// success, as it said when the webhooks were last looked at: up to half the
// time between two reconciles ago. It asks nobody; zero is not known.
func (g *Registrar) LastCallback(reg *registry.Registration) time.Time {
	return g.webhooks.lastCallback(reg.Owner, reg.WebhookID)
}
