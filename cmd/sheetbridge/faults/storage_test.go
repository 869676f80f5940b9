package faults

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/sheetbridge/sheetbridge/events/eventstest"
	"github.com/sheetbridge/sheetbridge/smartsheet/smartsheettest"
)

// NATS itself has no room left: nothing can be stored, neither hints nor events.
// No callback is answered 200 that is not stored, the admin can read what is
// wrong, and when there is room again all goes on by itself.
func TestFaultsStorage(t *testing.T) {
	t.Parallel()
	w, c := newWorld(t), newClusterOf(t, 1, "32MB")
	w.external(c, 1, 1)
	w.settled(30 * time.Second)
	js, done, err := c.connect("globex")
	must(t, err)
	defer done()
	filler, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "FILLER", Subjects: []string{"filler"}})
	must(t, err)
	stop := w.editing(30 * time.Millisecond)
	for range eventstest.Times(1, 5) {
		release := w.heldReading()
		fill(t, js)
		refused := len(w.refusedCallbacks())
		eventstest.AwaitNil(t, 30*time.Second, "a callback that is not stored", func() error {
			if len(w.refusedCallbacks()) == refused {
				return errNotYet
			}
			return nil
		})
		release()
		w.notPublished()
		pause(t, time.Duration(eventstest.Times(3, 30))*time.Second)
		must(t, filler.Purge(t.Context()))
		w.enabled(60 * time.Second)
	}
	stop()
	w.settled(90 * time.Second)
	w.stands("live", 30*time.Second)
	w.serves[0].stop()
	w.serves[0].raced()
}

// heldReading waits until somebody reads the sheet, whose answer waits until it is released.
func (w *world) heldReading() (release func()) {
	w.t.Helper()
	reads, released := make(chan struct{}, 1), make(chan struct{})
	w.sim.SetFault(func(r *http.Request) *smartsheettest.Fault {
		if !strings.Contains(r.URL.Path, "/sheets/") {
			return nil
		}
		select {
		case reads <- struct{}{}:
		default:
		}
		select {
		case <-released:
		case <-r.Context().Done():
		}
		return nil
	})
	select {
	case <-reads:
	case <-time.After(eventstest.Patience):
		w.t.Fatal("nobody reads the sheet")
	}
	return func() {
		w.sim.SetFault(nil)
		close(released)
	}
}

// notPublished waits until the admin is told of a share that an event could not be stored
// for it.
func (w *world) notPublished() {
	w.t.Helper()
	eventstest.AwaitNil(w.t, eventstest.Patience, "an event that is not stored", func() error {
		states, err := w.states()
		if err != nil {
			return err
		}
		for _, s := range states {
			if strings.Contains(s.Reason, "published to") {
				return nil
			}
		}
		return fmt.Errorf("the shares are %+v", states)
	})
}

// fill stores until the server has no room for the smallest message.
func fill(t testing.TB, js jetstream.JetStream) {
	t.Helper()
	for size := 1 << 20; size > 16; size /= 4 {
		data := make([]byte, size)
		for n := 0; ; n++ {
			if _, err := js.Publish(t.Context(), "filler", data); err != nil {
				break
			}
			if n > 4000 {
				t.Fatal("the server never fills up")
			}
		}
	}
}

// refusedCallbacks are the times at which a callback was answered 503.
func (w *world) refusedCallbacks() []time.Time {
	var at []time.Time
	for _, cb := range w.sim.Callbacks() {
		if cb.Status == 503 {
			at = append(at, cb.Time)
		}
	}
	return at
}
