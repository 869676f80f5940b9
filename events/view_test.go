package events

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"pgregory.net/rapid"

	"github.com/sheetbridge/sheetbridge/smartsheet"
)

// failer is what both *testing.T and *rapid.T can do.
type failer interface {
	Fatalf(format string, args ...any)
}

// compileSchema compiles a schema, with formats asserted: they must not make a
// consumer that insists on them refuse free text.
func compileSchema(t failer, schema json.RawMessage) *jsonschema.Schema {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(schema))
	if err != nil {
		t.Fatalf("schema %s: %v", schema, err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("share.json", doc); err != nil {
		t.Fatalf("schema %s: %v", schema, err)
	}
	s, err := c.Compile("share.json")
	if err != nil {
		t.Fatalf("schema %s: %v", schema, err)
	}
	return s
}

func satisfies(t failer, schema *jsonschema.Schema, o Object) {
	raw, err := json.Marshal(o)
	if err != nil {
		t.Fatalf("marshalling: %v", err)
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		t.Fatalf("%s: %v", raw, err)
	}
	if err := schema.Validate(v); err != nil {
		t.Fatalf("%s: %v", raw, err)
	}
	for _, f := range o {
		if got := Canonical(f.JSON); !bytes.Equal(got, f.JSON) {
			t.Fatalf("%s: got %s, want it canonical: %s", f.Name, f.JSON, got)
		}
	}
}

func columnTypes() []smartsheet.ColumnType {
	return []smartsheet.ColumnType{
		smartsheet.TextNumber, smartsheet.Checkbox, smartsheet.Date, smartsheet.DateTime, smartsheet.AbstractDateTime,
		smartsheet.ContactList, smartsheet.MultiContactList, smartsheet.Picklist, smartsheet.MultiPicklist,
		smartsheet.Duration, smartsheet.Predecessor, "HOLOGRAM",
	}
}

// rawValue draws JSON as a cell may have it, and as it never should.
func rawValue() *rapid.Generator[json.RawMessage] {
	text := rapid.Custom(func(t *rapid.T) string {
		s, err := json.Marshal(rapid.OneOf(rapid.SampledFrom([]string{"", "Open", "2026-11-30", "2026-11-20T12:00:00+02:00"}), rapid.String()).Draw(t, "text"))
		if err != nil {
			t.Fatalf("%v", err)
		}
		return string(s)
	})
	number := rapid.StringMatching(`-?(0|[1-9][0-9]{0,17})(\.[0-9]{1,6})?(e[+-]?[0-9]{1,2})?`)
	plain := rapid.OneOf(text, number, rapid.SampledFrom([]string{"null", "true", "false", ""}))
	object := rapid.Custom(func(t *rapid.T) string {
		shape := rapid.SampledFrom([]string{
			`{"objectType":"DATE","value":%s}`, `{"objectType":"DATETIME","value":%s}`, `{"objectType":"ABSTRACT_DATETIME","value":%s}`,
			`{"objectType":"CHECKBOX","value":%s}`, `{"objectType":"CONTACT","email":%s,"name":%s}`,
			`{"objectType":"MULTI_CONTACT","values":[{"objectType":"CONTACT","email":%s,"name":%s},{"name":%s}]}`,
			`{"objectType":"MULTI_PICKLIST","values":[%s,%s]}`,
			`{"objectType":"DURATION","weeks":%s,"days":%s,"hours":%s,"minutes":%s,"negative":%s}`,
			`{"objectType":"PREDECESSOR_LIST","predecessors":[{"rowId":%s,"type":"FS","lag":{"objectType":"DURATION","days":%s}},{"rowId":4,"type":%s}]}`,
			`[%s,{"x":%s}]`, `{"x":%s}`,
		}).Draw(t, "shape")
		for strings.Contains(shape, "%s") {
			v := plain.Draw(t, "value")
			if v == "" {
				v = "null"
			}
			shape = strings.Replace(shape, "%s", strings.ReplaceAll(v, "%s", ""), 1)
		}
		return shape
	})
	return rapid.Map(rapid.OneOf(plain, object), func(s string) json.RawMessage { return json.RawMessage(s) })
}

// shareAndRow draws a share over columns of any types, and a row.
func shareAndRow(t *rapid.T) (Share, *smartsheet.Row) {
	s, row := Share{Partner: "acme", Sheet: "orders"}, &smartsheet.Row{ID: 1}
	for i := range rapid.IntRange(1, 6).Draw(t, "columns") {
		id := int64(i + 1)
		if rapid.Bool().Draw(t, "cell") {
			row.Cells = append(row.Cells, smartsheet.Cell{
				ColumnID: id, Value: rawValue().Draw(t, "value"), ObjectValue: rawValue().Draw(t, "objectValue"),
				DisplayValue: rapid.SampledFrom([]string{"", "shown"}).Draw(t, "displayValue"),
			})
		}
		s.Fields = append(s.Fields, Field{
			Name: fmt.Sprintf("f%d", id), ColumnID: id,
			Type: rapid.SampledFrom(columnTypes()).Draw(t, "type"),
			Mask: rapid.SampledFrom([]Mask{MaskNone, MaskNone, MaskHash, MaskRedact}).Draw(t, "mask"),
		})
	}
	return s, row
}

func newView(t failer, s Share) *View {
	v, err := NewView(s, []byte(testKey))
	if err != nil {
		t.Fatalf("%v", err)
	}
	return v
}

// Whatever a cell holds, what a view shows satisfies the share's own schema,
// is canonical, and is the same each time.
func TestRowsSatisfyTheSchema(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, row := shareAndRow(t)
		view := newView(t, s)
		after, shown := view.Row(row, nil)
		if !shown || len(after) != len(s.Fields) {
			t.Fatalf("got %v, %v", after, shown)
		}
		satisfies(t, compileSchema(t, s.Schema()), after)
		if again, _ := view.Row(row, nil); !cmp.Equal(after, again) {
			t.Fatalf("got %v, then %v", after, again)
		}
	})
}

// A redacted field tells only whether there is a value, a hashed one only which
// are equal, and neither is on the key of another partner.
func TestMasksAreByPartner(t *testing.T) {
	cell := func(v string) *smartsheet.Row {
		return &smartsheet.Row{Cells: []smartsheet.Cell{{ColumnID: 1, Value: json.RawMessage(v)}, {ColumnID: 2, Value: json.RawMessage(v)}}}
	}
	s := Share{Fields: []Field{{Name: "h", ColumnID: 1, Mask: MaskHash}, {Name: "r", ColumnID: 2, Mask: MaskRedact}}}
	show := func(key, v string) Object {
		view, err := NewView(s, []byte(key))
		if err != nil {
			t.Fatal(err)
		}
		o, _ := view.Row(cell(v), nil)
		return o
	}
	if a, b := show("one", "3303.0"), show("one", "3.303e3"); !a.Equal(b) {
		t.Errorf("got %s and %s of one value", a, b)
	}
	if a, b := show("one", "3303"), show("one", "3304"); bytes.Equal(a[0].JSON, b[0].JSON) || !bytes.Equal(a[1].JSON, b[1].JSON) {
		t.Errorf("got %s and %s of two values", a, b)
	}
	if a, b := show("one", "3303"), show("two", "3303"); bytes.Equal(a[0].JSON, b[0].JSON) {
		t.Errorf("got %s under two keys", a)
	}
	// HMAC-SHA256 of `3303` under `one`, by another implementation.
	if got, want := string(show("one", "3303")[0].JSON), `"e132b1aef461795c5ae6e346902594c9"`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestFilterOfChangedColumns: what a filter hides does not come into view when
// its column is deleted or holds other values than those it was written for.
func TestFilterOfChangedColumns(t *testing.T) {
	cell := func(value, object string) *smartsheet.Row {
		return &smartsheet.Row{Cells: []smartsheet.Cell{{ColumnID: 1, Value: json.RawMessage(`"SO-1"`)}, {ColumnID: 2, Value: json.RawMessage(value), ObjectValue: json.RawMessage(object)}}}
	}
	draft := cell(`"Draft"`, ``)
	for name, c := range map[string]struct {
		was, now smartsheet.ColumnType // of the filter's column; none: deleted
		where    string
		row      *smartsheet.Row
		fits     bool
		shown    bool
	}{
		"as it was":                    {smartsheet.Picklist, smartsheet.Picklist, `cells["S"] != "Draft"`, draft, true, false},
		"as it was, another value":     {smartsheet.Picklist, smartsheet.Picklist, `cells["S"] != "Draft"`, cell(`"Open"`, ``), true, true},
		"deleted":                      {smartsheet.Picklist, "", `cells["S"] != "Draft"`, draft, false, false},
		"a list now":                   {smartsheet.Picklist, smartsheet.MultiPicklist, `cells["S"] != "Draft"`, cell(`"Draft"`, `{"objectType":"MULTI_PICKLIST","values":["Draft"]}`), false, false},
		"text now":                     {smartsheet.Checkbox, smartsheet.TextNumber, `cells["S"] != true`, cell(`"true"`, ``), false, false},
		"text of a number, now either": {smartsheet.Picklist, smartsheet.TextNumber, `cells["S"] != "5"`, cell(`5`, ``), true, false},
		"nothing is known":             {smartsheet.Picklist, "?", `cells["S"] != "Draft"`, draft, true, false},
	} {
		s := Share{
			Fields: []Field{{Name: "no", ColumnID: 1, Type: smartsheet.TextNumber}}, Where: c.where,
			Cells: map[string]BoundCell{"S": {ColumnID: 2}}, FilterTypes: map[int64]smartsheet.ColumnType{2: c.was},
		}
		types := map[int64]smartsheet.ColumnType{1: smartsheet.TextNumber, 2: c.now}
		switch c.now {
		case "":
			delete(types, 2)
		case "?":
			types = nil
		}
		view := newView(t, s)
		if got := view.FilterFits(types); got != c.fits {
			t.Errorf("%s: got fits %v, want %v", name, got, c.fits)
		}
		if o, shown := view.Row(c.row, types); shown != c.shown {
			t.Errorf("%s: got %s and %v, want shown %v", name, o, shown, c.shown)
		}
	}
}

func TestNewViewRefuses(t *testing.T) {
	for name, s := range map[string]Share{
		"hash without key": {Fields: []Field{{Name: "a", ColumnID: 1, Mask: MaskHash}}},
		"bad filter":       {Where: "nope == 1"},
		"unbound title":    {Where: `cells["A"] == 1`, Cells: map[string]BoundCell{"B": {ColumnID: 1}}},
	} {
		if v, err := NewView(s, nil); err == nil {
			t.Errorf("%s: got %v, want an error", name, v)
		}
	}
}

// FuzzFieldValue feeds cells of any content: no panic, always canonical JSON of
// the shape that the type's schema has, and nothing of an unknown object.
func FuzzFieldValue(f *testing.F) {
	for _, c := range allTypes(f).Rows[0].Cells {
		f.Add([]byte(c.Value), []byte(c.ObjectValue), c.DisplayValue)
	}
	f.Add([]byte(`1e999999999`), []byte(`{"objectType":"DURATION","days":1e999999999}`), "x")
	types := columnTypes()
	s := Share{}
	for i, typ := range types {
		s.Fields = append(s.Fields, Field{Name: fmt.Sprintf("f%d", i), ColumnID: int64(i), Type: typ})
	}
	schema := compileSchema(f, s.Schema())
	f.Fuzz(func(t *testing.T, value, object []byte, display string) {
		row := &smartsheet.Row{}
		for i := range types {
			row.Cells = append(row.Cells, smartsheet.Cell{ColumnID: int64(i), Value: value, ObjectValue: object, DisplayValue: display})
		}
		after, _ := newView(t, s).Row(row, nil)
		for _, field := range after {
			if len(field.JSON) > 64+8*(len(value)+len(object)+len(display)) {
				t.Fatalf("%s: got %d bytes", field.Name, len(field.JSON))
			}
		}
		satisfies(t, schema, after)
	})
}
