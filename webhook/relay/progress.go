package relay

import (
	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/webhook/partner"
)

// loads reports whether the pass publishes the whole share, and not what changed.
func (s *shareSync) loads() bool {
	return s.origin == events.OriginSnapshot || s.origin == events.OriginShare
}

// showProgress records how many rows of a load were compared, for those who look at
// the share.
func (s *shareSync) showProgress(rows int, pg *page) {
	if pg.named || !s.plan.whole() || !s.loads() {
		return
	}
	s.result.compared += rows
	// A sheet that moves while it is read may give rows twice.
	s.relay.Partners.SetProgress(s.share, &partner.Progress{Done: min(s.result.compared, pg.total), Of: pg.total})
}
