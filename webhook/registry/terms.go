package registry

import (
	"time"

	"github.com/sheetbridge/sheetbridge/events/broker"
)

// Terms are what holds for a partner besides its shares. The zero value is the
// defaults.
type Terms struct {
	Limits     broker.Limits `json:"limits,omitzero"`      // of its account, where that is ours
	History    int           `json:"history,omitempty"`    // messages kept of each subject; 0: stream.History
	Tombstones time.Duration `json:"tombstones,omitempty"` // how long deletions are kept; 0: DefaultTombstones
	Sources    []string      `json:"sources,omitempty"`    // networks, as CIDR, from which its credentials work; none: all

	Attributes map[string]string `json:"attributes,omitempty"` // that the filters of its shares may name
}

// DefaultTombstones is how long the deletion of an object is kept.
const DefaultTombstones = 30 * 24 * time.Hour

// TombstonesKept is how long deletions are kept for the partner.
func (t Terms) TombstonesKept() time.Duration {
	if t.Tombstones == 0 {
		return DefaultTombstones
	}
	return t.Tombstones
}
