package budget_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/sheetbridge/sheetbridge/events/broker"
	"github.com/sheetbridge/sheetbridge/events/eventstest"
	"github.com/sheetbridge/sheetbridge/events/seal"
	"github.com/sheetbridge/sheetbridge/webhook/budget"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// start runs a server on a directory.
func start(t testing.TB, dir string, master seal.MasterKey) (b *broker.Broker, stop func()) {
	t.Helper()
	b, err := broker.Start(t.Context(), broker.Options{Dir: dir, Master: master, Listen: "127.0.0.1:0"})
	must(t, err)
	stop = sync.OnceFunc(func() { must(t, b.Close(context.WithoutCancel(t.Context()))) })
	t.Cleanup(stop)
	return b, stop
}

// clock is a clock that moves by hand.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// within counts the moments that lie in the 60 seconds up to and with the last.
func within(taken []time.Time) int {
	n := 0
	for _, at := range taken {
		if taken[len(taken)-1].Sub(at) < time.Minute {
			n++
		}
	}
	return n
}

func TestNeverMoreThanTheRate(t *testing.T) {
	t.Parallel()
	b, _ := start(t, t.TempDir(), seal.NewMasterKey())
	runs := 0
	eventstest.Property(t, 25, func(rt *rapid.T) {
		rate := rapid.SampledFrom([]int{1, 2, 3, 5, 30, 240, 300}).Draw(rt, "rate")
		bud, err := budget.Open(t.Context(), b.Bridge(), rate, 1)
		must(t, err)
		c := newClock()
		bud.SetClock(c.Now)
		runs++
		token := fmt.Sprint("t", runs)
		var taken []time.Time
		for range rapid.IntRange(1, 80).Draw(rt, "requests") {
			wait, err := bud.Take(t.Context(), token, budget.Class(rapid.IntRange(0, 2).Draw(rt, "class")))
			must(t, err)
			if wait == 0 {
				taken = append(taken, c.Now())
				if n := within(taken); n > rate {
					rt.Fatalf("%d requests in a minute, want at most %d", n, rate)
				}
				continue
			}
			if rapid.Bool().Draw(rt, "patient") {
				c.Add(wait)
			} else {
				c.Add(time.Duration(rapid.Int64Range(0, int64(2*wait)).Draw(rt, "pause")))
			}
		}
	})
}

// burst takes as many as come at once.
func burst(t *testing.T, b *budget.Budget, token string, class budget.Class) int {
	t.Helper()
	for n := 0; ; n++ {
		wait, err := b.Take(t.Context(), token, class)
		must(t, err)
		if wait > 0 {
			return n
		}
	}
}

// newBudget returns a budget of 240 requests a minute, and its clock.
func newBudget(t *testing.T) (*budget.Budget, *clock) {
	t.Helper()
	b, _ := start(t, t.TempDir(), seal.NewMasterKey())
	bud, err := budget.Open(t.Context(), b.Bridge(), 240, 1)
	must(t, err)
	c := newClock()
	bud.SetClock(c.Now)
	return bud, c
}

func TestClassesLeaveRoom(t *testing.T) {
	t.Parallel()
	bud, _ := newBudget(t)
	load, reconcile, callback := burst(t, bud, "t1", budget.Load), burst(t, bud, "t1", budget.Reconcile), burst(t, bud, "t1", budget.Callback)
	if load != 30 || reconcile != 15 || callback != 15 {
		t.Errorf("got %d loads, then %d reconciles, then %d callbacks at once, want 30, 15 and 15 of 60", load, reconcile, callback)
	}
	if used, of, err := bud.Used(t.Context(), "t1"); err != nil || used != 60 || of != 60 {
		t.Errorf("got %d of %d used and error %v, want 60 of 60", used, of, err)
	}
	if n := burst(t, bud, "t2", budget.Callback); n != 60 {
		t.Errorf("got %d requests of another token, want all 60", n)
	}
}

func TestPenaltyStopsAll(t *testing.T) {
	t.Parallel()
	bud, c := newBudget(t)
	must(t, bud.Penalize(t.Context(), "t1", time.Minute))
	must(t, bud.Penalize(t.Context(), "t1", time.Second)) // a shorter one shortens nothing
	for _, d := range []time.Duration{0, 30 * time.Second, 29 * time.Second} {
		c.Add(d)
		for class := budget.Callback; class <= budget.Load; class++ {
			if wait, err := bud.Take(t.Context(), "t1", class); err != nil || wait <= 0 {
				t.Errorf("class %d: got wait %v and error %v during the penalty, want a wait", class, wait, err)
			}
		}
	}
	wait, err := bud.Take(t.Context(), "t1", budget.Callback)
	must(t, err)
	c.Add(wait)
	if wait, err := bud.Take(t.Context(), "t1", budget.Callback); err != nil || wait != 0 {
		t.Errorf("got wait %v and error %v after the penalty, want none", wait, err)
	}
}

// TestManyWorkers has workers over two connections take as fast as they can.
func TestManyWorkers(t *testing.T) {
	t.Parallel()
	b, _ := start(t, t.TempDir(), seal.NewMasterKey())
	c := newClock()
	var mu sync.Mutex
	var workers sync.WaitGroup
	taken := 0
	for range 2 {
		bud, err := budget.Open(t.Context(), b.Bridge(), 80, 1)
		must(t, err)
		bud.SetClock(c.Now)
		for range 4 {
			workers.Go(func() {
				for {
					wait, err := bud.Take(t.Context(), "t1", budget.Callback)
					if err != nil {
						t.Error(err)
					}
					if wait > 0 || err != nil {
						return
					}
					mu.Lock()
					taken++
					mu.Unlock()
				}
			})
		}
	}
	workers.Wait()
	if taken != 20 {
		t.Errorf("got %d requests at once by all together, want the 20 of the burst", taken)
	}
}

// TestOutlivesARestart looks for what Smartsheet has counted meanwhile.
func TestOutlivesARestart(t *testing.T) {
	t.Parallel()
	dir, master, c := t.TempDir(), seal.NewMasterKey(), newClock()
	taken := 0
	for range 3 {
		b, stop := start(t, dir, master)
		bud, err := budget.Open(t.Context(), b.Bridge(), 40, 1)
		must(t, err)
		bud.SetClock(c.Now)
		taken += burst(t, bud, "t1", budget.Callback)
		stop()
	}
	if taken != 10 {
		t.Errorf("got %d requests at once over two restarts, want the 10 of one burst", taken)
	}
}
