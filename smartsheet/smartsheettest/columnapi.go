package smartsheettest

import (
	"encoding/json"
	"slices"
)

// columnIn is a column as requests hold it.
type columnIn struct {
	Title       *string         `json:"title"`
	Type        *string         `json:"type"`
	Index       *int            `json:"index"`
	Primary     *bool           `json:"primary"`
	Options     *[]string       `json:"options"`
	Validation  *bool           `json:"validation"`
	Symbol      *string         `json:"symbol"`
	SystemType  *string         `json:"systemColumnType"`
	Width       *int            `json:"width"`
	Hidden      *bool           `json:"hidden"`
	Locked      *bool           `json:"locked"`
	Description *string         `json:"description"`
	Formula     *string         `json:"formula"`
	Format      *string         `json:"format"`
	AutoNumber  json.RawMessage `json:"autoNumberFormat"`
	Contacts    json.RawMessage `json:"contactOptions"`
	ID          json.RawMessage `json:"id"`
	Version     json.RawMessage `json:"version"`
}

func (in *columnIn) apply(col *Column) error {
	if in.ID != nil || in.Version != nil {
		return errNotAllowed("column.id, column.version")
	}
	set(&col.Title, in.Title)
	set(&col.Primary, in.Primary)
	set(&col.Options, in.Options)
	set(&col.Validation, in.Validation)
	set(&col.Symbol, in.Symbol)
	set(&col.SystemType, in.SystemType)
	set(&col.Width, in.Width)
	set(&col.Hidden, in.Hidden)
	set(&col.Locked, in.Locked)
	set(&col.Description, in.Description)
	set(&col.Formula, in.Formula)
	if in.Type != nil && *in.Type != col.Type {
		col.Type = *in.Type
		if in.Options == nil {
			col.Options = nil
		}
	}
	if in.AutoNumber != nil {
		var auto struct{ Prefix, Suffix, Fill string }
		if err := json.Unmarshal(in.AutoNumber, &auto); err != nil {
			return failf(400, 1084, "The auto number format is invalid.")
		}
		col.AutoPrefix = auto.Prefix
	}
	return nil
}

func set[T any](to *T, from *T) {
	if from != nil {
		*to = *from
	}
}

func (s *Server) listColumns(c *call) (any, error) {
	if err := c.accept(nil, "level", "page", "pageSize", "includeAll", "include"); err != nil {
		return nil, err
	}
	sh, err := s.sheet(c, AccessViewer)
	if err != nil {
		return nil, err
	}
	list := make([]map[string]any, 0, len(sh.columns))
	for i, col := range sh.columns {
		list = append(list, col.json(i, c.level(), sh.accessOf(c.user.ID)))
	}
	return paged(c, list)
}

// findColumn is the column that the call's path names.
func (s *Server) findColumn(c *call, sh *sheet) (*Column, int, error) {
	id, err := c.id("column")
	if err != nil {
		return nil, 0, err
	}
	i := slices.IndexFunc(sh.columns, func(col *Column) bool { return col.ID == id })
	if i < 0 {
		return nil, 0, errNotFound()
	}
	return sh.columns[i], i, nil
}

func (s *Server) getColumn(c *call) (any, error) {
	if err := c.accept(nil, "level", "include"); err != nil {
		return nil, err
	}
	sh, err := s.sheet(c, AccessViewer)
	if err != nil {
		return nil, err
	}
	col, i, err := s.findColumn(c, sh)
	if err != nil {
		return nil, err
	}
	return col.json(i, c.level(), sh.accessOf(c.user.ID)), nil
}

func (s *Server) addColumns(c *call) (any, error) {
	sh, err := s.sheet(c, AccessAdmin)
	if err != nil {
		return nil, err
	}
	list, single, err := decodeList[columnIn](c)
	if err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, errMissing("column.title, column.type, column.index")
	}
	before := slices.Clone(sh.columns)
	var added []*Column
	for i, in := range list {
		col, err := s.addColumn(sh, in, i, list)
		if err != nil {
			sh.columns = before
			return nil, err
		}
		added = append(added, col)
	}
	var events []event
	var results []any
	for _, col := range added {
		events = append(events, event{kind: "column", what: "created", id: col.ID})
		results = append(results, col.json(slices.Index(sh.columns, col), 2, sh.accessOf(c.user.ID)))
	}
	s.changed(c, sh, events...)
	if single {
		return success(results[0], sh.version), nil
	}
	return success(results, sh.version), nil
}

func (s *Server) addColumn(sh *sheet, in columnIn, i int, list []columnIn) (*Column, error) {
	if in.Title == nil || in.Type == nil || in.Index == nil {
		return nil, errMissing("column.title, column.type, column.index")
	}
	if *in.Index != *list[0].Index {
		return nil, failf(400, 1135, "Input column index %d is different from the first input column index %d.", *in.Index, *list[0].Index)
	}
	var col Column
	if err := in.apply(&col); err != nil {
		return nil, err
	}
	if col.Primary {
		return nil, failf(400, 1055, "One and only one column must be primary.")
	}
	return s.insertColumn(sh, col, min(*in.Index+i, len(sh.columns)))
}

func (s *Server) updateColumn(c *call) (any, error) {
	sh, err := s.sheet(c, AccessAdmin)
	if err != nil {
		return nil, err
	}
	old, index, err := s.findColumn(c, sh)
	if err != nil {
		return nil, err
	}
	var in columnIn
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	if in.Type == nil && (in.Symbol != nil || in.SystemType != nil || in.Options != nil) {
		return nil, failf(400, 1090, "Column.type is required when changing symbol, systemColumnType or options.")
	}
	col := *old
	if err := in.apply(&col); err != nil {
		return nil, err
	}
	if err := sh.check(&col); err != nil {
		return nil, err
	}
	if col.Primary != old.Primary {
		return nil, failf(400, 1055, "One and only one column must be primary.")
	}
	if in.Index != nil && (*in.Index < 0 || *in.Index >= len(sh.columns)) {
		return nil, errAttribute(*in.Index, "column.index")
	}
	retyped := col.Type != old.Type
	*old = col
	if in.Index != nil {
		sh.columns = slices.Insert(slices.Delete(sh.columns, index, index+1), *in.Index, old)
		index = *in.Index
	}
	if retyped {
		s.retype(sh, old)
	}
	s.changed(c, sh, event{kind: "column", what: "updated", id: old.ID})
	return success(old.json(index, 2, sh.accessOf(c.user.ID)), sh.version), nil
}

func (s *Server) deleteColumn(c *call) (any, error) {
	sh, err := s.sheet(c, AccessAdmin)
	if err != nil {
		return nil, err
	}
	col, index, err := s.findColumn(c, sh)
	if err != nil {
		return nil, err
	}
	if col.Primary {
		return nil, failf(400, 1065, "The column specified cannot be deleted.")
	}
	sh.columns = slices.Delete(sh.columns, index, index+1)
	for _, r := range sh.rows {
		delete(r.cells, col.ID)
	}
	for _, w := range s.webhookOrder {
		w.columns = slices.DeleteFunc(w.columns, func(id int64) bool { return id == col.ID })
	}
	s.changed(c, sh, event{kind: "column", what: "deleted", id: col.ID})
	return success(nil, sh.version), nil
}
