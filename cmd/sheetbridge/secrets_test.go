package main

import (
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/events/seal"
	"github.com/sheetbridge/sheetbridge/smartsheet/smartsheettest"
)

// planted is a sheet with what must not be seen: values of a column that is not
// shared and rows that the filter hides, with what hangs on them.
type planted struct {
	t     *testing.T
	sim   *smartsheettest.Server
	jane  *smartsheettest.User
	sheet *smartsheettest.Sheet
	token string
}

type cells = smartsheettest.Cells

func plant(t *testing.T) *planted {
	t.Helper()
	sim := smartsheettest.New(t)
	p := &planted{t: t, sim: sim, jane: sim.AddUser(smartsheettest.User{Email: "jane@a.example", Name: "Jane Doe"})}
	p.token = sim.AddToken(p.jane)
	var err error
	p.sheet, err = sim.AddSheet(smartsheettest.SheetSpec{
		Name: "Orders", Owner: p.jane,
		Columns: []smartsheettest.Column{{Title: "No"}, {Title: "Status", Type: "PICKLIST", Options: []string{"Open", "Done", "canary-option"}}, {Title: "canary-title"}},
		Rows: []smartsheettest.Row{
			{Cells: cells{"No": "SO-1", "Status": "Open", "canary-title": "canary-column-1"}},
			{Cells: cells{"No": "canary-row", "Status": "canary-option", "canary-title": 7}},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *planted) do(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
}

func (p *planted) set(row int, now cells) {
	p.t.Helper()
	p.do(p.sim.As(p.jane).UpdateRows(p.sheet.ID, smartsheettest.Row{ID: p.sheet.Rows[row], Cells: now}))
}

// TestNothingLeaks plants secrets and what is not shared, works with all of it,
// makes what can fail fail, and looks for it wherever it could come out.
func TestNothingLeaks(t *testing.T) {
	p := plant(t)
	s := startService(t, p.sim.URL())
	s.must("POST", "/v1/owners", map[string]string{"name": "ops", "region": "us", "token": p.token}, nil)
	var partner struct {
		Credentials seal.Secret `json:"credentials"`
	}
	s.must("POST", "/v1/partners", map[string]string{"name": "acme"}, &partner)
	id := strconv.FormatInt(p.sheet.ID, 10)
	share := events.Request{
		Partner: "acme", Columns: columnsOf("No", "Status"), Kinds: []string{"row", "attachment", "comment"},
		Where: `status != 'canary-option' && cells["canary-title"] != 7`,
	}
	var hook struct {
		ID          string `json:"id"`
		WebhookID   string `json:"webhookId"`
		CallbackURL string `json:"callbackUrl"`
	}
	s.must("POST", "/v1/webhooks", registration{"ops", id, []events.Request{share}}, &hook)
	out := s.tail(partner.Credentials)
	out.wait(t, `"state":"live"`)
	p.work(s, hook.CallbackURL, id)
	p.set(0, cells{"No": "SO-1b"})
	out.wait(t, `"after":{"no":"SO-1b"`)

	webhookID, err := strconv.ParseInt(hook.WebhookID, 10, 64)
	p.do(err)
	secrets := map[string]string{
		"Smartsheet token": p.token, "webhook secret": p.sim.WebhookSecret(webhookID), "callback key": hook.CallbackURL[strings.LastIndex(hook.CallbackURL, "/")+1:],
		"admin token": testToken, "read-only token": "canary-reader-token", "partner's seed": seedIn(string(partner.Credentials)),
		"wrong token": "canary-wrong-token",
	}
	hidden := map[string]string{
		"value of a hidden column": "canary-column", "hidden row": "canary-row", "text on a hidden row": "canary-text", "title": "canary-title", "option": "canary-option",
	}
	answers := s.answers(hook.ID)
	s.stop()
	logs := s.stderr.String()
	for name, secret := range secrets {
		for where, text := range map[string]string{"the log": logs, "what the partner got": out.String(), "the admin API's answers": answers} {
			if len(secret) < 10 || strings.Contains(text, secret) {
				t.Errorf("%s is in %s", name, where)
			}
		}
		onDisk(t, s.data, name, secret)
	}
	for name, text := range hidden {
		if strings.Contains(out.String(), text) {
			t.Errorf("%s is in what the partner got", name)
		}
		if strings.Contains(logs, text) && name != "title" { // admins' mistakes name titles
			t.Errorf("%s is in the log", name)
		}
		onDisk(t, s.data, name, text)
	}
}

// work edits what is hidden, and fails in every way that may quote something.
func (p *planted) work(s *running, callbackURL, id string) {
	p.t.Helper()
	by := p.sim.As(p.jane)
	p.set(0, cells{"canary-title": "canary-column-2"})
	p.set(1, cells{"No": "canary-row-2"})
	_, _, err := by.Discuss(p.sheet.ID, p.sheet.Rows[1], "canary-text of a comment")
	p.do(err)
	_, err = by.AttachLink(p.sheet.ID, p.sheet.Rows[1], "canary-text of an attachment", "https://a.example/canary-text")
	p.do(err)
	added, err := by.AddRows(p.sheet.ID, smartsheettest.Row{Cells: cells{"No": "canary-row-3", "Status": "canary-option"}})
	p.do(err)
	p.do(by.DeleteRows(p.sheet.ID, added...))

	s.refused("POST", "/v1/owners", map[string]string{"name": "other", "region": "us", "token": "canary-wrong-token"})
	s.refused("PUT", "/v1/owners/ops/token", map[string]string{"token": "canary-wrong-token"})
	s.refused("POST", "/v1/partners", map[string]any{"name": "far", "nats": map[string]string{"url": "nats://127.0.0.1:1", "credentials": "canary-wrong-token"}})
	for _, where := range []string{`status == `, `nothing == 1`, `cells["none"] == 1`} {
		s.refused("POST", "/v1/webhooks", registration{"ops", id, []events.Request{{Partner: "acme", Sheet: "wrong", Columns: columnsOf("No"), Where: where}}})
	}
	s.refused("POST", "/v1/webhooks", map[string]any{"owner": "ops", "sheetId": id, "token": "canary-wrong-token"})
	for _, url := range []string{callbackURL, callbackURL + "x", s.public + "/callbacks/canary-wrong-token", s.public + "/canary-wrong-token"} {
		for _, body := range []string{"", "{", `{"canary-text":"canary-column"}`, `{"webhookId":1,"events":[{"objectType":"canary-row"}]}`} {
			p.post(url, body)
		}
	}
	p.sim.SetFault(func(r *http.Request) *smartsheettest.Fault {
		if strings.Contains(r.URL.Path, "/sheets/") {
			return &smartsheettest.Fault{Status: 500, ErrorCode: 4000}
		}
		return nil
	})
	p.set(0, cells{"Status": "Done"})
	s.stderr.wait(p.t, `"msg":"pass".*"result":"later"`)
	p.sim.SetFault(nil)
}

func (p *planted) post(url, body string) {
	p.t.Helper()
	req, err := http.NewRequestWithContext(p.t.Context(), http.MethodPost, url, strings.NewReader(body))
	p.do(err)
	req.Header.Set("Smartsheet-Hmac-SHA256", "canary-wrong-token")
	resp, err := http.DefaultClient.Do(req)
	p.do(err)
	p.do(resp.Body.Close())
	if resp.StatusCode < 400 || resp.StatusCode == http.StatusGone {
		p.t.Errorf("%s: got %s for a forged callback", body, resp.Status)
	}
}

// answers is all that the admin listener tells to those who only look.
func (s *running) answers(webhook string) string {
	s.t.Helper()
	var b strings.Builder
	for _, path := range []string{
		"/openapi.json", "/metrics", "/healthz", "/readyz", "/v1/owners", "/v1/owners/ops", "/v1/owners/ops/sheets", "/v1/partners", "/v1/partners/acme",
		"/v1/partners/acme/credentials", "/v1/webhooks", "/v1/webhooks/" + webhook, "/v1/dead", "/v1/nothing",
	} {
		for _, token := range []string{testToken, "canary-reader-token", "canary-wrong-token"} {
			b.WriteString(s.get(path, token))
		}
	}
	if !strings.Contains(b.String(), "sheetbridge_events_published_total") || !strings.Contains(b.String(), "jane@a.example") {
		s.t.Error("the answers hold less than they should")
	}
	return b.String()
}

// seedIn is the secret part of a credentials file.
func seedIn(creds string) string {
	for line := range strings.Lines(creds) {
		if strings.HasPrefix(line, "SU") {
			return strings.TrimSpace(line)
		}
	}
	return ""
}

// onDisk looks for a text in all files below a directory.
func onDisk(t *testing.T, dir, name, text string) {
	t.Helper()
	files := 0
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		files++
		data, err := os.ReadFile(path)
		if strings.Contains(string(data), text) || strings.Contains(entry.Name(), text) {
			t.Errorf("%s is in %s", name, path)
		}
		return err
	})
	if err != nil || files < 5 {
		t.Errorf("looked at %d files, error %v", files, err)
	}
}
