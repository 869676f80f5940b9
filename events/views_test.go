package events

import (
	"encoding/json"
	"fmt"
	"reflect"
	"sync"
	"testing"

	"github.com/sheetbridge/sheetbridge/smartsheet"
)

func viewShare(partner string) Share {
	return Share{
		Partner: partner, Sheet: "orders", SheetID: 7, Region: smartsheet.US, Revision: 1, Kinds: []Kind{KindRow},
		Fields: []Field{{Name: "a", ColumnID: 1, Title: "A", Type: smartsheet.TextNumber, Mask: MaskHash}},
		Where:  `a == "x" && cells["B"] != 1`, Cells: map[string]BoundCell{"B": {ColumnID: 2}},
		FilterTypes: map[int64]smartsheet.ColumnType{1: smartsheet.TextNumber, 2: smartsheet.TextNumber},
	}
}

// A view is made once, and again as soon as anything of its share or key differs.
func TestViewsAreMadeOnce(t *testing.T) {
	changes := map[string]func(*Share){}
	for i := range reflect.TypeFor[Share]().NumField() {
		changes[reflect.TypeFor[Share]().Field(i).Name] = nil // each field of a share wants a case here
	}
	for name, change := range map[string]func(*Share){
		"Partner": func(s *Share) { s.Partner = "globex" }, "Sheet": func(s *Share) { s.Sheet = "items" },
		"SheetID": func(s *Share) { s.SheetID = 8 }, "Region": func(s *Share) { s.Region = smartsheet.EU },
		"Revision": func(s *Share) { s.Revision++ }, "Fields": func(s *Share) { s.Fields[0].Mask = MaskRedact },
		"Where": func(s *Share) { s.Where = `a != "x" && cells["B"] != 1` }, "Cells": func(s *Share) { s.Cells["B"] = BoundCell{ColumnID: 3} },
		"Kinds": func(s *Share) { s.Kinds[0] = KindComment }, "FilterTypes": func(s *Share) { s.FilterTypes[2] = smartsheet.Date },
		"Attributes": func(s *Share) { s.Attributes = map[string]string{"region": "EMEA"} },
		"Gone":       func(s *Share) { s.Gone = []int64{2} }, "Write": func(s *Share) { s.Write = &WriteTerms{Delete: true} },
	} {
		changes[name] = change
	}
	get := func(vs *Views, s Share, key string) *View {
		t.Helper()
		v, err := vs.View(s, []byte(key))
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	for name, change := range changes {
		if change == nil {
			t.Errorf("%s: no case", name)
			continue
		}
		vs, s := NewViews(4), viewShare("acme")
		first := get(vs, s, testKey)
		if get(vs, viewShare("acme"), testKey) != first {
			t.Error("got another view of the same share")
		}
		if get(vs, s, "another key") == first {
			t.Error("another key: got the same view")
		}
		first = get(vs, s, testKey)
		change(&s) // what the view was made of is changed in place
		if get(vs, s, testKey) == first {
			t.Errorf("%s changed: got the same view", name)
		}
	}
	s := viewShare("acme")
	s.Where = "nope"
	if v, err := NewViews(1).View(s, []byte(testKey)); err == nil {
		t.Errorf("got %v of a filter that does not compile", v)
	}
}

// Those asked for last are kept, and no more than were wanted.
func TestViewsAreBounded(t *testing.T) {
	vs := NewViews(2)
	views := map[string]*View{}
	for _, partner := range []string{"a", "b", "a", "c"} {
		v, err := vs.View(viewShare(partner), []byte(testKey))
		if err != nil {
			t.Fatal(err)
		}
		views[partner] = v
	}
	if a, _ := vs.View(viewShare("a"), []byte(testKey)); a != views["a"] || len(vs.kept) != 2 || vs.kept["b/orders"] != nil {
		t.Errorf("got %d kept, b among them: %v", len(vs.kept), vs.kept["b/orders"] != nil)
	}
}

// One view may show rows from many goroutines.
func TestViewsTogether(t *testing.T) {
	vs := NewViews(2)
	row := &smartsheet.Row{Cells: []smartsheet.Cell{{ColumnID: 1, Value: json.RawMessage(`"x"`)}, {ColumnID: 2, Value: json.RawMessage(`2`)}}}
	var wait sync.WaitGroup
	for i := range 8 {
		wait.Go(func() {
			for n := range 20 {
				v, err := vs.View(viewShare(fmt.Sprint((i+n)%3)), []byte(testKey))
				if err != nil {
					t.Error(err)
					return
				}
				if _, shown := v.Row(row, nil); !shown {
					t.Error("hidden")
				}
			}
		})
	}
	wait.Wait()
}
