package smartsheet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Each write, the request it makes, and what it makes of the answer.
func TestWriteRequests(t *testing.T) {
	const query = "include=objectValue,columnType,writerInfo&level=2"
	three := DurationObject{Days: "3", Hours: "4"}
	for name, tt := range map[string]struct {
		call   func(context.Context, *Client) error
		method string
		path   string
		body   string
	}{
		"add": {
			call: func(ctx context.Context, c *Client) error {
				_, err := c.AddRows(ctx, 1, []RowWrite{{ToTop: true, Cells: []CellWrite{{ColumnID: 2, Value: "=not a formula"}, {ColumnID: 3, Value: json.Number("1.50")}}}}, WriteOptions{ChangeAgent: "a,b"})
				return err
			}, method: "POST", path: "/2.0/sheets/1/rows?" + query,
			body: `[{"toTop":true,"cells":[{"columnId":2,"value":"=not a formula","strict":true},{"columnId":3,"value":1.50,"strict":true}]}]`,
		},
		"place": {
			call: func(ctx context.Context, c *Client) error {
				_, err := c.AddRows(ctx, 1, []RowWrite{{SiblingID: 9, Above: true}}, WriteOptions{ChangeAgent: "a,b", PartialSuccess: true})
				return err
			}, method: "POST", path: "/2.0/sheets/1/rows?allowPartialSuccess=true&" + query, body: `[{"siblingId":9,"above":true}]`,
		},
		"update": {
			call: func(ctx context.Context, c *Client) error {
				_, err := c.UpdateRows(ctx, 1, []RowWrite{{ID: 5, Cells: []CellWrite{
					{ColumnID: 2, Value: ""}, {ColumnID: 3, Value: false}, {ColumnID: 4, Formula: "=1+1"}, {ColumnID: 6, Value: "soon", Lenient: true, OverrideValidation: true},
					{ColumnID: 7, Value: "Spec", Hyperlink: &Hyperlink{URL: "https://x.example"}},
				}}}, WriteOptions{ChangeAgent: "a,b"})
				return err
			}, method: "PUT", path: "/2.0/sheets/1/rows?" + query,
			body: `[{"id":5,"cells":[{"columnId":2,"value":"","strict":true},{"columnId":3,"value":false,"strict":true},{"columnId":4,"formula":"=1+1"},
				{"columnId":6,"value":"soon","strict":false,"overrideValidation":true},{"columnId":7,"value":"Spec","hyperlink":{"url":"https://x.example"},"strict":true}]}]`,
		},
		"objects": {
			call: func(ctx context.Context, c *Client) error {
				_, err := c.UpdateRows(ctx, 1, []RowWrite{{ID: 5, Cells: []CellWrite{
					{ColumnID: 2, ObjectValue: MultiContactObject(ContactObject("a@x.example", "A"), ContactObject("b@x.example", ""))},
					{ColumnID: 3, ObjectValue: MultiPicklistObject("A", "B")}, {ColumnID: 4, ObjectValue: DurationObject{Days: "1.5", Negative: true}},
					{ColumnID: 6, ObjectValue: PredecessorsObject(PredecessorRow{RowID: 8, Type: "FS", Lag: &three})},
					{ColumnID: 7, ObjectValue: DateObject("2026-11-30")}, {ColumnID: 8, ObjectValue: AbstractDateTimeObject("2026-11-30T08:00:00")},
				}}}, WriteOptions{ChangeAgent: "a,b"})
				return err
			}, method: "PUT", path: "/2.0/sheets/1/rows?" + query,
			body: `[{"id":5,"cells":[
				{"columnId":2,"strict":true,"objectValue":{"objectType":"MULTI_CONTACT","values":[{"objectType":"CONTACT","email":"a@x.example","name":"A"},{"objectType":"CONTACT","email":"b@x.example"}]}},
				{"columnId":3,"strict":true,"objectValue":{"objectType":"MULTI_PICKLIST","values":["A","B"]}},{"columnId":4,"strict":true,"objectValue":{"objectType":"DURATION","days":1.5,"negative":true}},
				{"columnId":6,"strict":true,"objectValue":{"objectType":"PREDECESSOR_LIST","predecessors":[{"rowId":8,"type":"FS","lag":{"objectType":"DURATION","days":3,"hours":4}}]}},
				{"columnId":7,"strict":true,"objectValue":{"objectType":"DATE","value":"2026-11-30"}},{"columnId":8,"strict":true,"objectValue":{"objectType":"ABSTRACT_DATETIME","value":"2026-11-30T08:00:00"}}]}]`,
		},
		"delete": {
			call: func(ctx context.Context, c *Client) error {
				_, err := c.DeleteRows(ctx, 1, []int64{5, 9007199254740993}, WriteOptions{ChangeAgent: "a,b"})
				return err
			}, method: "DELETE", path: "/2.0/sheets/1/rows?ids=5,9007199254740993&ignoreRowsNotFound=true",
		},
	} {
		t.Run(name, func(t *testing.T) {
			var got, body string
			var header http.Header
			c := serve(t, func(w http.ResponseWriter, r *http.Request) {
				data, _ := io.ReadAll(r.Body)
				got, body, header = r.Method+" "+r.URL.RequestURI(), string(data), r.Header.Clone()
				answer(200, `{"message":"SUCCESS","resultCode":0,"version":7,"result":[{"id":5}]}`)(w, r)
			})
			if err := tt.call(t.Context(), c); (err != nil) != (tt.method == "DELETE") { // its result is not of numbers
				t.Fatal(err)
			}
			if got != tt.method+" "+tt.path {
				t.Errorf("got %s, want %s %s", got, tt.method, tt.path)
			}
			if agent := header.Get("Smartsheet-Change-Agent"); agent != "a,b" {
				t.Errorf("got change agent %q", agent)
			}
			if tt.body == "" {
				return
			}
			if diff := cmp.Diff(number(t, []byte(tt.body)), number(t, []byte(body))); diff != "" {
				t.Errorf("body (-want +got):\n%s", diff)
			}
		})
	}
}

func TestWriteIsRefusedUnsent(t *testing.T) {
	c := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("something was sent") })
	one := []RowWrite{{ID: 1}}
	for name, call := range map[string]func() error{
		"no rows":  func() error { _, err := c.UpdateRows(t.Context(), 1, nil, WriteOptions{}); return err },
		"501 rows": func() error { _, err := c.AddRows(t.Context(), 1, make([]RowWrite, 501), WriteOptions{}); return err },
		"no ids":   func() error { _, err := c.DeleteRows(t.Context(), 1, nil, WriteOptions{}); return err },
		"201 ids":  func() error { _, err := c.DeleteRows(t.Context(), 1, make([]int64, 201), WriteOptions{}); return err },
		"long agent": func() error {
			_, err := c.UpdateRows(t.Context(), 1, one, WriteOptions{ChangeAgent: strings.Repeat("x", 513)})
			return err
		},
		"two lines": func() error {
			_, err := c.UpdateRows(t.Context(), 1, one, WriteOptions{ChangeAgent: "a\nb"})
			return err
		},
		"no ASCII":    func() error { _, err := c.UpdateRows(t.Context(), 1, one, WriteOptions{ChangeAgent: "ä"}); return err },
		"blank agent": func() error { _, err := c.UpdateRows(t.Context(), 1, one, WriteOptions{ChangeAgent: " a"}); return err },
		"no number": func() error {
			_, err := c.UpdateRows(t.Context(), 1, []RowWrite{{ID: 1, Cells: []CellWrite{{ColumnID: 1, Value: json.Number("secret text")}}}}, WriteOptions{})
			return err
		},
	} {
		err := call()
		if Classify(err) != Invalid || OutcomeUnknown(err) {
			t.Errorf("%s: got %v of class %v, want invalid and known", name, err, Classify(err))
		}
		if err != nil && strings.Contains(err.Error(), "secret text") {
			t.Errorf("%s: the error tells a value: %v", name, err)
		}
	}
}

// resultsOf are the row ids and error codes of results, "5 1036 6".
func resultsOf(w *RowsWritten) string {
	var parts []string
	for _, r := range w.Rows {
		if r.Err != nil {
			parts = append(parts, fmt.Sprintf("%d/%d:%d:%v", r.Err.Code, r.Err.RowID, r.Err.Status, Classify(r.Err)))
			continue
		}
		parts = append(parts, fmt.Sprint(r.Row.ID))
	}
	return strings.Join(parts, " ")
}

func TestWriteResults(t *testing.T) {
	partial := func(result, failed string) string {
		return fmt.Sprintf(`{"message":"PARTIAL_SUCCESS","resultCode":3,"version":84,"result":%s,"failedItems":%s}`, result, failed)
	}
	failed := func(index int, code string) string {
		return fmt.Sprintf(`{"index":%d,"rowId":6,"error":{"errorCode":%s,"message":"no"}}`, index, code)
	}
	for name, tt := range map[string]struct{ body, want string }{
		"all":           {partial(`[{"id":5},{"id":6},{"id":7}]`, `[]`), "5 6 7"},
		"one failed":    {partial(`[{"id":5},{"id":7}]`, `[`+failed(1, "1036")+`]`), "5 1036/6:400:invalid 7"},
		"locked":        {partial(`[{"id":5},{"id":6}]`, `[`+failed(2, "1050")+`]`), "5 6 1050/7:400:forbidden"},
		"busy":          {partial(`[]`, `[`+failed(1, "4004")+`,`+failed(0, "1042")+`,`+failed(2, "1006")+`]`), "1042/5:400:invalid 4004/6:400:retry 1006/7:400:not_found"},
		"too few":       {partial(`[{"id":5}]`, `[`+failed(1, "1036")+`]`), ""},
		"too many":      {partial(`[{"id":5},{"id":6},{"id":7}]`, `[`+failed(1, "1036")+`]`), ""},
		"other order":   {partial(`[{"id":6},{"id":5},{"id":7}]`, `[]`), ""},
		"twice":         {partial(`[{"id":5}]`, `[`+failed(1, "1036")+`,`+failed(1, "1036")+`]`), ""},
		"beyond":        {partial(`[{"id":5},{"id":6}]`, `[`+failed(3, "1036")+`]`), ""},
		"below":         {partial(`[{"id":5},{"id":6}]`, `[`+failed(-1, "1036")+`]`), ""},
		"without error": {partial(`[{"id":5},{"id":6}]`, `[{"index":2}]`), ""},
		"no rows":       {`{"message":"SUCCESS"}`, ""},
		"one object":    {`{"result":{"id":5}}`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			c := serve(t, answer(200, tt.body))
			got, err := c.UpdateRows(t.Context(), 1, []RowWrite{{ID: 5}, {ID: 6}, {ID: 7}}, WriteOptions{PartialSuccess: true})
			if tt.want == "" {
				if Classify(err) != Retry || !OutcomeUnknown(err) {
					t.Errorf("got %v of class %v, want retry and unknown", err, Classify(err))
				}
				return
			}
			if err != nil || resultsOf(got) != tt.want || got.Version != 84 {
				t.Errorf("got %v, %v, want %s", got, err, tt.want)
			}
		})
	}
	body := string(fixture(t, "sdk-tests/Serialization_-_BulkFailure.json", "response", "jsonBody"))
	got, err := serve(t, answer(200, body)).AddRows(t.Context(), 1, make([]RowWrite, 2), WriteOptions{PartialSuccess: true})
	if err != nil || resultsOf(got) != "4 1036/0:400:invalid" || got.Rows[1].Err.RefID != "abc" {
		t.Errorf("got %v, %v, want the results of the official test", got, err)
	}
	if ids, err := serve(t, answer(200, `{"message":"SUCCESS","resultCode":0,"result":[123456789,987654321]}`)).DeleteRows(t.Context(), 1, []int64{4}, WriteOptions{}); err != nil || fmt.Sprint(ids) != "[123456789 987654321]" {
		t.Errorf("got %v, %v, want the ids deleted", ids, err)
	}
	if _, err := serve(t, answer(200, `{"message":"SUCCESS"}`)).DeleteRows(t.Context(), 1, []int64{4}, WriteOptions{}); !OutcomeUnknown(err) {
		t.Errorf("got %v, want an unknown outcome", err)
	}
}

// A request that fails as a whole says which row is to blame.
func TestWriteErrorNamesTheRow(t *testing.T) {
	for body, want := range map[string]string{
		`{"errorCode":1042,"message":"no","refId":"r","detail":{"index":3,"rowId":9007199254740993}}`: "3 9007199254740993",
		`{"errorCode":1042,"message":"no","detail":{"index":0}}`:                                      "0 0",
		`{"errorCode":1042,"message":"no"}`:                                                           "none 0",
		`{"errorCode":1042,"message":"no","detail":[{"index":1}]}`:                                    "none 0",
		`{"errorCode":1042,"message":"no","detail":"index 1"}`:                                        "none 0",
	} {
		_, err := serve(t, answer(400, body)).UpdateRows(t.Context(), 1, []RowWrite{{ID: 1}}, WriteOptions{})
		var refused *Error
		if !errors.As(err, &refused) || refused.Code != 1042 {
			t.Fatalf("got %v, want 1042", err)
		}
		index := "none"
		if refused.Index != nil {
			index = fmt.Sprint(*refused.Index)
		}
		if got := fmt.Sprintf("%s %d", index, refused.RowID); got != want {
			t.Errorf("%s: got %s, want %s", body, got, want)
		}
	}
}

func TestOutcomeUnknown(t *testing.T) {
	hangUp := func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		conn.Close()
	}
	html := func(status int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			w.WriteHeader(status)
		}
	}
	refusal := func(status, code int) http.HandlerFunc {
		return answer(status, fmt.Sprintf(`{"errorCode":%d,"message":"no"}`, code))
	}
	gone := serve(t, answer(200, `{}`))
	gone.BaseURL = "http://127.0.0.1:1/2.0"
	budget := serve(t, answer(200, `{}`))
	budget.Before = func(context.Context) error { return errors.New("budget spent") }
	stopped := serve(t, answer(200, `{}`))
	stopped.Before = func(ctx context.Context) error { return context.Canceled }
	for name, tt := range map[string]struct {
		client *Client
		want   bool
	}{
		"refused":         {serve(t, refusal(400, 1042)), false},
		"forbidden":       {serve(t, refusal(403, 1039)), false},
		"limited":         {serve(t, refusal(429, 4003)), false},
		"busy":            {serve(t, refusal(500, 4004)), false},
		"maintenance":     {serve(t, refusal(503, 4001)), false},
		"timeout":         {serve(t, refusal(500, 4002)), true},
		"unexpected":      {serve(t, refusal(500, 4000)), true},
		"bad gateway":     {serve(t, html(502)), true},
		"gateway timeout": {serve(t, html(504)), true},
		"request timeout": {serve(t, html(408)), true},
		"too long":        {serve(t, html(414)), false},
		"hung up":         {serve(t, hangUp), true},
		"half an answer":  {serve(t, answer(200, `{"result":[{"id`)), true},
		"no connection":   {gone, false},
		"no budget":       {budget, false},
		"stopped before":  {stopped, false},
	} {
		_, err := tt.client.UpdateRows(t.Context(), 1, []RowWrite{{ID: 1}}, WriteOptions{})
		if err == nil || OutcomeUnknown(err) != tt.want {
			t.Errorf("%s: got %v, unknown %v, want %v", name, err, OutcomeUnknown(err), tt.want)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body) // until then the server does not see that the client is gone
		cancel()
		<-r.Context().Done()
	})
	if _, err := c.UpdateRows(ctx, 1, []RowWrite{{ID: 1}}, WriteOptions{}); Classify(err) != Canceled || !OutcomeUnknown(err) {
		t.Errorf("got %v of class %v, want canceled and unknown", err, Classify(err))
	}
	if OutcomeUnknown(nil) {
		t.Error("no error: got unknown")
	}
}

func TestCellWriteShowsNoValue(t *testing.T) {
	cell := CellWrite{ColumnID: 7, Value: "secret", Formula: "=secret"}
	for _, format := range []string{"%v", "%+v", "%#v", "%s"} {
		if text := fmt.Sprintf(format, []RowWrite{{ID: 1, Cells: []CellWrite{cell}}}); strings.Contains(text, "secret") {
			t.Errorf("%s: got %s", format, text)
		}
	}
}
