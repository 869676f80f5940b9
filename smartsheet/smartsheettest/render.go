package smartsheettest

import (
	"encoding/json"
	"slices"
	"time"
)

// view is how a read wants rows shown.
type view struct {
	level                                          int
	objectValue, columnType, writerInfo, permalink bool
	attachments, discussions                       bool
	skipEmpty, locks                               bool    // locks: what is locked is so for the reader
	columns                                        []int64 // nil: all
}

func (c *call) view() view {
	return view{
		level: c.level(), locks: c.sheet != nil && !administers(c.sheet.accessOf(c.user.ID)), objectValue: c.includes("objectValue"), columnType: c.includes("columnType"),
		writerInfo: c.includes("writerInfo") || c.includes("rowWriterInfo"), permalink: c.includes("rowPermalink"),
		attachments: c.includes("attachments"), discussions: c.includes("discussions"),
		skipEmpty: c.excludes("nonexistentCells"), columns: c.idList("columnIds"),
	}
}

func (v *view) shows(column int64) bool {
	return len(v.columns) == 0 || slices.Contains(v.columns, column)
}

// cellJSON is a cell of an answer.
type cellJSON struct {
	ColumnID     int64          `json:"columnId"`
	ColumnType   string         `json:"columnType,omitempty"`
	Value        any            `json:"value,omitempty"`
	ObjectValue  any            `json:"objectValue,omitempty"`
	DisplayValue *string        `json:"displayValue,omitempty"`
	Formula      string         `json:"formula,omitempty"`
	Hyperlink    map[string]any `json:"hyperlink,omitempty"`
	LinkInFrom   map[string]any `json:"linkInFromCell,omitempty"`
	ModifiedAt   string         `json:"modifiedAt,omitempty"`
	ModifiedBy   map[string]any `json:"modifiedBy,omitempty"`
}

// cell shows what a row has in a column, and whether it has anything.
func (s *Server) cell(sh *sheet, r *row, col *Column, v view) (cellJSON, bool) {
	out := cellJSON{ColumnID: col.ID}
	if v.columnType {
		out.ColumnType = col.shown(v.level)
	}
	held := r.cells[col.ID]
	value := s.content(r, col)
	if held != nil {
		out.Formula, out.Hyperlink, out.LinkInFrom = held.formula, held.hyperlink, held.link
	}
	if col.Formula != "" {
		out.Formula = col.Formula
	}
	s.show(sh, col, v, value, &out)
	return out, value != nil || out.Formula != ""
}

// content is the value of a cell; system columns know theirs from the row.
func (s *Server) content(r *row, col *Column) any {
	switch col.SystemType {
	case "AUTO_NUMBER":
		if r.autoNumber == "" {
			return nil
		}
		return r.autoNumber
	case "CREATED_DATE":
		return DateTime(r.created.Truncate(time.Second))
	case "MODIFIED_DATE":
		return DateTime(r.modified.Truncate(time.Second))
	case "CREATED_BY", "MODIFIED_BY":
		id := r.createdBy
		if col.SystemType == "MODIFIED_BY" {
			id = r.modifiedBy
		}
		if u := s.users[id]; u != nil {
			return Contact{Email: u.Email, Name: u.Name}
		}
		return nil
	}
	if held := r.cells[col.ID]; held != nil {
		return held.value
	}
	return nil
}

// show fills in value, objectValue and displayValue as level and type want.
func (s *Server) show(sh *sheet, col *Column, v view, value any, out *cellJSON) {
	if value == nil {
		return
	}
	text := plain(value, sh.rowNumber)
	switch value := value.(type) {
	case json.Number:
		out.Value, text = value, col.display(value)
	case string:
		out.Value = value
	case bool, Date, AbstractDateTime:
		out.Value = value
	case DateTime:
		out.Value = wire(time.Time(value))
	case Contact:
		out.Value = value.Email
		if value.Email == "" {
			out.Value = value.Name
		}
	case []Contact, []string:
		// Levels that know the type have no plain value.
		if v.level < col.version() {
			out.Value = text
		}
	default:
		out.Value = text
	}
	switch col.Type {
	case "CHECKBOX", "DATE", "ABSTRACT_DATETIME", "DATETIME":
	default:
		out.DisplayValue = &text
	}
	if v.objectValue {
		out.ObjectValue = s.objectShown(sh, col, v.level, value, text)
	}
}

func (s *Server) objectShown(sh *sheet, col *Column, level int, value any, text string) any {
	if v, isList := value.([]Predecessor); isList {
		list := make([]any, 0, len(v))
		for _, p := range v {
			item := p.object()
			if n := sh.rowNumber(p.RowID); n > 0 {
				item["rowNumber"] = n
			} else {
				item["invalid"] = true
			}
			list = append(list, item)
		}
		return map[string]any{"objectType": "PREDECESSOR_LIST", "predecessors": list}
	}
	if level < col.version() {
		return text
	}
	return objectOf(value)
}

// rowJSON is a row of an answer.
type rowJSON struct {
	ID          int64            `json:"id"`
	SheetID     int64            `json:"sheetId,omitempty"`
	RowNumber   int              `json:"rowNumber"`
	ParentID    int64            `json:"parentId,omitempty"`
	SiblingID   int64            `json:"siblingId,omitempty"`
	Version     int64            `json:"version,omitempty"`
	AccessLevel string           `json:"accessLevel,omitempty"`
	Expanded    bool             `json:"expanded"`
	Locked      bool             `json:"locked,omitempty"`
	LockedFor   bool             `json:"lockedForUser,omitempty"`
	CreatedAt   string           `json:"createdAt"`
	ModifiedAt  string           `json:"modifiedAt"`
	CreatedBy   map[string]any   `json:"createdBy,omitempty"`
	ModifiedBy  map[string]any   `json:"modifiedBy,omitempty"`
	Permalink   string           `json:"permalink,omitempty"`
	Columns     []map[string]any `json:"columns,omitempty"`
	Cells       []cellJSON       `json:"cells"`
	Attachments []map[string]any `json:"attachments,omitempty"`
	Discussions []map[string]any `json:"discussions,omitempty"`
}

func (s *Server) row(sh *sheet, r *row, v view) rowJSON {
	out := rowJSON{
		ID: r.id, RowNumber: r.index + 1, Expanded: !r.collapsed, Locked: r.locked, LockedFor: r.locked && v.locks,
		CreatedAt: wire(r.created), ModifiedAt: wire(r.modified), SiblingID: sh.siblingBefore(r),
		Cells: make([]cellJSON, 0, len(sh.columns)),
	}
	if r.parent != nil {
		out.ParentID = r.parent.id
	}
	if v.writerInfo {
		out.CreatedBy, out.ModifiedBy = s.person(r.createdBy), s.person(r.modifiedBy)
	}
	if v.permalink {
		out.Permalink = sh.permalink + "?rowId=" + plain(r.id, nil)
	}
	for _, col := range sh.columns {
		if !v.shows(col.ID) {
			continue
		}
		if shown, filled := s.cell(sh, r, col, v); filled || !v.skipEmpty {
			out.Cells = append(out.Cells, shown)
		}
	}
	if v.attachments {
		out.Attachments = s.attachmentsOf(sh, "ROW", r.id)
	}
	if v.discussions {
		out.Discussions = s.discussionsOf(sh, r.id, false)
	}
	return out
}
