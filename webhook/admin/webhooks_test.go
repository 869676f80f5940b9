package admin_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sheetbridge/sheetbridge/smartsheet/smartsheettest"
	"github.com/sheetbridge/sheetbridge/webhook/inbox"
	"github.com/sheetbridge/sheetbridge/webhook/registry"
)

func TestRegister(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{})
	w.relays()
	w.owner()
	w.partner("acme")
	made := w.ok(201, "POST", "/v1/webhooks", w.request(share))
	id, url := made.text1("id"), made.text1("callbackUrl")
	key := url[strings.LastIndex(url, "/")+1:]
	if made.text1("status") != "ENABLED" || made.text1("sheetId") != fmt.Sprint(w.sheet.ID) || made.text1("sheetName") != "Orders 2026" ||
		made.text1("owner") != "ops" || made.text1("webhookId") == "" || len(key) < 40 {
		t.Errorf("got %s, want an enabled webhook", made.text)
	}
	w.settle()
	got := w.ok(200, "GET", "/v1/webhooks/"+id, "")
	want := map[string]any{
		"partner": "acme", "sheet": "orders", "where": "state != 'Draft'", "kinds": []any{"row"}, "revision": 1.0, "state": "live", "progress": nil,
		"sheetColumns": 4.0, "filter": map[string]any{"rows": 2.0, "shown": 1.0, "failed": 0.0},
		"columns": []any{
			map[string]any{"columnId": fmt.Sprint(w.sheet.Columns["No"]), "title": "No", "as": "no", "type": "TEXT_NUMBER"},
			map[string]any{"columnId": fmt.Sprint(w.sheet.Columns["Status"]), "title": "Status", "as": "state", "type": "TEXT_NUMBER"},
		},
	}
	shown := got.at("shares", 0).(map[string]any)
	to := shown["completeTo"].(map[string]any)
	delete(shown, "completeTo")
	filter := shown["filter"].(map[string]any)
	delete(filter, "at")
	if diff := cmp.Diff(want, shown); diff != "" {
		t.Errorf("share (-want +got):\n%s", diff)
	}
	if got.at("sheetVersion") != to["version"] || got.text1("lastReconcile") == "" || got.at("backlog") != 0.0 || got.at("lastCallback") != nil {
		t.Errorf("got %s, want it complete to its version, with nothing to do", got.text)
	}
	if shownURL := got.text1("callbackUrl"); !strings.HasSuffix(shownURL, "/callbacks/…") {
		t.Errorf("got callbackUrl %q, want it without its key", shownURL)
	}
	again := w.ok(200, "POST", "/v1/webhooks", w.request(share+`,{"partner":"acme","sheet":"numbers","columns":[{"title":"No"}]}`))
	if again.text1("id") != id || len(again.at("shares").([]any)) != 2 {
		t.Errorf("got %s, want the share added", again.text)
	}
	if all := w.ok(200, "GET", "/v1/webhooks", ""); len(all.at("items").([]any)) != 1 || all.text1("items", 0, "id") != id {
		t.Errorf("got %s, want the one webhook", all.text)
	}
	w.silent(key, string(w.registry.Registration(id).Secrets(time.Now())[0]), "planted-margin")
}

// Where Smartsheet calls us is told once it has been looked at.
func TestLastCallback(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{})
	w.relays()
	w.owner()
	w.partner("acme")
	id := w.registered()
	w.settle()
	must(t, w.sim.As(w.jane).UpdateRows(w.sheet.ID, smartsheettest.Row{ID: w.sheet.Rows[0], Cells: smartsheettest.Cells{"Status": "Done"}}))
	w.settle()
	must(t, w.inbox.Put(t.Context(), &inbox.Hint{Registration: id, Why: inbox.WhyReconcile, Whole: true, Webhook: true, ReceivedAt: time.Now()}))
	w.settle()
	if got := w.ok(200, "GET", "/v1/webhooks/"+id, ""); got.at("lastCallback") == nil {
		t.Errorf("got %s, want the time of the callback", got.text)
	}
}

func TestDryRun(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{})
	w.owner()
	w.partner("acme")
	got := w.ok(200, "POST", "/v1/webhooks?dryRun=true", w.request(share))
	preview := got.at("shares", 0).(map[string]any)
	text, err := json.Marshal(preview["sample"])
	must(t, err)
	if preview["partner"] != "acme" || preview["sheet"] != "orders" || string(text) != `[{"no":"SO-1","state":"Open"}]` {
		t.Errorf("got %s, want the one row that is no draft", got.text)
	}
	if schema := preview["schema"].(map[string]any); schema["type"] != "object" || schema["properties"].(map[string]any)["state"] == nil {
		t.Errorf("got schema %v, want that of the share", schema)
	}
	if regs := w.registry.Registrations(); len(regs) != 0 {
		t.Errorf("got %d registrations, want none", len(regs))
	}
	for _, req := range w.sim.Requests() {
		if req.Method != http.MethodGet {
			t.Errorf("got %s %s, want nothing made at Smartsheet", req.Method, req.Path)
		}
	}
	w.refused(422, "body.shares[0].where", "nothing", "POST", "/v1/webhooks?dryRun=true", w.request(strings.Replace(share, "state !=", "nothing !=", 1)))
	w.send(reader, "POST", "/v1/webhooks?dryRun=true", w.request(share)).refused(403, "", "may only read")
}

func TestRegisterRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{})
	w.owner()
	w.partner("acme")
	other := w.addSheet("Other")
	column := func(c string) string { return w.request(`{"partner":"acme","columns":[` + c + `]}`) }
	for name, tc := range map[string]struct {
		body         string
		status       int
		field, words string
	}{
		"no such owner":    {strings.Replace(w.request(share), `"ops"`, `"nobody"`, 1), 422, "body.owner", "POST /v1/owners"},
		"number for an id": {`{"owner":"ops","sheetId":7,"shares":[` + share + `]}`, 422, "body.sheetId", "string"},
		"no id":            {`{"owner":"ops","sheetId":"seven","shares":[` + share + `]}`, 422, "body.sheetId", "digits"},
		"id too large":     {`{"owner":"ops","sheetId":"9999999999999999999","shares":[` + share + `]}`, 422, "body.sheetId", "GET /v1/owners/ops/sheets"},
		"no such sheet":    {`{"owner":"ops","sheetId":"7","shares":[` + share + `]}`, 422, "body.sheetId", "1006"},
		"no share":         {w.request(``), 422, "body.shares", ""},
		"no such partner":  {w.request(strings.Replace(share, "acme", "globex", 1)), 422, "body.shares[0].partner", "POST /v1/partners"},
		"sheet twice":      {w.request(share + "," + share), 422, "body.shares[1].sheet", "its own name"},
		"bad sheet name":   {w.request(strings.Replace(share, `"orders"`, `"Orders!"`, 1)), 422, "body.shares[0].sheet", "a-z, 0-9 and -"},
		"no columns":       {column(``), 422, "body.shares[0].columns", ""},
		"columns missing":  {w.request(`{"partner":"acme"}`), 422, "body.shares[0].columns", "is required"},
		"no such column":   {column(`{"title":"No"},{"title":"Nummer"}`), 422, "body.shares[0].columns[1].title", `no column "Nummer"`},
		"no such id":       {column(`{"columnId":"7"}`), 422, "body.shares[0].columns[0].columnId", "no column with the id 7"},
		"CEL word":         {column(`{"title":"No","as":"in"}`), 422, "body.shares[0].columns[0].as", "choose another"},
		"no such mask":     {column(`{"title":"No","mask":"rot13"}`), 422, "body.shares[0].columns[0].mask", "hash, redact"},
		"no such kind":     {w.request(strings.Replace(share, `"where"`, `"kinds":["cell"],"where"`, 1)), 422, "body.shares[0].kinds[0]", "row, attachment, comment"},
		"broken filter":    {w.request(strings.Replace(share, "state !=", "state != !=", 1)), 422, "body.shares[0].where", ""},
		"filter of a leak": {w.request(strings.Replace(share, "state !=", "cells['Marge'] !=", 1)), 422, "body.shares[0].where", "Marge"},
	} {
		t.Run(name, func(t *testing.T) {
			r := w.send(writer, "POST", "/v1/webhooks", tc.body)
			r.t = t
			r.refused(tc.status, tc.field, tc.words)
		})
	}
	w.sim.SetFault(func(r *http.Request) *smartsheettest.Fault {
		if r.Method == http.MethodPost {
			return &smartsheettest.Fault{Status: 403, ErrorCode: 1004}
		}
		return nil
	})
	w.refused(502, "", "not authorized", "POST", "/v1/webhooks", w.request(share))
	w.sim.SetFault(nil)
	if regs := w.registry.Registrations(); len(regs) != 0 {
		t.Errorf("got %d registrations, want none left", len(regs))
	}
	w.registered()
	elsewhere := strings.Replace(w.request(share), fmt.Sprint(w.sheet.ID), fmt.Sprint(other.ID), 1)
	w.refused(409, "body.shares[0].sheet", "another sheet under the name", "POST", "/v1/webhooks", elsewhere)
	w.refused(409, "body.shares[0].sheet", "change it with PUT", "POST", "/v1/webhooks", w.request(strings.Replace(share, "Draft", "Done", 1)))
}

func TestNotEnabled(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{})
	w.owner()
	w.partner("acme")
	w.api.Registrar.PublicURL = "http://127.0.0.1:1"
	w.refused(502, "", "SHEETBRIDGE_PUBLIC_URL", "POST", "/v1/webhooks", w.request(share))
	if regs := w.registry.Registrations(); len(regs) != 0 {
		t.Errorf("got %d registrations, want none left", len(regs))
	}
	if r := w.ok(200, "GET", "/v1/webhooks", ""); r.text != "{\"items\":[]}\n" {
		t.Errorf("got %s, want no webhooks", r.text)
	}
	var left struct {
		TotalCount int   `json:"totalCount"`
		Data       []any `json:"data"`
	}
	must(t, w.sim.As(w.jane).Do("GET", "webhooks", nil, &left))
	if len(left.Data) != 0 {
		t.Errorf("got %v, want nothing left at Smartsheet", left.Data)
	}
}

func TestPolling(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{polling: true})
	w.owner()
	w.partner("acme")
	made := w.ok(201, "POST", "/v1/webhooks", w.request(share))
	if made.text1("status") != "POLLING" || made.at("webhookId") != nil || made.at("callbackUrl") != nil {
		t.Errorf("got %s, want it polled", made.text)
	}
	if _, there := made.body["webhookId"]; !there {
		t.Errorf("got %s, want webhookId null", made.text)
	}
	w.refused(409, "", "polled", "POST", "/v1/webhooks/"+made.text1("id")+"/rotate-secret", "")
}

func TestShares(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{})
	w.relays()
	w.owner()
	w.partner("acme")
	id := w.registered()
	path := "/v1/webhooks/" + id + "/shares/acme/orders"
	w.settle()
	wider := `{"columns":[{"title":"No"},{"title":"Status","as":"state"},{"title":"Due Date"}],"where":"state != 'Draft'"}`
	if got := w.ok(200, "PUT", path, wider); got.at("revision") != 2.0 || got.text1("columns", 2, "as") != "due_date" || got.text1("state") == "unknown" {
		t.Errorf("got %s, want the wider share", got.text)
	}
	narrow := `{"columns":[{"title":"No"}]`
	w.refused(409, "", `"breaking": true`, "PUT", path, narrow+`}`)
	w.refused(422, "body.columns[0].title", "Nummer", "PUT", path, `{"columns":[{"title":"Nummer"}]}`)
	w.refused(422, "body.partner", "unexpected", "PUT", path, `{"partner":"acme","columns":[{"title":"No"}]}`)
	w.refused(404, "", "no share", "PUT", path+"x", wider)
	if got := w.ok(200, "PUT", path, narrow+`,"breaking":true}`); len(got.at("columns").([]any)) != 1 {
		t.Errorf("got %s, want one column", got.text)
	}
	if got := w.ok(202, "POST", path+"/resend", ""); got.text1("accepted") != "resend" {
		t.Errorf("got %s, want it accepted", got.text)
	}
	w.refused(404, "", "no share", "POST", path+"x/resend", "")
	w.settle()
	if got := w.ok(200, "GET", "/v1/webhooks/"+id, ""); got.text1("shares", 0, "state") != "live" || got.at("shares", 0, "revision") != 4.0 {
		t.Errorf("got %s, want revision 4 live", got.text)
	}
	w.ok(204, "DELETE", path, "")
	w.refused(404, "", "no share", "DELETE", path, "")
	if got := w.ok(200, "GET", "/v1/webhooks/"+id, ""); len(got.at("shares").([]any)) != 0 {
		t.Errorf("got %s, want no share", got.text)
	}
}

func TestWebhookActions(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{})
	w.relays()
	w.owner()
	w.partner("acme")
	id := w.registered()
	w.settle()
	old := w.registry.Registration(id).Secrets(time.Now())[0]
	for _, action := range []string{"enable", "reconcile", "rotate-secret"} {
		if got := w.ok(202, "POST", "/v1/webhooks/"+id+"/"+action, ""); got.text1("accepted") != action {
			t.Errorf("%s: got %s, want it accepted", action, got.text)
		}
		w.refused(404, "", "no webhook with the id", "POST", "/v1/webhooks/"+strings.Repeat("0", 36)+"/"+action, "")
		w.send(reader, "POST", "/v1/webhooks/"+id+"/"+action, "").refused(403, "", "may only read")
	}
	secrets := w.registry.Registration(id).Secrets(time.Now())
	if len(secrets) != 2 || secrets[0] == old || secrets[1] != old {
		t.Errorf("got %d secrets, want a new one and the old one", len(secrets))
	}
	w.settle()
	w.ok(204, "DELETE", "/v1/webhooks/"+id, "")
	w.refused(404, "", "no webhook with the id", "GET", "/v1/webhooks/"+id, "")
	w.refused(404, "", "no webhook with the id", "DELETE", "/v1/webhooks/"+id, "")
	w.settle()
	if w.registry.Registration(id) != nil {
		t.Error("got the registration still, want it gone")
	}
	w.ok(204, "DELETE", "/v1/owners/ops", "")
	w.silent(string(old), string(secrets[0]))
}

// An owner that is removed while a sheet is registered for it leaves nothing.
func TestOwnerRemovedMeanwhile(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{})
	w.owner()
	w.partner("acme")
	var once sync.Once
	w.sim.SetFault(func(r *http.Request) *smartsheettest.Fault {
		if strings.Contains(r.URL.Path, "/sheets/") {
			once.Do(func() { w.ok(204, "DELETE", "/v1/owners/ops", "") })
		}
		return nil
	})
	w.refused(409, "body.owner", "removed in the meantime", "POST", "/v1/webhooks", w.request(share))
	if regs := w.registry.Registrations(); len(regs) != 0 {
		t.Errorf("got %d registrations, want none left", len(regs))
	}
}

// A registration that is still being made or removed is not there for admins.
func TestUnfinishedIsHidden(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{})
	w.owner()
	reg, err := w.registry.NewRegistration("ops", w.sheet.ID)
	must(t, err)
	reg.Until = time.Now().Add(time.Hour)
	must(t, w.registry.CreateRegistration(t.Context(), reg))
	w.refused(404, "", "no webhook with the id", "GET", "/v1/webhooks/"+reg.ID, "")
	if r := w.ok(200, "GET", "/v1/webhooks", ""); r.text != "{\"items\":[]}\n" {
		t.Errorf("got %s, want no webhooks", r.text)
	}
}

// A partner that cannot be reached is unknown, and delays nobody else.
func TestUnreachablePartner(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{})
	w.relays()
	w.owner()
	w.partner("acme")
	id := w.ok(201, "POST", "/v1/webhooks", w.request(share)).text1("id")
	w.settle()
	silent := listen(t)
	t.Cleanup(func() { _ = silent.Close() })
	lost := &registry.Partner{Name: "lost"}
	sealed, err := w.registry.Sealer().SealString(w.partner("temp"), lost.SealName("credentials"))
	must(t, err)
	lost.External = &registry.External{URL: "nats://" + silent.Addr().String(), Credentials: sealed}
	must(t, w.registry.CreatePartner(t.Context(), lost))
	s := *w.registry.Shares(id)[0]
	s.Partner, s.Published = "lost", nil
	must(t, w.registry.CreateShares(t.Context(), []*registry.Share{&s}))
	got := w.ok(200, "GET", "/v1/webhooks/"+id, "")
	if got.text1("shares", 0, "state") != "live" || got.text1("shares", 1, "state") != "unknown" || got.text1("shares", 1, "reason") == "" {
		t.Errorf("got %s, want acme live and lost unknown", got.text)
	}
}

// errStop ends what a test began.
var errStop = errors.New("the test is over")

// A hundred who share one sheet at once are all answered that it is shared.
func TestSharesAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{polling: true})
	w.owner()
	w.partner("acme")
	var all sync.WaitGroup
	for i := range 100 {
		all.Go(func() {
			body := w.request(fmt.Sprintf(`{"partner":"acme","sheet":"s-%d","columns":[{"title":"No"},{"title":"Status"}]}`, i))
			req, err := http.NewRequestWithContext(t.Context(), "POST", w.url+"/v1/webhooks", strings.NewReader(body))
			if err != nil {
				t.Error(err)
				return
			}
			req.Header.Set("Authorization", "Bearer "+writer)
			req.Header.Set("Content-Type", "application/json")
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Error(err)
				return
			}
			defer resp.Body.Close()
			text, err := io.ReadAll(resp.Body)
			if err != nil || resp.StatusCode != 200 && resp.StatusCode != 201 {
				t.Errorf("share %d: got %d %s and error %v", i, resp.StatusCode, text, err)
			}
		})
	}
	all.Wait()
	if got := len(w.registry.AllShares()); got != 100 {
		t.Errorf("got %d shares, want 100", got)
	}
}
