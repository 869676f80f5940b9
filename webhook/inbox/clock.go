package inbox

import (
	"sync"
	"time"
)

// maxDelay is the longest way of an answer that the server's clock is read from.
const maxDelay = time.Second

// clock is the server's, as far as it was read. What is due is judged by it, so
// that a replica whose own clock is wrong neither fires at once nor waits.
type clock struct {
	mu     sync.Mutex
	server time.Time
	local  time.Time // when it was that, with a monotonic reading
}

// set reads the clock from an answer that was asked for at a time.
func (c *clock) set(server, asked time.Time) {
	took := time.Since(asked)
	c.mu.Lock()
	defer c.mu.Unlock()
	if server.IsZero() || took > maxDelay && !c.local.IsZero() {
		return
	}
	c.server, c.local = server, asked.Add(took/2)
}

// now returns the server's time.
func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.server.Add(time.Since(c.local))
}

// at returns the server's time for a time of this process's clock.
func (c *clock) at(local time.Time) time.Time { return c.now().Add(time.Until(local)) }
