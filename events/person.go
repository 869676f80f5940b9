package events

import (
	"encoding/json"

	"github.com/sheetbridge/sheetbridge/smartsheet"
)

// contactObject is a person as Smartsheet gives one in a cell.
type contactObject struct {
	ObjectType string `json:"objectType"`
	Email      string `json:"email"`
	Name       string `json:"name"`
}

// person is {"email","name"} with null for what is missing, nil if both are.
func person(email, name string) json.RawMessage {
	if email == "" && name == "" {
		return nil
	}
	b := append([]byte(`{"email":`), textOrNull(email)...)
	b = append(append(b, `,"name":`...), textOrNull(name)...)
	return append(b, '}')
}

// contact is the person of a CONTACT object, nil for what is none.
func contact(raw json.RawMessage) json.RawMessage {
	o, ok := quickContact(raw)
	if !ok {
		o = contactObject{}
		if json.Unmarshal(raw, &o) != nil {
			return nil
		}
	}
	if o.ObjectType != "CONTACT" {
		return nil
	}
	return person(o.Email, o.Name)
}

// quickContact reads a person in the usual form without reflection; ok is false
// for any other.
func quickContact(raw json.RawMessage) (o contactObject, ok bool) {
	names := [...]string{"objectType", "email", "name"}
	parts := [...]*string{&o.ObjectType, &o.Email, &o.Name}
	end := members(raw, 0, names[:], func(name, at int) int {
		text, end := plainText(raw, at)
		*parts[name] = string(text)
		return end
	})
	return o, end == len(raw)
}

// contacts is a list of the persons of a MULTI_CONTACT object, or of the one
// of a CONTACT object; nil for what is neither.
func contacts(raw json.RawMessage) json.RawMessage {
	if one := contact(raw); one != nil {
		return listOrNull([]json.RawMessage{one})
	}
	var o struct {
		ObjectType string          `json:"objectType"`
		Values     []contactObject `json:"values"`
	}
	if json.Unmarshal(raw, &o) != nil || o.ObjectType != "MULTI_CONTACT" {
		return nil
	}
	list := make([]json.RawMessage, 0, len(o.Values))
	for _, v := range o.Values {
		if p := person(v.Email, v.Name); p != nil {
			list = append(list, p)
		}
	}
	return listOrNull(list)
}

// actor is who wrote something, null if that is not known.
func actor(a *smartsheet.Actor) json.RawMessage {
	if a == nil {
		return null()
	}
	if p := person(a.Email, a.Name); p != nil {
		return p
	}
	return null()
}
