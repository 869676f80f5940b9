package smartsheettest

import (
	"slices"
	"strings"
	"time"
)

// event is something that happened in a sheet, as webhooks tell it.
type event struct {
	kind, what  string // objectType and eventType
	id          int64  // of the object; none for a cell
	row, column int64  // of a cell
	user        int64
	at          time.Time
	agent       string
}

// callbackTime is the time stamp of callbacks: whole seconds, written with
// milliseconds.
func callbackTime(t time.Time) string {
	return t.UTC().Truncate(time.Second).Format("2006-01-02T15:04:05.000") + "+00:00"
}

func (e event) json() map[string]any {
	out := map[string]any{"objectType": e.kind, "eventType": e.what, "userId": e.user, "timestamp": callbackTime(e.at)}
	if e.kind == "cell" {
		out["rowId"], out["columnId"] = e.row, e.column
	} else {
		out["id"] = e.id
	}
	if e.agent != "" {
		out["changeAgent"] = e.agent
	}
	return out
}

// changed ends a write: the sheet gets its next version, and the events go to
// the webhooks that want them.
func (s *Server) changed(c *call, sh *sheet, events ...event) {
	sh.version++
	sh.modified = c.now
	all := append([]event{{kind: "sheet", what: "updated", id: sh.id}}, events...)
	for i := range all {
		all[i].user, all[i].at, all[i].agent = c.user.ID, c.now, c.agent
	}
	for _, w := range s.webhookOrder {
		if w.object != sh.id || !w.enabled {
			continue
		}
		if s.exceeds(sh) {
			s.disable(w, statusExceeded)
			continue
		}
		if s.duplicate(w) {
			continue
		}
		s.enqueue(w, slices.DeleteFunc(slices.Clone(all), func(e event) bool { return !w.wants(e) }))
	}
}

// maxPending bounds what waits for a receiver that does not answer.
const maxPending = 1_000_000

// enqueue puts events into the next callback of a webhook, and disables one
// that has far too many.
func (s *Server) enqueue(w *webhook, events []event) {
	if len(events) == 0 {
		return
	}
	if len(w.pending)+len(events) > maxPending {
		s.disable(w, statusCallbackFailed)
		return
	}
	if len(w.pending) == 0 {
		w.due = time.Now().Add(s.debounce())
	}
	w.pending = append(w.pending, events...)
	s.wake(w)
}

func (s *Server) debounce() time.Duration {
	if s.Debounce == 0 {
		return DefaultDebounce
	}
	return s.Debounce
}

// exceeds reports whether the sheet is too large for webhooks.
func (s *Server) exceeds(sh *sheet) bool {
	limit := func(set, standard int) int {
		if set > 0 {
			return set
		}
		return standard
	}
	rows, columns := len(sh.rows), len(sh.columns)
	return rows > limit(s.Limits.Rows, 20_000) || columns > limit(s.Limits.Columns, 400) ||
		rows*columns > limit(s.Limits.Cells, 500_000)
}

// duplicate reports whether an older enabled webhook of the same user makes
// the same callbacks: then only that one does.
func (s *Server) duplicate(w *webhook) bool {
	for _, older := range s.webhookOrder {
		if older == w {
			return false
		}
		if older.enabled && older.owner == w.owner && older.object == w.object && older.url == w.url && slices.Equal(older.columns, w.columns) {
			return true
		}
	}
	return false
}

// wants reports whether the event passes the webhook's filter of events and
// its subscope, under which only those columns and deleted rows are told.
func (w *webhook) wants(e event) bool {
	if !slices.ContainsFunc(w.events, e.matches) {
		return false
	}
	if !w.scoped {
		return true
	}
	switch e.kind {
	case "cell":
		return slices.Contains(w.columns, e.column)
	case "column":
		return slices.Contains(w.columns, e.id)
	case "row":
		return e.what == "deleted"
	}
	return false
}

func (e event) matches(pattern string) bool {
	kind, what, _ := strings.Cut(pattern, ".")
	return (kind == "*" || kind == e.kind) && (what == "*" || what == e.what)
}

// validPattern reports whether a webhook may ask for these events.
func validPattern(pattern string) bool {
	kind, what, found := strings.Cut(pattern, ".")
	return found && slices.Contains([]string{"*", "sheet", "row", "column", "cell", "attachment", "discussion", "comment"}, kind) &&
		slices.Contains([]string{"*", "created", "updated", "deleted"}, what)
}
