package main

import (
	"net/http"
	"runtime"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/smartsheet"
	"github.com/sheetbridge/sheetbridge/webhook"
	"github.com/sheetbridge/sheetbridge/webhook/relay"
	"github.com/sheetbridge/sheetbridge/webhook/write"
)

// metrics are what this process counts for Prometheus. How things stand, as
// every process sees it alike, is the collector's. No label holds anything that came
// out of a sheet or that a stranger can choose.
type metrics struct {
	registry  *prometheus.Registry
	callbacks *prometheus.HistogramVec
	passes    *prometheus.HistogramVec
	rows      prometheus.Counter
	events    *prometheus.CounterVec
	found     *prometheus.CounterVec
	requests  *prometheus.CounterVec
	answers   *prometheus.HistogramVec
	lag       *prometheus.HistogramVec
	writes    *prometheus.CounterVec
	written   *prometheus.HistogramVec

	connections, refused *prometheus.CounterVec
	linesLeftOut         prometheus.Counter
}

func newMetrics() *metrics {
	m := &metrics{registry: prometheus.NewRegistry()}
	m.callbacks = histogram("callback_duration_seconds", "Time to answer a callback, by status and kind of callback.",
		[]float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5}, "status", "kind")
	m.passes = histogram("pass_duration_seconds", "Time of a pass, by what gave the hint and by result.",
		[]float64{.01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60}, "why", "result")
	m.rows = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "sheetbridge_rows_read_total", Help: "Rows read from Smartsheet.",
	})
	m.events = counter("events_published_total", "Events stored in partners' streams, by partner and type; a status goes with whatever is published.", "partner", "type")
	m.found = counter("reconcile_findings_total", "Events that a reconcile found and no callback had reported, by partner and by how the sheet is followed: in mode webhook a callback was missed.", "partner", "mode")
	m.requests = counter("smartsheet_requests_total", "Requests to Smartsheet, by owner and class of answer; owner is empty for a token that is not stored yet.", "owner", "class")
	m.answers = histogram("smartsheet_request_duration_seconds", "Time of a request to Smartsheet until its answer was read, by class of answer.",
		[]float64{.025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60}, "class")
	m.lag = histogram("change_to_publish_seconds", "Time from a change at Smartsheet, by its own timestamp, to its event being stored, by what made the bridge look and by how the sheet is followed. The longest of each pass.",
		[]float64{.1, .25, .5, 1, 2.5, 5, 10, 30, 60, 75, 90, 120, 300, 600, 1200, 3600, 86400}, "origin", "mode")
	m.writes = counter("writes_total", "Answers to partners' writes, by partner, result and, for one that was refused, code; those that were only checked are not counted.", "partner", "result", "code")
	m.written = histogram("write_duration_seconds", "Time from a write being stored to its answer, by result.",
		[]float64{.1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600}, "result")
	m.connections = counter("connections_closed_total", "Connections that were closed because a listener had too many, by listener and by why that one: it waited longest for a request, or it was new and all others were busy.", "listener", "why")
	m.refused = counter("admin_refused_total", "Requests that the admin listener refused before it looked at them: foreign host or origin, no client certificate, wrong bearer, or throttled because of too many wrong ones.", "why")
	m.linesLeftOut = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "sheetbridge_log_lines_left_out_total", Help: "Lines of the log about strangers that were left out because there were too many.",
	})
	info := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "sheetbridge_build_info", Help: "1, labelled with what the program was built from.",
	}, []string{"version", "goversion"})
	info.WithLabelValues(version(), runtime.Version()).Set(1)
	m.registry.MustRegister(m.callbacks, m.passes, m.rows, m.events, m.found, m.requests, m.answers, m.lag, m.writes, m.written, m.connections, m.refused, m.linesLeftOut, info,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	m.begin()
	return m
}

// begin makes the series whose first increase must be seen as one.
func (m *metrics) begin() {
	for _, status := range []int{http.StatusOK, http.StatusServiceUnavailable} {
		m.callbacks.WithLabelValues(strconv.Itoa(status), "events")
	}
	m.callbacks.WithLabelValues("503", "")
	for _, listener := range []string{"public", "admin"} {
		m.connections.WithLabelValues(listener, "waiting")
		m.connections.WithLabelValues(listener, "busy")
	}
	for _, why := range []string{"host", "origin", "certificate", "bearer", "throttled"} {
		m.refused.WithLabelValues(why)
	}
	for _, origin := range []events.Origin{events.OriginCallback, events.OriginReconcile} {
		m.lag.WithLabelValues(string(origin), "webhook")
	}
	for _, result := range []events.Result{events.ResultDone, events.ResultAlready, events.ResultRefused} {
		m.written.WithLabelValues(string(result))
	}
}

func histogram(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
	return prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "sheetbridge_" + name, Help: help, Buckets: buckets}, labels)
}

func counter(name, help string, labels ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "sheetbridge_" + name, Help: help}, labels)
}

// scrapeTime bounds a scrape.
const scrapeTime = 5 * time.Second

func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{
		EnableOpenMetrics: true, MaxRequestsInFlight: 4, Timeout: scrapeTime,
		ErrorHandling: promhttp.ContinueOnError, // what is wrong with one must not hide the others
	})
}

func (m *metrics) callback(c webhook.Answer) {
	m.callbacks.WithLabelValues(strconv.Itoa(c.Status), c.Kind).Observe(c.Took.Seconds())
}

func (m *metrics) adminRefused(why string) { m.refused.WithLabelValues(why).Inc() }

func (m *metrics) request(owner string, call smartsheet.Call) {
	m.requests.WithLabelValues(owner, call.Class.String()).Inc()
	m.answers.WithLabelValues(call.Class.String()).Observe(call.Duration.Seconds())
}

func (m *metrics) wrote(o write.Outcome) {
	if o.DryRun {
		return
	}
	m.writes.WithLabelValues(o.Partner, string(o.Result), string(o.Code)).Inc()
	m.written.WithLabelValues(string(o.Result)).Observe(o.Took.Seconds())
}

// waiting shows how many writes this process holds.
func (m *metrics) waiting(writes func() int) {
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "sheetbridge_writes_waiting", Help: "Partners' writes that this process has taken and not answered yet.",
	}, func() float64 { return float64(writes()) }))
}

func (m *metrics) pass(p relay.Pass) {
	m.passes.WithLabelValues(string(p.Why), p.Result).Observe(p.Took.Seconds())
	m.rows.Add(float64(p.Rows))
	for partner, types := range p.Published {
		for typ, n := range types {
			m.events.WithLabelValues(partner, typ).Add(float64(n))
		}
	}
	for partner, n := range p.Found {
		m.found.WithLabelValues(partner, p.Mode).Add(float64(n))
	}
	for origin, d := range p.Lag {
		m.lag.WithLabelValues(string(origin), p.Mode).Observe(d.Seconds())
	}
}
