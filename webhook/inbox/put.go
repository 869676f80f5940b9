package inbox

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	maxBundleBytes = 512 << 10 // bytes of one bundle
	storeTimeout   = 5 * time.Second
)

// Put stores a hint. When it returns nil the hint is stored durably. Hints that
// come in while a store is under way are stored together by the next one; a
// lone hint waits for nobody. When the context ends first, the hint may be
// stored or not. ErrFull says that there is no room.
func (in *Inbox) Put(ctx context.Context, h *Hint) error {
	r := in.addToBundle(ctx, h.clone())
	select {
	case <-r.done:
		if r.err != nil {
			return fmt.Errorf("storing a hint: %w", r.err)
		}
		return nil
	case <-ctx.Done():
		return fmt.Errorf("storing a hint: %w", ctx.Err())
	}
}

// bundleQueue are the hints that wait to be stored.
type bundleQueue struct {
	mu      sync.Mutex
	waiting []*pendingBundle // oldest first
	storing bool
}

// pendingBundle is what one message will hold.
type pendingBundle struct {
	hints map[string]*Hint // by what they are about
	bytes int              // of the hints, or more
	began time.Time
	done  chan struct{} // closed when it is stored, or could not be
	err   error         // after done
}

// addToBundle adds a hint to a round that waits, and starts storing unless that is
// under way. The hint becomes the round's.
func (in *Inbox) addToBundle(ctx context.Context, h *Hint) *pendingBundle {
	limit := in.maxBundle()
	h = h.within(limit)
	size := h.bytes()
	q := &in.bundles
	q.mu.Lock()
	defer q.mu.Unlock()
	r := q.last(size, limit)
	r.add(h, size)
	if !q.storing {
		q.storing = true
		// Who asked may go; the others' hints are stored even so.
		go in.storeWaiting(context.WithoutCancel(ctx))
	}
	return r
}

// last returns the round that has room for a hint.
func (q *bundleQueue) last(size, limit int) *pendingBundle {
	if n := len(q.waiting); n > 0 && q.waiting[n-1].hasRoom(size, limit) {
		return q.waiting[n-1]
	}
	r := &pendingBundle{hints: map[string]*Hint{}, began: time.Now(), done: make(chan struct{})}
	q.waiting = append(q.waiting, r)
	return r
}

// hasRoom returns whether a hint fits. Hints that were merged are shorter than
// their sum, so they are measured again before it says no.
func (r *pendingBundle) hasRoom(size, limit int) bool {
	if r.bytes+size <= limit {
		return true
	}
	r.bytes = 0
	for _, h := range r.hints {
		r.bytes += h.bytes()
	}
	return r.bytes+size <= limit
}

func (r *pendingBundle) add(h *Hint, size int) {
	r.bytes += size
	name := h.Registration + "\n" + strings.Join(h.Shares, "\n")
	if there := r.hints[name]; there != nil {
		there.Merge(h)
		return
	}
	h.normalize()
	r.hints[name] = h
}

// pop removes the oldest round; nil: none waits.
func (q *bundleQueue) pop() *pendingBundle {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.waiting) == 0 {
		q.storing = false
		return nil
	}
	r := q.waiting[0]
	q.waiting = slices.Delete(q.waiting, 0, 1)
	return r
}

// storeWaiting stores the bundles that wait, one after another.
func (in *Inbox) storeWaiting(ctx context.Context) {
	for {
		r := in.bundles.pop()
		if r == nil {
			return
		}
		r.err = in.storeRound(ctx, r)
		close(r.done)
		in.refreshUsage(ctx)
	}
}

// storeRound publishes a round as one message.
func (in *Inbox) storeRound(ctx context.Context, r *pendingBundle) error {
	if time.Since(r.began) > storeTimeout { // nobody waits for it any more
		return context.DeadlineExceeded
	}
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	data, err := json.Marshal(bundle{Hints: slices.Collect(maps.Values(r.hints))})
	if err != nil {
		return err
	}
	if err := in.reserve(ctx, len(data)); err != nil {
		return err
	}
	_, err = in.js.Publish(ctx, bundleSubject, data)
	return err
}

// storeBundles stores hints that take the place of others in the queue.
func (in *Inbox) storeBundles(ctx context.Context, hints []*Hint) error {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	limit := in.maxBundle()
	for i, h := range hints {
		hints[i] = h.within(limit)
	}
	for len(hints) > 0 {
		n, size := 0, 0
		for n < len(hints) && (n == 0 || size+hints[n].bytes() <= limit) {
			size += hints[n].bytes()
			n++
		}
		data, err := json.Marshal(bundle{Hints: hints[:n]})
		if err != nil {
			return err
		}
		if _, err := in.js.Publish(ctx, bundleSubject, data); err != nil {
			return err
		}
		hints = hints[n:]
	}
	return nil
}

// maxBundle returns how long a bundle may be, in bytes.
func (in *Inbox) maxBundle() int { return int(min(maxBundleBytes, in.js.Conn().MaxPayload()/2)) }

// usageEvery is how often the server is asked how many bytes lie in the queue.
const usageEvery = time.Second

// messageOverhead is what the server stores with each message, in bytes.
const messageOverhead = 64

// usage is how many bytes lie in the queue. A stream with schedules cannot be
// made to refuse what is too much, so that is done here.
type usage struct {
	mu    sync.Mutex
	bytes uint64
	asked time.Time
}

func (u *usage) set(bytes uint64) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.bytes, u.asked = bytes, time.Now()
}

// add counts bytes that will be stored, unless there are more than max then.
func (u *usage) add(bytes int, limit uint64) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	bytes += messageOverhead
	if u.bytes+uint64(bytes) > limit {
		return false
	}
	u.bytes += uint64(bytes)
	return true
}

func (u *usage) stale() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return time.Since(u.asked) >= usageEvery
}

// reserve returns ErrFull if the queue would hold too many bytes.
func (in *Inbox) reserve(ctx context.Context, bytes int) error {
	limit := uint64(in.options.MaxBytes)
	if in.usage.add(bytes, limit) {
		return nil
	}
	if in.usage.stale() { // some of it may have been worked off
		if _, err := in.info(ctx); err != nil {
			return err
		}
		if in.usage.add(bytes, limit) {
			return nil
		}
	}
	return ErrFull
}

// refreshUsage asks for the bytes in the queue where that was long ago. Nobody
// waits for the answer; without one the last counts.
func (in *Inbox) refreshUsage(ctx context.Context) {
	if !in.usage.stale() {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	_, _ = in.info(ctx) // the next round asks again
}
