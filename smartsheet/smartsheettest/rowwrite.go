package smartsheettest

import (
	"encoding/json"
	"errors"
	"slices"
	"strconv"
)

// maxRowsPerWrite is how many rows one request may write.
const maxRowsPerWrite = 500

// rowIn is a row as writes hold it.
type rowIn struct {
	ID        *id      `json:"id"`
	ToTop     *bool    `json:"toTop"`
	ToBottom  *bool    `json:"toBottom"`
	ParentID  *id      `json:"parentId"`
	SiblingID *id      `json:"siblingId"`
	Above     *bool    `json:"above"`
	Indent    *int     `json:"indent"`
	Outdent   *int     `json:"outdent"`
	Expanded  *bool    `json:"expanded"`
	Locked    *bool    `json:"locked"`
	Format    *string  `json:"format"`
	Cells     []cellIn `json:"cells"`

	// What rows of answers have and writes may not.
	SheetID    json.RawMessage `json:"sheetId"`
	RowNumber  json.RawMessage `json:"rowNumber"`
	CreatedAt  json.RawMessage `json:"createdAt"`
	ModifiedAt json.RawMessage `json:"modifiedAt"`
	CreatedBy  json.RawMessage `json:"createdBy"`
	ModifiedBy json.RawMessage `json:"modifiedBy"`
	Version    json.RawMessage `json:"version"`
	Permalink  json.RawMessage `json:"permalink"`
}

// cellIn is a cell as writes hold it.
type cellIn struct {
	ColumnID       *id             `json:"columnId"`
	Value          json.RawMessage `json:"value"`
	ObjectValue    json.RawMessage `json:"objectValue"`
	Strict         *bool           `json:"strict"`
	Override       *bool           `json:"overrideValidation"`
	Formula        *string         `json:"formula"`
	Hyperlink      json.RawMessage `json:"hyperlink"`
	LinkInFromCell json.RawMessage `json:"linkInFromCell"`
	Image          json.RawMessage `json:"image"`
	Format         *string         `json:"format"`
	ColumnType     json.RawMessage `json:"columnType"`
	DisplayValue   json.RawMessage `json:"displayValue"`
}

// rowEdit is a row of a write that has been found good.
type rowEdit struct {
	index            int // in the request
	row              *row
	cells            map[int64]cell
	order            []int64 // of cells, as in the request
	location         location
	moves            bool
	expanded, locked *bool
}

func (s *Server) addRows(c *call) (any, error) {
	return s.writeRows(c, func(sh *sheet, in *rowIn) (*row, error) {
		if in.ID != nil || in.Indent != nil || in.Outdent != nil {
			return nil, errNotAllowed("row.id, row.indent, row.outdent")
		}
		return &row{id: s.ids.next(), created: c.now, createdBy: c.user.ID, cells: map[int64]*cell{}}, nil
	}, s.applyAdded)
}

func (s *Server) updateRows(c *call) (any, error) {
	return s.writeRows(c, func(sh *sheet, in *rowIn) (*row, error) {
		if in.ID == nil {
			return nil, errMissing("row.id")
		}
		r := sh.byID[int64(*in.ID)]
		if r == nil {
			return nil, errNotFound()
		}
		if r.locked && !administers(sh.accessOf(c.user.ID)) {
			return nil, failf(403, 1050, "You cannot edit a locked row.")
		}
		return r, nil
	}, s.applyUpdated)
}

// writeRows adds or updates: all rows are found good before the first is
// touched, and those that are not fail the request or, if it says so, themselves.
func (s *Server) writeRows(c *call, target func(*sheet, *rowIn) (*row, error), apply func(*call, *sheet, []rowEdit) []event) (any, error) {
	sh := c.sheet
	list, single, err := decodeList[rowIn](c)
	if err != nil {
		return nil, err
	}
	if len(list) > maxRowsPerWrite {
		return nil, failf(400, 1061, "Max count exceeded for field rows. Limit is %d.", maxRowsPerWrite)
	}
	edits, failed, err := s.plan(c, sh, list, target)
	if err != nil {
		return nil, err
	}
	if len(edits) == 0 && len(failed) > 0 {
		return partial([]any{}, failed, sh.version), nil
	}
	if len(edits) > 0 {
		s.changed(c, sh, apply(c, sh, edits)...)
	}
	results := make([]any, 0, len(edits))
	for _, e := range edits {
		out := s.row(sh, e.row, c.view())
		out.SheetID = sh.id
		results = append(results, out)
	}
	switch {
	case len(failed) > 0:
		return partial(results, failed, sh.version), nil
	case single:
		return success(results[0], sh.version), nil
	}
	return success(results, sh.version), nil
}

func partial(results []any, failed []any, version int64) any {
	return map[string]any{"message": "PARTIAL_SUCCESS", "resultCode": 3, "result": results, "failedItems": failed, "version": version}
}

// plan reads and checks the rows of a write.
func (s *Server) plan(c *call, sh *sheet, list []rowIn, target func(*sheet, *rowIn) (*row, error)) (edits []rowEdit, failed []any, err error) {
	if err := sameKind(list); err != nil {
		return nil, nil, err
	}
	seen := map[int64]bool{}
	for i := range list {
		in := &list[i]
		edit, err := s.planRow(c, sh, in, target)
		if err == nil && seen[edit.row.id] {
			err = failf(400, 1137, "Input collection contains multiple instances of the same element.")
		}
		if err == nil {
			seen[edit.row.id] = true
			edit.index = i
			edits = append(edits, edit)
			continue
		}
		var refused *Error
		if !errors.As(err, &refused) {
			return nil, nil, err
		}
		detail := map[string]any{"index": i}
		item := map[string]any{"index": i}
		if in.ID != nil {
			detail["rowId"], item["rowId"] = *in.ID, *in.ID
		}
		if !c.flag("allowPartialSuccess") {
			return nil, nil, refused.with(detail)
		}
		item["error"] = refused.body()
		failed = append(failed, item)
	}
	return edits, failed, s.sameLocation(sh, edits)
}

// sameKind refuses a request that both links cells and writes values.
func sameKind(list []rowIn) error {
	links, values := 0, 0
	for _, in := range list {
		if in.Expanded != nil || in.Locked != nil || in.ToTop != nil || in.ToBottom != nil || in.ParentID != nil || in.SiblingID != nil {
			values++
		}
		for _, cl := range in.Cells {
			if present(cl.LinkInFromCell) {
				links++
			} else {
				values++
			}
		}
	}
	if links > 0 && values > 0 {
		return failf(400, 1115, "Row must contain either cell link updates or row/cell value updates; mixing of both update types in one API call is not supported.")
	}
	return nil
}

// sameLocation refuses rows of one request that shall go to different places.
func (s *Server) sameLocation(sh *sheet, edits []rowEdit) error {
	var rows []*row
	for _, e := range edits {
		rows = append(rows, e.row)
		if e.moves != edits[0].moves || e.location != edits[0].location {
			return failf(400, 1123, "Specifying multiple row locations is not yet supported. Each row must use the same row location attribute and value (toBottom, toTop, parentId, siblingId, above).")
		}
	}
	if len(edits) == 0 {
		return nil
	}
	return sh.fits(edits[0].location, rows)
}

func (s *Server) planRow(c *call, sh *sheet, in *rowIn, target func(*sheet, *rowIn) (*row, error)) (rowEdit, error) {
	var edit rowEdit
	for _, raw := range []json.RawMessage{in.SheetID, in.RowNumber, in.CreatedAt, in.ModifiedAt, in.CreatedBy, in.ModifiedBy, in.Version, in.Permalink} {
		if raw != nil {
			return edit, errNotAllowed("row.sheetId, row.rowNumber, row.createdAt, row.modifiedAt, row.createdBy, row.modifiedBy, row.version, row.permalink")
		}
	}
	r, err := target(sh, in)
	if err != nil {
		return edit, err
	}
	if in.Locked != nil && !administers(sh.accessOf(c.user.ID)) {
		return edit, errForbidden()
	}
	edit = rowEdit{row: r, cells: map[int64]cell{}, expanded: in.Expanded, locked: in.Locked}
	if edit.location, edit.moves, err = sh.locationIn(in); err != nil {
		return edit, err
	}
	for i := range in.Cells {
		id, planned, err := s.planCell(c, sh, &in.Cells[i])
		if err != nil {
			return edit, err
		}
		if _, twice := edit.cells[id]; twice {
			return edit, failf(400, 1037, "The columnId %d is included more than once in a single row.", id)
		}
		edit.cells[id] = planned
		edit.order = append(edit.order, id)
	}
	return edit, nil
}

func (s *Server) deleteRows(c *call) (any, error) {
	sh := c.sheet
	ids := c.idList("ids")
	if len(ids) == 0 {
		return nil, errMissing("ids")
	}
	if len(ids) > maxRowsPerWrite {
		return nil, errParameter(strconv.Itoa(len(ids))+" ids", "ids")
	}
	var gone []int64
	manager := administers(sh.accessOf(c.user.ID))
	for _, id := range ids {
		r := sh.byID[id]
		if r == nil {
			if c.flag("ignoreRowsNotFound") {
				continue
			}
			return nil, errNotFound().with(map[string]any{"rowId": id})
		}
		for _, under := range sh.rows[r.index:sh.end(r)] {
			if under.locked && !manager {
				return nil, failf(403, 1092, "You cannot delete this row. Either it or one or more of its children are locked.")
			}
			if !slices.Contains(gone, under.id) {
				gone = append(gone, under.id)
			}
		}
	}
	if len(gone) == 0 {
		return success([]int64{}, sh.version), nil
	}
	s.changed(c, sh, s.removeRows(sh, gone)...)
	return success(gone, sh.version), nil
}

// removeRows takes rows away with what hangs on them.
func (s *Server) removeRows(sh *sheet, ids []int64) []event {
	var events []event
	gone := map[int64]bool{}
	for _, id := range ids {
		gone[id] = true
		delete(sh.byID, id)
		events = append(events, event{kind: "row", what: "deleted", id: id})
	}
	sh.rows = slices.DeleteFunc(sh.rows, func(r *row) bool { return gone[r.id] })
	sh.renumber(0)
	sh.discussions = slices.DeleteFunc(sh.discussions, func(d *discussion) bool { return d.row != 0 && gone[d.row] })
	sh.attachments = slices.DeleteFunc(sh.attachments, func(a *attachment) bool {
		orphan := a.parentType == "ROW" && gone[a.parentID] || a.parentType == "COMMENT" && sh.comment(a.parentID) == nil
		if orphan {
			delete(s.files, a.secret)
		}
		return orphan
	})
	return events
}
