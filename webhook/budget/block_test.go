package budget_test

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/sheetbridge/sheetbridge/events/eventstest"
	"github.com/sheetbridge/sheetbridge/events/seal"
	"github.com/sheetbridge/sheetbridge/webhook/budget"
)

// busiest is the most moments that lie in any 60 seconds.
func busiest(taken []time.Time) int {
	most := 0
	for i := range taken {
		most = max(most, within(taken[:i+1]))
	}
	return most
}

// TestReplicasKeepTheRate has replicas, whose clocks are not quite the same, take
// in any order, in bursts and alone.
func TestReplicasKeepTheRate(t *testing.T) {
	t.Parallel()
	b, _ := start(t, t.TempDir(), seal.NewMasterKey())
	runs := 0
	eventstest.Property(t, 25, func(rt *rapid.T) {
		rate := rapid.SampledFrom([]int{2, 30, 64, 100, 240, 300}).Draw(rt, "rate")
		c := newClock()
		var replicas []*budget.Budget
		for range rapid.IntRange(1, 3).Draw(rt, "replicas") {
			r, err := budget.Open(t.Context(), b.Bridge(), rate, 1)
			must(t, err)
			off := time.Duration(rapid.IntRange(-20, 20).Draw(rt, "off")) * time.Millisecond
			r.SetClock(func() time.Time { return c.Now().Add(off) })
			replicas = append(replicas, r)
		}
		runs++
		token := fmt.Sprint("t", runs)
		var taken []time.Time
		for range rapid.IntRange(1, 40).Draw(rt, "steps") {
			r := rapid.SampledFrom(replicas).Draw(rt, "replica")
			class := budget.Class(rapid.IntRange(0, 2).Draw(rt, "class"))
			for range rapid.SampledFrom([]int{1, 2, 9, 100}).Draw(rt, "requests") {
				wait, err := r.Take(t.Context(), token, class)
				must(t, err)
				if wait > 0 {
					break
				}
				taken = append(taken, c.Now())
			}
			c.Add(time.Duration(rapid.SampledFrom([]int{0, 50, 400, 990, 1000, 3000, 20000}).Draw(rt, "pause")) * time.Millisecond)
		}
		if n := busiest(taken); n > rate {
			rt.Fatalf("%d requests in a minute, want at most %d", n, rate)
		}
	})
}

// A burst costs few changes of the value on disk, one who asks seldom loses
// nothing, and a block is not used after its second.
func TestBlocks(t *testing.T) {
	t.Parallel()
	bud, c := newBudget(t)
	if n := burst(t, bud, "busy", budget.Callback); n != 60 {
		t.Errorf("got %d requests at once, want the 60 of the burst", n)
	}
	if n, err := bud.Changes(t.Context(), "busy"); err != nil || n > 12 {
		t.Errorf("got %d changes and error %v for 60 requests, want at most 12", n, err)
	}
	used := func(token string) int {
		t.Helper()
		n, _, err := bud.Used(t.Context(), token)
		must(t, err)
		return n
	}
	take := func(token string, class budget.Class) {
		t.Helper()
		wait, err := bud.Take(t.Context(), token, class)
		must(t, err)
		if wait > 0 {
			t.Fatalf("got to wait %v", wait)
		}
	}
	for range 60 {
		take("seldom", budget.Callback)
		if n := used("seldom"); n != 1 {
			t.Fatalf("got %d requests taken by one a second, want 1", n)
		}
		c.Add(time.Second)
	}
	take("late", budget.Load)
	take("late", budget.Load)
	if n := used("late"); n != 3 { // a block of one and a block of two, of which one is left
		t.Fatalf("got %d requests taken, want 3", n)
	}
	take("late", budget.Callback)
	if n := used("late"); n != 3 {
		t.Errorf("got %d requests taken, want the third to be of the block", n)
	}
	take("stale", budget.Callback)
	take("stale", budget.Callback)
	c.Add(time.Second)
	was, err := bud.Changes(t.Context(), "stale")
	must(t, err)
	take("stale", budget.Callback)
	if now, err := bud.Changes(t.Context(), "stale"); err != nil || now == was {
		t.Errorf("got a request of a block that is a second old, error %v", err)
	}
}

// What was taken for a callback is not used by a load, for which half of the
// burst is kept free.
func TestBlocksAreOfAClass(t *testing.T) {
	t.Parallel()
	bud, _ := newBudget(t)
	for n := 0; n < 31; n++ { // 1, 2, 4, 7, 7, 7 and 3 of 7
		if wait, err := bud.Take(t.Context(), "t1", budget.Callback); err != nil || wait > 0 {
			t.Fatalf("request %d: got to wait %v and error %v", n, wait, err)
		}
	}
	if wait, err := bud.Take(t.Context(), "t1", budget.Load); err != nil || wait == 0 {
		t.Errorf("got wait %v and error %v for a load over half of the burst, want a wait", wait, err)
	}
}

// A penalty takes from this process what it has not used yet.
func TestPenaltyDropsTheBlock(t *testing.T) {
	t.Parallel()
	bud, c := newBudget(t)
	for range 2 {
		_, err := bud.Take(t.Context(), "t1", budget.Callback)
		must(t, err)
	}
	must(t, bud.Penalize(t.Context(), "t1", time.Hour)) // not believed
	wait, err := bud.Take(t.Context(), "t1", budget.Callback)
	if err != nil || wait != 10*time.Minute {
		t.Errorf("got wait %v and error %v, want ten minutes", wait, err)
	}
	c.Add(wait)
	if n := burst(t, bud, "t1", budget.Callback); n != 1 {
		t.Errorf("got %d requests at once at the end of the penalty, want 1: the burst is not saved up in it", n)
	}
}

// TestClocksAHourOff: whatever the clocks of the machines show, nobody waits for
// what was not used, and what was used counts.
func TestClocksAHourOff(t *testing.T) {
	t.Parallel()
	b, _ := start(t, t.TempDir(), seal.NewMasterKey())
	open := func(off time.Duration) *budget.Budget {
		bud, err := budget.Open(t.Context(), b.Bridge(), 4, 1)
		must(t, err)
		must(t, bud.SetLocal(t.Context(), func() time.Time { return time.Now().Add(off) }))
		if got := bud.Offset() + off; got.Abs() > time.Minute {
			t.Errorf("a clock %v off: got the offset %v", off, bud.Offset())
		}
		return bud
	}
	// 4 a minute: one at once, and one every 21 seconds.
	ahead, right, behind := open(time.Hour), open(0), open(-time.Hour)
	take := func(bud *budget.Budget, token string) time.Duration {
		t.Helper()
		wait, err := bud.Take(t.Context(), token, budget.Callback)
		must(t, err)
		return wait
	}
	for name, pair := range map[string][2]*budget.Budget{"ahead": {ahead, right}, "behind": {behind, right}, "both": {ahead, behind}} {
		if wait := take(pair[0], name); wait != 0 {
			t.Errorf("%s: got to wait %v for the first request", name, wait)
		}
		if wait := take(pair[1], name); wait <= 0 || wait > time.Minute {
			t.Errorf("%s: got to wait %v for the second request, want some seconds", name, wait)
		}
		must(t, pair[0].Penalize(t.Context(), name, 5*time.Minute))
		if wait := take(pair[1], name); wait < 4*time.Minute || wait > 5*time.Minute+2*time.Second {
			t.Errorf("%s: got to wait %v in a penalty of five minutes", name, wait)
		}
	}
	// An earlier version, whose clock is ahead, wrote what nobody else would.
	must(t, right.PutArrival(t.Context(), "old", time.Now().Add(time.Hour)))
	if wait := take(right, "old"); wait <= 0 || wait > time.Minute {
		t.Errorf("got to wait %v for a value an hour ahead, want no longer than for a full burst", wait)
	}
	// A step of the machine's clock is found out within a minute of it.
	right.StepLocal(func() time.Time { return time.Now().Add(time.Hour) })
	if wait := take(right, "step"); wait != 0 {
		t.Errorf("got to wait %v after a step of the clock", wait)
	}
	if got := right.Offset() + time.Hour; got.Abs() > time.Minute {
		t.Errorf("got the offset %v after a step of an hour", right.Offset())
	}
	if wait := take(behind, "step"); wait <= 0 || wait > time.Minute {
		t.Errorf("got to wait %v for what a machine took after its clock's step, want some seconds", wait)
	}
}

// BenchmarkTake takes as fast as it can, beside a change of the value for each
// request.
func BenchmarkTake(b *testing.B) {
	server, _ := start(b, b.TempDir(), seal.NewMasterKey())
	var single time.Duration
	for _, rate := range []int{60, 240_000} { // the burst of 60 is too small for blocks
		name := map[int]string{60: "one-by-one", 240_000: "blocks"}[rate]
		b.Run(name, func(b *testing.B) {
			bud, err := budget.Open(b.Context(), server.Bridge(), rate, 1)
			must(b, err)
			c := newClock()
			bud.SetClock(c.Now)
			for n := 0; b.Loop(); n++ {
				wait, err := bud.Take(b.Context(), name, budget.Callback)
				must(b, err)
				if wait > 0 {
					c.Add(wait)
				} else if n%8 == 7 {
					c.Add(100 * time.Millisecond)
				}
			}
			took := b.Elapsed() / time.Duration(b.N)
			if name == "one-by-one" {
				single = took
			}
			b.ReportMetric(float64(single)/float64(took), "x-one-by-one")
		})
	}
}
