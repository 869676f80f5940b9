package registrar

import "context"

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
