package relay_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/smartsheet/smartsheettest"
	"github.com/sheetbridge/sheetbridge/webhook/webhooktest"
)

// rowsOf tells whether a request asks for rows.
func rowsOf(r *http.Request) bool {
	q := r.URL.Query()
	return r.Method == http.MethodGet && q.Has("columnIds") && q.Get("pageSize") != "0"
}

// eventsOf are the events of one row after a sequence.
func eventsOf(all []webhooktest.Published, row int64, after uint64) []webhooktest.Published {
	var list []webhooktest.Published
	for _, m := range all {
		if kind, id, ok := events.ParseSubject(m.Subject); ok && kind == events.KindRow && id == row && m.Sequence > after {
			list = append(list, m)
		}
	}
	return list
}

// TestRevisedByAReading: where stored values do not tell what a changed share shows,
// rows that stay are neither taken away nor shown without their values until the
// sheet has been read.
func TestRevisedByAReading(t *testing.T) {
	t.Parallel()
	masked := events.Request{Partner: "acme", Columns: []events.RequestColumn{{Title: "No"}, {Title: "Qty", Mask: "redact"}, {Title: "Margin"}}}
	for name, tt := range map[string]struct {
		from, to events.Request
		want     string // the one event of the row that stays
	}{
		"another filter": {
			from: webhooktest.Undrafted(), to: events.Request{Columns: webhooktest.Columns("No", "Status", "Qty"), Where: `cells["Margin"] == 'canary-margin-1'`},
			want: `{"no":"SO-1","status":"Open","qty":3}`,
		},
		"a mask lifted and a field removed": {
			from: masked, to: events.Request{Columns: webhooktest.Columns("No", "Qty")},
			want: `{"no":"SO-1","qty":3}`,
		},
		"a field added and one removed": {
			from: webhooktest.Margins("acme"), to: events.Request{Columns: webhooktest.Columns("No", "Status")},
			want: `{"no":"SO-1","status":"Open"}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := webhooktest.NewWorld(t, webhooktest.Options{}, tt.from)
			w.Edit(0, webhooktest.Cells{"Margin": "canary-margin-1b"}) // and back: the row has a history
			w.Settle()
			w.Edit(0, webhooktest.Cells{"Margin": "canary-margin-1"})
			w.Settle()
			w.SeenTo["acme"] = webhooktest.Last(w.Stream("acme"))
			g := w.Hold(rowsOf)
			w.PutShare("acme", tt.to)
			w.Await("the rows are asked for", func() bool { return g.Holding() > 0 })
			for _, m := range eventsOf(w.Stream("acme"), w.Sheet.Rows[0], w.SeenTo["acme"]) {
				t.Errorf("before the sheet was read: got %s: %s", m.Type, m.Raw)
			}
			g.Release()
			w.Settle()
			got := eventsOf(w.Stream("acme"), w.Sheet.Rows[0], w.SeenTo["acme"])
			if len(got) != 1 || got[0].Type != events.RowUpdated || webhooktest.Objects(got, 0)[0] != `row.updated share null->`+tt.want {
				t.Errorf("got %v of the row that stays, want it updated once to %s", webhooktest.Objects(got, 0), tt.want)
			}
			w.WantNoWords("acme", "canary")
			w.Check("acme")
			if s := webhooktest.StatusOf(w.Stream("acme"), "orders"); s.State != events.StateLive {
				t.Errorf("got status %s, want live", s.State)
			}
		})
	}
}

// TestRevisedWithoutAReading: where no reading succeeds in time, the stored values
// decide; what they do not tell comes with the next reading.
func TestRevisedWithoutAReading(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		from, to events.Request
		gone     bool // the row, since nobody knows whether it may be shown
	}{
		"a filter of what is not stored": {webhooktest.Undrafted(), events.Request{Columns: webhooktest.Columns("No", "Qty"), Where: `cells["Margin"] == 'canary-margin-1'`}, true},
		"a field added and one removed":  {webhooktest.Margins("acme"), events.Request{Columns: webhooktest.Columns("No", "Status")}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := webhooktest.NewWorld(t, webhooktest.Options{NoRelay: true}, tt.from)
			w.Relay.StoredAfter = time.Second
			w.StartRelay()
			w.SettleAll()
			was := webhooktest.Last(w.Stream("acme"))
			w.Sim.SetFault(func(r *http.Request) *smartsheettest.Fault {
				if rowsOf(r) {
					return &smartsheettest.Fault{Status: http.StatusServiceUnavailable, ErrorCode: 4001}
				}
				return nil
			})
			w.PutShare("acme", tt.to)
			w.Await("the stored values have decided", func() bool { return len(eventsOf(w.Stream("acme"), w.Sheet.Rows[0], was)) > 0 })
			w.Await("the removed values are not readable", func() bool { return !w.StreamHas("acme", "canary") })
			now := lastOf(eventsOf(w.Stream("acme"), w.Sheet.Rows[0], was))
			if (now.Data.After == nil) != tt.gone || !tt.gone && !strings.Contains(string(now.Raw), "SO-1") {
				t.Errorf("got %s of the row, want it gone: %v", now.Raw, tt.gone)
			}
			w.Sim.SetFault(nil)
			w.Await("the sheet was read at last", func() bool { return webhooktest.StatusOf(w.Stream("acme"), "orders").State == events.StateLive })
			w.SettleAll()
			w.Check("acme")
			w.WantNoWords("acme", "canary")
		})
	}
}

func lastOf(list []webhooktest.Published) webhooktest.Published { return list[len(list)-1] }

// TestRevisedTwice: a definition that comes while the one before still waits for a
// reading is not judged by it: what is stored is of neither.
func TestRevisedTwice(t *testing.T) {
	t.Parallel()
	w := webhooktest.NewWorld(t, webhooktest.Options{}, webhooktest.Margins("acme"))
	g := w.Hold(rowsOf)
	hidden := events.RequestColumn{Title: "Margin", Mask: "redact"}
	w.PutShare("acme", events.Request{Columns: append(webhooktest.Columns("No", "Qty"), hidden)})
	w.Await("the rows are asked for", func() bool { return g.Holding() > 0 })
	first := webhooktest.Last(w.Stream("acme"))
	w.PutShare("acme", events.Request{Columns: append(webhooktest.Columns("No"), hidden)})
	g.Release()
	w.Settle()
	for _, m := range w.Stream("acme") {
		if m.Sequence > first && strings.Contains(string(m.Raw), "canary") {
			t.Errorf("message %d, after the first change, shows what it hides: %s", m.Sequence, m.Raw)
		}
	}
	w.WantNoWords("acme", "canary")
	w.Check("acme")
}
