package events

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/sheetbridge/sheetbridge/smartsheet"
)

// View shows rows as one share does. It is safe for concurrent use.
type View struct {
	share  Share
	filter *filter // nil: every row
	key    []byte
}

// NewView makes the view of a share. maskKey is the partner's own key, needed
// if any field is hashed. A share that Resolve made has a view.
func NewView(s Share, maskKey []byte) (*View, error) {
	doing := func(err error) error {
		return fmt.Errorf("making the view of share %s/%s: %w", s.Partner, s.Sheet, err)
	}
	v := &View{share: s, key: slices.Clone(maskKey)}
	if len(maskKey) == 0 && slices.ContainsFunc(s.Fields, func(f Field) bool { return f.Mask == MaskHash }) {
		return nil, doing(errors.New("a hashed field needs a mask key"))
	}
	if s.Where == "" {
		return v, nil
	}
	f, err := compileFilter(s.Where, s.Fields)
	if err != nil {
		return nil, doing(fmt.Errorf("where: %w", err))
	}
	for _, title := range f.titles {
		if _, ok := s.Cells[title]; !ok {
			return nil, doing(fmt.Errorf("where: cells[%q] is bound to no column", title))
		}
	}
	v.filter = f
	if s.FilterTypes == nil { // the types that the fields have
		v.share.FilterTypes = s.filterTypes(f)
	}
	return v, nil
}

// filterTypes are the types of the columns whose fields a filter names.
func (s *Share) filterTypes(f *filter) map[int64]smartsheet.ColumnType {
	types := map[int64]smartsheet.ColumnType{}
	for _, field := range s.Fields {
		if slices.Contains(f.fields, field.Name) {
			types[field.ColumnID] = field.Type
		}
	}
	return types
}

// FilterFits tells whether the share's filter can be asked on columns of these
// types: each column that it names is there and holds values as it did when the
// share was made. Where it does not fit no row is shown, since what the filter
// hid could come into view. No types at all are not known, and fit.
func (v *View) FilterFits(types map[int64]smartsheet.ColumnType) bool {
	if len(types) == 0 {
		return true
	}
	for id, was := range v.share.FilterTypes {
		if now, ok := types[id]; !ok || !alike(was, now) {
			return false
		}
	}
	return true
}

// alike tells whether cells of the two types hold values of one form.
func alike(a, b smartsheet.ColumnType) bool {
	form := func(t smartsheet.ColumnType) smartsheet.ColumnType {
		switch t {
		case smartsheet.Picklist:
			return smartsheet.TextNumber
		case smartsheet.AbstractDateTime:
			return smartsheet.DateTime
		}
		return t
	}
	return form(a) == form(b)
}

// Row returns a row as the share shows it, or false if its filter hides it; a
// row on which the filter fails is hidden, and so is every row where it does not
// fit. types are the types of the columns as they were read with the row; a
// column that is not among them has the type it had when the share was made.
// Values may be parts of the row's bytes, which must not change afterwards.
func (v *View) Row(row *smartsheet.Row, types map[int64]smartsheet.ColumnType) (Object, bool) {
	shown, err := v.Passes(row, types)
	if err != nil || !shown {
		return nil, false
	}
	return v.Fields(row, types), true
}

// Passes tells whether the filter lets a row pass. Its error is a *FilterError,
// where the filter cannot be evaluated on the row or does not fit the columns.
func (v *View) Passes(row *smartsheet.Row, types map[int64]smartsheet.ColumnType) (bool, error) {
	switch {
	case row == nil:
		return false, nil
	case v.filter == nil:
		return true, nil
	case !v.FilterFits(types):
		return false, &FilterError{"a column that it names is gone from the sheet or holds another kind of value than when the share was made"}
	}
	value := valueFinder(row)
	bound := func(id int64) json.RawMessage { return value(id, v.share.FilterTypes[id]) }
	return v.filter.evaluate(
		func(name string) json.RawMessage { return bound(v.share.column(name)) },
		func(title string) json.RawMessage { return bound(v.share.Cells[title].ColumnID) },
		v.share.Attributes)
}

// Fields are the row's fields as the share shows them, whatever its filter says.
func (v *View) Fields(row *smartsheet.Row, types map[int64]smartsheet.ColumnType) Object {
	value := valueFinder(row)
	fields := make(Object, len(v.share.Fields))
	for i, f := range v.share.Fields {
		t := f.Type
		if now, ok := types[f.ColumnID]; ok {
			t = now
		}
		fields[i] = Value{Name: f.Name, JSON: f.Mask.apply(v.key, value(f.ColumnID, t))}
	}
	return fields
}

// valueFinder returns a function that gives a row's value of a column as a type.
func valueFinder(row *smartsheet.Row) func(columnID int64, t smartsheet.ColumnType) json.RawMessage {
	cell := cellFinder(row.Cells)
	return func(columnID int64, t smartsheet.ColumnType) json.RawMessage {
		if c := cell(columnID); c != nil {
			return fieldValue(c, t)
		}
		return null()
	}
}

// fewCells is up to how many cells it is quicker to look through them than to
// make a map of them.
const fewCells = 48

// cellFinder returns a function that finds a cell by its column, nil if there is
// none.
func cellFinder(cells []smartsheet.Cell) func(columnID int64) *smartsheet.Cell {
	if len(cells) <= fewCells {
		return func(columnID int64) *smartsheet.Cell {
			for i := len(cells) - 1; i >= 0; i-- {
				if cells[i].ColumnID == columnID {
					return &cells[i]
				}
			}
			return nil
		}
	}
	byColumn := make(map[int64]*smartsheet.Cell, len(cells))
	for i := range cells {
		byColumn[cells[i].ColumnID] = &cells[i]
	}
	return func(columnID int64) *smartsheet.Cell { return byColumn[columnID] }
}
