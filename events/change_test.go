package events

import (
	"bytes"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/sheetbridge/sheetbridge/smartsheet"
)

// reshare draws another definition of a share: fields may go, come, be renamed
// or masked otherwise, and names may pass from one column to another.
func reshare(t *rapid.T, s Share) Share {
	next := s
	next.Fields = nil
	names := rapid.Permutation([]string{"f1", "f2", "f3", "f4", "f5", "f6", "g1", "g2"}).Draw(t, "names")
	for i, f := range s.Fields {
		switch rapid.IntRange(0, 5).Draw(t, "what") {
		case 0:
			continue
		case 1:
			f.Name = names[i]
		case 2:
			f.Mask = rapid.SampledFrom([]Mask{MaskNone, MaskHash, MaskRedact}).Draw(t, "mask")
		case 3:
			f.Type = rapid.SampledFrom(columnTypes()).Draw(t, "type")
		}
		if !slices.ContainsFunc(next.Fields, func(g Field) bool { return g.Name == f.Name }) {
			next.Fields = append(next.Fields, f)
		}
	}
	return next
}

// What Narrow leaves is shown by the new share too: the same fields of the same
// columns, with the very bytes that the new view of the row has.
func TestNarrowShowsNothingElse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		old, row := shareAndRow(t)
		next := reshare(t, old)
		was, _ := newView(t, old).Row(row, nil)
		now, _ := newView(t, next).Row(row, nil)
		change := DiffShares(old, next)
		left, keep := change.Narrow(newView(t, next), was)
		if !keep {
			t.Fatalf("got a hidden row without a filter")
		}
		for _, v := range left {
			if want := now.Get(v.Name); !bytes.Equal(want, v.JSON) && string(v.JSON) != "null" {
				t.Fatalf("%s: got %s, want %s or null", v.Name, v.JSON, want)
			}
		}
		if len(left) != len(now) {
			t.Fatalf("got %d fields, want the %d that the new schema wants", len(left), len(now))
		}
		if change.Same && !was.Equal(now) {
			t.Fatalf("got Same, and %s of %s", now, was)
		}
		checkNarrower(t, change, old, next)
	})
}

// checkNarrower checks that a change by which a column shows less says so.
func checkNarrower(t *rapid.T, change Change, old, next Share) {
	want := false
	for _, f := range old.Fields {
		i := slices.IndexFunc(next.Fields, func(g Field) bool { return g.ColumnID == f.ColumnID })
		want = want || i < 0 || next.Fields[i].Mask.strictness() > f.Mask.strictness()
	}
	if change.Narrower != want {
		t.Fatalf("got narrower %v of %v to %v", change.Narrower, old.Fields, next.Fields)
	}
	if want && change.Same {
		t.Fatalf("got the same, and narrower")
	}
}

// A row that Narrow keeps under a new filter is one that the filter shows.
func TestNarrowAsksTheFilter(t *testing.T) {
	filters := []string{
		`f1 != null`, `f1 == null || f2 == null`, `cells["C1"] == "Open"`, `f1 == f2`, `cells["C9"] == null`, `f1 > 3`, `has(f1.email)`,
	}
	rapid.Check(t, func(t *rapid.T) {
		old, row := shareAndRow(t)
		if len(old.Fields) < 2 {
			old.Fields = append(old.Fields, Field{Name: "f2", ColumnID: 2})
		}
		next := old
		next.Fields = slices.Clone(old.Fields)
		next.Fields[0].Mask = rapid.SampledFrom([]Mask{MaskNone, MaskHash}).Draw(t, "mask")
		next.Where = rapid.SampledFrom(filters).Draw(t, "where")
		next.Cells = map[string]BoundCell{"C1": {ColumnID: 1}, "C9": {ColumnID: 9}}
		next.FilterTypes = map[int64]smartsheet.ColumnType{} // as Resolve makes them
		for _, f := range next.Fields {
			next.FilterTypes[f.ColumnID] = f.Type
		}
		view := newView(t, next)
		was, _ := newView(t, old).Row(row, nil)
		left, keep := DiffShares(old, next).Narrow(view, was)
		now, shown := view.Row(row, nil)
		if keep && (!shown || !left.Equal(now) && next.Fields[0].Mask == old.Fields[0].Mask) {
			t.Fatalf("%s: got %s, the view has %s", next.Where, left, now)
		}
		stored := old.Fields[0].Mask == MaskNone && next.Fields[0].Mask == MaskNone
		if stored && next.Where == `f1 != null` && keep != shown {
			t.Fatalf("got keep %v, want %v: the filter's value is stored", keep, shown)
		}
	})
}

// Another place is another share: partner, name and region stand in each event.
func TestDiffSharesOfOtherPlaces(t *testing.T) {
	bound := func(id int64) map[string]BoundCell { return map[string]BoundCell{"A": {ColumnID: id}} }
	s := Share{
		Partner: "acme", Sheet: "orders", SheetID: 1, Region: "us", Revision: 1, Kinds: []Kind{KindRow},
		Where: `cells["A"] == 1`, Cells: bound(1), Attributes: map[string]string{"region": "EMEA"},
	}
	for name, change := range map[string]struct {
		edit           func(*Share)
		same, narrower bool
	}{
		"nothing":   {func(*Share) {}, true, false},
		"revision":  {func(s *Share) { s.Revision++ }, true, false},
		"partner":   {func(s *Share) { s.Partner = "x" }, false, false},
		"name":      {func(s *Share) { s.Sheet = "x" }, false, false},
		"region":    {func(s *Share) { s.Region = "eu" }, false, false},
		"bound":     {func(s *Share) { s.Cells = bound(2) }, false, true},
		"sheet":     {func(s *Share) { s.SheetID = 2 }, false, true},
		"attribute": {func(s *Share) { s.Attributes = map[string]string{"region": "APAC"} }, false, true},
	} {
		next := s
		change.edit(&next)
		if got := DiffShares(s, next); got.Same != change.same || got.Narrower != change.narrower {
			t.Errorf("%s: got same %v, narrower %v, want %v, %v", name, got.Same, got.Narrower, change.same, change.narrower)
		}
	}
}

// What is no object stays none.
func TestNarrowOfNothing(t *testing.T) {
	s := Share{Fields: []Field{{Name: "a", ColumnID: 1}}}
	if got, keep := DiffShares(s, s).Narrow(newView(t, s), nil); keep || got != nil {
		t.Errorf("got %v, %v, want nothing", got, keep)
	}
	// A field that the stored object does not have is null.
	want := Object{{Name: "a", JSON: null()}}
	if got, keep := DiffShares(s, s).Narrow(newView(t, s), Object{}); !keep || !got.Equal(want) {
		t.Errorf("got %v, %v, want %v", got, keep, want)
	}
}
