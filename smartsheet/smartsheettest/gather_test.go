package smartsheettest

import (
	"fmt"
	"testing"
	"time"
)

func slow(s *Server) { s.Debounce = 500 * time.Millisecond }

func TestDebounceGathers(t *testing.T) {
	w := newWorld(t, slow)
	r := newReceiver(t)
	w.hook(r, "")
	for i := range 5 {
		w.api.ok("PUT", w.path+"/rows", fmt.Sprintf(`{"id":%d,%s}`, w.sheet.Rows[0], w.cells("Task", fmt.Sprintf(`"value":"%d"`, i))))
	}
	w.wait()
	if all := r.all(); len(all) != 1 || len(all[0].Events) != 15 {
		t.Errorf("got %d callbacks, want one with the 15 events", len(all))
	}
}

func TestWhatWaitsIsLostWhenDisabled(t *testing.T) {
	w := newWorld(t, slow)
	r := newReceiver(t)
	path := w.hook(r, "")
	w.api.ok("PUT", w.path+"/rows", fmt.Sprintf(`{"id":%d,"toTop":true}`, w.sheet.Rows[1]))
	w.api.ok("PUT", path, `{"enabled":false}`)
	w.api.ok("PUT", path, `{"enabled":true}`)
	w.wait()
	if got := len(r.all()); got != 0 {
		t.Errorf("got %d callbacks, want none", got)
	}
}

func TestDeletedColumnShrinksSubscope(t *testing.T) {
	w := newWorld(t, quick)
	r := newReceiver(t)
	path := w.hook(r, fmt.Sprintf(`,"subscope":{"columnIds":[%d,%d]}`, w.col("Price"), w.col("Due")))
	if err := w.srv.As(w.jane).DeleteColumn(w.sheet.ID, w.col("Due")); err != nil {
		t.Fatal(err)
	}
	w.wait()
	if got, want := fmt.Sprint(at(t, w.api.ok("GET", path, "").body, "subscope", "columnIds")), fmt.Sprintf("[%d]", w.col("Price")); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
