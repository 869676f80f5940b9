package events

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"
)

// Seen is what a partner last saw of an object: the last message of its subject.
type Seen struct {
	Sequence uint64
	Type     string
	Version  int64   // of the sheet when it was read
	Row      *RowRef // nil for what is no row
	After    Object  // nil: deleted or hidden
	RowID    string  // of an attachment or a comment that lives: the row it hangs on
}

// Living tells whether the partner sees the object. A nil Seen is an object
// that was never published.
func (s *Seen) Living() bool { return s != nil && s.After != nil }

// ParseSeen reads what was published of an object. It keeps parts of the message,
// which must not change afterwards.
func ParseSeen(message []byte, sequence uint64) (*Seen, error) {
	if s, ok := quickSeen(message); ok {
		s.Sequence = sequence
		return &s, nil
	}
	return parseAnySeen(message, sequence)
}

// parseAnySeen is [ParseSeen] for events that somebody else encoded.
func parseAnySeen(message []byte, sequence uint64) (*Seen, error) {
	var e struct {
		Type string `json:"type"`
		Data struct {
			Sheet struct {
				Version int64 `json:"version"`
			} `json:"sheet"`
			Row   *RowRef `json:"row"`
			After Object  `json:"after"`
		} `json:"data"`
	}
	if err := json.Unmarshal(message, &e); err != nil {
		return nil, fmt.Errorf("reading the event at sequence %d: %w", sequence, err)
	}
	seen := &Seen{Sequence: sequence, Type: e.Type, Version: e.Data.Sheet.Version, Row: e.Data.Row, After: e.Data.After}
	if raw := e.Data.After.Get("rowId"); raw != nil && e.Data.Row == nil {
		if err := json.Unmarshal(raw, &seen.RowID); err != nil {
			return nil, fmt.Errorf("reading rowId of the event at sequence %d: %w", sequence, err)
		}
	}
	return seen, nil
}

// Reading is what a share shows of an object now.
type Reading struct {
	Kind        Kind
	ID          int64
	Version     int64     // of the sheet when it was read
	Time        time.Time // when it was read
	Row         *RowRef   // of a row that was found
	Now         Object    // nil: hidden or gone
	Reason      Reason    // with Now nil: why
	Origin      Origin
	Write       string // id of the partner's write that made the change, with OriginWrite
	ChangeAgent []string
}

// Compare returns the events that lead from what the partner last saw to what
// the share shows now: none where there is nothing to say (nothing changed, or
// the partner already saw a newer version of the sheet than was read), two
// where an attachment was replaced under its id, since there is no
// attachment.updated, else one.
func (s *Share) Compare(last *Seen, now Reading) ([]Event, error) {
	if last != nil && last.Version > now.Version {
		return nil, nil
	}
	var before Object
	if last != nil {
		before = last.After
	}
	d := ObjectData{
		Sheet:  SheetRef{ID: s.SheetID, Name: s.Sheet, Version: now.Version},
		Row:    now.Row,
		Before: before, After: now.Now,
		Changed: Changed(before, now.Now),
		Origin:  now.Origin, Write: now.Write, ChangeAgent: ForeignAgents(now.ChangeAgent),
	}
	action := "updated"
	switch {
	case before == nil && now.Now == nil:
		return nil, nil
	case before == nil:
		action = "created"
	case now.Now == nil:
		action = "deleted"
		d.Reason = now.Reason
		if d.Row == nil {
			d.Row = last.Row // gone: where it stood when it was last seen
		}
	case len(d.Changed) == 0 && sameParent(last.Row, now.Row):
		return nil, nil
	case now.Kind == KindAttachment:
		return s.replaced(now, d)
	}
	e, err := s.ObjectEvent(now.Kind, now.ID, action, now.Time, d)
	return []Event{e}, err
}

// replaced says that an attachment went and that another came under its id.
func (s *Share) replaced(now Reading, d ObjectData) ([]Event, error) {
	gone, come := d, d
	gone.After, gone.Reason, gone.Changed = nil, ReasonDeleted, Changed(d.Before, nil)
	come.Before, come.Changed = nil, Changed(nil, d.After)
	first, err := s.ObjectEvent(now.Kind, now.ID, "deleted", now.Time, gone)
	if err != nil {
		return nil, err
	}
	second, err := s.ObjectEvent(now.Kind, now.ID, "created", now.Time, come)
	return []Event{first, second}, err
}

// ObjectEvent puts the data of one object into an event; action is created,
// updated or deleted.
func (s *Share) ObjectEvent(kind Kind, id int64, action string, at time.Time, d ObjectData) (Event, error) {
	switch kind {
	case KindAttachment:
		d.Row, d.Attachment = nil, &ChildRef{ID: id}
	case KindComment:
		d.Row, d.Comment = nil, &ChildRef{ID: id}
	case KindRow:
		if d.Row == nil {
			d.Row = &RowRef{ID: id}
		}
	}
	return s.NewEvent("sheetbridge."+string(kind)+"."+action, at, d, string(kind), strconv.FormatInt(id, 10))
}
