package webhook_test

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/smartsheet/smartsheettest"
	"github.com/sheetbridge/sheetbridge/webhook/inbox"
)

// margins shows what shares of these tests stop showing.
func margins(partner string) events.Request {
	return events.Request{Partner: partner, Columns: columns("No", "Margin")}
}

// putShare changes a share of the orders, and waits for nothing.
func (w *world) putShare(partner string, request events.Request) {
	w.t.Helper()
	must(w.t, w.registrar.PutShare(w.t.Context(), w.reg.ID, partner, "orders", request, true))
}

// has tells whether any message of a partner's stream has the word.
func (b *bridge) has(partner, word string) bool {
	b.t.Helper()
	for _, m := range b.stream(partner) {
		if bytes.Contains(m.Raw, []byte(word)) {
			return true
		}
	}
	return false
}

// TestRemovedInTheMiddleOfAPass: once the change of a share is answered, nothing
// that it removes is published, also by a pass that was reading before.
func TestRemovedInTheMiddleOfAPass(t *testing.T) {
	t.Parallel()
	for name, whole := range map[string]bool{"rows": false, "the sheet": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, options{maxPage: 20 << 10}, margins("acme"))
			g := w.hold(func(r *http.Request) bool {
				q := r.URL.Query()
				return q.Get("page") != "" && q.Get("page") != "1" && q.Get("pageSize") != "0" || q.Get("rowIds") != ""
			})
			const rows = 300
			if whole {
				w.sim.SetCallbackFault(func(smartsheettest.Callback) smartsheettest.CallbackFault { return smartsheettest.Drop })
			}
			var added []smartsheettest.Row
			for i := range rows {
				added = append(added, smartsheettest.Row{Cells: cells{"No": fmt.Sprint("N-", i), "Margin": fmt.Sprint("canary-", i, strings.Repeat("x", 50))}})
			}
			_, err := w.sim.As(w.jane).AddRows(w.sheet.ID, added...)
			must(t, err)
			if whole {
				must(t, w.sim.Wait(t.Context()))
				w.sim.SetCallbackFault(nil)
				must(t, w.inbox.Put(t.Context(), &inbox.Hint{Registration: w.reg.ID, Why: inbox.WhyReconcile, Whole: true, Full: true}))
			}
			w.waitFor("a pass has asked for rows", func() bool { return g.holding() > 0 })
			w.putShare("acme", events.Request{Columns: columns("No")})
			answered := last(w.stream("acme"))
			g.release()
			w.settle()
			for _, m := range w.stream("acme") {
				if m.Sequence > answered && bytes.Contains(m.Raw, []byte("canary")) {
					t.Fatalf("message %d, stored after the change was answered, has the removed column: %s", m.Sequence, m.Raw)
				}
			}
			w.hides("acme", "canary")
			w.check("acme")
		})
	}
}

// TestRemovedInTheMiddleOfAPage: a pass that is publishing many rows when the change
// of the share is answered publishes no more of them than it had sent already.
func TestRemovedInTheMiddleOfAPage(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{}, everything())
	foreign := foreignNATS(t, t.TempDir(), -1, 1<<20)
	l := newLink(t, strings.TrimPrefix(foreign.ClientURL(), "nats://"))
	w.addExternal(t, "bolt", "nats://"+l.address)
	w.register("ops", w.sheet.ID, margins("bolt"))
	direct := streamInfo(t, foreign.ClientURL())
	w.sim.SetCallbackFault(func(smartsheettest.Callback) smartsheettest.CallbackFault { return smartsheettest.Drop })
	const rows, most = 2000, 1000
	for range rows / 500 {
		added := make([]smartsheettest.Row, 500)
		for i := range added {
			added[i].Cells = cells{"No": fmt.Sprint("N-", i), "Margin": fmt.Sprint("canary-", i)}
		}
		_, err := w.sim.As(w.jane).AddRows(w.sheet.ID, added...)
		must(t, err)
	}
	must(t, w.sim.Wait(t.Context()))
	w.sim.SetCallbackFault(nil)
	before := direct()
	must(t, w.inbox.Put(t.Context(), &inbox.Hint{Registration: w.reg.ID, Why: inbox.WhyReconcile, Whole: true, Full: true}))
	w.waitFor("some rows are published", func() bool { return direct() > before+10 })
	l.hold()
	w.putShare("bolt", events.Request{Columns: columns("No")})
	answered := direct()
	l.release()
	w.settle()
	all, late := w.stream("bolt"), 0
	revised := uint64(0)
	for _, m := range all {
		if m.Type == events.SchemaChanged {
			revised = m.Sequence
		}
	}
	left := false
	for _, m := range all {
		left = left || bytes.Contains(m.Raw, []byte("canary"))
	}
	// What was published of them is gone by now: their number is that of the sequences.
	if late = int(revised) - int(answered); late > most {
		t.Errorf("%d messages were stored between the answer and the new schema, want no more than those that were on their way", late)
	}
	t.Logf("%d rows, %d messages before the change was answered, %d after it before the new schema", rows, answered-before, late)
	if left {
		t.Error("the removed column is still readable")
	}
	w.check("acme", "bolt")
}

// streamInfo returns the last sequence of a partner's stream over a connection that
// nobody holds up.
func streamInfo(t *testing.T, url string) func() uint64 {
	t.Helper()
	nc, err := nats.Connect(url)
	must(t, err)
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	must(t, err)
	return func() uint64 {
		s, err := js.Stream(t.Context(), "EVENTS")
		must(t, err)
		return s.CachedInfo().State.LastSeq
	}
}

// fill edits a row until the partner's stream takes no more.
func (w *world) fill(partner string) {
	w.t.Helper()
	w.limit(partner, 64<<10)
	for i := range 60 {
		w.edit(0, cells{"Margin": "canary-" + strings.Repeat(string(rune('a'+i%26)), 3900)})
		w.passed(func(string) bool { return true })
		if w.partners.Full(partner) {
			return
		}
	}
	w.t.Fatal("the stream does not become full")
}

// TestFullStreamIsNarrowed: what a share shows no longer is not readable any more
// soon after the change, also where the stream takes no event.
func TestFullStreamIsNarrowed(t *testing.T) {
	t.Parallel()
	for name, to := range map[string]events.Request{
		"by what is stored": {Columns: columns("No")},
		"by a reading":      {Columns: columns("No", "Qty")},
		"by a filter":       {Columns: columns("No"), Where: `cells["Qty"] == 5`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, options{}, everything(), margins("bolt"))
			w.fill("bolt")
			w.putShare("bolt", to)
			w.waitFor("the removed column is not readable", func() bool { return !w.has("bolt", "canary") })
			w.waitFor("the share is live", func() bool { return statusOf(w.stream("bolt"), "orders").State == events.StateLive })
			w.settle()
			w.check("acme", "bolt")
		})
	}
}

// TestFullOfOthersIsNarrowed is the same where another share fills the stream, so
// that taking back makes little room: none at all, or enough for the schema and not
// for the rows.
func TestFullOfOthersIsNarrowed(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		to   events.Request
		room int64
	}{
		"by what is stored":                {events.Request{Columns: columns("No", "Qty")}, 0},
		"by a reading":                     {events.Request{Columns: columns("No", "Status")}, 0},
		"by what is stored, with a schema": {events.Request{Columns: columns("No", "Qty")}, 6 << 10},
		"by a reading, with a schema":      {events.Request{Columns: columns("No", "Status")}, 6 << 10},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, options{}, events.Request{Partner: "bolt", Columns: columns("No", "Qty", "Margin")})
			many := make([]smartsheettest.Row, 40)
			for i := range many {
				many[i].Cells = cells{"No": fmt.Sprint("N-", i), "Margin": fmt.Sprint("secret-", i), "Qty": i}
			}
			_, err := w.sim.As(w.jane).AddRows(w.sheet.ID, many...)
			must(t, err)
			w.settle()
			w.fillWithOthers("bolt", 120<<10)
			if tt.room > 0 {
				w.limit("bolt", 120<<10+tt.room)
			}
			w.putShare("bolt", tt.to)
			w.waitFor("the removed column is not readable", func() bool { return !w.has("bolt", "secret") })
			must(t, w.registrar.EndShare(t.Context(), w.reg.ID, "bolt", "orders"))
			w.waitFor("the share has ended", func() bool { return w.registry.Share("bolt", "orders") == nil })
			for _, m := range w.stream("bolt") {
				if share, rest := shareOf(m.Subject); share == "smartsheet.bolt.orders" && rest != "status" {
					t.Errorf("message %d (%s) is left of a share that ended", m.Sequence, m.Subject)
				}
			}
		})
	}
}

// fillWithOthers has another sheet's share fill the partner's stream.
func (w *world) fillWithOthers(partner string, limit int64) {
	w.t.Helper()
	sheet, err := w.sim.AddSheet(smartsheettest.SheetSpec{
		Name: "Filler", Owner: w.jane, Columns: []smartsheettest.Column{{Title: "No"}, {Title: "Margin"}},
		Rows: []smartsheettest.Row{{Cells: cells{"No": "F"}}},
	})
	must(w.t, err)
	filler := margins(partner)
	filler.Sheet = "filler"
	w.register("ops", sheet.ID, filler)
	w.limit(partner, limit)
	for i := 0; !w.partners.Full(partner); i++ {
		row := smartsheettest.Row{ID: sheet.Rows[0], Cells: cells{"Margin": fmt.Sprint(i, strings.Repeat("f", 900))}}
		must(w.t, w.sim.As(w.jane).UpdateRows(sheet.ID, row))
		w.passed(func(string) bool { return true })
	}
}

// TestFullStreamIsEnded: a share whose stream takes no event ends, and its
// registration is deleted.
func TestFullStreamIsEnded(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(w *world) error{
		"share":        func(w *world) error { return w.registrar.EndShare(w.t.Context(), w.reg.ID, "bolt", "orders") },
		"registration": func(w *world) error { w.delete(); return nil },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, options{}, everything(), margins("bolt"))
			w.fill("bolt")
			must(t, end(w))
			w.waitFor("the share has ended", func() bool { return w.registry.Share("bolt", "orders") == nil })
			w.hides("bolt", "canary", "SO-")
			if s := statusOf(w.stream("bolt"), "orders"); s.State != events.StateEnded {
				t.Errorf("got status %s, want ended", s.State)
			}
		})
	}
}

// addAway shares the sheet with a partner whose own server then goes away, and
// returns how to bring that back.
func (w *world) addAway(partner string) (comesBack func()) {
	w.t.Helper()
	dir := w.t.TempDir()
	server := foreignNATS(w.t, dir, -1, 1<<20)
	w.addExternal(w.t, partner, server.ClientURL())
	w.register("ops", w.sheet.ID, margins(partner))
	var port int
	_, err := fmt.Sscanf(server.ClientURL(), "nats://127.0.0.1:%d", &port)
	must(w.t, err)
	server.Shutdown()
	server.WaitForShutdown()
	return func() {
		foreignNATS(w.t, dir, port, 1<<20)
		w.partners.Forget(partner)
	}
}

// TestNarrowedWhileAPartnerIsAway: the change is answered at once, and followed when
// the partner is back.
func TestNarrowedWhileAPartnerIsAway(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{}, everything())
	comesBack := w.addAway("bolt")
	w.putShare("bolt", events.Request{Columns: columns("No", "Qty")})
	w.edit(0, cells{"Qty": 8})
	w.waitFor("the other partner gets an edit", func() bool { return w.shows("acme", "8") })
	comesBack()
	w.waitFor("the share is live", func() bool {
		all := w.stream("bolt")
		return kinds(all, 0)["schema.changed"] > 0 && statusOf(all, "orders").State == events.StateLive && !w.has("bolt", "canary")
	})
	w.settle()
	w.check("acme", "bolt")
}

// TestDeletedWhileAPartnerIsAway: the registration goes at once; the share of the
// partner that is away ends when it is back.
func TestDeletedWhileAPartnerIsAway(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{}, everything())
	comesBack := w.addAway("bolt")
	w.delete()
	if got := len(w.sim.Webhooks()); got != 0 || w.registry.Registration(w.reg.ID) != nil {
		t.Errorf("got %d webhooks and registration %v, want none", got, w.registry.Registration(w.reg.ID))
	}
	w.waitFor("the other partner's share has ended", func() bool { return w.registry.Share("acme", "orders") == nil })
	if w.registry.Share("bolt", "orders") == nil {
		t.Error("the share of the partner that is away is gone, though nobody has purged it")
	}
	comesBack()
	w.waitFor("the share of the partner that was away has ended", func() bool { return w.registry.Share("bolt", "orders") == nil })
	w.hides("bolt", "canary", "SO-")
	if s := statusOf(w.stream("bolt"), "orders"); s.State != events.StateEnded {
		t.Errorf("got status %s, want ended", s.State)
	}
}
