package inbox

import (
	"maps"
	"slices"
	"time"

	"github.com/sheetbridge/sheetbridge/smartsheet"
)

// MaxRows is the number of rows beyond which a hint says "the whole sheet".
const MaxRows = 1000

// Why says who gave a hint.
type Why string

// Givers of hints.
const (
	WhyCallback  Why = "callback"
	WhyReconcile Why = "reconcile" // the interval between two reconciles has passed
	WhyAdmin     Why = "admin"     // a person: read the sheet even if its version has not moved
	WhyShare     Why = "share"     // a share was added, changed or ended
)

// urgency orders givers by how much somebody waits for what they ask.
func (w Why) urgency() int {
	return slices.Index([]Why{WhyReconcile, WhyShare, WhyAdmin, WhyCallback}, w)
}

// Hint is a note that a registration's sheet may have changed. It never says
// what a row is, only where to look, so that hints may be merged, repeated and
// given in any order.
type Hint struct {
	Registration string        `json:"registration"`
	Shares       []string      `json:"shares,omitempty"` // "partner/sheet", what it is about; nil: every share of the registration
	Why          Why           `json:"why"`
	Whole        bool          `json:"whole,omitempty"`       // compare the whole sheet
	Full         bool          `json:"full,omitempty"`        // with Whole: even if its version has not moved
	Webhook      bool          `json:"webhook,omitempty"`     // look at the webhook itself too
	Rows         map[int64]Row `json:"rows,omitempty"`        // rows to read
	Attachments  []int64       `json:"attachments,omitempty"` // of unknown parents
	Comments     []int64       `json:"comments,omitempty"`
	Discussions  []int64       `json:"discussions,omitempty"`
	Attempt      int           `json:"attempt,omitempty"`      // how often in a row working on it has failed
	ShareChanged bool          `json:"shareChanged,omitempty"` // one of the merged was of WhyShare
	ReceivedAt   time.Time     `json:"receivedAt"`             // the oldest of the merged
	ChangedAt    time.Time     `json:"changedAt,omitzero"`
	Trace        string        `json:"trace,omitempty"` // W3C traceparent of what gave it
}

// Row is what a hint knows of a row.
type Row struct {
	Deleted bool    `json:"deleted,omitempty"` // a callback said so
	By      []Agent `json:"by,omitempty"`      // who wrote it, as far as told
	Writes  []Write `json:"writes,omitempty"`  // of partners that changed it, the last ones of many

	// Echo is when it was last changed, if only callbacks reported it and each of its
	// changes was a partner's write: each write has a hint of its own.
	Echo time.Time `json:"echo,omitzero"`
}

// Write is a partner's write that changed a row.
type Write struct {
	Share string `json:"share"` // "partner/sheet"
	ID    string `json:"id"`
}

// maxWrites is how many writes a hint names of a row.
const maxWrites = 8

// WriteOf returns the id of the last write through a share that changed the row, empty
// for none.
func (r Row) WriteOf(share string) string {
	for i := len(r.Writes) - 1; i >= 0; i-- {
		if r.Writes[i].Share == share {
			return r.Writes[i].ID
		}
	}
	return ""
}

// Ambiguous tells whether only callbacks reported the row, and they name several writes,
// any of which may have changed it: a request that makes many names them all. The hint of
// the write itself says which it was. Names that took too much room are forgotten.
func (r Row) Ambiguous() bool {
	return !r.Echo.IsZero() && len(r.Writes) == 0 && len(r.By) != 1
}

// FromCallback returns the hint that a callback gives: nil if it speaks of
// nothing that could be shared.
func FromCallback(registration string, cb *smartsheet.Callback, received time.Time) *Hint {
	h := &Hint{Registration: registration, Why: WhyCallback, ReceivedAt: received}
	sheet, cells := false, byCell(cb.Events)
	for _, e := range cb.Events {
		if at := e.Timestamp.Time; !at.IsZero() && (h.ChangedAt.IsZero() || at.Before(h.ChangedAt)) {
			h.ChangedAt = at
		}
		switch e.ObjectType {
		case smartsheet.ObjectSheet:
			sheet = true // comes along with every other change
		case smartsheet.ObjectRow:
			row := Row{Deleted: e.EventType == smartsheet.EventDeleted, Echo: echo(e)}
			if e.EventType != smartsheet.EventUpdated || !cells[e.ID] {
				row.By = by(e, 0)
			}
			h.addRow(e.ID, row)
		case smartsheet.ObjectCell:
			h.addRow(e.RowID, Row{By: by(e, e.ColumnID), Echo: echo(e)})
		case smartsheet.ObjectAttachment, smartsheet.ObjectComment, smartsheet.ObjectDiscussion:
			h.addChild(e.ObjectType, e.ID)
		default: // columns, and whatever Smartsheet may think of
			h.Whole, h.Full = true, true
		}
	}
	if cb.Partial { // more may have changed than could be read
		h.Whole, h.Full = true, true
	}
	if h.empty() {
		if !sheet {
			return nil
		}
		h.Whole = true
	}
	h.normalize()
	return h
}

func (h *Hint) addChild(kind string, id int64) {
	switch {
	case id == 0: // one that is not named
		h.Whole, h.Full = true, true
	case kind == smartsheet.ObjectAttachment:
		h.Attachments = append(h.Attachments, id)
	case kind == smartsheet.ObjectComment:
		h.Comments = append(h.Comments, id)
	default:
		h.Discussions = append(h.Discussions, id)
	}
}

// addRow adds what is known of a row.
func (h *Hint) addRow(id int64, row Row) {
	if id == 0 { // a row that is not named
		h.Whole = true
		return
	}
	if h.Rows == nil {
		h.Rows = map[int64]Row{}
	}
	r, known := h.Rows[id]
	r.Deleted = r.Deleted || row.Deleted
	switch {
	case !known || !r.Echo.IsZero() && row.Echo.After(r.Echo):
		r.Echo = row.Echo
	case row.Echo.IsZero():
		r.Echo = time.Time{}
	}
	for _, a := range row.By {
		for _, c := range a.Columns {
			r.addAgent(a.Name, c)
		}
	}
	if len(row.Writes) > 0 {
		r.Writes = append(slices.Clip(r.Writes), row.Writes...)
		r.Writes = r.Writes[max(0, len(r.Writes)-maxWrites):]
	}
	h.Rows[id] = r
}

// Without returns the hint without those of its rows that done holds for, nil where
// nothing is left of it.
func (h *Hint) Without(done func(id int64, r Row) bool) *Hint {
	left := *h
	left.Rows = maps.Clone(h.Rows)
	maps.DeleteFunc(left.Rows, done)
	if left.empty() && !left.Webhook && !left.ShareChanged {
		return nil
	}
	return &left
}

// Split divides a hint that names rows: into one without those for which later holds, and
// one for those alone, in which nothing else is asked for. Either is nil where there is
// nothing in it.
func (h *Hint) Split(later func(id int64, r Row) bool) (now, then *Hint) {
	rest := &Hint{
		Registration: h.Registration, Shares: slices.Clone(h.Shares), Why: h.Why, Rows: maps.Clone(h.Rows),
		Attempt: h.Attempt, ReceivedAt: h.ReceivedAt, ChangedAt: h.ChangedAt, Trace: h.Trace,
	}
	maps.DeleteFunc(rest.Rows, func(id int64, r Row) bool { return !later(id, r) })
	if len(rest.Rows) == 0 {
		return h, nil
	}
	return h.Without(later), rest
}

func (h *Hint) empty() bool {
	return !h.Whole && len(h.Rows)+len(h.Attachments)+len(h.Comments)+len(h.Discussions) == 0
}

// normalize bounds a hint: many rows are the whole sheet. The rows whose
// writers named themselves are kept, as long as there are not too many, so that
// the events can name them.
func (h *Hint) normalize() {
	h.boundAgents()
	for _, ids := range []*[]int64{&h.Attachments, &h.Comments, &h.Discussions} {
		slices.Sort(*ids)
		*ids = slices.Compact(*ids)
	}
	if len(h.Rows) > MaxRows {
		h.Whole = true
		maps.DeleteFunc(h.Rows, func(_ int64, r Row) bool { return len(r.By) == 0 && len(r.Writes) == 0 })
	}
	if len(h.Rows) > MaxRows {
		h.Rows = nil
	}
	if len(h.Attachments)+len(h.Comments)+len(h.Discussions) > MaxRows {
		h.Whole, h.Full = true, true
		h.Attachments, h.Comments, h.Discussions = nil, nil, nil
	}
}

// clone returns a hint that shares nothing with h that Merge changes.
func (h *Hint) clone() *Hint {
	c := *h
	c.Rows = maps.Clone(h.Rows)
	c.Shares, c.Attachments = slices.Clone(h.Shares), slices.Clone(h.Attachments)
	c.Comments, c.Discussions = slices.Clone(h.Comments), slices.Clone(h.Discussions)
	return &c
}

// bytes returns how long the hint is in JSON, or more.
func (h *Hint) bytes() int {
	const fields, id, row, agent, write = 400, 21, 112, 48, 180
	n := fields + maxEscape*(len(h.Registration)+len(h.Why)+len(h.Trace))
	n += id * (len(h.Attachments) + len(h.Comments) + len(h.Discussions))
	for _, s := range h.Shares {
		n += maxEscape*len(s) + 3
	}
	for _, r := range h.Rows {
		n += row + write*len(r.Writes)
		for _, a := range r.By {
			n += agent + maxEscape*len(a.Name) + id*len(a.Columns)
		}
	}
	return n
}

// maxEscape is how many bytes JSON needs at most for one byte of a text.
const maxEscape = 6

// coarse returns a hint that covers h and is short: the whole sheet.
func (h *Hint) coarse() *Hint {
	c := *h
	c.Whole = true
	c.Full = h.Full || len(h.Attachments)+len(h.Comments)+len(h.Discussions) > 0
	c.Rows, c.Attachments, c.Comments, c.Discussions = nil, nil, nil, nil
	return &c
}

// within returns the hint, or where it is longer than the limit a coarse one.
func (h *Hint) within(limit int) *Hint {
	if h.bytes() > limit {
		return h.coarse()
	}
	return h
}

// Merge adds what another hint for the same registration and shares says.
func (h *Hint) Merge(other *Hint) {
	h.ShareChanged = h.ShareChanged || other.ShareChanged || h.Why == WhyShare || other.Why == WhyShare
	if other.Why.urgency() > h.Why.urgency() {
		h.Why = other.Why
	}
	h.Whole = h.Whole || other.Whole
	h.Full = h.Full || other.Full
	h.Webhook = h.Webhook || other.Webhook
	for id, r := range other.Rows {
		h.addRow(id, r)
	}
	h.Attachments = slices.Concat(h.Attachments, other.Attachments)
	h.Comments = slices.Concat(h.Comments, other.Comments)
	h.Discussions = slices.Concat(h.Discussions, other.Discussions)
	h.Attempt = max(h.Attempt, other.Attempt)
	if h.ReceivedAt.IsZero() || (!other.ReceivedAt.IsZero() && other.ReceivedAt.Before(h.ReceivedAt)) {
		h.ReceivedAt = other.ReceivedAt
	}
	if h.ChangedAt.IsZero() || (!other.ChangedAt.IsZero() && other.ChangedAt.Before(h.ChangedAt)) {
		h.ChangedAt = other.ChangedAt
	}
	if h.Trace == "" {
		h.Trace = other.Trace
	}
	h.normalize()
}
