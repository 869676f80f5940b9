package smartsheettest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// newFuzzWorld is a server that listens nowhere, with one sheet and its owner's
// token, and with what stands for its ids in bodies.
func newFuzzWorld(t testing.TB) (*Server, *sheet, string, *strings.Replacer) {
	srv := &Server{LargeIDs: true, RateLimit: -1, Debounce: -1}
	t.Cleanup(srv.Close)
	jane := srv.AddUser(User{Email: "jane@a.example", Name: "Jane Doe"})
	added, err := srv.AddSheet(SheetSpec{Name: "S", Owner: jane, Project: true, Columns: []Column{
		{Title: "Text"}, {Title: "Box", Type: "CHECKBOX"}, {Title: "Day", Type: "DATE"}, {Title: "Who", Type: "CONTACT_LIST"}, {Title: "Team", Type: "MULTI_CONTACT_LIST"},
		{Title: "One", Type: "PICKLIST", Options: []string{"A"}, Validation: true}, {Title: "Many", Type: "MULTI_PICKLIST", Options: []string{"A", "B"}},
		{Title: "At", Type: "ABSTRACT_DATETIME"}, {Title: "Long", Type: "DURATION"}, {Title: "After", Type: "PREDECESSOR"},
		{Title: "No", SystemType: "AUTO_NUMBER"}, {Title: "Sum", Formula: "=1+1"},
	}, Rows: []Row{{Cells: Cells{"Text": "a"}}, {Cells: Cells{"Text": "b"}}, {Cells: Cells{"Text": "c"}}}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := srv.As(jane).AddRows(added.ID, Row{ParentID: added.Rows[0], Cells: Cells{"Text": "d"}}); err != nil {
		t.Fatal(err)
	}
	var pairs []string
	for title, id := range added.Columns {
		pairs = append(pairs, "$"+title, fmt.Sprint(id))
	}
	for i, id := range added.Rows {
		pairs = append(pairs, fmt.Sprintf("$%d", i), fmt.Sprint(id))
	}
	return srv, srv.sheets[added.ID], srv.AddToken(jane), strings.NewReplacer(pairs...)
}

// sound says what of a sheet cannot be. Restrictions may be overridden.
func (sh *sheet) sound(overridden bool) error {
	if len(sh.byID) != len(sh.rows) {
		return fmt.Errorf("%d rows by id, %d in order", len(sh.byID), len(sh.rows))
	}
	for i, r := range sh.rows {
		switch {
		case r.index != i || sh.byID[r.id] != r:
			return fmt.Errorf("row %d is at %d and known as %p", i, r.index, sh.byID[r.id])
		case r.parent != nil && (sh.byID[r.parent.id] != r.parent || r.index <= r.parent.index || r.index >= sh.end(r.parent)):
			return fmt.Errorf("row %d is not under its parent", i)
		}
		for id, held := range r.cells {
			col := sh.column(id)
			if col == nil || col.SystemType != "" || col.Formula != "" && held.value != nil {
				return fmt.Errorf("row %d has a cell in column %d, which cannot be", i, id)
			}
			if _, err := json.Marshal(objectOf(held.value)); err != nil {
				return fmt.Errorf("row %d: %w", i, err)
			}
			if col.Validation && held.value != nil && held.formula == "" && !overridden && !sh.valid(col, held.value) {
				return fmt.Errorf("row %d holds %v in column %s", i, held.value, col.Title)
			}
		}
	}
	return nil
}

// FuzzRowWrites sends what anybody may send to a sheet's rows: it is answered as
// the API answers, leaves the sheet sound, and changes nothing where it is refused.
func FuzzRowWrites(f *testing.F) {
	for _, body := range []string{
		`[{"id":$0,"cells":[{"columnId":$Text,"value":"x"}]},{"id":"$1","toTop":true}]`, `{"cells":[{"columnId":$Box,"value":true},{"columnId":$Day,"value":"2026-02-30"}]}`,
		`[{"parentId":$0,"toBottom":true,"cells":[{"columnId":$Who,"value":"a@b.example"}]},{"siblingId":$1,"above":true}]`, `{"id":$0,"parentId":$0}`, `{"id":$1,"indent":1}`, `[{"id":$0,"outdent":1},{"id":$2,"outdent":1}]`,
		`{"id":$0,"cells":[{"columnId":$Team,"objectValue":{"objectType":"MULTI_CONTACT","values":[{"objectType":"CONTACT","email":"a@b.example"}]}},{"columnId":$Many,"objectValue":{"objectType":"MULTI_PICKLIST","values":["A","A"]}}]}`,
		`{"id":$0,"cells":[{"columnId":$Long,"objectValue":{"objectType":"DURATION","days":1.5,"negative":true}},{"columnId":$After,"value":"2FS +1d"},{"columnId":$At,"value":"2026-11-30T08:00:00"}]}`,
		`{"id":$0,"cells":[{"columnId":$After,"objectValue":{"objectType":"PREDECESSOR_LIST","predecessors":[{"rowId":$1,"type":"SS","lag":{"objectType":"DURATION","hours":1e300}}]}}]}`,
		`{"id":$2,"cells":[{"columnId":$One,"value":"Odd","strict":false},{"columnId":$Sum,"value":1},{"columnId":$No,"value":1}],"locked":true,"expanded":false}`,
		`{"id":$0,"cells":[{"columnId":$Text,"formula":"=1","value":null},{"columnId":$Text,"value":1e400,"hyperlink":{"url":"x"}}]}`, `{"cells":[{"columnId":$Text,"linkInFromCell":{"sheetId":1,"rowId":1,"columnId":1},"value":null}]}`,
		`[]`, `[null]`, `null`, `{}`, `[[]]`, `{"id":null}`, `{"cells":null}`, `{"cells":[null]}`, "\xff", `{"cells":[{"columnId":$Text,"value":{"a":1}}]}`,
	} {
		for method := range uint8(2) {
			f.Add(method, "allowPartialSuccess=true", body)
		}
	}
	f.Add(uint8(2), "ids=$0,$1,$0&ignoreRowsNotFound=true", "")
	f.Add(uint8(2), "ids=,,1,-1", "x")
	f.Fuzz(func(t *testing.T, method uint8, query, body string) {
		srv, sh, token, ids := newFuzzWorld(t)
		checkWrite(t, srv, sh, token, []string{"POST", "PUT", "DELETE"}[method%3], ids.Replace(query), ids.Replace(body))
	})
}

// checkWrite sends a write of rows and looks at what became of the sheet.
func checkWrite(t interface{ Fatalf(string, ...any) }, srv *Server, sh *sheet, token, method, query, body string) (status int) {
	call := func(method, suffix, body string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(method, fmt.Sprintf("/2.0/sheets/%d", sh.id)+suffix, strings.NewReader(body))
		r.Header = http.Header{"Authorization": {"Bearer " + token}, "Content-Type": {"application/json"}}
		out := httptest.NewRecorder()
		srv.ServeHTTP(out, r)
		return out
	}
	values, err := url.ParseQuery(query)
	if err != nil || len(values.Encode()) > maxURL/2 {
		return 0
	}
	before := call("GET", "?level=2&include=objectValue", "").Body.String()
	out := call(method, "/rows?"+values.Encode(), body)
	var answer map[string]any
	if err := json.Unmarshal(out.Body.Bytes(), &answer); err != nil || out.Code >= 500 {
		t.Fatalf("%s %s: got %d %s", method, body, out.Code, out.Body)
	}
	after := call("GET", "?level=2&include=objectValue", "")
	if after.Code != http.StatusOK {
		t.Fatalf("after %s %s the sheet cannot be read: %d %s", method, body, after.Code, after.Body)
	}
	if out.Code != http.StatusOK && after.Body.String() != before {
		t.Fatalf("%s %s: %d %s changed the sheet", method, body, out.Code, out.Body)
	}
	if err := sh.sound(strings.Contains(query+body, "overrideValidation")); err != nil {
		t.Fatalf("%s %s: after %d %s: %v", method, body, out.Code, out.Body, err)
	}
	return out.Code
}

// member draws an attribute with one of its values.
func member(name string, values ...string) *rapid.Generator[string] {
	return rapid.Map(rapid.SampledFrom(values), func(v string) string { return fmt.Sprintf("%q:%s", name, v) })
}

// object draws some of the members, each name once.
func object(members ...*rapid.Generator[string]) *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		var parts []string
		for _, m := range members {
			if rapid.Bool().Draw(t, "there") {
				parts = append(parts, m.Draw(t, "member"))
			}
		}
		return "{" + strings.Join(parts, ",") + "}"
	})
}

func listOf(item *rapid.Generator[string], most int) *rapid.Generator[string] {
	return rapid.Map(rapid.SliceOfN(item, 0, most), func(items []string) string { return "[" + strings.Join(items, ",") + "]" })
}

// rowBodies draws rows as a client may write them: mostly sensible, never tame.
func rowBodies() *rapid.Generator[string] {
	row := []string{"$0", "$1", "$2", "$3", `"$1"`, "1", "null"}
	values := []string{`"x"`, `""`, "null", "1", "1.50", "true", `"2026-11-30"`, `"a@b.example"`, `"A"`, `"2FS +1d"`, `"1.5d"`, "[1]", "{}", "9007199254740993"}
	objects := []string{
		`{"objectType":"MULTI_PICKLIST","values":["A","B"]}`, `{"objectType":"MULTI_CONTACT","values":[{"objectType":"CONTACT","email":"a@b.example"}]}`,
		`{"objectType":"PREDECESSOR_LIST","predecessors":[{"rowId":$1,"type":"FS","lag":{"objectType":"DURATION","days":1}}]}`, `{"objectType":"DURATION","hours":1e300}`,
		`{"objectType":"CONTACT","name":"N"}`, `{"objectType":"DATE","value":"2026-11-30"}`, `{"objectType":"DATE"}`, `{"values":null}`, `"A"`, "null",
	}
	cell := rapid.Custom(func(t *rapid.T) string {
		column := rapid.SampledFrom([]string{"$Text", "$Box", "$Day", "$Who", "$Team", "$One", "$Many", "$At", "$Long", "$After", "$No", "$Sum", "7"}).Draw(t, "column")
		content := rapid.OneOf(member("value", values...), member("value", values...), member("objectValue", objects...), member("formula", `"=1"`, `"1"`)).Draw(t, "content")
		more := object(member("strict", "false", "true"), member("hyperlink", "null", `{"url":"x"}`, `{"sheetId":1}`), member("image", "null")).Draw(t, "more")
		parts := fmt.Sprintf(`{"columnId":%s,%s`, column, content)
		if inner := strings.Trim(more, "{}"); inner != "" && rapid.IntRange(0, 3).Draw(t, "odd") == 0 {
			return parts + "," + more[1:]
		}
		return parts + "}"
	})
	cells := rapid.Map(listOf(cell, 3), func(list string) string { return `"cells":` + list })
	place := rapid.OneOf(member("toTop", "true"), member("toBottom", "true", "false"), member("parentId", row...), member("siblingId", row...), member("indent", "1", "2"), member("outdent", "1"))
	single := object(member("id", row...), place, member("above", "true"), cells, member("locked", "true", "false"), member("expanded", "false"))
	moves := rapid.Custom(func(t *rapid.T) string { // the same place for all, as the API wants it
		where := place.Draw(t, "place")
		var rows []string
		for _, id := range rapid.SliceOfNDistinct(rapid.SampledFrom(row[:4]), 1, 4, rapid.ID).Draw(t, "ids") {
			rows = append(rows, fmt.Sprintf(`{"id":%s,%s}`, id, where))
		}
		return "[" + strings.Join(rows, ",") + "]"
	})
	return rapid.OneOf(listOf(single, 3), moves, single)
}

// Whatever rows a client writes, one write after the other, the sheet stays sound.
func TestRowWritesKeepTheSheetSound(t *testing.T) {
	done := 0
	rapid.Check(t, func(rt *rapid.T) {
		srv, sh, token, ids := newFuzzWorld(t)
		for range rapid.IntRange(1, 4).Draw(rt, "writes") {
			method := rapid.SampledFrom([]string{"POST", "PUT", "PUT", "DELETE"}).Draw(rt, "method")
			query, body := rapid.SampledFrom([]string{"", "allowPartialSuccess=true"}).Draw(rt, "query"), ""
			if method == "DELETE" {
				query = "ids=" + strings.Join(rapid.SliceOfN(rapid.SampledFrom([]string{"$0", "$1", "$2", "$3", "5"}), 1, 3).Draw(rt, "ids"), ",") + "&ignoreRowsNotFound=true"
			} else {
				body = rowBodies().Draw(rt, "body")
			}
			if checkWrite(rt, srv, sh, token, method, ids.Replace(query), ids.Replace(body)) == http.StatusOK {
				done++
			}
		}
		srv.Close()
	})
	if done == 0 {
		t.Error("got no write that was done")
	}
}
