package smartsheettest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

// api speaks raw HTTP to a server.
type api struct {
	t     *testing.T
	url   string
	token string
	// header is sent with every request.
	header http.Header
}

// answer is what came back; numbers are json.Number.
type answer struct {
	status int
	header http.Header
	text   string
	body   map[string]any
}

var plainClient = &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DisableCompression: true}}

func (a api) raw(method, url string, body io.Reader, header http.Header) (*http.Response, error) {
	r, err := http.NewRequestWithContext(a.t.Context(), method, url, body)
	if err != nil {
		return nil, err
	}
	if a.token != "" {
		r.Header.Set("Authorization", "Bearer "+a.token)
	}
	for _, set := range []http.Header{a.header, header} {
		for name, values := range set {
			r.Header[name] = values
		}
	}
	return plainClient.Do(r)
}

// do calls below /2.0; body is JSON text, or empty for none.
func (a api) do(method, path, body string) answer {
	a.t.Helper()
	header := http.Header{}
	var reader io.Reader
	if body != "" {
		reader = strings.NewReader(body)
		header.Set("Content-Type", "application/json")
	}
	resp, err := a.raw(method, a.url+path, reader, header)
	if err != nil {
		a.t.Fatalf("%s %s: %v", method, path, err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		a.t.Fatalf("%s %s: %v", method, path, err)
	}
	out := answer{status: resp.StatusCode, header: resp.Header, text: string(text)}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&out.body); err != nil && strings.HasPrefix(resp.Header.Get("Content-Type"), "application/json") {
		a.t.Fatalf("%s %s: not JSON: %.200s", method, path, text)
	}
	return out
}

// ok is do for what must succeed.
func (a api) ok(method, path, body string) answer {
	a.t.Helper()
	out := a.do(method, path, body)
	if out.status != http.StatusOK {
		a.t.Fatalf("%s %s: got %d %s, want 200", method, path, out.status, out.text)
	}
	return out
}

// refused checks the status and the errorCode of what must fail.
func (a api) refused(method, path, body string, status, code int) answer {
	a.t.Helper()
	out := a.do(method, path, body)
	if out.status != status || fmt.Sprint(out.body["errorCode"]) != fmt.Sprint(code) {
		a.t.Errorf("%s %.80s %.120s: got %d %s, want %d/%d", method, path, body, out.status, out.text, status, code)
	}
	if out.body["message"] == "" || out.body["refId"] == nil {
		a.t.Errorf("%s %s: got %s, want message and refId", method, path, out.text)
	}
	return out
}

// at digs into JSON: a string is a key, a number an index.
func at(t *testing.T, v any, path ...any) any {
	t.Helper()
	for _, step := range path {
		switch step := step.(type) {
		case string:
			v = v.(map[string]any)[step]
		case int:
			list, _ := v.([]any)
			if step >= len(list) {
				t.Fatalf("got %d items, want more than %d", len(list), step)
			}
			v = list[step]
		}
	}
	return v
}

// world is a server with people and one sheet.
type world struct {
	srv                        *Server
	jane, viewer, admin, alien *User
	sheet                      *Sheet
	api, viewerAPI, adminAPI   api
	path                       string // of the sheet
}

func newWorld(t *testing.T, configure ...func(*Server)) *world {
	t.Helper()
	srv := New(t, configure...)
	w := &world{srv: srv}
	w.jane = srv.AddUser(User{Email: "jane@a.example", Name: "Jane Doe"})
	w.viewer = srv.AddUser(User{Email: "vic@a.example", Name: "Vic Viewer"})
	w.admin = srv.AddUser(User{Email: "root@a.example", Name: "Ada Admin", Admin: true})
	w.alien = srv.AddUser(User{Email: "zed@z.example", Name: "Zed"})
	var err error
	w.sheet, err = srv.AddSheet(SheetSpec{Name: "Everything", Owner: w.jane, Project: true, Columns: []Column{
		{Title: "Task"}, {Title: "Price", Currency: "R"}, {Title: "Done", Type: "CHECKBOX"}, {Title: "Due", Type: "DATE"},
		{Title: "Owner", Type: "CONTACT_LIST"}, {Title: "Team", Type: "MULTI_CONTACT_LIST"},
		{Title: "Status", Type: "PICKLIST", Options: []string{"Open", "Closed"}, Validation: true},
		{Title: "Tags", Type: "MULTI_PICKLIST", Options: []string{"A", "B", "C"}}, {Title: "Start", Type: "ABSTRACT_DATETIME"},
		{Title: "Duration", Type: "DURATION"}, {Title: "Predecessors", Type: "PREDECESSOR"},
		{Title: "No", SystemType: "AUTO_NUMBER", AutoPrefix: "SO-", AutoFill: "0000"}, {Title: "Created", Type: "DATETIME", SystemType: "CREATED_DATE"},
		{Title: "By", Type: "CONTACT_LIST", SystemType: "MODIFIED_BY"},
	}, Rows: []Row{
		{Cells: Cells{"Task": "One", "Price": 3303, "Done": false, "Due": Date("2026-11-23"), "Owner": "jane@a.example",
			"Team": []Contact{{"ann@a.example", "Ann"}, {"bob@a.example", "Bob"}}, "Status": "Open", "Tags": []string{"A", "B"},
			"Start": AbstractDateTime("2026-11-23T08:00:00"), "Duration": Duration{Days: 4, Hours: 6, Minutes: 30}}},
		{Cells: Cells{"Task": "Two", "Price": "n/a", "Done": "maybe", "Due": "next week", "Owner": "someone"}, Lenient: true},
		{Cells: Cells{"Task": "Three"}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	if err := srv.As(w.jane).Share(w.sheet.ID, w.viewer, AccessViewer); err != nil {
		t.Fatal(err)
	}
	w.path = fmt.Sprintf("/sheets/%d", w.sheet.ID)
	w.api = api{t: t, url: srv.URL(), token: srv.AddToken(w.jane)}
	w.viewerAPI = api{t: t, url: srv.URL(), token: srv.AddToken(w.viewer)}
	w.adminAPI = api{t: t, url: srv.URL(), token: srv.AddToken(w.admin)}
	return w
}

func (w *world) col(title string) int64 { return w.sheet.Columns[title] }

// cells is the JSON of cells, by title and JSON value.
func (w *world) cells(pairs ...string) string {
	var parts []string
	for i := 0; i < len(pairs); i += 2 {
		parts = append(parts, fmt.Sprintf(`{"columnId":%d,%s}`, w.col(pairs[i]), pairs[i+1]))
	}
	return `"cells":[` + strings.Join(parts, ",") + `]`
}

// row reads one row.
func (w *world) row(id any, query string) map[string]any {
	w.api.t.Helper()
	return w.api.ok("GET", fmt.Sprintf("%s/rows/%v?%s", w.path, id, query), "").body
}

// cell is what an answer's row has in a column.
func (w *world) cell(t *testing.T, row map[string]any, title string) map[string]any {
	t.Helper()
	for _, c := range row["cells"].([]any) {
		if fmt.Sprint(c.(map[string]any)["columnId"]) == fmt.Sprint(w.col(title)) {
			out := c.(map[string]any)
			delete(out, "columnId")
			return out
		}
	}
	return nil
}

func (w *world) version(t *testing.T) string {
	t.Helper()
	return fmt.Sprint(w.api.ok("GET", w.path+"/version", "").body["version"])
}
