package smartsheettest

import (
	"slices"
	"strconv"
	"time"
)

var sheetParameters = []string{
	"include", "exclude", "filterId", "ifVersionAfter", "level", "page", "pageSize", "paperSize",
	"rowsModifiedSince", "accessApiLevel", "numericDates",
}

func (s *Server) getSheet(c *call) (any, error) {
	if err := c.accept([]string{"rowIds", "rowNumbers", "columnIds"}, sheetParameters...); err != nil {
		return nil, err
	}
	sh, err := s.sheet(c, AccessViewer)
	if err != nil {
		return nil, err
	}
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
	return s.sheetJSON(c, sh, rows), nil
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
	out["userSettings"] = map[string]any{"criticalPathEnabled": false, "displaySummaryTasks": true}
	if c.includes("ownerInfo") {
		out["owner"], out["ownerId"] = s.users[sh.owner].Email, sh.owner
	}
	columns := make([]map[string]any, 0, len(sh.columns))
	for i, col := range sh.columns {
		if v.shows(col.ID) {
			columns = append(columns, col.json(i, v.level, sh.accessOf(c.user.ID)))
		}
	}
	list := make([]rowJSON, 0, len(rows))
	for _, r := range rows {
		list = append(list, s.row(sh, r, v))
	}
	out["columns"], out["rows"] = columns, list
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
	sh, err := s.sheet(c, AccessViewer)
	if err != nil {
		return nil, err
	}
	return map[string]any{"version": sh.version}, nil
}

// findRow is the row that the call's path names.
func (s *Server) findRow(c *call, sh *sheet) (*row, error) {
	id, err := c.id("row")
	if err != nil {
		return nil, err
	}
	r := sh.byID[id]
	if r == nil {
		return nil, errNotFound()
	}
	return r, nil
}

func (s *Server) getRow(c *call) (any, error) {
	if err := c.accept([]string{"columnIds"}, "include", "exclude", "level", "accessApiLevel"); err != nil {
		return nil, err
	}
	sh, err := s.sheet(c, AccessViewer)
	if err != nil {
		return nil, err
	}
	r, err := s.findRow(c, sh)
	if err != nil {
		return nil, err
	}
	out := s.row(sh, r, c.view())
	out.SheetID, out.Version, out.AccessLevel = sh.id, sh.version, sh.accessOf(c.user.ID)
	if c.includes("columns") {
		for i, col := range sh.columns {
			out.Columns = append(out.Columns, col.json(i, c.level(), sh.accessOf(c.user.ID)))
		}
	}
	return out, nil
}

func (s *Server) getHistory(c *call) (any, error) {
	if err := c.accept(nil, "include", "level", "page", "pageSize", "includeAll"); err != nil {
		return nil, err
	}
	sh, err := s.sheet(c, AccessViewer)
	if err != nil {
		return nil, err
	}
	r, err := s.findRow(c, sh)
	if err != nil {
		return nil, err
	}
	col, _, err := s.findColumn(c, sh)
	if err != nil {
		return nil, err
	}
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
	if err := c.accept(nil, "include", "modifiedSince", "page", "pageSize", "includeAll", "accessApiLevel", "numericDates"); err != nil {
		return nil, err
	}
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
	var in struct {
		Name    string     `json:"name"`
		Columns []columnIn `json:"columns"`
	}
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	if in.Name == "" {
		return nil, errMissing("sheet.name")
	}
	spec := SheetSpec{Name: in.Name, Owner: c.user}
	for _, col := range in.Columns {
		var out Column
		if err := col.apply(&out); err != nil {
			return nil, err
		}
		spec.Columns = append(spec.Columns, out)
	}
	sh, err := s.newSheet(spec)
	if err != nil {
		return nil, err
	}
	out := s.sheetHead(sh, c.user.ID)
	columns := make([]map[string]any, 0, len(sh.columns))
	for i, col := range sh.columns {
		columns = append(columns, col.json(i, 2, AccessOwner))
	}
	out["columns"] = columns
	return success(out, 0), nil
}

func (s *Server) updateSheet(c *call) (any, error) {
	sh, err := s.sheet(c, AccessAdmin)
	if err != nil {
		return nil, err
	}
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
	sh, err := s.sheet(c, AccessOwner)
	if err != nil {
		return nil, err
	}
	sh.deleted = true
	s.scopeChanged(sh)
	return success(nil, 0), nil
}
