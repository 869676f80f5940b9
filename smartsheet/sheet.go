package smartsheet

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"
)

// ColumnType is the type of a column as the API names it.
type ColumnType string

// Column types. A column of another type is treated as free text.
const (
	TextNumber       ColumnType = "TEXT_NUMBER"
	Checkbox         ColumnType = "CHECKBOX"
	Date             ColumnType = "DATE"
	DateTime         ColumnType = "DATETIME"
	AbstractDateTime ColumnType = "ABSTRACT_DATETIME"
	ContactList      ColumnType = "CONTACT_LIST"
	MultiContactList ColumnType = "MULTI_CONTACT_LIST"
	Picklist         ColumnType = "PICKLIST"
	MultiPicklist    ColumnType = "MULTI_PICKLIST"
	Duration         ColumnType = "DURATION"
	Predecessor      ColumnType = "PREDECESSOR"
)

// Column is a column of a sheet. Its id never changes, its title and type may.
type Column struct {
	ID               int64      `json:"id"`
	Index            int        `json:"index"`
	Title            string     `json:"title"`
	Type             ColumnType `json:"type"`
	Primary          bool       `json:"primary,omitempty"`
	SystemColumnType string     `json:"systemColumnType,omitempty"` // its values are Smartsheet's own
	Formula          string     `json:"formula,omitempty"`          // of all its cells, which nobody can set then
	Options          []string   `json:"options,omitempty"`          // of a picklist
	Validation       bool       `json:"validation,omitempty"`       // nothing but the options, or the type's values, may be set
	Locked           bool       `json:"locked,omitempty"`           // for all but the sheet's owner and admins
	LockedForUser    bool       `json:"lockedForUser,omitempty"`    // for the user who reads it
	Symbol           string     `json:"symbol,omitempty"`
}

// Settable reports whether a request can set cells of the column at all, for
// those who may edit the sheet: not those of system columns and column formulas.
func (c Column) Settable() bool { return c.SystemColumnType == "" && c.Formula == "" }

// TypesOf are the types of columns, by id.
func TypesOf(columns []Column) map[int64]ColumnType {
	types := make(map[int64]ColumnType, len(columns))
	for _, c := range columns {
		types[c.ID] = c.Type
	}
	return types
}

// Existing returns the ids that are columns, for a [SheetQuery]. If none is, it
// is the first column: no ids at all would mean every column.
func Existing(ids []int64, columns []Column) []int64 {
	types := TypesOf(columns)
	left := slices.DeleteFunc(slices.Clone(ids), func(id int64) bool {
		_, there := types[id]
		return !there
	})
	if len(left) == 0 && len(columns) > 0 {
		left = []int64{columns[0].ID}
	}
	return left
}

// Cell is one cell of a row, as read with level=2 and include=objectValue.
// Value and ObjectValue are kept as they came, so that no number loses a digit.
// An empty cell has neither.
type Cell struct {
	ColumnID     int64           `json:"columnId"`
	ColumnType   ColumnType      `json:"columnType,omitempty"`
	Value        json.RawMessage `json:"value,omitempty"`
	ObjectValue  json.RawMessage `json:"objectValue,omitempty"`
	DisplayValue string          `json:"displayValue,omitempty"`
	Formula      string          `json:"formula,omitempty"`
}

// Row is one row of a sheet.
type Row struct {
	ID         int64  `json:"id"`
	RowNumber  int    `json:"rowNumber"`
	ParentID   int64  `json:"parentId,omitempty"` // 0: a row at the top level
	CreatedAt  Time   `json:"createdAt"`
	CreatedBy  *Actor `json:"createdBy,omitempty"`
	ModifiedAt Time   `json:"modifiedAt"`
	ModifiedBy *Actor `json:"modifiedBy,omitempty"`
	Locked     bool   `json:"locked,omitempty"` // for all but the sheet's owner and admins

	LockedForUser bool `json:"lockedForUser,omitempty"` // for the user who reads it

	Cells []Cell `json:"cells"`
}

// Sheet is one page of a sheet: its columns and some of its rows.
type Sheet struct {
	ID            int64    `json:"id"`
	Name          string   `json:"name"`
	Version       int64    `json:"version"`
	TotalRowCount int      `json:"totalRowCount"`
	AccessLevel   string   `json:"accessLevel,omitempty"`
	CreatedAt     Time     `json:"createdAt,omitzero"`
	ModifiedAt    Time     `json:"modifiedAt,omitzero"`
	Columns       []Column `json:"columns"`
	Rows          []Row    `json:"rows"`

	Classification Classification `json:"dataClassification,omitempty"`
}

// Classification is the label of data classification that a sheet bears; empty:
// none. Smartsheet gives it where the plan has such labels.
type Classification string

// UnmarshalJSON reads a label: text, or an object with a name. What it is besides is
// no label that is known.
func (c *Classification) UnmarshalJSON(data []byte) error {
	var text string
	var label struct{ Name, Label string }
	switch {
	case json.Unmarshal(data, &text) == nil:
	case json.Unmarshal(data, &label) == nil:
		text = cmp.Or(label.Name, label.Label)
	}
	*c = Classification(text)
	return nil
}

// Classifications are labels, in any case.
type Classifications []string

// Has tells whether the label is one of them.
func (cs Classifications) Has(c Classification) bool {
	text := strings.TrimSpace(string(c))
	return text != "" && slices.ContainsFunc(cs, func(one string) bool { return strings.EqualFold(one, text) })
}

// Actor is who wrote something.
type Actor struct {
	Name  string `json:"name,omitempty"`
	Email string `json:"email,omitempty"`
}
