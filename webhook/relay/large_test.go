package relay_test

import (
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/events/eventstest"
	"github.com/sheetbridge/sheetbridge/smartsheet/smartsheettest"
	"github.com/sheetbridge/sheetbridge/webhook/inbox"
	"github.com/sheetbridge/sheetbridge/webhook/webhooktest"
)

// newLongWorld makes a bridge that takes pages of so many bytes, with owner
// "ops", partner acme, and a sheet that is not registered yet, with a row for
// each of the texts.
func newLongWorld(t testing.TB, maxPage int64, texts ...string) *webhooktest.World {
	t.Helper()
	sim := smartsheettest.New(t, func(s *smartsheettest.Server) { s.RateLimit = -1 })
	w := &webhooktest.World{Jane: sim.AddUser(smartsheettest.User{Email: "jane@a.example"}), SeenTo: map[string]uint64{}}
	spec := smartsheettest.SheetSpec{Name: "Orders", Owner: w.Jane, Columns: []smartsheettest.Column{{Title: "Text"}}}
	for _, text := range texts {
		spec.Rows = append(spec.Rows, smartsheettest.Row{Cells: webhooktest.Cells{"Text": text}})
	}
	var err error
	w.Sheet, err = sim.AddSheet(spec)
	webhooktest.Must(t, err)
	w.Bridge = webhooktest.NewBridge(t, sim, webhooktest.Options{Polling: true, MaxPage: maxPage})
	w.AddOwner("ops", sim.AddToken(w.Jane))
	w.AddPartner("acme")
	return w
}

// The cells of a page are let go before the next but one is asked for, at a first
// load and at a full read: while one is compared, the next is read. What comparing
// a page takes is let go with it, so each request is held until the page before it
// is compared: its last row is stored by then.
func TestSheetIsNotHeldInMemory(t *testing.T) {
	const rows, fits = 240, 39
	text := strings.Repeat("x", 1000)
	every := runtime.MemProfileRate
	runtime.MemProfileRate = 256 // nearly every text counts; not parallel, since it slows down all
	t.Cleanup(func() { runtime.MemProfileRate = every })
	w := newLongWorld(t, 160<<10, slices.Repeat([]string{text}, rows)...)
	w.Reader("acme")
	memory := passMemory{map[[32]uintptr]bool{}}
	var held []int64         // when each page was asked for
	const half = fits * 1000 // of a page: each row has its text as value and as it is shown
	grown := func() bool { return len(held) > 3 && held[len(held)-1]-held[2] > half }
	w.OnPage(func(page, size int) {
		if size != fits { // what is larger is not taken
			return
		}
		if page > 1 {
			awaitRow(w, (page-1)*fits-1, text)
		}
		had := grown()
		held = append(held, memory.held())
		for giveUp := time.Now().Add(10 * time.Second); grown() && !had && time.Now().Before(giveUp); { // the pass is not quite done with the page
			held[len(held)-1] = memory.held()
		}
	})
	look := func(doing string) {
		t.Helper()
		if want := (rows + fits - 1) / fits; len(held) != want {
			t.Fatalf("%s: got %d pages, want %d", doing, len(held), want)
		}
		for page := 3; page < len(held); page++ {
			if got := held[page] - held[2]; got > half {
				t.Errorf("%s: got %d bytes more held when page %d is asked for than for the third, want half a page's (%d) at most", doing, got, page+1, half)
			}
		}
		held = nil
	}
	w.Reg = w.Register("ops", w.Sheet.ID, events.Request{Partner: "acme", Columns: webhooktest.Columns("Text")})
	look("first load")
	text = strings.Repeat("y", 1000)
	for last := fits - 1; last < rows; last += fits { // of each page
		w.Edit(last, webhooktest.Cells{"Text": text})
	}
	w.ReadFully()
	look("full read")
	w.Check("acme")
}

// awaitRow returns when acme has been told that a row has a text.
func awaitRow(w *webhooktest.World, row int, text string) {
	share := w.Registry.Share("acme", "orders")
	subject := share.SubjectOf(events.KindRow, w.Sheet.Rows[row])
	stored := func() bool {
		seen, err := w.Reader("acme").Last(w.T.Context(), &share.Share, []string{subject}, 0)
		if err != nil {
			w.T.Errorf("waiting for row %d: %v", row, err)
		}
		return err != nil || seen[subject].Living() && strings.Contains(string(seen[subject].After.Get("text")), text)
	}
	if !eventstest.Poll(w.T, time.Minute, stored) {
		w.T.Errorf("waited in vain for row %d to be stored", row)
	}
}

// passMemory tells how many bytes are in use that passes have allocated.
type passMemory struct {
	byPass map[[32]uintptr]bool // by stack: whether a pass has allocated there
}

func (m *passMemory) held() int64 {
	runtime.GC()
	runtime.GC() // what pools keep goes with the second
	n, _ := runtime.MemProfile(nil, false)
	records := make([]runtime.MemProfileRecord, n+1000) // others allocate meanwhile
	n, _ = runtime.MemProfile(records, false)
	var held int64
	for _, r := range records[:n] {
		byPass, known := m.byPass[r.Stack0]
		if !known {
			byPass = isOfPass(r.Stack())
			m.byPass[r.Stack0] = byPass
		}
		if byPass {
			held += r.InUseBytes()
		}
	}
	return held
}

// isOfPass tells whether a pass is at work in a stack.
func isOfPass(stack []uintptr) bool {
	for frames := runtime.CallersFrames(stack); ; {
		frame, more := frames.Next()
		if strings.Contains(frame.Function, "/relay.(*reader).") || strings.Contains(frame.Function, "/relay.(*shareSync).") {
			return true
		}
		if !more {
			return false
		}
	}
}

// Pages that would be too large are read in halves. One page is read ahead: what
// the others brought stands in the partner's stream before it is asked for, and no
// row is left out.
func TestPagesArePublishedAsTheyCome(t *testing.T) {
	t.Parallel()
	short, long := strings.Repeat("x", 200), strings.Repeat("x", 1000)
	w := newLongWorld(t, 96<<10, append(slices.Repeat([]string{short}, 156), slices.Repeat([]string{long}, 44)...)...)
	type asked struct{ Page, Size, Stored int }
	var got []asked
	w.OnPage(func(page, size int) {
		subjects, err := w.Reader("acme").Subjects(t.Context(), "smartsheet.acme.orders.row.*")
		if err != nil {
			t.Error(err)
		}
		got = append(got, asked{page, size, len(subjects)})
	})
	w.Reg = w.Register("ops", w.Sheet.ID, events.Request{Partner: "acme", Columns: webhooktest.Columns("Text")})
	w.Check("acme")
	want := []asked{
		{1, 5000, 0}, {1, 2500, 0}, {1, 1250, 0}, {1, 625, 0}, {1, 312, 0}, {1, 156, 0},
		{1, 78, 0}, {2, 78, 78}, {3, 78, 156}, // row 157 is the first of the long ones
		{5, 39, 156}, {9, 19, 156}, {10, 19, 171}, {11, 19, 190},
	}
	ahead := func(a, b asked) bool { return a.Page == b.Page && a.Size == b.Size }
	if !slices.EqualFunc(want, got, ahead) {
		t.Fatalf("got pages %v, want %v", got, want)
	}
	stored := 0 // before the last page that brought anything
	for i := range want {
		if i > 0 && want[i].Stored > want[i-1].Stored {
			stored = want[i-1].Stored
		}
		if got[i].Stored < stored || got[i].Stored > want[i].Stored {
			t.Errorf("page %d of %d rows: %d rows were stored when it was asked for, want %d to %d", got[i].Page, got[i].Size, got[i].Stored, stored, want[i].Stored)
		}
	}
}

// Rows of a hint that would be too large together are read in halves.
func TestLongRowsAreReadInHalves(t *testing.T) {
	t.Parallel()
	w := newLongWorld(t, 96<<10, slices.Repeat([]string{strings.Repeat("x", 1000)}, 40)...)
	w.Reg = w.Register("ops", w.Sheet.ID, events.Request{Partner: "acme", Columns: webhooktest.Columns("Text")})
	var got []int
	w.OnPage(func(_, size int) { got = append(got, size) })
	hint := inbox.Hint{Registration: w.Reg.ID, Why: inbox.WhyCallback, Rows: map[int64]inbox.Row{}, ReceivedAt: time.Now()}
	for row, id := range w.Sheet.Rows {
		w.Edit(row, webhooktest.Cells{"Text": strings.Repeat("y", 1000)})
		hint.Rows[id] = inbox.Row{}
	}
	webhooktest.Must(t, w.Inbox.Put(t.Context(), &hint))
	w.Settle()
	w.Check("acme")
	if diff := cmp.Diff([]int{40, 20, 20}, got); diff != "" {
		t.Errorf("rows asked for (-want +got):\n%s", diff)
	}
}
