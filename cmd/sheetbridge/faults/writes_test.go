package faults

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/sheetbridge/sheetbridge/events/eventstest"
	"github.com/sheetbridge/sheetbridge/smartsheet"
	"github.com/sheetbridge/sheetbridge/smartsheet/smartsheettest"
)

// writesEvery is five writes a second.
const writesEvery = 200 * time.Millisecond

// Serve is killed at random moments while a partner writes and people edit the sheet.
// Each id has one answer; what is done the sheet had, once; what was refused changed
// nothing; no key is there twice; and the streams are whole.
func TestFaultsKillWrites(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	must(t, w.sim.As(w.bill).Share(w.sheet.ID, w.jane, "EDITOR"))
	p := w.embedded()
	wr := w.newWriter()
	edited, written := w.editing(100*time.Millisecond), wr.writing()
	for range eventstest.Times(2, 50) {
		pause(t, time.Duration(rand.IntN(2000))*time.Millisecond)
		p.kill()
		p.start()
	}
	w.ready(w.admin)
	eventstest.Await(t, "each kind of request is made twice", func() bool { return wr.requests() >= 2*kinds })
	written()
	edited()
	answers := wr.answered(90 * time.Second)
	w.settled(60 * time.Second)
	wr.check(answers)
	p.stop()
	p.raced()
}

// writer is the partner acme, which writes to rows that people let be.
type writer struct {
	w    *world
	js   jetstream.JetStream
	rows []int64

	mu    sync.Mutex
	asked map[string]askedWrite
}

// askedWrite is what was asked for: a quantity that nobody else asks for, or a row
// with a key.
type askedWrite struct {
	row int64
	qty int
	key string
}

// answer is the data of an answer, as far as it must be the same each time.
type answer struct {
	Result, Code string
	Row          *string
}

// newWriter lets acme write, and connects it.
func (w *world) newWriter() *writer {
	w.t.Helper()
	wr := &writer{w: w, asked: map[string]askedWrite{}}
	rows := slices.Repeat([]smartsheettest.Row{{Cells: smartsheettest.Cells{"No": "W", "Status": "Open", "Qty": 1}}}, 20) // few enough writes for each that its history has them all
	var err error
	wr.rows, err = w.sim.As(w.bill).AddRows(w.sheet.ID, rows...)
	must(w.t, err)
	body := map[string]any{
		"columns": []map[string]string{{"title": "No"}, {"title": "Status"}, {"title": "Qty"}},
		"write": map[string]any{
			"update": []string{"qty"}, "create": map[string]any{"columns": []string{"no", "status"}, "key": "no"}, "perMinute": 600,
		},
	}
	_, err = w.admin.call(w.t.Context(), http.MethodPut, "/v1/webhooks/"+w.id+"/shares/acme/orders", body, nil)
	must(w.t, err)
	var made struct{ Credentials string }
	_, err = w.admin.call(w.t.Context(), http.MethodPost, "/v1/partners/acme/credentials", map[string]any{"name": "erp"}, &made)
	must(w.t, err)
	var partner struct{ URL string }
	_, err = w.admin.call(w.t.Context(), http.MethodGet, "/v1/partners/acme", nil, &partner)
	must(w.t, err)
	// A connection from before the queue was there is not allowed to write, and each
	// new try has one of its own until it is.
	eventstest.AwaitNil(w.t, eventstest.Patience, "the queue of writes", func() error {
		nc, err := nats.Connect(partner.URL, nats.UserCredentialBytes([]byte(made.Credentials)), nats.MaxReconnects(-1), nats.ReconnectWait(50*time.Millisecond))
		if err != nil {
			return err
		}
		if wr.js, err = jetstream.New(nc, jetstream.WithDefaultTimeout(2*time.Second)); err == nil {
			err = wr.publish(w.t.Context(), "warm", `{"id":"warm","op":"update","row":"1","expect":{"qty":1},"set":{"qty":2}}`)
		}
		if err != nil {
			nc.Close()
			return err
		}
		w.t.Cleanup(nc.Close)
		return nil
	})
	return wr
}

func (wr *writer) publish(ctx context.Context, id, request string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	_, err := wr.js.Publish(ctx, "write.acme.orders.erp", []byte(request), jetstream.WithMsgID(id))
	return err
}

// writing has acme write until the returned function is called. What is not known to
// be stored is sent again, as partners do.
func (wr *writer) writing() (stop func()) {
	t := wr.w.t
	ctx, cancel := context.WithCancel(t.Context())
	var sending sync.WaitGroup
	sending.Go(func() {
		tick := time.NewTicker(writesEvery)
		defer tick.Stop()
		for n := 0; ctx.Err() == nil; n++ {
			id, request := wr.next(n)
			sending.Go(func() {
				for t.Context().Err() == nil && wr.publish(t.Context(), id, request) != nil {
					pause(t, 100*time.Millisecond)
				}
			})
			select {
			case <-ctx.Done():
			case <-tick.C:
			}
		}
	})
	return func() { cancel(); sending.Wait() }
}

// kinds is after how many requests they are of the same kinds again.
const kinds = 10

// requests is how many were made so far.
func (wr *writer) requests() int {
	wr.mu.Lock()
	defer wr.mu.Unlock()
	return len(wr.asked)
}

// next is a request: an update that can be made or cannot, or a new row whose key may
// be there.
func (wr *writer) next(n int) (id, request string) {
	wr.mu.Lock()
	defer wr.mu.Unlock()
	id = fmt.Sprintf("w-%d", n)
	switch k := n % kinds; {
	case k < 3:
		a := askedWrite{key: fmt.Sprintf("K-%d", rand.IntN(1+n/2))}
		wr.asked[id] = a
		return id, fmt.Sprintf(`{"id":%q,"op":"create","set":{"no":%q,"status":"Open"}}`, id, a.key)
	default:
		a := askedWrite{row: wr.rows[rand.IntN(len(wr.rows))], qty: 100_000 + n}
		wr.asked[id] = a
		expect := map[bool]string{true: "W", false: "other"}[k < 9]
		return id, fmt.Sprintf(`{"id":%q,"op":"update","row":"%d","expect":{"no":%q},"set":{"qty":%d}}`, id, a.row, expect, a.qty)
	}
}

// answered waits until each write has an answer, and returns them: one for each id,
// however often it was told.
func (wr *writer) answered(within time.Duration) map[string]answer {
	wr.w.t.Helper()
	var found map[string]answer
	eventstest.AwaitNil(wr.w.t, within, "the answers", func() (err error) {
		if found, err = wr.answers(); err != nil {
			return err
		}
		for id := range wr.asked {
			if _, ok := found[id]; !ok {
				return fmt.Errorf("%s has none, as others of %d", id, len(wr.asked))
			}
		}
		return nil
	})
	return found
}

func (wr *writer) answers() (map[string]answer, error) {
	ctx, cancel := context.WithTimeout(wr.w.t.Context(), 20*time.Second)
	defer cancel()
	st, err := wr.js.Stream(ctx, "EVENTS")
	if err != nil {
		return nil, err
	}
	found := map[string]answer{}
	for seq := uint64(1); ; {
		m, err := st.GetMsg(ctx, seq, jetstream.WithGetMsgSubject("smartsheet.acme.orders.write.*"))
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			return found, nil
		}
		if err != nil {
			return nil, err
		}
		var e struct{ Data answer }
		if err := json.Unmarshal(m.Data, &e); err != nil {
			return nil, err
		}
		id := m.Subject[strings.LastIndexByte(m.Subject, '.')+1:]
		if was, ok := found[id]; ok && fmt.Sprint(was.Result, was.Code, rowText(was.Row)) != fmt.Sprint(e.Data.Result, e.Data.Code, rowText(e.Data.Row)) {
			wr.w.t.Errorf("%s has two answers: %+v and %+v", id, was, e.Data)
		}
		found[id] = e.Data
		seq = m.Sequence + 1
	}
}

func rowText(row *string) string {
	if row == nil {
		return ""
	}
	return *row
}

// check compares the answers with what the sheet went through.
func (wr *writer) check(answers map[string]answer) {
	t := wr.w.t
	t.Helper()
	had := wr.quantities()
	snap, _ := wr.w.sim.Snapshot(wr.w.sheet.ID)
	keys, made, counts := map[string]int{}, map[string]int{}, map[string]int{}
	for _, row := range snap.Rows {
		if key, ok := row.Cells[wr.w.sheet.Columns["No"]].(string); ok {
			keys[key]++
		}
	}
	for id, a := range wr.asked {
		got := answers[id]
		counts[got.Result+" "+got.Code]++
		done := got.Result == "done"
		switch {
		case a.key != "" && done:
			made[a.key]++
		case a.key == "" && had[a.qty] != map[bool]int{true: 1}[done]:
			t.Errorf("%s is %s %s, and the sheet had its value %d times", id, got.Result, got.Code, had[a.qty])
		}
	}
	for key, n := range keys {
		if strings.HasPrefix(key, "K-") && (n != 1 || made[key] != 1) {
			t.Errorf("key %s is there %d times, and %d writes have made it", key, n, made[key])
		}
	}
	if counts["done "] == 0 || counts["refused conflict"] == 0 || counts["refused duplicate-key"] == 0 {
		t.Errorf("got answers %v, want some of each kind", counts)
	}
	t.Logf("answers to %d writes: %v", len(wr.asked), counts)
}

// quantities counts how often the rows were given each quantity.
func (wr *writer) quantities() map[int]int {
	t := wr.w.t
	t.Helper()
	client := &smartsheet.Client{BaseURL: wr.w.sim.URL(), Token: func(context.Context) (string, error) { return wr.w.token, nil }}
	counts := map[int]int{}
	for _, row := range wr.rows {
		past, err := client.CellHistory(t.Context(), wr.w.sheet.ID, row, wr.w.sheet.Columns["Qty"])
		must(t, err)
		for _, p := range past {
			var n int
			must(t, json.Unmarshal(p.Value, &n))
			counts[n]++
		}
	}
	return counts
}
