package smartsheettest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// What clients that exist send, and Smartsheet takes.

func TestIDsAsTextInBodies(t *testing.T) {
	w := newWorld(t)
	one, two := w.sheet.Rows[0], w.sheet.Rows[1]
	w.api.ok("PUT", w.path+"/rows", fmt.Sprintf(`{"id":"%d","cells":[{"columnId":"%d","value":"by text"}]}`, one, w.col("Task")))
	if got := w.cell(t, w.row(one, ""), "Task")["value"]; got != "by text" {
		t.Errorf("got %v, want the cell written", got)
	}
	w.api.ok("PUT", w.path+"/rows", fmt.Sprintf(`{"id":"%d","parentId":"%d"}`, two, one))
	w.api.ok("POST", w.path+"/rows", fmt.Sprintf(`{"siblingId":"%d","above":true}`, one))
	w.api.ok("PUT", w.path+"/rows", fmt.Sprintf(`{"id":"%d",%s}`, two, w.cells("Predecessors", fmt.Sprintf(`"objectValue":{"objectType":"PREDECESSOR_LIST","predecessors":[{"rowId":"%d","type":"FS"}]}`, one))))
	hook := fmt.Sprintf(`{"name":"w","callbackUrl":"http://127.0.0.1:1/x","scope":"sheet","scopeObjectId":"%d","events":["*.*"],"version":1,"subscope":{"columnIds":["%d"]}}`, w.sheet.ID, w.col("Task"))
	w.api.ok("POST", "/webhooks", hook)
	for _, bad := range []string{`"1.5"`, `"x"`, `1.5`, `true`, `""`, `"1 "`, `{}`} {
		w.api.refused("PUT", w.path+"/rows", `{"id":`+bad+`}`, 400, 1008)
	}
}

func TestTokenFieldsInTheQuery(t *testing.T) {
	w := newWorld(t)
	app := w.srv.AddApp(App{Name: "A", RedirectURL: "https://app.example/back"})
	query := url.Values{"grant_type": {"authorization_code"}, "client_id": {app.ClientID}, "client_secret": {app.Secret}, "code": {w.consent(t, app)}}
	out := (api{t: t, url: w.srv.URL()}).ok("POST", "/token?"+query.Encode(), "")
	again := url.Values{"grant_type": {"refresh_token"}, "client_id": {app.ClientID}, "client_secret": {app.Secret}, "refresh_token": {fmt.Sprint(out.body["refresh_token"])}}
	if out = (api{t: t, url: w.srv.URL()}).ok("POST", "/token?"+again.Encode(), "{}"); out.body["access_token"] == nil {
		t.Errorf("got %s, want a token", out.text)
	}
	for _, r := range w.srv.Requests() {
		if strings.Contains(r.Query, app.Secret) {
			t.Errorf("the log has the secret: %v", r)
		}
	}
	(api{t: t, url: w.srv.URL()}).refused("POST", "/token", "{}", 415, 1124)
}

func TestSheetAsText(t *testing.T) {
	w := newWorld(t)
	csv := w.api
	csv.header = http.Header{"Accept": {"text/csv"}}
	out := csv.ok("GET", fmt.Sprintf("%s?columnIds=%d,%d,%d,%d", w.path, w.col("Task"), w.col("Price"), w.col("Team"), w.col("Done")), "")
	want := "Task,Price,Done,Team\nOne,\"R3,303.00\",false,\"Ann, Bob\"\nTwo,n/a,maybe,\nThree,,,\n"
	if out.text != want || out.header.Get("Content-Type") != "text/csv;charset=UTF-8" {
		t.Errorf("got %s %q, want %q", out.header.Get("Content-Type"), out.text, want)
	}
	for _, kind := range []string{"application/pdf", "application/vnd.ms-excel", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"} {
		a := w.api
		a.header = http.Header{"Accept": {kind}}
		a.refused("GET", w.path, "", 501, 9501)
	}
	for _, kind := range []string{"application/json, text/plain, */*", "*/*", "application/json", "text/html"} {
		a := w.api
		a.header = http.Header{"Accept": {kind}}
		if got := a.ok("GET", w.path, "").body["name"]; got != "Everything" {
			t.Errorf("%s: got %v, want JSON", kind, got)
		}
	}
}

func TestColumnSettingsAreKept(t *testing.T) {
	w := newWorld(t)
	columns := w.path + "/columns"
	added := w.api.ok("POST", columns, `[
		{"title":"Agent","type":"CONTACT_LIST","index":0,"validation":true,"contactOptions":[{"name":"Ann","email":"ann@a.example"},{"name":"Bob","email":"bob@a.example"}],"format":",,1,,,,,,,,,,,,,"},
		{"title":"Sum","type":"TEXT_NUMBER","index":0,"formula":"=1+1"}]`).body
	agent, sum := at(t, added, "result", 0, "id"), at(t, added, "result", 1, "id")
	got := w.api.ok("GET", fmt.Sprintf("%s/%v?include=format", columns, agent), "").body
	if text := jsonText(got["contactOptions"]); text != `[{"email":"ann@a.example","name":"Ann"},{"email":"bob@a.example","name":"Bob"}]` || got["format"] != ",,1,,,,,,,,,,,,," {
		t.Errorf("got %v", got)
	}
	if got := w.api.ok("GET", fmt.Sprintf("%s/%v", columns, agent), "").body; got["format"] != nil {
		t.Errorf("got format %v unasked", got["format"])
	}
	cell := func(column any, write string) string {
		return fmt.Sprintf(`{"id":%d,"cells":[{"columnId":%v,%s}]}`, w.sheet.Rows[0], column, write)
	}
	w.api.ok("PUT", w.path+"/rows", cell(agent, `"value":"bob@a.example"`))
	w.api.refused("PUT", w.path+"/rows", cell(agent, `"value":"eve@a.example"`), 400, 1042)
	w.api.refused("PUT", w.path+"/rows", cell(sum, `"value":3`), 400, 1046)
	w.api.refused("PUT", w.path+"/rows", cell(sum, `"formula":"=2"`), 400, 1046)
	if got := w.api.ok("GET", fmt.Sprintf("%s/%v", columns, sum), "").body["formula"]; got != "=1+1" {
		t.Errorf("got formula %v", got)
	}
	w.api.refused("PUT", fmt.Sprintf("%s/%v", columns, agent), `{"contactOptions":[]}`, 400, 1090)
	w.api.ok("PUT", fmt.Sprintf("%s/%v", columns, sum), `{"formula":""}`)
	w.api.ok("PUT", w.path+"/rows", cell(sum, `"value":3`))
}

func TestAutoNumbers(t *testing.T) {
	w := newWorld(t)
	created := w.api.ok("POST", "/sheets", `{"name":"N","columns":[{"title":"A","type":"TEXT_NUMBER","primary":true},
		{"title":"No","type":"TEXT_NUMBER","systemColumnType":"AUTO_NUMBER","autoNumberFormat":{"prefix":"SO-{YYYY}-","suffix":"/x","fill":"000","startingNumber":98}}]}`).body
	path := fmt.Sprintf("/sheets/%v", at(t, created, "result", "id"))
	if got := jsonText(at(t, created, "result", "columns", 1, "autoNumberFormat")); got != `{"fill":"000","prefix":"SO-{YYYY}-","startingNumber":98,"suffix":"/x"}` {
		t.Errorf("got %s", got)
	}
	w.api.ok("POST", path+"/rows", `[{},{},{}]`)
	var got []string
	for _, r := range w.api.ok("GET", path, "").body["rows"].([]any) {
		got = append(got, fmt.Sprint(at(t, r, "cells", 1, "value"))[8:])
	}
	if fmt.Sprint(got) != "[098/x 099/x 100/x]" {
		t.Errorf("got %v", got)
	}
	w.api.refused("POST", "/sheets", `{"name":"N","columns":[{"title":"A","type":"TEXT_NUMBER","autoNumberFormat":{"prefix":"x"}}]}`, 400, 1083)
	w.api.refused("POST", "/sheets", `{"name":"N","columns":[{"title":"A","type":"TEXT_NUMBER"},{"title":"No","type":"TEXT_NUMBER","systemColumnType":"AUTO_NUMBER","autoNumberFormat":{"fill":"12"}}]}`, 400, 1084)
}

func TestHyperlinkErrors(t *testing.T) {
	w := newWorld(t)
	for link, want := range map[string]struct {
		code int
		text string
	}{
		`{"url":"http://x.example","sheetId":2}`: {1112, "hyperlink.url must be null for sheet, report, or Sight hyperlinks."},
		`{"sheetId":2,"reportId":"3"}`:           {1111, "Only one of hyperlink.sheetId, hyperlink.reportId and hyperlink.sightId may be non-null."},
		`{}`:                                     {1117, "One of the following cell.hyperlink fields must be non-null: url, sheetId, or reportId."},
	} {
		out := w.api.refused("POST", w.path+"/rows", `{`+w.cells("Task", `"value":"Spec","hyperlink":`+link)+`}`, 400, want.code)
		if out.body["message"] != want.text || fmt.Sprint(at(t, out.body, "detail", "index")) != "0" {
			t.Errorf("%s: got %s, want %q", link, out.text, want.text)
		}
	}
}

// seen are the names and kinds of a list, "folder Plans".
func seen(t *testing.T, list any) string {
	t.Helper()
	var names []string
	for _, item := range list.([]any) {
		name := fmt.Sprint(at(t, item, "name"))
		if kind := at(t, item, "resourceType"); kind != nil {
			name = fmt.Sprint(kind) + " " + name
		}
		names = append(names, name)
	}
	return strings.Join(names, ", ")
}

func TestWorkspaces(t *testing.T) {
	w := newWorld(t)
	ws := w.srv.AddWorkspace(w.jane, "Northwind")
	plans, err := w.srv.AddFolder(ws, "Plans")
	if err != nil {
		t.Fatal(err)
	}
	deep, err := w.srv.AddSheet(SheetSpec{Name: "Relaunch", Owner: w.jane, Place: plans, Columns: []Column{{Title: "A"}}})
	if err != nil {
		t.Fatal(err)
	}
	path := fmt.Sprintf("/workspaces/%d", ws.ID)
	w.api.ok("POST", path+"/sheets", `{"name":"Orders","columns":[{"title":"A","type":"TEXT_NUMBER","primary":true}]}`)
	w.api.ok("POST", path+"/folders", `{"name":"Archive"}`)
	own := w.api.ok("POST", "/workspaces", `{"name":"Another"}`).body
	for path, want := range map[string]string{
		path + "/children": "sheet Orders, folder Archive, folder Plans",
		path + "/children?childrenResourceTypes=folders": "folder Archive, folder Plans",
		path + "/children?maxItems=2":                    "sheet Orders, folder Archive",
		path + "/children?maxItems=2&lastKey=2":          "folder Plans",
		fmt.Sprintf("/folders/%d/children", plans.ID):    "sheet Relaunch",
		"/workspaces?paginationType=token&maxItems=1":    "Another",
		"/workspaces":     "Another, Northwind",
		path + "/folders": "Archive, Plans",
		fmt.Sprintf("/folders/%d/folders?page=1", plans.ID):                "",
		fmt.Sprintf("/workspaces/%v/children", at(t, own, "result", "id")): "",
	} {
		out := w.api.ok("GET", path, "").body
		if got := seen(t, out["data"]); got != want {
			t.Errorf("%s: got %q, want %q", path, got, want)
		}
		if more := out["lastKey"] != nil; more != strings.HasSuffix(path, "maxItems=1") && more != strings.HasSuffix(path, "maxItems=2") {
			t.Errorf("%s: got last key %v", path, out["lastKey"])
		}
	}
	tree := w.api.ok("GET", path+"?loadAll=true", "").body
	if got := seen(t, at(t, tree, "folders", 1, "sheets")); got != "Relaunch" || seen(t, tree["sheets"]) != "Orders" || tree["accessLevel"] != "OWNER" {
		t.Errorf("tree: got %v", tree)
	}
	if got := w.api.ok("GET", path+"/metadata", "").body; got["name"] != "Northwind" || got["createdAt"] == nil {
		t.Errorf("metadata: got %v", got)
	}
	if got := jsonText(w.api.ok("GET", fmt.Sprintf("/sheets/%d/path", deep.ID), "").body); !strings.Contains(got, `"type":"workspace"`) || strings.Index(got, "Northwind") < strings.Index(got, "Relaunch") {
		t.Errorf("path: got %s", got)
	}
	w.viewerAPI.refused("GET", path, "", 404, 1006)
	if err := w.srv.As(w.jane).Share(deep.ID, w.viewer, AccessViewer); err != nil {
		t.Fatal(err)
	}
	if got := w.viewerAPI.ok("GET", path, "").body; got["accessLevel"] != "VIEWER" || seen(t, got["sheets"]) != "" || seen(t, got["folders"]) != "Plans" {
		t.Errorf("a reader of one sheet: got %v", got)
	}
	w.viewerAPI.refused("POST", path+"/folders", `{"name":"No"}`, 403, 1004)
	w.api.refused("GET", fmt.Sprintf("/folders/%d", ws.ID), "", 404, 1006)
	w.api.refused("GET", path+"/children?lastKey=99", "", 400, 1018)
	w.api.refused("PUT", path, `{"name":"Other"}`, 501, 9501)
}

func TestSearch(t *testing.T) {
	w := newWorld(t)
	w.srv.AddWorkspace(w.jane, "Everything else")
	if _, _, err := w.srv.As(w.jane).Discuss(w.sheet.ID, w.sheet.Rows[0], "Everything is fine"); err != nil {
		t.Fatal(err)
	}
	found := func(a api, path string) string {
		t.Helper()
		var kinds []string
		out := a.ok("GET", path, "").body
		for _, item := range out["results"].([]any) {
			kinds = append(kinds, fmt.Sprint(at(t, item, "objectType")))
		}
		if fmt.Sprint(out["totalCount"]) != fmt.Sprint(len(kinds)) {
			t.Errorf("%s: got total %v of %d", path, out["totalCount"], len(kinds))
		}
		slices.Sort(kinds)
		return strings.Join(kinds, " ")
	}
	for query, want := range map[string]string{
		"everything": "discussion sheet workspace", "EVERYTHING&scopes=sheetNames": "sheet", "%22everything+is%22": "discussion", "one": "row row", "three": "row", "nowhere": "", "is+fine": "discussion",
	} {
		if got := found(w.api, "/search?query="+query); got != want {
			t.Errorf("%s: got %q, want %q", query, got, want)
		}
	}
	if got := found(w.api, fmt.Sprintf("/search/sheets/%d?query=everything", w.sheet.ID)); got != "discussion" {
		t.Errorf("in a sheet: got %q", got)
	}
	out := w.api.ok("GET", "/search?query=three", "").body
	if got := fmt.Sprint(at(t, out, "results", 0, "objectId"), at(t, out, "results", 0, "parentObjectName"), at(t, out, "results", 0, "text")); got != fmt.Sprint(w.sheet.Rows[2], "Everything", "Three") {
		t.Errorf("got %s", got)
	}
	stranger := api{t: t, url: w.srv.URL(), token: w.srv.AddToken(w.alien)}
	if got := found(stranger, "/search?query=everything"); got != "" {
		t.Errorf("a stranger finds %q", got)
	}
	w.api.refused("GET", "/search", "", 400, 1009)
}

func TestServerInfoNeedsNoToken(t *testing.T) {
	w := newWorld(t)
	out := (api{t: t, url: w.srv.URL()}).ok("GET", "/serverinfo", "").body
	if text, _ := json.Marshal(out); !strings.Contains(string(text), `"defaults":"0,2,0,`) {
		t.Errorf("got %s", text)
	}
}
