package events

import (
	"bytes"
	"encoding/json"
	"slices"
	"time"

	"github.com/sheetbridge/sheetbridge/smartsheet"
)

// fieldValue is a cell's value as partners get it: canonical JSON of the shape
// that the column's type has; where the cell has it so, it is a part of the cell's
// own bytes. Text where a type expects none stays text, and
// whatever has no known shape falls back to the plain value, then to the
// displayed text, then to null. It never fails. A value that is canonical in the
// cell is a part of the cell's own bytes.
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
	o, ok := quickValueObject(raw)
	if !ok {
		o = valueObject{}
		if json.Unmarshal(raw, &o) != nil {
			return nil
		}
	}
	if !slices.Contains(want, o.ObjectType) {
		return nil
	}
	return plainValue(o.Value, t)
}

// valueObject is one plain value as Smartsheet gives it in a cell.
type valueObject struct {
	ObjectType smartsheet.ColumnType `json:"objectType"`
	Value      json.RawMessage       `json:"value"`
}

// quickValueObject reads an object in the usual form without reflection; ok is
// false for any other. The value is a part of raw.
func quickValueObject(raw json.RawMessage) (o valueObject, ok bool) {
	names := [...]string{"objectType", "value"}
	end := members(raw, 0, names[:], func(name, at int) (end int) {
		if name == 1 {
			if end = canonicalEnd(raw, at); end > 0 {
				o.Value = raw[at:end:end]
			}
			return end
		}
		text, end := plainText(raw, at)
		o.ObjectType = smartsheet.ColumnType(text)
		return end
	})
	return o, end == len(raw)
}

// plainValue is the field of a JSON string, number or boolean, nil if raw is
// none of them. Numbers and booleans are themselves only where the type has
// them, else their text.
func plainValue(raw json.RawMessage, t smartsheet.ColumnType) json.RawMessage {
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 || raw[0] == '{' || raw[0] == '[' || raw[0] == 'n' {
		return nil
	}
	if !isCanonical(raw) {
		if !json.Valid(raw) {
			return nil
		}
		raw = canonicalOfAny(raw)
	}
	return canonicalField(raw[:len(raw):len(raw)], t)
}

// canonicalField is the field of a canonical string, number or boolean.
func canonicalField(raw json.RawMessage, t smartsheet.ColumnType) json.RawMessage {
	switch {
	case len(raw) == 2 && raw[0] == '"':
		return null() // an empty text
	case raw[0] == '"' && (t == smartsheet.DateTime || t == smartsheet.AbstractDateTime):
		return utcField(raw)
	case raw[0] == '"':
		return raw
	case raw[0] == 't' || raw[0] == 'f':
		if t == smartsheet.Checkbox {
			return raw
		}
	case hasNumbers(t):
		return raw
	}
	return jsonString(string(raw))
}

// utcField is the field of a canonical string in a column of times.
func utcField(raw json.RawMessage) json.RawMessage {
	if text, end := plainText(raw, 0); end == len(raw) && isUTC(text) {
		return raw
	}
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return nil
	}
	return textOrNull(utc(s))
}

// isUTC reports whether a text has the form of a time that utc leaves as it is:
// 2026-11-20T10:00:05Z.
func isUTC(text []byte) bool {
	const form = "0000-00-00T00:00:00Z"
	if len(text) != len(form) {
		return false
	}
	for i, c := range text {
		digit := '0' <= c && c <= '9'
		if form[i] == '0' && !digit || form[i] != '0' && form[i] != c {
			return false
		}
	}
	return true
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
