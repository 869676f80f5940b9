package events

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/sheetbridge/sheetbridge/smartsheet"
)

// encodedByLibrary is an event as encoding/json writes it.
func encodedByLibrary(e Event) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(e)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}

// eventOf draws an event about an object; often its texts need to be escaped.
func eventOf(t *rapid.T) Event {
	text := func(name string) string {
		return rapid.OneOf(rapid.SampledFrom([]string{"", "orders", "<a&b>\n\"\u2028", "a\xff"}), rapid.String()).Draw(t, name)
	}
	object := func(name string) Object {
		if rapid.IntRange(0, 3).Draw(t, name) == 0 {
			return nil
		}
		s, row := shareAndRow(t)
		o, _ := newView(t, s).Row(row, nil)
		if len(o) > 0 && rapid.IntRange(0, 5).Draw(t, "odd value") == 0 {
			o[0] = Value{Name: text("field"), JSON: rawValue().Draw(t, "json")}
		}
		if rapid.IntRange(0, 5).Draw(t, "child") == 0 {
			o = append(o, Value{Name: "rowId", JSON: rapid.SampledFrom([]json.RawMessage{[]byte(`"7"`), []byte(`null`), []byte(`7`)}).Draw(t, "rowId")})
		}
		return o
	}
	at := time.Unix(0, rapid.Int64Range(0, 4e18).Draw(t, "at")).UTC()
	d := ObjectData{
		Sheet:  SheetRef{ID: rapid.Int64().Draw(t, "sheet"), Name: text("name"), Version: rapid.Int64().Draw(t, "version")},
		Before: object("before"), After: object("after"), Origin: OriginCallback,
		Changed: rapid.SampledFrom([][]string{nil, {}, {"a"}, {"a", "<\n"}}).Draw(t, "changed"),
		Reason:  Reason(rapid.SampledFrom([]string{"", "deleted", "left-view"}).Draw(t, "reason")),
	}
	if rapid.Bool().Draw(t, "agent") {
		d.ChangeAgent = []string{text("agent"), "erp"}
	}
	switch rapid.IntRange(0, 3).Draw(t, "kind") {
	case 0:
		d.Attachment = &ChildRef{ID: rapid.Int64().Draw(t, "id")}
	case 1:
		d.Comment = &ChildRef{ID: rapid.Int64().Draw(t, "id")}
	default:
		d.Row = &RowRef{ID: rapid.Int64().Draw(t, "id"), Number: rapid.Int().Draw(t, "number")}
		if parent := text("parent"); rapid.Bool().Draw(t, "below") {
			d.Row.ParentID = &parent
		}
		if rapid.Bool().Draw(t, "modified") {
			d.Row.ModifiedAt = &smartsheet.Time{Time: rapid.SampledFrom([]time.Time{{}, at, at.Truncate(time.Second)}).Draw(t, "modifiedAt")}
		}
	}
	e, err := (&Share{Sheet: text("share"), Region: smartsheet.US}).NewEvent(rapid.SampledFrom([]string{RowUpdated, RowDeleted, CommentCreated, text("type")}).Draw(t, "event"), at, d, "row", "7")
	if err != nil {
		t.Fatalf("%v", err)
	}
	e.TraceParent = rapid.SampledFrom([]string{"", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}).Draw(t, "trace")
	return e
}

func TestAppendJSONIsTheLibrarys(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := eventOf(t)
		want, wantErr := encodedByLibrary(e)
		got, err := e.AppendJSON([]byte("x"))
		if (err == nil) != (wantErr == nil) {
			t.Fatalf("got error %v, want %v", err, wantErr)
		}
		if err == nil && string(got) != "x"+string(want) {
			t.Fatalf("(-want +got)\n%s", cmp.Diff("x"+string(want), string(got)))
		}
	})
	for _, data := range []any{
		SchemaData{Revision: 1, Schema: json.RawMessage(`{"a": "<"}`)},
		StatusData{State: StateLive, CompleteTo: &CompleteTo{Version: 1}},
		ObjectData{After: Object{{Name: "a", JSON: json.RawMessage(`{"a" : 1}`)}}},
		ObjectData{After: Object{{Name: "a", JSON: json.RawMessage(`nope`)}}},
		ObjectData{After: Object{{Name: "a"}}},
		make(chan int),
	} {
		e := Event{Data: data, Time: time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC)}
		want, wantErr := encodedByLibrary(e)
		if got, err := e.AppendJSON(nil); (err == nil) != (wantErr == nil) || err == nil && string(got) != string(want) {
			t.Errorf("%v: got %s and error %v, want %s and %v", data, got, err, want, wantErr)
		}
	}
	if _, err := (Event{Time: time.Date(10001, 1, 1, 0, 0, 0, 0, time.UTC)}).AppendJSON(nil); err == nil {
		t.Error("a year of five digits: got no error")
	}
}

// What is truncated has no member for what was before.
func TestAppendJSONTruncated(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := eventOf(t)
		d := e.Data.(ObjectData)
		d.Truncated = true
		e.Data = d
		got, err := e.AppendJSON(nil)
		e.Data = struct {
			ObjectData
			Before *struct{} `json:"before,omitempty"`
		}{ObjectData: d}
		want, wantErr := encodedByLibrary(e)
		if wantErr == nil && (err != nil || string(got) != string(want)) {
			t.Fatalf("error %v, (-want +got)\n%s", err, cmp.Diff(string(want), string(got)))
		}
	})
}

// sameSeen checks that a message is read as encoding/json reads it.
func sameSeen(t failer, message []byte) {
	want, wantErr := parseAnySeen(message, 7)
	got, err := ParseSeen(message, 7)
	if fmt.Sprint(err) != fmt.Sprint(wantErr) || !reflect.DeepEqual(got, want) {
		t.Fatalf("%s: got error %v, want %v (-want +got)\n%s", message, err, wantErr, cmp.Diff(want, got))
	}
}

func TestParseSeenIsTheLibrarys(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		message, err := eventOf(t).AppendJSON(nil)
		if err != nil {
			return
		}
		sameSeen(t, message)
		at := rapid.IntRange(0, len(message)-1).Draw(t, "at")
		with := rapid.SampledFrom([]string{"", `"`, `\`, "{", "}", "[", "]", ",", ":", "0", "-", ".", "e", "n", " ", "\x00", "\xff", "A"}).Draw(t, "with")
		sameSeen(t, slices.Concat(message[:at], []byte(with), message[at+1:]))
		sameSeen(t, slices.Concat(message[:at], []byte(with), message[at:]))
		sameSeen(t, message[:at])
	})
	for _, message := range []string{
		``, `null`, `{}`, `{"type":"a","type":"b"}`, `{"type":"a","TYPE":"b"}`, `{"Data":{"After":{"a":1}}}`, `{"type":null}`, `{"data":null}`, `{"type":"\u0061"}`,
		`{"data":{"sheet":null,"row":null,"after":null}}`, `{"data":{"after":{"a":1,"a":2}}}`, `{"data":{"after":{"a":1.0,"b":-0,"c":1e3,"d":01}}}`,
		`{"data":{"after":{"a":1.0,"b":-0,"c":1e3,"d":[ 1 ]}}}`, `{"data":{"after":{"rowId":7}}}`, `{"data":{"after":{"rowId":"\u0037"}}}`, `{"data":{"after":{"rowId":null}}}`, `{"data":{"after":[]}}`,
		`{"data":{"row":{"id":"1","number":2},"row":{"id":"3"}}}`, `{"data":{"row":{"id":7}}}`, `{"data":{"row":{"id":"07"}}}`, `{"data":{"row":{"id":"-0"}}}`, `{"data":{"row":{"id":"7","number":1.5}}}`, `{"data":{"row":{"modifiedAt":"soon"}}}`, `{"data":{"row":{"modifiedAt":""}}}`,
		`{"data":{"row":{"modifiedAt":1700000000000}}}`, `{"data":{"row":{"modifiedAt":{}}}}`, `{"data":{"sheet":{"version":9223372036854775808}}}`, `{"data":{"sheet":{"version":"1"}}}`, `{"data":{}}x`, `{"data":{}} `,
		`{"x":` + strings.Repeat("[", 200) + strings.Repeat("]", 200) + `}`,
	} {
		sameSeen(t, []byte(message))
	}
}

// An event of ours is not left to encoding/json.
func TestParseSeenOfOurs(t *testing.T) {
	message := ownEvent(t)
	if s, ok := quickSeen(message); !ok || s.Type != RowUpdated || s.Version != 912 || s.Row.ID != 7 || len(s.After) != 10 {
		t.Errorf("got %+v and %v of %s", s, ok, message)
	}
}

func TestObjectIsTheLibrarys(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := []byte(rapid.OneOf(
			rapid.StringMatching(`\{("[a-c<\\u0-9]{1,3}":(null|true|"[x\\n]{0,3}"|-?[0-9]{1,3}(\.[0-9]{1,3})?|\[1,"a"\]|\{"b":1.0\}),?){0,3}\}`),
			rapid.SampledFrom([]string{`null`, `[]`, ` {}`, `{}x`, `{"a":1,}`}),
		).Draw(t, "in"))
		var got, want Object
		err, wantErr := got.UnmarshalJSON(in), want.unmarshalAny(in)
		if json.Valid(in) && ((err == nil) != (wantErr == nil) || !reflect.DeepEqual(got, want)) {
			t.Fatalf("%s: got %v and %v, want %v and %v", in, got, err, want, wantErr)
		}
	})
}

// What is taken for canonical is so, also in the midst of other text.
func TestCanonicalEnd(t *testing.T) {
	check := func(t failer, in string) {
		if got, want := string(Canonical([]byte(in))), string(canonicalOfAny([]byte(in))); got != want {
			t.Fatalf("%q: got %s, want %s", in, got, want)
		}
		if end := canonicalEnd([]byte(in), 0); end > len(in) || end > 0 && string(canonicalOfAny([]byte(in[:end]))) != in[:end] {
			t.Fatalf("%q: got canonical up to %d, want %s", in, end, canonicalOfAny([]byte(in[:end])))
		}
	}
	for _, in := range []string{"", "-", "-0", "0.0", "0.01", "0.00000001", "0.5", "1.50", "00", "1e5", "100000000000000000000", "10000000000000000000000", `"\u0041"`, `"\n"`, `"\/"`, "\"\u2028\"", "\"\xff\"", "{}", "[1,]", `{"a":1,}`, `{"a"}`, "[", `"a`, "tru", "1 ", `"\`} {
		check(t, in)
	}
	rapid.Check(t, func(t *rapid.T) {
		check(t, string(rawValue().Draw(t, "value")))
		check(t, rapid.StringMatching(`-?[0-9]{1,22}(\.[0-9]{1,8})?(e[+-]?[0-9])?`).Draw(t, "number"))
		check(t, rapid.StringMatching(`[\[{"\\nabfu/0-9:,.}\]]{0,12}`).Draw(t, "text"))
	})
}

// libraryField is fieldValue by encoding/json alone.
func libraryField(c *smartsheet.Cell, t smartsheet.ColumnType) json.RawMessage {
	plain := func(raw json.RawMessage) json.RawMessage {
		raw = bytes.TrimSpace(raw)
		if len(raw) == 0 || raw[0] == '{' || raw[0] == '[' || raw[0] == 'n' || !json.Valid(raw) {
			return nil
		}
		var s string
		switch {
		case raw[0] == '"':
			if json.Unmarshal(raw, &s) != nil {
				return nil
			}
			if t == smartsheet.DateTime || t == smartsheet.AbstractDateTime {
				s = utc(s)
			}
			return textOrNull(s)
		case raw[0] == 't' || raw[0] == 'f':
			if t == smartsheet.Checkbox {
				return raw
			}
			return jsonString(string(raw))
		}
		n := appendNumber(nil, string(raw))
		if hasNumbers(t) {
			return n
		}
		return jsonString(string(n))
	}
	object := func(raw json.RawMessage) json.RawMessage {
		raw = bytes.TrimSpace(raw)
		if len(raw) == 0 || raw[0] != '{' {
			return plain(raw)
		}
		var o valueObject
		var p contactObject
		isValue, isContact := json.Unmarshal(raw, &o) == nil, json.Unmarshal(raw, &p) == nil && p.ObjectType == "CONTACT"
		switch t {
		case smartsheet.Checkbox:
			if isValue && o.ObjectType == smartsheet.Checkbox {
				return plain(o.Value)
			}
		case smartsheet.Date, smartsheet.DateTime, smartsheet.AbstractDateTime:
			if isValue && (o.ObjectType == smartsheet.Date || o.ObjectType == smartsheet.DateTime || o.ObjectType == smartsheet.AbstractDateTime) {
				return plain(o.Value)
			}
		case smartsheet.ContactList:
			if isContact {
				return person(p.Email, p.Name)
			}
		default:
			return objectValue(raw, t) // has no other way
		}
		return nil
	}
	if v := object(c.ObjectValue); v != nil {
		return v
	}
	if v := plain(c.Value); v != nil {
		return v
	}
	return textOrNull(c.DisplayValue)
}

func TestFieldsAreTheLibrarys(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		odd := rapid.SampledFrom([]json.RawMessage{
			[]byte(`{"objectType":"DATE","value":"2026-11-30","value":"2026-12-01"}`), []byte(`{"objectType":"DATE","Value":"2026-11-30"}`), []byte(`{"objectType":"DATE","value": 1.50 }`), []byte(`{"value":1.50,"objectType":"DATE"} `),
			[]byte(`{"objectType":"CONTACT","email":"a\u0040b","name":null}`), []byte(`{"objectType":"CONTACT","EMAIL":"a"}`), []byte(`{"objectType":"CONTACT","email":7}`),
			[]byte(`"2026-11-20T12:00:00+02:00"`), []byte(`"2026-11-20T10:00:00Z"`), []byte(`"2026-13-41T10:00:00Z"`), []byte(`"2026-11-20T1:00:00Z"`), []byte(`"2026-11-20T10:00:00.120Z"`), []byte(`"\u0032026-11-20T10:00:00Z"`), []byte(` "a" `), []byte("\"\xff\""),
		})
		value := rapid.OneOf(rawValue(), rawValue(), odd)
		c := smartsheet.Cell{Value: value.Draw(t, "value"), ObjectValue: value.Draw(t, "objectValue"), DisplayValue: "shown"}
		kept := smartsheet.Cell{Value: bytes.Clone(c.Value), ObjectValue: bytes.Clone(c.ObjectValue)}
		for _, typ := range columnTypes() {
			if got, want := string(fieldValue(&c, typ)), string(libraryField(&c, typ)); got != want {
				t.Fatalf("%s of %s, %s: got %s, want %s", typ, c.ObjectValue, c.Value, got, want)
			}
		}
		if !bytes.Equal(c.Value, kept.Value) || !bytes.Equal(c.ObjectValue, kept.ObjectValue) {
			t.Fatalf("the cell was changed: %s, %s", c.ObjectValue, c.Value)
		}
	})
}

// Of cells of one column the last one counts, however many cells there are.
func TestCellFinder(t *testing.T) {
	for _, n := range []int{0, 3, fewCells, fewCells + 1} {
		cells := make([]smartsheet.Cell, n)
		for i := range cells {
			cells[i].ColumnID = int64(1 + i/2)
		}
		find := cellFinder(cells)
		if find(99) != nil || n > 1 && find(1) != &cells[1] {
			t.Errorf("%d cells: got the wrong one", n)
		}
	}
}

// ownEvent is an event of ten fields as we publish it.
func ownEvent(t testing.TB) []byte {
	e := rowEvent(t)
	message, err := e.AppendJSON(nil)
	if err != nil {
		t.Fatal(err)
	}
	return message
}

func rowEvent(t testing.TB) Event {
	var o Object
	for i := range 10 {
		o = append(o, Value{Name: fmt.Sprint("field_", i), JSON: json.RawMessage(`"a text of some length in a cell"`)})
	}
	parent := "71"
	at := smartsheet.Time{Time: time.Date(2026, 11, 20, 10, 0, 5, 0, time.UTC)}
	s := Share{Sheet: "orders", SheetID: 4509506114742148, Region: smartsheet.US}
	e, err := s.ObjectEvent(KindRow, 7, "updated", time.Now(), ObjectData{
		Sheet: SheetRef{ID: s.SheetID, Name: "orders", Version: 912}, Row: &RowRef{ID: 7, Number: 3, ParentID: &parent, ModifiedAt: &at},
		Before: o, After: o, Changed: []string{"field_2"}, Origin: OriginCallback,
	})
	if err != nil {
		t.Fatal(err)
	}
	return e
}
