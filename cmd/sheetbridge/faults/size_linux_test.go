package faults

import (
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sheetbridge/sheetbridge/events/eventstest"
	"github.com/sheetbridge/sheetbridge/smartsheet/smartsheettest"
)

// BenchmarkRegistrations loads a hundred sheets of a thousand rows, shared with ten
// partners, and starts the program again. It says what memory the program has at
// most, when all is loaded, a minute later and a minute after the new start, and how
// long that took. The simulator is in the benchmark's process.
func BenchmarkRegistrations(b *testing.B) {
	const sheets, rows, partners = 100, 1000, 10
	for b.Loop() {
		w, p := newReleased(b)
		w.addOwner()
		for n := range partners {
			w.post("/v1/partners", map[string]any{"name": fmt.Sprint("partner-", n)}, nil)
		}
		for n := range sheets {
			w.shareTexts(w.texts(fmt.Sprint("Orders ", n), rows), fmt.Sprint("orders-", n), fmt.Sprint("partner-", n%partners))
		}
		w.loaded(sheets, sheets*rows)
		b.ReportMetric(p.memory("VmHWM"), "MiB-peak")
		b.ReportMetric(p.memory("VmRSS"), "MiB-loaded")
		pause(b, time.Minute)
		b.ReportMetric(p.memory("VmRSS"), "MiB-minute-later")
		p.stop()
		began := time.Now()
		p.start()
		w.ready(w.admin)
		b.ReportMetric(time.Since(began).Seconds(), "s-ready")
		b.ReportMetric(p.processorTime().Seconds(), "cpu-s-ready")
		w.live(sheets)
		b.ReportMetric(p.memory("VmRSS"), "MiB-restarted")
		pause(b, time.Minute)
		b.ReportMetric(p.memory("VmRSS"), "MiB-restarted-minute-later")
		p.stop()
	}
}

// BenchmarkShares changes all of 20,000 rows of a sheet that ten partners see.
func BenchmarkShares(b *testing.B) {
	const rows, partners = 20_000, 10
	w, p := newReleased(b)
	w.addOwner()
	var names []string
	for n := range partners {
		names = append(names, fmt.Sprint("partner-", n))
		w.post("/v1/partners", map[string]any{"name": names[n]}, nil)
	}
	sheet := w.texts("Orders", rows)
	id := w.shareTexts(sheet, "orders", names...)
	w.loaded(partners, partners*rows)
	peakOfLoad := p.memory("VmHWM")
	w.sim.SetCallbackFault(func(smartsheettest.Callback) smartsheettest.CallbackFault { return smartsheettest.Drop })
	var took, used time.Duration
	told, n := 0, 0
	for b.Loop() {
		n++
		for at := 0; at < rows; at += 500 {
			var changed []smartsheettest.Row
			for _, row := range sheet.Rows[at : at+500] {
				changed = append(changed, smartsheettest.Row{ID: row, Cells: smartsheettest.Cells{"Text 0": fmt.Sprint(n)}})
			}
			must(b, w.sim.As(w.jane).UpdateRows(sheet.ID, changed...))
		}
		before, began, spent := w.published("row.updated"), time.Now(), p.processorTime()
		w.post("/v1/webhooks/"+id+"/reconcile", nil, nil)
		eventstest.AwaitNil(b, 5*time.Minute, "the events", func() error {
			if got := w.published("row.updated") - before; got < rows*partners {
				return fmt.Errorf("%d events", got)
			}
			return nil
		})
		took, used, told = took+time.Since(began), used+p.processorTime()-spent, told+rows*partners
	}
	b.ReportMetric(float64(told)/took.Seconds(), "events/s")
	b.ReportMetric(float64(used.Microseconds())/float64(told), "cpu-µs/event")
	b.ReportMetric(peakOfLoad, "MiB-peak-of-load") // before the loop it would be forgotten
	b.ReportMetric(p.memory("VmHWM"), "MiB-peak")
	p.stop()
}

// newReleased makes a world with the program as it is released, which looks at nothing by
// the clock.
func newReleased(b *testing.B) (*world, *process) {
	b.Helper()
	w := newWorld(b)
	w.program = released(b)
	return w, w.start("SHEETBRIDGE_RECONCILE_EVERY=1h", "SHEETBRIDGE_API_RATE=100000")
}

// textColumns is how many columns the sheets of these benchmarks have.
const textColumns = 10

// texts makes a sheet of texts.
func (w *world) texts(name string, rows int) *smartsheettest.Sheet {
	w.t.Helper()
	spec := smartsheettest.SheetSpec{Name: name, Owner: w.jane}
	for c := range textColumns {
		spec.Columns = append(spec.Columns, smartsheettest.Column{Title: fmt.Sprint("Text ", c)})
	}
	for n := range rows {
		cells := smartsheettest.Cells{}
		for c := range textColumns {
			cells[spec.Columns[c].Title] = fmt.Sprintf("text %d of row %d", c, n)
		}
		spec.Rows = append(spec.Rows, smartsheettest.Row{Cells: cells})
	}
	sheet, err := w.sim.AddSheet(spec)
	must(w.t, err)
	return sheet
}

// shareTexts shares all of such a sheet, and returns the registration.
func (w *world) shareTexts(sheet *smartsheettest.Sheet, name string, partners ...string) (id string) {
	w.t.Helper()
	var columns []map[string]string
	for c := range textColumns {
		columns = append(columns, map[string]string{"title": fmt.Sprint("Text ", c)})
	}
	var list []map[string]any
	for _, partner := range partners {
		list = append(list, map[string]any{"partner": partner, "sheet": name, "columns": columns})
	}
	var reg struct{ ID string }
	w.post("/v1/webhooks", map[string]any{"owner": "ops", "sheetId": fmt.Sprint(sheet.ID), "shares": list}, &reg)
	return reg.ID
}

// loaded waits until so many rows were published for the first time and so many shares
// are live. It asks for the metrics before it asks for the shares: who does that has the
// program read blocks of all streams, again and again beside the load.
func (w *world) loaded(shares, rows int) {
	w.t.Helper()
	eventstest.AwaitNil(w.t, 5*time.Minute, "rows to be published", func() error {
		if got := w.published("row.created"); got < rows {
			pause(w.t, 200*time.Millisecond)
			return fmt.Errorf("%d of %d", got, rows)
		}
		return nil
	})
	w.live(shares)
}

// live waits until so many shares are.
func (w *world) live(shares int) {
	w.t.Helper()
	eventstest.AwaitNil(w.t, 5*time.Minute, "shares to be live", func() error {
		var o struct{ Counts struct{ Live int } }
		if _, err := w.admin.call(w.t.Context(), http.MethodGet, "/v1/overview", nil, &o); err != nil {
			return err
		}
		if o.Counts.Live < shares {
			pause(w.t, time.Second) // who asks has the program read all streams
			return fmt.Errorf("%d of %d", o.Counts.Live, shares)
		}
		return nil
	})
}

var publishedLine = regexp.MustCompile(`(?m)^sheetbridge_events_published_total\{.*type="([^"]*)"\} (\S+)$`)

// published is how many events of a type the program says to have published.
func (w *world) published(kind string) int {
	w.t.Helper()
	var text string
	_, err := w.admin.call(w.t.Context(), http.MethodGet, "/metrics", nil, &text)
	must(w.t, err)
	n := 0.0
	for _, m := range publishedLine.FindAllStringSubmatch(text, -1) {
		if strings.HasSuffix(m[1], kind) {
			v, err := strconv.ParseFloat(m[2], 64)
			must(w.t, err)
			n += v
		}
	}
	return int(n)
}

// memory is what the process has by a name of its status file, in MiB.
func (p *process) memory(name string) float64 {
	p.t.Helper()
	return float64(eventstest.Memory(p.t, p.cmd.Process.Pid, name)) / (1 << 20)
}

// processorTime is what the process has used.
func (p *process) processorTime() time.Duration {
	p.t.Helper()
	return eventstest.ProcessorTime(p.t, p.cmd.Process.Pid)
}
