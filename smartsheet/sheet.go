package smartsheet

import "encoding/json"

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
	SystemColumnType string     `json:"systemColumnType,omitempty"`
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
	ModifiedAt Time   `json:"modifiedAt"`
	ModifiedBy *Actor `json:"modifiedBy,omitempty"`
	Cells      []Cell `json:"cells"`
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
}

// Actor is who wrote something.
type Actor struct {
	Name  string `json:"name,omitempty"`
	Email string `json:"email,omitempty"`
}
