package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"golang.org/x/term"

	"github.com/sheetbridge/sheetbridge/events"
)

// ANSI colours.
const (
	dim     = "2"
	bold    = "1"
	red     = "31"
	green   = "32"
	yellow  = "33"
	blue    = "34"
	magenta = "35"
	cyan    = "36"
)

// palette colours text, or leaves it as it is.
type palette bool

// colourOf says whether what is written there should be coloured: terminals
// like it, unless NO_COLOR is set.
func colourOf(w io.Writer) palette {
	file, isFile := w.(*os.File)
	return palette(isFile && term.IsTerminal(int(file.Fd())) && os.Getenv("NO_COLOR") == "")
}

func (p palette) paint(colour, text string) string {
	if !p || text == "" {
		return text
	}
	return "\x1b[" + colour + "m" + text + "\x1b[0m"
}

// received is an event as a partner reads it. It knows what the contract says
// and nothing of the code that published it.
type received struct {
	Type    string    `json:"type"`
	Subject string    `json:"subject"`
	Time    time.Time `json:"time"`
	Data    struct {
		Row *struct {
			Number   int     `json:"number"`
			ParentID *string `json:"parentId"`
		} `json:"row"`
		Before      events.Object `json:"before"`
		After       events.Object `json:"after"`
		Changed     []string      `json:"changed"`
		Origin      string        `json:"origin"`
		Reason      string        `json:"reason"`
		ChangeAgent []string      `json:"changeAgent"`
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
}

func parseEvent(data []byte) (*received, error) {
	e := &received{}
	if err := json.Unmarshal(data, e); err != nil {
		return nil, fmt.Errorf("reading an event: %w", err)
	}
	return e, nil
}

// sheet and object are the parts of an event's subject: "orders", "row/7".
func (e *received) sheet() string {
	sheet, _, _ := strings.Cut(e.Subject, "/")
	return sheet
}

func (e *received) object() string {
	_, object, _ := strings.Cut(e.Subject, "/")
	return object
}

// action is the last part of the type: created, updated, deleted or changed.
func (e *received) action() string {
	return e.Type[strings.LastIndexByte(e.Type, '.')+1:]
}

// line is the event on one line, without its time.
func (e *received) line(p palette) string {
	head := clean(e.sheet(), 32) + " " + clean(e.object(), 40)
	switch e.Type {
	case events.SchemaChanged:
		return p.paint(blue, head) + "  " + e.schema()
	case events.StatusChanged:
		return p.paint(blue, head) + "  " + e.status(p)
	}
	colour := map[string]string{"created": green, "updated": yellow, "deleted": red}[e.action()]
	parts := []string{head, p.paint(colour, clean(e.action(), 10)), e.change(p), p.paint(dim, e.why())}
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), "  ")
}

// statuses are the last statuses that were printed, by subject.
type statuses map[string]string

// repeats tells whether an event is a status that says what the one before it of
// the same share said: one goes with whatever is published.
func (s statuses) repeats(e *received) bool {
	if e.Type != events.StatusChanged {
		return false
	}
	line := e.line(false)
	if s[e.Subject] == line {
		return true
	}
	s[e.Subject] = line
	return false
}

func (e *received) schema() string {
	text := fmt.Sprintf("revision %d: %s", e.Data.Revision, clean(strings.Join(e.Data.Schema.Required, ", "), 400))
	if e.Data.Reset {
		text += " (shows less than before: what stood before this message was removed)"
	}
	return text
}

func (e *received) status(p palette) string {
	colour := green
	if e.Data.State != string(events.StateLive) {
		colour = yellow
	}
	text := p.paint(colour, clean(e.Data.State, 16))
	if e.Data.Reason != "" {
		text += ": " + clean(e.Data.Reason, 200)
	}
	if e.Data.CompleteTo != nil {
		text += fmt.Sprintf(", complete to version %d", e.Data.CompleteTo.Version)
	}
	if e.Data.NextBefore != nil {
		text += ", next status before " + e.Data.NextBefore.Local().Format(time.TimeOnly)
	}
	return text + p.paint(dim, "  ("+clean(e.Data.Mode, 16)+")")
}

// change is what changed: each changed field with its old and new value, or
// all fields of what came or went.
func (e *received) change(p palette) string {
	var parts []string
	switch {
	case e.Data.After == nil:
		for _, v := range e.Data.Before {
			parts = append(parts, p.paint(dim, clean(v.Name, 64)+" "+short(v.JSON)))
		}
	case e.action() == "created":
		for _, v := range e.Data.After {
			parts = append(parts, p.paint(dim, clean(v.Name, 64))+" "+short(v.JSON))
		}
	case e.Data.Truncated || e.Data.Before == nil:
		for _, v := range e.Data.After {
			if e.Data.Before == nil || slices.Contains(e.Data.Changed, v.Name) {
				parts = append(parts, p.paint(bold, clean(v.Name, 64))+" "+short(v.JSON))
			}
		}
	case len(e.Data.Changed) == 0:
		return "moved under another parent"
	default:
		for _, name := range e.Data.Changed {
			parts = append(parts, fmt.Sprintf("%s %s → %s", p.paint(bold, clean(name, 64)), short(e.Data.Before.Get(name)), short(e.Data.After.Get(name))))
		}
	}
	return strings.Join(parts, ", ")
}

func (e *received) why() string {
	text := e.Data.Origin
	if e.Data.Reason != "" {
		text = e.Data.Reason + ", " + text
	}
	if len(e.Data.ChangeAgent) > 0 {
		text += " by " + strings.Join(e.Data.ChangeAgent, ", ")
	}
	return "(" + clean(text, 100) + ")"
}

// short is a value as people write it, not too long.
func short(value json.RawMessage) string {
	const most = 48
	var parsed any
	if len(value) == 0 || json.Unmarshal(value, &parsed) != nil {
		return "–"
	}
	switch v := parsed.(type) {
	case nil:
		return "–"
	case string:
		return clean(v, most)
	case map[string]any: // a contact
		if name, ok := v["name"].(string); ok {
			return clean(name, most)
		}
		if email, ok := v["email"].(string); ok {
			return clean(email, most)
		}
	case []any:
		parts := make([]string, 0, len(v))
		for _, item := range v {
			text, err := json.Marshal(item)
			if err != nil {
				return "–"
			}
			parts = append(parts, short(text))
		}
		return clean("["+strings.Join(parts, " ")+"]", most)
	}
	return clean(string(value), most)
}

// clean cuts a text off and escapes what a terminal would not merely show: it
// came out of a cell.
func clean(text string, most int) string {
	var b strings.Builder
	n := 0
	for _, r := range text {
		if n++; n > most {
			b.WriteRune('…')
			break
		}
		if !unicode.IsPrint(r) {
			quoted := strconv.QuoteRuneToASCII(r)
			b.WriteString(quoted[1 : len(quoted)-1])
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}
