package webhook_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/smartsheet/smartsheettest"
)

// rowsOf tells whether a request asks for rows.
func rowsOf(r *http.Request) bool {
	q := r.URL.Query()
	return r.Method == http.MethodGet && q.Has("columnIds") && q.Get("pageSize") != "0"
}

// eventsOf are the events of one row after a sequence.
func eventsOf(all []published, row int64, after uint64) []published {
	var list []published
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
			from: undrafted(), to: events.Request{Columns: columns("No", "Status", "Qty"), Where: `cells["Margin"] == 'canary-margin-1'`},
			want: `{"no":"SO-1","status":"Open","qty":3}`,
		},
		"a mask lifted and a field removed": {
			from: masked, to: events.Request{Columns: columns("No", "Qty")},
			want: `{"no":"SO-1","qty":3}`,
		},
		"a field added and one removed": {
			from: margins("acme"), to: events.Request{Columns: columns("No", "Status")},
			want: `{"no":"SO-1","status":"Open"}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, options{}, tt.from)
			w.edit(0, cells{"Margin": "canary-margin-1b"}) // and back: the row has a history
			w.settle()
			w.edit(0, cells{"Margin": "canary-margin-1"})
			w.settle()
			w.at["acme"] = last(w.stream("acme"))
			g := w.hold(rowsOf)
			w.putShare("acme", tt.to)
			w.waitFor("the rows are asked for", func() bool { return g.holding() > 0 })
			for _, m := range eventsOf(w.stream("acme"), w.sheet.Rows[0], w.at["acme"]) {
				t.Errorf("before the sheet was read: got %s: %s", m.Type, m.Raw)
			}
			g.release()
			w.settle()
			got := eventsOf(w.stream("acme"), w.sheet.Rows[0], w.at["acme"])
			if len(got) != 1 || got[0].Type != events.RowUpdated || objects(got, 0)[0] != `row.updated share null->`+tt.want {
				t.Errorf("got %v of the row that stays, want it updated once to %s", objects(got, 0), tt.want)
			}
			w.hides("acme", "canary")
			w.check("acme")
			if s := statusOf(w.stream("acme"), "orders"); s.State != events.StateLive {
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
		"a filter of what is not stored": {undrafted(), events.Request{Columns: columns("No", "Qty"), Where: `cells["Margin"] == 'canary-margin-1'`}, true},
		"a field added and one removed":  {margins("acme"), events.Request{Columns: columns("No", "Status")}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, options{idle: true}, tt.from)
			w.relay.StoredAfter = time.Second
			w.startRelay()
			w.settleAll()
			was := last(w.stream("acme"))
			w.sim.SetFault(func(r *http.Request) *smartsheettest.Fault {
				if rowsOf(r) {
					return &smartsheettest.Fault{Status: http.StatusServiceUnavailable, ErrorCode: 4001}
				}
				return nil
			})
			w.putShare("acme", tt.to)
			w.waitFor("the stored values have decided", func() bool { return len(eventsOf(w.stream("acme"), w.sheet.Rows[0], was)) > 0 })
			w.waitFor("the removed values are not readable", func() bool { return !w.has("acme", "canary") })
			now := lastOf(eventsOf(w.stream("acme"), w.sheet.Rows[0], was))
			if (now.Data.After == nil) != tt.gone || !tt.gone && !strings.Contains(string(now.Raw), "SO-1") {
				t.Errorf("got %s of the row, want it gone: %v", now.Raw, tt.gone)
			}
			w.sim.SetFault(nil)
			w.waitFor("the sheet was read at last", func() bool { return statusOf(w.stream("acme"), "orders").State == events.StateLive })
			w.settleAll()
			w.check("acme")
			w.hides("acme", "canary")
		})
	}
}

func lastOf(list []published) published { return list[len(list)-1] }

// TestRevisedTwice: a definition that comes while the one before still waits for a
// reading is not judged by it: what is stored is of neither.
func TestRevisedTwice(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{}, margins("acme"))
	g := w.hold(rowsOf)
	hidden := events.RequestColumn{Title: "Margin", Mask: "redact"}
	w.putShare("acme", events.Request{Columns: append(columns("No", "Qty"), hidden)})
	w.waitFor("the rows are asked for", func() bool { return g.holding() > 0 })
	first := last(w.stream("acme"))
	w.putShare("acme", events.Request{Columns: append(columns("No"), hidden)})
	g.release()
	w.settle()
	for _, m := range w.stream("acme") {
		if m.Sequence > first && strings.Contains(string(m.Raw), "canary") {
			t.Errorf("message %d, after the first change, shows what it hides: %s", m.Sequence, m.Raw)
		}
	}
	w.hides("acme", "canary")
	w.check("acme")
}
