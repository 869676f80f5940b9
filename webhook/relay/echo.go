package relay

import (
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/webhook/inbox"
)

// maxEchoes is how many rows are remembered of which callbacks are expected.
const maxEchoes = 20_000

// echoes are rows that partners' writes changed and that were read since: a callback
// of that very change tells nothing new. What is forgotten, or was read by another
// process, is read once more.
type echoes struct {
	mu    sync.Mutex
	count int
	rows  map[string]map[int64]time.Time // when they were modified last as they were read, by registration
}

// add remembers rows of a registration.
func (e *echoes) add(registration string, modified map[int64]time.Time) {
	if len(modified) == 0 {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.count += len(modified); e.rows == nil || e.count > maxEchoes {
		e.rows, e.count = map[string]map[int64]time.Time{}, len(modified)
	}
	if e.rows[registration] == nil {
		e.rows[registration] = map[int64]time.Time{}
	}
	maps.Copy(e.rows[registration], modified)
}

// filter returns a hint without the rows of which it tells only what was read before,
// nil where nothing is left of it. Smartsheet's times of rows are in seconds.
func (e *echoes) filter(h *inbox.Hint) *inbox.Hint {
	e.mu.Lock()
	defer e.mu.Unlock()
	rows := e.rows[h.Registration]
	if rows == nil || h.Why != inbox.WhyCallback {
		return h
	}
	return h.Without(func(id int64, r inbox.Row) bool {
		modified, ok := rows[id]
		return ok && !r.Echo.IsZero() && !r.Echo.Truncate(time.Second).After(modified)
	})
}

// writeHintWithin is how long after a callback of a write the write's own hint is
// awaited: it is stored as soon as Smartsheet has answered the request.
const writeHintWithin = 2 * time.Second

// splitAmbiguous takes from a callback's hint the rows that several writes may have
// changed, as long as the hint that says which it was may still come. Without it a row's
// event could not name the write.
func splitAmbiguous(h *inbox.Hint, at time.Time) (now, then *inbox.Hint) {
	if h.Why != inbox.WhyCallback || h.Whole || at.Sub(h.ReceivedAt).Abs() >= writeHintWithin {
		return h, nil
	}
	return h.Split(func(_ int64, r inbox.Row) bool { return r.Ambiguous() })
}

// attribute says of a row's reading that a write of the partner's made it what it is,
// if that is known.
func (s *shareSync) attribute(now *events.Reading) {
	if s.origin() != events.OriginCallback {
		return
	}
	row := s.plan.hint.Rows[now.ID]
	id := row.WriteOf(s.share.Key())
	if id == "" { // a callback may come before the bridge's own hint
		id = events.OnlyWrite(s.share.Partner, row.AgentNames())
	}
	if id != "" {
		now.Origin, now.Write = events.OriginWrite, id
	}
}

// agents are the programs that callbacks named as having written what the share
// shows of a row.
func (s *shareSync) agents(id int64) []string {
	return s.plan.hint.Rows[id].Agents(func(column int64) bool {
		return slices.ContainsFunc(s.share.Fields, func(f events.Field) bool { return f.ColumnID == column })
	})
}
