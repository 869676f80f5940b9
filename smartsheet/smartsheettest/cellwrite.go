package smartsheettest

import (
	"bytes"
	"encoding/json"
	"strings"
	"time"
)

func present(raw json.RawMessage) bool {
	return raw != nil && !bytes.Equal(raw, []byte("null"))
}

// planCell reads and checks a cell of a write.
func (s *Server) planCell(c *call, sh *sheet, in *cellIn) (int64, cell, error) {
	if in.ColumnID == nil {
		return 0, cell{}, errMissing("cell.columnId")
	}
	col := sh.column(int64(*in.ColumnID))
	if col == nil {
		return 0, cell{}, failf(400, 1036, "The columnId %d is invalid.", *in.ColumnID)
	}
	out, err := s.planContent(c, sh, col, in)
	return col.ID, out, err
}

func (s *Server) planContent(c *call, sh *sheet, col *Column, in *cellIn) (cell, error) {
	manager := administers(sh.accessOf(c.user.ID))
	strict := in.Strict == nil || *in.Strict
	asked := in.Override != nil && *in.Override || c.flag("overrideValidation")
	override := asked && !strict // strictness goes first
	switch {
	case in.ColumnType != nil || in.DisplayValue != nil:
		return cell{}, errNotAllowed("cell.columnType, cell.displayValue")
	case col.SystemType != "":
		return cell{}, failf(400, 1046, "Cells containing system values cannot be inserted or updated through the API, columnId : %d.", col.ID)
	case col.Formula != "":
		return cell{}, failf(400, 1046, "Cells containing formulas, links to other cells, system values, or Gantt values cannot be inserted or updated through the API, columnId : %d.", col.ID)
	case col.Locked && !manager:
		return cell{}, failf(403, 1039, "Cannot edit a locked column %d.", col.ID)
	case asked && !manager:
		return cell{}, failf(403, 1212, "You must be a sheet admin to override validation.")
	case present(in.LinkInFromCell) && c.method == "POST":
		return cell{}, errNotAllowed("cell.linkInFromCell") // of a row that is not there yet
	case present(in.Value) && present(in.ObjectValue):
		return cell{}, failf(400, 1130, "One of cell.value or objectValue may be set, but not both.")
	case present(in.Hyperlink) && present(in.LinkInFromCell):
		return cell{}, failf(400, 1109, "Only one of cell.hyperlink or cell.linkInFromCell may be non-null.")
	case in.Formula != nil && (in.Value != nil || in.ObjectValue != nil || present(in.Hyperlink) || present(in.LinkInFromCell) || present(in.Image)):
		return cell{}, failf(400, 1163, "If cell.formula is specified, then value, objectValue, image, hyperlink, and linkInFromCell must not be specified.")
	case present(in.Image):
		return cell{}, errNotAllowed("cell.image")
	case in.Formula != nil:
		if !strings.HasPrefix(*in.Formula, "=") {
			return cell{}, failf(400, 1162, "A formula must always start with an equal sign (=).")
		}
		return cell{formula: *in.Formula, value: "#UNPARSEABLE"}, nil
	case present(in.LinkInFromCell):
		return s.planLink(c, sh, in)
	}
	var out cell
	var err error
	switch {
	case present(in.ObjectValue):
		out.value, err = sh.objectValueIn(col, in.ObjectValue, strict, override)
	case in.Value != nil:
		out.value, err = sh.valueIn(col, in.Value, strict, override)
	case in.ObjectValue == nil && in.Hyperlink == nil:
		return cell{}, errMissing("cell.value")
	}
	if err == nil && present(in.Hyperlink) {
		err = out.setHyperlink(in.Hyperlink)
	}
	return out, err
}

// setHyperlink gives the cell a hyperlink, whose text is the cell's.
func (held *cell) setHyperlink(raw json.RawMessage) error {
	var in struct {
		URL      string `json:"url"`
		SheetID  id     `json:"sheetId"`
		ReportID id     `json:"reportId"`
		SightID  id     `json:"sightId"`
	}
	if err := decodeStrict(raw, &in); err != nil {
		return err
	}
	held.hyperlink = map[string]any{}
	for name, id := range map[string]id{"sheetId": in.SheetID, "reportId": in.ReportID, "sightId": in.SightID} {
		if id != 0 {
			held.hyperlink[name] = id
		}
	}
	switch {
	case len(held.hyperlink) > 1:
		return failf(400, 1111, "Only one of hyperlink.sheetId, hyperlink.reportId and hyperlink.sightId may be non-null.")
	case len(held.hyperlink) == 1 && in.URL != "":
		return failf(400, 1112, "hyperlink.url must be null for sheet, report, or Sight hyperlinks.")
	case len(held.hyperlink) == 0 && in.URL == "":
		return failf(400, 1117, "One of the following cell.hyperlink fields must be non-null: url, sheetId, or reportId.")
	case in.URL != "":
		held.hyperlink["url"] = in.URL
	}
	if held.value == nil && in.URL != "" {
		held.value = in.URL
	}
	if _, isText := held.value.(string); !isText {
		return failf(400, 1113, "cell.value must be a string when the cell is a hyperlink.")
	}
	return nil
}

// planLink copies a cell of another sheet.
func (s *Server) planLink(c *call, sh *sheet, in *cellIn) (cell, error) {
	if present(in.Value) || present(in.ObjectValue) {
		return cell{}, failf(400, 1110, "cell.value must be null if cell.linkInFromCell is non-null.")
	}
	var link struct {
		SheetID  id `json:"sheetId"`
		RowID    id `json:"rowId"`
		ColumnID id `json:"columnId"`
	}
	if err := decodeStrict(in.LinkInFromCell, &link); err != nil {
		return cell{}, err
	}
	if int64(link.SheetID) == sh.id {
		return cell{}, failf(400, 1116, "You cannot link a cell to its own sheet.")
	}
	source := s.sheets[int64(link.SheetID)]
	if source == nil || source.deleted || source.accessOf(c.user.ID) == "" {
		return cell{}, failf(404, 1114, "Invalid sheetId or reportId: %d.", link.SheetID)
	}
	r, col := source.byID[int64(link.RowID)], source.column(int64(link.ColumnID))
	if r == nil || col == nil {
		return cell{}, errNotFound()
	}
	return cell{value: s.content(r, col), link: map[string]any{
		"status": "OK", "sheetId": source.id, "sheetName": source.name, "rowId": r.id, "columnId": col.ID,
	}}, nil
}

func (s *Server) applyAdded(c *call, sh *sheet, edits []rowEdit) []event {
	var events []event
	var rows []*row
	for _, e := range edits {
		e.row.modified, e.row.modifiedBy = c.now, c.user.ID
		e.row.collapsed = e.expanded != nil && !*e.expanded
		e.row.locked = e.locked != nil && *e.locked
		sh.byID[e.row.id] = e.row
		sh.autoNumbered(e.row)
		rows = append(rows, e.row)
		events = append(events, event{kind: "row", what: "created", id: e.row.id})
		for _, id := range e.order {
			if what := e.row.put(id, e.cells[id], c.now, c.user.ID); what != "" {
				events = append(events, event{kind: "cell", what: "updated", row: e.row.id, column: id})
			}
		}
	}
	sh.insert(rows, edits[0].location)
	return events
}

func (s *Server) applyUpdated(c *call, sh *sheet, edits []rowEdit) []event {
	var events []event
	var rows []*row
	for _, e := range edits {
		r := e.row
		rows = append(rows, r)
		r.modified, r.modifiedBy = c.now, c.user.ID
		if e.expanded != nil {
			r.collapsed = !*e.expanded
		}
		set(&r.locked, e.locked)
		events = append(events, event{kind: "row", what: "updated", id: r.id})
		for _, id := range e.order {
			if what := r.put(id, e.cells[id], c.now, c.user.ID); what != "" {
				events = append(events, event{kind: "cell", what: what, row: r.id, column: id})
			}
		}
	}
	if edits[0].moves {
		sh.move(rows, edits[0].location)
	}
	return events
}

// put writes a cell and says what became of it: created, updated, deleted, or
// nothing.
func (r *row) put(column int64, next cell, at time.Time, by int64) string {
	held := r.cells[column]
	if held == nil {
		if next.value == nil {
			return ""
		}
		held = &cell{}
		r.cells[column] = held
	}
	old := *held
	next.history = old.history
	*held = next
	if sameValue(old.value, next.value) && old.formula == next.formula && jsonText(old.hyperlink) == jsonText(next.hyperlink) {
		return ""
	}
	held.history = appendBounded(held.history, past{next.value, at, by}, maxHistory)
	switch {
	case next.value == nil:
		return "deleted"
	case old.value == nil:
		return "created"
	}
	return "updated"
}
