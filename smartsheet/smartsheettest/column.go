package smartsheettest

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

const maxTitle = 50 // characters

// Column is a column of a sheet, in specs and in snapshots.
type Column struct {
	ID          int64  // given by the server
	Title       string // unique in its sheet
	Type        string // empty means TEXT_NUMBER
	Primary     bool
	Options     []string // of PICKLIST and MULTI_PICKLIST
	Validation  bool     // strict writes must hold to Options
	Symbol      string
	Formula     string // of all cells: nobody can set them, see Server.SetCellSilently for what they hold
	SystemType  string // AUTO_NUMBER, CREATED_BY, CREATED_DATE, MODIFIED_BY or MODIFIED_DATE
	AutoPrefix  string // of an AUTO_NUMBER; may hold {YYYY}, {YY}, {MM} and {DD}, as AutoSuffix may
	AutoSuffix  string
	AutoFill    string    // zeros, as many as the number has digits at least; nil in a request means none
	AutoStart   int       // the first number; 0 means 1
	Contacts    []Contact // offered in a CONTACT_LIST or MULTI_CONTACT_LIST
	Format      string    // a format descriptor
	Currency    string    // shows numbers as this sign, grouped and with two decimals
	Percent     bool      // shows numbers as percentages
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

// columnJSON is a column as an answer to the call shows it at a level.
func (c *call) columnJSON(sh *sheet, col *Column, level int) map[string]any {
	out := map[string]any{
		"id": col.ID, "version": col.version(), "index": slices.Index(sh.columns, col), "title": col.Title, "type": col.shown(level),
		"validation": col.Validation, "width": col.Width,
	}
	forUser := col.Locked && !administers(sh.accessOf(c.user.ID))
	for name, yes := range map[string]bool{"primary": col.Primary, "hidden": col.Hidden, "locked": col.Locked, "lockedForUser": forUser} {
		if yes {
			out[name] = true
		}
	}
	for name, text := range map[string]string{"symbol": col.Symbol, "systemColumnType": col.SystemType, "description": col.Description, "formula": col.Formula} {
		if text != "" {
			out[name] = text
		}
	}
	if len(col.Options) > 0 {
		out["options"] = col.Options
	}
	if len(col.Contacts) > 0 {
		list := []map[string]any{}
		for _, contact := range col.Contacts {
			list = append(list, map[string]any{"email": contact.Email, "name": contact.Name})
		}
		out["contactOptions"] = list
	}
	if col.Format != "" && c.includes("format") {
		out["format"] = col.Format
	}
	if col.SystemType == "AUTO_NUMBER" {
		out["autoNumberFormat"] = map[string]any{"prefix": col.AutoPrefix, "suffix": col.AutoSuffix, "fill": col.AutoFill, "startingNumber": max(col.AutoStart, 1)}
	}
	return out
}

// columnsJSON are the columns of a sheet that the view shows.
func (c *call) columnsJSON(sh *sheet, v view) []map[string]any {
	list := make([]map[string]any, 0, len(sh.columns))
	for _, col := range sh.columns {
		if v.shows(col.ID) {
			list = append(list, c.columnJSON(sh, col, v.level))
		}
	}
	return list
}

// autoNumbered gives a new row its number in the sheet's column for that.
func (sh *sheet) autoNumbered(r *row) {
	for _, col := range sh.columns {
		if col.SystemType != "AUTO_NUMBER" {
			continue
		}
		dated := strings.NewReplacer("{YYYY}", r.created.Format("2006"), "{YY}", r.created.Format("06"), "{MM}", r.created.Format("01"), "{DD}", r.created.Format("02"))
		number := strconv.Itoa(max(col.AutoStart, 1) + sh.autoNumber)
		zeros := strings.Repeat("0", max(len(col.AutoFill)-len(number), 0))
		r.autoNumber = dated.Replace(col.AutoPrefix) + zeros + number + dated.Replace(col.AutoSuffix)
		sh.autoNumber++
	}
}

// check refuses a column that cannot be.
func (sh *sheet) check(col *Column) error {
	switch {
	case col.Title == "":
		return errMissing("column.title")
	case utf8.RuneCountInString(col.Title) > maxTitle:
		return failf(400, 1041, "The value for column.title must be %d characters in length or less, but was %d.", maxTitle, utf8.RuneCountInString(col.Title))
	case !slices.Contains(columnTypes, col.Type):
		return errAttribute(col.Type, "column.type")
	case col.Primary && col.Type != "TEXT_NUMBER":
		return failf(400, 1057, "Primary columns must be of type TEXT_NUMBER.")
	case len(col.Options) > 0 && col.Type != "PICKLIST" && col.Type != "MULTI_PICKLIST":
		return failf(400, 1060, "Column options are not allowed for column type %s.", col.Type)
	case col.Formula != "" && (col.SystemType != "" || !strings.HasPrefix(col.Formula, "=")):
		return errAttribute(col.Formula, "column.formula")
	case len(col.Contacts) > 0 && col.Type != "CONTACT_LIST" && col.Type != "MULTI_CONTACT_LIST":
		return failf(400, 1060, "Column options are not allowed for column type %s.", col.Type)
	case strings.Trim(col.AutoFill, "0") != "" || len(col.AutoFill) > 10 || col.AutoStart < 0 || utf8.RuneCountInString(col.AutoPrefix+col.AutoFill+col.AutoSuffix) > 40:
		return failf(400, 1084, "The auto number format is invalid.")
	case (col.AutoPrefix+col.AutoSuffix+col.AutoFill != "" || col.AutoStart != 0) && col.SystemType != "AUTO_NUMBER":
		return failf(400, 1083, "Auto number formatting cannot be added to a column %s.", col.Type)
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
