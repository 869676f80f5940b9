package budget

import (
	"context"
	"time"
)

// SetClock gives the budget another clock in place of the server's.
func (b *Budget) SetClock(now func() time.Time) { b.now = now }

// SetLocal gives the budget a machine with another clock.
func (b *Budget) SetLocal(ctx context.Context, local func() time.Time) error {
	b.clock.local = local
	return b.clock.measure(ctx)
}

// StepLocal moves the machine's clock without measuring anything.
func (b *Budget) StepLocal(local func() time.Time) { b.clock.local = local }

// Changes is how often the bucket was written.
func (b *Budget) Changes(ctx context.Context, token string) (uint64, error) {
	_, revision, err := b.get(ctx, token)
	return revision, err
}

// PutArrival writes an arrival time as a version without penalties does.
func (b *Budget) PutArrival(ctx context.Context, token string, at time.Time) error {
	s := use{arrival: at, last: at, minute: at.Unix() / 60, counted: 1}
	_, err := b.kv.Put(ctx, token, s.bytes())
	return err
}
