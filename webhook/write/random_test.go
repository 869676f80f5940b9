package write_test

import (
	"context"
	"encoding/json"
	"fmt"
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
	"github.com/sheetbridge/sheetbridge/webhook/webhooktest"
)

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
	for n := range eventstest.Times(40, 200) {
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
