package webhook_test

import (
	"testing"
	"time"
)

// TestReadWithinADay: a sheet whose version does not move is read all the same
// before a day is over, since recalculated formulas move none. That has to be at
// the last reconcile within the day. Until then its version alone is asked for.
func TestReadWithinADay(t *testing.T) {
	t.Parallel()
	const every = time.Hour
	w := newWorld(t, options{every: every}, everything())
	w.reconcile(w.reg) // it lists the webhooks, and remembers them for a while
	for _, c := range []struct {
		ago  time.Duration
		want string
	}{
		{24*time.Hour - 3*every, "GET sheets/{sheet}/version"},
		{24*time.Hour - every + time.Minute, "GET sheets/{sheet}"},
	} {
		w.readAgo(c.ago)
		if got := w.requests(func() { w.reconcile(w.reg) }); len(got) != 1 || got[0] != c.want {
			t.Errorf("last read %s ago: got requests %v, want %s alone", c.ago, got, c.want)
		}
	}
	share := w.registry.Share("acme", "orders")
	state, err := w.reader("acme").State(t.Context(), &share.Share, nil)
	must(t, err)
	if ago := time.Since(*state.Status.ReadAt); ago > time.Minute {
		t.Errorf("got a status that says that the sheet was read %s ago, want now", ago)
	}
}

// readAgo has acme's status say that the sheet was read so long ago.
func (w *world) readAgo(ago time.Duration) {
	w.t.Helper()
	share, s := w.registry.Share("acme", "orders"), w.reader("acme")
	state, err := s.State(w.t.Context(), &share.Share, nil)
	must(w.t, err)
	status, at := *state.Status, time.Now().Add(-ago)
	status.ReadAt = &at
	must(w.t, s.NewWriter(&share.Share, state.Lock).Acquire(w.t.Context(), time.Now(), status))
}
