package write_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/events/eventstest"
	"github.com/sheetbridge/sheetbridge/smartsheet/smartsheettest"
	"github.com/sheetbridge/sheetbridge/webhook/budget"
	"github.com/sheetbridge/sheetbridge/webhook/owner"
	"github.com/sheetbridge/sheetbridge/webhook/webhooktest"
	"github.com/sheetbridge/sheetbridge/webhook/write"
)

// TestWriteWhoseAnswerIsLost is found by looking, also where a person has changed the
// row since: it is not made again, and not refused.
func TestWriteWhoseAnswerIsLost(t *testing.T) {
	for name, after := range map[string]func(w *writing){
		"untouched":           func(*writing) {},
		"changed by a person": func(w *writing) { w.Edit(0, webhooktest.Cells{"Status": "Waiting"}) },
		"taken back":          func(w *writing) { w.Edit(0, webhooktest.Cells{"Status": "Open"}) },
		"another cell":        func(w *writing) { w.Edit(0, webhooktest.Cells{"Qty": 7}) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWriting(t, webhooktest.Options{}, writable("acme", nil))
			var once sync.Once
			w.Sim.SetFault(func(r *http.Request) *smartsheettest.Fault {
				var fault *smartsheettest.Fault
				if r.Method == http.MethodPut {
					once.Do(func() { fault = &smartsheettest.Fault{LoseAnswer: true} })
				}
				return fault
			})
			edited := make(chan struct{})
			version := func() int64 { s, _ := w.Sim.Snapshot(w.Sheet.ID); return s.Version }
			before := version()
			go func() {
				defer close(edited)
				for version() == before && t.Context().Err() == nil {
					time.Sleep(time.Millisecond)
				}
				after(w)
			}()
			got := w.ask("acme", "orders", `"op":"update","row":%q,"expect":{"status":"Open"},"set":{"status":"Done"}`, webhooktest.FormatID(w.Sheet.Rows[0]))
			<-edited
			if got.Result != events.ResultDone {
				t.Errorf("got %+v, want it done", got)
			}
			puts := 0
			for _, r := range w.Sim.Requests() {
				if r.Method == http.MethodPut && strings.HasSuffix(r.Route, "/rows") {
					puts++
				}
			}
			if puts != 1 {
				t.Errorf("it was sent %d times, want once", puts)
			}
		})
	}
}

// TestCreateWhoseAnswerIsLost makes no row twice, and one that was not made once, however
// many rows others added since.
func TestCreateWhoseAnswerIsLost(t *testing.T) {
	others := slices.Repeat([]smartsheettest.Row{{Cells: webhooktest.Cells{"No": "N", "Status": "Open"}}}, 50)
	for name, test := range map[string]struct {
		fault  smartsheettest.Fault
		others []smartsheettest.Row
	}{
		"made":                       {smartsheettest.Fault{LoseAnswer: true}, nil},
		"made, among many others":    {smartsheettest.Fault{LoseAnswer: true}, others},
		"not made":                   {smartsheettest.Fault{HangUp: true}, nil},
		"not made, with many others": {smartsheettest.Fault{HangUp: true}, others},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWriting(t, webhooktest.Options{}, writable("acme", nil))
			var once sync.Once
			w.Sim.SetFault(func(r *http.Request) *smartsheettest.Fault {
				var fault *smartsheettest.Fault
				if r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/rows") {
					once.Do(func() { fault = &test.fault })
				}
				return fault
			})
			w.send("acme", "erp", "orders", `{"id":"c-1","op":"create","set":{"no":"SO-9","status":"Open"}}`)
			eventstest.Await(t, "the request to fail", func() bool { return w.sent() == 1 })
			if test.others != nil {
				_, err := w.Sim.As(w.Jane).AddRows(w.Sheet.ID, test.others...)
				webhooktest.Must(t, err)
			}
			if got := w.answer("acme", "c-1", 1); got.Result != events.ResultDone || got.Row == nil {
				t.Errorf("got %+v, want it done", got)
			}
			snap, _ := w.Sim.Snapshot(w.Sheet.ID)
			if want := 3 + len(test.others); len(snap.Rows) != want {
				t.Errorf("got %d rows, want %d: one more than were there and others added", len(snap.Rows), want)
			}
		})
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

// TestWritersAtRandom has partners write, people edit, answers get lost and processes
// die, all at random and with two processes at work. Each id has one answer; what is
// done the sheet had; what was refused changed nothing; no key is there twice; and the
// streams are whole.
func TestWritersAtRandom(t *testing.T) {
	names := []string{"acme", "bolt", "cato"}
	var requests []events.Request
	for _, name := range names {
		requests = append(requests, writable(name, func(r *events.Request) {
			r.Write.Check = ""
		}))
	}
	w := newWriting(t, webhooktest.Options{OtherReplicas: true}, requests...)
	w.endEngine()
	h := &history{w: w, asked: map[string]asked{}}
	w.Sim.SetFault(h.fault)
	engines := make([]func(), 2)
	start := func(i int) {
		ctx, cancel := context.WithCancel(context.Background())
		e := w.newEngine(2*time.Second, nil)
		var wg sync.WaitGroup
		wg.Go(func() { webhooktest.Must(t, e.Run(ctx)) })
		engines[i] = func() { cancel(); wg.Wait() }
	}
	start(0)
	start(1)
	for _, name := range names {
		w.send(name, "erp", "orders", `{"id":"warm","op":"update","row":"1","expect":{"qty":1},"set":{"qty":2}}`)
		w.send(name, "shop", "orders", `{"id":"warm-2","op":"update","row":"1","expect":{"qty":1},"set":{"qty":2}}`)
	}
	rounds := 98
	for n := range rounds {
		switch rand.IntN(12) {
		case 0:
			h.person()
		case 1:
			i := rand.IntN(2)
			engines[i]()
			start(i)
		default:
			h.write(names[rand.IntN(3)], n)
		}
	}
	for id, a := range h.asked {
		w.answer(a.partner, id, 1)
	}
	for _, stop := range engines {
		stop()
	}
	w.Sim.SetFault(nil)
	w.Settle()
	w.Check(names...)
	h.check()
}

// asked is what was asked for.
type asked struct {
	partner, op, key, status string
	qty                      int
	row                      int64
}

// history is what was asked for and what people did.
type history struct {
	w     *writing
	asked map[string]asked
	edits int
}

// fault loses answers after their effect, and refuses for a moment.
func (h *history) fault(r *http.Request) *smartsheettest.Fault {
	if r.Method == http.MethodGet || !strings.HasSuffix(r.URL.Path, "/rows") {
		return nil
	}
	switch rand.IntN(10) {
	case 0:
		return &smartsheettest.Fault{LoseAnswer: true}
	case 1:
		return &smartsheettest.Fault{Status: 500, ErrorCode: 4004}
	case 2:
		return &smartsheettest.Fault{Status: 503, ErrorCode: 4001}
	}
	return nil
}

// person edits a row as people do: with values that no partner writes.
func (h *history) person() {
	h.edits++
	h.w.Edit(0, webhooktest.Cells{"Qty": 1000 + h.edits})
}

// write has a partner ask for something; each quantity is asked for once.
func (h *history) write(name string, n int) {
	id := fmt.Sprintf("%s-%d", name, n)
	credential := []string{"erp", "shop"}[rand.IntN(2)]
	a := asked{partner: name, op: "create", key: fmt.Sprintf("K-%d", rand.IntN(12)), status: "Open"}
	request := fmt.Sprintf(`{"id":%q,"op":"create","set":{"no":%q,"status":"Open"}}`, id, a.key)
	if rand.IntN(2) == 0 {
		a = asked{partner: name, op: "update", row: h.w.Sheet.Rows[0], qty: 200 + n} // which nobody else asks for
		expect := []string{`"status":"Open"`, `"qty":3`, `"status":"Done"`}[rand.IntN(3)]
		request = fmt.Sprintf(`{"id":%q,"op":"update","row":%q,"expect":{%s},"set":{"qty":%d}}`, id, webhooktest.FormatID(a.row), expect, a.qty)
	}
	h.asked[id] = a
	h.w.send(name, credential, "orders", request)
}

// check compares the answers with what the sheet went through.
func (h *history) check() {
	t := h.w.T
	t.Helper()
	snap, _ := h.w.Sim.Snapshot(h.w.Sheet.ID)
	keys, made, created := map[any]int{}, map[string]bool{}, map[string]int{}
	for _, r := range snap.Rows {
		c := cellsOf(snap, r.ID)
		keys[c["No"]]++
		made[webhooktest.FormatID(r.ID)] = true
	}
	for key, n := range keys {
		if n > 1 {
			t.Errorf("%v is there %d times", key, n)
		}
	}
	written := h.quantities()
	results := map[events.Result]int{}
	for _, name := range []string{"acme", "bolt", "cato"} {
		answers := h.w.answers(name)
		for id, a := range h.asked {
			if a.partner != name {
				continue
			}
			got := answers[id]
			if len(got) != 1 {
				t.Errorf("%s has %d answers: %+v", id, len(got), got)
				continue
			}
			results[got[0].Result]++
			if a.op == "create" {
				if got[0].Result == events.ResultDone {
					created[a.key]++
					if !made[*got[0].Row] {
						t.Errorf("%s is done, and its row is not there", id)
					}
				}
				continue
			}
			if want := map[bool]int{true: 1, false: 0}[got[0].Result == events.ResultDone]; written[a.qty] != want {
				t.Errorf("%s is %s (%s), and the sheet had its value %d times", id, got[0].Result, got[0].Code, written[a.qty])
			}
		}
	}
	for key, n := range keys {
		if text, ok := key.(string); ok && strings.HasPrefix(text, "K-") && created[text] != n {
			t.Errorf("%s is there %d times, and %d writes have made it", text, n, created[text])
		}
	}
	t.Logf("answers: %v", results)
}

// quantities counts how often the first row was given each quantity.
func (h *history) quantities() map[int]int {
	h.w.T.Helper()
	client, err := h.w.Access.Client(h.w.Registry.Owner("ops"), budget.Callback)
	webhooktest.Must(h.w.T, err)
	snap, _ := h.w.Sim.Snapshot(h.w.Sheet.ID)
	column := snap.Columns[slices.IndexFunc(snap.Columns, func(c smartsheettest.Column) bool { return c.Title == "Qty" })].ID
	past, err := client.CellHistory(h.w.T.Context(), h.w.Sheet.ID, h.w.Sheet.Rows[0], column)
	webhooktest.Must(h.w.T, err)
	counts := map[int]int{}
	for _, p := range past {
		var n int
		webhooktest.Must(h.w.T, json.Unmarshal(p.Value, &n))
		counts[n]++
	}
	return counts
}
