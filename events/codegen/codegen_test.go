package codegen_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/events/codegen"
	"github.com/sheetbridge/sheetbridge/events/codegen/codegentest"
	"github.com/sheetbridge/sheetbridge/events/eventstest"
	"github.com/sheetbridge/sheetbridge/smartsheet"
)

// contract is that of two shares with every type of column and kind of object; one
// takes writes. Besides there are shares of the other sheets.
func contract(t *testing.T, others ...string) []byte {
	t.Helper()
	orders := events.Share{Partner: "acme", Sheet: "orders", SheetID: 7, Region: "us", Revision: 1,
		Kinds: []events.Kind{events.KindRow, events.KindAttachment, events.KindComment}}
	for i, typ := range []smartsheet.ColumnType{
		smartsheet.TextNumber, smartsheet.Checkbox, smartsheet.Date, smartsheet.DateTime, smartsheet.AbstractDateTime,
		smartsheet.ContactList, smartsheet.MultiContactList, smartsheet.Picklist, smartsheet.MultiPicklist,
		smartsheet.Duration, smartsheet.Predecessor,
	} {
		orders.Fields = append(orders.Fields, events.Field{Name: strings.ToLower(string(typ)), ColumnID: int64(i + 1), Type: typ})
	}
	orders.Fields = append(orders.Fields, events.Field{Name: "due_date", ColumnID: 97, Type: smartsheet.Date}, events.Field{Name: "duedate", ColumnID: 98, Type: smartsheet.Date},
		events.Field{Name: "due__date", ColumnID: 99, Type: smartsheet.Date, Mask: events.MaskHash})
	orders.Write = &events.WriteTerms{
		Update: []string{"checkbox", "date", "abstract_datetime", "contact_list", "multi_contact_list", "multi_picklist", "duration"},
		Create: &events.CreateTerms{Columns: []string{"text_number", "picklist"}, Key: "text_number"}, Delete: true,
	}
	shares := []events.Share{orders}
	for _, name := range others {
		shares = append(shares, events.Share{Partner: "acme", Sheet: name, SheetID: 8, Region: "us", Revision: 1,
			Fields: []events.Field{{Name: "v", ColumnID: 1, Type: "TEXT_NUMBER"}}, Kinds: []events.Kind{events.KindRow}})
	}
	text, err := events.AsyncAPI("acme", []events.Server{{Name: "nats", URL: "tls://nats.a.example:4222"}}, shares)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

const (
	envelope = `{"specversion":"1.0","id":"01a201a7-45b6-7320-979e-77c99f2e9c56","source":"/smartsheet/us/sheets/7","time":"2026-11-22T05:07:49.299Z","datacontenttype":"application/json",`
	place    = `"sheet":{"id":"7","name":"orders","version":3},"row":{"id":"9","number":1,"parentId":null,"modifiedAt":"2026-11-22T05:07:48Z"},`
	typed    = `{"text_number":12.5,"checkbox":true,"date":"2026-11-30","datetime":"2026-11-30T10:00:00Z","abstract_datetime":null,"contact_list":{"email":"j@a.example","name":null},` +
		`"multi_contact_list":[{"email":"j@a.example","name":"J"}],"picklist":"Open","multi_picklist":["a","b"],"duration":"P4DT6H","predecessor":[{"rowId":"8","type":"FS","lag":null}],` +
		`"due_date":"2026-11-30","duedate":"soon","due__date":"0123456789abcdef0123456789abcdef"}`
	free = `{"text_number":"twelve","checkbox":"maybe","date":"soon","datetime":"later","abstract_datetime":"2026-11-30T10:00:00","contact_list":"the boss",` +
		`"multi_contact_list":"both","picklist":null,"multi_picklist":"any","duration":"long","predecessor":"before","due_date":null,"duedate":null,"due__date":null}`
	empty = `{"text_number":null,"checkbox":null,"date":null,"datetime":null,"abstract_datetime":null,"contact_list":null,` +
		`"multi_contact_list":null,"picklist":null,"multi_picklist":null,"duration":null,"predecessor":null,"due_date":null,"duedate":null,"due__date":null}`
)

// Go decodes every value that a column can have, and keeps all of it.
func TestGo(t *testing.T) {
	t.Parallel()
	source, err := codegen.Go(contract(t, "2026-plan", "a-b", "a--b")) // no type, or one type, could have the name
	if err != nil {
		t.Fatal(err)
	}
	messages := []string{
		envelope + `"type":"sheetbridge.row.created","subject":"orders/row/9","data":{` + place + `"before":null,"after":` + typed + `,"changed":["date"],"origin":"snapshot"}}`,
		envelope + `"type":"sheetbridge.row.updated","subject":"orders/row/9","data":{` + place + `"before":` + typed + `,"after":` + free + `,"changed":["date"],"origin":"write","write":"po-1","changeAgent":["erp"]}}`,
		envelope + `"type":"sheetbridge.row.deleted","subject":"orders/row/9","data":{` + place + `"before":` + empty + `,"after":null,"changed":[],"origin":"share","reason":"left-view"}}`,
		envelope + `"type":"sheetbridge.write.refused","subject":"orders/write/po-1","data":{"id":"po-1","op":"update","row":"9","result":"refused","code":"conflict","detail":"it moved","current":` + typed + `}}`,
		envelope + `"type":"sheetbridge.row.created","subject":"2026-plan/row/9","data":{` + place + `"before":null,"after":{"v":1},"changed":["v"],"origin":"callback"}}`,
	}
	codegentest.SameInGo(t, source, messages)
}

func TestRefuses(t *testing.T) {
	for name, text := range map[string]string{
		"no JSON":      `{`,
		"no title":     `{"components":{"schemas":{"a":{"type":"object","properties":{}}}}}`,
		"nowhere":      `{"components":{"schemas":{"a":{"title":"A","properties":{"b":{"$ref":"#/components/schemas/b"}}}}}}`,
		"many choices": `{"components":{"schemas":{"a":{"title":"A","properties":{"b":{"type":["number","boolean"]}}}}}}`,
		"other type":   `{"components":{"schemas":{"a":{"title":"A","properties":{"b":{"type":"tuple"}}}}}}`,
	} {
		if _, err := codegen.Go([]byte(text)); err == nil {
			t.Errorf("%s: made Go of it", name)
		}
		if _, err := codegen.TypeScript([]byte(text)); err == nil {
			t.Errorf("%s: made TypeScript of it", name)
		}
	}
}

// TypeScript holds to its own types, and to how a program uses them.
func TestTypeScript(t *testing.T) {
	t.Parallel()
	g := newGenerators(t)
	g.compile("contract.ts", "use.ts")
}

// TestGenerators has stock generators make types of a contract. What they call a
// thing is a name of ours, not one that they made up; and it compiles, together with our
// own types in TypeScript. In the short form TestGo and TestRefuses have what they need: that
// no type of the contract is without a title.
func TestGenerators(t *testing.T) {
	eventstest.OnlyLong(t, "stock generators make types for a quarter of a minute")
	t.Parallel()
	g := newGenerators(t)
	dir := g.dir
	must(t, os.Mkdir(filepath.Join(dir, "modelina"), 0o700))
	must(t, os.Mkdir(filepath.Join(dir, "quicktype"), 0o700))

	var names []string
	must(t, json.Unmarshal([]byte(codegentest.Command(t, dir, "", "node", "modelina.js")), &names))
	schemas := "contract.json#/components/schemas/"
	codegentest.Command(t, dir, "", g.bin("quicktype"), "--src-lang", "schema", schemas, "--lang", "go", "--package", "quicktype", "-o", "quicktype/quicktype.go")
	codegentest.Command(t, dir, "", g.bin("quicktype"), "--src-lang", "schema", schemas, "--lang", "typescript", "-o", "quicktype.ts")
	made, err := os.ReadFile(filepath.Join(dir, "quicktype", "quicktype.go"))
	must(t, err)
	for _, want := range []string{"OrdersRow", "OrdersRowUpdated", "PlanRow", "ContactOrText", "OrdersWriteUpdate", "OrdersSetUpdate", "CompleteTo"} {
		if !slices.Contains(names, want) {
			t.Errorf("Modelina has no type %s: %q", want, names)
		}
		if !bytes.Contains(made, []byte("\ntype "+want+" struct {")) {
			t.Errorf("quicktype has no type %s", want)
		}
	}
	for _, n := range names {
		if strings.Contains(n, "Anonymous") {
			t.Errorf("Modelina has to make up the name %s", n)
		}
	}
	// Constants of one choice among those of another get a word before them; types must not.
	if madeUp := regexp.MustCompile(`(?m)^type (Purple|Fluffy|Tentacled)?\w*(Class|Union|Element) |^type (Purple|Fluffy|Tentacled)\w* `).FindAllString(string(made), -1); madeUp != nil {
		t.Errorf("quicktype has to make up the names of types: %q", madeUp)
	}
	must(t, os.WriteFile(filepath.Join(dir, "go.mod"), []byte("module partner\n\ngo 1.24\n"), 0o600))
	codegentest.Command(t, dir, "", "go", "vet", "./quicktype")
	g.compile("contract.ts", "use.ts", "modelina.ts", "quicktype.ts")
}

// generators is a directory with a contract, our types of it in TypeScript, and the tools
// of npm.
type generators struct {
	t   *testing.T
	dir string
}

func newGenerators(t *testing.T) *generators {
	t.Helper()
	g := &generators{t, t.TempDir()}
	must(t, os.CopyFS(g.dir, os.DirFS("testdata/generators")))
	eventstest.NodeModules(t, g.dir)
	text := contract(t, "plan")
	must(t, os.WriteFile(filepath.Join(g.dir, "contract.json"), text, 0o600))
	types, err := codegen.TypeScript(text)
	must(t, err)
	must(t, os.WriteFile(filepath.Join(g.dir, "contract.ts"), types, 0o600))
	return g
}

func (g *generators) bin(name string) string {
	return filepath.Join(g.dir, "node_modules", ".bin", name)
}

// compile has the compiler of TypeScript look at files.
func (g *generators) compile(files ...string) {
	g.t.Helper()
	codegentest.Command(g.t, g.dir, "", g.bin("tsc"), append([]string{"--noEmit", "--strict", "--target", "es2022", "--skipLibCheck"}, files...)...)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
