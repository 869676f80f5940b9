package events

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/sheetbridge/sheetbridge/smartsheet"
)

// writableColumns are a column of each type, with ids from 1.
func writableColumns() []smartsheet.Column {
	var columns []smartsheet.Column
	for i, typ := range columnTypes() {
		columns = append(columns, smartsheet.Column{ID: int64(i + 1), Title: strings.ToLower(string(typ)), Type: typ})
	}
	return columns
}

// settable draws a value as events have it for a column.
func settable(t *rapid.T, typ smartsheet.ColumnType) json.RawMessage {
	text := rapid.OneOf(rapid.StringN(1, 40, 200), rapid.SampledFrom([]string{"=SUM(A1:A3)", "=1", "'=1", " a", "1", "true", "#REF", "2026-11-30", "\u2028<&"}))
	words := rapid.Map(text, func(s string) json.RawMessage { return jsonString(strings.ReplaceAll(s, "\x00", "0")) })
	person := rapid.Custom(func(t *rapid.T) json.RawMessage {
		name := rapid.OneOf(rapid.Just(null()), words).Draw(t, "name")
		return json.RawMessage(fmt.Sprintf(`{"email":"%s@example.com","name":%s}`, rapid.StringMatching(`[a-z]{1,9}`).Draw(t, "email"), name))
	})
	list := func(of *rapid.Generator[json.RawMessage]) json.RawMessage {
		return listOrNull(rapid.SliceOfNDistinct(of, 1, 4, func(v json.RawMessage) string { return string(v) }).Draw(t, "list"))
	}
	day := func() time.Time {
		return time.Unix(rapid.Int64Range(-1e10, 2e11).Draw(t, "second"), 0).UTC()
	}
	switch typ {
	case smartsheet.Checkbox:
		return json.RawMessage(fmt.Sprint(rapid.Bool().Draw(t, "on")))
	case smartsheet.Date:
		return jsonString(day().Format(time.DateOnly))
	case smartsheet.AbstractDateTime:
		return jsonString(day().Format(abstractForm))
	case smartsheet.ContactList:
		return person.Draw(t, "person")
	case smartsheet.MultiContactList:
		return list(person)
	case smartsheet.MultiPicklist:
		return list(words)
	case smartsheet.Picklist:
		return words.Draw(t, "choice")
	case smartsheet.Duration:
		raw, _ := json.Marshal(smartsheet.DurationObject{
			Days: json.Number(fmt.Sprint(rapid.IntRange(0, 3000).Draw(t, "days"))), Hours: json.Number(rapid.SampledFrom([]string{"", "1", "2.5", "26"}).Draw(t, "hours")),
			Minutes: json.Number(rapid.SampledFrom([]string{"", "30", "90"}).Draw(t, "minutes")), Negative: rapid.Bool().Draw(t, "back"),
		})
		iso, _ := isoDuration(raw)
		return jsonString(iso)
	}
	if rapid.Bool().Draw(t, "number") {
		return Canonical(json.RawMessage(fmt.Sprint(rapid.OneOf(
			rapid.Float64Range(-maxWholeNumber, maxWholeNumber), rapid.Map(rapid.Int64Range(-maxWholeNumber, maxWholeNumber), func(n int64) float64 { return float64(n) }),
		).Draw(t, "n"))))
	}
	return words.Draw(t, "text")
}

// shown is a value as a share shows it once it was written.
func shown(t failer, column smartsheet.Column, w smartsheet.CellWrite) json.RawMessage {
	s := Share{Partner: "acme", Sheet: "orders", Fields: []Field{{Name: "v", ColumnID: column.ID, Type: column.Type}}, Kinds: []Kind{KindRow}}
	o, _ := newView(t, s).Row(&smartsheet.Row{ID: 7, Cells: []smartsheet.Cell{CellAfter(w)}}, nil)
	return o.Get("v")
}

// What is written in the form of events comes back in events as it was.
func TestCellWriteComesBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		for _, column := range writableColumns() {
			if column.Type == smartsheet.Predecessor || column.Type == smartsheet.DateTime {
				continue
			}
			value := settable(t, column.Type)
			w, err := CellWrite(column, value)
			if err != nil {
				t.Fatalf("%s: %s: %v", column.Type, value, err)
			}
			if w.Formula != "" || w.Lenient {
				t.Fatalf("%s: %s is written as %+v", column.Type, value, w)
			}
			if got := shown(t, column, w); string(got) != string(Canonical(value)) {
				t.Fatalf("%s: got %s, want %s", column.Type, got, value)
			}
		}
	})
}

// The smallest numbers come back with all their digits.
func TestSmallNumbersComeBack(t *testing.T) {
	column := smartsheet.Column{ID: 1, Type: smartsheet.TextNumber}
	for _, number := range []string{"4.5569512622227484e-305", "-2.2250738585072014e-308", "5e-324"} {
		value := Canonical(json.RawMessage(number))
		w, err := CellWrite(column, value)
		if err != nil {
			t.Errorf("%s: %v", number, err)
			continue
		}
		if got := shown(t, column, w); string(got) != string(value) {
			t.Errorf("got %s, want %s", got, value)
		}
	}
}

// Whatever is asked for either comes back in the same form or is refused.
func TestCellWriteIsStrict(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		value := Canonical(rapid.OneOf(rawValue(), rapid.SampledFrom([]json.RawMessage{
			[]byte(`"P1W"`), []byte(`"P"`), []byte(`"PT"`), []byte(`"-P1D"`), []byte(`"2026-2-3"`), []byte(`"2026-11-30T08:00:00Z"`), []byte(`9007199254740993`), []byte(`1e400`), []byte(`0.1234567890123456789`),
			[]byte(`[]`), []byte(`[null]`), []byte(`["a","a"]`), []byte(`{"email":"a@b.c"}`), []byte(`{"name":"a"}`), []byte(`[{"email":"a@b.c","name":null,"x":1}]`), []byte(`""`),
		})).Draw(t, "value"))
		for _, column := range writableColumns() {
			w, err := CellWrite(column, value)
			if err == nil && !sameForm(withName(shown(t, column, w)), withName(value)) {
				t.Fatalf("%s: %s comes back as %s", column.Type, value, shown(t, column, w))
			}
			if err != nil && string(value) != "null" && len(value) > 12 && strings.Contains(err.Error(), string(value)) {
				t.Fatalf("%s: the error tells the value: %v", column.Type, err)
			}
		}
	})
}

// withName is a value with the name that a person may leave out.
func withName(value json.RawMessage) json.RawMessage {
	return json.RawMessage(strings.ReplaceAll(string(value), `"}`, `","name":null}`))
}

func TestCellWriteRefuses(t *testing.T) {
	picklist := smartsheet.Column{ID: 1, Type: smartsheet.Picklist, Options: []string{"Open", "Done"}, Validation: true}
	for name, test := range map[string]struct {
		column smartsheet.Column
		value  string
		says   string
	}{
		"a number beyond 2^53":     {smartsheet.Column{Type: smartsheet.TextNumber}, `9007199254740993`, "as a string"},
		"digits that would go":     {smartsheet.Column{Type: smartsheet.TextNumber}, `0.12345678901234567890`, "as a string"},
		"a truth in text":          {smartsheet.Column{Type: smartsheet.TextNumber}, `true`, "string or a number"},
		"text in a checkbox":       {smartsheet.Column{Type: smartsheet.Checkbox}, `"yes"`, "true or false"},
		"a day that is none":       {smartsheet.Column{Type: smartsheet.Date}, `"2026-02-30"`, "2026-11-30"},
		"a time with a zone":       {smartsheet.Column{Type: smartsheet.AbstractDateTime}, `"2026-11-30T08:00:00Z"`, "without zone"},
		"a person without address": {smartsheet.Column{Type: smartsheet.ContactList}, `{"email":null,"name":"Jane"}`, "email"},
		"a person twice":           {smartsheet.Column{Type: smartsheet.ContactList}, `{"email":"a@b.example","email":"c@d.example"}`, "email"},
		"no choice of it":          {picklist, `"Closed"`, "none of the column's choices"},
		"a choice twice":           {smartsheet.Column{Type: smartsheet.MultiPicklist}, `["a","a"]`, "twice"},
		"a week":                   {smartsheet.Column{Type: smartsheet.Duration}, `"P1W"`, "days as D"},
		"a dependency":             {smartsheet.Column{Type: smartsheet.Predecessor}, `[{"rowId":"7","type":"FS","lag":null}]`, "dependencies"},
		"a text that is too long":  {smartsheet.Column{Type: smartsheet.TextNumber}, `"` + strings.Repeat("x", 4001) + `"`, "4000"},
		"an empty text":            {smartsheet.Column{Type: smartsheet.TextNumber}, `""`, "null"},
	} {
		_, err := CellWrite(test.column, json.RawMessage(test.value))
		if err == nil || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: got %v, want it to say %q", name, err, test.says)
		}
		if err != nil && (strings.Contains(err.Error(), "Open") || strings.Contains(err.Error(), "Done")) {
			t.Errorf("%s: the error lists the choices: %v", name, err)
		}
	}
}

func TestParseWrite(t *testing.T) {
	at := time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC)
	w, refusal := ParseWrite([]byte(`{"id":"po-1","op":"update","row":"7129509179746180","expect":{"status":"Open"},"set":{"status":"Done"},"until":"2026-11-20T10:05:00Z"}`), at)
	if refusal != nil || w.RowID != 7129509179746180 || w.Op != OpUpdate || !w.Until.Equal(at.Add(5*time.Minute)) || string(w.Set.Get("status")) != `"Done"` {
		t.Errorf("got %+v and %v", w, refusal)
	}
	if w, refusal := ParseWrite([]byte(`{"id":"a","op":"create","set":{"k":1}}`), at); refusal != nil || !w.Until.Equal(at.Add(15*time.Minute)) {
		t.Errorf("got %+v and %v, want a quarter of an hour", w, refusal)
	}
	for request, field := range map[string]string{
		``: "", `[]`: "", `{"id":"a"`: "", `{}`: "id", `{"id":7}`: "id", `{"id":""}`: "id", `{"id":"a b"}`: "id", `{"id":"` + strings.Repeat("a", 65) + `"}`: "id",
		`{"id":"a","op":"upsert"}`: "op", `{"id":"a","op":"update","set":{"a":1},"expect":{"a":2}}`: "row",
		`{"id":"a","op":"update","row":7,"set":{"a":1},"expect":{"a":2}}`:                   "row",
		`{"id":"a","op":"update","row":"07","set":{"a":1},"expect":{"a":2}}`:                "row",
		`{"id":"a","op":"update","row":"7","set":{"a":1}}`:                                  "expect",
		`{"id":"a","op":"update","row":"7","set":{"a":1},"expect":{}}`:                      "expect",
		`{"id":"a","op":"update","row":"7","set":{"a":1,"a":2},"expect":{"a":2}}`:           "set.a",
		`{"id":"a","op":"delete","row":"7","set":{"a":1},"expect":{"a":2}}`:                 "set",
		`{"id":"a","op":"create","row":"7","set":{"a":1}}`:                                  "row",
		`{"id":"a","op":"create","set":{"a":1},"until":"soon"}`:                             "until",
		`{"id":"a","op":"create","set":{"a":1},"until":"2026-11-21T10:00:01Z"}`:             "until",
		`{"id":"a","op":"create","set":{"a":1},"dryrun":true}`:                              "dryrun",
		`{"id":"a","op":"create","set":{"a":1},"dryRun":1}`:                                 "dryRun",
		`{"id":"a","id":"b","op":"create","set":{"a":1}}`:                                   "id",
		`{"id":"a","op":"create","set":{"a":"` + strings.Repeat("x", MaxWriteBytes) + `"}}`: "",
	} {
		w, refusal := ParseWrite([]byte(request), at)
		if refusal == nil || refusal.Code != CodeInvalid || refusal.Field != field {
			t.Errorf("%.80s: got %v, want invalid %q", request, refusal, field)
		}
		if strings.HasPrefix(request, `{"id":"a","op"`) && len(request) < MaxWriteBytes && w.ID != "a" {
			t.Errorf("%.80s: its id is not known, so that nobody is answered", request)
		}
	}
}

// Requests that say the same are known to, however they are written.
func TestWriteContent(t *testing.T) {
	content := func(request string) [32]byte {
		w, refusal := ParseWrite([]byte(request), time.Now())
		if refusal != nil {
			t.Fatal(refusal)
		}
		return w.Content
	}
	one := content(`{"id":"a","op":"create","set":{"k":1.0,"c":{"email":"a@b.example","name":null}}}`)
	if one != content(`{ "op":"create","set":{"c":{"name":null,"email":"\u0061@b.example"},"k":1},"id":"a"}`) {
		t.Error("the same request is another")
	}
	for _, other := range []string{
		`{"id":"a","op":"create","set":{"k":2,"c":{"email":"a@b.example","name":null}}}`,
		`{"id":"a","op":"create","set":{"k":"1","c":{"email":"a@b.example","name":null}}}`,
		`{"id":"a","op":"create","set":{"k":1,"c":{"email":"a@b.example","name":null}},"dryRun":true}`,
	} {
		if one == content(other) {
			t.Errorf("%s is the same request", other)
		}
	}
}

func FuzzParseWrite(f *testing.F) {
	f.Add([]byte(`{"id":"po-1","op":"update","row":"7","expect":{"status":"Open"},"set":{"status":"Done","who":[{"email":"a@b.example","name":null}]},"until":"2026-11-20T10:05:00Z"}`))
	f.Add([]byte(`{"id":"a","op":"create","set":{"k":1e2},"dryRun":true}`))
	f.Add([]byte(`{"id":"a","op":"delete","row":"7","expect":{"k":null}}`))
	columns := writableColumns()
	at := time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, data []byte) {
		w, refusal := ParseWrite(data, at)
		again, _ := ParseWrite(data, at)
		if w.Content != again.Content {
			t.Fatal("one request has two contents")
		}
		if refusal != nil {
			return
		}
		if !ValidWriteID(w.ID) || w.Until.After(at.Add(MaxUntil)) || (w.RowID == 0) != (w.Op == OpCreate) || w.Op != OpDelete && len(w.Set) == 0 || w.Op != OpCreate && len(w.Expect) == 0 {
			t.Fatalf("%s: got %+v", data, w)
		}
		for _, v := range w.Set {
			for _, c := range columns {
				cell, err := CellWrite(c, v.JSON)
				if err == nil && (cell.Formula != "" || cell.Lenient || cell.ColumnID != c.ID) {
					t.Fatalf("%s of %s: got %+v", v.JSON, c.Type, cell)
				}
			}
		}
	})
}

// ordersTerms is a share whose partner sets the status, and its rows.
func ordersTerms(t failer, change func(*Request)) (Share, *Writes, SheetNow) {
	sheet := smartsheet.Sheet{ID: 7, Name: "Orders", Columns: []smartsheet.Column{
		{ID: 1, Title: "Order No", Type: smartsheet.TextNumber}, {ID: 2, Title: "Status", Type: smartsheet.Picklist, Options: []string{"Draft", "Open", "Done"}},
		{ID: 3, Title: "Total", Type: smartsheet.TextNumber}, {ID: 4, Title: "Customer", Type: smartsheet.TextNumber},
		{ID: 5, Title: "Sum", Type: smartsheet.TextNumber, Formula: "=[Total]@row"}, {ID: 6, Title: "No", Type: smartsheet.TextNumber, SystemColumnType: "AUTO_NUMBER"},
	}}
	r := Request{
		Partner: "acme", Sheet: "orders", Where: `status != 'Draft' && cells["Customer"] != 'Secret Ltd'`,
		Columns: []RequestColumn{{Title: "Order No"}, {Title: "Status"}, {Title: "Total"}, {Title: "Sum"}, {Title: "No", As: "number"}, {Title: "Customer", Mask: "hash"}},
		Write:   &WriteTerms{Update: []string{"status", "total"}, Create: &CreateTerms{Columns: []string{"order_no", "status"}, Key: "order_no"}, Delete: true, Check: `total == null || total < 100`},
	}
	if change != nil {
		change(&r)
	}
	s, err := r.Resolve(sheet)
	if err != nil {
		t.Fatalf("resolving: %v", err)
	}
	v, err := NewView(s, []byte("key"))
	if err != nil {
		t.Fatalf("viewing: %v", err)
	}
	w, err := NewWrites(s, v)
	if err != nil {
		t.Fatalf("judging: %v", err)
	}
	return s, w, SheetNow{Columns: sheet.Columns}
}

func orderRow(status, total, customer string) *smartsheet.Row {
	return &smartsheet.Row{ID: 7, Cells: []smartsheet.Cell{
		{ColumnID: 1, Value: json.RawMessage(`"SO-1"`)}, {ColumnID: 2, Value: jsonString(status)}, {ColumnID: 3, Value: json.RawMessage(total)}, {ColumnID: 4, Value: jsonString(customer)},
	}}
}

func write(t failer, request string) *WriteRequest {
	w, refusal := ParseWrite([]byte(request), time.Now())
	if refusal != nil {
		t.Fatalf("%s: %v", request, refusal)
	}
	return &w
}

func TestWritesAreJudged(t *testing.T) {
	const toDone = `{"id":"a","op":"update","row":"7","expect":{"status":"Open"},"set":{"status":"Done"}}`
	for name, test := range map[string]struct {
		request string
		row     *smartsheet.Row
		terms   func(*Request)
		sheet   func(*smartsheet.Row, *SheetNow)
		code    Code
		field   string
		cells   int
	}{
		"done":                    {request: toDone, row: orderRow("Open", "5", "Big"), cells: 1},
		"already":                 {request: toDone, row: orderRow("Done", "5", "Big")},
		"conflict":                {request: toDone, row: orderRow("Waiting", "5", "Big"), code: CodeConflict, field: "status"},
		"conflict beside":         {request: `{"id":"a","op":"update","row":"7","expect":{"total":4},"set":{"status":"Done"}}`, row: orderRow("Done", "5", "Big"), code: CodeConflict, field: "total"},
		"by value":                {request: `{"id":"a","op":"update","row":"7","expect":{"total":5.0},"set":{"status":"Done"}}`, row: orderRow("Open", "5", "Big"), cells: 1},
		"no row":                  {request: toDone, code: CodeNotVisible},
		"hidden row":              {request: toDone, row: orderRow("Open", "5", "Secret Ltd"), code: CodeNotVisible},
		"hidden by status":        {request: toDone, row: orderRow("Draft", "5", "Big"), code: CodeNotVisible},
		"leaves":                  {request: `{"id":"a","op":"update","row":"7","expect":{"status":"Open"},"set":{"status":"Draft"}}`, row: orderRow("Open", "5", "Big"), code: CodeLeavesView},
		"may leave":               {request: `{"id":"a","op":"update","row":"7","expect":{"status":"Open"},"set":{"status":"Draft"}}`, row: orderRow("Open", "5", "Big"), terms: func(r *Request) { r.Write.LeaveView = true }, cells: 1},
		"check":                   {request: `{"id":"a","op":"update","row":"7","expect":{"total":5},"set":{"total":100}}`, row: orderRow("Open", "5", "Big"), code: CodeCheckFailed},
		"check cannot be asked":   {request: `{"id":"a","op":"update","row":"7","expect":{"total":5},"set":{"total":"many"}}`, row: orderRow("Open", "5", "Big"), code: CodeCheckFailed},
		"value":                   {request: `{"id":"a","op":"update","row":"7","expect":{"total":5},"set":{"total":true}}`, row: orderRow("Open", "5", "Big"), code: CodeInvalidValue, field: "total"},
		"not writable":            {request: `{"id":"a","op":"update","row":"7","expect":{"total":5},"set":{"order_no":"SO-2"}}`, row: orderRow("Open", "5", "Big"), code: CodeNotWritable, field: "order_no"},
		"formula column":          {request: `{"id":"a","op":"update","row":"7","expect":{"total":5},"set":{"sum":1}}`, row: orderRow("Open", "5", "Big"), code: CodeNotWritable, field: "sum"},
		"no such field":           {request: `{"id":"a","op":"update","row":"7","expect":{"margin":5},"set":{"status":"Done"}}`, row: orderRow("Open", "5", "Big"), code: CodeNotShared, field: "margin"},
		"locked row":              {request: toDone, row: orderRow("Open", "5", "Big"), sheet: func(row *smartsheet.Row, _ *SheetNow) { row.Locked = true }, code: CodeLocked},
		"locked row for an admin": {request: toDone, row: orderRow("Open", "5", "Big"), sheet: func(row *smartsheet.Row, now *SheetNow) { row.Locked, now.Admin = true, true }, cells: 1},
		"locked column":           {request: toDone, row: orderRow("Open", "5", "Big"), sheet: func(_ *smartsheet.Row, now *SheetNow) { now.Columns[1].Locked = true }, code: CodeLocked, field: "status"},
		"formula":                 {request: toDone, row: orderRow("Open", "5", "Big"), sheet: func(row *smartsheet.Row, _ *SheetNow) { row.Cells[1].Formula = "=1" }, code: CodeFormula, field: "status"},
		"column became a formula": {request: toDone, row: orderRow("Open", "5", "Big"), sheet: func(_ *smartsheet.Row, now *SheetNow) { now.Columns[1].Formula = "=1" }, code: CodeFormula, field: "status"},
		"column gone": {request: toDone, row: orderRow("Open", "5", "Big"), sheet: func(_ *smartsheet.Row, now *SheetNow) {
			now.Columns = append(now.Columns[:1:1], now.Columns[2:]...)
		}, code: CodeNotVisible},
		"read only":                 {request: toDone, row: orderRow("Open", "5", "Big"), terms: func(r *Request) { r.Write = nil }, code: CodeNotWritable},
		"created":                   {request: `{"id":"a","op":"create","set":{"order_no":"SO-9","status":"Open"}}`, cells: 2},
		"created without key":       {request: `{"id":"a","op":"create","set":{"status":"Open"}}`, code: CodeInvalid, field: "order_no"},
		"created out of view":       {request: `{"id":"a","op":"create","set":{"order_no":"SO-9","status":"Draft"}}`, code: CodeLeavesView},
		"created with more":         {request: `{"id":"a","op":"create","set":{"order_no":"SO-9","total":1}}`, code: CodeNotWritable, field: "total"},
		"deleted":                   {request: `{"id":"a","op":"delete","row":"7","expect":{"status":"Open"}}`, row: orderRow("Open", "5", "Big")},
		"deleted though it is not":  {request: `{"id":"a","op":"delete","row":"7","expect":{"status":"Open"}}`, row: orderRow("Done", "5", "Big"), code: CodeConflict, field: "status"},
		"deleted where it must not": {request: `{"id":"a","op":"delete","row":"7","expect":{"status":"Open"}}`, row: orderRow("Open", "5", "Big"), terms: func(r *Request) { r.Write.Delete = false }, code: CodeNotWritable},
	} {
		t.Run(name, func(t *testing.T) {
			_, w, now := ordersTerms(t, test.terms)
			if test.sheet != nil {
				test.sheet(test.row, &now)
			}
			r := write(t, test.request)
			refusal := w.Allowed(r)
			var cells []smartsheet.CellWrite
			if refusal == nil {
				switch r.Op {
				case OpUpdate:
					cells, refusal = w.Update(r, test.row, now)
				case OpCreate:
					cells, refusal = w.Create(r, now)
				default:
					refusal = w.Delete(r, test.row, now)
				}
			}
			var got Refusal
			if refusal != nil {
				got, cells = *refusal, nil
			}
			if got.Code != test.code || got.Field != test.field || len(cells) != test.cells {
				t.Errorf("got %v and %d cells, want %q %q and %d", refusal, len(cells), test.code, test.field, test.cells)
			}
			if got.Code == CodeConflict && (got.Current.Get("status") == nil || string(got.Current.Get("customer")) == `"Big"`) {
				t.Errorf("got %v, want the row as the share shows it", got.Current)
			}
		})
	}
}

func TestWriteTermsAreChecked(t *testing.T) {
	sheet := smartsheet.Sheet{ID: 7, Name: "Orders", Columns: []smartsheet.Column{
		{ID: 1, Title: "Order No", Type: smartsheet.TextNumber}, {ID: 2, Title: "Status", Type: smartsheet.Picklist}, {ID: 3, Title: "Sum", Type: smartsheet.TextNumber, Formula: "=1"},
		{ID: 4, Title: "Made", Type: smartsheet.DateTime, SystemColumnType: "CREATED_DATE"}, {ID: 5, Title: "After", Type: smartsheet.Predecessor}, {ID: 6, Title: "Price", Type: smartsheet.TextNumber},
		{ID: 7, Title: "Tags", Type: smartsheet.MultiPicklist},
	}}
	for name, test := range map[string]struct {
		terms WriteTerms
		field string
	}{
		"nothing":           {WriteTerms{}, "write"},
		"not shared":        {WriteTerms{Update: []string{"margin"}}, "write.update[0]"},
		"masked":            {WriteTerms{Update: []string{"status", "price"}}, "write.update[1]"},
		"formula":           {WriteTerms{Update: []string{"sum"}}, "write.update[0]"},
		"system":            {WriteTerms{Update: []string{"made"}}, "write.update[0]"},
		"predecessor":       {WriteTerms{Update: []string{"after"}}, "write.update[0]"},
		"twice":             {WriteTerms{Update: []string{"status", "status"}}, "write.update[1]"},
		"no columns":        {WriteTerms{Create: &CreateTerms{Key: "status"}}, "write.create.columns"},
		"a key not set":     {WriteTerms{Create: &CreateTerms{Columns: []string{"status"}, Key: "order_no"}}, "write.create.key"},
		"a key of a list":   {WriteTerms{Create: &CreateTerms{Columns: []string{"tags"}, Key: "tags"}}, "write.create.key"},
		"check":             {WriteTerms{Update: []string{"status"}, Check: "status in"}, "write.check"},
		"check elsewhere":   {WriteTerms{Update: []string{"status"}, Check: `cells["Price"] == 1`}, "write.check"},
		"too many a minute": {WriteTerms{Update: []string{"status"}, PerMinute: 601}, "write.perMinute"},
		"no owner's name":   {WriteTerms{Update: []string{"status"}, Owner: "Ops!"}, "write.owner"},
		"good":              {WriteTerms{Update: []string{"status"}, Check: "status != ''", PerMinute: 600, Owner: "ops"}, ""},
	} {
		r := Request{Partner: "acme", Write: &test.terms, Columns: []RequestColumn{
			{Title: "Order No"}, {Title: "Status"}, {Title: "Sum"}, {Title: "Made"}, {Title: "After"}, {Title: "Price", Mask: "redact"}, {Title: "Tags"},
		}}
		_, err := r.Resolve(sheet)
		var wrong *RequestError
		if test.field == "" {
			if err != nil {
				t.Errorf("%s: got %v", name, err)
			}
			continue
		}
		if w, ok := err.(*RequestError); ok {
			wrong = w
		}
		if wrong == nil || wrong.Field != test.field {
			t.Errorf("%s: got %v, want %s", name, err, test.field)
		}
	}
}
