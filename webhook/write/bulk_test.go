package write_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/events/eventstest"
	"github.com/sheetbridge/sheetbridge/smartsheet"
	"github.com/sheetbridge/sheetbridge/smartsheet/smartsheettest"
	"github.com/sheetbridge/sheetbridge/webhook/webhooktest"
)

// together sends requests that are all there before the first of them is looked at:
// Smartsheet does not answer meanwhile. It returns when all are answered.
func (w *writing) together(fault func(*http.Request) *smartsheettest.Fault, requests ...string) {
	w.T.Helper()
	w.togetherOf(fault, func() {
		for _, r := range requests {
			w.send("acme", "erp", "orders", r)
		}
	}, len(requests))
}

// togetherOf does so with so many requests of any partner.
func (w *writing) togetherOf(fault func(*http.Request) *smartsheettest.Fault, send func(), requests int) {
	w.T.Helper()
	open := make(chan struct{})
	var holding atomic.Bool
	w.Sim.SetFault(func(r *http.Request) *smartsheettest.Fault {
		if r.Method == http.MethodGet && r.URL.Query().Get("rowIds") == "1" { // of the first one: the relay reads too
			holding.Store(true)
			select {
			case <-open:
			case <-r.Context().Done():
			}
		}
		if fault != nil {
			return fault(r)
		}
		return nil
	})
	w.send("acme", "erp", "orders", `{"id":"first","op":"update","row":"1","expect":{"qty":1},"set":{"qty":2}}`)
	w.Await("the first one being looked at", holding.Load)
	send()
	w.Await("all being taken", func() bool { return w.engine.Waiting() == requests+1 })
	close(open)
	w.Await("all being answered", func() bool { return w.engine.Waiting() == 0 })
	w.Sim.SetFault(nil)
}

// TestWritesAreMerged makes as many as one request can take in one, each with its own
// answer.
func TestWritesAreMerged(t *testing.T) {
	w := newWriting(t, webhooktest.Options{}, writable("acme", nil))
	writes := eventstest.Times(60, smartsheet.MaxRowsPerWrite+1) // the short form: TestRoundTakesWhatOneRequestCan has the bound
	var requests []string
	for i := range writes {
		requests = append(requests, fmt.Sprintf(`{"id":"new-%d","op":"create","set":{"no":"N-%d","status":"Open","qty":%d}}`, i, i, i%100))
	}
	requests = append(requests, `{"id":"again","op":"create","set":{"no":"N-3","status":"Open"}}`)
	w.together(nil, requests...)
	if got, want := w.sent(), 1+(writes-1)/smartsheet.MaxRowsPerWrite; got != want {
		t.Errorf("%d rows were added with %d requests, want %d", writes, got, want)
	}
	answers, rows := w.answers("acme"), map[string]bool{}
	snap, _ := w.Sim.Snapshot(w.Sheet.ID)
	for i := range writes {
		got := answers[fmt.Sprintf("new-%d", i)]
		if len(got) != 1 || got[0].Result != events.ResultDone || got[0].Row == nil || rows[*got[0].Row] {
			t.Fatalf("new-%d: got %+v, want it done, with a row of its own", i, got)
		}
		rows[*got[0].Row] = true
		at := slices.IndexFunc(snap.Rows, func(r smartsheettest.SnapshotRow) bool { return webhooktest.FormatID(r.ID) == *got[0].Row })
		if at < 0 || cellsOf(snap, snap.Rows[at].ID)["No"] != fmt.Sprintf("N-%d", i) {
			t.Errorf("new-%d: the row of its answer is another one", i)
		}
	}
	if got := answers["again"]; len(got) != 1 || got[0].Code != events.CodeDuplicateKey {
		t.Errorf("the same key at the same time: got %+v", got)
	}
	w.Settle()
	w.Check("acme")
}

// TestOneBadRowDoesNotFailTheOthers merges writes some of which are refused: by the
// bridge, and by Smartsheet, since a row goes after it was read.
func TestOneBadRowDoesNotFailTheOthers(t *testing.T) {
	w := newWriting(t, webhooktest.Options{}, writable("acme", nil))
	cells := webhooktest.Cells{"No": "N", "Status": "Open", "Qty": 1}
	ids, err := w.Sim.As(w.Jane).AddRows(w.Sheet.ID, slices.Repeat([]smartsheettest.Row{{Cells: cells}}, 5)...)
	webhooktest.Must(t, err)
	var requests []string
	for i, set := range []string{`{"qty":10}`, `{"qty":11}`, `{"qty":500}`, `{"qty":13}`, `{"qty":14}`} {
		requests = append(requests, fmt.Sprintf(`{"id":"w%d","op":"update","row":"%d","expect":{"status":"Open"},"set":%s}`, i, ids[i], set))
	}
	var gone atomic.Bool
	w.together(func(r *http.Request) *smartsheettest.Fault {
		if writesRows(r) && gone.CompareAndSwap(false, true) {
			webhooktest.Must(t, w.Sim.As(w.Jane).DeleteRows(w.Sheet.ID, ids[1]))
		}
		return nil
	}, requests...)
	answers := w.answers("acme")
	for i, want := range []events.Code{"", events.CodeGone, events.CodeCheckFailed, "", ""} {
		if got := answers[fmt.Sprintf("w%d", i)]; len(got) != 1 || got[0].Code != want {
			t.Errorf("w%d: got %+v, want code %q", i, got, want)
		}
	}
	if got := w.sent(); got != 1 {
		t.Errorf("they were made with %d requests, want 1", got)
	}
	snap, _ := w.Sim.Snapshot(w.Sheet.ID)
	for i, want := range map[int]string{0: "10", 2: "1", 3: "13", 4: "14"} {
		if got := fmt.Sprint(cellsOf(snap, ids[i])["Qty"]); got != want {
			t.Errorf("row %d: got %s, want %s", i, got, want)
		}
	}
	w.Settle()
	w.Check("acme")
}

// TestWritesTooFast refuses what is more than the share takes in a minute, wherever
// the minute begins.
func TestWritesTooFast(t *testing.T) {
	w := newWriting(t, webhooktest.Options{}, writable("acme", func(r *events.Request) { r.Write.PerMinute = 5 }))
	w.endEngine()
	w.startEngine()
	codes := map[events.Code]int{}
	for i := range 8 {
		codes[w.ask("acme", "orders", `"op":"create","set":{"no":"N-%d","status":"Open"}`, i).Code]++
		if i == 3 { // another process goes on counting
			w.endEngine()
			w.startEngine()
		}
	}
	if codes[""] != 5 || codes[events.CodeTooFast] != 3 {
		t.Errorf("got %v, want 5 done and 3 refused for being too many", codes)
	}
	if snap, _ := w.Sim.Snapshot(w.Sheet.ID); len(snap.Rows) != 7 {
		t.Errorf("got %d rows, want 5 more than two", len(snap.Rows))
	}
}

// TestWriteIDsAfterRestart sends the same request once more when the whole bridge was
// started again.
func TestWriteIDsAfterRestart(t *testing.T) {
	w := newWriting(t, webhooktest.Options{}, writable("acme", nil))
	request := fmt.Sprintf(`{"id":"po-1","op":"update","row":"%d","expect":{"status":"Open"},"set":{"status":"Done"}}`, w.Sheet.Rows[0])
	w.send("acme", "erp", "orders", request)
	first := w.answer("acme", "po-1", 1)
	w.endEngine()
	w.Restart()
	w.startEngine()
	w.Edit(0, webhooktest.Cells{"Status": "Open"})
	version := w.version()
	w.send("acme", "erp", "orders", request)
	if second := w.answer("acme", "po-1", 2); first.Result != events.ResultDone || second.Result != first.Result || second.Version != first.Version {
		t.Errorf("got %+v and %+v, want the same answer", first, second)
	}
	w.send("acme", "erp", "orders", strings.ReplaceAll(request, "Done", "Draft"))
	if third := w.answer("acme", "po-1", 3); third.Code != events.CodeIDReused || w.version() != version {
		t.Errorf("another request: got %+v and version %d, want %s and %d", third, w.version(), events.CodeIDReused, version)
	}
}

// rowEvents are the origins of a partner's events of rows since the first load, with
// the writes that they name, by row.
func (w *writing) rowEvents(name string) map[string][]string {
	w.T.Helper()
	byRow := map[string][]string{}
	for _, m := range w.Stream(name) {
		var e struct {
			Data struct {
				Row         struct{ ID string }
				Origin      events.Origin
				Write       string
				ChangeAgent []string
			}
		}
		if !strings.HasPrefix(m.Type, "sheetbridge.row.") {
			continue
		}
		webhooktest.Must(w.T, json.Unmarshal(m.Raw, &e))
		if e.Data.ChangeAgent != nil {
			w.T.Errorf("%s is told of agents: %s", name, m.Raw)
		}
		if m.Sequence > w.SeenTo[name] {
			byRow[e.Data.Row.ID] = append(byRow[e.Data.Row.ID], strings.TrimSpace(string(e.Data.Origin)+" "+e.Data.Write))
		}
	}
	return byRow
}

// TestMergedWritesAreToldApart makes writes of two partners to several rows in one
// request. Each row's one event names the write that made it to whom that belongs, and to
// the other it is a change like any other. The callback that names them all adds nothing.
func TestMergedWritesAreToldApart(t *testing.T) {
	w := newWriting(t, webhooktest.Options{}, writable("acme", nil), writable("bolt", nil))
	rows := slices.Repeat([]smartsheettest.Row{{Cells: webhooktest.Cells{"No": "N", "Status": "Open", "Qty": 1}}}, 6)
	ids, err := w.Sim.As(w.Jane).AddRows(w.Sheet.ID, rows...)
	webhooktest.Must(t, err)
	w.send("bolt", "erp", "orders", `{"id":"warm","op":"update","row":"1","expect":{"qty":1},"set":{"qty":2}}`)
	w.answer("bolt", "warm", 1)
	w.Settle()
	for _, name := range []string{"acme", "bolt"} {
		w.SeenTo[name] = webhooktest.Last(w.Stream(name))
	}
	writers := []string{"acme", "bolt"}
	w.togetherOf(nil, func() {
		for i, id := range ids {
			w.send(writers[i%2], "erp", "orders", fmt.Sprintf(`{"id":"m-%d","op":"update","row":"%d","expect":{"status":"Open"},"set":{"qty":%d}}`, i, id, 10+i))
		}
	}, len(ids))
	if got := w.sent(); got != 1 {
		t.Errorf("got %d requests, want one for all", got)
	}
	w.Settle()
	for _, reader := range writers {
		got := w.rowEvents(reader)
		for i, id := range ids {
			want := "callback"
			if writers[i%2] == reader {
				want = fmt.Sprintf("write m-%d", i)
			}
			if got := got[webhooktest.FormatID(id)]; !slices.Equal(got, []string{want}) {
				t.Errorf("row %d for %s: got %q, want one event of %q", i, reader, got, want)
			}
		}
	}
	w.Check(writers...)
}

// TestWritesToOneRow has two partners and one of them twice write to one row at once:
// one after the other, each by the row as the one before left it.
func TestWritesToOneRow(t *testing.T) {
	w := newWriting(t, webhooktest.Options{}, writable("acme", nil), writable("bolt", nil))
	row := w.Sheet.Rows[0]
	w.send("bolt", "erp", "orders", `{"id":"warm","op":"update","row":"1","expect":{"qty":1},"set":{"qty":2}}`)
	w.answer("bolt", "warm", 1)
	w.togetherOf(nil, func() {
		w.send("acme", "erp", "orders", fmt.Sprintf(`{"id":"a-1","op":"update","row":"%d","expect":{"status":"Open"},"set":{"status":"Done"}}`, row))
		w.send("bolt", "erp", "orders", fmt.Sprintf(`{"id":"b-1","op":"update","row":"%d","expect":{"status":"Open"},"set":{"status":"Waiting"}}`, row))
		w.send("acme", "shop", "orders", fmt.Sprintf(`{"id":"a-2","op":"update","row":"%d","expect":{"status":"Done"},"set":{"qty":8}}`, row))
	}, 3)
	a1, b1, a2 := w.answer("acme", "a-1", 1), w.answer("bolt", "b-1", 1), w.answer("acme", "a-2", 1)
	lost := 0
	for _, d := range []events.WriteData{a1, b1} {
		if d.Code == events.CodeConflict {
			lost++
		}
	}
	if lost != 1 || a1.Result == events.ResultDone && a2.Result != events.ResultDone {
		t.Errorf("got %+v, %+v and %+v: want one of the first two to find a conflict", a1, b1, a2)
	}
	w.Settle()
	if cells := w.row(0); a1.Result == events.ResultDone && (cells["Status"] != "Done" || cells["Qty"] != json.Number("8")) {
		t.Errorf("got %v in the sheet", cells)
	}
	w.Check("acme", "bolt")
	last := w.rowEvents("acme")[webhooktest.FormatID(row)]
	if a2.Result == events.ResultDone && (len(last) == 0 || last[len(last)-1] != "write a-2") {
		t.Errorf("got events of %q, want the last one to be of a-2", last)
	}
}
