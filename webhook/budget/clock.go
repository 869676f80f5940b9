package budget

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

const (
	measureEvery = time.Minute
	// maxDrift is how far an entry may be written ahead of our clock before that
	// is measured again.
	maxDrift = time.Second
)

// clock is the clock of the NATS server that leads the bucket, as far as it can
// be known here: its time when it was last asked, and what has passed since then.
// So a step of this machine's clock moves nothing.
type clock struct {
	kv    jetstream.KeyValue
	local func() time.Time

	mu     sync.Mutex
	server time.Time // the server's time
	here   time.Time // the local time at that moment
	stale  bool
}

func newClock(kv jetstream.KeyValue) *clock { return &clock{kv: kv, local: time.Now} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.server.Add(c.local().Sub(c.here))
}

func (c *clock) offset() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.server.Sub(c.here.Round(0)) // without the monotonic reading: as the clock on the wall shows it
}

// measure asks the server for its time, which it had halfway between question
// and answer.
func (c *clock) measure(ctx context.Context) error {
	before := c.local()
	status, err := c.kv.Status(ctx)
	if err != nil {
		return fmt.Errorf("asking for the server's time: %w", err)
	}
	bucket, ok := status.(*jetstream.KeyValueBucketStatus)
	if !ok || bucket.StreamInfo().TimeStamp.IsZero() {
		return fmt.Errorf("asking for the server's time: bucket %s does not say it", Bucket)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.server = bucket.StreamInfo().TimeStamp
	c.here = before.Add(c.local().Sub(before) / 2)
	c.stale = false
	return nil
}

// check measures again from time to time.
func (c *clock) check(ctx context.Context) error {
	c.mu.Lock()
	age := c.local().Sub(c.here)
	due := c.stale || age < 0 || age > measureEvery
	c.mu.Unlock()
	if !due {
		return nil
	}
	return c.measure(ctx)
}

// observe takes note of when the server wrote an entry: one that lies ahead of
// our time says that the server's clock is another one now.
func (c *clock) observe(written time.Time) {
	now := c.now()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stale = c.stale || written.After(now.Add(maxDrift))
}
