package events

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/sheetbridge/sheetbridge/smartsheet"
)

// Change is what a share's new definition means for what was published under
// the old one.
type Change struct {
	Breaking []string // what consumers rely on and would lose, in words for the admin
	Narrower bool     // the new one shows less: what was published has to be taken back
	Same     bool     // a partner that only reads could not tell one from the other
	Write    bool     `json:",omitempty"` // the partner may have something else changed than before

	kept      []keptField      // what of a stored row may still be shown, in the new order
	trueValue map[int64]string // fields that are stored as they are under both, by column
	sameWhere bool             // a row that was shown passes the filter still, if it has not changed
}

// keptField is a field whose stored value may be shown once the mask is on it.
type keptField struct {
	name string
	mask Mask // MaskNone: it is stored as it is to be shown
}

// DiffShares compares two definitions of one share. A field is its name to
// consumers and its column to the one who shares it: a name that is gone, or
// shows another column or another type of value, is breaking; a column that is
// gone or masked more strictly is narrower, and so is a kind that is gone and a
// filter that was set or changed, whichever way.
func DiffShares(old, new Share) Change {
	c := Change{trueValue: map[int64]string{}, Write: !old.Write.Equal(new.Write)}
	for _, was := range old.Fields {
		c.compare(was, new.Fields)
	}
	for _, now := range new.Fields {
		c.keep(now, old.Fields)
	}
	for _, k := range old.Kinds {
		if !new.Has(k) {
			c.Breaking = append(c.Breaking, fmt.Sprintf("objects of kind %q are no longer shown", k))
			c.Narrower = true
		}
	}
	c.sameWhere = new.Where == "" || old.SheetID == new.SheetID && old.Where == new.Where &&
		maps.Equal(old.cellColumns(), new.cellColumns()) && maps.Equal(old.FilterTypes, new.FilterTypes) &&
		maps.Equal(old.Attributes, new.Attributes) && sameNames(old.Fields, new.Fields)
	c.Narrower = c.Narrower || !c.sameWhere || old.SheetID != new.SheetID
	c.Same = c.sameWhere && old.Where == new.Where && slices.Equal(visible(old.Fields), visible(new.Fields)) &&
		len(old.Kinds) == len(new.Kinds) && !c.Narrower &&
		old.Partner == new.Partner && old.Sheet == new.Sheet && old.Region == new.Region
	return c
}

// compare notes what becomes of an old field.
func (c *Change) compare(was Field, fields []Field) {
	named := slices.IndexFunc(fields, func(f Field) bool { return f.Name == was.Name })
	column := slices.IndexFunc(fields, func(f Field) bool { return f.ColumnID == was.ColumnID })
	if column < 0 || fields[column].Mask.strictness() > was.Mask.strictness() {
		c.Narrower = true
	}
	what := ""
	switch {
	case named < 0 && column < 0:
		what = "is removed"
	case named < 0:
		what = fmt.Sprintf("is renamed to %q", fields[column].Name)
	case named != column:
		what = "shows another column"
	case fields[named].Mask != was.Mask:
		what = fmt.Sprintf("is %s, not %s", fields[named].Mask.word(), was.Mask.word())
	case fields[named].schema() != was.schema():
		what = fmt.Sprintf("has the type %s, not %s", fields[named].Type, was.Type)
	default:
		return
	}
	c.Breaking = append(c.Breaking, fmt.Sprintf("field %q %s", was.Name, what))
}

// keep notes whether stored values of a new field may still be shown: those of
// the same name, column and type whose mask is not weaker than it was.
func (c *Change) keep(now Field, fields []Field) {
	i := slices.IndexFunc(fields, func(f Field) bool { return f.Name == now.Name && f.ColumnID == now.ColumnID })
	if i < 0 || (Field{Type: fields[i].Type}).schema() != (Field{Type: now.Type}).schema() {
		return
	}
	was := fields[i]
	switch {
	case now.Mask == was.Mask:
		c.kept = append(c.kept, keptField{name: now.Name})
		if now.Mask == MaskNone {
			c.trueValue[now.ColumnID] = now.Name
		}
	case now.Mask == MaskRedact, now.Mask == MaskHash && was.Mask == MaskNone:
		c.kept = append(c.kept, keptField{name: now.Name, mask: now.Mask})
	}
}

// Narrow returns what may still be shown of a row's last `after` under the new
// share, whose view v is, without asking Smartsheet: the fields that both have,
// masked as the new one wants; a field that was not stored is null, as the
// schema of the new share wants it to be there. Where the filter changed it is asked again, on
// the stored values; if it needs one that is not stored as it is, or hides the
// row, Narrow returns false and the row has to go.
func (c Change) Narrow(v *View, after Object) (Object, bool) {
	if after == nil || !c.sameWhere && !c.passes(v, after) {
		return nil, false
	}
	narrow := make(Object, len(v.share.Fields))
	for i, f := range v.share.Fields {
		narrow[i] = Value{Name: f.Name, JSON: null()}
		k := slices.IndexFunc(c.kept, func(k keptField) bool { return k.name == f.Name })
		if k < 0 {
			continue
		}
		if value := after.Get(f.Name); value != nil {
			narrow[i].JSON = c.kept[k].mask.apply(v.key, value)
		}
	}
	return narrow, true
}

// passes asks the new filter about stored values.
func (c Change) passes(v *View, after Object) bool {
	if v.filter == nil {
		return true
	}
	stored := func(column int64) json.RawMessage {
		name, ok := c.trueValue[column]
		if !ok || v.share.FilterTypes[column] != v.share.typeOf(column) {
			return nil
		}
		return after.Get(name)
	}
	field := func(name string) json.RawMessage { return stored(v.share.column(name)) }
	cell := func(title string) json.RawMessage { return stored(v.share.Cells[title].ColumnID) }
	for _, name := range v.filter.fields {
		if field(name) == nil {
			return false
		}
	}
	for _, title := range v.filter.titles {
		if cell(title) == nil {
			return false
		}
	}
	return v.filter.shows(field, cell, v.share.Attributes)
}

// column is the id of the column behind a field's name, 0 if there is none.
func (s *Share) column(name string) int64 {
	for _, f := range s.Fields {
		if f.Name == name {
			return f.ColumnID
		}
	}
	return 0
}

// typeOf is the type of a shared column, empty if it is not shared.
func (s *Share) typeOf(column int64) smartsheet.ColumnType {
	for _, f := range s.Fields {
		if f.ColumnID == column {
			return f.Type
		}
	}
	return ""
}

// cellColumns are the columns that the filter names by title.
func (s *Share) cellColumns() map[string]int64 {
	ids := make(map[string]int64, len(s.Cells))
	for title, c := range s.Cells {
		ids[title] = c.ColumnID
	}
	return ids
}

// sameNames tells whether the names that both have are of the same columns, so
// that one filter means the same over either.
func sameNames(old, new []Field) bool {
	for _, was := range old {
		for _, now := range new {
			if now.Name == was.Name && now.ColumnID != was.ColumnID {
				return false
			}
		}
	}
	return true
}

// visible are the fields without what no partner sees.
func visible(fields []Field) []Field {
	fields = slices.Clone(fields)
	for i := range fields {
		fields[i].Title = ""
	}
	return fields
}
