package partner

import "context"

// TakesWrites tells whether a share of the partner's takes writes.
func (p *Partners) TakesWrites(partner string) bool {
	for _, s := range p.Registry.AllShares() {
		if s.Partner == partner && s.Write != nil && !s.Ending {
			return true
		}
	}
	return false
}

// AllowWrites tells the server, where the partner's account is ours, whether the
// partner may publish writes.
func (a *Accounts) AllowWrites(ctx context.Context, name string) error {
	p, err := a.Find(name)
	if err != nil {
		return err
	}
	if p.Account == nil || a.Broker == nil {
		return nil
	}
	done, err := a.Hold(ctx)
	if err != nil {
		return err
	}
	defer done()
	return a.Put(ctx, name)
}
