package main

import (
	"net/http"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/sheetbridge/sheetbridge/smartsheet"
	"github.com/sheetbridge/sheetbridge/webhook"
)

// metrics are what Prometheus sees. No label holds anything that came out of a
// sheet or that a stranger can choose.
type metrics struct {
	registry  *prometheus.Registry
	callbacks *prometheus.HistogramVec
	passes    *prometheus.HistogramVec
	rows      prometheus.Counter
	events    *prometheus.CounterVec
	requests  *prometheus.CounterVec
	lag       prometheus.Histogram
}

func newMetrics() *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		callbacks: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "sheetbridge_callback_duration_seconds", Help: "Time to answer a callback, by status.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5},
		}, []string{"status"}),
		passes: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "sheetbridge_pass_duration_seconds", Help: "Time of a pass, by what gave the hint and by result.",
			Buckets: []float64{.01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60},
		}, []string{"why", "result"}),
		rows: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "sheetbridge_rows_read_total", Help: "Rows read from Smartsheet.",
		}),
		events: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sheetbridge_events_published_total", Help: "Events published, by partner and type.",
		}, []string{"partner", "type"}),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sheetbridge_smartsheet_requests_total", Help: "Requests to Smartsheet, by owner and class of answer.",
		}, []string{"owner", "class"}),
		lag: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "sheetbridge_change_to_publish_seconds", Help: "Time from a change at Smartsheet to its event, Smartsheet's own debounce included.",
			Buckets: []float64{.1, .25, .5, 1, 2.5, 5, 10, 30, 60, 75, 90, 120, 300, 600, 3600},
		}),
	}
	m.registry.MustRegister(m.callbacks, m.passes, m.rows, m.events, m.requests, m.lag,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{EnableOpenMetrics: true})
}

func (m *metrics) callback(c webhook.Answer) {
	m.callbacks.WithLabelValues(strconv.Itoa(c.Status)).Observe(c.Took.Seconds())
}

func (m *metrics) request(owner string, call smartsheet.Call) {
	m.requests.WithLabelValues(owner, call.Class.String()).Inc()
}

func (m *metrics) pass(p webhook.Pass) {
	m.passes.WithLabelValues(string(p.Why), p.Result).Observe(p.Took.Seconds())
	m.rows.Add(float64(p.Rows))
	for partner, types := range p.Published {
		for typ, n := range types {
			m.events.WithLabelValues(partner, typ).Add(float64(n))
		}
	}
	if p.Lag > 0 {
		m.lag.Observe(p.Lag.Seconds())
	}
}
