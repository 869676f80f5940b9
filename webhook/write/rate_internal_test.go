package write

import (
	"math/rand/v2"
	"testing"
	"time"
)

// TestRateOfAnyMinute counts writes that come at any time: no minute has more than the
// share takes, wherever it begins, and what was long ago is not counted against it.
func TestRateOfAnyMinute(t *testing.T) {
	const most = 20
	l, now := &lease{}, time.Unix(1_790_000_059, 900_000_000) // right before a minute of the clock ends
	var taken []time.Time
	for range 5000 {
		if l.count("acme/orders", now, most) {
			taken = append(taken, now)
		}
		now = now.Add(rand.N(400 * time.Millisecond))
	}
	for i := range taken[most:] {
		if d := taken[i+most].Sub(taken[i]); d < time.Minute {
			t.Fatalf("%d writes are taken within %v", most+1, d)
		}
	}
	if minutes := now.Sub(taken[0]).Minutes(); float64(len(taken)) < minutes*most*0.9 {
		t.Errorf("%d writes are taken in %.1f minutes, want nearly %d in each", len(taken), minutes, most)
	}
	if n := len(l.record.Rates["acme/orders"].Taken); n > windowSeconds {
		t.Errorf("%d seconds are kept, want %d at most", n, windowSeconds)
	}
}
