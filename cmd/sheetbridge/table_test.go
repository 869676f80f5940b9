package main

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sheetbridge/sheetbridge/webhook/admin"
)

func TestTable(t *testing.T) {
	list := tableOf("NAME", "STATE", "REASON")
	list.add("ops", "ok", "")
	list.add("jane-of-accounts", "refused", "revoked\x1b[31m\nin May")
	for name, tc := range map[string]struct {
		table *table
		want  string
	}{
		"rows":    {list, "NAME              STATE    REASON\nops               ok       -\njane-of-accounts  refused  revoked\\x1b[31m\\nin May\n"},
		"nothing": {tableOf("NAME"), "there is none\n"},
	} {
		t.Run(name, func(t *testing.T) {
			var b bytes.Buffer
			if err := tc.table.write(&b, "there is none"); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, b.String()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestDiagnosisText(t *testing.T) {
	d := &admin.Diagnosis{At: time.Unix(0, 0), Items: []admin.Check{
		{Area: "owner", Name: "ops", Level: "wrong", Detail: "refused", Todo: "replace its token with PUT /v1/owners/ops/token"},
		{Area: "queue", Name: "given up", Level: "warning", Detail: "2 hints were given up", Todo: "GET /v1/dead says why"},
		{Area: "nats", Name: "sync", Level: "ok", Detail: "always"},
	}}
	var b bytes.Buffer
	if err := writeDiagnosis(&b, false, d); err != nil {
		t.Fatal(err)
	}
	want := `WRONG    owner ops       refused
         → replace its token with sheetbridge owners token ops
warning  queue given up  2 hints were given up
         → sheetbridge dead says why
ok       nats sync       always
3 looked at: 1 ok, 1 warning, 1 wrong
`
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestWayOut says advice of the API in commands.
func TestWayOut(t *testing.T) {
	for name, tc := range map[string]struct {
		err  error
		want string
	}{
		"advice":       {&apiError{404, "404 Not Found", "there is no owner: GET /v1/owners lists them"}, "there is no owner: sheetbridge owners lists them (404 Not Found)"},
		"one share":    {&apiError{409, "409 Conflict", "change it with PUT /v1/webhooks/0a-b/shares/acme/orders"}, "change it with sheetbridge shares change acme/orders (409 Conflict)"},
		"wrong token":  {&apiError{401, "401 Unauthorized", "send the header"}, "the admin API does not know this token: set SHEETBRIDGE_ADMIN_TOKEN to one of those that serve was given"},
		"reader":       {&apiError{403, "403 Forbidden", "may only read"}, "this token may only read: set SHEETBRIDGE_ADMIN_TOKEN to one without :ro: in it"},
		"something":    {errors.New("x"), "x"},
		"a reconcile":  {&apiError{502, "502 Bad Gateway", "POST /v1/webhooks/0a-b/reconcile now"}, "sheetbridge webhooks reconcile 0a-b now (502 Bad Gateway)"},
		"a new sheet":  {&apiError{422, "422", "POST /v1/webhooks"}, "sheetbridge shares add (422)"},
		"its sheets":   {&apiError{422, "422", "GET /v1/owners/ops/sheets lists"}, "sheetbridge owners sheets ops lists (422)"},
		"a consent":    {&apiError{422, "422", "POST /v1/owners/{name}/authorize"}, "sheetbridge owners authorize {name} (422)"},
		"credentials":  {&apiError{404, "404", "GET /v1/partners/acme/credentials lists them"}, "sheetbridge partners credentials acme lists them (404)"},
		"to try again": {&apiError{404, "404", "POST /v1/dead/{id}/retry"}, "sheetbridge dead retry {id} (404)"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := wayOut(tc.err).Error(); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}
