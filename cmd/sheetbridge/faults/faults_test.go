package faults

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/sheetbridge/sheetbridge/events/eventstest"
	"github.com/sheetbridge/sheetbridge/smartsheet/smartsheettest"
)

// Serve is killed at random moments while the sheet is edited.
func TestFaultsKill(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.embedded()
	stop := w.editing(20 * time.Millisecond)
	for range eventstest.Times(2, 50) {
		pause(t, time.Duration(rand.IntN(1500))*time.Millisecond)
		p.kill()
		p.start()
	}
	stop()
	w.ready(w.admin)
	w.settled(60 * time.Second)
	p.stop()
	p.raced()
}

// Smartsheet fails in every way it can.
func TestFaultsSmartsheet(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.program = raceTested(t)
	p := w.embedded()
	w.settled(30 * time.Second)
	stop := w.editing(30 * time.Millisecond)
	kinds := []*smartsheettest.Fault{
		{Status: 429, ErrorCode: 4003, RetryAfter: time.Second},
		{Status: 500, ErrorCode: 4002}, {Status: 500, ErrorCode: 4004}, {Status: 503, ErrorCode: 4001}, {Status: 502, HTML: true},
		{HalfBody: true}, {HangUp: true}, {LoseAnswer: true}, {Delay: 300 * time.Millisecond},
	}
	callbacks := []smartsheettest.CallbackFault{smartsheettest.Deliver, smartsheettest.Drop, smartsheettest.Duplicate, smartsheettest.Hold, smartsheettest.LoseAnswer}
	for range eventstest.Times(1, 12) {
		nextKind, allKinds := eachOnce(kinds)
		w.sim.SetFault(func(*http.Request) *smartsheettest.Fault {
			if rand.IntN(2) == 0 {
				return nil
			}
			return nextKind()
		})
		nextCallback, allCallbacks := eachOnce(callbacks)
		w.sim.SetCallbackFault(func(smartsheettest.Callback) smartsheettest.CallbackFault { return nextCallback() })
		eventstest.Await(t, "each kind of fault was met", allKinds)
		eventstest.Await(t, "each kind of fault of a callback was met", allCallbacks)
		w.sim.SetFault(nil)
		w.sim.Refuse(true)
		pause(t, time.Duration(eventstest.Times(1, 30))*time.Second)
		w.sim.Refuse(false)
		for _, hook := range w.sim.Webhooks() {
			w.sim.SetWebhookStatus(hook.ID, "DISABLED_CALLBACK_FAILED")
		}
		pause(t, time.Second)
		for _, cb := range w.sim.Callbacks() {
			if rand.IntN(20) == 0 {
				w.sim.Replay(cb)
			}
		}
	}
	w.sim.SetCallbackFault(nil)
	w.sim.ReleaseHeld()
	stop()
	w.settled(90 * time.Second)
	w.stands("live", 30*time.Second)
	// The last look may have failed with a fault: the next one comes with the next
	// reconcile at the latest.
	eventstest.AwaitNil(t, 15*time.Second, "the webhooks to be enabled", func() error {
		for _, hook := range w.sim.Webhooks() {
			if hook.Status != "ENABLED" {
				return fmt.Errorf("webhook %d is %s, want ENABLED", hook.ID, hook.Status)
			}
		}
		return nil
	})
	p.stop()
	p.raced()
}

// eachOnce gives each kind once, in any order, and then any of them. all tells whether
// each was given.
func eachOnce[K any](kinds []K) (next func() K, all func() bool) {
	var mu sync.Mutex
	order, given := rand.Perm(len(kinds)), 0
	next = func() K {
		mu.Lock()
		defer mu.Unlock()
		given++
		if given <= len(kinds) {
			return kinds[order[given-1]]
		}
		return kinds[rand.IntN(len(kinds))]
	}
	all = func() bool {
		mu.Lock()
		defer mu.Unlock()
		return given >= len(kinds)
	}
	return next, all
}
