package relay_test

import (
	"testing"
	"time"

	"github.com/sheetbridge/sheetbridge/webhook/webhooktest"
)

// TestReadWithinADay: a sheet whose version does not move is read all the same
// before a day is over, since recalculated formulas move none. That has to be at
// the last reconcile within the day. Until then its version alone is asked for.
func TestReadWithinADay(t *testing.T) {
	t.Parallel()
	const every = time.Hour
	w := webhooktest.NewWorld(t, webhooktest.Options{ReconcileEvery: every}, webhooktest.Everything())
	w.Reconcile(w.Reg) // it lists the webhooks, and remembers them for a while
	for _, c := range []struct {
		ago  time.Duration
		want string
	}{
		{24*time.Hour - 3*every, "GET sheets/{sheet}/version"},
		{24*time.Hour - every + time.Minute, "GET sheets/{sheet}"},
	} {
		readAgo(w, c.ago)
		if got := w.Requests(func() { w.Reconcile(w.Reg) }); len(got) != 1 || got[0] != c.want {
			t.Errorf("last read %s ago: got requests %v, want %s alone", c.ago, got, c.want)
		}
	}
	share := w.Registry.Share("acme", "orders")
	state, err := w.Reader("acme").State(t.Context(), &share.Share, nil)
	webhooktest.Must(t, err)
	if ago := time.Since(*state.Status.ReadAt); ago > time.Minute {
		t.Errorf("got a status that says that the sheet was read %s ago, want now", ago)
	}
}

// readAgo has acme's status say that the sheet was read so long ago.
func readAgo(w *webhooktest.World, ago time.Duration) {
	w.T.Helper()
	share, s := w.Registry.Share("acme", "orders"), w.Reader("acme")
	state, err := s.State(w.T.Context(), &share.Share, nil)
	webhooktest.Must(w.T, err)
	status, at := *state.Status, time.Now().Add(-ago)
	status.ReadAt = &at
	webhooktest.Must(w.T, s.NewWriter(&share.Share, state.Lock).Acquire(w.T.Context(), time.Now(), status))
}
