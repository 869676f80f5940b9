package smartsheettest

import (
	"slices"
	"strconv"
	"time"
)

func (s *Server) getSheet(c *call) (any, error) {
	sh := c.sheet
	if text := c.query.Get("ifVersionAfter"); text != "" {
		known, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return nil, errParameter(text, "ifVersionAfter")
		}
		if sh.version <= known {
			return map[string]any{"version": sh.version}, nil
		}
	}
	if s.RefuseUnknownColumnIDs {
		for _, id := range c.idList("columnIds") {
			if sh.column(id) == nil {
				return nil, failf(400, 1036, "The columnId %d is invalid.", id)
			}
		}
	}
	rows, err := sh.selected(c)
	if err != nil {
		return nil, err
	}
	switch kind := c.wants(); kind {
	case kindJSON:
		return s.sheetJSON(c, sh, rows), nil
	case kindCSV:
		return s.sheetCSV(c, sh, rows)
	default:
		return nil, errNotSimulated("a sheet as " + kind)
	}
}

// selected are the rows that a read of the sheet asks for, of one page.
func (sh *sheet) selected(c *call) ([]*row, error) {
	rows := sh.rows
	if c.query.Has("rowIds") || c.query.Has("rowNumbers") {
		ids, numbers := c.idList("rowIds"), c.idList("rowNumbers")
		rows = nil
		for _, r := range sh.rows {
			if slices.Contains(ids, r.id) || slices.Contains(numbers, int64(r.index)+1) {
				rows = append(rows, r)
			}
		}
	}
	if text := c.query.Get("rowsModifiedSince"); text != "" {
		since, err := time.Parse(time.RFC3339, text)
		if err != nil {
			return nil, errParameter(text, "rowsModifiedSince")
		}
		var fresh []*row
		for _, r := range rows {
			if !r.modified.Before(since) {
				fresh = append(fresh, r)
			}
		}
		rows = fresh
	}
	number, size, paging, err := c.page()
	if err != nil || !paging {
		return rows, err
	}
	pages := max((len(rows)+size-1)/size, 1)
	from := (min(number, pages) - 1) * size
	return rows[from:min(from+size, len(rows))], nil
}

func (s *Server) sheetJSON(c *call, sh *sheet, rows []*row) map[string]any {
	v := c.view()
	out := s.sheetHead(sh, c.user.ID)
	out["version"], out["totalRowCount"] = sh.version, len(sh.rows)
	out["effectiveAttachmentOptions"] = []string{"FILE", "LINK", "GOOGLE_DRIVE", "ONEDRIVE", "DROPBOX", "BOX_COM", "EGNYTE", "EVERNOTE"}
	out["ganttEnabled"], out["dependenciesEnabled"] = sh.project, sh.project
	out["resourceManagementEnabled"], out["cellImageUploadEnabled"] = false, true
	if sh.place != nil {
		top := sh.place
		for top.parent != nil {
			top = top.parent
		}
		out["workspace"] = map[string]any{"id": top.id, "name": top.name}
	}
	out["userSettings"] = map[string]any{"criticalPathEnabled": false, "displaySummaryTasks": true}
	if sh.classification != "" {
		out["dataClassification"] = sh.classification
	}
	if c.includes("ownerInfo") {
		out["owner"], out["ownerId"] = s.users[sh.owner].Email, sh.owner
	}
	list := make([]rowJSON, 0, len(rows))
	for _, r := range rows {
		list = append(list, s.row(sh, r, v))
	}
	out["columns"], out["rows"] = c.columnsJSON(sh, v), list
	if v.attachments {
		out["attachments"] = s.attachmentsOf(sh, "SHEET", sh.id)
	}
	if v.discussions {
		out["discussions"] = s.discussionsOf(sh, 0, false)
	}
	return out
}

// sheetHead is what lists tell of a sheet.
func (s *Server) sheetHead(sh *sheet, user int64) map[string]any {
	return map[string]any{
		"id": sh.id, "name": sh.name, "accessLevel": sh.accessOf(user), "permalink": sh.permalink,
		"createdAt": wire(sh.created), "modifiedAt": wire(sh.modified),
	}
}

func (s *Server) getVersion(c *call) (any, error) {
	return map[string]any{"version": c.sheet.version}, nil
}

func (s *Server) getRow(c *call) (any, error) {
	sh := c.sheet
	out := s.row(sh, c.row, c.view())
	out.SheetID, out.Version, out.AccessLevel = sh.id, sh.version, sh.accessOf(c.user.ID)
	if c.includes("columns") {
		out.Columns = c.columnsJSON(sh, view{level: c.level()})
	}
	return out, nil
}

func (s *Server) getHistory(c *call) (any, error) {
	sh, r, col := c.sheet, c.row, c.column
	list := []cellJSON{}
	if held := r.cells[col.ID]; held != nil {
		v := c.view()
		for _, p := range slices.Backward(held.history) {
			item := cellJSON{ColumnID: col.ID, ModifiedAt: wire(p.at), ModifiedBy: s.person(p.by)}
			if v.columnType {
				item.ColumnType = col.shown(v.level)
			}
			s.show(sh, col, v, p.value, &item)
			list = append(list, item)
		}
	}
	return paged(c, list)
}

func (s *Server) listSheets(c *call) (any, error) {
	var since time.Time
	if text := c.query.Get("modifiedSince"); text != "" {
		var err error
		if since, err = time.Parse(time.RFC3339, text); err != nil {
			return nil, errParameter(text, "modifiedSince")
		}
	}
	list := []map[string]any{}
	for _, sh := range s.visibleSheets(c.user.ID) {
		if sh.modified.Before(since) {
			continue
		}
		head := s.sheetHead(sh, c.user.ID)
		if c.includes("sheetVersion") {
			head["version"] = sh.version
		}
		if c.includes("ownerInfo") {
			head["owner"], head["ownerId"] = s.users[sh.owner].Email, sh.owner
		}
		list = append(list, head)
	}
	return paged(c, list)
}

func (s *Server) createSheet(c *call) (any, error) {
	if c.user.Free {
		return nil, failf(403, 1140, "The user must be added as a licensed user.")
	}
	if c.place != nil && c.place.owner != c.user.ID {
		return nil, errForbidden()
	}
	var in struct {
		Name    string     `json:"name"`
		Columns []columnIn `json:"columns"`
		FromID  id         `json:"fromId"`
	}
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	if in.Name == "" {
		return nil, errMissing("sheet.name")
	}
	if in.FromID != 0 {
		return nil, errNotSimulated("a sheet made from a template")
	}
	spec := SheetSpec{Name: in.Name, Owner: c.user}
	for _, col := range in.Columns {
		var out Column
		if err := col.apply(&out); err != nil {
			return nil, err
		}
		spec.Columns = append(spec.Columns, out)
	}
	if c.place != nil {
		spec.Place = &Place{ID: c.place.id}
	}
	sh, err := s.newSheet(spec)
	if err != nil {
		return nil, err
	}
	out := s.sheetHead(sh, c.user.ID)
	out["columns"] = c.columnsJSON(sh, view{level: 2})
	return success(out, 0), nil
}

func (s *Server) updateSheet(c *call) (any, error) {
	sh := c.sheet
	var in struct {
		Name *string `json:"name"`
	}
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	if in.Name == nil || *in.Name == "" {
		return nil, errMissing("sheet.name")
	}
	sh.name = *in.Name
	s.changed(c, sh)
	return success(s.sheetHead(sh, c.user.ID), sh.version), nil
}

func (s *Server) deleteSheet(c *call) (any, error) {
	sh := c.sheet
	sh.deleted = true
	s.scopeChanged(sh)
	return success(nil, 0), nil
}
