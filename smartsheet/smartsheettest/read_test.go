package smartsheettest

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// parsed is JSON text as the answers of api are read.
func parsed(t *testing.T, text string) map[string]any {
	t.Helper()
	var out map[string]any
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&out); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestCells(t *testing.T) {
	w := newWorld(t)
	one, two := w.sheet.Rows[0], w.sheet.Rows[1]
	if err := w.srv.As(w.jane).UpdateRows(w.sheet.ID, Row{ID: one, Cells: Cells{"Predecessors": []Predecessor{{RowID: two, Type: "FS", Lag: &Duration{Days: 2}}}}}); err != nil {
		t.Fatal(err)
	}
	const full = "level=2&include=objectValue,columnType"
	tests := []struct {
		row          int64
		title, query string
		want         string
	}{
		{one, "Task", full, `{"columnType":"TEXT_NUMBER","value":"One","objectValue":"One","displayValue":"One"}`},
		{one, "Price", full, `{"columnType":"TEXT_NUMBER","value":3303,"objectValue":3303,"displayValue":"R3,303.00"}`},
		{two, "Price", full, `{"columnType":"TEXT_NUMBER","value":"n/a","objectValue":"n/a","displayValue":"n/a"}`},
		{one, "Done", full, `{"columnType":"CHECKBOX","value":false,"objectValue":false}`},
		{two, "Done", full, `{"columnType":"CHECKBOX","value":"maybe","objectValue":"maybe"}`},
		{one, "Due", full, `{"columnType":"DATE","value":"2026-11-23","objectValue":{"objectType":"DATE","value":"2026-11-23"}}`},
		{two, "Due", full, `{"columnType":"DATE","value":"next week","objectValue":"next week"}`},
		{one, "Owner", full, `{"columnType":"CONTACT_LIST","value":"jane@a.example","objectValue":{"objectType":"CONTACT","email":"jane@a.example","name":"Jane Doe"},"displayValue":"Jane Doe"}`},
		{two, "Owner", full, `{"columnType":"CONTACT_LIST","value":"someone","objectValue":"someone","displayValue":"someone"}`},
		{one, "Team", full, `{"columnType":"MULTI_CONTACT_LIST","displayValue":"Ann, Bob","objectValue":{"objectType":"MULTI_CONTACT","values":[{"objectType":"CONTACT","email":"ann@a.example","name":"Ann"},{"objectType":"CONTACT","email":"bob@a.example","name":"Bob"}]}}`},
		{one, "Team", "level=1&include=columnType", `{"columnType":"MULTI_CONTACT_LIST","displayValue":"Ann, Bob"}`},
		{one, "Team", "include=objectValue,columnType", `{"columnType":"TEXT_NUMBER","value":"Ann, Bob","displayValue":"Ann, Bob","objectValue":"Ann, Bob"}`},
		{one, "Status", full, `{"columnType":"PICKLIST","value":"Open","objectValue":"Open","displayValue":"Open"}`},
		{one, "Tags", full, `{"columnType":"MULTI_PICKLIST","displayValue":"A, B","objectValue":{"objectType":"MULTI_PICKLIST","values":["A","B"]}}`},
		{one, "Tags", "level=1&include=columnType", `{"columnType":"TEXT_NUMBER","value":"A, B","displayValue":"A, B"}`},
		{one, "Start", full, `{"columnType":"ABSTRACT_DATETIME","value":"2026-11-23T08:00:00","objectValue":{"objectType":"ABSTRACT_DATETIME","value":"2026-11-23T08:00:00"}}`},
		{one, "Duration", full, `{"columnType":"DURATION","value":"4d 6h 30m","displayValue":"4d 6h 30m","objectValue":{"objectType":"DURATION","days":4,"hours":6,"minutes":30}}`},
		{one, "Predecessors", full, fmt.Sprintf(`{"columnType":"PREDECESSOR","value":"2FS +2d","displayValue":"2FS +2d","objectValue":{"objectType":"PREDECESSOR_LIST","predecessors":[{"rowId":%d,"rowNumber":2,"type":"FS","lag":{"objectType":"DURATION","days":2}}]}}`, two)},
		{one, "No", full, `{"columnType":"TEXT_NUMBER","value":"SO-0001","objectValue":"SO-0001","displayValue":"SO-0001"}`},
		{one, "By", "", `{"value":"jane@a.example","displayValue":"Jane Doe"}`},
		{two, "Tags", full, `{"columnType":"MULTI_PICKLIST"}`},
		{two, "Tags", "", `{}`},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprintf("%s %s", tt.title, tt.query), func(t *testing.T) {
			got := w.cell(t, w.row(tt.row, tt.query), tt.title)
			if diff := cmp.Diff(parsed(t, tt.want), got); diff != "" {
				t.Errorf("cell (-want +got):\n%s", diff)
			}
		})
	}
	if got := w.cell(t, w.row(two, "exclude=nonexistentCells"), "Tags"); got != nil {
		t.Errorf("empty cell with exclude=nonexistentCells: got %v, want none", got)
	}
}

func TestColumnsByLevel(t *testing.T) {
	w := newWorld(t)
	for level, want := range map[string][]string{
		"": {"TEXT_NUMBER", "TEXT_NUMBER"}, "1": {"MULTI_CONTACT_LIST", "TEXT_NUMBER"}, "2": {"MULTI_CONTACT_LIST", "MULTI_PICKLIST"},
	} {
		for i, title := range []string{"Team", "Tags"} {
			col := w.api.ok("GET", fmt.Sprintf("%s/columns/%d?level=%s", w.path, w.col(title), level), "").body
			if col["type"] != want[i] || fmt.Sprint(col["version"]) != fmt.Sprint(i+1) {
				t.Errorf("%s at level %q: got %v version %v, want %s version %d", title, level, col["type"], col["version"], want[i], i+1)
			}
		}
	}
	list := w.api.ok("GET", w.path+"/columns?page=2&pageSize=10&level=2", "").body
	if fmt.Sprint(list["totalCount"]) != "14" || len(list["data"].([]any)) != 4 || at(t, list, "data", 0, "title") != "Predecessors" {
		t.Errorf("columns page 2: got %v", list)
	}
	w.api.refused("GET", w.path+"/columns/1", "", 404, 1006)
}

func TestSelectRows(t *testing.T) {
	w := newWorld(t)
	ids := w.sheet.Rows
	for query, want := range map[string][]int64{
		"":                                       ids,
		fmt.Sprintf("rowIds=%d,99", ids[2]):      {ids[2]},
		"rowIds=99":                              {},
		"rowNumbers=1,3,70":                      {ids[0], ids[2]},
		"page=2&pageSize=2":                      {ids[2]},
		"pageSize=2":                             ids[:2],
		"page=9&pageSize=2":                      {ids[2]},
		"rowsModifiedSince=2999-01-01T00:00Z":    nil,
		"rowsModifiedSince=2999-01-01T00:00:00Z": {},
		"rowsModifiedSince=2020-01-01T00:00:00%2B02:00":    ids,
		fmt.Sprintf("rowIds=%d,%d&page=1", ids[2], ids[1]): ids[1:],
	} {
		if want == nil {
			w.api.refused("GET", w.path+"?"+query, "", 400, 1018)
			continue
		}
		sheet := w.api.ok("GET", w.path+"?"+query, "").body
		got := []string{}
		for _, r := range sheet["rows"].([]any) {
			got = append(got, fmt.Sprint(at(t, r, "id")))
		}
		if fmt.Sprint(got) != fmt.Sprint(want) || fmt.Sprint(sheet["totalRowCount"]) != "3" {
			t.Errorf("%s: got %v of %v, want %v of 3", query, got, sheet["totalRowCount"], want)
		}
	}
}

func TestPageAloneHasAHundredRows(t *testing.T) {
	w := newWorld(t)
	if _, err := w.srv.As(w.jane).AddRows(w.sheet.ID, make([]Row, 120)...); err != nil {
		t.Fatal(err)
	}
	for query, want := range map[string]int{"": 123, "page=1": 100, "page=2": 23, "pageSize=500": 123} {
		if got := len(w.api.ok("GET", w.path+"?"+query, "").body["rows"].([]any)); got != want {
			t.Errorf("%q: got %d rows, want %d", query, got, want)
		}
	}
}

func TestColumnIDsAndVersions(t *testing.T) {
	w := newWorld(t)
	query := fmt.Sprintf("?columnIds=%d,77&include=ownerInfo", w.col("Due"))
	sheet := w.api.ok("GET", w.path+query, "").body
	if len(sheet["columns"].([]any)) != 1 || len(at(t, sheet, "rows", 0, "cells").([]any)) != 1 || sheet["owner"] != "jane@a.example" {
		t.Errorf("columnIds: got %v", sheet)
	}
	w.srv.RefuseUnknownColumnIDs = true
	w.api.refused("GET", w.path+query, "", 400, 1036)
	version := fmt.Sprint(sheet["version"])
	if got := w.api.ok("GET", w.path+"?ifVersionAfter="+version, "").text; got != `{"version":`+version+`}` {
		t.Errorf("ifVersionAfter the same: got %.100s, want the version alone", got)
	}
	if got := w.api.ok("GET", w.path+"?ifVersionAfter=1", "").body["rows"]; got == nil {
		t.Error("ifVersionAfter an old one: got no rows, want them")
	}
}

func TestRowsHaveWritersAndSiblings(t *testing.T) {
	w := newWorld(t)
	row := w.row(w.sheet.Rows[1], "include=writerInfo,rowPermalink,columns&level=2")
	if at(t, row, "modifiedBy", "email") != "jane@a.example" || at(t, row, "createdBy", "name") != "Jane Doe" {
		t.Errorf("writers: got %v, %v", row["createdBy"], row["modifiedBy"])
	}
	if fmt.Sprint(row["siblingId"]) != fmt.Sprint(w.sheet.Rows[0]) || fmt.Sprint(row["sheetId"]) != fmt.Sprint(w.sheet.ID) || row["permalink"] == nil {
		t.Errorf("row: got %v", row)
	}
	if len(row["columns"].([]any)) != 14 || row["accessLevel"] != "OWNER" {
		t.Errorf("columns: got %v", row["columns"])
	}
	if _, err := time.Parse("2006-01-02T15:04:05Z", row["modifiedAt"].(string)); err != nil {
		t.Errorf("modifiedAt: %v", err)
	}
	bare := w.row(w.sheet.Rows[0], "")
	if bare["modifiedBy"] != nil || bare["siblingId"] != nil || w.cell(t, bare, "Task")["columnType"] != nil {
		t.Errorf("without includes: got %v", bare)
	}
	w.api.refused("GET", w.path+"/rows/1", "", 404, 1006)
}

func TestWhoSeesWhat(t *testing.T) {
	w := newWorld(t)
	alien := api{t: t, url: w.api.url, token: w.srv.AddToken(w.alien)}
	alien.refused("GET", w.path, "", 404, 1006)
	w.srv.ForbidUnshared = true
	alien.refused("GET", w.path, "", 403, 1004)
	if got := alien.ok("GET", "/sheets", "").body["totalCount"]; fmt.Sprint(got) != "0" {
		t.Errorf("alien's sheets: got %v, want 0", got)
	}
	list := w.viewerAPI.ok("GET", "/sheets?include=ownerInfo,sheetVersion", "").body
	if at(t, list, "data", 0, "accessLevel") != "VIEWER" || at(t, list, "data", 0, "owner") != "jane@a.example" || at(t, list, "data", 0, "version") == nil {
		t.Errorf("viewer's sheets: got %v", list)
	}
	w.viewerAPI.refused("POST", w.path+"/rows", "{}", 403, 1004)
	w.viewerAPI.refused("POST", w.path+"/discussions", `{"comment":{"text":"x"}}`, 403, 1004)
	since := url.QueryEscape("2999-01-01T00:00:00Z")
	if got := w.api.ok("GET", "/sheets?modifiedSince="+since, "").body["totalCount"]; fmt.Sprint(got) != "0" {
		t.Errorf("modified in the future: got %v, want 0", got)
	}
}

func TestShares(t *testing.T) {
	w := newWorld(t)
	query := fmt.Sprintf("?assetType=sheet&assetId=%d", w.sheet.ID)
	w.viewerAPI.refused("POST", "/shares"+query, `[{"email":"zed@z.example","accessLevel":"VIEWER"}]`, 403, 1004)
	w.api.refused("POST", "/shares"+query, `[{"email":"vic@a.example","accessLevel":"VIEWER"}]`, 400, 1025)
	w.api.refused("POST", "/shares"+query, `[{"email":"no@z.example","accessLevel":"VIEWER"}]`, 404, 1020)
	made := w.api.ok("POST", "/shares"+query, `[{"email":"zed@z.example","accessLevel":"EDITOR"}]`).body
	id := fmt.Sprint(at(t, made, "result", 0, "id"))
	alien := api{t: t, url: w.api.url, token: w.srv.AddToken(w.alien)}
	alien.ok("POST", w.path+"/rows", "{}")
	if got := len(at(t, w.api.ok("GET", "/shares"+query, "").body, "items").([]any)); got != 3 {
		t.Errorf("got %d shares, want 3", got)
	}
	seen, key := 0, ""
	for range 3 {
		page := w.api.ok("GET", "/shares"+query+"&maxItems=1&lastKey="+key, "").body
		seen += len(page["items"].([]any))
		key, _ = page["lastKey"].(string)
	}
	if seen != 3 || key != "" {
		t.Errorf("paged shares: got %d, last key %q, want 3 and none", seen, key)
	}
	w.api.ok("PATCH", "/shares/"+id+query, `{"accessLevel":"VIEWER"}`)
	alien.refused("POST", w.path+"/rows", "{}", 403, 1004)
	w.api.ok("DELETE", "/shares/"+id+query, "")
	alien.refused("GET", w.path, "", 404, 1006)
	w.api.refused("GET", "/shares/"+id+query, "", 404, 1027)
	w.api.refused("GET", "/shares?assetType=planet&assetId=1", "", 400, 1018)
}

func TestHistory(t *testing.T) {
	w := newWorld(t)
	for _, status := range []string{"Closed", "Open", "Open"} {
		if err := w.srv.As(w.jane).UpdateRows(w.sheet.ID, Row{ID: w.sheet.Rows[0], Cells: Cells{"Status": status}}); err != nil {
			t.Fatal(err)
		}
	}
	path := fmt.Sprintf("%s/rows/%d/columns/%d/history", w.path, w.sheet.Rows[0], w.col("Status"))
	list := w.api.ok("GET", path+"?include=columnType", "").body
	var got []any
	for _, item := range list["data"].([]any) {
		got = append(got, at(t, item, "value"))
	}
	if diff := cmp.Diff([]any{"Open", "Closed", "Open"}, got); diff != "" || at(t, list, "data", 0, "modifiedBy", "email") != "jane@a.example" {
		t.Errorf("history (-want +got):\n%s%v", diff, list)
	}
}

func TestIDsAreHardToTakeForNumbers(t *testing.T) {
	count := func(wanted bool) (large int) {
		src := newIDSource(wanted)
		for range 400 {
			id := src.next()
			if id <= 0 {
				t.Fatalf("got id %d, want a positive one", id)
			}
			if id > maxSafe {
				large++
				if int64(float64(id)) == id && id%2 == 0 {
					t.Errorf("got id %d, want one that floating point rounds", id)
				}
			}
		}
		return large
	}
	if got := count(true); got != 100 {
		t.Errorf("got %d large ids of 400, want 100", got)
	}
	if got := count(false); got != 0 {
		t.Errorf("without LargeIDs: got %d large ids, want none", got)
	}
}
