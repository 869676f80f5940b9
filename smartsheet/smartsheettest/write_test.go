package smartsheettest

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestWriteValues(t *testing.T) {
	w := newWorld(t)
	two := w.sheet.Rows[1]
	long := strings.Repeat("x", 4100)
	tests := map[string]struct {
		title, write string
		want         string // of the cell, as {"value":…} and so on at level 2 with objectValue
		status, code int
	}{
		"text":                  {"Task", `"value":"hello"`, `{"value":"hello","objectValue":"hello","displayValue":"hello"}`, 0, 0},
		"number":                {"Task", `"value":12.5`, `{"value":12.5,"objectValue":12.5,"displayValue":"12.5"}`, 0, 0},
		"digits stay text":      {"Task", `"value":"12"`, `{"value":"12","objectValue":"12","displayValue":"12"}`, 0, 0},
		"lenient digits":        {"Task", `"value":"12","strict":false`, `{"value":12,"objectValue":12,"displayValue":"12"}`, 0, 0},
		"too long is cut":       {"Task", `"value":"` + long + `"`, fmt.Sprintf(`{"value":%q,"objectValue":%[1]q,"displayValue":%[1]q}`, long[:4000]), 0, 0},
		"beyond 2^53":           {"Task", `"value":9007199254740994`, "", 400, 1148},
		"a list":                {"Task", `"value":[1]`, "", 400, 1038},
		"empty text clears":     {"Task", `"value":""`, `{}`, 0, 0},
		"null clears":           {"Task", `"value":null`, `{}`, 0, 0},
		"primitive objectValue": {"Task", `"objectValue":"o"`, `{"value":"o","objectValue":"o","displayValue":"o"}`, 0, 0},
		"value and objectValue": {"Task", `"value":"a","objectValue":"a"`, "", 400, 1130},
		"no value":              {"Task", `"strict":true`, "", 400, 1012},
		"displayValue":          {"Task", `"value":"a","displayValue":"a"`, "", 400, 1032},
		"system column":         {"No", `"value":"SO-9"`, "", 400, 1046},
		"checkbox":              {"Done", `"value":true`, `{"value":true,"objectValue":true}`, 0, 0},
		"checkbox text":         {"Done", `"value":"true"`, "", 400, 1042},
		"lenient checkbox":      {"Done", `"value":"TRUE","strict":false`, `{"value":true,"objectValue":true}`, 0, 0},
		"free checkbox":         {"Done", `"value":"perhaps","strict":false`, `{"value":"perhaps","objectValue":"perhaps"}`, 0, 0},
		"date":                  {"Due", `"value":"2026-12-01"`, `{"value":"2026-12-01","objectValue":{"objectType":"DATE","value":"2026-12-01"}}`, 0, 0},
		"date as object":        {"Due", `"objectValue":{"objectType":"DATE","value":"2026-12-01"}`, `{"value":"2026-12-01","objectValue":{"objectType":"DATE","value":"2026-12-01"}}`, 0, 0},
		"no such date":          {"Due", `"value":"2026-02-30"`, "", 400, 1042},
		"lenient date":          {"Due", `"value":"12/01/2026","strict":false`, `{"value":"2026-12-01","objectValue":{"objectType":"DATE","value":"2026-12-01"}}`, 0, 0},
		"free date":             {"Due", `"value":"soon","strict":false`, `{"value":"soon","objectValue":"soon"}`, 0, 0},
		"wrong object":          {"Due", `"objectValue":{"objectType":"CONTACT","email":"a@b.example"}`, "", 400, 1131},
		"contact":               {"Owner", `"value":"vic@a.example"`, `{"value":"vic@a.example","objectValue":{"objectType":"CONTACT","email":"vic@a.example","name":"Vic Viewer"},"displayValue":"Vic Viewer"}`, 0, 0},
		"contact object":        {"Owner", `"objectValue":{"objectType":"CONTACT","email":"x@y.example","name":"X"}`, `{"value":"x@y.example","objectValue":{"objectType":"CONTACT","email":"x@y.example","name":"X"},"displayValue":"X"}`, 0, 0},
		"no address":            {"Owner", `"value":"nobody"`, "", 400, 1042},
		"team":                  {"Team", `"objectValue":{"objectType":"MULTI_CONTACT","values":[{"objectType":"CONTACT","email":"x@y.example"}]}`, `{"displayValue":"x@y.example","objectValue":{"objectType":"MULTI_CONTACT","values":[{"objectType":"CONTACT","email":"x@y.example"}]}}`, 0, 0},
		"team by names":         {"Team", `"value":"Ann, Bob"`, "", 400, 5536},
		"team by address":       {"Team", `"value":"ann@a.example"`, "", 400, 5536},
		"tags by value":         {"Tags", `"value":"A"`, "", 400, 5536},
		"lenient tags":          {"Tags", `"value":"A","strict":false`, "", 400, 5536},
		"no tags":               {"Tags", `"value":""`, `{}`, 0, 0},
		"text is a boolean":     {"Task", `"value":true`, `{"value":true,"objectValue":true,"displayValue":"true"}`, 0, 0},
		"lenient boolean":       {"Task", `"value":false,"strict":false`, `{"value":false,"objectValue":false,"displayValue":"false"}`, 0, 0},
		"status is no boolean":  {"Status", `"value":true`, "", 400, 1042},
		"cleared checkbox":      {"Done", `"value":""`, `{"value":false,"objectValue":false}`, 0, 0},
		"strict override":       {"Status", `"value":"Odd","overrideValidation":true`, "", 400, 1042},
		"status":                {"Status", `"value":"Closed"`, `{"value":"Closed","objectValue":"Closed","displayValue":"Closed"}`, 0, 0},
		"restricted status":     {"Status", `"value":"Odd"`, "", 400, 1042},
		"lenient restricted":    {"Status", `"value":"Odd","strict":false`, "", 400, 1042},
		"overridden status":     {"Status", `"value":"Odd","strict":false,"overrideValidation":true`, `{"value":"Odd","objectValue":"Odd","displayValue":"Odd"}`, 0, 0},
		"tags":                  {"Tags", `"objectValue":{"objectType":"MULTI_PICKLIST","values":["C"]}`, `{"displayValue":"C","objectValue":{"objectType":"MULTI_PICKLIST","values":["C"]}}`, 0, 0},
		"datetime":              {"Start", `"value":"2026-11-23T10:00:00"`, `{"value":"2026-11-23T10:00:00","objectValue":{"objectType":"ABSTRACT_DATETIME","value":"2026-11-23T10:00:00"}}`, 0, 0},
		"duration":              {"Duration", `"value":"1.5d 2h"`, `{"value":"1.5d 2h","displayValue":"1.5d 2h","objectValue":{"objectType":"DURATION","days":1.5,"hours":2}}`, 0, 0},
		"elapsed duration":      {"Duration", `"objectValue":{"objectType":"DURATION","weeks":1,"elapsed":true,"negative":true}`, `{"value":"-~1w","displayValue":"-~1w","objectValue":{"objectType":"DURATION","weeks":1,"elapsed":true,"negative":true}}`, 0, 0},
		"free duration":         {"Duration", `"value":"a while","strict":false`, `{"value":"a while","objectValue":"a while","displayValue":"a while"}`, 0, 0},
		"predecessor text":      {"Predecessors", `"value":"1SS -1d, 3"`, "predecessors", 0, 0},
		"unknown row":           {"Predecessors", `"value":"77"`, "", 400, 1042},
		"formula":               {"Price", `"formula":"=1+1"`, `{"value":"#UNPARSEABLE","objectValue":"#UNPARSEABLE","displayValue":"#UNPARSEABLE","formula":"=1+1"}`, 0, 0},
		"formula without =":     {"Price", `"formula":"1+1"`, "", 400, 1162},
		"formula and value":     {"Price", `"formula":"=1+1","value":2`, "", 400, 1163},
		"hyperlink":             {"Task", `"value":"Spec","hyperlink":{"url":"https://x.example"}`, `{"value":"Spec","objectValue":"Spec","displayValue":"Spec","hyperlink":{"url":"https://x.example"}}`, 0, 0},
		"hyperlink to two":      {"Task", `"value":"Spec","hyperlink":{"url":"https://x.example","sheetId":4}`, "", 400, 1112},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			body := fmt.Sprintf(`{"id":%d,%s}`, two, w.cells(tt.title, tt.write))
			if tt.code != 0 {
				w.api.refused("PUT", w.path+"/rows", body, tt.status, tt.code)
				return
			}
			w.api.ok("PUT", w.path+"/rows", body)
			want := tt.want
			if want == "predecessors" {
				want = fmt.Sprintf(`{"value":"1SS -1d, 3","displayValue":"1SS -1d, 3","objectValue":{"objectType":"PREDECESSOR_LIST","predecessors":[
					{"rowId":%d,"rowNumber":1,"type":"SS","lag":{"objectType":"DURATION","days":1,"negative":true}},{"rowId":%d,"rowNumber":3,"type":"FS"}]}}`, w.sheet.Rows[0], w.sheet.Rows[2])
			}
			got := w.cell(t, w.row(two, "level=2&include=objectValue"), tt.title)
			if diff := cmp.Diff(parsed(t, want), got); diff != "" {
				t.Errorf("cell (-want +got):\n%s", diff)
			}
		})
	}
}

func TestWriteRefusals(t *testing.T) {
	w := newWorld(t)
	one, two := w.sheet.Rows[0], w.sheet.Rows[1]
	other, err := w.srv.AddSheet(SheetSpec{Name: "Other", Owner: w.jane, Columns: []Column{{Title: "A"}}, Rows: []Row{{Cells: Cells{"A": "x"}}}})
	if err != nil {
		t.Fatal(err)
	}
	link := fmt.Sprintf(`"value":null,"linkInFromCell":{"sheetId":%d,"rowId":%d,"columnId":%d}`, other.ID, other.Rows[0], other.Columns["A"])
	rows := w.path + "/rows"
	before := w.version(t)
	for name, tt := range map[string]struct {
		method, body string
		status, code int
	}{
		"update without id":   {"PUT", `{"toTop":true}`, 400, 1012},
		"add with id":         {"POST", `{"id":1}`, 400, 1032},
		"read-only attribute": {"PUT", fmt.Sprintf(`{"id":%d,"rowNumber":1}`, one), 400, 1032},
		"unknown row":         {"PUT", `{"id":1}`, 404, 1006},
		"unknown column":      {"POST", `{"cells":[{"columnId":1,"value":"x"}]}`, 400, 1036},
		"column twice":        {"POST", `{` + w.cells("Task", `"value":"a"`, "Task", `"value":"b"`) + `}`, 400, 1037},
		"no column":           {"POST", `{"cells":[{"value":"x"}]}`, 400, 1012},
		"row twice":           {"PUT", fmt.Sprintf(`[{"id":%d},{"id":%[1]d}]`, one), 400, 1137},
		"two places":          {"POST", `[{"toTop":true},{"toBottom":true}]`, 400, 1123},
		"both edges":          {"POST", `{"toTop":true,"toBottom":true}`, 400, 1062},
		"above nothing":       {"POST", `{"above":true}`, 400, 1062},
		"parent and sibling":  {"POST", fmt.Sprintf(`{"parentId":%d,"siblingId":%d}`, one, two), 400, 1062},
		"no such parent":      {"POST", `{"parentId":5}`, 400, 1063},
		"no such sibling":     {"POST", `{"siblingId":5}`, 400, 1064},
		"under itself":        {"PUT", fmt.Sprintf(`{"id":%d,"parentId":%[1]d}`, one), 400, 1062},
		"link and value":      {"PUT", fmt.Sprintf(`{"id":%d,%s}`, one, w.cells("Price", link, "Task", `"value":"x"`)), 400, 1115},
		"link with value":     {"PUT", fmt.Sprintf(`{"id":%d,%s}`, one, w.cells("Price", strings.Replace(link, "null", "1", 1))), 400, 1110},
		"link in a new row":   {"POST", `{` + w.cells("Price", link) + `}`, 400, 1032},
		"id that is no id":    {"PUT", `{"id":"seven"}`, 400, 1008},
		"501 rows":            {"POST", "[" + strings.Repeat("{},", 500) + "{}]", 400, 1061},
	} {
		t.Run(name, func(t *testing.T) {
			w.api.refused(tt.method, rows, tt.body, tt.status, tt.code)
		})
	}
	if got := w.version(t); got != before {
		t.Errorf("got version %s after refusals only, want %s", got, before)
	}
	w.api.ok("PUT", rows, fmt.Sprintf(`{"id":%d,%s}`, one, w.cells("Price", link)))
	if got := at(t, w.cell(t, w.row(one, ""), "Price"), "linkInFromCell", "status"); got != "OK" {
		t.Errorf("link: got status %v, want OK", got)
	}
}

func TestOneBadRowFailsAllUnlessPartial(t *testing.T) {
	w := newWorld(t)
	good, bad := `{`+w.cells("Task", `"value":"good"`)+`}`, `{`+w.cells("Due", `"value":"bad"`)+`}`
	body := "[" + good + "," + bad + "," + good + "]"
	before := w.version(t)
	out := w.api.refused("POST", w.path+"/rows", body, 400, 1042)
	if fmt.Sprint(at(t, out.body, "detail", "index")) != "1" {
		t.Errorf("detail: got %v, want index 1", out.body["detail"])
	}
	if snap, _ := w.srv.Snapshot(w.sheet.ID); len(snap.Rows) != 3 || w.version(t) != before {
		t.Errorf("got %d rows after a failure, want 3 and the same version", len(snap.Rows))
	}
	part := w.api.ok("POST", w.path+"/rows?allowPartialSuccess=true", body).body
	if part["message"] != "PARTIAL_SUCCESS" || fmt.Sprint(part["resultCode"]) != "3" || len(part["result"].([]any)) != 2 {
		t.Errorf("got %v", part)
	}
	if fmt.Sprint(at(t, part, "failedItems", 0, "index")) != "1" || fmt.Sprint(at(t, part, "failedItems", 0, "error", "errorCode")) != "1042" {
		t.Errorf("failed items: got %v", part["failedItems"])
	}
}

func TestOneWriteOneVersion(t *testing.T) {
	w := newWorld(t)
	start := fmt.Sprint(w.version(t))
	out := w.api.ok("POST", w.path+"/rows", `[{},{},{}]`).body
	if len(out["result"].([]any)) != 3 || out["message"] != "SUCCESS" {
		t.Errorf("list: got %v", out)
	}
	one := w.api.ok("POST", w.path+"/rows", `{}`).body
	if _, single := one["result"].(map[string]any); !single {
		t.Errorf("object: got %v, want one row", one["result"])
	}
	var from, to int
	fmt.Sscan(start, &from)
	fmt.Sscan(fmt.Sprint(one["version"]), &to)
	if to != from+2 {
		t.Errorf("got version %d after two writes at %d, want %d", to, from, from+2)
	}
}

func TestPlaces(t *testing.T) {
	w := newWorld(t)
	by := w.srv.As(w.jane)
	if _, err := by.AddRows(w.sheet.ID, Row{Cells: Cells{"Task": "Four"}, ParentID: w.sheet.Rows[0]}); err != nil {
		t.Fatal(err)
	}
	step := func(name string, want string, rows ...Row) {
		t.Helper()
		if rows[0].ID == 0 {
			if _, err := by.AddRows(w.sheet.ID, rows...); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		} else if err := by.UpdateRows(w.sheet.ID, rows...); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got := w.outline(); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	id := func(task string) int64 {
		snap, _ := w.srv.Snapshot(w.sheet.ID)
		for _, r := range snap.Rows {
			if r.Cells[w.col("Task")] == task {
				return r.ID
			}
		}
		return 0
	}
	add := func(task string) Row { return Row{Cells: Cells{"Task": task}} }
	top := add("T")
	top.ToTop = true
	second := add("U")
	second.ToTop = true
	step("two to the top", "T U One(Four) Two Three", top, second)
	last := add("Five")
	last.ParentID, last.ToBottom = id("One"), true
	step("last child", "T U One(Four Five) Two Three", last)
	above := add("V")
	above.Sibling, above.Above = id("Five"), true
	step("above a sibling", "T U One(Four V Five) Two Three", above)
	below := add("W")
	below.Sibling = id("One")
	step("below a sibling and its children", "T U One(Four V Five) W Two Three", below)
	step("move with children", "T U W Two Three One(Four V Five)", Row{ID: id("One"), ToBottom: true})
	step("move under", "T U W Two Three(One(Four V Five))", Row{ID: id("One"), ParentID: id("Three")})
	step("indent", "T U(W) Two Three(One(Four V Five))", Row{ID: id("W"), Indent: true})
	step("indent a second", "T U(W) Two Three(One(Four V(Five)))", Row{ID: id("Five"), Indent: true})
	step("outdent", "T U(W) Two Three(One(Four) V(Five))", Row{ID: id("V"), Outdent: true})
	step("indent with children", "T U(W) Two Three(One(Four V(Five)))", Row{ID: id("V"), Indent: true})
	step("outdent takes the siblings below along", "T U(W) Two Three(One Four(V(Five)))", Row{ID: id("Four"), Outdent: true})
	if err := by.DeleteRows(w.sheet.ID, id("Three")); err != nil {
		t.Fatal(err)
	}
	if got := w.outline(); got != "T U(W) Two" {
		t.Errorf("delete with children: got %q", got)
	}
	var refused *Error
	if err := by.UpdateRows(w.sheet.ID, Row{ID: id("U"), ParentID: id("W")}); !errors.As(err, &refused) || refused.Code != 1062 {
		t.Errorf("a row under its child: got %v, want 1062", err)
	}
	empty, err := by.AddRows(w.sheet.ID, Row{})
	if err != nil {
		t.Fatal(err)
	}
	if err := by.UpdateRows(w.sheet.ID, Row{ID: id("U"), ParentID: empty[0]}); !errors.As(err, &refused) || refused.Code != 1185 {
		t.Errorf("under an empty row: got %v, want 1185", err)
	}
}

// outline is the sheet's tasks as the API shows them: "One(Two Three) Four".
func (w *world) outline() string {
	w.api.t.Helper()
	sheet := w.api.ok("GET", w.path, "").body
	children := map[string][]string{}
	names := map[string]string{}
	for i, item := range sheet["rows"].([]any) {
		r := item.(map[string]any)
		if fmt.Sprint(r["rowNumber"]) != fmt.Sprint(i+1) {
			w.api.t.Errorf("row %d has number %v", i+1, r["rowNumber"])
		}
		parent := ""
		if r["parentId"] != nil {
			parent = fmt.Sprint(r["parentId"])
		}
		id := fmt.Sprint(r["id"])
		names[id] = fmt.Sprint(w.cell(w.api.t, r, "Task")["value"])
		children[parent] = append(children[parent], id)
	}
	var text func(parent string) string
	text = func(parent string) string {
		var parts []string
		for _, id := range children[parent] {
			part := names[id]
			if inner := text(id); inner != "" {
				part += "(" + inner + ")"
			}
			parts = append(parts, part)
		}
		return strings.Join(parts, " ")
	}
	return text("")
}

func TestDeleteRows(t *testing.T) {
	w := newWorld(t)
	rows := w.path + "/rows"
	w.api.refused("DELETE", rows, "", 400, 1012)
	w.api.refused("DELETE", fmt.Sprintf("%s?ids=%d,5", rows, w.sheet.Rows[0]), "", 404, 1006)
	out := w.api.ok("DELETE", fmt.Sprintf("%s?ids=%d,5&ignoreRowsNotFound=true", rows, w.sheet.Rows[0]), "").body
	if got := fmt.Sprint(out["result"]); got != fmt.Sprintf("[%d]", w.sheet.Rows[0]) {
		t.Errorf("got %v, want the one row", got)
	}
	w.api.refused("GET", fmt.Sprintf("%s/%d", rows, w.sheet.Rows[0]), "", 404, 1006)
	before := w.version(t)
	w.api.ok("DELETE", rows+"?ids=5&ignoreRowsNotFound=true", "")
	if got := w.version(t); got != before {
		t.Errorf("got version %s after deleting nothing, want %s", got, before)
	}
}

func TestLocks(t *testing.T) {
	w := newWorld(t)
	editor := w.srv.AddUser(User{Email: "ed@a.example"})
	if err := w.srv.As(w.jane).Share(w.sheet.ID, editor, AccessEditor); err != nil {
		t.Fatal(err)
	}
	locked := true
	if err := w.srv.As(w.jane).UpdateRows(w.sheet.ID, Row{ID: w.sheet.Rows[0], Locked: &locked}); err != nil {
		t.Fatal(err)
	}
	col, err := w.srv.As(w.jane).AddColumn(w.sheet.ID, Column{Title: "Secret", Locked: true})
	if err != nil || col == 0 {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		err  error
		code int
	}{
		"locked row":    {w.srv.As(editor).UpdateRows(w.sheet.ID, Row{ID: w.sheet.Rows[0], Cells: Cells{"Task": "x"}}), 1050},
		"delete it":     {w.srv.As(editor).DeleteRows(w.sheet.ID, w.sheet.Rows[0]), 1092},
		"locked column": {w.srv.As(editor).UpdateRows(w.sheet.ID, Row{ID: w.sheet.Rows[1], Cells: Cells{"Secret": "x"}}), 1039},
		"free row":      {w.srv.As(editor).UpdateRows(w.sheet.ID, Row{ID: w.sheet.Rows[1], Cells: Cells{"Task": "x"}}), 0},
		"lock a row":    {w.srv.As(editor).UpdateRows(w.sheet.ID, Row{ID: w.sheet.Rows[1], Locked: &locked}), 1004},
		"edit column":   {w.srv.As(editor).RenameColumn(w.sheet.ID, w.col("Due"), "x"), 1004},
		"override":      {w.srv.As(editor).Do("PUT", fmt.Sprintf("sheets/%d/rows?overrideValidation=true", w.sheet.ID), []any{map[string]any{"id": w.sheet.Rows[1], "cells": []any{map[string]any{"columnId": w.col("Status"), "value": "Odd"}}}}, nil), 1212},
		"as the owner":  {w.srv.As(w.jane).UpdateRows(w.sheet.ID, Row{ID: w.sheet.Rows[0], Cells: Cells{"Secret": "x"}}), 0},
	} {
		var refused *Error
		if errors.As(tt.err, &refused) != (tt.code != 0) || refused != nil && refused.Code != tt.code {
			t.Errorf("%s: got %v, want %d", name, tt.err, tt.code)
		}
	}
}

// Who may write rows, by access; a stranger does not learn that the sheet exists.
func TestRowWritesByAccess(t *testing.T) {
	w := newWorld(t)
	for level, want := range map[string]string{
		"": "404/1006", AccessViewer: "403/1004", AccessCommenter: "403/1004", AccessEditor: "200/0", AccessEditorShare: "200/0", AccessAdmin: "200/0",
	} {
		user := w.srv.AddUser(User{Email: strings.ToLower(level) + "@b.example"})
		if level != "" {
			if err := w.srv.As(w.jane).Share(w.sheet.ID, user, level); err != nil {
				t.Fatal(err)
			}
		}
		a := api{t: t, url: w.api.url, token: w.srv.AddToken(user)}
		added := a.do("POST", w.path+"/rows", `{`+w.cells("Task", `"value":"new"`)+`}`)
		id := any(w.sheet.Rows[2])
		if added.status == 200 {
			id = at(t, added.body, "result", "id")
		}
		for what, out := range map[string]answer{
			"add": added, "update": a.do("PUT", w.path+"/rows", fmt.Sprintf(`{"id":%v,"toTop":true}`, id)), "delete": a.do("DELETE", fmt.Sprintf("%s/rows?ids=%v", w.path, id), ""),
		} {
			code := out.body["errorCode"]
			if code == nil {
				code = 0
			}
			if got := fmt.Sprintf("%d/%v", out.status, code); got != want {
				t.Errorf("%s by %q: got %s, want %s", what, level, got, want)
			}
		}
	}
}

func TestSilentChange(t *testing.T) {
	w := newWorld(t)
	before := w.version(t)
	row := w.row(w.sheet.Rows[0], "")
	if err := w.srv.SetCellSilently(w.sheet.ID, w.sheet.Rows[0], "Price", 99); err != nil {
		t.Fatal(err)
	}
	after := w.row(w.sheet.Rows[0], "")
	if got := w.cell(t, after, "Price")["value"]; fmt.Sprint(got) != "99" {
		t.Errorf("got %v, want 99", got)
	}
	if w.version(t) != before || after["modifiedAt"] != row["modifiedAt"] {
		t.Error("got another version or modifiedAt, want the same")
	}
}
