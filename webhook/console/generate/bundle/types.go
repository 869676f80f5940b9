package bundle

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// schema is as much of a JSON Schema as the document uses.
type schema struct {
	Ref                  string             `json:"$ref"`
	Type                 any                `json:"type"`
	Enum                 []any              `json:"enum"`
	Items                *schema            `json:"items"`
	Properties           map[string]*schema `json:"properties"`
	Required             []string           `json:"required"`
	OneOf                []*schema          `json:"oneOf"`
	Description          string             `json:"description"`
	AdditionalProperties json.RawMessage    `json:"additionalProperties"`
}

// operation is one call of the document.
type operation struct {
	ID         string `json:"operationId"`
	Summary    string `json:"summary"`
	Parameters []struct {
		Name     string  `json:"name"`
		In       string  `json:"in"`
		Required bool    `json:"required"`
		Schema   *schema `json:"schema"`
	} `json:"parameters"`
	Body struct {
		Content map[string]struct{ Schema *schema } `json:"content"`
	} `json:"requestBody"`
	Responses map[string]struct {
		Content map[string]struct{ Schema *schema } `json:"content"`
	} `json:"responses"`
}

// Types writes an OpenAPI document as TypeScript: an interface for each schema, and
// for each call its method, its path and the types of what goes in and comes out.
func Types(document []byte) ([]byte, error) {
	var doc struct {
		Paths      map[string]map[string]operation `json:"paths"`
		Components struct {
			Schemas map[string]*schema `json:"schemas"`
		} `json:"components"`
	}
	if err := json.Unmarshal(document, &doc); err != nil {
		return nil, fmt.Errorf("reading the OpenAPI document: %w", err)
	}
	var b bytes.Buffer
	b.WriteString("// Code generated from the OpenAPI document by go generate; DO NOT EDIT.\n\n")
	for _, name := range slices.Sorted(maps.Keys(doc.Components.Schemas)) {
		fmt.Fprintf(&b, "export interface %s %s\n\n", name, doc.Components.Schemas[name].object(0))
	}
	type call struct {
		method, path string
		operation
	}
	calls := map[string]call{}
	for path, methods := range doc.Paths {
		for method, op := range methods {
			calls[op.ID] = call{strings.ToUpper(method), path, op}
		}
	}
	ids := slices.Sorted(maps.Keys(calls))
	b.WriteString("export const calls = {\n")
	for _, id := range ids {
		fmt.Fprintf(&b, "  %s: [%q, %q, %q],\n", id, calls[id].method, calls[id].path, calls[id].Summary)
	}
	b.WriteString("} as const;\n\nexport interface Calls {\n")
	for _, id := range ids {
		c := calls[id]
		fmt.Fprintf(&b, "  %s: { path: %s; query: %s; body: %s; answer: %s };\n", id, c.parameters("path"), c.parameters("query"), c.body(), c.answer())
	}
	b.WriteString("}\n")
	return b.Bytes(), nil
}

// parameters is the type of a call's parameters in the path or the query.
func (o operation) parameters(in string) string {
	var members []string
	for _, p := range o.Parameters {
		if p.In != in {
			continue
		}
		mark := "?"
		if p.Required {
			mark = ""
		}
		members = append(members, key(p.Name)+mark+": "+p.Schema.text(0))
	}
	if len(members) == 0 {
		return "{}"
	}
	return "{ " + strings.Join(members, "; ") + " }"
}

func (o operation) body() string {
	if s := o.Body.Content["application/json"].Schema; s != nil {
		return s.text(0)
	}
	return "undefined"
}

// answer is the type of a call's answer when all is well.
func (o operation) answer() string {
	var all []string
	for _, status := range slices.Sorted(maps.Keys(o.Responses)) {
		s := o.Responses[status].Content["application/json"].Schema
		if !strings.HasPrefix(status, "2") || s == nil {
			continue
		}
		if text := s.text(0); !slices.Contains(all, text) {
			all = append(all, text)
		}
	}
	if len(all) == 0 {
		return "undefined"
	}
	return strings.Join(all, " | ")
}

// object is the text of a schema's members.
func (s *schema) object(depth int) string {
	if len(s.Properties) == 0 {
		var member *schema
		if json.Unmarshal(s.AdditionalProperties, &member) != nil { // true: of any kind
			member = nil
		}
		return "{ [name: string]: " + member.text(depth) + " }"
	}
	indent := strings.Repeat("  ", depth+1)
	var b strings.Builder
	b.WriteString("{\n")
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		p := s.Properties[name]
		mark := "?"
		if slices.Contains(s.Required, name) {
			mark = ""
		}
		if p.Description != "" {
			fmt.Fprintf(&b, "%s/** %s */\n", indent, strings.ReplaceAll(p.Description, "*/", "* /"))
		}
		fmt.Fprintf(&b, "%s%s%s: %s;\n", indent, key(name), mark, p.text(depth+1))
	}
	return b.String() + strings.Repeat("  ", depth) + "}"
}

// text is the type that a schema describes.
func (s *schema) text(depth int) string {
	switch {
	case s == nil:
		return "unknown"
	case s.Ref != "":
		return s.Ref[strings.LastIndex(s.Ref, "/")+1:]
	case len(s.OneOf) > 0:
		all := make([]string, len(s.OneOf))
		for i, one := range s.OneOf {
			all[i] = one.text(depth)
		}
		return strings.Join(all, " | ")
	case len(s.Enum) > 0:
		all := make([]string, len(s.Enum))
		for i, v := range s.Enum {
			text, _ := json.Marshal(v) // it was JSON
			all[i] = string(text)
		}
		return strings.Join(all, " | ")
	}
	kinds := []any{s.Type}
	if several, ok := s.Type.([]any); ok {
		kinds = several
	}
	all := make([]string, len(kinds))
	for i, kind := range kinds {
		all[i] = s.kind(kind, depth)
	}
	return strings.Join(all, " | ")
}

func (s *schema) kind(kind any, depth int) string {
	switch kind {
	case "string", "boolean", "null":
		return fmt.Sprint(kind)
	case "integer", "number":
		return "number"
	case "array":
		if item := s.Items.text(depth); !strings.Contains(item, " | ") {
			return item + "[]"
		}
		return "(" + s.Items.text(depth) + ")[]"
	case "object":
		return s.object(depth)
	}
	return "unknown"
}

// key is a name as a member of a type.
func key(name string) string {
	for i, c := range name {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c == '$'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return strconv.Quote(name)
		}
	}
	return name
}

// Operations are the ids of the document's calls.
func Operations(document []byte) ([]string, error) {
	var doc struct {
		Paths map[string]map[string]operation `json:"paths"`
	}
	if err := json.Unmarshal(document, &doc); err != nil {
		return nil, fmt.Errorf("reading the OpenAPI document: %w", err)
	}
	var ids []string
	for _, methods := range doc.Paths {
		for _, op := range methods {
			ids = append(ids, op.ID)
		}
	}
	slices.Sort(ids)
	return ids, nil
}
