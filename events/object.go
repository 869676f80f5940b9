package events

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
)

// Object is the state of a row, an attachment or a comment as one partner sees
// it: its fields in the order of the share, each as canonical JSON, so that
// two values are equal exactly when their bytes are. A nil Object is JSON null:
// there is no such object, or it is hidden.
type Object []Value

// Value is one field of an Object. JSON is canonical (see Canonical).
type Value struct {
	Name string
	JSON json.RawMessage
}

// Get returns the canonical JSON of the field with the name, nil if there is none.
func (o Object) Get(name string) json.RawMessage {
	for _, v := range o {
		if v.Name == name {
			return v.JSON
		}
	}
	return nil
}

// at is Get of a field that most likely stands at the index, as fields of two
// states of one object do.
func (o Object) at(i int, name string) json.RawMessage {
	if i < len(o) && o[i].Name == name {
		return o[i].JSON
	}
	return o.Get(name)
}

// Equal tells whether two objects have the same fields with the same values,
// in whatever order. A nil object equals only another nil object.
func (o Object) Equal(p Object) bool {
	return (o == nil) == (p == nil) && len(o) == len(p) && len(Changed(o, p)) == 0
}

// Changed returns the names of the fields that differ, in the order of after;
// names that only before has come last.
func Changed(before, after Object) []string {
	changed := []string{}
	for i, v := range after {
		if was := before.at(i, v.Name); was == nil || !bytes.Equal(was, v.JSON) {
			changed = append(changed, v.Name)
		}
	}
	for i, v := range before {
		if after.at(i, v.Name) == nil {
			changed = append(changed, v.Name)
		}
	}
	return slices.Clip(changed)
}

// MarshalJSON writes the fields in their order.
func (o Object) MarshalJSON() ([]byte, error) { return o.appendJSON(nil) }

// UnmarshalJSON reads an object and keeps the order of its fields. Values are
// made canonical again: whatever wrote them may have escaped more than we do.
func (o *Object) UnmarshalJSON(data []byte) error {
	own := bytes.Clone(data) // the caller's data may change
	if quick, end := quickObject(own, 0); end == len(own) {
		*o = quick
		return nil
	}
	return o.unmarshalAny(data)
}

// unmarshalAny is UnmarshalJSON for what somebody else encoded.
func (o *Object) unmarshalAny(data []byte) error {
	d := json.NewDecoder(bytes.NewReader(data))
	t, err := d.Token()
	if err != nil {
		return err
	}
	if t == nil {
		*o = nil
		return nil
	}
	if t != json.Delim('{') {
		return fmt.Errorf("events: object expected, got %T", t)
	}
	*o = Object{}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return err
		}
		var v json.RawMessage
		if err := d.Decode(&v); err != nil {
			return err
		}
		*o = append(*o, Value{Name: name.(string), JSON: Canonical(v)})
	}
	_, err = d.Token()
	return err
}
