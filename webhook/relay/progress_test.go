package relay_test

import (
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/smartsheet/smartsheettest"
	"github.com/sheetbridge/sheetbridge/webhook/partner"
	"github.com/sheetbridge/sheetbridge/webhook/webhooktest"
)

// TestProgress follows a load by its pages: while the third is read the first was
// compared. When the load is complete there is no figure any more, nor for a
// reconcile; a resend has one again.
func TestProgress(t *testing.T) {
	const rows = 800
	texts := make([]string, rows)
	for i := range texts {
		texts[i] = strings.Repeat("x", 200)
	}
	w := newLongWorld(t, 100_000, texts...)
	var mu sync.Mutex
	seen, sizes := map[int]*partner.Progress{}, map[int]int{}
	w.OnPage(func(page, size int) {
		mu.Lock()
		defer mu.Unlock()
		if shares := w.Registry.AllShares(); len(shares) == 1 {
			seen[page], sizes[page] = w.Partners.Progress(shares[0]), size
		}
	})
	w.Reg = w.Register("ops", w.Sheet.ID, events.Request{Partner: "acme", Sheet: "orders", Columns: webhooktest.Columns("Text")})
	check := func(loaded bool) {
		t.Helper()
		mu.Lock()
		defer mu.Unlock()
		for page := 3; page*sizes[3] < rows; page++ {
			switch at := seen[page]; {
			case loaded && at != nil:
				t.Errorf("page %d: got %+v for a share that is loaded", page, *at)
			case loaded:
			case at == nil:
				t.Errorf("page %d: got no progress of the load", page)
			case at.Of != rows || at.Done < (page-2)*sizes[page] || at.Done > (page-1)*sizes[page]:
				t.Errorf("page %d of %d rows: got %+v of %d rows", page, sizes[page], *at, rows)
			}
		}
		if len(seen) < 4 {
			t.Errorf("got pages %v, want several", sizes)
		}
		clear(seen)
		if at := w.Partners.Progress(w.Registry.AllShares()[0]); at != nil {
			t.Errorf("got %+v when the load is complete", *at)
		}
	}
	w.Settle()
	check(false)
	w.ReadFully()
	check(true)
	webhooktest.Must(t, w.Registrar.Resend(t.Context(), w.Reg.ID, "acme", "orders"))
	w.Settle()
	check(false)
}

// TestProgressStays: rows that were deleted since are taken away at the end of a load.
// Its progress stays at all rows of the sheet, whether those are asked for first, as
// where the sheet moves while it is read, or not.
func TestProgressStays(t *testing.T) {
	t.Parallel()
	const rows = 40
	for name, moves := range map[string]bool{"calm": false, "moving": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newLongWorld(t, 64<<10, slices.Repeat([]string{strings.Repeat("x", 1000)}, rows)...)
			w.Reg = w.Register("ops", w.Sheet.ID, events.Request{Partner: "acme", Columns: webhooktest.Columns("Text")})
			webhooktest.Must(t, w.Sim.As(w.Jane).DeleteRows(w.Sheet.ID, w.Sheet.Rows[rows-1]))
			var moved sync.Once
			g := w.Hold(func(r *http.Request) bool {
				if moves && r.FormValue("page") == "2" {
					moved.Do(func() {
						err := w.Sim.As(w.Jane).UpdateRows(w.Sheet.ID, smartsheettest.Row{ID: w.Sheet.Rows[0], Cells: webhooktest.Cells{"Text": "edited"}})
						if err != nil {
							t.Error(err)
						}
					})
				}
				return strings.HasSuffix(r.URL.Path, "/discussions") // asked for when the rows are done
			})
			w.PutShare("acme", events.Request{Columns: webhooktest.Columns("Text"), Kinds: []string{"row", "comment"}})
			w.Await("all rows are compared", func() bool { return g.Holding() > 0 })
			want := &partner.Progress{Done: rows - 1, Of: rows - 1}
			if diff := cmp.Diff(want, w.Partners.Progress(w.Registry.Share("acme", "orders"))); diff != "" {
				t.Errorf("progress of a load whose rows are all compared (-want +got):\n%s", diff)
			}
			g.Release()
			w.Settle()
			w.ReadFully() // no callback tells of the edit
			w.Check("acme")
		})
	}
}
