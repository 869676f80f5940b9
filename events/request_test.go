package events

import (
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sheetbridge/sheetbridge/smartsheet"
)

func TestResolve(t *testing.T) {
	sheet := allTypes(t)
	sheet.Name = "Orders (EU)"
	got, err := Request{
		Partner: "acme",
		Columns: []RequestColumn{
			{Title: "Status", As: "state"}, {ColumnID: "2", Mask: "hash"}, {Title: "Due", ColumnID: "4"},
		},
		Where: ` state != 'Draft' && cells["Task"] != null && cells.Status != "" `,
		Kinds: []string{"comment", "row"},
	}.Resolve(sheet)
	if err != nil {
		t.Fatal(err)
	}
	want := Share{
		Partner: "acme", Sheet: "orders-eu", SheetID: 4583173393803140,
		Fields: []Field{
			{Name: "state", ColumnID: 7, Title: "Status", Type: smartsheet.Picklist},
			{Name: "price", ColumnID: 2, Title: "Price", Type: smartsheet.TextNumber, Mask: MaskHash},
			{Name: "due", ColumnID: 4, Title: "Due", Type: smartsheet.Date},
		},
		Where: `state != 'Draft' && cells["Task"] != null && cells.Status != ""`,
		Cells: map[string]BoundCell{
			"Task":   {ColumnID: 1},
			"Status": {ColumnID: 7}, // shared too: read once
		},
		FilterTypes: map[int64]smartsheet.ColumnType{1: smartsheet.TextNumber, 7: smartsheet.Picklist},
		Kinds:       []Kind{KindRow, KindComment},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if diff := cmp.Diff([]int64{1, 2, 4, 7}, got.ColumnIDs()); diff != "" {
		t.Errorf("ColumnIDs: (-want +got)\n%s", diff)
	}
	if !got.Has(KindRow) || got.Has(KindAttachment) {
		t.Errorf("got kinds %v, want rows and no attachments", got.Kinds)
	}
}

// A share is stored as JSON; its ids are strings there, for other readers'
// numbers lose digits.
func TestShareJSON(t *testing.T) {
	const id = 9007199254740993
	s := Share{
		Partner: "acme", Sheet: "orders", SheetID: id, Region: smartsheet.EU, Revision: 3,
		Fields: []Field{{Name: "a", ColumnID: id, Title: "A", Type: smartsheet.Date, Mask: MaskRedact}},
		Where:  `cells["B"] == a`, Cells: map[string]BoundCell{"B": {ColumnID: id + 1}},
		Kinds: []Kind{KindRow}, FilterTypes: map[int64]smartsheet.ColumnType{id: smartsheet.Date, id + 1: smartsheet.Picklist},
	}
	raw, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"partner":"acme","sheet":"orders","sheetId":"9007199254740993","region":"eu","revision":3,` +
		`"fields":[{"as":"a","columnId":"9007199254740993","title":"A","type":"DATE","mask":"redact"}],` +
		`"where":"cells[\"B\"] == a","cells":{"B":{"columnId":"9007199254740994"}},"kinds":["row"],` +
		`"filterTypes":{"9007199254740993":"DATE","9007199254740994":"PICKLIST"}}`
	if diff := cmp.Diff(want, string(raw)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	var back Share
	if err := json.Unmarshal(raw, &back); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(s, back); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// What an admin gets wrong is named by field, with what to do about it.
func TestResolveRefuses(t *testing.T) {
	column := func(c ...RequestColumn) Request { return Request{Columns: c} }
	where := func(w string) Request { return Request{Columns: []RequestColumn{{Title: "Task"}}, Where: w} }
	twin := smartsheet.Column{ID: 99, Title: "Twin"}
	for name, test := range map[string]struct {
		Request
		field, detail string
	}{
		"no columns":          {Request{}, "columns", "at least one"},
		"too many columns":    {column(make([]RequestColumn, 401)...), "columns", "400 at most"},
		"empty column":        {column(RequestColumn{}), "columns[0].title", `"Task", "Price"`},
		"unknown title":       {column(RequestColumn{Title: "Task"}, RequestColumn{Title: "Nope"}), "columns[1].title", `no column "Nope"; its columns are "Task"`},
		"title nearly right":  {column(RequestColumn{Title: "status "}), "columns[0].title", `did you mean "Status"?`},
		"two of one title":    {column(RequestColumn{Title: "Twin"}), "columns[0].title", "use the columnId"},
		"unknown id":          {column(RequestColumn{ColumnID: "77"}), "columns[0].columnId", "no column with the id 77"},
		"no id":               {column(RequestColumn{ColumnID: "seven"}), "columns[0].columnId", "whole number"},
		"title against id":    {column(RequestColumn{Title: "Task", ColumnID: "2"}), "columns[0].columnId", `column 2 is "Price", not "Task"`},
		"column twice":        {column(RequestColumn{Title: "Task"}, RequestColumn{ColumnID: "1", As: "x"}), "columns[1].columnId", "columns[0] already"},
		"no name":             {column(RequestColumn{Title: "Task", As: "Due-Date"}), "columns[0].as", `"Due-Date" is no field's name`},
		"name twice":          {column(RequestColumn{Title: "Task", As: "x"}, RequestColumn{Title: "Due", As: "x"}), "columns[1].as", "columns[0] already"},
		"CEL word":            {column(RequestColumn{Title: "Task", As: "in"}), "columns[0].as", "another name"},
		"our word":            {column(RequestColumn{Title: "Task", As: "cells"}), "columns[0].as", "another name"},
		"mask":                {column(RequestColumn{Title: "Task", Mask: "blur"}), "columns[0].mask", `"hash" or "redact"`},
		"kind":                {Request{Columns: []RequestColumn{{Title: "Task"}}, Kinds: []string{"row", "cell"}}, "kinds[1]", `"attachment"`},
		"kind twice":          {Request{Columns: []RequestColumn{{Title: "Task"}}, Kinds: []string{"row", "row"}}, "kinds[1]", "once"},
		"kinds without row":   {Request{Columns: []RequestColumn{{Title: "Task"}}, Kinds: []string{"comment"}}, "kinds", `add "row"`},
		"partner":             {Request{Partner: "Acme"}, "partner", `"Acme" is no name`},
		"sheet":               {Request{Sheet: "-x"}, "sheet", `"-x" is no name`},
		"syntax":              {where("task ==\n  'x' &&"), "where", "line 2, column 9: Syntax error: something is missing at the end"},
		"not shared":          {where("task == status"), "where", `line 1, column 9: "status" is no field of this share; for a column that is not shared write cells["Title"]`},
		"not shared, deep":    {where("[1].exists(x, x == nope.a)"), "where", `"nope" is no field`},
		"loop variable":       {where("[1].exists(x, x == 1) && x == 1"), "where", `"x" is no field`},
		"title unknown":       {where(`cells["Nope"] == 1`), "where", `cells["Nope"]: this sheet has no column "Nope"; its columns`},
		"index of a field":    {where(`cells[task] == 1`), "where", "column 6: cells needs a column's title as a constant"},
		"index of a number":   {where(`cells[1] == 1`), "where", "as a constant"},
		"cells alone":         {where(`size(cells) > 0`), "where", "cells can only be used"},
		"cells in a loop":     {where(`cells.exists(k, k == "Task")`), "where", "cells can only be used"},
		"cells as variable":   {where(`[1].exists(cells, cells == 1)`), "where", `"cells" cannot be the variable`},
		"no attribute":        {where(`partner.region == task`), "where", "partner.region: the partner has no attribute region, and none at all"},
		"another attribute":   {Request{Columns: []RequestColumn{{Title: "Task"}}, Where: "partner.tier == task", Attributes: map[string]string{"region": "EMEA"}}, "where", "only region: give it that one first"},
		"partner alone":       {where(`size(partner) > 0`), "where", "partner can only be used with an attribute's name"},
		"partner by index":    {where(`partner["region"] == task`), "where", "partner can only be used with an attribute's name"},
		"attribute of a name": {where("partner.Region == task"), "where", `"Region" is no attribute's name`},
		"no bool":             {where(`"x"`), "where", "type string"},
		"no function":         {where(`nope(task)`), "where", "undeclared reference to 'nope'"},
		"a message":           {where(`google.protobuf.Duration{} == task`), "where", "messages cannot be made"},
		"a bad pattern":       {where(`task.matches("(")`), "where", "invalid matches argument"},
		"a large pattern":     {where(`task.matches("(abcdefghij{50}){20}")`), "where", "regex program size"},
		"too long":            {where(`task == "` + strings.Repeat("x", 5000) + `"`), "where", "size"},
		"too many nodes":      {where(`task in [` + strings.Repeat("1,", 1500) + `1]`), "where", "limit"},
		"too deep":            {where(strings.Repeat("(", 200) + "true" + strings.Repeat(")", 200)), "where", "recursion"},
		"too many loops":      {where(`[1].all(a, [1].all(b, [1].all(c, a == b && b == c)))`), "where", "nesting limit"},
		"too costly":          {where(`task.split("").all(a, task.split("").all(b, task.replace(a, b) != a))`), "where", "costs too much"},
	} {
		t.Run(name, func(t *testing.T) {
			if test.Partner == "" {
				test.Partner = "acme"
			}
			sheet := allTypes(t)
			sheet.Columns = append(sheet.Columns, twin, twin)
			got, err := test.Resolve(sheet)
			var refused *RequestError
			if !errors.As(err, &refused) {
				t.Fatalf("got %v, %v, want a RequestError", got, err)
			}
			if refused.Field != test.field || !strings.Contains(refused.Detail, test.detail) {
				t.Errorf("got %s: %s\nwant %s: …%s…", refused.Field, refused.Detail, test.field, test.detail)
			}
			if len(refused.Detail) > 1000 {
				t.Errorf("got a detail of %d bytes, want fewer", len(refused.Detail))
			}
		})
	}
}

// An explicit name is never taken by a slug, wherever it stands.
// A share keeps what its filter names of the partner's attributes, and nothing else of
// them. Where a field is called partner it is the field that the filter names.
func TestFilterNamesAttributes(t *testing.T) {
	sheet := allTypes(t)
	request := Request{
		Partner: "acme", Columns: []RequestColumn{{Title: "Task"}}, Where: "task == partner.region",
		Attributes: map[string]string{"region": "EMEA", "tier": "gold"},
	}
	s, err := request.Resolve(sheet)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]string{"region": "EMEA"}, s.Attributes); diff != "" {
		t.Errorf("attributes (-want +got):\n%s", diff)
	}
	row := smartsheet.Row{ID: 1, Cells: []smartsheet.Cell{{ColumnID: s.Fields[0].ColumnID, Value: json.RawMessage(`"APAC"`)}}}
	shows := func(s Share) bool {
		_, shown := newView(t, s).Row(&row, nil)
		return shown
	}
	if shows(s) {
		t.Error("a row of another region is shown")
	}
	changed, same := s.WithAttributes(map[string]string{"region": "APAC"})
	if same || !shows(changed) || s.Attributes["region"] != "EMEA" {
		t.Errorf("after a change: got %v, the same %v, want the row shown and the old share as it was", changed.Attributes, same)
	}
	for _, now := range []map[string]string{{"region": "EMEA", "tier": "silver"}, nil} {
		if left, same := s.WithAttributes(now); !same || left.Attributes["region"] != "EMEA" {
			t.Errorf("with %v: got %v, the same %v, want no change", now, left.Attributes, same)
		}
	}
	request.Columns[0].As, request.Where = "partner", "partner == 'APAC'"
	if s, err = request.Resolve(sheet); err != nil || s.Attributes != nil || !shows(s) {
		t.Errorf("a field called partner: got %v, %v, want the filter to name it", s.Attributes, err)
	}
}

func TestNamesAreDistinct(t *testing.T) {
	columns := make([]smartsheet.Column, 120)
	r := Request{Partner: "acme", Columns: make([]RequestColumn, len(columns))}
	for i := range columns {
		columns[i] = smartsheet.Column{ID: int64(i + 1), Title: strings.Repeat("Long title ", 8) + strings.Repeat("!", i)}
		r.Columns[i].ColumnID = strconv.Itoa(i + 1)
	}
	r.Columns[119].As = "long_title_long_title_long_title_long_title_long_title_long_ti_2"
	s, err := r.Resolve(smartsheet.Sheet{ID: 1, Name: "x", Columns: columns})
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, f := range s.Fields {
		if seen[f.Name] || !ValidFieldName(f.Name) {
			t.Errorf("got %q, want a valid name, once", f.Name)
		}
		seen[f.Name] = true
	}
	if got := s.Fields[119].Name; got != r.Columns[119].As {
		t.Errorf("got %q, want %q", got, r.Columns[119].As)
	}
}

func FuzzResolve(f *testing.F) {
	f.Add("acme", "orders", "Task", "", "hash", "row", `task == "x"`)
	f.Add("acme", "", "Due", "due", "", "comment", `cells["Task"].exists(x, x in [1, 2.0])`)
	f.Add("acme", "", "Größe", "in", "redact", "", `cells.Größe`)
	f.Fuzz(func(t *testing.T, partner, name, title, as, mask, kind, where string) {
		sheet := smartsheet.Sheet{ID: 1, Name: title, Columns: []smartsheet.Column{
			{ID: 1, Title: title}, {ID: 2, Title: "Task", Type: smartsheet.TextNumber}, {ID: 3, Title: as},
		}}
		r := Request{Partner: partner, Sheet: name, Where: where, Columns: []RequestColumn{
			{Title: title, As: as, Mask: mask}, {ColumnID: "2"},
		}}
		if kind != "" {
			r.Kinds = []string{kind}
		}
		s, err := r.Resolve(sheet)
		if err != nil {
			if refused := new(RequestError); !errors.As(err, &refused) {
				t.Fatalf("got %v, want a RequestError", err)
			}
			return
		}
		if _, err := NewView(s, []byte(testKey)); err != nil {
			t.Fatalf("a share that was accepted has no view: %v", err)
		}
		if !DiffShares(s, s).Same {
			t.Fatalf("got %+v of a share and itself", DiffShares(s, s))
		}
		for _, field := range s.Fields {
			if !ValidFieldName(field.Name) {
				t.Fatalf("got the name %q", field.Name)
			}
		}
	})
}
