package events

import (
	"slices"
	"strconv"

	"github.com/sheetbridge/sheetbridge/smartsheet"
)

// gone finds a column of a request among those of the share as it was that were
// deleted at Smartsheet.
func (r Request) gone(rc RequestColumn) (c smartsheet.Column, found bool) {
	if r.Was == nil {
		return c, false
	}
	for _, c := range r.Was.goneColumns() {
		byID := rc.ColumnID == strconv.FormatInt(c.ID, 10)
		if byID && rc.Title == "" || rc.Title == c.Title && (byID || rc.ColumnID == "") {
			return c, true
		}
	}
	return c, false
}

// goneColumns are the deleted columns that the share has fields of, as they were.
func (s *Share) goneColumns() (columns []smartsheet.Column) {
	for _, f := range s.Fields {
		if s.isGone(f.ColumnID) {
			columns = append(columns, smartsheet.Column{ID: f.ColumnID, Title: f.Title, Type: f.Type})
		}
	}
	return columns
}

// stillGone are the columns of the share that were deleted, as far as now names them
// and the sheet does not have them again.
func (s *Share) stillGone(now *Share, columns []smartsheet.Column) (gone []int64) {
	named := now.ColumnIDs()
	for _, id := range s.Gone {
		there := slices.ContainsFunc(columns, func(c smartsheet.Column) bool { return c.ID == id })
		if slices.Contains(named, id) && !there {
			gone = append(gone, id)
		}
	}
	return gone
}

// filterColumn is the column that the filter means by a title. The filter of a share
// that is asked for again means what it meant, though the column has another title now.
// Where the column was deleted, it means one that has the title now; with none, the same
// filter still fits the share, whose rows are hidden until it is changed.
func (s *Share) filterColumn(columns []smartsheet.Column, title string, was *Share) (smartsheet.Column, error) {
	same := was != nil && was.Where == s.Where
	bound, there := was.boundColumn(columns, title)
	if there && same {
		return bound, nil
	}
	c, err := byTitle(columns, title)
	if err != nil && (there || same && was.isGone(bound.ID)) {
		return bound, nil
	}
	return c, err
}

// boundColumn is the column that a title in the filter of the share, which may be
// nil, was bound to, and whether it is in the sheet.
func (s *Share) boundColumn(columns []smartsheet.Column, title string) (c smartsheet.Column, there bool) {
	if s == nil {
		return c, false
	}
	cell, bound := s.Cells[title]
	if !bound {
		return c, false
	}
	if i := slices.IndexFunc(columns, func(c smartsheet.Column) bool { return c.ID == cell.ColumnID }); i >= 0 {
		return columns[i], true
	}
	return smartsheet.Column{ID: cell.ColumnID, Title: title, Type: s.FilterTypes[cell.ColumnID]}, false
}
