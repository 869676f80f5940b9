package smartsheettest

import (
	"bytes"
	"cmp"
	"encoding/json"
	"slices"
)

// objectIn is an objectValue as writes hold it, of any type.
type objectIn struct {
	ObjectType   string          `json:"objectType"`
	Value        json.RawMessage `json:"value"`
	Email        string          `json:"email"`
	Name         string          `json:"name"`
	ImageID      string          `json:"imageId"`
	Values       json.RawMessage `json:"values"`
	Predecessors []predecessorIn `json:"predecessors"`
	durationIn
}

type durationIn struct {
	Weeks        float64 `json:"weeks"`
	Days         float64 `json:"days"`
	Hours        float64 `json:"hours"`
	Minutes      float64 `json:"minutes"`
	Seconds      float64 `json:"seconds"`
	Milliseconds float64 `json:"milliseconds"`
	Negative     bool    `json:"negative"`
	Elapsed      bool    `json:"elapsed"`
}

type predecessorIn struct {
	RowID     id     `json:"rowId"`
	RowNumber int    `json:"rowNumber"`
	Type      string `json:"type"`
	Lag       *struct {
		ObjectType string `json:"objectType"`
		durationIn
	} `json:"lag"`
	Invalid        bool `json:"invalid"`
	InCriticalPath bool `json:"inCriticalPath"`
}

// objectValueIn reads cell.objectValue of a write: a primitive, or an object
// that says its type, which must be the column's.
func (sh *sheet) objectValueIn(col *Column, raw json.RawMessage, strict, override bool) (any, error) {
	if !bytes.HasPrefix(bytes.TrimSpace(raw), []byte("{")) {
		return sh.valueIn(col, raw, strict, override)
	}
	var in objectIn
	if err := decodeStrict(raw, &in); err != nil {
		return nil, err
	}
	allowed := map[string]string{
		"DATE": "DATE", "ABSTRACT_DATETIME": "ABSTRACT_DATETIME", "CONTACT_LIST": "CONTACT", "MULTI_CONTACT_LIST": "MULTI_CONTACT",
		"MULTI_PICKLIST": "MULTI_PICKLIST", "DURATION": "DURATION", "PREDECESSOR": "PREDECESSOR_LIST",
	}[col.Type]
	if in.ObjectType == "" {
		return nil, errMissing("objectValue.objectType")
	}
	if in.ObjectType != allowed {
		return nil, failf(400, 1131, "cell.objectValue for column %d was of the wrong object type. Allowed types: %s.", col.ID, cmp.Or(allowed, "none"))
	}
	v, err := sh.object(col, in, strict, override)
	if err != nil {
		return nil, err
	}
	if v != nil && col.Validation && !override && !sh.valid(col, v) {
		return nil, errNonconforming(col, plain(v, sh.rowNumber))
	}
	return v, nil
}

func (sh *sheet) object(col *Column, in objectIn, strict, override bool) (any, error) {
	switch in.ObjectType {
	case "CONTACT":
		if in.Email == "" && in.Name == "" {
			return nil, errMissing("objectValue.email")
		}
		if in.Email != "" && !isEmail(in.Email) {
			return nil, errNonconforming(col, in.Email)
		}
		return Contact{Email: in.Email, Name: in.Name}, nil
	case "MULTI_CONTACT":
		return sh.contactsIn(col, in.Values)
	case "MULTI_PICKLIST":
		var choices []string
		if err := decodeStrict(cmp.Or(string(in.Values), "null"), &choices); err != nil {
			return nil, err
		}
		if len(choices) == 0 {
			return nil, nil
		}
		return slices.Compact(choices), nil
	case "DURATION":
		return Duration(in.durationIn), nil
	case "PREDECESSOR_LIST":
		return sh.predecessorsIn(in.Predecessors)
	}
	if in.Value == nil {
		return nil, errMissing("objectValue.value")
	}
	return sh.valueIn(col, in.Value, strict, override)
}

func (sh *sheet) contactsIn(col *Column, raw json.RawMessage) (any, error) {
	var list []struct {
		ObjectType string `json:"objectType"`
		Email      string `json:"email"`
		Name       string `json:"name"`
		ImageID    string `json:"imageId"`
	}
	if err := decodeStrict(cmp.Or(string(raw), "null"), &list); err != nil {
		return nil, err
	}
	var out []Contact
	for _, item := range list {
		if item.ObjectType != "CONTACT" {
			return nil, errAttribute(item.ObjectType, "objectValue.values.objectType")
		}
		if !isEmail(item.Email) {
			return nil, errNonconforming(col, item.Email)
		}
		out = append(out, Contact{Email: item.Email, Name: item.Name})
	}
	if out == nil {
		return nil, nil
	}
	return out, nil
}

func (sh *sheet) predecessorsIn(list []predecessorIn) (any, error) {
	var out []Predecessor
	for _, item := range list {
		id := int64(item.RowID)
		if id == 0 {
			id = sh.rowID(item.RowNumber)
		}
		if sh.byID[id] == nil {
			return nil, failf(400, 1034, "Invalid Row ID.")
		}
		p := Predecessor{RowID: id, Type: cmp.Or(item.Type, "FS")}
		if !slices.Contains([]string{"FS", "SS", "FF", "SF"}, p.Type) {
			return nil, errAttribute(p.Type, "predecessor.type")
		}
		if item.Lag != nil {
			lag := Duration(item.Lag.durationIn)
			p.Lag = &lag
		}
		out = append(out, p)
	}
	if out == nil {
		return nil, nil
	}
	return out, nil
}
