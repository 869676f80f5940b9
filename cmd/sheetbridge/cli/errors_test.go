package cli

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sheetbridge/sheetbridge/webhook/admin"
	problems "github.com/sheetbridge/sheetbridge/webhook/problem"
)

func TestDiagnosisText(t *testing.T) {
	d := &admin.Diagnosis{At: time.Unix(0, 0), Items: []admin.Check{
		{Area: "owner", Name: "ops", Level: "wrong", Detail: "refused", Todo: "replace its token with PUT /v1/owners/ops/token"},
		{Area: "queue", Name: "given up", Level: "warning", Detail: "2 hints were given up", Todo: "look why", Action: problems.ListDead.For()},
		{Area: "nats", Name: "sync", Level: "ok", Detail: "always"},
	}}
	p := &program{resources: allResources()}
	var b bytes.Buffer
	if err := p.writeDiagnosis(&b, 80, d); err != nil {
		t.Fatal(err)
	}
	want := `WRONG    owner ops       refused
         → replace its token with sheetbridge owners token ops
warning  queue given up  2 hints were given up
         → look why: sheetbridge dead
ok       nats sync       always
3 checks: 1 ok, 1 warning, 1 wrong
`
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestExplainError says the API's advice in commands.
func TestExplainError(t *testing.T) {
	p := &program{resources: allResources()}
	for name, tc := range map[string]struct {
		err  error
		want string
	}{
		"advice":       {&APIError{Code: 404, Status: "404 Not Found", Detail: "there is no owner: GET /v1/owners lists them"}, "there is no owner: sheetbridge owners lists them (404 Not Found)"},
		"one share":    {&APIError{Code: 409, Status: "409 Conflict", Detail: "change it with PUT /v1/webhooks/0a-b/shares/acme/orders"}, "change it with sheetbridge shares change acme/orders (409 Conflict)"},
		"wrong token":  {&APIError{Code: 401, Status: "401 Unauthorized", Detail: "send the header"}, "the service does not know this token: set SHEETBRIDGE_ADMIN_TOKEN to one of the tokens that serve was given"},
		"reader":       {&APIError{Code: 403, Status: "403 Forbidden", Detail: "may only read"}, "this token is read-only: set SHEETBRIDGE_ADMIN_TOKEN to one without :ro: in it"},
		"certificate":  {&APIError{Code: 403, Status: "403 Forbidden", Detail: "show a client certificate of the authority"}, "the service wants a client certificate: set SHEETBRIDGE_ADMIN_CLIENT_CERT and SHEETBRIDGE_ADMIN_CLIENT_KEY to the files of one"},
		"something":    {errors.New("x"), "x"},
		"a reconcile":  {&APIError{Code: 502, Status: "502 Bad Gateway", Detail: "POST /v1/webhooks/0a-b/reconcile now"}, "sheetbridge webhooks reconcile 0a-b now (502 Bad Gateway)"},
		"a new sheet":  {&APIError{Code: 422, Status: "422", Detail: "POST /v1/webhooks"}, "sheetbridge shares add (422)"},
		"its sheets":   {&APIError{Code: 422, Status: "422", Detail: "GET /v1/owners/ops/sheets lists"}, "sheetbridge owners sheets ops lists (422)"},
		"a consent":    {&APIError{Code: 422, Status: "422", Detail: "POST /v1/owners/{name}/authorize"}, "sheetbridge owners authorize {name} (422)"},
		"credentials":  {&APIError{Code: 404, Status: "404", Detail: "GET /v1/partners/acme/credentials lists them"}, "sheetbridge partners credentials acme lists them (404)"},
		"its action":   {&APIError{Code: 409, Status: "409", Detail: "its access does not work", Action: to(problems.ReplaceToken, "ops")}, "its access does not work (409)\nNext: sheetbridge owners token ops"},
		"said already": {&APIError{Code: 409, Status: "409", Detail: "PUT /v1/owners/ops/token", Action: to(problems.ReplaceToken, "ops")}, "sheetbridge owners token ops (409)"},
		"a row":        {&APIError{Code: 404, Status: "404", Detail: "it has no such row", Action: to(problems.ExplainRow, "0a-b", "acme", "orders", "7")}, "it has no such row (404)\nNext: sheetbridge explain acme/orders 7"},
		"to try again": {&APIError{Code: 404, Status: "404", Detail: "POST /v1/dead/{id}/retry"}, "sheetbridge dead retry {id} (404)"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := p.explainError(tc.err).Error(); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

// Every call that leads out of something is a command.
func TestActionsAreCommands(t *testing.T) {
	p := &program{resources: allResources()}
	for _, action := range problems.Calls() {
		action.Path = strings.NewReplacer("{", "", "}", "").Replace(action.Path) // a name for each placeholder
		if got := p.commandFor(&action); !strings.HasPrefix(got, "sheetbridge ") {
			t.Errorf("%s %s: got %q, want a command", action.Method, action.Path, got)
		}
	}
}

func to(call problems.Call, names ...string) *admin.Action { return call.For(names...) }
