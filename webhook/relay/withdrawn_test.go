package relay_test

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/events/stream"
	"github.com/sheetbridge/sheetbridge/smartsheet/smartsheettest"
	"github.com/sheetbridge/sheetbridge/webhook/inbox"
	"github.com/sheetbridge/sheetbridge/webhook/webhooktest"
)

// TestRemovedInTheMiddleOfAPass: once the change of a share is answered, nothing
// that it removes is published, also by a pass that was reading before.
func TestRemovedInTheMiddleOfAPass(t *testing.T) {
	t.Parallel()
	for name, whole := range map[string]bool{"rows": false, "the sheet": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := webhooktest.NewWorld(t, webhooktest.Options{MaxPage: 20 << 10}, webhooktest.Margins("acme"))
			g := w.Hold(func(r *http.Request) bool {
				q := r.URL.Query()
				return q.Get("page") != "" && q.Get("page") != "1" && q.Get("pageSize") != "0" || q.Get("rowIds") != ""
			})
			const rows = 300
			if whole {
				w.Sim.SetCallbackFault(func(smartsheettest.Callback) smartsheettest.CallbackFault { return smartsheettest.Drop })
			}
			var added []smartsheettest.Row
			for i := range rows {
				added = append(added, smartsheettest.Row{Cells: webhooktest.Cells{"No": fmt.Sprint("N-", i), "Margin": fmt.Sprint("canary-", i, strings.Repeat("x", 50))}})
			}
			_, err := w.Sim.As(w.Jane).AddRows(w.Sheet.ID, added...)
			webhooktest.Must(t, err)
			if whole {
				webhooktest.Must(t, w.Sim.Wait(t.Context()))
				w.Sim.SetCallbackFault(nil)
				webhooktest.Must(t, w.Inbox.Put(t.Context(), &inbox.Hint{Registration: w.Reg.ID, Why: inbox.WhyReconcile, Whole: true, Full: true}))
			}
			w.Await("a pass has asked for rows", func() bool { return g.Holding() > 0 })
			w.PutShare("acme", events.Request{Columns: webhooktest.Columns("No")})
			answered := webhooktest.Last(w.Stream("acme"))
			g.Release()
			w.SettleDeferred() // a busy machine's NATS may not answer in time
			for _, m := range w.Stream("acme") {
				if m.Sequence > answered && bytes.Contains(m.Raw, []byte("canary")) {
					t.Fatalf("message %d, stored after the change was answered, has the removed column: %s", m.Sequence, m.Raw)
				}
			}
			w.WantNoWords("acme", "canary")
			w.Check("acme")
		})
	}
}

// TestRemovedInTheMiddleOfAPage: a pass that is publishing many rows when the change
// of the share is answered publishes no more of them than it had sent already.
func TestRemovedInTheMiddleOfAPage(t *testing.T) {
	t.Parallel()
	w := webhooktest.NewWorld(t, webhooktest.Options{}, webhooktest.Everything())
	foreign := webhooktest.ForeignNATS(t, t.TempDir(), -1, 1<<20)
	l := webhooktest.NewLink(t, strings.TrimPrefix(foreign.ClientURL(), "nats://"))
	w.AddExternal(t, "bolt", "nats://"+l.Address)
	w.Register("ops", w.Sheet.ID, webhooktest.Margins("bolt"))
	direct := streamInfo(t, foreign.ClientURL())
	w.Sim.SetCallbackFault(func(smartsheettest.Callback) smartsheettest.CallbackFault { return smartsheettest.Drop })
	const rows, most = 2000, stream.MaxBatch
	for range rows / 500 {
		added := make([]smartsheettest.Row, 500)
		for i := range added {
			added[i].Cells = webhooktest.Cells{"No": fmt.Sprint("N-", i), "Margin": fmt.Sprint("canary-", i)}
		}
		_, err := w.Sim.As(w.Jane).AddRows(w.Sheet.ID, added...)
		webhooktest.Must(t, err)
	}
	webhooktest.Must(t, w.Sim.Wait(t.Context()))
	w.Sim.SetCallbackFault(nil)
	before := direct()
	webhooktest.Must(t, w.Inbox.Put(t.Context(), &inbox.Hint{Registration: w.Reg.ID, Why: inbox.WhyReconcile, Whole: true, Full: true}))
	w.Await("some rows are published", func() bool { return direct() > before+10 })
	l.Hold()
	w.PutShare("bolt", events.Request{Columns: webhooktest.Columns("No")})
	answered := direct()
	l.Release()
	w.SettleDeferred() // a busy machine's NATS may not answer in time
	all, late := w.Stream("bolt"), 0
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
	// What was published of them is gone by now: their number is that of the sequences
	// between, without the schema itself. One batch at most was on its way.
	if late = int(revised) - int(answered) - 1; late > most {
		t.Errorf("%d messages were stored between the answer and the new schema, want no more than those that were on their way", late)
	}
	t.Logf("%d rows, %d messages before the change was answered, %d after it before the new schema", rows, answered-before, late)
	if left {
		t.Error("the removed column is still readable")
	}
	w.Check("acme", "bolt")
}

// streamInfo returns the last sequence of a partner's stream over a connection that
// nobody holds up.
func streamInfo(t *testing.T, url string) func() uint64 {
	t.Helper()
	nc, err := nats.Connect(url)
	webhooktest.Must(t, err)
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	webhooktest.Must(t, err)
	return func() uint64 {
		s, err := js.Stream(t.Context(), "EVENTS")
		webhooktest.Must(t, err)
		return s.CachedInfo().State.LastSeq
	}
}

// TestFullStreamIsNarrowed: what a share shows no longer is not readable any more
// soon after the change, also where the stream takes no event.
func TestFullStreamIsNarrowed(t *testing.T) {
	t.Parallel()
	for name, to := range map[string]events.Request{
		"by what is stored": {Columns: webhooktest.Columns("No")},
		"by a reading":      {Columns: webhooktest.Columns("No", "Qty")},
		"by a filter":       {Columns: webhooktest.Columns("No"), Where: `cells["Qty"] == 5`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := webhooktest.NewWorld(t, webhooktest.Options{}, webhooktest.Everything(), webhooktest.Margins("bolt"))
			w.Fill("bolt")
			w.PutShare("bolt", to)
			w.Await("the removed column is not readable", func() bool { return !w.StreamHas("bolt", "canary") })
			w.Await("the share is live", func() bool { return webhooktest.StatusOf(w.Stream("bolt"), "orders").State == events.StateLive })
			w.Settle()
			w.Check("acme", "bolt")
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
		"by what is stored":                {events.Request{Columns: webhooktest.Columns("No", "Qty")}, 0},
		"by a reading":                     {events.Request{Columns: webhooktest.Columns("No", "Status")}, 0},
		"by what is stored, with a schema": {events.Request{Columns: webhooktest.Columns("No", "Qty")}, 6 << 10},
		"by a reading, with a schema":      {events.Request{Columns: webhooktest.Columns("No", "Status")}, 6 << 10},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := webhooktest.NewWorld(t, webhooktest.Options{}, events.Request{Partner: "bolt", Columns: webhooktest.Columns("No", "Qty", "Margin")})
			many := make([]smartsheettest.Row, 40)
			for i := range many {
				many[i].Cells = webhooktest.Cells{"No": fmt.Sprint("N-", i), "Margin": fmt.Sprint("secret-", i), "Qty": i}
			}
			_, err := w.Sim.As(w.Jane).AddRows(w.Sheet.ID, many...)
			webhooktest.Must(t, err)
			w.Settle()
			w.FillWithOthers("bolt", 120<<10)
			if tt.room > 0 {
				w.Limit("bolt", 120<<10+tt.room)
			}
			w.PutShare("bolt", tt.to)
			w.Await("the removed column is not readable", func() bool { return !w.StreamHas("bolt", "secret") })
			webhooktest.Must(t, w.Registrar.EndShare(t.Context(), w.Reg.ID, "bolt", "orders"))
			w.Await("the share has ended", func() bool { return w.Registry.Share("bolt", "orders") == nil })
			for _, m := range w.Stream("bolt") {
				if share, rest := webhooktest.ShareOf(m.Subject); share == "smartsheet.bolt.orders" && rest != "status" {
					t.Errorf("message %d (%s) is left of a share that ended", m.Sequence, m.Subject)
				}
			}
		})
	}
}

// TestFullStreamIsEnded: a share whose stream takes no event ends, and its
// registration is deleted.
func TestFullStreamIsEnded(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(w *webhooktest.World) error{
		"share": func(w *webhooktest.World) error {
			return w.Registrar.EndShare(w.T.Context(), w.Reg.ID, "bolt", "orders")
		},
		"registration": func(w *webhooktest.World) error { w.Delete(); return nil },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := webhooktest.NewWorld(t, webhooktest.Options{}, webhooktest.Everything(), webhooktest.Margins("bolt"))
			w.Fill("bolt")
			webhooktest.Must(t, end(w))
			w.Await("the share has ended", func() bool { return w.Registry.Share("bolt", "orders") == nil })
			w.WantNoWords("bolt", "canary", "SO-")
			if s := webhooktest.StatusOf(w.Stream("bolt"), "orders"); s.State != events.StateEnded {
				t.Errorf("got status %s, want ended", s.State)
			}
		})
	}
}

// TestNarrowedWhileAPartnerIsAway: the change is answered at once, and followed when
// the partner is back.
func TestNarrowedWhileAPartnerIsAway(t *testing.T) {
	t.Parallel()
	w := webhooktest.NewWorld(t, webhooktest.Options{}, webhooktest.Everything())
	comesBack := w.AddPartnerThatGoesAway("bolt")
	w.PutShare("bolt", events.Request{Columns: webhooktest.Columns("No", "Qty")})
	w.Edit(0, webhooktest.Cells{"Qty": 8})
	w.Await("the other partner gets an edit", func() bool { return w.LastEventHas("acme", "8") })
	comesBack()
	w.Await("the share is live", func() bool {
		all := w.Stream("bolt")
		return webhooktest.Kinds(all, 0)["schema.changed"] > 0 && webhooktest.StatusOf(all, "orders").State == events.StateLive && !w.StreamHas("bolt", "canary")
	})
	w.Settle()
	w.Check("acme", "bolt")
}

// TestDeletedWhileAPartnerIsAway: the registration goes at once; the share of the
// partner that is away ends when it is back.
func TestDeletedWhileAPartnerIsAway(t *testing.T) {
	t.Parallel()
	w := webhooktest.NewWorld(t, webhooktest.Options{}, webhooktest.Everything())
	comesBack := w.AddPartnerThatGoesAway("bolt")
	w.Delete()
	if got := len(w.Sim.Webhooks()); got != 0 || w.Registry.Registration(w.Reg.ID) != nil {
		t.Errorf("got %d webhooks and registration %v, want none", got, w.Registry.Registration(w.Reg.ID))
	}
	w.Await("the other partner's share has ended", func() bool { return w.Registry.Share("acme", "orders") == nil })
	if w.Registry.Share("bolt", "orders") == nil {
		t.Error("the share of the partner that is away is gone, though nobody has purged it")
	}
	comesBack()
	w.Await("the share of the partner that was away has ended", func() bool { return w.Registry.Share("bolt", "orders") == nil })
	w.WantNoWords("bolt", "canary", "SO-")
	if s := webhooktest.StatusOf(w.Stream("bolt"), "orders"); s.State != events.StateEnded {
		t.Errorf("got status %s, want ended", s.State)
	}
}
