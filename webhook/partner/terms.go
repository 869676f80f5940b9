package partner

import (
	"context"
	"errors"

	"github.com/sheetbridge/sheetbridge/webhook/registry"
)

// ChangeTerms changes the terms of a partner, at its account and its stream too. It may
// be repeated until it succeeds: the record comes first.
func (a *Accounts) ChangeTerms(ctx context.Context, name string, change func(*registry.Terms) error) (*registry.Partner, error) {
	done, err := a.Hold(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	if _, err := a.Find(name); err != nil {
		return nil, err
	}
	err = a.Registry.UpdatePartner(ctx, name, func(p *registry.Partner) error { return change(&p.Terms) })
	if err != nil {
		return nil, err
	}
	p, err := a.Find(name)
	if err != nil {
		return nil, err
	}
	if p.Account != nil && a.Broker != nil {
		if err := a.Put(ctx, name); err != nil {
			return nil, err
		}
	}
	// Where the stream failed a moment ago under the old terms it is tried, and not left
	// to rest.
	_, err = a.Partners.Stream(ctx, p)
	if errors.Is(err, ErrCircuitOpen) {
		a.Partners.Forget(name)
		_, err = a.Partners.Stream(ctx, p)
	}
	if err != nil {
		return nil, upstream("changing the partner's stream", err)
	}
	return p, nil
}
