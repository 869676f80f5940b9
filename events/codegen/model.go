package codegen

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// document is a contract, as far as types are made of it.
type document struct {
	Info       struct{ Title string }
	Components struct {
		Messages map[string]struct{ Name string }
		Schemas  map[string]*schema
	}
}

// schema is a JSON Schema of a contract.
type schema struct {
	Title, Description string
	Ref                string `json:"$ref"`
	Type               names
	Const              string
	Enum               []string
	Properties         map[string]*schema
	Required           []string
	Items              *schema
	AnyOf, OneOf       []*schema
	AllOf              []*schema
	Format             string
	Deprecated         bool
}

// names is one name or a list of them.
type names []string

// UnmarshalJSON implements json.Unmarshaler.
func (n *names) UnmarshalJSON(text []byte) error {
	if len(text) > 0 && text[0] == '[' {
		return json.Unmarshal(text, (*[]string)(n))
	}
	*n = make(names, 1)
	return json.Unmarshal(text, &(*n)[0])
}

// kind is what a value is.
type kind int

const (
	kindNull    kind = iota
	kindText         // also one of a few texts, in literals
	kindMoment       // RFC 3339
	kindNumber       // may have a fraction
	kindInteger      // a whole number
	kindFlag         // true or false
	kindAny          // any object
	kindList         // of the type of
	kindNamed        // the schema with the title
)

// typ is the type of a value: of a kind, or free text instead, or null.
type typ struct {
	kind     kind
	title    string
	of       *typ
	literals []string
	orText   bool
	orNull   bool
}

// member is one member of an object.
type member struct {
	name, comment string
	required      bool
	typ           typ
}

// declared is a schema with a title.
type declared struct {
	title, comment string
	members        []member // of an object
	isObject       bool
	union          []string // titles of what it is one of
	typ            typ      // where it is neither
}

// message is a kind of event that a partner gets.
type message struct {
	sheet, name, title string
}

// model is a contract as types.
type model struct {
	about    string
	declared []declared
	messages []message
	byKey    map[string]*schema
}

// read reads a contract.
func read(text []byte) (*model, error) {
	var d document
	if err := json.Unmarshal(text, &d); err != nil {
		return nil, fmt.Errorf("reading the contract: %w", err)
	}
	m := &model{about: d.Info.Title, byKey: d.Components.Schemas}
	for _, key := range slices.Sorted(maps.Keys(m.byKey)) {
		decl, err := m.declare(m.byKey[key])
		if err != nil {
			return nil, fmt.Errorf("reading schema %s of the contract: %w", key, err)
		}
		m.declared = append(m.declared, decl)
	}
	for _, key := range slices.Sorted(maps.Keys(d.Components.Messages)) {
		if s := m.byKey[key]; s != nil && len(s.OneOf) == 0 { // else what the partner sends
			sheet, _, _ := strings.Cut(key, ".")
			m.messages = append(m.messages, message{sheet, d.Components.Messages[key].Name, s.Title})
		}
	}
	return m, nil
}

func (m *model) declare(s *schema) (declared, error) {
	if s.Title == "" {
		return declared{}, fmt.Errorf("it has no title")
	}
	d := declared{title: s.Title, comment: s.Description}
	switch {
	case s.Properties != nil:
		d.isObject = true
		for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
			t, err := m.typeOf(s.Properties[name])
			if err != nil {
				return d, fmt.Errorf("member %s: %w", name, err)
			}
			d.members = append(d.members, member{name, comment(s.Properties[name]), slices.Contains(s.Required, name), t})
		}
	case len(s.OneOf) > 0:
		for _, one := range s.OneOf {
			t, err := m.typeOf(one)
			if err != nil {
				return d, err
			}
			d.union = append(d.union, t.title)
		}
	default:
		var err error
		d.typ, err = m.bare(s)
		return d, err
	}
	return d, nil
}

func comment(s *schema) string {
	if s.Deprecated {
		return strings.TrimSpace("Deprecated: its column is gone from the sheet, it is null from then on. " + s.Description)
	}
	return s.Description
}

// typeOf is the type of what a schema describes. Where it refers to one that is no
// object and no choice of texts, it is the type of that.
func (m *model) typeOf(s *schema) (typ, error) {
	if len(s.AllOf) == 1 {
		return m.typeOf(s.AllOf[0])
	}
	if s.Ref == "" {
		return m.bare(s)
	}
	to := m.byKey[strings.TrimPrefix(s.Ref, "#/components/schemas/")]
	switch {
	case to == nil:
		return typ{}, fmt.Errorf("it refers to %q, which is not there", s.Ref)
	case to.Properties != nil || to.Enum != nil || len(to.OneOf) > 0:
		return typ{kind: kindNamed, title: to.Title}, nil
	}
	return m.typeOf(to)
}

// bare is the type of a schema that refers to no other as a whole.
func (m *model) bare(s *schema) (typ, error) {
	if len(s.AnyOf) > 0 {
		return m.any(s.AnyOf)
	}
	parts := make([]*schema, len(s.Type))
	for i, name := range s.Type {
		part := *s
		part.Type = names{name}
		parts[i] = &part
	}
	if len(parts) != 1 {
		return m.any(parts)
	}
	switch s.Type[0] {
	case "null":
		return typ{kind: kindNull, orNull: true}, nil
	case "string":
		t := typ{kind: kindText, literals: s.Enum}
		if s.Const != "" {
			t.literals = []string{s.Const}
		}
		if s.Format == "date-time" {
			t.kind = kindMoment
		}
		return t, nil
	case "number":
		return typ{kind: kindNumber}, nil
	case "integer":
		return typ{kind: kindInteger}, nil
	case "boolean":
		return typ{kind: kindFlag}, nil
	case "array":
		if s.Items == nil {
			return typ{}, fmt.Errorf("a list of what is not said")
		}
		of, err := m.typeOf(s.Items)
		return typ{kind: kindList, of: &of}, err
	case "object":
		return typ{kind: kindAny}, nil
	}
	return typ{}, fmt.Errorf("type %q is not known", s.Type[0])
}

// any is the type of what is one of several: something, text instead of it, null.
func (m *model) any(parts []*schema) (typ, error) {
	var whole typ
	var some, text, null bool
	for _, part := range parts {
		t, err := m.typeOf(part)
		switch {
		case err != nil:
			return typ{}, err
		case t.kind == kindNull:
			null = true
		case t.kind == kindText && t.literals == nil && !text:
			text = true
		case some:
			return typ{}, fmt.Errorf("a choice of more than something, text and null")
		default:
			whole, some = t, true
		}
	}
	switch {
	case !some && !text:
		whole = typ{kind: kindNull}
	case !some:
		whole = typ{kind: kindText}
	default:
		whole.orText = text
	}
	whole.orNull = null
	return whole, nil
}
