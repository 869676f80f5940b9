package smartsheettest

import (
	"fmt"
	"sync"
	"testing"
)

func TestEverythingAtOnce(t *testing.T) {
	w := newWorld(t, quick, func(s *Server) { s.RateLimit = -1 })
	r := newReceiver(t)
	path := w.hook(r, "")
	r.set(func(r *receiver) { r.answers = []int{503, 200, 429, 500} })
	var group sync.WaitGroup
	const workers, edits = 4, 25
	for n := range workers {
		group.Go(func() {
			for i := range edits {
				ids, err := w.srv.As(w.jane).AddRows(w.sheet.ID, Row{ParentID: w.sheet.Rows[n%3], Cells: Cells{"Task": fmt.Sprint(n, i)}})
				if err == nil {
					err = w.srv.As(w.jane).UpdateRows(w.sheet.ID, Row{ID: ids[0], ToTop: true, Cells: Cells{"Price": i}})
				}
				if err == nil && i%5 == 0 {
					err = w.srv.As(w.jane).DeleteRows(w.sheet.ID, ids...)
				}
				if err != nil {
					t.Error(err)
				}
				w.viewerAPI.ok("GET", w.path+"?page=1&pageSize=10", "")
			}
		})
	}
	group.Wait()
	w.wait()
	counts := map[string]int{}
	for _, name := range func() (all []string) {
		seen := map[string]bool{}
		for _, cb := range r.all() {
			if !seen[cb.Nonce] { // retries carry the nonce of the first attempt
				all = append(all, cb.names()...)
			}
			seen[cb.Nonce] = true
		}
		return all
	}() {
		counts[name]++
	}
	if counts["row.created"] != workers*edits || counts["row.deleted"] != workers*edits/5 || counts["row.updated"] != workers*edits {
		t.Errorf("got %v, want %d created and updated, %d deleted", counts, workers*edits, workers*edits/5)
	}
	snap, _ := w.srv.Snapshot(w.sheet.ID)
	if len(snap.Rows) != 3+workers*edits*4/5 || w.hookStatus(path) != "ENABLED" {
		t.Errorf("got %d rows, %s", len(snap.Rows), w.hookStatus(path))
	}
}

func BenchmarkReadLargeSheet(b *testing.B) {
	srv := &Server{RateLimit: -1}
	jane := srv.AddUser(User{Email: "jane@a.example"})
	spec := SheetSpec{Name: "Large", Owner: jane, Rows: make([]Row, 20_000)}
	for i := range 12 {
		spec.Columns = append(spec.Columns, Column{Title: fmt.Sprint("C", i)})
	}
	for i := range spec.Rows {
		spec.Rows[i].Cells = Cells{"C0": fmt.Sprint("row ", i), "C5": i}
	}
	sheet, err := srv.AddSheet(spec)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(srv.Close)
	for b.Loop() {
		if err := srv.As(jane).Do("GET", fmt.Sprintf("sheets/%d?page=3&pageSize=5000&level=2&include=objectValue,columnType", sheet.ID), nil, nil); err != nil {
			b.Fatal(err)
		}
	}
}
