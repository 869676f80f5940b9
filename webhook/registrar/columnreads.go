package registrar

import (
	"context"
	"sync"

	"github.com/sheetbridge/sheetbridge/smartsheet"
)

// columnReads has the columns of a sheet read once for many who ask at the same
// time. Who asks while they are read waits for the next reading, so that an
// answer is never older than the question.
type columnReads struct {
	mu   sync.Mutex
	next map[string]*columnRead // by sheet: the one that has not begun
	busy map[string]*columnRead // the one under way
}

// columnRead is one reading.
type columnRead struct {
	done  chan struct{} // closed at its end
	sheet *smartsheet.Sheet
	err   error
}

// read returns the sheet as the function reads it after this call. The result is
// shared and must not be changed.
func (c *columnReads) read(ctx context.Context, key string, read func(context.Context) (*smartsheet.Sheet, error)) (*smartsheet.Sheet, error) {
	c.mu.Lock()
	if c.next == nil {
		c.next, c.busy = map[string]*columnRead{}, map[string]*columnRead{}
	}
	r, joined := c.next[key]
	if !joined {
		r = &columnRead{done: make(chan struct{})}
		c.next[key] = r
		// Others may wait for it when this caller has hung up.
		go c.run(context.WithoutCancel(ctx), key, r, c.busy[key], read)
	}
	c.mu.Unlock()
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-r.done:
		return r.sheet, r.err
	}
}

// run reads once the reading before is done.
func (c *columnReads) run(ctx context.Context, key string, r, before *columnRead, read func(context.Context) (*smartsheet.Sheet, error)) {
	if before != nil {
		<-before.done
	}
	c.mu.Lock()
	delete(c.next, key)
	c.busy[key] = r
	c.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, cleanupTime)
	defer cancel()
	r.sheet, r.err = read(ctx)
	c.mu.Lock()
	if c.busy[key] == r {
		delete(c.busy, key)
	}
	c.mu.Unlock()
	close(r.done)
}
