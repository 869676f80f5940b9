package partner

import (
	"context"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/sheetbridge/sheetbridge/webhook/registry"
)

const (
	// purgeEvery is the time between two rounds over all partners.
	purgeEvery = 10 * time.Minute
	// purgePause is how long a stream is left alone after all of it was looked at.
	purgePause = 6 * time.Hour
	// purgeMessages bounds how many messages of a stream one round looks at, and
	// sweepTime how long that may take.
	purgeMessages = 10_000
	purgeTime     = time.Minute
	// purgesAtOnce is how many partners are swept at once: one that does not
	// answer delays few others.
	purgesAtOnce = 4
)

// Run purges deletions that are older than each partner's terms keep them,
// round after round, and closes connections to partners that are removed, until
// the context ends.
func (p *Partners) Run(ctx context.Context) error {
	tick := time.NewTicker(purgeEvery)
	defer tick.Stop()
	for {
		changed := p.Registry.Changed()
		p.forgetRemoved()
		select {
		case <-ctx.Done():
			return nil
		case <-changed:
		case now := <-tick.C:
			p.PurgeTombstones(ctx, now)
		}
	}
}

// PurgeTombstones does one round: it looks at a part of each partner's stream and purges
// what was deleted too long before now. It goes on where the last round ended. A
// partner that fails is left for the next one.
func (p *Partners) PurgeTombstones(ctx context.Context, now time.Time) {
	var g errgroup.Group
	g.SetLimit(purgesAtOnce)
	for _, partner := range p.Registry.Partners() {
		g.Go(func() error {
			p.purgeTombstones(ctx, partner, now)
			return nil
		})
	}
	_ = g.Wait() // none of them fails
}

func (p *Partners) purgeTombstones(ctx context.Context, partner *registry.Partner, now time.Time) {
	ps := p.slot(partner.Name)
	ps.purging.Lock()
	defer ps.purging.Unlock()
	if ps.purgedTo == 0 && now.Sub(ps.purgedAt) < purgePause {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, purgeTime)
	defer cancel()
	stream, err := p.Stream(ctx, partner)
	if err != nil {
		return // concerns this partner alone, and is reported by each of its passes
	}
	next, purged, err := stream.PurgeTombstones(ctx, now.Add(-partner.TombstonesKept()), ps.purgedTo, purgeMessages)
	if err != nil {
		p.Log.Warn("cannot purge old deletions from a partner's stream: the next round tries again", "partner", partner.Name, "err", err)
	}
	if ps.purgedTo = next; next == 0 {
		ps.purgedAt = now
	}
	if purged > 0 {
		p.Log.Info("purged old deletions from a partner's stream", "partner", partner.Name, "objects", purged)
	}
}
