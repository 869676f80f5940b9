package relay

import (
	"sync"
	"time"
)

const (
	// keepsUpWithin is how soon a partner's NATS must answer for its shares to take
	// part in the passes of others again.
	keepsUpWithin = openPatience / 4
	// loadAgain is how long a share that is not loaded is left to whom it was
	// given to load.
	loadAgain = 10 * time.Second
)

// attendance is whether a share takes part in the passes of its registration.
type attendance struct {
	lock       sync.Mutex
	slow       bool
	failures   int       // in a row
	retryAt    time.Time // it failed, and is put off until then
	loadHintAt time.Time // when it was last given a hint to load
	complete   bool      // its state was seen to be loaded
}

// participation says which passes a share takes part in.
type participation int

const (
	joins     participation = iota // those of its registration
	alone                          // its own
	postponed                      // none until it is tried again
)

func (a *attendance) participation(now time.Time) participation {
	a.lock.Lock()
	defer a.lock.Unlock()
	switch {
	case now.Before(a.retryAt):
		return postponed
	case a.slow:
		return alone
	}
	return joins
}

func (a *attendance) loaded() bool {
	a.lock.Lock()
	defer a.lock.Unlock()
	return a.complete
}

func (a *attendance) setLoaded(loaded bool) {
	a.lock.Lock()
	defer a.lock.Unlock()
	a.complete = loaded
}

// shouldLoad tells, once in a while, that a share which is not loaded is to be.
func (a *attendance) shouldLoad(now time.Time) bool {
	a.lock.Lock()
	defer a.lock.Unlock()
	if now.Sub(a.loadHintAt) < loadAgain {
		return false
	}
	a.loadHintAt = now
	return true
}

// succeeded notes that a pass has come to its end for the share, and whether it
// kept up.
func (a *attendance) succeeded(slow bool) {
	a.lock.Lock()
	defer a.lock.Unlock()
	a.slow, a.failures, a.retryAt = slow, 0, time.Time{}
}

func (a *attendance) setSlow() {
	a.lock.Lock()
	defer a.lock.Unlock()
	a.slow = true
}

// nextTry is when a share that failed at now is to be tried again, and how often it
// has failed in a row then.
func (a *attendance) nextTry(now time.Time) (at time.Time, failures int) {
	a.lock.Lock()
	defer a.lock.Unlock()
	return now.Add(backoff(a.failures + 1)), a.failures + 1
}

// postpone has a share take part in no pass for a callback until then. A hint for
// it at that time must have been stored.
func (a *attendance) postpone(until time.Time, failures int) {
	a.lock.Lock()
	defer a.lock.Unlock()
	a.retryAt, a.failures = until, failures
}
