package partner

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/sheetbridge/sheetbridge/webhook/registry"
)

const (
	overlapEvery = 5 * time.Second  // how often it is looked whether an overlap is over
	overlapTime  = 30 * time.Second // bounds ending those of one partner
	// forgetAfter is how long expired credentials and ended invitations stay listed.
	forgetAfter = 30 * 24 * time.Hour
)

// Run has replaced credentials refused when their overlap is over, until the
// context ends.
func (a *Accounts) Run(ctx context.Context) error {
	for {
		for _, p := range a.Registry.Partners() {
			if !overlapOver(p, time.Now()) {
				continue
			}
			if err := a.endOverlap(ctx, p.Name); err != nil && ctx.Err() == nil {
				a.Log.Error("replaced credentials are not refused yet", "partner", p.Name, "err", err)
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(overlapEvery):
		}
	}
}

// overlapOver tells whether the partner has credentials whose overlap is over.
func overlapOver(p *registry.Partner, at time.Time) bool {
	return p.Account != nil && slices.ContainsFunc(p.Credentials, func(c registry.Credential) bool {
		return c.OverlapUntil != nil && !at.Before(*c.OverlapUntil)
	})
}

// endOverlap revokes the partner's credentials whose overlap is over.
func (a *Accounts) endOverlap(ctx context.Context, name string) error {
	ctx, cancel := context.WithTimeout(ctx, overlapTime)
	defer cancel()
	done, err := a.Hold(ctx)
	if err != nil {
		return err
	}
	defer done()
	err = a.Registry.UpdatePartner(ctx, name, func(p *registry.Partner) error {
		at := time.Now()
		p.Credentials = slices.DeleteFunc(p.Credentials, func(c registry.Credential) bool {
			if c.OverlapUntil == nil || at.Before(*c.OverlapUntil) {
				return false
			}
			revoke(p, c.PublicKey)
			return true
		})
		return nil
	})
	if errors.Is(err, registry.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	return a.Put(ctx, name)
}
