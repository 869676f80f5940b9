package smartsheettest

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Column is a column of a sheet, in specs and in snapshots.
type Column struct {
	ID          int64  // given by the server
	Title       string // unique in its sheet
	Type        string // empty means TEXT_NUMBER
	Primary     bool
	Options     []string // of PICKLIST and MULTI_PICKLIST
	Validation  bool     // strict writes must hold to Options
	Symbol      string
	SystemType  string // AUTO_NUMBER, CREATED_BY, CREATED_DATE, MODIFIED_BY or MODIFIED_DATE
	AutoPrefix  string // of an AUTO_NUMBER
	Currency    string // shows numbers as this sign, grouped and with two decimals
	Percent     bool   // shows numbers as percentages
	Hidden      bool
	Locked      bool
	Description string
	Width       int
}

var columnTypes = []string{
	"TEXT_NUMBER", "CHECKBOX", "DATE", "ABSTRACT_DATETIME", "DATETIME", "CONTACT_LIST", "MULTI_CONTACT_LIST",
	"PICKLIST", "MULTI_PICKLIST", "DURATION", "PREDECESSOR",
}

// systemTypes are the system columns with the type that each has.
var systemTypes = map[string]string{
	"AUTO_NUMBER": "TEXT_NUMBER", "CREATED_BY": "CONTACT_LIST", "MODIFIED_BY": "CONTACT_LIST",
	"CREATED_DATE": "DATETIME", "MODIFIED_DATE": "DATETIME",
}

// version tells what level of a read shows the type.
func (col *Column) version() int {
	switch col.Type {
	case "MULTI_CONTACT_LIST":
		return 1
	case "MULTI_PICKLIST":
		return 2
	}
	return 0
}

// shown is the type of the column at a level.
func (col *Column) shown(level int) string {
	if level < col.version() {
		return "TEXT_NUMBER"
	}
	return col.Type
}

func (col *Column) json(index, level int) map[string]any {
	out := map[string]any{
		"id": col.ID, "version": col.version(), "index": index, "title": col.Title, "type": col.shown(level),
		"validation": col.Validation, "width": col.Width,
	}
	for name, yes := range map[string]bool{"primary": col.Primary, "hidden": col.Hidden, "locked": col.Locked} {
		if yes {
			out[name] = true
		}
	}
	for name, text := range map[string]string{"symbol": col.Symbol, "systemColumnType": col.SystemType, "description": col.Description} {
		if text != "" {
			out[name] = text
		}
	}
	if len(col.Options) > 0 {
		out["options"] = col.Options
	}
	if col.SystemType == "AUTO_NUMBER" {
		out["autoNumberFormat"] = map[string]any{"prefix": col.AutoPrefix, "fill": "0000", "startingNumber": 1}
	}
	return out
}

// check refuses a column that cannot be.
func (sh *sheet) check(col *Column) error {
	switch {
	case col.Title == "":
		return errMissing("column.title")
	case len(col.Title) > 50:
		return failf(400, 1041, "The value for column.title must be 50 characters in length or less, but was %d.", len(col.Title))
	case !slices.Contains(columnTypes, col.Type):
		return errAttribute(col.Type, "column.type")
	case col.Primary && col.Type != "TEXT_NUMBER":
		return failf(400, 1057, "Primary columns must be of type TEXT_NUMBER.")
	case len(col.Options) > 0 && col.Type != "PICKLIST" && col.Type != "MULTI_PICKLIST":
		return failf(400, 1060, "Column options are not allowed for column type %s.", col.Type)
	case col.SystemType == "" && col.Type == "DATETIME":
		return failf(400, 1089, "The type specified is only used with System Columns.")
	case col.SystemType != "" && systemTypes[col.SystemType] != col.Type:
		return failf(400, 1079, "Column type %s is not supported for system column type %s.", col.Type, col.SystemType)
	case !sh.project && slices.Contains([]string{"ABSTRACT_DATETIME", "DURATION", "PREDECESSOR"}, col.Type):
		return failf(400, 1142, "Column type %s is reserved for project sheets and may not be manually set on a column.", col.Type)
	}
	for _, other := range sh.columns {
		if other.ID != col.ID && strings.EqualFold(other.Title, col.Title) {
			return failf(400, 1056, "Column titles must be unique.")
		}
		if other.ID != col.ID && col.SystemType != "" && other.SystemType == col.SystemType {
			return failf(400, 1077, "Duplicate system column type: %s.", col.SystemType)
		}
	}
	return nil
}

// insertColumn adds a column at an index.
func (s *Server) insertColumn(sh *sheet, col Column, index int) (*Column, error) {
	if col.Type == "" {
		col.Type = "TEXT_NUMBER"
	}
	if col.Width == 0 {
		col.Width = 150
	}
	if err := sh.check(&col); err != nil {
		return nil, err
	}
	if col.ID == 0 {
		col.ID = s.ids.next()
	}
	if index < 0 || index > len(sh.columns) {
		return nil, errAttribute(index, "column.index")
	}
	sh.columns = slices.Insert(sh.columns, index, &col)
	return &col, nil
}

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
	sh, err := s.sheet(c, Viewer)
	if err != nil {
		return nil, err
	}
	list := make([]map[string]any, 0, len(sh.columns))
	for i, col := range sh.columns {
		list = append(list, col.json(i, c.level()))
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
	sh, err := s.sheet(c, Viewer)
	if err != nil {
		return nil, err
	}
	col, i, err := s.findColumn(c, sh)
	if err != nil {
		return nil, err
	}
	return col.json(i, c.level()), nil
}

func (s *Server) addColumns(c *call) (any, error) {
	sh, err := s.sheet(c, Editor)
	if err != nil {
		return nil, err
	}
	list, single, err := decodeList[columnIn](c)
	if err != nil {
		return nil, err
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
		results = append(results, col.json(slices.Index(sh.columns, col), 2))
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
	sh, err := s.sheet(c, Editor)
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
	return success(old.json(index, 2), sh.version), nil
}

// retype reads what the cells of a column hold as values of its new type.
func (s *Server) retype(sh *sheet, col *Column) {
	for _, r := range sh.rows {
		held := r.cells[col.ID]
		if held == nil || held.value == nil {
			continue
		}
		text := any(plain(held.value, sh.rowNumber))
		switch v := held.value.(type) {
		case json.Number:
			text = v
		case Contact:
			if v.Email != "" && col.Type == "MULTI_CONTACT_LIST" {
				held.value = []Contact{v}
				continue
			}
			text = v.Email
		}
		held.value = sh.lenient(col, text)
	}
}

func (s *Server) deleteColumn(c *call) (any, error) {
	sh, err := s.sheet(c, Editor)
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

// display is how a number of the column is shown.
func (col *Column) display(n json.Number) string {
	f, err := n.Float64()
	switch {
	case err != nil:
		return n.String()
	case col.Percent:
		return strings.TrimSuffix(strings.TrimRight(fmt.Sprintf("%.2f", f*100), "0"), ".") + "%"
	case col.Currency != "":
		return col.Currency + grouped(f)
	}
	return n.String()
}

// grouped writes a number with two decimals and commas between thousands.
func grouped(f float64) string {
	whole, cents, _ := strings.Cut(fmt.Sprintf("%.2f", f), ".")
	sign := ""
	if digits, negative := strings.CutPrefix(whole, "-"); negative {
		whole, sign = digits, "-"
	}
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	return sign + whole + "." + cents
}
