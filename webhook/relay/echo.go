package relay

import (
	"maps"
	"sync"
	"time"

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

// awaitsWrite tells whether a callback names several writes that may have changed a row,
// and the hint that says which it was may still come. Without it the row's event could
// not name the write.
func awaitsWrite(h *inbox.Hint, now time.Time) bool {
	if h.Why != inbox.WhyCallback || h.Whole || now.Sub(h.ReceivedAt).Abs() >= writeHintWithin {
		return false
	}
	for _, row := range h.Rows {
		if row.Ambiguous() {
			return true
		}
	}
	return false
}
