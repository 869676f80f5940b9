package webhook_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/smartsheet/smartsheettest"
	"github.com/sheetbridge/sheetbridge/webhook/inbox"
)

// drop lets callbacks be lost while f runs.
func (w *world) drop(f func()) {
	w.t.Helper()
	w.sim.SetCallbackFault(func(smartsheettest.Callback) smartsheettest.CallbackFault { return smartsheettest.Drop })
	f()
	must(w.t, w.sim.Wait(w.t.Context()))
	w.sim.SetCallbackFault(nil)
}

func TestReconcileFindsWhatCallbacksMissed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{}, withChildren())
	jane := w.sim.As(w.jane)
	file, err := jane.AttachLink(w.sheet.ID, w.sheet.Rows[0], "old.pdf", "https://a.example/")
	must(t, err)
	ids, err := jane.AddRows(w.sheet.ID, smartsheettest.Row{Cells: cells{"No": "SO-3", "Status": "Open"}})
	must(t, err)
	w.settle()
	w.told()
	w.drop(func() {
		w.edit(0, cells{"Qty": 4})
		w.edit(1, cells{"Status": "Open"})
		must(t, jane.DeleteRows(w.sheet.ID, ids[0]))
		must(t, jane.DeleteAttachment(w.sheet.ID, file))
		_, _, err := jane.Discuss(w.sheet.ID, w.sheet.Rows[1], "hello")
		must(t, err)
	})
	w.reconcile(w.reg)
	got := strings.Join(w.told(), "; ")
	for _, want := range []string{"row.updated SO-1", "row.created SO-2", "row.deleted SO-3 deleted", "attachment.deleted old.pdf deleted", "comment.created hello"} {
		if !strings.Contains(got, want) {
			t.Errorf("got %s, want %s in it", got, want)
		}
	}
}

// TestUnmoved counts what a look costs when nothing happened.
func TestUnmoved(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{}, everything())
	w.reconcile(w.reg) // it lists the webhooks, and remembers them for a while
	before := statusOf(w.stream("acme"), "orders")
	got := w.requests(func() { w.reconcile(w.reg) })
	if len(got) != 1 || got[0] != "GET sheets/{sheet}/version" {
		t.Errorf("got requests %v of a sheet that stood still, want its version alone", got)
	}
	after := statusOf(w.stream("acme"), "orders")
	if after.State != events.StateLive || !after.CompleteTo.Time.After(before.CompleteTo.Time) || after.CompleteTo.Version != before.CompleteTo.Version {
		t.Errorf("got status %s complete to %v after %v, want it renewed", after.State, after.CompleteTo, before.CompleteTo)
	}
	w.at["acme"] = 0
	w.got("unmoved", `row.created snapshot null->{"no":"SO-1","status":"Open","qty":3}`, `row.created snapshot null->{"no":"SO-2","status":"Draft","qty":5}`)
}

func TestSilentRecalculation(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{}, everything())
	must(t, w.sim.SetCellSilently(w.sheet.ID, w.sheet.Rows[0], "Qty", 30))
	w.sim.SetCallbackFault(nil)
	must(t, w.registrar.Reconcile(t.Context(), w.reg.ID))
	w.settle()
	w.got("read though its version stood still", `row.updated reconcile {"no":"SO-1","status":"Open","qty":3}->{"no":"SO-1","status":"Open","qty":30}`)
}

// TestReplayedCallbacks sends each callback again, and holds some back.
func TestReplayedCallbacks(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{}, everything())
	n := 0
	w.sim.SetCallbackFault(func(smartsheettest.Callback) smartsheettest.CallbackFault {
		n++
		return []smartsheettest.CallbackFault{smartsheettest.Duplicate, smartsheettest.Hold, smartsheettest.LoseAnswer}[n%3]
	})
	for i := range 6 {
		w.edit(i%2, cells{"Qty": 100 + i})
		must(t, w.sim.Wait(t.Context()))
	}
	w.sim.SetCallbackFault(nil)
	w.sim.ReleaseHeld()
	w.settle()
	w.check("acme")
	w.at["acme"] = last(w.stream("acme"))
	for _, cb := range w.sim.Callbacks() {
		if cb.Kind == "events" {
			if status := w.sim.Replay(cb); status != 200 {
				t.Errorf("got %d for a callback that was replayed, want 200", status)
			}
		}
	}
	w.settle()
	w.got("replayed")
}

func TestOwnerTrouble(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		fault *smartsheettest.Fault
		state events.State
	}{
		"forbidden":     {&smartsheettest.Fault{Status: 403, ErrorCode: 1004}, events.StateStale},
		"not found":     {&smartsheettest.Fault{Status: 404, ErrorCode: 1006}, events.StateStale},
		"token refused": {&smartsheettest.Fault{Status: 401, ErrorCode: 1002}, events.StateSuspended},
		"invalid":       {&smartsheettest.Fault{Status: 400, ErrorCode: 1008}, events.StateStale},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, options{}, everything())
			w.sim.SetFault(func(*http.Request) *smartsheettest.Fault { return tt.fault })
			w.edit(0, cells{"Qty": 4})
			w.settle()
			if n := len(objects(w.stream("acme"), w.at["acme"])); n != 0 {
				t.Errorf("got %d events of a sheet that cannot be read, want none", n)
			}
			if s := statusOf(w.stream("acme"), "orders"); s.State != tt.state || s.CompleteTo == nil {
				t.Errorf("got status %s complete to %v, want %s and how far it came", s.State, s.CompleteTo, tt.state)
			}
			w.sim.SetFault(nil)
			w.replaceToken("ops", w.token)
			w.reconcile(w.reg)
			w.got("it can be read again", `row.updated reconcile {"no":"SO-1","status":"Open","qty":3}->{"no":"SO-1","status":"Open","qty":4}`)
			if s := statusOf(w.stream("acme"), "orders"); s.State != events.StateLive {
				t.Errorf("got status %s, want live", s.State)
			}
		})
	}
}

func TestThrottledAndBroken(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]smartsheettest.Fault{
		"throttled":    {Status: 429, ErrorCode: 4003, RetryAfter: time.Second},
		"maintenance":  {Status: 503, ErrorCode: 4001},
		"a page":       {Status: 502, HTML: true},
		"404 of a box": {Status: 404, HTML: true},
		"half a body":  {HalfBody: true},
		"hung up":      {HangUp: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, options{}, everything())
			left := 1
			w.takePasses()
			w.sim.SetFault(func(*http.Request) *smartsheettest.Fault {
				if left--; left >= 0 {
					return &fault
				}
				return nil
			})
			w.edit(0, cells{"Qty": 4})
			must(t, w.sim.Wait(t.Context()))
			w.passed(func(result string) bool { return result == "done" })
			w.settle()
			w.got("tried again", `row.updated callback {"no":"SO-1","status":"Open","qty":3}->{"no":"SO-1","status":"Open","qty":4}`)
		})
	}
}

// TestBurst counts what a thousand changed rows cost.
func TestBurst(t *testing.T) {
	t.Parallel()
	for shares, rows := range map[int]int{1: 1000, 10: 100} {
		t.Run(fmt.Sprint(rows, " rows in ", shares, " shares"), func(t *testing.T) {
			t.Parallel()
			var requests []events.Request
			for i := range shares {
				requests = append(requests, events.Request{Partner: fmt.Sprint("p", i%3), Sheet: fmt.Sprint("s", i), Columns: columns("No", "Qty")})
			}
			w := newWorld(t, options{}, requests...)
			jane := w.sim.As(w.jane)
			var ids []int64
			batch := make([]smartsheettest.Row, rows)
			for i := range batch {
				batch[i].Cells = cells{"No": fmt.Sprint("B-", i), "Qty": 1}
			}
			for half := range slices.Chunk(batch, 500) {
				added, err := jane.AddRows(w.sheet.ID, half...)
				must(t, err)
				ids = append(ids, added...)
			}
			w.settle()
			got := w.requests(func() {
				w.endRelay()
				for i := range batch {
					batch[i] = smartsheettest.Row{ID: ids[i], Cells: cells{"Qty": 2}}
				}
				for half := range slices.Chunk(batch, 500) {
					must(t, jane.UpdateRows(w.sheet.ID, half...))
				}
				must(t, w.sim.Wait(t.Context()))
				w.startRelay()
				w.settle()
			})
			if len(got) > max(rows/200, 1) {
				t.Errorf("got %d requests for %d changed rows, want one for 200", len(got), rows)
			}
			w.check(requests[0].Partner)
		})
	}
}

// TestHintsOfRows asks in pieces of what one URL can name.
func TestHintsOfRows(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{}, everything())
	jane := w.sim.As(w.jane)
	batch := make([]smartsheettest.Row, 450)
	for i := range batch {
		batch[i].Cells = cells{"No": fmt.Sprint("B-", i)}
	}
	w.endRelay()
	_, err := jane.AddRows(w.sheet.ID, batch...)
	must(t, err)
	must(t, w.sim.Wait(t.Context()))
	got := w.requests(func() {
		w.startRelay()
		w.settle()
	})
	if n := count(got, "GET sheets/{sheet}"); n != 3 || len(got) != 3 {
		t.Errorf("got requests %v, want three reads for 450 rows", got)
	}
	w.check("acme")
	must(t, w.inbox.Put(t.Context(), &inbox.Hint{Registration: w.reg.ID, Why: inbox.WhyCallback, Rows: map[int64]inbox.Row{4711: {}, w.sheet.Rows[0]: {}}}))
	w.settle()
	w.check("acme")
}
