package relay_test

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
	"github.com/sheetbridge/sheetbridge/webhook/webhooktest"
)

func TestReconcileFindsWhatCallbacksMissed(t *testing.T) {
	t.Parallel()
	w := webhooktest.NewWorld(t, webhooktest.Options{}, withChildren())
	jane := w.Sim.As(w.Jane)
	file, err := jane.AttachLink(w.Sheet.ID, w.Sheet.Rows[0], "old.pdf", "https://a.example/")
	webhooktest.Must(t, err)
	ids, err := jane.AddRows(w.Sheet.ID, smartsheettest.Row{Cells: webhooktest.Cells{"No": "SO-3", "Status": "Open"}})
	webhooktest.Must(t, err)
	w.Settle()
	w.NewEvents()
	w.Drop(func() {
		w.Edit(0, webhooktest.Cells{"Qty": 4})
		w.Edit(1, webhooktest.Cells{"Status": "Open"})
		webhooktest.Must(t, jane.DeleteRows(w.Sheet.ID, ids[0]))
		webhooktest.Must(t, jane.DeleteAttachment(w.Sheet.ID, file))
		_, _, err := jane.Discuss(w.Sheet.ID, w.Sheet.Rows[1], "hello")
		webhooktest.Must(t, err)
	})
	w.Reconcile(w.Reg)
	got := strings.Join(w.NewEvents(), "; ")
	for _, want := range []string{"row.updated SO-1", "row.created SO-2", "row.deleted SO-3 deleted", "attachment.deleted old.pdf deleted", "comment.created hello"} {
		if !strings.Contains(got, want) {
			t.Errorf("got %s, want %s in it", got, want)
		}
	}
}

// TestUnmoved counts what a look costs when nothing happened.
func TestUnmoved(t *testing.T) {
	t.Parallel()
	w := webhooktest.NewWorld(t, webhooktest.Options{}, webhooktest.Everything())
	w.Reconcile(w.Reg) // it lists the webhooks, and remembers them for a while
	before := webhooktest.StatusOf(w.Stream("acme"), "orders")
	got := w.Requests(func() { w.Reconcile(w.Reg) })
	if len(got) != 1 || got[0] != "GET sheets/{sheet}/version" {
		t.Errorf("got requests %v of a sheet that stood still, want its version alone", got)
	}
	after := webhooktest.StatusOf(w.Stream("acme"), "orders")
	if after.State != events.StateLive || !after.CompleteTo.Time.After(before.CompleteTo.Time) || after.CompleteTo.Version != before.CompleteTo.Version {
		t.Errorf("got status %s complete to %v after %v, want it renewed", after.State, after.CompleteTo, before.CompleteTo)
	}
	w.SeenTo["acme"] = 0
	w.WantChanges("unmoved", `row.created snapshot null->{"no":"SO-1","status":"Open","qty":3}`, `row.created snapshot null->{"no":"SO-2","status":"Draft","qty":5}`)
}

func TestSilentRecalculation(t *testing.T) {
	t.Parallel()
	w := webhooktest.NewWorld(t, webhooktest.Options{}, webhooktest.Everything())
	webhooktest.Must(t, w.Sim.SetCellSilently(w.Sheet.ID, w.Sheet.Rows[0], "Qty", 30))
	w.Sim.SetCallbackFault(nil)
	webhooktest.Must(t, w.Registrar.Reconcile(t.Context(), w.Reg.ID))
	w.Settle()
	w.WantChanges("read though its version stood still", `row.updated reconcile {"no":"SO-1","status":"Open","qty":3}->{"no":"SO-1","status":"Open","qty":30}`)
}

// TestReplayedCallbacks sends each callback again, and holds some back.
func TestReplayedCallbacks(t *testing.T) {
	t.Parallel()
	w := webhooktest.NewWorld(t, webhooktest.Options{}, webhooktest.Everything())
	n := 0
	w.Sim.SetCallbackFault(func(smartsheettest.Callback) smartsheettest.CallbackFault {
		n++
		return []smartsheettest.CallbackFault{smartsheettest.Duplicate, smartsheettest.Hold, smartsheettest.LoseAnswer}[n%3]
	})
	for i := range 6 {
		w.Edit(i%2, webhooktest.Cells{"Qty": 100 + i})
		webhooktest.Must(t, w.Sim.Wait(t.Context()))
	}
	w.Sim.SetCallbackFault(nil)
	w.Sim.ReleaseHeld()
	w.Settle()
	w.Check("acme")
	w.SeenTo["acme"] = webhooktest.Last(w.Stream("acme"))
	for _, cb := range w.Sim.Callbacks() {
		if cb.Kind == "events" {
			if status := w.Sim.Replay(cb); status != 200 {
				t.Errorf("got %d for a callback that was replayed, want 200", status)
			}
		}
	}
	w.Settle()
	w.WantChanges("replayed")
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
			w := webhooktest.NewWorld(t, webhooktest.Options{}, webhooktest.Everything())
			w.Sim.SetFault(func(*http.Request) *smartsheettest.Fault { return tt.fault })
			w.Edit(0, webhooktest.Cells{"Qty": 4})
			w.Settle()
			if n := len(webhooktest.Objects(w.Stream("acme"), w.SeenTo["acme"])); n != 0 {
				t.Errorf("got %d events of a sheet that cannot be read, want none", n)
			}
			if s := webhooktest.StatusOf(w.Stream("acme"), "orders"); s.State != tt.state || s.CompleteTo == nil {
				t.Errorf("got status %s complete to %v, want %s and how far it came", s.State, s.CompleteTo, tt.state)
			}
			w.Sim.SetFault(nil)
			w.ReplaceToken("ops", w.Token)
			w.Reconcile(w.Reg)
			w.WantChanges("it can be read again", `row.updated reconcile {"no":"SO-1","status":"Open","qty":3}->{"no":"SO-1","status":"Open","qty":4}`)
			if s := webhooktest.StatusOf(w.Stream("acme"), "orders"); s.State != events.StateLive {
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
			w := webhooktest.NewWorld(t, webhooktest.Options{}, webhooktest.Everything())
			left := 1
			w.TakePasses()
			w.Sim.SetFault(func(*http.Request) *smartsheettest.Fault {
				if left--; left >= 0 {
					return &fault
				}
				return nil
			})
			w.Edit(0, webhooktest.Cells{"Qty": 4})
			webhooktest.Must(t, w.Sim.Wait(t.Context()))
			w.AwaitPass(func(result string) bool { return result == "done" })
			w.Settle()
			w.WantChanges("tried again", `row.updated callback {"no":"SO-1","status":"Open","qty":3}->{"no":"SO-1","status":"Open","qty":4}`)
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
				requests = append(requests, events.Request{Partner: fmt.Sprint("p", i%3), Sheet: fmt.Sprint("s", i), Columns: webhooktest.Columns("No", "Qty")})
			}
			w := webhooktest.NewWorld(t, webhooktest.Options{}, requests...)
			jane := w.Sim.As(w.Jane)
			var ids []int64
			batch := make([]smartsheettest.Row, rows)
			for i := range batch {
				batch[i].Cells = webhooktest.Cells{"No": fmt.Sprint("B-", i), "Qty": 1}
			}
			for half := range slices.Chunk(batch, 500) {
				added, err := jane.AddRows(w.Sheet.ID, half...)
				webhooktest.Must(t, err)
				ids = append(ids, added...)
			}
			w.Settle()
			got := w.Requests(func() {
				w.StopRelay()
				for i := range batch {
					batch[i] = smartsheettest.Row{ID: ids[i], Cells: webhooktest.Cells{"Qty": 2}}
				}
				for half := range slices.Chunk(batch, 500) {
					webhooktest.Must(t, jane.UpdateRows(w.Sheet.ID, half...))
				}
				webhooktest.Must(t, w.Sim.Wait(t.Context()))
				w.StartRelay()
				w.Settle()
			})
			if len(got) > max(rows/200, 1) {
				t.Errorf("got %d requests for %d changed rows, want one for 200", len(got), rows)
			}
			w.Check(requests[0].Partner)
		})
	}
}

// TestHintsOfRows asks in pieces of what one URL can name.
func TestHintsOfRows(t *testing.T) {
	t.Parallel()
	w := webhooktest.NewWorld(t, webhooktest.Options{}, webhooktest.Everything())
	jane := w.Sim.As(w.Jane)
	batch := make([]smartsheettest.Row, 450)
	for i := range batch {
		batch[i].Cells = webhooktest.Cells{"No": fmt.Sprint("B-", i)}
	}
	w.StopRelay()
	_, err := jane.AddRows(w.Sheet.ID, batch...)
	webhooktest.Must(t, err)
	webhooktest.Must(t, w.Sim.Wait(t.Context()))
	got := w.Requests(func() {
		w.StartRelay()
		w.Settle()
	})
	if n := webhooktest.Count(got, "GET sheets/{sheet}"); n != 3 || len(got) != 3 {
		t.Errorf("got requests %v, want three reads for 450 rows", got)
	}
	w.Check("acme")
	webhooktest.Must(t, w.Inbox.Put(t.Context(), &inbox.Hint{Registration: w.Reg.ID, Why: inbox.WhyCallback, Rows: map[int64]inbox.Row{4711: {}, w.Sheet.Rows[0]: {}}}))
	w.Settle()
	w.Check("acme")
}
