package admin_test

import (
	"strings"
	"testing"
)

func TestBodies(t *testing.T) {
	t.Parallel()
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
		"null":            {`{"name":null,"token":"planted-secret","region":"us"}`, 422, "body.name", "null"},
		"null, optional":  {`{"name":"ops","token":"planted-secret","region":"us","assumeUser":null}`, 422, "body.assumeUser", "leave it out"},
		"all null":        {`null`, 422, "body", "object"},
		"not UTF-8":       {`{"name":"ops","token":"planted-secret` + "\xff" + `","region":"us"}`, 422, "body", "UTF-8"},
		"overridden":      {`{"name":"ops","region":"us","token":"planted-secret","REGION":"mars"}`, 422, "body.REGION", "unexpected"},
		"other case":      {`{"Name":"Bad Name!","region":"us","token":"planted-secret"}`, 422, "body.Name", "unexpected"},
		"twice":           {`{"name":"ops","region":"us","token":"planted-secret","region":"eu"}`, 422, "body.region", "twice"},
		"twice, escaped":  {`{"name":"ops","region":"us","token":"planted-secret","r\u0065gion":"eu"}`, 422, "body.region", "twice"},
		"folded":          {`{"name":"ops","region":"us","token":"planted-secret","to\u212aen":"x"}`, 422, "body.to\u212aen", "unexpected"},
		"two values":      {`{"name":"ops","region":"us","token":"planted-secret"} {}`, 422, "body", "after top-level value"},
		"nested":          {strings.Repeat("[", 20) + strings.Repeat("]", 20), 422, "body." + strings.Repeat("[0]", 17), "deep"},
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
	for field, tc := range map[string]struct{ share, words string }{
		"Columns":          {`{"partner":"acme","columns":[{"title":"No"}],"Columns":[{"title":"Margin"}]}`, "unexpected"},
		"Where":            {`{"partner":"acme","columns":[{"title":"No"}],"where":"false","Where":"true"}`, "unexpected"},
		"columns":          {`{"partner":"acme","columns":[{"title":"No"}],"columns":[{"title":"Margin"}]}`, "twice"},
		"where":            {`{"partner":"acme","columns":[{"title":"No"}],"where":null}`, "null"},
		"kinds":            {`{"partner":"acme","columns":[{"title":"No"}],"kinds":null}`, "null"},
		"columns[0].mask":  {`{"partner":"acme","columns":[{"title":"No","mask":null}]}`, "null"},
		"columns[0].TITLE": {`{"partner":"acme","columns":[{"title":"No","TITLE":"Margin"}]}`, "unexpected"},
	} {
		w.refused(422, "body.shares[0]."+field, tc.words, "POST", "/v1/webhooks", w.request(tc.share))
	}
	for _, kind := range []string{"APPLICATION/JSON", "Application/Json; charset=UTF-8", "application/json"} {
		w.send(writer, "POST", "/v1/owners", `{}`, "Content-Type", kind).refused(422, "body.name", "is required")
	}
	w.refused(422, "query.dryrun", "unknown", "POST", "/v1/webhooks?dryrun=true", w.request(share))
	if strings.Contains(w.answers.String(), "planted") {
		t.Errorf("an answer repeats a secret of its request: %s", w.answers)
	}
	if reqs := w.sim.Requests(); len(reqs) > 0 {
		t.Errorf("got %d requests to Smartsheet, want none", len(reqs))
	}
}
