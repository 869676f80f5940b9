package events

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Op is what a write does.
type Op string

// Operations.
const (
	OpUpdate Op = "update"
	OpCreate Op = "create"
	OpDelete Op = "delete"
)

// Bounds of a write.
const (
	MaxWriteBytes = 64 << 10         // of a request
	DefaultUntil  = 15 * time.Minute // how long one is tried, unless it says otherwise
	MaxUntil      = 24 * time.Hour
	maxWriteID    = 64
)

// WriteRequest is what a partner asks to have written.
type WriteRequest struct {
	ID     string
	Op     Op
	RowID  int64     // 0: a new row
	Expect Object    // what the partner has seen; nil for a new row
	Set    Object    // nil for a deletion
	Until  time.Time // nothing is written after it
	DryRun bool

	// Content is equal for requests that say the same, and for no others.
	Content [sha256.Size]byte
}

// Refusal is why something is not written. Its detail is for the partner: it tells
// nothing that the share does not show.
type Refusal struct {
	Code    Code
	Field   string // what it is about; empty: the whole request
	Detail  string // what is wrong and what to do
	Current Object // the row as the share shows it, where it is not what was expected
}

func (r *Refusal) Error() string {
	if r.Field == "" {
		return string(r.Code) + ": " + r.Detail
	}
	return string(r.Code) + ": " + r.Field + ": " + r.Detail
}

func invalid(field, format string, args ...any) *Refusal {
	return &Refusal{Code: CodeInvalid, Field: field, Detail: fmt.Sprintf(format, args...)}
}

// ParseWrite reads a request that was received at that time. It takes what the
// contract names and nothing else. With a *Refusal it returns what could be read:
// a request without an ID cannot be answered.
func ParseWrite(data []byte, received time.Time) (WriteRequest, *Refusal) {
	var w WriteRequest
	if len(data) > MaxWriteBytes {
		return w, invalid("", "the request has %d bytes, %d at most are taken", len(data), MaxWriteBytes)
	}
	members, refusal := writeObject("", data)
	if refusal != nil {
		return w, refusal
	}
	id, refusal := members.text("id")
	if refusal != nil {
		return w, refusal
	}
	if !ValidWriteID(id) {
		return w, invalid("id", `want 1 to %d of A-Z, a-z, 0-9, "_" and "-"`, maxWriteID)
	}
	w.ID = id
	w.Content = sha256.Sum256(sortedForm(data))
	for _, m := range members {
		if !slices.Contains([]string{"id", "op", "row", "expect", "set", "until", "dryRun"}, m.Name) {
			return w, invalid(clip(m.Name, maxFieldName), "there is no such member of a request")
		}
	}
	return w, w.read(members, received, true)
}

// ProposeWrite returns the write that somebody wants to be judged without sending it: the
// members are those of a request. Where there is no expectation, the row may be as it is.
func ProposeWrite(op Op, row string, expect, set json.RawMessage) (WriteRequest, *Refusal) {
	members := Object{{Name: "op", JSON: jsonString(string(op))}}
	if row != "" {
		members = append(members, Value{Name: "row", JSON: jsonString(row)})
	}
	if len(expect) > 0 {
		members = append(members, Value{Name: "expect", JSON: expect})
	}
	if len(set) > 0 {
		members = append(members, Value{Name: "set", JSON: set})
	}
	var w WriteRequest
	return w, w.read(members, time.Now(), false)
}

// ValidWriteID tells whether a text can be the id of a write.
func ValidWriteID(id string) bool {
	if len(id) == 0 || len(id) > maxWriteID {
		return false
	}
	for i := range len(id) {
		c := id[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '_' && c != '-' {
			return false
		}
	}
	return true
}

// read takes over the members of a request but its id. What is done to a row that there
// is needs an expectation, unless that is not asked for.
func (w *WriteRequest) read(members Object, received time.Time, expecting bool) *Refusal {
	op, refusal := members.text("op")
	if refusal != nil {
		return refusal
	}
	w.Op = Op(op)
	if w.Op != OpUpdate && w.Op != OpCreate && w.Op != OpDelete {
		return invalid("op", `want "update", "create" or "delete"`)
	}
	for _, m := range []struct {
		name        string
		want, needs bool // whether the operation has it, and needs it
		read        func(raw json.RawMessage) *Refusal
	}{
		{"row", w.Op != OpCreate, true, w.readRow},
		{"expect", w.Op != OpCreate, expecting, func(raw json.RawMessage) *Refusal { return readFields("expect", raw, &w.Expect) }},
		{"set", w.Op != OpDelete, true, func(raw json.RawMessage) *Refusal { return readFields("set", raw, &w.Set) }},
	} {
		raw := members.Get(m.name)
		switch {
		case raw == nil && m.want && m.needs:
			return invalid(m.name, "%s needs it", w.Op)
		case raw != nil && !m.want:
			return invalid(m.name, "%s does not have it", w.Op)
		case raw == nil:
			continue
		}
		if refusal := m.read(raw); refusal != nil {
			return refusal
		}
	}
	if raw := members.Get("dryRun"); raw != nil {
		if string(raw) != "true" && string(raw) != "false" {
			return invalid("dryRun", "want true or false")
		}
		w.DryRun = string(raw) == "true"
	}
	return w.readUntil(members, received)
}

func (w *WriteRequest) readRow(raw json.RawMessage) *Refusal {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		id, err := strconv.ParseInt(text, 10, 64)
		if err == nil && id > 0 && strconv.FormatInt(id, 10) == text {
			w.RowID = id
			return nil
		}
	}
	return invalid("row", "want the id of a row as events have it: a whole number, in a string")
}

func (w *WriteRequest) readUntil(members Object, received time.Time) *Refusal {
	w.Until = received.Add(DefaultUntil)
	if members.Get("until") == nil {
		return nil
	}
	text, refusal := members.text("until")
	if refusal != nil {
		return refusal
	}
	until, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return invalid("until", "want a time like 2026-11-20T10:05:00Z (RFC 3339)")
	}
	if until.After(received.Add(MaxUntil)) {
		return invalid("until", "it is more than %d hours ahead", int(MaxUntil.Hours()))
	}
	w.Until = until
	return nil
}

func readFields(member string, raw json.RawMessage, into *Object) *Refusal {
	fields, refusal := writeObject(member, raw)
	if refusal != nil {
		return refusal
	}
	if len(fields) == 0 {
		return invalid(member, "name at least one field")
	}
	if len(fields) > maxColumns {
		return invalid(member, "%d fields: a sheet has %d at most", len(fields), maxColumns)
	}
	*into = fields
	return nil
}

// writeObject reads an object with each member once.
func writeObject(member string, raw json.RawMessage) (Object, *Refusal) {
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 || raw[0] != '{' || !json.Valid(raw) {
		return nil, invalid(member, "want a JSON object")
	}
	var o Object
	if err := o.unmarshalAny(raw); err != nil {
		return nil, invalid(member, "want a JSON object")
	}
	for i, m := range o {
		if slices.ContainsFunc(o[:i], func(v Value) bool { return v.Name == m.Name }) {
			return nil, invalid(strings.TrimPrefix(member+"."+clip(m.Name, maxFieldName), "."), "it stands there twice")
		}
	}
	return o, nil
}

// text is a member that is a string.
func (o Object) text(name string) (string, *Refusal) {
	raw := o.Get(name)
	if raw == nil {
		return "", invalid(name, "it is missing")
	}
	var s *string
	if json.Unmarshal(raw, &s) != nil || s == nil {
		return "", invalid(name, "want a string")
	}
	return *s, nil
}

// sortedForm is the canonical form of a JSON value whose objects have their
// members in order of their names: equal for values that say the same.
func sortedForm(raw json.RawMessage) json.RawMessage {
	raw = Canonical(raw)
	switch {
	case raw[0] == '{':
		var o Object
		if o.unmarshalAny(raw) != nil {
			return raw
		}
		slices.SortStableFunc(o, func(a, b Value) int { return strings.Compare(a.Name, b.Name) })
		b := []byte{'{'}
		for i, v := range o {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(append(append(b, jsonString(v.Name)...), ':'), sortedForm(v.JSON)...)
		}
		return append(b, '}')
	case raw[0] == '[':
		var list []json.RawMessage
		if json.Unmarshal(raw, &list) != nil {
			return raw
		}
		for i, v := range list {
			list[i] = sortedForm(v)
		}
		return append(append([]byte{'['}, bytes.Join(asBytes(list), []byte{','})...), ']')
	}
	return raw
}

// sameForm tells whether two values of fields say the same, in whatever order the
// members of objects stand.
func sameForm(a, b json.RawMessage) bool {
	return bytes.Equal(a, b) || bytes.Equal(sortedForm(a), sortedForm(b))
}
