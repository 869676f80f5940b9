package smartsheet

import (
	"bytes"
	"encoding/json"
	"slices"
	"unsafe"
)

// decode reads an answer as encoding/json does, with its results and its errors.
// Sheets and rows, which have thousands of cells, are read without reflection;
// what that gives up on is read by encoding/json from the beginning.
func decode(body []byte, out any) error {
	d := decoder{scanner: scanner{data: body}}
	switch out := out.(type) {
	case *Sheet:
		var s Sheet
		if d.sheet(&s) && d.end() {
			*out = s
			return nil
		}
	case *Row:
		var r Row
		if d.row(&r) && d.end() {
			*out = r
			return nil
		}
	}
	return json.Unmarshal(body, out)
}

// decoder reads one answer. Each method reads the value at which it stands, and
// returns false for what it leaves to encoding/json: what is broken or of a
// wrong type, and an object that has a known name twice or in another case.
// Raw values are parts of the answer's bytes, so nobody may change those.
type decoder struct {
	scanner
	text  string // the data, once the first text of a cell is read
	cells int    // of the row before: its neighbours have as many

	creator, modifier lastActor
}

// lastActor is the actor of the row before, which often comes again.
type lastActor struct {
	raw   []byte
	actor *Actor
}

func (d *decoder) sheet(s *Sheet) bool {
	names := [...]string{"id", "name", "version", "totalRowCount", "accessLevel", "createdAt", "modifiedAt", "columns", "rows", "dataClassification"}
	return d.object(names[:], func(field int) bool {
		switch field {
		case 0:
			return d.int(&s.ID)
		case 1:
			return d.string(&s.Name)
		case 2:
			return d.int(&s.Version)
		case 3:
			return d.smallInt(&s.TotalRowCount)
		case 4:
			return d.string(&s.AccessLevel)
		case 5:
			return d.time(&s.CreatedAt)
		case 6:
			return d.time(&s.ModifiedAt)
		case 7:
			return list(d, &s.Columns, 0, d.column)
		case 8:
			return list(d, &s.Rows, 0, d.row)
		default:
			return d.string((*string)(&s.Classification))
		}
	})
}

func (d *decoder) column(c *Column) bool {
	names := [...]string{
		"id", "index", "title", "type", "primary", "systemColumnType", "formula", "options", "validation", "locked", "lockedForUser", "symbol",
	}
	return d.object(names[:], func(field int) bool {
		switch field {
		case 0:
			return d.int(&c.ID)
		case 1:
			return d.smallInt(&c.Index)
		case 2:
			return d.string(&c.Title)
		case 3:
			return d.columnType(&c.Type)
		case 4:
			return d.bool(&c.Primary)
		case 5:
			return d.string(&c.SystemColumnType)
		case 6:
			return d.string(&c.Formula)
		case 7:
			return list(d, &c.Options, 0, d.string)
		case 8:
			return d.bool(&c.Validation)
		case 9:
			return d.bool(&c.Locked)
		case 10:
			return d.bool(&c.LockedForUser)
		default:
			return d.string(&c.Symbol)
		}
	})
}

func (d *decoder) row(r *Row) bool {
	names := [...]string{"id", "rowNumber", "parentId", "createdAt", "createdBy", "modifiedAt", "modifiedBy", "locked", "lockedForUser", "cells"}
	return d.object(names[:], func(field int) bool {
		switch field {
		case 0:
			return d.int(&r.ID)
		case 1:
			return d.smallInt(&r.RowNumber)
		case 2:
			return d.int(&r.ParentID)
		case 3:
			return d.time(&r.CreatedAt)
		case 4:
			return d.actor(&d.creator, &r.CreatedBy)
		case 5:
			return d.time(&r.ModifiedAt)
		case 6:
			return d.actor(&d.modifier, &r.ModifiedBy)
		case 7:
			return d.bool(&r.Locked)
		case 8:
			return d.bool(&r.LockedForUser)
		default:
			ok := list(d, &r.Cells, d.cells, d.cell)
			d.cells = len(r.Cells)
			return ok
		}
	})
}

func (d *decoder) cell(c *Cell) bool {
	names := [...]string{"columnId", "columnType", "value", "objectValue", "displayValue", "formula"}
	return d.object(names[:], func(field int) bool {
		switch field {
		case 0:
			return d.int(&c.ColumnID)
		case 1:
			return d.columnType(&c.ColumnType)
		case 2:
			return d.raw((*[]byte)(&c.Value))
		case 3:
			return d.raw((*[]byte)(&c.ObjectValue))
		case 4:
			return d.cellText(&c.DisplayValue)
		default:
			return d.cellText(&c.Formula)
		}
	})
}

// list reads a list, with room for so many values to begin with, or null. The
// first value tells how many more there may be.
func list[T any](d *decoder, out *[]T, room int, read func(*T) bool) bool {
	if d.null() {
		return true
	}
	if !d.take('[') {
		return false
	}
	*out = make([]T, 0, room)
	if d.take(']') {
		return true
	}
	for {
		d.space()
		start := d.at
		*out = append(*out, *new(T))
		if !read(&(*out)[len(*out)-1]) {
			return false
		}
		if len(*out) == 1 && room == 0 {
			*out = slices.Grow(*out, min((len(d.data)-d.at)/max(d.at-start, 1), listPageSize))
		}
		if !d.take(',') {
			return d.take(']')
		}
	}
}

// object reads an object, or null: read is called at the value of each member
// that is named, with the name's index. Others are skipped.
func (d *decoder) object(names []string, read func(field int) bool) bool {
	if d.null() {
		return true
	}
	if !d.take('{') {
		return false
	}
	if d.take('}') {
		return true
	}
	seen, likely := 0, 0
	for {
		key, ok := d.key()
		if !ok {
			return false
		}
		field, fits := indexOf(names, key, likely)
		switch {
		case !fits || field >= 0 && seen&(1<<field) != 0:
			return false
		case field < 0:
			ok = d.skip(0)
		default:
			seen |= 1 << field
			likely = field + 1
			ok = read(field)
		}
		if !ok {
			return false
		}
		if !d.take(',') {
			return d.take('}')
		}
	}
}

func (d *decoder) smallInt(out *int) bool {
	n := int64(*out)
	ok := d.int(&n)
	*out = int(n)
	return ok && int64(*out) == n
}

func (d *decoder) bool(out *bool) bool {
	var raw []byte
	if !d.raw(&raw) {
		return false
	}
	switch string(raw) {
	case "true", "false":
		*out = string(raw) == "true"
		return true
	}
	return string(raw) == "null"
}

// string reads a text, or null. It is a copy: the names of a sheet and its
// columns outlive the answer.
func (d *decoder) string(out *string) bool {
	raw, plain, ok := d.stringOrNull()
	switch {
	case !ok:
		return false
	case plain:
		*out = string(raw)
		return true
	}
	return json.Unmarshal(raw, out) == nil
}

// cellText is string for the many texts of cells: parts of one copy of the data.
func (d *decoder) cellText(out *string) bool {
	raw, plain, ok := d.stringOrNull()
	switch {
	case !ok:
		return false
	case !plain:
		return json.Unmarshal(raw, out) == nil
	}
	if d.text == "" { // nobody changes the data, see above; a copy would hold each page twice
		d.text = unsafe.String(unsafe.SliceData(d.data), len(d.data))
	}
	end := d.at - 1 // of the text, before its quote
	*out = d.text[end-len(raw) : end]
	return true
}

func (d *decoder) columnType(out *ColumnType) bool {
	raw, plain, ok := d.stringOrNull()
	if ok && plain {
		*out = typeNamed(raw)
		return true
	}
	return ok && json.Unmarshal(raw, out) == nil
}

// typeNamed is the column type of the name, without a copy of it if it is known.
func typeNamed(name []byte) ColumnType {
	for _, t := range [...]ColumnType{
		TextNumber, Picklist, Date, Checkbox, ContactList, MultiPicklist, MultiContactList,
		DateTime, AbstractDateTime, Duration, Predecessor,
	} {
		if string(name) == string(t) {
			return t
		}
	}
	return ColumnType(name)
}

func (d *decoder) time(out *Time) bool {
	var raw []byte
	return d.raw(&raw) && out.UnmarshalJSON(raw) == nil
}

// actor reads an actor. Neighbours that have the same share one, which nobody may change.
func (d *decoder) actor(last *lastActor, out **Actor) bool {
	var raw []byte
	if !d.raw(&raw) {
		return false
	}
	if string(raw) == "null" {
		return true
	}
	if last.actor == nil || !bytes.Equal(raw, last.raw) {
		actor := new(Actor)
		if json.Unmarshal(raw, actor) != nil {
			return false
		}
		*last = lastActor{raw, actor}
	}
	*out = last.actor
	return true
}
