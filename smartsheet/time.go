package smartsheet

import (
	"encoding/json"
	"errors"
	"strconv"
	"time"
)

// Time is a moment in any of the forms in which Smartsheet writes one. It is
// always in UTC; the zero Time stands for none.
type Time struct{ time.Time }

// errTime does not quote what was read: it may stand in a cell.
var errTime = errors.New("not a time in any form that Smartsheet writes")

// layouts are tried in order; each also takes a fraction of a second.
func layouts() [5]string {
	return [...]string{
		"2006-01-02T15:04:05Z07:00", // REST: 2026-11-20T10:00:05Z
		"2006-01-02T15:04:05Z0700",  // callbacks of the documentation: +0000
		"2006-01-02T15:04:05Z07",
		"2006-01-02T15:04:05", // no zone: UTC
		"2006-01-02",
	}
}

// ParseTime reads a time as Smartsheet writes it: RFC 3339, an offset without
// colon, or no offset, which is taken as UTC.
func ParseTime(s string) (Time, error) {
	for _, layout := range layouts() {
		if t, err := time.Parse(layout, s); err == nil {
			return inRange(t)
		}
	}
	return Time{}, errTime
}

// UnmarshalJSON takes what [ParseTime] takes, and a number as milliseconds
// since 1970. null and "" are the zero Time.
func (t *Time) UnmarshalJSON(data []byte) error {
	if string(data) == "null" || string(data) == `""` {
		*t = Time{}
		return nil
	}
	var err error
	if len(data) > 0 && data[0] == '"' {
		s, ok := plainString(data)
		if !ok && json.Unmarshal(data, &s) != nil {
			return errTime
		}
		*t, err = ParseTime(s)
		return err
	}
	ms, err := strconv.ParseInt(string(data), 10, 64)
	if err != nil {
		return errTime
	}
	*t, err = inRange(time.UnixMilli(ms))
	return err
}

// MarshalJSON writes RFC 3339 in UTC, and null for the zero Time.
func (t Time) MarshalJSON() ([]byte, error) {
	if t.IsZero() {
		return []byte("null"), nil
	}
	return t.UTC().MarshalJSON()
}

// inRange refuses years that RFC 3339 has no digits for.
func inRange(t time.Time) (Time, error) {
	t = t.UTC()
	if t.Year() < 0 || t.Year() > 9999 {
		return Time{}, errTime
	}
	return Time{t}, nil
}
