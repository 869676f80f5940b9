package admin_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sheetbridge/sheetbridge/smartsheet/smartsheettest"
	"github.com/sheetbridge/sheetbridge/webhook/registry"
)

func TestOwners(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{})
	if r := w.ok(200, "GET", "/v1/owners", ""); r.text != "{\"items\":[]}\n" {
		t.Errorf("got %q, want an empty list", r.text)
	}
	boss := w.sim.AddUser(smartsheettest.User{Email: "boss@a.example", Admin: true})
	w.owner()
	assumed := w.ok(201, "POST", "/v1/owners", `{"name":"assumed","token":"`+w.sim.AddToken(boss)+`","region":"eu","assumeUser":"jane@a.example"}`)
	for field, want := range map[string]string{"name": "assumed", "email": "jane@a.example", "region": "eu", "kind": "assume", "state": "ok", "assumeUser": "jane@a.example"} {
		if got := assumed.text1(field); got != want {
			t.Errorf("%s: got %q, want %q", field, got, want)
		}
	}
	listed := w.ok(200, "GET", "/v1/owners", "")
	if listed.text1("items", 0, "name") != "assumed" || listed.text1("items", 1, "kind") != "token" {
		t.Errorf("got %s, want both owners", listed.text)
	}
	if got := w.ok(200, "GET", "/v1/owners/ops", "").text1("email"); got != "jane@a.example" {
		t.Errorf("got %q, want jane's", got)
	}
	sheets := w.ok(200, "GET", "/v1/owners/ops/sheets", "")
	if sheets.text1("items", 0, "id") != fmt.Sprint(w.sheet.ID) || sheets.text1("items", 0, "name") != "Orders 2026" || sheets.text1("items", 0, "permission") != "OWNER" {
		t.Errorf("got %s, want jane's sheet", sheets.text)
	}
	stored := w.registry.Owner("ops")
	if strings.Contains(string(stored.Token), w.token) || strings.Contains(stored.TokenID, w.token) || stored.UserID != w.jane.ID {
		t.Errorf("got %+v, want jane's with the token sealed", stored)
	}
	w.ok(204, "DELETE", "/v1/owners/assumed", "")
	w.refused(404, "", "there is no owner", "DELETE", "/v1/owners/assumed", "")
	w.refused(404, "", "there is no owner", "GET", "/v1/owners/assumed", "")
	w.refused(404, "", "there is no owner", "GET", "/v1/owners/assumed/sheets", "")
	w.refused(404, "", "there is no owner", "PUT", "/v1/owners/assumed/token", `{"token":"0123456789"}`)
}

func TestOwnerRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{})
	expired := w.sim.AddTokenUntil(w.jane, time.Unix(0, 0))
	add := func(token, more string) string {
		return `{"name":"x","token":"` + token + `","region":"us"` + more + `}`
	}
	w.refused(422, "body.token", "1002", "POST", "/v1/owners", add("planted-token-7", ""))
	w.refused(422, "body.token", "Your Access Token has expired", "POST", "/v1/owners", add(expired, ""))
	w.refused(422, "body.token", "1030", "POST", "/v1/owners", add(w.token, `,"assumeUser":"boss@a.example"`))
	for name, tc := range map[string]struct {
		fault smartsheettest.Fault
		words string
	}{
		"down":      {smartsheettest.Fault{Status: 503, ErrorCode: 4001}, "4001"},
		"gateway":   {smartsheettest.Fault{Status: 502, HTML: true}, "text/html"},
		"throttled": {smartsheettest.Fault{Status: 429, ErrorCode: 4003}, "Rate limit exceeded"},
		"hung up":   {smartsheettest.Fault{HangUp: true}, "EOF"},
	} {
		w.sim.SetFault(func(*http.Request) *smartsheettest.Fault { return &tc.fault })
		token := w.sim.AddToken(w.jane) // of its own: one that is throttled is left alone for a while
		r := w.send(writer, "POST", "/v1/owners", add(token, ""))
		t.Log(name, r.text)
		r.refused(502, "", tc.words)
		w.silent(token)
	}
	w.sim.SetFault(nil)
	if owners := w.registry.Owners(); len(owners) > 0 {
		t.Errorf("got %d owners, want none stored", len(owners))
	}
	w.owner()
	w.refused(409, "body.name", "choose another name", "POST", "/v1/owners", `{"name":"ops","token":"`+w.token+`","region":"us"}`)
	w.silent("planted-token-7", w.token, expired)
}

func TestReplaceToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{})
	w.owner()
	w.partner("acme")
	id := w.registered()
	must(t, w.registry.UpdateOwner(t.Context(), "ops", func(o *registry.Owner) error {
		o.State, o.Reason = registry.OwnerRefused, "401"
		return nil
	}))
	w.refused(409, "", "PUT /v1/owners/ops/token", "GET", "/v1/owners/ops/sheets", "")
	w.refused(409, "body.owner", "PUT /v1/owners/ops/token", "POST", "/v1/webhooks", w.request(share))
	vic := w.sim.AddUser(smartsheettest.User{Email: "vic@a.example"})
	w.refused(422, "body.token", "vic@a.example", "PUT", "/v1/owners/ops/token", `{"token":"`+w.sim.AddToken(vic)+`"}`)
	w.refused(422, "body.token", "1002", "PUT", "/v1/owners/ops/token", `{"token":"planted-token-7"}`)
	if got := w.ok(200, "GET", "/v1/owners/ops", "").text1("state"); got != "refused" {
		t.Errorf("got state %q, want refused still", got)
	}
	before, err := w.inbox.Backlog(t.Context())
	must(t, err)
	token := w.sim.AddToken(w.jane)
	if got := w.ok(200, "PUT", "/v1/owners/ops/token", `{"token":"`+token+`"}`).text1("state"); got != "ok" {
		t.Errorf("got state %q, want ok", got)
	}
	after, err := w.inbox.Backlog(t.Context())
	must(t, err)
	if after[id] != before[id]+1 {
		t.Errorf("got %d hints after %d, want one more", after[id], before[id])
	}
	w.sim.RevokeToken(w.token)
	w.ok(200, "GET", "/v1/owners/ops/sheets", "")
	w.refused(409, "", id, "DELETE", "/v1/owners/ops", "")
	w.silent(w.token, token, "planted-token-7")
}

// A token's budget is the admin's too.
func TestBudgetUsedUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{rate: 4})
	w.owner()
	r := w.send(writer, "GET", "/v1/owners/ops/sheets", "")
	if r.status == 200 {
		r = w.send(writer, "GET", "/v1/owners/ops/sheets", "")
	}
	r.refused(503, "", "SHEETBRIDGE_API_RATE")
	if r.header.Get("Retry-After") == "" {
		t.Error("got no Retry-After")
	}
}

// What Smartsheet takes longer for than a listener's time-outs is still done.
func TestSlowerThanTimeouts(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{server: func(s *http.Server) {
		s.ReadTimeout, s.WriteTimeout = 300*time.Millisecond, 300*time.Millisecond
	}})
	w.sim.SetFault(func(*http.Request) *smartsheettest.Fault { return &smartsheettest.Fault{Delay: time.Second} })
	r := w.send(writer, "POST", "/v1/owners", `{"name":"ops","token":"`+w.token+`","region":"us"}`)
	if r.status != http.StatusCreated {
		t.Errorf("got %d %s, want it added", r.status, r.text)
	}
}

// silent fails if any of the secrets is in the log or was answered to a GET or
// in a refusal.
func (w *world) silent(secrets ...string) {
	w.t.Helper()
	for i, secret := range secrets {
		if strings.Contains(w.logs.String(), secret) {
			w.t.Errorf("secret %d is in the log", i)
		}
		if strings.Contains(w.answers.String(), secret) {
			w.t.Errorf("secret %d is in an answer", i)
		}
	}
}
