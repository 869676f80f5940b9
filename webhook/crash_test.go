package webhook_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/smartsheet/smartsheettest"
	"github.com/sheetbridge/sheetbridge/webhook/inbox"
)

// fuse is a context that ends after it was looked at so many times: every
// request to NATS or Smartsheet looks at it, so that work under it dies at each
// of its steps in turn.
type fuse struct {
	context.Context
	left   atomic.Int64
	cancel context.CancelFunc
	burnt  func() // called once when it burns through; nil: nothing
	once   sync.Once
}

func newFuse(ctx context.Context, looks int64) *fuse {
	f := &fuse{}
	f.Context, f.cancel = context.WithCancel(ctx)
	f.left.Store(looks)
	return f
}

func (f *fuse) burn() {
	if f.left.Add(-1) < 0 {
		f.once.Do(func() {
			if f.burnt != nil {
				f.burnt()
			}
			f.cancel()
		})
	}
}

func (f *fuse) Done() <-chan struct{} {
	f.burn()
	return f.Context.Done()
}

func (f *fuse) Err() error {
	f.burn()
	return f.Context.Err()
}

// stride is how much longer each fuse is than the one before. The first is of
// any length up to it, so that many runs of the tests die at every step.
const stride = 9

// crashing does the pass of a hint with fuses longer and longer until one does
// not burn through. Before each pass it calls before, after each that died
// after.
func (w *world) crashing(before, after func()) {
	w.t.Helper()
	hint := func() *inbox.Hint {
		return &inbox.Hint{Registration: w.reg.ID, Why: inbox.WhyShare, Whole: true}
	}
	crashes := 0
	for n := 1 + rand.Int64N(stride); n < 1000; n += stride {
		before()
		f := newFuse(w.t.Context(), n)
		err := w.handle(f, hint())
		died := f.left.Load() < 0
		f.cancel()
		if err == nil && !died {
			if crashes < 4 {
				w.t.Errorf("died %d times, want a pass of more steps", crashes)
			}
			return
		}
		crashes++
		// A pass that dies keeps its hint: it comes again.
		must(w.t, w.handle(w.t.Context(), hint()))
		after()
		if w.t.Failed() {
			w.t.Fatalf("after a crash at step %d", n)
		}
	}
	w.t.Fatal("the pass never came to its end")
}

func TestResetSurvivesCrashesAtEachStep(t *testing.T) {
	t.Parallel()
	wide := events.Request{Partner: "acme", Columns: columns("No", "Margin"), Kinds: []string{"row", "attachment", "comment"}}
	narrow := events.Request{Partner: "acme", Columns: columns("No"), Where: "no != 'SO-2'", Kinds: []string{"row", "comment"}}
	w := newWorld(t, options{idle: true}, wide)
	jane := w.sim.As(w.jane)
	_, err := jane.AttachLink(w.sheet.ID, w.sheet.Rows[0], "canary.pdf", "https://a.example/")
	must(t, err)
	_, _, err = jane.Discuss(w.sheet.ID, w.sheet.Rows[0], "kept")
	must(t, err)
	w.settle()
	must(t, w.handle(t.Context(), &inbox.Hint{Registration: w.reg.ID, Why: inbox.WhyShare, Whole: true}))
	w.check("acme")

	w.crashing(func() {
		w.define(wide)
		must(t, w.handle(t.Context(), &inbox.Hint{Registration: w.reg.ID, Why: inbox.WhyShare, Whole: true}))
		w.define(narrow)
	}, func() {
		w.check("acme")
		w.hides("acme", "canary", "SO-2")
	})
}

func TestResendSurvivesCrashesAtEachStep(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{idle: true}, everything())
	w.crashing(func() {
		must(t, w.registrar.Resend(t.Context(), w.reg.ID, "acme", "orders"))
	}, func() {
		w.check("acme")
		if got := kinds(w.stream("acme"), 0)["row.created"]; got != 2 {
			t.Errorf("got %d rows created, want both and nothing else", got)
		}
	})
}

func TestEditsSurviveCrashesAtEachStep(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{idle: true}, withChildren())
	jane, n := w.sim.As(w.jane), 0
	var row, talk int64
	w.crashing(func() {
		n++
		w.edit(0, cells{"Qty": n, "Status": []string{"Open", "Draft"}[n%2]})
		thread, _, err := jane.Discuss(w.sheet.ID, w.sheet.Rows[0], fmt.Sprint("comment ", n))
		must(t, err)
		ids, err := jane.AddRows(w.sheet.ID, smartsheettest.Row{Cells: cells{"No": fmt.Sprint("new ", n), "Status": "Open"}})
		must(t, err)
		if n > 1 {
			must(t, jane.DeleteRows(w.sheet.ID, row))
			must(t, jane.DeleteDiscussion(w.sheet.ID, talk))
		}
		row, talk = ids[0], thread
	}, func() { w.check("acme") })
}
