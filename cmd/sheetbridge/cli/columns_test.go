package cli

import (
	"encoding/json"
	"log/slog"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/sheetbridge/sheetbridge/webhook/admin"
	"github.com/sheetbridge/sheetbridge/webhook/audit"
)

// document is the OpenAPI document, as far as it says what fields answers have.
type document struct {
	Paths map[string]map[string]struct {
		Responses map[string]struct {
			Content map[string]struct{ Schema schema }
		}
	}
	Components struct{ Schemas map[string]schema }
}

type schema struct {
	Ref        string `json:"$ref"`
	Properties map[string]schema
	Items      *schema
	OneOf      []schema
}

// has reports whether a schema has the field at a path.
func (d *document) has(s schema, path string) bool {
	if s.Ref != "" {
		s = d.Components.Schemas[strings.TrimPrefix(s.Ref, "#/components/schemas/")]
	}
	if slices.ContainsFunc(s.OneOf, func(one schema) bool { return d.has(one, path) }) {
		return true
	}
	if s.Items != nil {
		return d.has(*s.Items, path)
	}
	name, rest, more := strings.Cut(path, ".")
	field, ok := s.Properties[name]
	return ok && (!more || d.has(field, rest))
}

// answer is the schema of what a call answers when all is well.
func (d *document) answer(t *testing.T, method, path string) schema {
	t.Helper()
	for known, operations := range d.Paths {
		if placeholders(known) != placeholders(path) {
			continue
		}
		for status, response := range operations[strings.ToLower(method)].Responses {
			if strings.HasPrefix(status, "2") && response.Content != nil {
				return response.Content["application/json"].Schema
			}
		}
	}
	t.Errorf("the API has no %s %s with an answer", method, path)
	return schema{}
}

// placeholders is a path without the names of its parameters.
func placeholders(path string) string {
	parts := strings.Split(path, "/")
	for i, part := range parts {
		if strings.HasPrefix(part, "{") {
			parts[i] = "{}"
		}
	}
	return strings.Join(parts, "/")
}

// made are the fields that commands add to what the API answers.
var made = []string{"share", "subjects", "about", "webhook.sheetName", "webhook.owner"}

func (d *document) check(t *testing.T, where string, s schema, columns []column) {
	t.Helper()
	for _, c := range columns {
		if !d.has(s, c.field) && !slices.Contains(made, c.field) {
			t.Errorf("%s: column %s: the API has no field %s", where, c.name, c.field)
		}
	}
}

// TestColumns holds the table of resources to what the API says of itself.
func TestColumns(t *testing.T) {
	recorder := httptest.NewRecorder()
	request := httptest.NewRequest("GET", "http://localhost/openapi.json", nil)
	(&admin.API{Log: slog.New(slog.DiscardHandler), Audit: &audit.Log{}}).Handler().ServeHTTP(recorder, request)
	var d document
	if err := json.Unmarshal(recorder.Body.Bytes(), &d); err != nil {
		t.Fatalf("%v: %s", err, recorder.Body)
	}
	var check func(r *resource)
	check = func(r *resource) {
		list := d.answer(t, "GET", r.path)
		if r.name == "shares" {
			list = schema{Properties: map[string]schema{"items": {Ref: "#/components/schemas/Share"}}}
		}
		of := list.in(&d, "items")
		d.check(t, r.name, of, r.columns)
		if len(r.facts) > 0 {
			d.check(t, r.name+" show", of, r.facts)
		}
		for _, table := range r.tables {
			d.check(t, r.name+" show", of.in(&d, table.field), table.columns)
		}
		for _, a := range r.actions {
			path := r.item + a.path
			if a.onList {
				path = r.path + a.path
			}
			if len(a.columns) > 0 {
				d.check(t, r.name+" "+a.name, d.answer(t, a.method, path).in(&d, "items"), a.columns)
			}
			if len(a.facts) > 0 {
				d.check(t, r.name+" "+a.name, d.answer(t, a.method, path), a.facts)
			}
		}
		for _, part := range r.parts {
			check(part)
		}
	}
	for _, r := range allResources() {
		check(r)
	}
}

// in is the schema of a field.
func (s schema) in(d *document, field string) schema {
	if s.Ref != "" {
		s = d.Components.Schemas[strings.TrimPrefix(s.Ref, "#/components/schemas/")]
	}
	if s.Items != nil {
		return s.Items.in(d, field)
	}
	return s.Properties[field]
}
