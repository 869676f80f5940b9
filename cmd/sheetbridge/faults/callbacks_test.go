package faults

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/sheetbridge/sheetbridge/events/eventstest"
	"github.com/sheetbridge/sheetbridge/smartsheet/smartsheettest"
	"github.com/sheetbridge/sheetbridge/webhook/inbox"
)

// Each callback that was answered 200 is accounted for: it lies in the queue as
// a hint of the same rows, and what it told of is published. Reconciles are an
// hour apart, so that nothing else finds what a hint lost, and the replica that
// is killed over its work does not come back, so that its start does not either.
func TestFaultsCallbacks(t *testing.T) {
	t.Parallel()
	w, c := newWorld(t), newCluster(t, 1)
	w.external(c, 2, 1, "SHEETBRIDGE_RECONCILE_EVERY=1h")
	w.settled(30 * time.Second)
	hints := recordHints(t, c)
	faults := []smartsheettest.CallbackFault{smartsheettest.Deliver, smartsheettest.Deliver, smartsheettest.Duplicate, smartsheettest.Hold, smartsheettest.LoseAnswer}
	deliver := func(smartsheettest.Callback) smartsheettest.CallbackFault { return faults[rand.IntN(len(faults))] }
	for round := range eventstest.Times(1, 10) {
		if round > 0 {
			w.serves[1].start()
			w.ready(w.admins[1])
		}
		w.sim.SetCallbackFault(deliver)
		stop := w.editing(10 * time.Millisecond)
		pause(t, 2*time.Second)
		stop()
		must(t, w.sim.Wait(t.Context())) // the last callbacks may be held too
		w.sim.ReleaseHeld()
		w.settled(30 * time.Second)
		w.killsAtWork(w.serves[1], c)
		w.settled(90 * time.Second) // longer than the queue waits for a worker that is gone
	}
	w.accounted(hints, c)
	w.serves[0].stop()
	w.serves[0].raced()
}

// killsAtWork edits one row after the other until it is the second replica that
// reads what changed, and kills it over that: no other hint tells of the row.
func (w *world) killsAtWork(p *process, c *cluster) {
	w.t.Helper()
	w.sim.SetCallbackFault(nil)
	defer w.sim.SetFault(nil)
	for p.running() {
		w.drained(c)
		asked := make(chan bool, 1)
		w.sim.SetFault(func(r *http.Request) *smartsheettest.Fault {
			if !strings.Contains(r.URL.Path, "/sheets/") {
				return nil
			}
			select {
			case asked <- strings.HasPrefix(r.Host, "localhost"):
			default:
			}
			return &smartsheettest.Fault{Delay: 500 * time.Millisecond}
		})
		w.next++
		must(w.t, w.sim.As(w.bill).UpdateRows(w.sheet.ID, smartsheettest.Row{ID: w.rows[0], Cells: smartsheettest.Cells{"Qty": w.next}}))
		select {
		case second := <-asked:
			if second {
				p.kill()
			}
		case <-time.After(30 * time.Second):
			w.t.Fatal("nobody reads the row")
		}
		if p.running() {
			w.sim.SetFault(nil)
			w.settled(30 * time.Second)
			must(w.t, w.sim.Wait(w.t.Context()))
		}
	}
}

// hints is when a row was last named by a hint that was put into the queue.
type hints struct {
	mu  sync.Mutex
	all map[int64]time.Time
}

// recordHints follows the queue as the operator of the bridge's account may.
func recordHints(t testing.TB, c *cluster) *hints {
	t.Helper()
	nc, err := nats.Connect(c.url, nats.UserCredentialBytes([]byte(c.creds["bridge"])))
	must(t, err)
	t.Cleanup(nc.Close)
	h := &hints{all: map[int64]time.Time{}}
	_, err = nc.Subscribe("inbox.>", func(m *nats.Msg) {
		stored, err := inbox.ParseBundle(m.Data)
		if err != nil {
			return // a registration's note
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		for _, hint := range stored {
			for row := range hint.Rows {
				h.all[row] = time.Now()
			}
		}
	})
	must(t, err)
	must(t, nc.Flush())
	return h
}

// accounted compares the callbacks that were answered 200 with the hints, and
// sees that no hint is left. Callbacks that come in together are stored together,
// so each must have a hint of its rows that was stored after it was sent.
func (w *world) accounted(h *hints, c *cluster) {
	w.t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	answered := 0
	for _, cb := range w.sim.Callbacks() {
		if cb.Kind != "events" || cb.Status != 200 {
			continue
		}
		answered++
		ids, err := rowsOf(cb.Body)
		must(w.t, err)
		for _, id := range ids {
			if h.all[id].Before(cb.Time) {
				w.t.Errorf("a callback of row %d was sent at %v and answered 200, the last hint of the row was stored at %v", id, cb.Time, h.all[id])
			}
		}
	}
	w.t.Logf("%d callbacks were answered 200", answered)
	w.drained(c)
}

// drained waits until no hint is left in the queue, and none is deferred.
func (w *world) drained(c *cluster) {
	w.t.Helper()
	js, done, err := c.connect("bridge")
	must(w.t, err)
	defer done()
	eventstest.AwaitNil(w.t, 60*time.Second, "the queue to be empty", func() error {
		st, err := js.Stream(w.t.Context(), "INBOX")
		if err != nil {
			return err
		}
		info, err := st.Info(w.t.Context(), jetstream.WithSubjectFilter(">"))
		if err != nil {
			return err
		}
		for subject := range info.State.Subjects {
			if strings.HasPrefix(subject, "inbox.") {
				return errors.New("hints wait in the queue")
			}
			m, err := st.GetLastMsgForSubject(w.t.Context(), subject)
			if err != nil {
				return err
			}
			var note inbox.Schedule
			if err := json.Unmarshal(m.Data, &note); err != nil {
				return err
			}
			if note.Whole != nil || len(note.Shares) > 0 {
				return fmt.Errorf("hints are deferred: %+v", note)
			}
		}
		return nil
	})
}

// rowsOf are the rows that a callback names.
func rowsOf(body []byte) ([]int64, error) {
	var cb struct {
		Events []struct {
			ObjectType string
			ID, RowID  int64
		}
	}
	if err := json.Unmarshal(body, &cb); err != nil {
		return nil, err
	}
	var ids []int64
	for _, e := range cb.Events {
		switch e.ObjectType {
		case "row":
			ids = append(ids, e.ID)
		case "cell":
			ids = append(ids, e.RowID)
		}
	}
	return ids, nil
}
