package registrar

import (
	"context"
	"sync"
	"time"

	"github.com/sheetbridge/sheetbridge/webhook/inbox"
)

const (
	// tellTries is how often a hint is tried to be stored that must not be lost
	// though its caller is gone, tellTime how long that may take.
	tellTries = 3
	tellPause = 500 * time.Millisecond
	tellTime  = 15 * time.Second
)

// follow has the relay look at the registration now, as the hint says, and from
// then on, also when whoever asked for it has hung up. Where NATS does not take
// that, checkClocks sees to it later.
func (g *Registrar) follow(ctx context.Context, id string, h inbox.Hint) error {
	return insist(ctx, func(ctx context.Context) error {
		if err := g.Inbox.Follow(ctx, id, g.Every); err != nil {
			return err
		}
		return g.hint(ctx, id, h)
	})
}

// tell gives a hint of what was stored, also when whoever asked for it has hung
// up.
func (g *Registrar) tell(ctx context.Context, id string, h inbox.Hint) error {
	return insist(ctx, func(ctx context.Context) error { return g.hint(ctx, id, h) })
}

func (g *Registrar) hint(ctx context.Context, id string, h inbox.Hint) error {
	h.Registration, h.ReceivedAt = id, time.Now()
	return g.Inbox.Put(ctx, &h)
}

// insist does what follows from something that is done, a few times if it must.
func insist(ctx context.Context, do func(context.Context) error) (err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), tellTime)
	defer cancel()
	for range tellTries {
		if err = do(ctx); err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(tellPause):
		}
	}
	return err
}

// turns gives each name to one caller at a time.
type turns struct {
	mu    sync.Mutex
	taken map[string]chan struct{} // closed when the name is free
}

// take waits for the name until the context ends. It is given back with done.
func (t *turns) take(ctx context.Context, name string) (done func(), err error) {
	for {
		t.mu.Lock()
		other, taken := t.taken[name]
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
	if t.taken == nil {
		t.taken = map[string]chan struct{}{}
	}
	mine := make(chan struct{})
	t.taken[name] = mine
	return func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		delete(t.taken, name)
		close(mine)
	}, nil
}
