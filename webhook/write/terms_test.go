package write_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/events/eventstest"
	"github.com/sheetbridge/sheetbridge/events/freeport"
	"github.com/sheetbridge/sheetbridge/smartsheet/smartsheettest"
	"github.com/sheetbridge/sheetbridge/webhook/webhooktest"
)

// newPrepared is a world that is prepared before its sheet is shared.
func newPrepared(t testing.TB, prepare func(*webhooktest.World), requests ...events.Request) *writing {
	t.Helper()
	world := webhooktest.NewWorld(t, webhooktest.Options{})
	prepare(world)
	for _, r := range requests {
		if world.Registry.Partner(r.Partner) == nil {
			world.AddPartner(r.Partner)
		}
	}
	world.Reg = world.Register("ops", world.Sheet.ID, requests...)
	return around(t, world)
}

// addEditor makes an owner who may edit the sheet, and is no admin of it.
func addEditor(w *webhooktest.World, name string) (*smartsheettest.User, string) {
	w.T.Helper()
	user := w.Sim.AddUser(smartsheettest.User{Email: name + "@a.example", Name: name})
	webhooktest.Must(w.T, w.Sim.As(w.Jane).Share(w.Sheet.ID, user, "EDITOR"))
	token := w.Sim.AddToken(user)
	w.AddOwner(name, token)
	return user, token
}

// version is that of the sheet at Smartsheet.
func (w *writing) version() int64 {
	snap, _ := w.Sim.Snapshot(w.Sheet.ID)
	return snap.Version
}

// wantRefused has something refused, and nothing changed by it.
func (w *writing) wantRefused(doing string, code events.Code, field, format string, args ...any) {
	w.T.Helper()
	before := w.version()
	if got := w.ask("acme", "orders", format, args...); got.Code != code || got.Field != field || got.Detail == "" {
		w.T.Errorf("%s: got %+v, want %s %s", doing, got, code, field)
	}
	if after := w.version(); after != before {
		w.T.Errorf("%s: the sheet moved from version %d to %d", doing, before, after)
	}
}

func (w *writing) wantDone(doing, format string, args ...any) events.WriteData {
	w.T.Helper()
	got := w.ask("acme", "orders", format, args...)
	if got.Result != events.ResultDone {
		w.T.Errorf("%s: got %+v, want it done", doing, got)
	}
	return got
}

// writesRows tells whether a request changes rows.
func writesRows(r *http.Request) bool {
	return r.Method != http.MethodGet && strings.HasSuffix(r.URL.Path, "/rows")
}

// TestWriteOfWhatIsLocked has a writer who is no admin, for whom rows and columns may
// be locked.
func TestWriteOfWhatIsLocked(t *testing.T) {
	w := newPrepared(t, func(w *webhooktest.World) { addEditor(w, "writer") },
		writable("acme", func(r *events.Request) { r.Write.Owner = "writer" }))
	row, yes, no := webhooktest.FormatID(w.Sheet.Rows[0]), true, false
	lock := func(locked *bool) {
		webhooktest.Must(t, w.Sim.As(w.Jane).UpdateRows(w.Sheet.ID, smartsheettest.Row{ID: w.Sheet.Rows[0], Locked: locked}))
	}
	lock(&yes)
	w.wantRefused("a locked row", events.CodeLocked, "", `"op":"update","row":%q,"expect":{"status":"Open"},"set":{"qty":4}`, row)
	w.wantRefused("a locked row deleted", events.CodeLocked, "", `"op":"delete","row":%q,"expect":{"status":"Open"}`, row)
	lock(&no)
	column := fmt.Sprintf("sheets/%d/columns/%d", w.Sheet.ID, w.Sheet.Columns["Qty"])
	webhooktest.Must(t, w.Sim.As(w.Jane).Do(http.MethodPut, column, map[string]any{"locked": true}, nil))
	w.wantRefused("a locked column", events.CodeLocked, "qty", `"op":"update","row":%q,"expect":{"status":"Open"},"set":{"qty":4}`, row)
	w.wantRefused("a locked column of a new row", events.CodeLocked, "qty", `"op":"create","set":{"no":"SO-9","status":"Open","qty":4}`)
	w.wantDone("another column", `"op":"update","row":%q,"expect":{"status":"Open"},"set":{"status":"Done"}`, row)

	var once sync.Once
	w.Sim.SetFault(func(r *http.Request) *smartsheettest.Fault { // it is locked after it was read
		if writesRows(r) {
			once.Do(func() { lock(&yes) })
		}
		return nil
	})
	got := w.ask("acme", "orders", `"op":"update","row":%q,"expect":{"status":"Done"},"set":{"status":"Open"}`, row)
	if got.Code != events.CodeLocked || w.row(0)["Status"] != "Done" {
		t.Errorf("locked meanwhile: got %+v, and the row is %v", got, w.row(0))
	}
}

// TestWriteDeletesNoOtherRows refuses to delete a row with others under it, which
// Smartsheet would delete with it.
func TestWriteDeletesNoOtherRows(t *testing.T) {
	w := newWriting(t, webhooktest.Options{}, writable("acme", nil))
	ids, err := w.Sim.As(w.Jane).AddRows(w.Sheet.ID, smartsheettest.Row{ParentID: w.Sheet.Rows[0], Cells: webhooktest.Cells{"No": "SO-1.1", "Status": "Open"}})
	webhooktest.Must(t, err)
	parent, child := webhooktest.FormatID(w.Sheet.Rows[0]), webhooktest.FormatID(ids[0])
	w.wantRefused("a parent", events.CodeNotWritable, "", `"op":"delete","row":%q,"expect":{"status":"Open"}`, parent)
	w.wantDone("the child", `"op":"delete","row":%q,"expect":{"status":"Open"}`, child)
	w.wantDone("a parent no more", `"op":"delete","row":%q,"expect":{"status":"Open"}`, parent)
}

// TestWriteRaced tells the partner that others changed the sheet meanwhile, and of a
// row that is gone.
func TestWriteRaced(t *testing.T) {
	w := newWriting(t, webhooktest.Options{}, writable("acme", nil))
	meanwhile := func(do func()) {
		var once sync.Once
		w.Sim.SetFault(func(r *http.Request) *smartsheettest.Fault {
			if writesRows(r) {
				once.Do(do)
			}
			return nil
		})
	}
	row := webhooktest.FormatID(w.Sheet.Rows[0])
	meanwhile(func() { w.Edit(1, webhooktest.Cells{"Qty": 6}) })
	if got := w.wantDone("raced", `"op":"update","row":%q,"expect":{"status":"Open"},"set":{"qty":4}`, row); !got.Raced || got.Version != w.version() {
		t.Errorf("got %+v, want it raced, and version %d", got, w.version())
	}
	if got := w.wantDone("calm", `"op":"update","row":%q,"expect":{"status":"Open"},"set":{"qty":5}`, row); got.Raced {
		t.Errorf("got %+v, want it not raced", got)
	}
	meanwhile(func() { webhooktest.Must(t, w.Sim.As(w.Jane).DeleteRows(w.Sheet.ID, w.Sheet.Rows[0])) })
	if got := w.ask("acme", "orders", `"op":"update","row":%q,"expect":{"status":"Open"},"set":{"qty":6}`, row); got.Code != events.CodeGone {
		t.Errorf("a row that went: got %+v, want %s", got, events.CodeGone)
	}
}

// TestWriteWithoutWriter has Smartsheet refuse the writer, for the sheet and at all.
func TestWriteWithoutWriter(t *testing.T) {
	var bill *smartsheettest.User
	var token string
	w := newPrepared(t, func(w *webhooktest.World) { bill, token = addEditor(w, "writer") },
		writable("acme", func(r *events.Request) { r.Write.Owner = "writer" }))
	const request = `"op":"update","row":%q,"expect":{"status":"Open"},"set":{"qty":%d}`
	row := webhooktest.FormatID(w.Sheet.Rows[0])
	w.wantDone("an editor", request, row, 4)
	webhooktest.Must(t, w.Sim.As(w.Jane).Share(w.Sheet.ID, bill, "VIEWER"))
	w.wantRefused("a viewer", events.CodeOwnerRefused, "", request, row, 5)
	webhooktest.Must(t, w.Sim.As(w.Jane).Unshare(w.Sheet.ID, bill))
	w.wantRefused("nobody", events.CodeOwnerRefused, "", request, row, 5)
	webhooktest.Must(t, w.Sim.As(w.Jane).Share(w.Sheet.ID, bill, "EDITOR"))
	w.Sim.RevokeToken(token)
	w.wantRefused("a dead token", events.CodeOwnerRefused, "", request, row, 5)
	w.ReplaceToken("writer", w.Sim.AddToken(bill))
	w.wantDone("another token", request, row, 5)
}

// TestWriteWaitsNoLongerThanItsTerms has Smartsheet refuse for now while the share
// changes: what waited is judged by the share as it is then.
func TestWriteWaitsNoLongerThanItsTerms(t *testing.T) {
	w := newWriting(t, webhooktest.Options{}, writable("acme", nil))
	onlyStatus := writable("acme", func(r *events.Request) { r.Write = &events.WriteTerms{Update: []string{"status"}} })
	readOnly := writable("acme", func(r *events.Request) { r.Write = nil })
	for i, test := range []struct {
		name   string
		change func()
		code   events.Code
	}{
		{"another field", func() { w.Put(onlyStatus) }, events.CodeNotWritable},
		{"read only", func() { w.Put(readOnly) }, events.CodeNotWritable},
		{"not shared", func() {
			w.Put(events.Request{Partner: "acme", Columns: webhooktest.Columns("No", "Status"), Write: onlyStatus.Write})
		}, events.CodeNotShared},
		{"ended", func() {
			webhooktest.Must(t, w.Registrar.EndShare(t.Context(), w.Reg.ID, "acme", "orders"))
			w.Settle() // with the share its answers go that are there by then
		}, events.CodeNotShared},
	} {
		if i > 0 {
			w.Put(writable("acme", nil))
		}
		var trying atomic.Bool
		changed := make(chan struct{})
		w.Sim.SetFault(func(r *http.Request) *smartsheettest.Fault {
			if !writesRows(r) {
				return nil
			}
			trying.Store(true)
			select { // no request is on its way when the share has changed
			case <-changed:
			case <-r.Context().Done():
			}
			return &smartsheettest.Fault{Status: http.StatusServiceUnavailable, ErrorCode: 4001}
		})
		before, id := w.version(), fmt.Sprintf("one-%d", i)
		w.send("acme", "erp", "orders", fmt.Sprintf(`{"id":%q,"op":"update","row":%q,"expect":{"status":"Open"},"set":{"qty":4}}`, id, webhooktest.FormatID(w.Sheet.Rows[0])))
		w.Await("the write being tried", trying.Load)
		test.change()
		w.Sim.SetFault(nil)
		close(changed)
		if got := w.answer("acme", id, 1); got.Code != test.code || w.version() != before {
			t.Errorf("%s: got %+v and version %d, want %s and %d", test.name, got, w.version(), test.code, before)
		}
	}
}

// TestWriteByTheTermsOfTheMoment changes the share when the row was read, and nothing
// has been sent yet.
func TestWriteByTheTermsOfTheMoment(t *testing.T) {
	w := newWriting(t, webhooktest.Options{}, writable("acme", nil))
	held := w.Hold(func(r *http.Request) bool { return r.Method == http.MethodGet && r.URL.Query().Has("rowIds") })
	before := w.version()
	w.send("acme", "erp", "orders", fmt.Sprintf(`{"id":"one","op":"update","row":%q,"expect":{"status":"Open"},"set":{"qty":4}}`, webhooktest.FormatID(w.Sheet.Rows[0])))
	w.Await("the row being read", func() bool { return held.Holding() > 0 })
	changed := writable("acme", func(r *events.Request) { r.Write = &events.WriteTerms{Update: []string{"status"}} })
	webhooktest.Must(t, w.Registrar.PutShare(t.Context(), w.Reg.ID, "acme", "orders", changed, true))
	held.Release()
	if got := w.answer("acme", "one", 1); got.Code != events.CodeNotWritable || w.version() != before {
		t.Errorf("got %+v and version %d, want it refused and %d", got, w.version(), before)
	}
}

// tries are the requests to change rows that have reached Smartsheet.
// A fault answers before it is known what they ask for: the path tells.
func (w *writing) tries() (list []smartsheettest.Request) {
	for _, r := range w.Sim.Requests() {
		if r.Method != http.MethodGet && strings.HasSuffix(r.Path, "/rows") {
			list = append(list, r)
		}
	}
	return list
}

// sent is how many those are.
func (w *writing) sent() int { return len(w.tries()) }

// TestWriteKeepsItsTime tries a write until its time has run out, and then makes it no
// more, whatever held it up.
func TestWriteKeepsItsTime(t *testing.T) {
	w := newWriting(t, webhooktest.Options{}, writable("acme", nil))
	before := w.version()
	for _, test := range []struct {
		name  string
		fault smartsheettest.Fault
	}{
		{"busy", smartsheettest.Fault{Status: http.StatusInternalServerError, ErrorCode: 4004}},
		{"down", smartsheettest.Fault{Status: http.StatusServiceUnavailable, ErrorCode: 4001}},
		{"cut off", smartsheettest.Fault{HangUp: true}},
		{"too many requests", smartsheettest.Fault{Status: http.StatusTooManyRequests, ErrorCode: 4003}}, // the last: the budget has to wait then
	} {
		w.Sim.SetFault(func(r *http.Request) *smartsheettest.Fault {
			if writesRows(r) {
				return &test.fault
			}
			return nil
		})
		var tries []smartsheettest.Request
		var until time.Time
		for d := 1500 * time.Millisecond; len(tries) == 0 && d < eventstest.Patience; d *= 2 { // enough to be tried, on this machine
			earlier := w.sent()
			until = time.Now().Add(d)
			got := w.ask("acme", "orders", `"op":"update","row":%q,"expect":{"status":"Open"},"set":{"qty":4},"until":%q`,
				webhooktest.FormatID(w.Sheet.Rows[0]), until.Format(time.RFC3339Nano))
			if got.Code != events.CodeTooLate {
				t.Errorf("%s: got %+v, want %s", test.name, got, events.CodeTooLate)
			}
			tries = w.tries()[earlier:]
		}
		// The last one may have been sent in time and have come later. That none is sent
		// late, the last one included, TestWriteHeldUpPastItsTime and the tests of the guard
		// see.
		for i, r := range tries {
			if i < len(tries)-1 && r.Time.After(until) {
				t.Errorf("%s: try %d of %d was sent at %v, and it was tried again; its time ran out at %v", test.name, i+1, len(tries), r.Time, until)
			}
		}
		if w.version() != before || len(tries) == 0 {
			t.Errorf("%s: got version %d after %d tries, want %d", test.name, w.version(), len(tries), before)
		}
	}
}

// TestWriteBehindAnotherKeepsItsTime has a write wait for an older one to the same row,
// which Smartsheet does not take.
func TestWriteBehindAnotherKeepsItsTime(t *testing.T) {
	w := newWriting(t, webhooktest.Options{}, writable("acme", nil))
	w.Sim.SetFault(func(r *http.Request) *smartsheettest.Fault { return &smartsheettest.Fault{HangUp: true} })
	row := webhooktest.FormatID(w.Sheet.Rows[0])
	w.send("acme", "erp", "orders", fmt.Sprintf(`{"id":"one","op":"update","row":%q,"expect":{"status":"Open"},"set":{"qty":4}}`, row))
	w.send("acme", "erp", "orders", fmt.Sprintf(`{"id":"two","op":"update","row":%q,"expect":{"status":"Open"},"set":{"qty":5},"until":%q}`,
		row, time.Now().Add(time.Second).Format(time.RFC3339Nano)))
	if got := w.answer("acme", "two", 1); got.Code != events.CodeTooLate {
		t.Errorf("got %+v, want %s", got, events.CodeTooLate)
	}
}

// TestWriteHeldUpPastItsTime holds a write right before it is sent, until its time has
// run out.
func TestWriteHeldUpPastItsTime(t *testing.T) {
	w := newWriting(t, webhooktest.Options{}, writable("acme", nil))
	w.endEngine()
	p := &paused{stopped: make(chan struct{}), goOn: make(chan struct{})}
	slow := *w.Access
	slow.HTTP = &http.Client{Transport: p}
	w.Access = &slow
	w.startEngine()
	before := w.version()
	var id string
	var until time.Time
	held := false
	for d := 2 * time.Second; !held && d < eventstest.Patience; d *= 2 { // enough to be about to be sent, on this machine
		id, until = fmt.Sprintf("one-%v", d), time.Now().Add(d)
		w.send("acme", "erp", "orders", fmt.Sprintf(`{"id":%q,"op":"update","row":%q,"expect":{"status":"Open"},"set":{"qty":4},"until":%q}`,
			id, webhooktest.FormatID(w.Sheet.Rows[0]), until.Format(time.RFC3339Nano)))
		w.Await("the write being held or answered", func() bool {
			select {
			case <-p.stopped:
				held = true
			default:
			}
			return held || w.answers("acme")[id] != nil
		})
		if !held {
			if got := w.answer("acme", id, 1); got.Code != events.CodeTooLate {
				t.Fatalf("before it was to be sent: got %+v, want %s", got, events.CodeTooLate)
			}
		}
	}
	if !held {
		t.Fatal("its time was always over before it was to be sent")
	}
	w.Await("its time being over", func() bool { return time.Now().After(until) })
	close(p.goOn)
	if got := w.answer("acme", id, 1); got.Code != events.CodeTooLate || w.version() != before {
		t.Errorf("got %+v and version %d, want %s and %d", got, w.version(), events.CodeTooLate, before)
	}
}

// TestWriteThroughAnotherNATS has a partner whose account is on a server that is not
// ours.
func TestWriteThroughAnotherNATS(t *testing.T) {
	port, err := freeport.Take()
	webhooktest.Must(t, err)
	foreign := webhooktest.ForeignNATS(t, t.TempDir(), port, 1<<20)
	w := newPrepared(t, func(w *webhooktest.World) { w.AddExternal(t, "acme", foreign.ClientURL()) }, writable("acme", nil))
	w.connect("acme", foreign.ClientURL())
	var queue jetstream.StreamConfig
	w.Await("the queue being opened", func() (ok bool) { queue, ok = w.queue("acme"); return ok })
	if queue.MaxAge != 24*time.Hour || queue.Retention != jetstream.WorkQueuePolicy || queue.Discard != jetstream.DiscardNew || queue.Storage != jetstream.FileStorage {
		t.Errorf("got %+v, want a work queue in files that keeps a day and refuses when it is full", queue)
	}
	row := webhooktest.FormatID(w.Sheet.Rows[0])
	w.wantDone("an update", `"op":"update","row":%q,"expect":{"status":"Open"},"set":{"status":"Done"}`, row)
	w.wantRefused("a conflict", events.CodeConflict, "status", `"op":"update","row":%q,"expect":{"status":"Open"},"set":{"qty":9}`, row)
	w.Settle()
	if got := w.wrote("acme"); len(got) != 1 {
		t.Errorf("got events of writes %v, want one", got)
	}
	w.Check("acme")
}
