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
	AutoNumber  *autoNumberIn   `json:"autoNumberFormat"`
	Contacts    *[]contactIn    `json:"contactOptions"`
	ID          json.RawMessage `json:"id"`
	Version     json.RawMessage `json:"version"`
}

type autoNumberIn struct {
	Prefix string `json:"prefix"`
	Suffix string `json:"suffix"`
	Fill   string `json:"fill"`
	Start  int    `json:"startingNumber"`
}

type contactIn struct {
	Email string `json:"email"`
	Name  string `json:"name"`
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
	set(&col.Format, in.Format)
	if in.Type != nil && *in.Type != col.Type {
		col.Type = *in.Type
		col.Options, col.Contacts = nil, nil
		set(&col.Options, in.Options)
	}
	if in.Contacts != nil {
		col.Contacts = nil
		for _, contact := range *in.Contacts {
			col.Contacts = append(col.Contacts, Contact(contact))
		}
	}
	if auto := in.AutoNumber; auto != nil {
		col.AutoPrefix, col.AutoSuffix, col.AutoFill, col.AutoStart = auto.Prefix, auto.Suffix, auto.Fill, auto.Start
	}
	return nil
}

func set[T any](to *T, from *T) {
	if from != nil {
		*to = *from
	}
}

func (s *Server) listColumns(c *call) (any, error) {
	return paged(c, c.columnsJSON(c.sheet, view{level: c.level()}))
}

func (s *Server) getColumn(c *call) (any, error) {
	return c.columnJSON(c.sheet, c.column, c.level()), nil
}

func (s *Server) addColumns(c *call) (any, error) {
	sh := c.sheet
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
		results = append(results, c.columnJSON(sh, col, 2))
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
	sh := c.sheet
	old, index := c.column, slices.Index(sh.columns, c.column)
	var in columnIn
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	if in.Type == nil && (in.Symbol != nil || in.SystemType != nil || in.Options != nil || in.Contacts != nil || in.AutoNumber != nil) {
		return nil, failf(400, 1090, "Column.type is required when changing symbol, systemColumnType, options, contactOptions, or autoNumberFormat.")
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
	}
	if retyped {
		s.retype(sh, old)
	}
	s.changed(c, sh, event{kind: "column", what: "updated", id: old.ID})
	return success(c.columnJSON(sh, old, 2), sh.version), nil
}

func (s *Server) deleteColumn(c *call) (any, error) {
	sh := c.sheet
	col, index := c.column, slices.Index(sh.columns, c.column)
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
