package smartsheet

import "encoding/json"

// ObjectValue is the value of a cell as an object that says its type. The
// constructors set what belongs to a type.
type ObjectValue struct {
	ObjectType   string           `json:"objectType"`
	Value        string           `json:"value,omitempty"`
	Email        string           `json:"email,omitempty"`
	Name         string           `json:"name,omitempty"`
	Values       any              `json:"values,omitempty"`
	Predecessors []PredecessorRow `json:"predecessors,omitempty"`
}

// DateObject is a day, "2026-11-30", for a DATE column.
func DateObject(day string) ObjectValue { return ObjectValue{ObjectType: "DATE", Value: day} }

// AbstractDateTimeObject is a time without zone, "2026-11-30T08:00:00", for an
// ABSTRACT_DATETIME column.
func AbstractDateTimeObject(at string) ObjectValue {
	return ObjectValue{ObjectType: "ABSTRACT_DATETIME", Value: at}
}

// ContactObject is a person, for a CONTACT_LIST column. The name may be empty.
func ContactObject(email, name string) ObjectValue {
	return ObjectValue{ObjectType: "CONTACT", Email: email, Name: name}
}

// MultiContactObject are people, each made by [ContactObject], for a
// MULTI_CONTACT_LIST column.
func MultiContactObject(people ...ObjectValue) ObjectValue {
	return ObjectValue{ObjectType: "MULTI_CONTACT", Values: people}
}

// MultiPicklistObject are choices, for a MULTI_PICKLIST column.
func MultiPicklistObject(choices ...string) ObjectValue {
	return ObjectValue{ObjectType: "MULTI_PICKLIST", Values: choices}
}

// DurationObject is working time, or calendar time if Elapsed, for a DURATION
// column. Each part counts for itself and may be fractional; an empty one is 0.
type DurationObject struct {
	Weeks        json.Number `json:"weeks,omitempty"`
	Days         json.Number `json:"days,omitempty"`
	Hours        json.Number `json:"hours,omitempty"`
	Minutes      json.Number `json:"minutes,omitempty"`
	Seconds      json.Number `json:"seconds,omitempty"`
	Milliseconds json.Number `json:"milliseconds,omitempty"`
	Negative     bool        `json:"negative,omitempty"`
	Elapsed      bool        `json:"elapsed,omitempty"`
}

// MarshalJSON adds the object's type.
func (d DurationObject) MarshalJSON() ([]byte, error) {
	type parts DurationObject
	return json.Marshal(struct {
		ObjectType string `json:"objectType"`
		parts
	}{"DURATION", parts(d)})
}

// PredecessorRow is a row on which another one depends.
type PredecessorRow struct {
	RowID int64           `json:"rowId"`
	Type  string          `json:"type"` // FS, SS, FF or SF
	Lag   *DurationObject `json:"lag,omitempty"`
}

// PredecessorsObject are the rows on which a row depends, for a PREDECESSOR column.
func PredecessorsObject(rows ...PredecessorRow) ObjectValue {
	return ObjectValue{ObjectType: "PREDECESSOR_LIST", Predecessors: rows}
}
