package webhooktest

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"

	"github.com/sheetbridge/sheetbridge/webhook/inbox"
)

// fuse is a context that ends after so many checks: every request to NATS or
// Smartsheet checks it, so that work under it dies at each of its steps in turn.
type fuse struct {
	context.Context
	Left   atomic.Int64
	Cancel context.CancelFunc
	Burnt  func() // called once when it burns through; nil: nothing
	once   sync.Once
}

func NewFuse(ctx context.Context, checks int64) *fuse {
	f := &fuse{}
	f.Context, f.Cancel = context.WithCancel(ctx)
	f.Left.Store(checks)
	return f
}

func (f *fuse) burn() {
	if f.Left.Add(-1) < 0 {
		f.once.Do(func() {
			if f.Burnt != nil {
				f.Burnt()
			}
			f.Cancel()
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

// Crashing does the pass of a hint with fuses longer and longer until one does
// not burn through. Before each pass it calls before, after each that died
// after.
func (w *World) Crashing(before, after func()) {
	w.T.Helper()
	hint := func() *inbox.Hint {
		return &inbox.Hint{Registration: w.Reg.ID, Why: inbox.WhyShare, Whole: true}
	}
	crashes := 0
	for n := 1 + rand.Int64N(stride); n < 1000; n += stride {
		before()
		f := NewFuse(w.T.Context(), n)
		err := w.Handle(f, hint())
		died := f.Left.Load() < 0
		f.Cancel()
		if err == nil && !died {
			if crashes < 4 {
				w.T.Errorf("died %d times, want a pass of more steps", crashes)
			}
			return
		}
		crashes++
		// A pass that dies keeps its hint: it comes again.
		Must(w.T, w.Handle(w.T.Context(), hint()))
		after()
		if w.T.Failed() {
			w.T.Fatalf("after a crash at step %d", n)
		}
	}
	w.T.Fatal("the pass never came to its end")
}
