package registrar

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sync/errgroup"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/webhook/inbox"
	"github.com/sheetbridge/sheetbridge/webhook/problem"
	"github.com/sheetbridge/sheetbridge/webhook/registry"
)

// attributes are those that the filter of a request may name: the partner's, unless
// the request says what they would be.
func (g *Registrar) attributes(r events.Request) map[string]string {
	if r.Attributes != nil {
		return r.Attributes
	}
	if p := g.Registry.Partner(r.Partner); p != nil {
		return p.Attributes
	}
	return nil
}

// CheckAttributes refuses attributes of a partner that lack one which a filter names.
func (g *Registrar) CheckAttributes(partner string, attributes map[string]string) error {
	for _, s := range g.Registry.AllShares() {
		if s.Partner != partner || s.Ending {
			continue
		}
		for name := range s.Attributes {
			if _, has := attributes[name]; !has {
				return problem.New(problem.Conflict, "attributes", "the filter of share %s names partner.%s: keep the attribute, or change that share's where first", s.Key(), name).
					Next(problem.ChangeShare.For(s.Registration, s.Partner, s.Sheet))
			}
		}
	}
	return nil
}

// RebindAttributes has the shares of a partner whose filters name its attributes show
// what they show with these as they are now: as if their filters had been changed.
func (g *Registrar) RebindAttributes(ctx context.Context, partner string) error {
	p, err := g.Registry.FreshPartner(ctx, partner)
	if err != nil {
		return problem.FromRegistry("partner "+partner, err)
	}
	var all errgroup.Group
	all.SetLimit(changesAtOnce)
	for _, s := range g.Registry.AllShares() {
		if _, same := s.WithAttributes(p.Attributes); s.Partner == partner && !s.Ending && !same {
			all.Go(func() error { return g.rebind(ctx, s, p) })
		}
	}
	return all.Wait()
}

func (g *Registrar) rebind(ctx context.Context, was *registry.Share, p *registry.Partner) error {
	now, err := g.Registry.RebindShare(ctx, was, p)
	switch {
	case errors.Is(err, registry.ErrNotFound):
		return nil
	case err != nil:
		return fmt.Errorf("changing what share %s shows by the partner's attributes: %w", was.Key(), err)
	}
	return g.enqueue(ctx, now.Registration, inbox.Hint{Why: inbox.WhyShare, Whole: true})
}
