package events

import (
	"bytes"
	"encoding/json"
	"slices"
	"time"

	"github.com/sheetbridge/sheetbridge/smartsheet"
)

// fieldValue is a cell's value as partners get it: canonical JSON of the shape
// that the column's type has. Text where a type expects none stays text, and
// whatever has no known shape falls back to the plain value, then to the
// displayed text, then to null. It never fails.
func fieldValue(c *smartsheet.Cell, t smartsheet.ColumnType) json.RawMessage {
	if v := objectValue(c.ObjectValue, t); v != nil {
		return v
	}
	if v := plainValue(c.Value, t); v != nil {
		return v
	}
	return textOrNull(c.DisplayValue)
}

// null is the canonical JSON of nothing.
func null() json.RawMessage { return json.RawMessage("null") }

func textOrNull(s string) json.RawMessage {
	if s == "" {
		return null()
	}
	return jsonString(s)
}

// objectValue is the field of an objectValue, nil if it has no shape that the
// column's type knows.
func objectValue(raw json.RawMessage, t smartsheet.ColumnType) json.RawMessage {
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 || raw[0] != '{' {
		return plainValue(raw, t)
	}
	switch t {
	case smartsheet.Checkbox:
		return wrapped(raw, t, smartsheet.Checkbox)
	case smartsheet.Date, smartsheet.DateTime, smartsheet.AbstractDateTime:
		return wrapped(raw, t, smartsheet.Date, smartsheet.DateTime, smartsheet.AbstractDateTime)
	case smartsheet.ContactList:
		return contact(raw)
	case smartsheet.MultiContactList:
		return contacts(raw)
	case smartsheet.MultiPicklist:
		return options(raw)
	case smartsheet.Duration:
		if iso, ok := isoDuration(raw); ok {
			return jsonString(iso)
		}
	case smartsheet.Predecessor:
		return predecessors(raw)
	}
	return nil
}

// wrapped is the field of an object that is one plain value and the type of it,
// nil if the type is none of those wanted.
func wrapped(raw json.RawMessage, t smartsheet.ColumnType, want ...smartsheet.ColumnType) json.RawMessage {
	var o struct {
		ObjectType smartsheet.ColumnType `json:"objectType"`
		Value      json.RawMessage       `json:"value"`
	}
	if json.Unmarshal(raw, &o) != nil || !slices.Contains(want, o.ObjectType) {
		return nil
	}
	return plainValue(o.Value, t)
}

// plainValue is the field of a JSON string, number or boolean, nil if raw is
// none of them. Numbers and booleans are themselves only where the type has
// them, else their text.
func plainValue(raw json.RawMessage, t smartsheet.ColumnType) json.RawMessage {
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 || raw[0] == '{' || raw[0] == '[' || raw[0] == 'n' || !json.Valid(raw) {
		return nil
	}
	switch raw[0] {
	case '"':
		var s string
		if json.Unmarshal(raw, &s) != nil {
			return nil
		}
		if t == smartsheet.DateTime || t == smartsheet.AbstractDateTime {
			s = utc(s)
		}
		return textOrNull(s)
	case 't', 'f':
		if t == smartsheet.Checkbox {
			return bytes.Clone(raw)
		}
		return jsonString(string(raw))
	default:
		n := appendNumber(nil, string(raw))
		if hasNumbers(t) {
			return n
		}
		return jsonString(string(n))
	}
}

// hasNumbers tells whether fields of the type may be JSON numbers: text/number
// columns, and those of a type that is not known.
func hasNumbers(t smartsheet.ColumnType) bool {
	switch t {
	case smartsheet.Checkbox, smartsheet.Date, smartsheet.DateTime, smartsheet.AbstractDateTime,
		smartsheet.ContactList, smartsheet.MultiContactList, smartsheet.Picklist, smartsheet.MultiPicklist,
		smartsheet.Duration, smartsheet.Predecessor:
		return false
	}
	return true
}

// utc rewrites a time with a zone in UTC, so that one moment has one form.
// A time without zone, and what is no time, stays as it is.
func utc(s string) string {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999Z0700"} {
		if at, err := time.Parse(layout, s); err == nil {
			return timeOr(at, s)
		}
	}
	return s
}

// timeOr writes a moment as RFC 3339 in UTC, or gives other where its year has
// no four digits there.
func timeOr(at time.Time, other string) string {
	at = at.UTC()
	if at.Year() < 0 || at.Year() > 9999 {
		return other
	}
	return at.Format(time.RFC3339Nano)
}

// options is a list of the strings chosen in a MULTI_PICKLIST.
func options(raw json.RawMessage) json.RawMessage {
	var o struct {
		ObjectType string            `json:"objectType"`
		Values     []json.RawMessage `json:"values"`
	}
	if json.Unmarshal(raw, &o) != nil || o.ObjectType != "MULTI_PICKLIST" {
		return nil
	}
	list := make([]json.RawMessage, 0, len(o.Values))
	for _, v := range o.Values {
		s := plainValue(v, smartsheet.MultiPicklist)
		switch {
		case s == nil && string(v) != "null":
			return nil
		case s != nil && string(s) != "null":
			list = append(list, s)
		}
	}
	return listOrNull(list)
}

// listOrNull is a JSON list of canonical values; an empty one is null, as an
// empty cell is.
func listOrNull(list []json.RawMessage) json.RawMessage {
	if len(list) == 0 {
		return null()
	}
	return append(append([]byte{'['}, bytes.Join(asBytes(list), []byte{','})...), ']')
}

func asBytes(list []json.RawMessage) [][]byte {
	b := make([][]byte, len(list))
	for i, v := range list {
		b[i] = v
	}
	return b
}
