package budget

import (
	"context"
	"sync"
	"time"
)

const (
	maxBlock   = 8 // requests
	burstParts = 8 // a block is at most this part of the burst
	// blockAge is within what time the requests of a block are used; what is left
	// of it then is lost.
	blockAge  = time.Second
	maxLeases = 1000 // that are kept: beyond it all are forgotten, with what is left of their blocks
)

// block is some requests that were taken together, for one class.
type block struct {
	size, left int
	at         time.Time // when it was taken
}

// fresh reports whether the block may be used.
func (b block) fresh(now time.Time) bool {
	age := now.Sub(b.at)
	return 0 <= age && age < blockAge
}

// lease is what this process has taken of one token's budget and not used yet.
// All callers share it.
type lease struct {
	turn chan struct{} // held by the caller that changes the value; full: free

	mu     sync.Mutex
	blocks [Load + 1]block
}

func newLease() *lease {
	l := &lease{turn: make(chan struct{}, 1)}
	l.turn <- struct{}{}
	return l
}

// lock waits until no other caller in this process takes from the same budget:
// they would only contend for its value.
func (l *lease) lock(ctx context.Context) error {
	select {
	case <-l.turn:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (l *lease) unlock() { l.turn <- struct{}{} }

// spend uses one request of a block that was taken for the class or for a less
// urgent one, and reports whether there is one.
func (l *lease) spend(class Class, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for c := class; c <= Load; c++ {
		if b := &l.blocks[c]; b.left > 0 && b.fresh(now) {
			b.left--
			return true
		}
	}
	return false
}

// want is how many requests to take next, at most limit: twice as many as were
// used of the last block if that was used up in its time, else as many as were.
// So one who asks seldom loses nothing.
func (l *lease) want(class Class, now time.Time, limit int) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.blocks[class]
	n := b.size - b.left
	if b.left == 0 && b.fresh(now) {
		n *= 2
	}
	return min(max(n, 1), limit)
}

// put keeps a block that was taken at a time, but for the request that is used
// at once.
func (l *lease) put(class Class, size int, at time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.blocks[class] = block{size: size, left: size - 1, at: at}
}

// drop forgets what is left.
func (l *lease) drop() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.blocks = [Load + 1]block{}
}

// leases are the leases of all tokens.
type leases struct {
	mu      sync.Mutex
	byToken map[string]*lease
}

func (ls *leases) of(token string) *lease {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	l := ls.byToken[token]
	if l == nil {
		if len(ls.byToken) >= maxLeases {
			clear(ls.byToken)
		}
		l = newLease()
		ls.byToken[token] = l
	}
	return l
}
