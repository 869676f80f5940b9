package admin_test

import (
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/sheetbridge/sheetbridge/webhook/admin"
	"github.com/sheetbridge/sheetbridge/webhook/problem"
)

// document is the OpenAPI document, as a client reads it.
type document struct {
	body   map[string]any
	schema *jsonschema.Compiler
}

// described fails if the document does not describe the answer.
func (w *world) described(method, path string, r reply) {
	w.t.Helper()
	if w.document == nil {
		doc := w.send("", http.MethodGet, "/openapi.json", "")
		w.document = &document{body: doc.body, schema: jsonschema.NewCompiler()}
		must(w.t, w.document.schema.AddResource("file:///openapi.json", doc.body))
	}
	w.document.check(w.t, method, path, r)
}

func (d *document) check(t testing.TB, method, path string, r reply) {
	t.Helper()
	path, _, _ = strings.Cut(path, "?")
	op := d.operation(method, path)
	if op == "" {
		t.Errorf("%s %s: not in the document", method, path)
		return
	}
	kind := r.header.Get("Content-Type")
	at := op + "/responses/" + strconv.Itoa(r.status)
	if r.status != http.StatusNoContent {
		at += "/content/" + escape(kind) + "/schema"
	} else if r.text != "" {
		t.Errorf("%s %s: got %q with 204, want nothing", method, path, r.text)
	}
	d.checkAction(t, r.body, "detail")
	schema, err := d.schema.Compile("file:///openapi.json#" + at)
	if err != nil {
		t.Errorf("%s %s: answer %d %s is not in the document: %v", method, path, r.status, kind, err)
		return
	}
	if r.body == nil {
		return
	}
	if err := schema.Validate(r.body); err != nil {
		t.Errorf("%s %s: answer %s: %v", method, path, r.text, err)
	}
}

var namesCall = regexp.MustCompile(`(GET|POST|PUT|PATCH|DELETE) /v1/`)

// checkAction fails if a text names a call of the API for people and there is no action
// for programs beside it, or if the action is no call of the API.
func (d *document) checkAction(t testing.TB, of map[string]any, text string) {
	t.Helper()
	words, _ := of[text].(string)
	action, _ := of["action"].(map[string]any)
	switch {
	case action == nil && namesCall.MatchString(words):
		t.Errorf("%q: no action says so to programs", words)
	case action != nil && d.operation(action["method"].(string), action["path"].(string)) == "":
		t.Errorf("%q: the action %v is no call of the API", words, action)
	}
}

// operation is the place of a call in the document, "" for none.
func (d *document) operation(method, path string) string {
	for template, methods := range d.body["paths"].(map[string]any) {
		pattern := "^" + regexp.MustCompile(`\{\w+\}`).ReplaceAllString(template, "[^/]+") + "$"
		if methods.(map[string]any)[strings.ToLower(method)] != nil && regexp.MustCompile(pattern).MatchString(path) {
			return "/paths/" + escape(template) + "/" + strings.ToLower(method)
		}
	}
	return ""
}

// escape writes a key as a step of a JSON pointer in a URL.
func escape(key string) string {
	return strings.NewReplacer("~", "~0", "/", "~1", "{", "%7B", "}", "%7D", "+", "%2B").Replace(key)
}

func TestOpenAPI(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{})
	doc := w.send("", "GET", "/openapi.json", "")
	if doc.status != 200 || !strings.HasPrefix(doc.text1("openapi"), "3.1") {
		t.Fatalf("got %d %.60s, want OpenAPI 3.1", doc.status, doc.text)
	}
	if scheme := doc.at("components", "securitySchemes", "bearer").(map[string]any); scheme["scheme"] != "bearer" || scheme["type"] != "http" {
		t.Errorf("got security scheme %v, want bearer", scheme)
	}
	ids := map[string]bool{}
	var calls []string
	for path, methods := range doc.at("paths").(map[string]any) {
		for method, op := range methods.(map[string]any) {
			op := op.(map[string]any)
			calls = append(calls, strings.ToUpper(method)+" "+path)
			id, _ := op["operationId"].(string)
			if id == "" || ids[id] || op["summary"] == "" || op["description"] == "" {
				t.Errorf("%s %s: got %v, want an id of its own, a summary and a description", method, path, op["operationId"])
			}
			ids[id] = true
			parameters, _ := op["parameters"].([]any)
			for _, name := range regexp.MustCompile(`\{(\w+)\}`).FindAllStringSubmatch(path, -1) {
				if !slices.ContainsFunc(parameters, func(p any) bool { return p.(map[string]any)["name"] == name[1] }) {
					t.Errorf("%s %s: parameter %s is not described", method, path, name[1])
				}
			}
			answers := op["responses"].(map[string]any)
			if answers["401"] == nil || answers["500"] == nil || (answers["403"] == nil) != (method == "get") {
				t.Errorf("%s %s: got answers %v, want 401, 500, and 403 where it writes", method, path, answers)
			}
		}
	}
	for name, schema := range doc.at("components", "schemas").(map[string]any) {
		properties, _ := schema.(map[string]any)["properties"].(map[string]any)
		for property, p := range properties {
			types, _ := p.(map[string]any)["type"].([]any)
			null := strings.HasPrefix(name, "New") && slices.Contains(types, any("null"))
			if means := name == "NewCredentials" && property == "expiresAt"; null != means { // null is never
				t.Errorf("%s.%s: may be null: %t, want %t", name, property, null, means)
			}
		}
	}
	slices.Sort(calls)
	if got := strings.Join(calls, "\n"); got != contract {
		t.Errorf("got\n%s\nwant\n%s", got, contract)
	}
}

// contract is the calls that there are.
const contract = `DELETE /v1/owners/{name}
DELETE /v1/partners/{name}
DELETE /v1/partners/{name}/contact
DELETE /v1/partners/{name}/credentials/{credentials}
DELETE /v1/partners/{name}/invitations/{id}
DELETE /v1/webhooks/{id}
DELETE /v1/webhooks/{id}/shares/{partner}/{sheet}
GET /v1/dead
GET /v1/doctor
GET /v1/events
GET /v1/keys
GET /v1/overview
GET /v1/owners
GET /v1/owners/{name}
GET /v1/owners/{name}/access
GET /v1/owners/{name}/sheets
GET /v1/owners/{name}/sheets/{id}/columns
GET /v1/partners
GET /v1/partners/{name}
GET /v1/partners/{name}/contract
GET /v1/partners/{name}/credentials
GET /v1/partners/{name}/invitations
GET /v1/partners/{name}/reading
GET /v1/webhooks
GET /v1/webhooks/{id}
GET /v1/webhooks/{id}/shares/{partner}/{sheet}/rows/{row}/explain
PATCH /v1/partners/{name}
POST /v1/dead/{id}/retry
POST /v1/keys/rotate
POST /v1/keys/rotate-master
POST /v1/owners
POST /v1/owners/{name}/authorize
POST /v1/partners
POST /v1/partners/{name}/credentials
POST /v1/partners/{name}/invitations
POST /v1/webhooks
POST /v1/webhooks/{id}/enable
POST /v1/webhooks/{id}/reconcile
POST /v1/webhooks/{id}/rotate-secret
POST /v1/webhooks/{id}/shares/{partner}/{sheet}/erase
POST /v1/webhooks/{id}/shares/{partner}/{sheet}/explain-write
POST /v1/webhooks/{id}/shares/{partner}/{sheet}/resend
PUT /v1/owners/{name}/token
PUT /v1/partners/{name}/contact
PUT /v1/webhooks/{id}/shares/{partner}/{sheet}`

// TestDocumentIsWellFormed holds the document to what Redocly and Spectral ask for.
func TestDocumentIsWellFormed(t *testing.T) {
	t.Parallel()
	text, err := admin.OpenAPI()
	if err != nil {
		t.Fatal(err)
	}
	var d struct {
		Servers []struct{ URL string }
		Tags    []struct{ Name, Description string }
		Paths   map[string]map[string]struct {
			Tags      []string
			Responses map[string]any
		}
	}
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	if len(d.Servers) == 0 || d.Servers[0].URL == "" {
		t.Error("got no servers")
	}
	if strings.Contains(string(text), `"patternDescription"`) {
		t.Error("got patternDescription, which OpenAPI does not have")
	}
	defined := map[string]bool{}
	for _, tag := range d.Tags {
		defined[tag.Name] = tag.Description != ""
	}
	for path, operations := range d.Paths {
		for method, operation := range operations {
			if operation.Responses["422"] == nil {
				t.Errorf("%s %s: 422, for parameters that it does not know, is not documented", method, path)
			}
			for _, tag := range operation.Tags {
				if !defined[tag] {
					t.Errorf("%s %s: tag %s is not described", method, path, tag)
				}
			}
		}
	}
}

// Every call that leads out of something is in the document, under its own path.
func TestActionsAreCalls(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{})
	paths := w.send("", "GET", "/openapi.json", "").at("paths").(map[string]any)
	for _, action := range problem.Calls() {
		if methods, _ := paths[action.Path].(map[string]any); methods[strings.ToLower(action.Method)] == nil {
			t.Errorf("%s %s is not in the document", action.Method, action.Path)
		}
	}
}
