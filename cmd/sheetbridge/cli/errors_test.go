package cli

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sheetbridge/sheetbridge/webhook/admin"
)

func TestDiagnosisText(t *testing.T) {
	d := &admin.Diagnosis{At: time.Unix(0, 0), Items: []admin.Check{
		{Area: "owner", Name: "ops", Level: "wrong", Detail: "refused", Todo: "replace its token with PUT /v1/owners/ops/token"},
		{Area: "queue", Name: "given up", Level: "warning", Detail: "2 hints were given up", Todo: "GET /v1/dead says why"},
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
         → sheetbridge dead says why
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
		"advice":       {&APIError{404, "404 Not Found", "there is no owner: GET /v1/owners lists them"}, "there is no owner: sheetbridge owners lists them (404 Not Found)"},
		"one share":    {&APIError{409, "409 Conflict", "change it with PUT /v1/webhooks/0a-b/shares/acme/orders"}, "change it with sheetbridge shares change acme/orders (409 Conflict)"},
		"wrong token":  {&APIError{401, "401 Unauthorized", "send the header"}, "the service does not know this token: set SHEETBRIDGE_ADMIN_TOKEN to one of the tokens that serve was given"},
		"reader":       {&APIError{403, "403 Forbidden", "may only read"}, "this token is read-only: set SHEETBRIDGE_ADMIN_TOKEN to one without :ro: in it"},
		"something":    {errors.New("x"), "x"},
		"a reconcile":  {&APIError{502, "502 Bad Gateway", "POST /v1/webhooks/0a-b/reconcile now"}, "sheetbridge webhooks reconcile 0a-b now (502 Bad Gateway)"},
		"a new sheet":  {&APIError{422, "422", "POST /v1/webhooks"}, "sheetbridge shares add (422)"},
		"its sheets":   {&APIError{422, "422", "GET /v1/owners/ops/sheets lists"}, "sheetbridge owners sheets ops lists (422)"},
		"a consent":    {&APIError{422, "422", "POST /v1/owners/{name}/authorize"}, "sheetbridge owners authorize {name} (422)"},
		"credentials":  {&APIError{404, "404", "GET /v1/partners/acme/credentials lists them"}, "sheetbridge partners credentials acme lists them (404)"},
		"to try again": {&APIError{404, "404", "POST /v1/dead/{id}/retry"}, "sheetbridge dead retry {id} (404)"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := p.explainError(tc.err).Error(); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}
