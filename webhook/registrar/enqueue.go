package registrar

import (
	"context"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/sheetbridge/sheetbridge/webhook/inbox"
)

const (
	// storeTries is how often the bridge tries to store a hint that must not be lost though
	// its caller is gone, storeTimeout how long that may take.
	storeTries   = 3
	storePause   = 500 * time.Millisecond
	storeTimeout = 15 * time.Second
)

// scheduleReconciles has the relay look at the registration now, as the hint says, and from
// then on, also when the caller has hung up. Where NATS does not take
// that, checkClocks sees to it later.
func (g *Registrar) scheduleReconciles(ctx context.Context, id string, h inbox.Hint) error {
	return retryStore(ctx, func(ctx context.Context) error {
		if err := g.Inbox.ScheduleReconciles(ctx, id, g.ReconcileEvery); err != nil {
			return err
		}
		return g.hint(ctx, id, h)
	})
}

// enqueue gives a hint of what was stored, also when the caller has
// hung up.
func (g *Registrar) enqueue(ctx context.Context, id string, h inbox.Hint) error {
	return retryStore(ctx, func(ctx context.Context) error { return g.hint(ctx, id, h) })
}

func (g *Registrar) hint(ctx context.Context, id string, h inbox.Hint) error {
	h.Registration, h.ReceivedAt = id, time.Now()
	return g.Inbox.Put(ctx, &h)
}

// retryStore does what follows from something that is done, a few times if it must.
func retryStore(ctx context.Context, do func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
	defer cancel()
	_, err := backoff.Retry(ctx, func() (struct{}, error) { return struct{}{}, do(ctx) },
		backoff.WithBackOff(backoff.NewConstantBackOff(storePause)), backoff.WithMaxTries(storeTries))
	return err
}

// keyedMutex gives each name to one caller at a time.
type keyedMutex struct {
	mu   sync.Mutex
	held map[string]chan struct{} // closed when the name is free
}

// lock waits for the name until the context ends. It is given back with done.
func (t *keyedMutex) lock(ctx context.Context, name string) (done func(), err error) {
	for {
		t.mu.Lock()
		other, taken := t.held[name]
		if !taken {
			break
		}
		t.mu.Unlock()
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-other:
		}
	}
	defer t.mu.Unlock()
	if t.held == nil {
		t.held = map[string]chan struct{}{}
	}
	mine := make(chan struct{})
	t.held[name] = mine
	return func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		delete(t.held, name)
		close(mine)
	}, nil
}
