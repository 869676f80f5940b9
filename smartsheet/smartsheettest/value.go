package smartsheettest

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// What a cell holds is one of these, in snapshots and in the rows that Go code
// writes; nil is an empty cell. A cell of a typed column whose text the type
// does not know holds a string.
//
//	string, json.Number (or any Go number when written), bool
//	Date, DateTime, AbstractDateTime
//	Contact, []Contact
//	[]string          the choices of a MULTI_PICKLIST
//	Duration, []Predecessor
type (
	// Date is a calendar day, "2026-11-30".
	Date string
	// AbstractDateTime is a time without zone, "2026-11-30T08:00:00".
	AbstractDateTime string
	// DateTime is an instant, in system columns only.
	DateTime time.Time
)

// Contact is a person in a cell; Name may be empty.
type Contact struct {
	Email string
	Name  string
}

func (c Contact) text() string {
	if c.Name != "" {
		return c.Name
	}
	return c.Email
}

// Predecessor is a dependency of a row of a project sheet on another one.
type Predecessor struct {
	RowID int64
	Type  string // FS, SS, FF or SF
	Lag   *Duration
}

const wireTime = "2006-01-02T15:04:05Z"

func wire(t time.Time) string { return t.UTC().Format(wireTime) }

// sameValue reports whether two values of cells are the same on the wire.
func sameValue(a, b any) bool {
	return jsonText(objectOf(a)) == jsonText(objectOf(b))
}

func jsonText(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// objectOf is the objectValue of a cell, without the row numbers of predecessors.
func objectOf(v any) any {
	switch v := v.(type) {
	case Date:
		return typed("DATE", string(v))
	case AbstractDateTime:
		return typed("ABSTRACT_DATETIME", string(v))
	case DateTime:
		return typed("DATETIME", wire(time.Time(v)))
	case Contact:
		return contactObject(v)
	case []Contact:
		values := make([]any, 0, len(v))
		for _, c := range v {
			values = append(values, contactObject(c))
		}
		return map[string]any{"objectType": "MULTI_CONTACT", "values": values}
	case []string:
		return map[string]any{"objectType": "MULTI_PICKLIST", "values": v}
	case Duration:
		return v.object()
	case []Predecessor:
		list := make([]any, 0, len(v))
		for _, p := range v {
			list = append(list, p.object())
		}
		return map[string]any{"objectType": "PREDECESSOR_LIST", "predecessors": list}
	}
	return v
}

func typed(kind, value string) any {
	return map[string]any{"objectType": kind, "value": value}
}

func contactObject(c Contact) map[string]any {
	out := map[string]any{"objectType": "CONTACT"}
	if c.Email != "" {
		out["email"] = c.Email
	}
	if c.Name != "" {
		out["name"] = c.Name
	}
	return out
}

func (p Predecessor) object() map[string]any {
	out := map[string]any{"rowId": p.RowID, "type": p.Type}
	if p.Lag != nil {
		out["lag"] = p.Lag.object()
	}
	return out
}

// plain is the text of a value as an older client or a TEXT_NUMBER column sees
// it; rowNumber finds the numbers of predecessors.
func plain(v any, rowNumber func(int64) int) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case json.Number:
		return v.String()
	case bool:
		return strconv.FormatBool(v)
	case Date:
		return string(v)
	case AbstractDateTime:
		return string(v)
	case DateTime:
		return wire(time.Time(v))
	case Contact:
		return v.text()
	case []Contact:
		names := make([]string, 0, len(v))
		for _, c := range v {
			names = append(names, c.text())
		}
		return strings.Join(names, ", ")
	case []string:
		return strings.Join(v, ", ")
	case Duration:
		return v.String()
	case []Predecessor:
		parts := make([]string, 0, len(v))
		for _, p := range v {
			parts = append(parts, p.text(rowNumber(p.RowID)))
		}
		return strings.Join(parts, ", ")
	}
	return fmt.Sprint(v)
}
