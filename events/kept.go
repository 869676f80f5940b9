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
// that is changed means what it meant, whatever the column is called now and though
// it was deleted; in another filter a title is first of all what has it now.
func (s *Share) filterColumn(columns []smartsheet.Column, title string, was *Share) (smartsheet.Column, error) {
	kept, bound := was.boundColumn(columns, title)
	if bound && was.Where == s.Where {
		return kept, nil
	}
	c, err := byTitle(columns, title)
	if err != nil && bound {
		return kept, nil
	}
	return c, err
}

// boundColumn is the column that a title in the filter of the share, which may be
// nil, was bound to, if that is in the sheet or known to be deleted.
func (s *Share) boundColumn(columns []smartsheet.Column, title string) (c smartsheet.Column, bound bool) {
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
	return smartsheet.Column{ID: cell.ColumnID, Title: title, Type: s.FilterTypes[cell.ColumnID]}, s.isGone(cell.ColumnID)
}
