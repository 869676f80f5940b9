package events

import (
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/sheetbridge/sheetbridge/smartsheet"
)

func BenchmarkViewRow(b *testing.B) {
	sheet := allTypes(b)
	r := Request{Partner: "acme", Where: `status != "Draft" && price > 3 && cells["Task"] != "x"`}
	for _, c := range sheet.Columns {
		r.Columns = append(r.Columns, RequestColumn{Title: c.Title})
	}
	s, err := r.Resolve(sheet)
	if err != nil {
		b.Fatal(err)
	}
	v := newView(b, s)
	b.ReportAllocs()
	for b.Loop() {
		if _, shown := v.Row(&sheet.Rows[0], nil); !shown {
			b.Fatal("hidden")
		}
	}
}

// BenchmarkNewView makes a view, and beside it gets one that is kept. Heap is what
// a kept view holds.
func BenchmarkNewView(b *testing.B) {
	var made time.Duration
	b.Run("made", func(b *testing.B) {
		for b.Loop() {
			newView(b, viewShare("acme"))
		}
		made = b.Elapsed() / time.Duration(b.N)
	})
	b.Run("kept", func(b *testing.B) {
		const partners = 50
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		vs, s := NewViews(partners), viewShare("acme")
		for i := range partners {
			s.Partner = fmt.Sprint(i)
			if _, err := vs.View(s, []byte(testKey)); err != nil {
				b.Fatal(err)
			}
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportAllocs()
		for b.Loop() {
			if _, err := vs.View(s, []byte(testKey)); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(made)/float64(b.Elapsed()/time.Duration(b.N)), "x-made")
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/partners, "heap-B/view")
	})
}

// BenchmarkEvent writes an event of ten fields and reads it back, each beside
// encoding/json on the same event.
func BenchmarkEvent(b *testing.B) {
	e, message := rowEvent(b), ownEvent(b)
	buffer := make([]byte, 0, 4<<10)
	compare(b, "write",
		func() error { _, err := encodedByLibrary(e); return err },
		func() error { _, err := e.AppendJSON(buffer); return err })
	compare(b, "read",
		func() error { _, err := parseAnySeen(message, 1); return err },
		func() error { _, err := ParseSeen(message, 1); return err })
}

// BenchmarkPlainRow is a row of ten texts and a filter, as most rows are.
func BenchmarkPlainRow(b *testing.B) {
	s, row := Share{Where: `field_1 != "Draft"`, FilterTypes: map[int64]smartsheet.ColumnType{1: smartsheet.TextNumber}}, &smartsheet.Row{ID: 7}
	types := map[int64]smartsheet.ColumnType{}
	for i := range int64(10) {
		s.Fields = append(s.Fields, Field{Name: fmt.Sprint("field_", i), ColumnID: i, Type: smartsheet.TextNumber})
		row.Cells = append(row.Cells, smartsheet.Cell{ColumnID: i, Value: json.RawMessage(`"a text of some length in a cell"`), DisplayValue: "a text of some length in a cell"})
		types[i] = smartsheet.TextNumber
	}
	v := newView(b, s)
	compare(b, "fields",
		func() error {
			for i := range row.Cells {
				libraryField(&row.Cells[i], smartsheet.TextNumber)
			}
			return nil
		},
		func() error {
			if _, shown := v.Row(row, types); !shown {
				return errors.New("hidden")
			}
			return nil
		})
}

// compare runs two ways to do one thing, and reports how many times faster the
// second is.
func compare(b *testing.B, name string, library, ours func() error) {
	var base time.Duration
	for _, way := range []struct {
		name string
		do   func() error
	}{{"encoding-json", library}, {"ours", ours}} {
		b.Run(name+"/"+way.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := way.do(); err != nil {
					b.Fatal(err)
				}
			}
			took := b.Elapsed() / time.Duration(b.N)
			if way.name != "ours" {
				base = took
			}
			b.ReportMetric(float64(base)/float64(max(took, 1)), "x-encoding/json")
		})
	}
}
