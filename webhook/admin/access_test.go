package admin_test

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/sheetbridge/sheetbridge/smartsheet/smartsheettest"
	"github.com/sheetbridge/sheetbridge/webhook/admin"
	"github.com/sheetbridge/sheetbridge/webhook/audit"
	"github.com/sheetbridge/sheetbridge/webhook/owner"
	"github.com/sheetbridge/sheetbridge/webhook/registry"
)

// texts is a list of texts in an answer, one a line.
func (r reply) texts(path ...any) string {
	r.t.Helper()
	list, _ := r.at(path...).([]any)
	var b strings.Builder
	for _, item := range list {
		fmt.Fprintln(&b, item)
	}
	return b.String()
}

func TestAccessReport(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{})
	w.owner()
	w.partner("acme")
	for i := range 299 {
		w.addSheet("Other " + strconv.Itoa(i))
	}
	if r := w.ok(201, "POST", "/v1/webhooks", w.request(share)); !strings.Contains(r.texts("warnings"), "299 sheets") {
		t.Errorf("got warnings %s at the registration, want the 299 sheets", r.texts("warnings"))
	}
	r := w.ok(200, "GET", "/v1/owners/ops/access", "")
	if r.at("sheetsReached") != 300.0 || r.at("sheetsShared") != 1.0 {
		t.Errorf("got %s, want 300 reached and 1 shared", r.text)
	}
	if got, want := r.text1("verdict"), "this token can read 300 sheets; 1 is shared: use an account that sees only this one"; got != want {
		t.Errorf("got verdict %q, want %q", got, want)
	}
	if got := r.texts("warnings"); !strings.Contains(got, "299 sheets") || !strings.Contains(got, "VIEWER is enough") {
		t.Errorf("got warnings %s, want the sheets and the right to change", got)
	}
	if got := r.texts("steps"); !strings.Contains(got, `"Orders 2026"`) || !strings.Contains(got, "as Viewer") {
		t.Errorf("got steps %s, want how to make a user who sees only what is shared", got)
	}
}

func TestAccessReportOfAUserWhoSeesTwoSheets(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{})
	reader := w.sim.AddUser(smartsheettest.User{Email: "bridge@a.example", Name: "Bridge"})
	second := w.addSheet("Plan")
	for i := range 5 {
		w.addSheet("Private " + strconv.Itoa(i))
	}
	for _, id := range []int64{w.sheet.ID, second.ID} {
		must(t, w.sim.As(w.jane).Share(id, reader, smartsheettest.AccessViewer))
	}
	w.ok(201, "POST", "/v1/owners", `{"name":"ops","token":"`+w.sim.AddToken(reader)+`","region":"us"}`)
	w.partner("acme")
	w.registered()
	w.sheet = second
	w.ok(201, "POST", "/v1/webhooks", w.request(strings.Replace(share, "orders", "plan", 1)))
	r := w.ok(200, "GET", "/v1/owners/ops/access", "")
	if got, want := r.text1("verdict"), "this token can read 2 sheets; 2 are shared: it reaches no more than needed"; got != want {
		t.Errorf("got verdict %q, want %q", got, want)
	}
	if got := r.texts("warnings") + r.texts("steps"); got != "" {
		t.Errorf("got %s, want no warning and no step", got)
	}
}

// TestAccessReportOfAWriter wants that it may edit, and no more.
func TestAccessReportOfAWriter(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{})
	writer := w.sim.AddUser(smartsheettest.User{Email: "writer@a.example", Name: "Writer"})
	must(t, w.sim.As(w.jane).Share(w.sheet.ID, writer, smartsheettest.AccessEditor))
	w.owner()
	w.ok(201, "POST", "/v1/owners", `{"name":"writer","token":"`+w.sim.AddToken(writer)+`","region":"us"}`)
	w.partner("acme")
	w.ok(201, "POST", "/v1/webhooks", w.request(strings.Replace(share, `{`, `{"write":{"update":["state"],"owner":"writer"},`, 1)))
	r := w.ok(200, "GET", "/v1/owners/writer/access", "")
	if got := r.texts("warnings"); got != "" || r.texts("shared", 0, "writes") != "acme\n" || r.texts("shared", 0, "with") != "" {
		t.Errorf("got %s, want that acme writes, and no warnings", r.text)
	}
	if got := w.ok(200, "GET", "/v1/owners/ops/access", ""); got.texts("shared", 0, "writes") != "" || !strings.Contains(got.texts("warnings"), "VIEWER is enough") {
		t.Errorf("got %s of the owner who only reads", got.text)
	}
	must(t, w.sim.As(w.jane).Share(w.sheet.ID, writer, smartsheettest.AccessAdmin))
	if got := w.ok(200, "GET", "/v1/owners/writer/access", ""); !strings.Contains(got.texts("warnings"), "EDITOR is enough for the writes of acme") || !strings.Contains(got.texts("steps"), "as Editor") {
		t.Errorf("got %s, want that it may do more than needed", got.text)
	}
	must(t, w.sim.As(w.jane).Share(w.sheet.ID, writer, smartsheettest.AccessViewer))
	if got := w.ok(200, "GET", "/v1/owners/writer/access", ""); !strings.Contains(got.texts("warnings"), "in whose name writes of acme are to be made, so that they are refused") {
		t.Errorf("got %s, want that it may not do what is needed", got.text)
	}
}

func TestAdministratorsAreWarnedOf(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{})
	boss := w.sim.AddUser(smartsheettest.User{Email: "boss@a.example", Name: "Boss", Admin: true})
	token := w.sim.AddToken(boss)
	if r := w.ok(201, "POST", "/v1/owners", `{"name":"boss","token":"`+token+`","region":"us"}`); !strings.Contains(r.texts("warnings"), "System Admin") {
		t.Errorf("got %s, want a warning that the user is a System Admin", r.text)
	}
	r := w.ok(201, "POST", "/v1/owners", `{"name":"jane","token":"`+token+`","region":"us","assumeUser":"jane@a.example"}`)
	if got := r.texts("warnings"); r.at("kind") != "assume" || !strings.Contains(got, "act for every user") {
		t.Errorf("got %s, want a warning that the token can act for all", r.text)
	}
	// Both stand on one token: what one uses, the other has used.
	w.ok(200, "GET", "/v1/owners/boss/sheets", "")
	boss1, jane1 := w.ok(200, "GET", "/v1/owners/boss", ""), w.ok(200, "GET", "/v1/owners/jane", "")
	if boss1.at("lastUsed") == nil || boss1.at("lastUsed") != jane1.at("lastUsed") || boss1.at("requestsThisMinute") != jane1.at("requestsThisMinute") {
		t.Errorf("got %s and %s, want the same use of the token", boss1.text, jane1.text)
	}
}

// TestWhatTheAdminReads: each way in which a token can be wrong, in words about
// what to do.
func TestWhatTheAdminReads(t *testing.T) {
	t.Parallel()
	other := smartsheettest.New(t)
	foreign := other.AddToken(other.AddUser(smartsheettest.User{Email: "jane@a.example"}))
	tests := map[string]struct {
		make  func(w *world) (token, assume string)
		code  string
		words string
	}{
		"no token of anybody": {func(*world) (string, string) { return "0123456789abcdef", "" }, "1002", "Personal Settings"},
		"revoked":             {func(w *world) (string, string) { w.sim.RevokeToken(w.token); return w.token, "" }, "1002", "revoked"},
		"of another region":   {func(*world) (string, string) { return foreign, "" }, "1002", "region"},
		"unlicensed":          {func(w *world) (string, string) { w.sim.SetLicence(w.jane, false); return w.token, "" }, "1013", "licence"},
		"not an administrator's": {func(w *world) (string, string) {
			w.sim.AddUser(smartsheettest.User{Email: "bob@a.example"})
			return w.token, "bob@a.example"
		}, "1030", "System Admin's"},
		"for a user who is not there": {func(w *world) (string, string) { return w.boss(), "nobody@a.example" }, "1030", "primary e-mail"},
		"for another administrator": {func(w *world) (string, string) {
			w.sim.AddUser(smartsheettest.User{Email: "cto@a.example", Admin: true})
			return w.boss(), "cto@a.example"
		}, "1030", "own token"},
		"for an unlicensed administrator": {func(w *world) (string, string) {
			u := w.sim.AddUser(smartsheettest.User{Email: "old@a.example", Admin: true})
			w.sim.SetLicence(u, false)
			return w.sim.AddToken(u), "jane@a.example"
		}, "1013", "licence"},
		"single sign-on":    {fault(401, 1005), "1005", "single sign-on"},
		"assume only":       {fault(400, 1044), "1044", "assumeUser"},
		"user not allowed":  {fault(403, 1271), "1271", "consent"},
		"not enabled":       {fault(403, 1275), "1275", "not enabled"},
		"egress policy":     {fault(403, 1363), "1363", "Data Egress Policy"},
		"multi-factor":      {fault(403, 1362), "1362", "multi-factor"},
		"bad header":        {fault(400, 1272), "1272", "primary e-mail"},
		"owner not allowed": {fault(403, 1270), "1270", "own token"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, setup{})
			token, assume := test.make(w)
			body := `{"name":"ops","token":"` + token + `","region":"us"`
			if assume != "" {
				body += `,"assumeUser":"` + assume + `"`
			}
			r := w.send(writer, "POST", "/v1/owners", body+"}")
			r.refused(422, "body.token", "errorCode "+test.code)
			r.refused(422, "body.token", test.words)
			if strings.Contains(r.text, token) {
				t.Error("the answer repeats the token")
			}
			if r := w.ok(200, "GET", "/v1/owners", ""); r.text != `{"items":[]}`+"\n" {
				t.Errorf("got %s, want nothing stored", r.text)
			}
		})
	}
}

func (w *world) boss() string {
	return w.sim.AddToken(w.sim.AddUser(smartsheettest.User{Email: "boss@a.example", Admin: true}))
}

func fault(status, code int) func(*world) (string, string) {
	return func(w *world) (string, string) {
		w.sim.SetFault(func(*http.Request) *smartsheettest.Fault {
			return &smartsheettest.Fault{Status: status, ErrorCode: code}
		})
		return w.token, ""
	}
}

func TestOwnersByConsent(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{api: func(a *admin.API) {
		a.Access.OAuth = &owner.OAuth{Access: a.Access, ClientID: "app", Secret: "planted-app-secret", Log: a.Log}
	}})
	r := w.ok(201, "POST", "/v1/owners", `{"name":"jane","kind":"oauth","region":"us"}`)
	first := r.text1("authorizeUrl")
	if r.at("state") != "authorize" || r.at("kind") != "oauth" || !strings.HasPrefix(first, strings.TrimSuffix(w.sim.URL(), "/2.0")+"/b/authorize?") {
		t.Errorf("got %s, want an address to consent at", r.text)
	}
	again := w.ok(200, "POST", "/v1/owners/jane/authorize", "")
	if got := again.text1("authorizeUrl"); got == first {
		t.Error("got the same address again, want a new one")
	}
	if r := w.ok(200, "GET", "/v1/owners/jane", ""); r.at("authorizeUrl") != nil {
		t.Errorf("got %s, want the address shown once", r.text)
	}
	w.refused(409, "", "authorize", "GET", "/v1/owners/jane/access", "")
	w.refused(409, "", "authorize", "PUT", "/v1/owners/jane/token", `{"token":"`+w.token+`"}`)
	w.refused(422, "body.token", "hands over a key", "POST", "/v1/owners", `{"name":"bob","kind":"oauth","region":"us","token":"`+w.token+`"}`)
	w.refused(422, "body.assumeUser", "consents", "POST", "/v1/owners", `{"name":"bob","kind":"oauth","region":"us","assumeUser":"b@a.example"}`)
	w.refused(409, "body.name", "already", "POST", "/v1/owners", `{"name":"jane","kind":"oauth","region":"us"}`)
	w.refused(404, "", "no owner", "POST", "/v1/owners/nobody/authorize", "")
	w.owner()
	w.refused(409, "", "stands on a token", "POST", "/v1/owners/ops/authorize", "")
	w.ok(204, "DELETE", "/v1/owners/jane", "")
	if text := w.logs.String() + w.answers.String(); strings.Contains(text, "planted-app-secret") {
		t.Error("the app's secret is in a log or an answer")
	}
}

func TestWithoutAnAppNobodyConsents(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{})
	w.refused(422, "body.kind", "SHEETBRIDGE_OAUTH_CLIENT_ID", "POST", "/v1/owners", `{"name":"jane","kind":"oauth","region":"us"}`)
}

func TestKeysAreRotated(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{})
	w.owner()
	r := w.ok(200, "POST", "/v1/keys/rotate", "")
	if r.at("items", 0, "state") != "disabled" || r.at("items", 1, "state") != "primary" || r.at("items", 1, "sealed") != 1.0 {
		t.Errorf("got %s, want the old key disabled and the token under the new one", r.text)
	}
	w.ok(200, "GET", "/v1/owners/ops/sheets", "") // the token opens
}

// audited gives a world an audit log.
func audited(t *testing.T) *world {
	var log *audit.Log
	w := newWorld(t, setup{api: func(a *admin.API) {
		var err error
		log, err = audit.Open(t.Context(), a.Broker.Bridge(), audit.Key(a.Access.Master), 1)
		must(t, err)
		a.Audit = log
		a.Registry.OnChange = func(ctx context.Context, n registry.Change) error {
			return log.Append(ctx, n.What, n.On, audit.Changed, n.Details)
		}
	}})
	return w
}

func TestEveryActionIsAudited(t *testing.T) {
	t.Parallel()
	w := audited(t)
	w.owner()
	w.partner("acme")
	id := w.registered()
	w.ok(200, "PUT", "/v1/webhooks/"+id+"/shares/acme/orders", `{"columns":[{"title":"No"}],"breaking":true}`)
	w.ok(201, "POST", "/v1/partners/acme/credentials", `{"name":"erp"}`)
	w.ok(204, "DELETE", "/v1/partners/acme/credentials/erp", "")
	w.ok(204, "DELETE", "/v1/webhooks/"+id+"/shares/acme/orders", "")
	w.refused(404, "", "no owner", "DELETE", "/v1/owners/nobody", "")
	r := w.ok(200, "GET", "/v1/audit?limit=1000", "")
	var lines []string
	items := r.at("items").([]any)
	for i := len(items) - 1; i >= 0; i-- {
		e := items[i].(map[string]any)
		lines = append(lines, fmt.Sprint(e["who"], " ", e["outcome"], " ", e["what"], " ", e["on"]))
		if e["who"] != "alice" {
			t.Errorf("got %v, want alice as who", e)
		}
	}
	got := strings.ReplaceAll(strings.Join(lines, "\n"), id, "ID")
	want := `alice begun POST /v1/owners /v1/owners
alice changed owner added ops
alice done POST /v1/owners /v1/owners
alice begun POST /v1/partners /v1/partners
alice changed partner added acme
alice changed credentials made acme/default
alice done POST /v1/partners /v1/partners
alice begun POST /v1/webhooks /v1/webhooks
alice changed share added acme/orders
alice done POST /v1/webhooks /v1/webhooks
alice begun PUT /v1/webhooks/:id/shares/:partner/:sheet /v1/webhooks/ID/shares/acme/orders
alice changed share changed acme/orders
alice done PUT /v1/webhooks/:id/shares/:partner/:sheet /v1/webhooks/ID/shares/acme/orders
alice begun POST /v1/partners/:name/credentials /v1/partners/acme/credentials
alice changed credentials made acme/erp
alice done POST /v1/partners/:name/credentials /v1/partners/acme/credentials
alice begun DELETE /v1/partners/:name/credentials/:credentials /v1/partners/acme/credentials/erp
alice changed credentials revoked acme/erp
alice done DELETE /v1/partners/:name/credentials/:credentials /v1/partners/acme/credentials/erp
alice begun DELETE /v1/webhooks/:id/shares/:partner/:sheet /v1/webhooks/ID/shares/acme/orders
alice changed share ended acme/orders
alice done DELETE /v1/webhooks/:id/shares/:partner/:sheet /v1/webhooks/ID/shares/acme/orders
alice begun DELETE /v1/owners/:name /v1/owners/nobody
alice refused DELETE /v1/owners/:name /v1/owners/nobody`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	verified := w.ok(200, "GET", "/v1/audit/verify", "")
	if verified.at("intact") != true || verified.at("entries") != float64(len(items)) {
		t.Errorf("got %s, want the log intact", verified.text)
	}
	if strings.Contains(r.text, w.token) || strings.Contains(r.text, "planted") {
		t.Error("the audit log holds a secret or a cell")
	}
}

// What cannot change anything is no entry.
func TestNothingDoneIsNotAudited(t *testing.T) {
	t.Parallel()
	w := audited(t)
	w.owner()
	w.partner("acme")
	id := w.registered()
	before := w.ok(200, "GET", "/v1/audit", "").text
	for _, r := range []struct {
		method, path, body string
		status             int
	}{
		{"OPTIONS", "/v1/owners", "", 204},
		{"OPTIONS", "/v1/webhooks/" + id, "", 204},
		{"OPTIONS", "/v1/nothing", "", 404},
		{"PATCH", "/v1/owners", "{}", 405},
		{"POST", "/v1/nothing", "{}", 404},
		{"GET", "/v1/webhooks?dryRun=true", "", 422},
	} {
		if got := w.send(writer, r.method, r.path, r.body); got.status != r.status {
			t.Errorf("%s %s: got %d %s, want %d", r.method, r.path, got.status, got.text, r.status)
		}
	}
	if got := w.ok(200, "GET", "/v1/audit", "").text; got != before {
		t.Errorf("got %s, want %s", got, before)
	}
	w.ok(422, "DELETE", "/v1/owners/ops?dryRun=true", "") // means nothing there
	w.ok(200, "POST", "/v1/webhooks?dryRun=false", w.request(`{"partner":"acme","sheet":"more","columns":[{"title":"No"}]}`))
	if got := w.ok(200, "GET", "/v1/audit", ""); strings.Count(got.text, `"what":"DELETE /v1/owners/:name"`) != 2 || !strings.Contains(got.text, "acme/more") {
		t.Errorf("got %s, want what may have been done in it", got.text)
	}
}

// Whoever is shown cells is in the log, with what, from where and by which request:
// a dry run is a way to read a sheet.
func TestPreviewsAreAudited(t *testing.T) {
	t.Parallel()
	w := audited(t)
	w.owner()
	w.partner("acme")
	id := w.registered()
	row := strconv.FormatInt(w.sheet.Rows[0], 10)
	sheet := strconv.FormatInt(w.sheet.ID, 10)
	more := w.request(`{"partner":"acme","sheet":"more","columns":[{"title":"Margin"}]}`)
	for _, tc := range []struct{ token, method, path, body, on, details string }{
		{writer, "POST", "/v1/webhooks?dryRun=true", more, "ops/" + sheet, `"Margin"`},
		{writer, "POST", "/v1/webhooks?dryRun=1", more, "ops/" + sheet, `"rows":2`},
		{reader, "GET", "/v1/webhooks/" + id + "/shares/acme/orders/rows/" + row + "/explain", "", "acme/orders/" + row, ""},
	} {
		got := w.send(tc.token, tc.method, tc.path, tc.body)
		if got.status != 200 {
			t.Fatalf("%s: got %d %s, want 200", tc.path, got.status, got.text)
		}
		newest := w.ok(200, "GET", "/v1/audit?limit=1", "")
		if e := newest.at("items", 0).(map[string]any); e["outcome"] != "previewed" || e["on"] != tc.on || e["client"] != "127.0.0.1" ||
			e["request"] != got.header.Get("X-Request-Id") || !strings.Contains(newest.text, tc.details) || strings.Contains(newest.text, "planted") {
			t.Errorf("%s: got %s, want who was shown what, and no cell", tc.path, newest.text)
		}
	}
	js, err := jetstream.New(w.broker.Bridge())
	must(t, err)
	must(t, js.DeleteStream(t.Context(), audit.StreamName))
	w.refused(503, "", "audit log", "POST", "/v1/webhooks?dryRun=true", more)
}

func TestWhatCannotBeAuditedIsNotDone(t *testing.T) {
	t.Parallel()
	w := audited(t)
	js, err := jetstream.New(w.broker.Bridge())
	must(t, err)
	must(t, js.DeleteStream(t.Context(), audit.StreamName))
	w.refused(503, "", "audit log", "POST", "/v1/partners", `{"name":"acme"}`)
	if w.registry.Partner("acme") != nil {
		t.Error("a partner was added that the audit log does not know")
	}
	w.ok(200, "GET", "/v1/partners", "") // reading is free
}
