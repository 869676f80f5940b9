package relay

import (
	"testing"
	"time"

	"github.com/sheetbridge/sheetbridge/webhook/budget"
	"github.com/sheetbridge/sheetbridge/webhook/inbox"
)

// A busy sheet's callbacks may use the whole budget, so what has waited long
// must not have to wait for a part of it to be free.
func TestWhatWaitedLongIsUrgent(t *testing.T) {
	now := time.Now()
	for _, c := range []struct {
		why    inbox.Why
		waited time.Duration
		want   budget.Class
	}{
		{inbox.WhyCallback, 0, budget.Callback},
		{inbox.WhyReconcile, 0, budget.Reconcile},
		{inbox.WhyReconcile, 4 * time.Minute, budget.Reconcile},
		{inbox.WhyReconcile, 6 * time.Minute, budget.Callback},
	} {
		p := &plan{startedAt: now, hint: &inbox.Hint{Why: c.why, ReceivedAt: now.Add(-c.waited)}}
		if got := p.class(10 * time.Minute); got != c.want {
			t.Errorf("%s that waited %v: got class %v, want %v", c.why, c.waited, got, c.want)
		}
	}
}
