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
	return v, nil
}

// Row returns a row as the share shows it, or false if its filter hides it;
// a row on which the filter fails is hidden. types are the types of the columns
// as they were read with the row; a column that is not among them has the type
// it had when the share was made.
func (v *View) Row(row *smartsheet.Row, types map[int64]smartsheet.ColumnType) (Object, bool) {
	if row == nil {
		return nil, false
	}
	cells := make(map[int64]*smartsheet.Cell, len(row.Cells))
	for i := range row.Cells {
		cells[row.Cells[i].ColumnID] = &row.Cells[i]
	}
	value := func(columnID int64, t smartsheet.ColumnType) json.RawMessage {
		if read, ok := types[columnID]; ok {
			t = read
		}
		if c := cells[columnID]; c != nil {
			return fieldValue(c, t)
		}
		return null()
	}
	after := make(Object, len(v.share.Fields))
	for i, f := range v.share.Fields {
		after[i] = Value{Name: f.Name, JSON: value(f.ColumnID, f.Type)}
	}
	if v.filter != nil && !v.filter.shows(after.Get, func(title string) json.RawMessage {
		c := v.share.Cells[title]
		return value(c.ColumnID, c.Type)
	}) {
		return nil, false
	}
	for i, f := range v.share.Fields {
		after[i].JSON = f.Mask.apply(v.key, after[i].JSON)
	}
	return after, true
}
