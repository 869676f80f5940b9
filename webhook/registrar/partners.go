package registrar

import (
	"context"
	"fmt"
	"slices"

	"github.com/sheetbridge/sheetbridge/webhook/inbox"
	"github.com/sheetbridge/sheetbridge/webhook/problem"
	"github.com/sheetbridge/sheetbridge/webhook/registry"
)

// RemovePartner ends the shares of a partner, and removes its stream, its account and
// its record. It may be repeated until it succeeds.
func (g *Registrar) RemovePartner(ctx context.Context, name string) error {
	done, err := g.Accounts.Hold(ctx)
	if err != nil {
		return err
	}
	defer done()
	p, err := g.Accounts.Find(name)
	if err != nil {
		return err
	}
	// Until its stream is gone the partner is told as of any share that ends.
	if err := g.endShares(ctx, g.sharesOf(name)); err != nil {
		return err
	}
	if err := g.Accounts.Remove(ctx, p); err != nil {
		return err
	}
	return g.forgetShares(ctx, name)
}

// sharesOf are the shares of a partner, those that are ending too.
func (g *Registrar) sharesOf(partner string) []*registry.Share {
	return slices.DeleteFunc(g.Registry.AllShares(), func(s *registry.Share) bool { return s.Partner != partner })
}

// forgetShares removes the records of the shares of a partner that is gone with its
// stream: there is nobody to tell and nothing to purge.
func (g *Registrar) forgetShares(ctx context.Context, partner string) error {
	for _, s := range g.sharesOf(partner) {
		if err := g.removeShare(ctx, s); err != nil {
			return fmt.Errorf("removing share %s of a partner who is gone: %w", s.Key(), err)
		}
	}
	return nil
}

// ChangeTerms changes the terms of a partner, and has its sheets compared soon: what
// its stream had no room for may have room now.
func (g *Registrar) ChangeTerms(ctx context.Context, name string, change func(*registry.Terms) error) (*registry.Partner, error) {
	p, err := g.Accounts.ChangeTerms(ctx, name, change)
	if err != nil {
		return nil, err
	}
	if err := g.RebindAttributes(ctx, name); err != nil {
		return nil, err
	}
	var sheets []string
	for _, s := range g.sharesOf(name) {
		reg := g.Registry.Registration(s.Registration)
		if reg == nil || reg.Phase != registry.PhaseActive || slices.Contains(sheets, reg.ID) {
			continue
		}
		sheets = append(sheets, reg.ID)
		if err := g.enqueue(ctx, reg.ID, inbox.Hint{Why: inbox.WhyAdmin, Whole: true, Full: true}); err != nil {
			return nil, &problem.Problem{Fault: problem.Upstream, Detail: "having the partner's sheets compared: NATS refused: " + err.Error(), Err: err}
		}
	}
	return p, nil
}
