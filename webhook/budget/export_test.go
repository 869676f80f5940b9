package budget

import "time"

// SetClock gives the budget another clock.
func (b *Budget) SetClock(now func() time.Time) { b.now = now }
