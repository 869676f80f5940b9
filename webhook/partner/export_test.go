package partner

import (
	"context"

	"github.com/sheetbridge/sheetbridge/webhook/registry"
)

// Retry has a partner be in trouble, and its stream tried again.
func (p *Partners) Retry(ctx context.Context, partner *registry.Partner, trouble error) {
	ps, from := p.slot(partner.Name), partner.Account.ID()+partner.External.ID()
	ps.health.record(from, trouble)
	ctx, ps.health.cancel = context.WithCancel(ctx)
	p.retry(ctx, partner, ps, from)
}
