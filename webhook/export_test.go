package webhook

import (
	"context"
	"time"

	"github.com/sheetbridge/sheetbridge/webhook/registry"
)

// CheckClocks does one round of looking for registrations that nobody looks at.
func (g *Registrar) CheckClocks(ctx context.Context) { g.checkClocks(ctx) }

// CleanUp looks for what was left half done as Run does, and does not wait for
// others to finish it.
func (g *Registrar) CleanUp(ctx context.Context) {
	tried := deletions{}
	for _, reg := range g.Registry.Registrations() {
		tried[reg.ID] = deletion{}
	}
	g.cleanUp(ctx, tried)
}

// SetTimeouts sets for how long a body may drip in, and for how long it waits
// for others. It must be called before Handler.
func (rc *Receiver) SetTimeouts(body, room time.Duration) {
	rc.bodyTimeout, rc.roomTimeout = body, room
}

// HoldLookups takes all the room there is for looking keys up. Handler must have
// been called.
func (rc *Receiver) HoldLookups() { _ = rc.lookups.TryAcquire(lookupsAtOnce) }

// Retry has a partner be in trouble, and its stream tried again.
func (p *Partners) Retry(ctx context.Context, partner *registry.Partner, trouble error) {
	ps, from := p.slot(partner.Name), partner.Account.ID()+partner.External.ID()
	ps.health.found(from, trouble)
	ctx, ps.health.cancel = context.WithCancel(ctx)
	p.retry(ctx, partner, ps, from)
}
