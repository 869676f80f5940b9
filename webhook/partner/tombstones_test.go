package partner_test

import (
	"testing"
	"time"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/webhook/registry"
	"github.com/sheetbridge/sheetbridge/webhook/webhooktest"
)

// The last state of what lives stays for ever; a deletion for as long as the
// partner's terms say.
func TestSweepPurgesOldDeletions(t *testing.T) {
	const day = 24 * time.Hour
	for name, test := range map[string]struct {
		terms   registry.Terms
		ages    []time.Duration
		objects int // that have messages after them
	}{
		"default, young":        {registry.Terms{}, []time.Duration{29 * day}, 2},
		"default, old":          {registry.Terms{}, []time.Duration{31 * day}, 1},
		"in the second round":   {registry.Terms{}, []time.Duration{29 * day, 31 * day}, 1},
		"kept longer":           {registry.Terms{Tombstones: 90 * day}, []time.Duration{31 * day}, 2},
		"kept shorter":          {registry.Terms{Tombstones: day}, []time.Duration{25 * time.Hour}, 1},
		"years later, it lives": {registry.Terms{}, []time.Duration{3650 * day, 7300 * day}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := webhooktest.NewWorld(t, webhooktest.Options{}, webhooktest.Everything())
			webhooktest.Must(t, w.Registry.UpdatePartner(t.Context(), "acme", func(p *registry.Partner) error {
				p.Terms = test.terms
				return nil
			}))
			webhooktest.Must(t, w.Sim.As(w.Jane).DeleteRows(w.Sheet.ID, w.Sheet.Rows[0]))
			w.Settle()
			for _, age := range test.ages {
				w.Partners.PurgeTombstones(t.Context(), time.Now().Add(age))
			}
			left := map[string]bool{}
			for _, m := range w.Stream("acme") {
				if _, _, ok := events.ParseSubject(m.Subject); ok {
					left[m.Subject] = true
				}
			}
			if len(left) != test.objects {
				t.Errorf("got messages of %d objects, want %d: %v", len(left), test.objects, left)
			}
		})
	}
}
