package smartsheet

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// sameAsLibrary checks that decode reads an answer as encoding/json does.
func sameAsLibrary(t interface{ Fatalf(string, ...any) }, body string) {
	var sheet, wantSheet Sheet
	var row, wantRow Row
	for _, c := range []struct{ got, want any }{{&sheet, &wantSheet}, {&row, &wantRow}} {
		err, wantErr := decode([]byte(body), c.got), json.Unmarshal([]byte(body), c.want)
		if fmt.Sprint(err) != fmt.Sprint(wantErr) {
			t.Fatalf("%s: got error %v, want %v", body, err, wantErr)
		}
		if err == nil && !reflect.DeepEqual(c.got, c.want) {
			t.Fatalf("%s: (-want +got)\n%s", body, cmp.Diff(c.want, c.got))
		}
	}
}

func odd() []string {
	return []string{
		``, ` `, `null`, `[]`, `{}`, `{} `, `{}x`, `{"rows":null,"columns":null}`, `{"rows":[]}`, `{"rows":[null,{}]}`, `{"rows":[{"cells":[null]}]}`,
		`{"id":1,"id":2}`, `{"id":1,"ID":2}`, `{"ID":2,"id":1}`, `{"Rows":[{"ID":3}]}`, `{"row\u0073":[{"id":3}]}`, "{\"row\u017f\":[{\"id\":3}]}",
		`{"rows":[{"id":1,"cells":[{"columnId":1}]}],"rows":[{"cells":[{"value":2}]}]}`,
		`{"id":"1"}`, `{"id":1.0}`, `{"id":1e3}`, `{"id":-0}`, `{"id":-1}`, `{"id":01}`, `{"id":-}`, `{"id":9223372036854775807}`, `{"id":9223372036854775808}`, `{"id":9007199254740993}`,
		`{"id":nul}`, `{"id":nullx}`, `{"id":1 "name":"a"}`, `{"id":1,}`, `{"id":1,,"name":"a"}`, `{id:1}`, `{"id"1}`, `{"rows":[{},]}`, `{"rows":[{}`, `{"rows":{}}`,
		`{"name":"a\u00e4\n\"\\\/"}`, `{"name":"\ud800"}`, "{\"name\":\"\xff\"}", "{\"name\":\"a\nb\"}", `{"name":"\x"}`, `{"name":"\u12"}`, `{"name":"ä"}`, `{"name":1}`, `{"name":null}`,
		`{"cells":[{"value":null,"objectValue":{"a":[1,{"b":"\u00"}]}}]}`, `{"cells":[{"value": {"a" : [ 1 , 2 ] } , "displayValue":"x"}]}`,
		`{"cells":[{"value":"\ud800\n","formula":"=A\"","displayValue":"` + "\xff" + `"}]}`, `{"cells":[{"value":truee}]}`, `{"cells":[{"value":.5}]}`, `{"cells":[{"value":1.}]}`, `{"cells":[{"value":1e}]}`,
		`{"cells":[{"columnType":"HOLOGRAM"},{"columnType":"DATE"},{"columnType":"D\u0041TE"},{"columnType":null},{"columnType":7}]}`,
		`{"createdAt":"2026-11-20T10:00:05Z","modifiedAt":"2026-11-20T10:00:05+0200"}`, `{"createdAt":"","modifiedAt":null}`, `{"createdAt":1700000000000}`, `{"createdAt":"soon"}`, `{"createdAt":"2026\u002d11-20"}`, `{"createdAt":{}}`,
		`{"modifiedBy":{"email":"a"}}`, `{"modifiedBy":null}`, `{"modifiedBy":{}}`, `{"modifiedBy":[]}`, `{"rows":[{"modifiedBy":{"email":"a"}},{"modifiedBy":{"email":"a"}},{"modifiedBy":{"email":"b"}},{"modifiedBy":{"name":"b"}}]}`,
		`{"columns":[{"id":1,"index":0,"title":"T","type":"PICKLIST","primary":true,"systemColumnType":"AUTO_NUMBER","options":["a"],"width":150}]}`, `{"columns":[{"primary":null},{"primary":1}]}`,
		`{"x":` + strings.Repeat("[", 300) + strings.Repeat("]", 300) + `}`, `{"x":` + strings.Repeat("[", 10001) + strings.Repeat("]", 10001) + `}`,
		"\ufeff{}", "{\"x\":\"\x00\"}", "{\t\"id\" :\r\n1 }",
	}
}

func TestDecodeOddAnswers(t *testing.T) {
	for _, body := range odd() {
		sameAsLibrary(t, body)
	}
}

// jsonText draws JSON of any shape in which the names of sheets, rows and cells are
// common, spaced in any way.
func jsonText() *rapid.Generator[string] {
	space := rapid.SampledFrom([]string{"", "", "", " ", "\n\t"})
	names := rapid.SampledFrom([]string{
		"id", "name", "version", "totalRowCount", "columns", "rows", "cells", "columnId", "columnType", "value", "objectValue", "displayValue", "formula",
		"createdAt", "modifiedAt", "modifiedBy", "email", "parentId", "rowNumber", "type", "title", "primary", "index", "ID", "Cells", "expanded", "",
	})
	leaf := rapid.OneOf(
		rapid.SampledFrom([]string{"null", "true", "false", "0", "-1", "7", "4509506114742148", "1.5", "1e3", `"DATE"`, `"2026-11-20T10:00:05Z"`, `"x"`, "[]", "{}"}),
		rapid.Map(rapid.String(), func(s string) string { b, _ := json.Marshal(s); return string(b) }),
		rapid.StringMatching(`-?(0|[1-9][0-9]{0,20})(\.[0-9]{1,6})?([eE][+-]?[0-9]{1,2})?`),
	)
	var value *rapid.Generator[string]
	value = rapid.Custom(func(t *rapid.T) string {
		kind := rapid.IntRange(0, 5).Draw(t, "kind")
		if kind < 3 {
			return leaf.Draw(t, "leaf")
		}
		var parts []string
		for range rapid.IntRange(0, 4).Draw(t, "members") {
			part := value.Draw(t, "value")
			if kind > 3 {
				part = fmt.Sprintf("%s%q%s:%s%s", space.Draw(t, "s"), names.Draw(t, "name"), space.Draw(t, "s"), space.Draw(t, "s"), part)
			}
			parts = append(parts, part+space.Draw(t, "s"))
		}
		if kind == 3 {
			return "[" + strings.Join(parts, ",") + "]"
		}
		return "{" + strings.Join(parts, ",") + "}"
	})
	return value
}

// sheetText draws a sheet as Smartsheet may answer it: now and then a value has
// any shape.
func sheetText() *rapid.Generator[string] {
	any := jsonText()
	members := func(t *rapid.T, forms ...string) string {
		var parts []string
		for _, form := range forms {
			if rapid.IntRange(0, 3).Draw(t, "missing") == 0 {
				continue
			}
			name, value, _ := strings.Cut(form, ":")
			if rapid.IntRange(0, 30).Draw(t, "odd") == 0 {
				value = any.Draw(t, "any")
			}
			parts = append(parts, `"`+name+`":`+value)
		}
		return "{" + strings.Join(rapid.Permutation(parts).Draw(t, "order"), ",") + "}"
	}
	several := func(t *rapid.T, one func() string) string {
		var parts []string
		for range rapid.IntRange(0, 3).Draw(t, "several") {
			parts = append(parts, one())
		}
		return "[" + strings.Join(parts, ", ") + "]"
	}
	return rapid.Custom(func(t *rapid.T) string {
		text := func() string { b, _ := json.Marshal(rapid.String().Draw(t, "text")); return string(b) }
		cells := func() string {
			return several(t, func() string {
				return members(t, `columnId:7318427511613316`, `columnType:"PICKLIST"`, `value:`+text(), `displayValue:`+text(), `objectValue:{"objectType":"DATE","value":"2026-11-30"}`, `formula:"=A1"`, `strict:true`)
			})
		}
		rows := several(t, func() string {
			return members(t, `id:7129509179746180`, `rowNumber:7`, `parentId:null`, `expanded:true`, `createdAt:"2026-11-20T10:00:05Z"`, `modifiedAt:"2026-11-20T10:00:05Z"`, `modifiedBy:{"email":"a@b.example"}`, `cells:`+cells())
		})
		columns := several(t, func() string {
			return members(t, `id:7318427511613316`, `index:0`, `title:`+text(), `type:"PICKLIST"`, `primary:true`, `options:["a","b"]`)
		})
		return members(t, `id:4509506114742148`, `name:`+text(), `version:912`, `totalRowCount:3`, `accessLevel:"OWNER"`, `columns:`+columns, `rows:`+rows, `permalink:"https://x"`)
	})
}

func TestDecodeIsTheLibrarys(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) { sameAsLibrary(t, jsonText().Draw(t, "body")) })
	rapid.Check(t, func(t *rapid.T) {
		body := sheetText().Draw(t, "body")
		sameAsLibrary(t, body)
		at := rapid.IntRange(0, len(body)-1).Draw(t, "at")
		with := rapid.SampledFrom([]string{"", `"`, `\`, "{", "}", "[", "]", ",", ":", "0", "-", "e", "n", " ", "\x00", "\xff", "A"}).Draw(t, "with")
		sameAsLibrary(t, body[:at]+with+body[at+1:])
		sameAsLibrary(t, body[:at]+with+body[at:])
		sameAsLibrary(t, body[:at])
	})
}

func FuzzDecode(f *testing.F) {
	for _, body := range odd() {
		f.Add(body)
	}
	f.Add(string(wideAnswer(2)))
	f.Fuzz(func(t *testing.T, body string) { sameAsLibrary(t, body) })
}

// The usual answer is not left to encoding/json, nor does a change of what was
// read from it reach what stands beside it.
func TestDecodeUsualAnswer(t *testing.T) {
	body := wideAnswer(3)
	d := decoder{scanner: scanner{data: body}}
	var s Sheet
	if !d.sheet(&s) || !d.end() || len(s.Rows) != 3 || len(s.Rows[2].Cells) != 10 {
		t.Fatalf("got %+v up to byte %d of %d", s, d.at, len(body))
	}
	var want Sheet
	if err := json.Unmarshal(body, &want); err != nil {
		t.Fatal(err)
	}
	_ = append(s.Rows[0].Cells[0].Value, `"overwritten"`...)
	if diff := cmp.Diff(want, s); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// wideAnswer is a sheet of ten columns as Smartsheet answers it.
func wideAnswer(rows int) []byte {
	var b strings.Builder
	b.WriteString(`{"id":4509506114742148,"name":"Orders","version":912,"totalRowCount":20000,"accessLevel":"OWNER","columns":[`)
	for c := range 10 {
		fmt.Fprintf(&b, `%.*s{"id":%d,"version":2,"index":%d,"title":"Column %d","type":"TEXT_NUMBER","validation":false,"width":150}`, min(c, 1), ",", 7318427511613316+c, c, c)
	}
	b.WriteString(`],"rows":[`)
	for r := range rows {
		fmt.Fprintf(&b, `%.*s{"id":%d,"rowNumber":%d,"expanded":true,"createdAt":"2026-11-20T10:00:05Z","modifiedAt":"2026-11-20T10:00:05Z","modifiedBy":{"name":"Jane Doe","email":"jane@a.example"},"cells":[`, min(r, 1), ",", 7129509179746180+r, r+1)
		for c := range 10 {
			fmt.Fprintf(&b, `%.*s{"columnId":%d,"columnType":"TEXT_NUMBER","value":"a text of some length in a cell","displayValue":"a text of some length in a cell"}`, min(c, 1), ",", 7318427511613316+c)
		}
		b.WriteString(`]}`)
	}
	b.WriteString(`]}`)
	return []byte(b.String())
}

// BenchmarkDecode reads a page of 200 rows, beside encoding/json on the same bytes.
func BenchmarkDecode(b *testing.B) {
	body := wideAnswer(200)
	var library time.Duration
	for _, way := range []struct {
		name string
		read func([]byte, any) error
	}{{"encoding-json", json.Unmarshal}, {"decode", decode}} {
		b.Run(way.name, func(b *testing.B) {
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				var s Sheet
				if err := way.read(body, &s); err != nil {
					b.Fatal(err)
				}
			}
			took := b.Elapsed() / time.Duration(b.N)
			if way.name == "encoding-json" {
				library = took
			}
			b.ReportMetric(float64(took.Nanoseconds())/200, "ns/row")
			b.ReportMetric(float64(library)/float64(took), "x-encoding/json")
		})
	}
}
