package registry

import (
	"encoding/json"
	"maps"
	"reflect"
	"strings"
)

// encode returns the JSON of a record. Members of the JSON that the record was
// read from, nil for a new one, are kept where this version does not know them:
// a newer replica stored them.
func encode[T any](record *T, before []byte) ([]byte, error) {
	value, err := json.Marshal(record)
	if err != nil || before == nil {
		return value, err
	}
	var kept map[string]json.RawMessage
	if err := json.Unmarshal(before, &kept); err != nil {
		return nil, err
	}
	known := members(reflect.TypeFor[T]())
	maps.DeleteFunc(kept, func(name string, _ json.RawMessage) bool { return known[name] })
	if len(kept) == 0 {
		return value, nil
	}
	all := map[string]json.RawMessage{}
	if err := json.Unmarshal(value, &all); err != nil {
		return nil, err
	}
	maps.Copy(all, kept)
	return json.Marshal(all)
}

// members are the names of all JSON members that a struct can have.
func members(t reflect.Type) map[string]bool {
	names := map[string]bool{}
	for i := range t.NumField() {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case f.Anonymous && name == "":
			maps.Copy(names, members(f.Type))
		case f.IsExported() && name != "" && name != "-":
			names[name] = true
		}
	}
	return names
}
