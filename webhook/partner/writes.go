package partner

// TakesWrites tells whether a share of the partner's takes writes.
func (p *Partners) TakesWrites(partner string) bool {
	for _, s := range p.Registry.AllShares() {
		if s.Partner == partner && s.Write != nil && !s.Ending {
			return true
		}
	}
	return false
}
