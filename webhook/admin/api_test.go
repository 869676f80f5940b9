package admin_test

import (
	"context"
	"errors"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/sheetbridge/sheetbridge/webhook/admin"
)

func TestBearer(t *testing.T) {
	w := newWorld(t, setup{})
	for name, tc := range map[string]struct {
		header, method, path string
		status               int
	}{
		"no token":           {"", "GET", "/v1/owners", 401},
		"wrong token":        {"Bearer nobody-0123456789abcdef", "GET", "/v1/owners", 401},
		"part of a token":    {"Bearer " + writer[:20], "GET", "/v1/owners", 401},
		"more than a token":  {"Bearer " + writer + "0", "GET", "/v1/owners", 401},
		"empty token":        {"Bearer ", "GET", "/v1/owners", 401},
		"basic":              {"Basic " + writer, "GET", "/v1/owners", 401},
		"writer reads":       {"Bearer " + writer, "GET", "/v1/owners", 200},
		"scheme in any case": {"bearer " + writer, "GET", "/v1/owners", 200},
		"reader reads":       {"Bearer " + reader, "GET", "/v1/owners", 200},
		"reader posts":       {"Bearer " + reader, "POST", "/v1/owners", 403},
		"reader deletes":     {"Bearer " + reader, "DELETE", "/v1/owners/ops", 403},
		"reader puts":        {"Bearer " + reader, "PUT", "/v1/owners/ops/token", 403},
		"no such route":      {"Bearer " + writer, "GET", "/v1/nothing", 404},
		"nothing for nobody": {"", "GET", "/v1/nothing", 401},
		"no such method":     {"Bearer " + writer, "PATCH", "/v1/owners", 405},
		"encoded path":       {"", "GET", "/%761/owners", 401},
		"doubled slash":      {"", "GET", "//v1/owners", 401},
	} {
		t.Run(name, func(t *testing.T) {
			req, err := http.NewRequestWithContext(t.Context(), tc.method, w.url+tc.path, nil)
			must(t, err)
			if tc.header != "" {
				req.Header.Set("Authorization", tc.header)
			}
			resp, err := http.DefaultClient.Do(req)
			must(t, err)
			defer resp.Body.Close()
			if resp.StatusCode != tc.status {
				t.Errorf("got %d, want %d", resp.StatusCode, tc.status)
			}
			if kind := resp.Header.Get("Content-Type"); tc.status >= 400 && kind != "application/problem+json" {
				t.Errorf("got %s, want a problem", kind)
			}
			if got := resp.Header.Get("WWW-Authenticate"); (tc.status == 401) != strings.HasPrefix(got, "Bearer") {
				t.Errorf("got WWW-Authenticate %q with %d", got, tc.status)
			}
		})
	}
}

func TestProbes(t *testing.T) {
	notReady := errors.New("the relay does not run")
	var ready error
	w := newWorld(t, setup{api: func(a *admin.API) {
		a.Ready = func(context.Context) error { return ready }
		a.Metrics = http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) { _, _ = rw.Write([]byte("sheetbridge_up 1\n")) })
	}})
	for path, want := range map[string]string{"/healthz": "ok\n", "/readyz": "ready\n", "/metrics": "sheetbridge_up 1\n"} {
		if r := w.send("", "GET", path, ""); r.status != 200 || r.text != want {
			t.Errorf("%s: got %d %q, want %q", path, r.status, r.text, want)
		}
	}
	ready = notReady
	w.send("", "GET", "/readyz", "").refused(503, "", notReady.Error())
	if r := w.send("", "GET", "/healthz", ""); r.status != 200 {
		t.Errorf("got %d, want healthy though not ready", r.status)
	}
}

func TestBodies(t *testing.T) {
	w := newWorld(t, setup{})
	for name, tc := range map[string]struct {
		body         string
		status       int
		field, words string
	}{
		"none":            {"", 422, "", "body is required"},
		"not JSON":        {`{"name":`, 422, "body", "JSON"},
		"not an object":   {`[]`, 422, "body", "object"},
		"unknown field":   {`{"name":"ops","token":"planted-secret","region":"us","colour":"blue"}`, 422, "body.colour", "unexpected"},
		"missing field":   {`{"name":"ops","token":"planted-secret"}`, 422, "body.region", "is required"},
		"wrong type":      {`{"name":7,"token":"planted-secret","region":"us"}`, 422, "body.name", "string"},
		"null":            {`{"name":null,"token":"planted-secret","region":"us"}`, 422, "body.name", "string"},
		"no such region":  {`{"name":"ops","token":"planted-secret","region":"mars"}`, 422, "body.region", "us, eu, au, gov"},
		"bad name":        {`{"name":"Ops_1","token":"planted-secret","region":"us"}`, 422, "body.name", "a-z, 0-9 and -"},
		"no token":        {`{"name":"ops","region":"us"}`, 422, "body.token", "is required"},
		"blanks in token": {`{"name":"ops","region":"us","token":"planted secret"}`, 422, "body.token", "without blanks"},
		"OAuth":           {`{"name":"ops","region":"us","kind":"oauth"}`, 422, "body.kind", "SHEETBRIDGE_OAUTH_CLIENT_ID"},
		"assume whom":     {`{"name":"ops","region":"us","kind":"assume","token":"planted-secret"}`, 422, "body.assumeUser", "e-mail"},
		"token and user":  {`{"name":"ops","region":"us","kind":"token","token":"planted-secret","assumeUser":"a@b.example"}`, 422, "body.kind", "assume"},
		"too large":       {`{"name":"` + strings.Repeat("x", 65<<10) + `"}`, 413, "", "too large"},
	} {
		t.Run(name, func(t *testing.T) {
			r := w.send(writer, "POST", "/v1/owners", tc.body)
			r.t = t
			r.refused(tc.status, tc.field, tc.words)
		})
	}
	w.send(writer, "POST", "/v1/owners", "name=ops", "Content-Type", "text/plain").refused(415, "", "")
	w.refused(422, "query.dryrun", "unknown", "POST", "/v1/webhooks?dryrun=true", w.request(share))
	if strings.Contains(w.answers.String(), "planted") {
		t.Errorf("an answer repeats a secret of its request: %s", w.answers)
	}
	if reqs := w.sim.Requests(); len(reqs) > 0 {
		t.Errorf("got %d requests to Smartsheet, want none", len(reqs))
	}
}

func TestOpenAPI(t *testing.T) {
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
			for _, status := range []string{"401", "500"} {
				if answers[status] == nil {
					t.Errorf("%s %s: no answer %s", method, path, status)
				}
			}
			if (answers["403"] == nil) != (method == "get") {
				t.Errorf("%s %s: 403 is %v", method, path, answers["403"])
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
DELETE /v1/partners/{name}/credentials/{credentials}
DELETE /v1/webhooks/{id}
DELETE /v1/webhooks/{id}/shares/{partner}/{sheet}
GET /v1/dead
GET /v1/owners
GET /v1/owners/{name}
GET /v1/owners/{name}/sheets
GET /v1/partners
GET /v1/partners/{name}
GET /v1/partners/{name}/credentials
GET /v1/webhooks
GET /v1/webhooks/{id}
POST /v1/dead/{id}/retry
POST /v1/owners
POST /v1/partners
POST /v1/partners/{name}/credentials
POST /v1/webhooks
POST /v1/webhooks/{id}/enable
POST /v1/webhooks/{id}/reconcile
POST /v1/webhooks/{id}/rotate-secret
POST /v1/webhooks/{id}/shares/{partner}/{sheet}/resend
PUT /v1/owners/{name}/token
PUT /v1/webhooks/{id}/shares/{partner}/{sheet}`
