package write_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/events/eventstest"
	"github.com/sheetbridge/sheetbridge/smartsheet/smartsheettest"
	"github.com/sheetbridge/sheetbridge/webhook/owner"
	"github.com/sheetbridge/sheetbridge/webhook/webhooktest"
	"github.com/sheetbridge/sheetbridge/webhook/write"
)

// TestWriteWhoseAnswerIsLost is found by looking, also where a person has changed the
// row since: it is not made again, and not refused.
func TestWriteWhoseAnswerIsLost(t *testing.T) {
	w := newWriting(t, webhooktest.Options{}, writable("acme", nil))
	for name, after := range map[string]webhooktest.Cells{
		"untouched":           nil,
		"changed by a person": {"Status": "Waiting"},
		"taken back":          {"Status": "Open"},
		"another cell":        {"Qty": 7},
	} {
		rows, err := w.Sim.As(w.Jane).AddRows(w.Sheet.ID, smartsheettest.Row{Cells: webhooktest.Cells{"No": name, "Status": "Open", "Qty": 3}})
		webhooktest.Must(t, err)
		var lost atomic.Bool
		edited := make(chan struct{})
		w.Sim.SetFault(func(r *http.Request) *smartsheettest.Fault {
			if writesRows(r) && !lost.Swap(true) {
				return &smartsheettest.Fault{LoseAnswer: true}
			}
			if lost.Load() { // it is looked for only when the person has changed it
				<-edited
			}
			return nil
		})
		before, sent := w.version(), w.sent()
		go func() {
			defer close(edited)
			if eventstest.Poll(t, eventstest.Patience, func() bool { return w.version() != before }) && after != nil {
				if err := w.Sim.As(w.Jane).UpdateRows(w.Sheet.ID, smartsheettest.Row{ID: rows[0], Cells: after}); err != nil {
					t.Error(err)
				}
			}
		}()
		got := w.ask("acme", "orders", `"op":"update","row":%q,"expect":{"status":"Open"},"set":{"status":"Done"}`, webhooktest.FormatID(rows[0]))
		<-edited
		if got.Result != events.ResultDone {
			t.Errorf("%s: got %+v, want it done", name, got)
		}
		if puts := w.sent() - sent; puts != 1 {
			t.Errorf("%s: it was sent %d times, want once", name, puts)
		}
	}
}

// TestCreateWhoseAnswerIsLost makes no row twice, and one that was not made once, however
// many rows others added since.
func TestCreateWhoseAnswerIsLost(t *testing.T) {
	w := newWriting(t, webhooktest.Options{}, writable("acme", nil))
	others := slices.Repeat([]smartsheettest.Row{{Cells: webhooktest.Cells{"No": "N", "Status": "Open"}}}, 50)
	for i, test := range []struct {
		name   string
		fault  smartsheettest.Fault
		others []smartsheettest.Row
	}{
		{"made", smartsheettest.Fault{LoseAnswer: true}, nil},
		{"not made", smartsheettest.Fault{HangUp: true}, nil},
		{"made, among many others", smartsheettest.Fault{LoseAnswer: true}, others},
		{"not made, with many others", smartsheettest.Fault{HangUp: true}, others},
	} {
		var once sync.Once
		w.Sim.SetFault(func(r *http.Request) *smartsheettest.Fault {
			var fault *smartsheettest.Fault
			if r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/rows") {
				once.Do(func() { fault = &test.fault })
			}
			return fault
		})
		before, _ := w.Sim.Snapshot(w.Sheet.ID)
		sent := w.sent()
		id := fmt.Sprintf("c-%d", i)
		w.send("acme", "erp", "orders", fmt.Sprintf(`{"id":%q,"op":"create","set":{"no":%q,"status":"Open"}}`, id, test.name))
		w.Await("the request to fail", func() bool { return w.sent() > sent })
		if test.others != nil {
			_, err := w.Sim.As(w.Jane).AddRows(w.Sheet.ID, test.others...)
			webhooktest.Must(t, err)
		}
		if got := w.answer("acme", id, 1); got.Result != events.ResultDone || got.Row == nil {
			t.Errorf("%s: got %+v, want it done", test.name, got)
		}
		snap, _ := w.Sim.Snapshot(w.Sheet.ID)
		if want := len(before.Rows) + 1 + len(test.others); len(snap.Rows) != want {
			t.Errorf("%s: got %d rows, want %d: one more than were there and others added", test.name, len(snap.Rows), want)
		}
	}
}

// TestCreateWhoseKeyWasChanged makes no second row where a person gave the first one
// another key before anybody learnt that it was made, and many others were added besides.
func TestCreateWhoseKeyWasChanged(t *testing.T) {
	w := newWriting(t, webhooktest.Options{}, writable("acme", nil))
	var lost atomic.Bool
	changed := make(chan struct{})
	w.Sim.SetFault(func(r *http.Request) *smartsheettest.Fault {
		if r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/rows") && !lost.Swap(true) {
			return &smartsheettest.Fault{LoseAnswer: true}
		}
		if lost.Load() { // it is looked for only when it has its other key
			<-changed
		}
		return nil
	})
	w.send("acme", "erp", "orders", `{"id":"c-1","op":"create","set":{"no":"SO-9","status":"Open"}}`)
	var made *smartsheettest.SnapshotRow
	eventstest.Await(t, "the row to be made", func() bool {
		snap, _ := w.Sim.Snapshot(w.Sheet.ID)
		if len(snap.Rows) == 3 {
			made = &snap.Rows[2]
		}
		return made != nil
	})
	_, err := w.Sim.As(w.Jane).AddRows(w.Sheet.ID, slices.Repeat([]smartsheettest.Row{{Cells: webhooktest.Cells{"No": "N", "Status": "Open"}}}, 50)...)
	webhooktest.Must(t, err)
	second := time.Now().Truncate(time.Second)
	eventstest.Await(t, "another second", func() bool { return time.Now().Truncate(time.Second).After(second) })
	webhooktest.Must(t, w.Sim.As(w.Jane).UpdateRows(w.Sheet.ID, smartsheettest.Row{ID: made.ID, Cells: webhooktest.Cells{"No": "SO-9b"}}))
	close(changed)
	if got := w.answer("acme", "c-1", 1); got.Result != events.ResultDone || got.Row == nil || *got.Row != webhooktest.FormatID(made.ID) {
		t.Errorf("got %+v, want it done in row %d", got, made.ID)
	}
	if snap, _ := w.Sim.Snapshot(w.Sheet.ID); len(snap.Rows) != 53 {
		t.Errorf("got %d rows, want 53: the one of the write, two before it and 50 of others", len(snap.Rows))
	}
}

// paused is a transport that holds back the first request to change rows, as when the
// process is stopped right before it sends.
type paused struct {
	stopped, goOn chan struct{}
	once          sync.Once
}

func (p *paused) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method == http.MethodPut {
		hold := false
		p.once.Do(func() { hold = true })
		if hold {
			close(p.stopped)
			<-p.goOn
		}
	}
	return http.DefaultTransport.RoundTrip(r)
}

// TestPausedProcessDoesNotWrite stops a process right before it sends, until another
// one has taken over and changed the row. It must not send then what it has judged by
// the row as it was.
func TestPausedProcessDoesNotWrite(t *testing.T) {
	w := newWriting(t, webhooktest.Options{OtherReplicas: true}, writable("acme", nil))
	w.endEngine()
	p := &paused{stopped: make(chan struct{}), goOn: make(chan struct{})}
	slow := *w.Access
	slow.HTTP = &http.Client{Transport: p}
	run := func(access *owner.Access) func() {
		ctx, cancel := context.WithCancel(context.Background())
		e := w.newEngine(600*time.Millisecond, func(e *write.Engine) { e.Access = access })
		var wg sync.WaitGroup
		wg.Go(func() { webhooktest.Must(t, e.Run(ctx)) })
		return func() { cancel(); wg.Wait() }
	}
	stopSlow := run(&slow)
	w.send("acme", "erp", "orders", fmt.Sprintf(`{"id":"one","op":"update","row":%q,"expect":{"status":"Open"},"set":{"status":"Done"}}`, webhooktest.FormatID(w.Sheet.Rows[0])))
	<-p.stopped
	slowDone := make(chan struct{})
	go func() { stopSlow(); close(slowDone) }() // it takes nothing more, and is still about to send
	stopOther := run(w.Access)
	w.send("acme", "erp", "orders", fmt.Sprintf(`{"id":"two","op":"update","row":%q,"expect":{"status":"Open"},"set":{"status":"Waiting"}}`, webhooktest.FormatID(w.Sheet.Rows[0])))
	if got := w.answer("acme", "two", 1); got.Result != events.ResultDone {
		t.Errorf("two: got %+v, want it done by the other process", got)
	}
	before, _ := w.Sim.Snapshot(w.Sheet.ID)
	close(p.goOn)
	if got := w.answer("acme", "one", 1); got.Code != events.CodeConflict {
		t.Errorf("one: got %+v, want a conflict: it is judged again by what the row is now", got)
	}
	<-slowDone
	stopOther()
	if after, _ := w.Sim.Snapshot(w.Sheet.ID); after.Version != before.Version {
		t.Errorf("the process that was stopped has written: %v", w.row(0))
	}
}

// slowToAnswer is a transport that holds back the answer to the first request to change
// rows, and loses it.
type slowToAnswer struct {
	made, goOn chan struct{}
	once       sync.Once
}

func (s *slowToAnswer) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := http.DefaultTransport.RoundTrip(r)
	lose := false
	if r.Method == http.MethodPut {
		s.once.Do(func() { lose = true })
	}
	if !lose || err != nil {
		return answer, err
	}
	close(s.made)
	<-s.goOn
	answer.Body.Close()
	return nil, io.ErrUnexpectedEOF
}

// TestIDOfWriteOfUnknownOutcome uses the id of a write for another request, which another
// process gets before the first one has learnt what became of the write: each has the
// answer that is its own.
func TestIDOfWriteOfUnknownOutcome(t *testing.T) {
	w := newWriting(t, webhooktest.Options{OtherReplicas: true}, writable("acme", nil))
	w.endEngine()
	s := &slowToAnswer{made: make(chan struct{}), goOn: make(chan struct{})}
	slow := *w.Access
	slow.HTTP = &http.Client{Transport: s}
	w.run(w.newEngine(600*time.Millisecond, func(e *write.Engine) { e.Access = &slow }))
	row := webhooktest.FormatID(w.Sheet.Rows[0])
	request := func(id, expect, set string) {
		w.send("acme", "erp", "orders", fmt.Sprintf(`{"id":%q,"op":"update","row":%q,"expect":{"status":%q},"set":%s}`, id, row, expect, set))
	}
	request("po-1", "Open", `{"status":"Done"}`)
	<-s.made
	slowDone := make(chan struct{})
	go func() { w.endEngine(); close(slowDone) }() // it takes nothing more, and has no answer yet
	other := w.newEngine(600*time.Millisecond, nil)
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { webhooktest.Must(t, other.Run(ctx)) })
	request("po-1", "Open", `{"status":"Waiting"}`)
	for n, id := range []string{"po-2", "po-3"} { // while the other process has looked at it
		request(id, "Done", fmt.Sprintf(`{"qty":%d}`, 10+n))
		if got := w.answer("acme", id, 1); got.Result != events.ResultDone {
			t.Errorf("%s: got %+v, want it done by the other process", id, got)
		}
	}
	close(s.goOn)
	first, second := w.answer("acme", "po-1", 1), w.answer("acme", "po-1", 2)
	if first.Result != events.ResultDone || second.Code != events.CodeIDReused {
		t.Errorf("got %+v and %+v, want it done, and then that its id is used", first, second)
	}
	if got := w.row(0)["Status"]; got != "Done" {
		t.Errorf("got %v in the sheet", got)
	}
	<-slowDone
	stop()
	running.Wait()
}
