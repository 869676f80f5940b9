package events

import "testing"

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

func BenchmarkNewView(b *testing.B) {
	s := Share{Where: `a == "x"`, Fields: []Field{{Name: "a", ColumnID: 1}}}
	for b.Loop() {
		newView(b, s)
	}
}
