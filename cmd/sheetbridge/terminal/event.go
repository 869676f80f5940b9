package terminal

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sheetbridge/sheetbridge/events"
)

// Event is an event as a partner reads it. It knows what the contract says
// and nothing of the code that published it.
type Event struct {
	Type    string    `json:"type"`
	Subject string    `json:"subject"`
	Time    time.Time `json:"time"`
	Data    struct {
		Before      events.Object `json:"before"`
		After       events.Object `json:"after"`
		Changed     []string      `json:"changed"`
		Origin      string        `json:"origin"`
		Reason      string        `json:"reason"`
		ChangeAgent []string      `json:"changeAgent"`
		Write       string        `json:"write"` // the id of the partner's write that made it
		Truncated   bool          `json:"truncated"`

		Revision int64 `json:"revision"` // of a schema
		Reset    bool  `json:"reset"`
		Schema   struct {
			Required []string `json:"required"`
		} `json:"schema"`

		State      string     `json:"state"` // of a status
		Mode       string     `json:"mode"`
		NextBefore *time.Time `json:"nextBefore"`
		CompleteTo *struct {
			Version int64 `json:"version"`
		} `json:"completeTo"`
	} `json:"data"`
	Answer *events.WriteData `json:"-"` // of an event that answers a write; nil for others
}

// ParseEvent reads a message of a partner's stream.
func ParseEvent(data []byte) (*Event, error) {
	e := &Event{}
	if err := json.Unmarshal(data, e); err != nil {
		return nil, fmt.Errorf("reading an event: %w", err)
	}
	if e.Type != events.WriteDone && e.Type != events.WriteRefused {
		return e, nil
	}
	answer := struct {
		Data events.WriteData `json:"data"`
	}{}
	if err := json.Unmarshal(data, &answer); err != nil {
		return nil, fmt.Errorf("reading the answer to a write: %w", err)
	}
	e.Answer = &answer.Data
	return e, nil
}

// Sheet and Object are the parts of an event's subject: "orders", "row/7".
func (e *Event) Sheet() string {
	sheet, _, _ := strings.Cut(e.Subject, "/")
	return sheet
}

func (e *Event) Object() string {
	_, object, _ := strings.Cut(e.Subject, "/")
	return object
}

// action is the last part of the type: created, updated, deleted or changed.
func (e *Event) action() string {
	return e.Type[strings.LastIndexByte(e.Type, '.')+1:]
}

// Line is the event on one line, without its time.
func (e *Event) Line(p Palette) string {
	head := Clean(e.Sheet(), 32) + " " + Clean(e.Object(), 40)
	switch e.Type {
	case events.SchemaChanged:
		return p.Paint(Blue, head) + "  " + e.schema()
	case events.StatusChanged:
		return p.Paint(Blue, head) + "  " + e.status(p)
	case events.WriteDone, events.WriteRefused:
		return p.Paint(Blue, head) + "  " + e.answer(p)
	}
	colour := map[string]string{"created": Green, "updated": Yellow, "deleted": Red}[e.action()]
	if name := e.name(); name != "" {
		head += " " + p.Paint(Bold, name)
	}
	parts := []string{head, p.Paint(colour, Clean(e.action(), 10)), e.change(p), p.Paint(Dim, e.why())}
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), "  ")
}

// name is the first field of a row, by which people know it; empty for others.
func (e *Event) name() string {
	object := e.Data.After
	if object == nil {
		object = e.Data.Before
	}
	if !strings.HasPrefix(e.Object(), "row/") || len(object) == 0 {
		return ""
	}
	if text := short(object[0].JSON); text != none {
		return Clean(text, 24)
	}
	return ""
}

// Statuses are the last statuses that were printed, by subject.
type Statuses map[string]string

// Repeats tells whether an event is a status that says what the one before it of
// the same share said: one goes with whatever is published.
func (s Statuses) Repeats(e *Event) bool {
	if e.Type != events.StatusChanged {
		return false
	}
	line := e.Line(false)
	if s[e.Subject] == line {
		return true
	}
	s[e.Subject] = line
	return false
}

func (e *Event) schema() string {
	text := fmt.Sprintf("revision %d: %s", e.Data.Revision, Clean(strings.Join(e.Data.Schema.Required, ", "), 400))
	if e.Data.Reset {
		text += " (shows less than before: what stood before this message was removed)"
	}
	return text
}

func (e *Event) status(p Palette) string {
	colour := Green
	if e.Data.State != string(events.StateLive) {
		colour = Yellow
	}
	text := p.Paint(colour, Clean(e.Data.State, 16))
	if e.Data.Reason != "" {
		text += ": " + Clean(e.Data.Reason, 200)
	}
	if e.Data.CompleteTo != nil {
		text += fmt.Sprintf(", complete to version %d", e.Data.CompleteTo.Version)
	}
	if e.Data.NextBefore != nil {
		text += ", next status before " + e.Data.NextBefore.Local().Format(time.TimeOnly)
	}
	return text + p.Paint(Dim, "  ("+Clean(e.Data.Mode, 16)+")")
}

// answer is what became of a write.
func (e *Event) answer(p Palette) string {
	a, colour := e.Answer, Green
	if a.Result == events.ResultRefused {
		colour = Red
	}
	text := p.Paint(colour, Clean(string(a.Result), 16)) + "  " + Clean(cmp.Or(string(a.Op), "request"), 16)
	if a.Row != nil {
		text += " of row " + Clean(*a.Row, 20)
	}
	if a.DryRun {
		text += ", only checked"
	}
	if a.Version != 0 {
		text += fmt.Sprintf(", version %d of the sheet", a.Version)
	}
	if a.Raced {
		text += ", others changed the sheet in the meantime"
	}
	if a.Result != events.ResultRefused {
		return text
	}
	text += ": " + p.Paint(Bold, Clean(string(a.Code), 32))
	if a.Field != "" {
		text += ": " + Clean(a.Field, 64)
	}
	text += ": " + Clean(a.Detail, 400)
	var now []string
	for _, v := range a.Current {
		now = append(now, Clean(v.Name, 64)+" "+short(v.JSON))
	}
	if len(now) > 0 {
		text += "; it is now " + strings.Join(now, ", ")
	}
	return text
}

// change is what changed: each changed field with its old and new value, or
// all fields of what came or went.
func (e *Event) change(p Palette) string {
	var parts []string
	switch {
	case e.Data.After == nil:
		for _, v := range e.Data.Before {
			parts = append(parts, p.Paint(Dim, Clean(v.Name, 64)+" "+short(v.JSON)))
		}
	case e.action() == "created":
		for _, v := range e.Data.After {
			parts = append(parts, p.Paint(Dim, Clean(v.Name, 64))+" "+short(v.JSON))
		}
	case e.Data.Truncated || e.Data.Before == nil:
		for _, v := range e.Data.After {
			if e.Data.Before == nil || slices.Contains(e.Data.Changed, v.Name) {
				parts = append(parts, p.Paint(Bold, Clean(v.Name, 64))+" "+short(v.JSON))
			}
		}
	case len(e.Data.Changed) == 0:
		return "moved under another parent"
	default:
		for _, name := range e.Data.Changed {
			parts = append(parts, fmt.Sprintf("%s %s → %s", p.Paint(Bold, Clean(name, 64)), short(e.Data.Before.Get(name)), short(e.Data.After.Get(name))))
		}
	}
	return strings.Join(parts, ", ")
}

func (e *Event) why() string {
	text := e.Data.Origin
	if e.Data.Write != "" {
		text += " " + e.Data.Write
	}
	if e.Data.Reason != "" {
		text = e.Data.Reason + ", " + text
	}
	if len(e.Data.ChangeAgent) > 0 {
		text += " by " + strings.Join(e.Data.ChangeAgent, ", ")
	}
	return "(" + Clean(text, 100) + ")"
}

// none stands for a value that is empty.
const none = "–"

// short is a value as people write it, not too long.
func short(value json.RawMessage) string {
	const most = 48
	var parsed any
	if len(value) == 0 || json.Unmarshal(value, &parsed) != nil {
		return none
	}
	switch v := parsed.(type) {
	case nil:
		return none
	case string:
		return Clean(v, most)
	case map[string]any: // a contact
		if name, ok := v["name"].(string); ok {
			return Clean(name, most)
		}
		if email, ok := v["email"].(string); ok {
			return Clean(email, most)
		}
	case []any:
		parts := make([]string, 0, len(v))
		for _, item := range v {
			text, err := json.Marshal(item)
			if err != nil {
				return none
			}
			parts = append(parts, short(text))
		}
		return Clean("["+strings.Join(parts, " ")+"]", most)
	}
	return Clean(string(value), most)
}
