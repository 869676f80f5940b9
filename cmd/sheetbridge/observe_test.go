package main

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	collectortrace "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/events/eventstest"
	"github.com/sheetbridge/sheetbridge/events/seal"
)

// traceCollector takes traces as an OpenTelemetry collector does.
type traceCollector struct {
	t  *testing.T
	mu sync.Mutex
	// spans that came
	spans []*tracepb.Span
	raw   strings.Builder
}

func newTraceCollector(t *testing.T) *traceCollector {
	t.Helper()
	c := &traceCollector{t: t}
	server := httptest.NewServer(c)
	t.Cleanup(server.Close)
	t.Setenv(tracesTo, server.URL)
	return c
}

func (c *traceCollector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	var request collectortrace.ExportTraceServiceRequest
	if err == nil {
		err = proto.Unmarshal(body, &request)
	}
	if err != nil || r.URL.Path != "/v1/traces" {
		c.t.Errorf("%s: %v", r.URL.Path, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.raw.Write(body)
	for _, resource := range request.ResourceSpans {
		for _, scope := range resource.ScopeSpans {
			c.spans = append(c.spans, scope.Spans...)
		}
	}
}

// names are the names of a trace's spans, each once and in order.
func (c *traceCollector) names(trace string) []string {
	var names []string
	for _, span := range c.spans {
		if hexOf(span.TraceId) == trace {
			names = append(names, span.Name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func hexOf(id []byte) string {
	const digits = "0123456789abcdef"
	var b strings.Builder
	for _, x := range id {
		b.WriteByte(digits[x>>4])
		b.WriteByte(digits[x&15])
	}
	return b.String()
}

// watched is a service that shares a sheet with a partner, and what it shows.
type watched struct {
	*running
	*planted
	out    *output
	traces *traceCollector
}

// farAway is when all ends that ends by itself in a watched service, and as metrics show it.
var farAway = time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC)

const farAwaySeconds = "4.0709088e+09"

func watch(t *testing.T) *watched {
	t.Helper()
	w := &watched{planted: plant(t), traces: newTraceCollector(t)}
	w.running = startService(t, w.sim.URL())
	w.must("POST", "/v1/owners", map[string]string{"name": "ops", "region": "us", "token": w.token, "expiresAt": farAway.Format(time.RFC3339)}, nil)
	var partner struct {
		Credentials seal.Secret `json:"credentials"`
	}
	w.must("POST", "/v1/partners", map[string]string{"name": "acme"}, &partner)
	w.must("POST", "/v1/partners/acme/credentials", map[string]string{"name": "erp", "expiresAt": farAway.Format(time.RFC3339)}, nil)
	share := events.Request{Partner: "acme", Columns: columnsOf("No", "Status"), Until: &farAway}
	w.must("POST", "/v1/webhooks", registration{"ops", strconv.FormatInt(w.sheet.ID, 10), []events.Request{share}}, nil)
	w.out = w.tail(partner.Credentials)
	w.out.wait(t, `"state":"live"`)
	return w
}

// scrape waits for a scrape that shows how things stand.
func (w *watched) scrape(until string) string {
	t := w.running.t
	t.Helper()
	var text string
	eventstest.AwaitNil(t, patience, "a scrape that has "+until, func() error {
		if text = w.get("/metrics", testToken); !strings.Contains(text, until) {
			return errors.New(text)
		}
		return nil
	})
	return text
}

// TestOneChangeIsOneTrace follows a change from the callback to the partner: by
// the trace that the event carries, and by the two lines of the log.
func TestOneChangeIsOneTrace(t *testing.T) {
	w := watch(t)
	w.set(0, cells{"No": "canary-shared-value"})
	traceID := w.out.wait(t, `"traceparent":"00-([0-9a-f]{32})-[0-9a-f]{16}-01","data":\{[^\n]*"after":\{"no":"canary-shared-value"`)[1]
	log := w.stderr.wait(t, `\{[^\n]*"msg":"pass","trace":"`+traceID+`"[^\n]*`)[0]
	if !strings.Contains(log, `"published.acme.orders":1`) {
		t.Errorf("the pass's line has not what it published: %s", log)
	}
	callback := w.stderr.wait(t, `\{[^\n]*"msg":"callback","trace":"`+traceID+`","status":200,"registration":"([^"]+)","kind":"events"`)
	if !strings.Contains(log, `"registration":"`+callback[1]+`"`) {
		t.Errorf("callback and pass have not the same registration: %s, %s", callback[1], log)
	}
	w.stop()
	want := []string{"callback", "pass", "publish", "smartsheet GET /sheets/{id}", "store hint"}
	if got := w.traces.names(traceID); !slices.Equal(got, want) {
		t.Errorf("the trace has the spans %q, want %q", got, want)
	}
	for _, value := range []string{"canary-shared-value", "canary-column", w.token, testToken} {
		if strings.Contains(w.traces.raw.String(), value) || strings.Contains(w.stderr.String(), value) {
			t.Errorf("%s is in the traces or in the log", value)
		}
	}
}

// TestMetricsAreNamedWell lints all metrics of a service that has worked.
func TestMetricsAreNamedWell(t *testing.T) {
	w := watch(t)
	text := w.scrape(`sheetbridge_share_state{partner="acme",sheet="orders",state="live"} 1`)
	problems, err := promlint.New(strings.NewReader(text)).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		if strings.HasPrefix(p.Metric, "sheetbridge_") {
			t.Errorf("%s: %s", p.Metric, p.Text)
		}
	}
	for _, ends := range []string{
		`credentials_end_timestamp_seconds{credentials="erp",partner="acme"} `, `owner_token_end_timestamp_seconds{owner="ops"} `,
		`share_end_timestamp_seconds{partner="acme",sheet="orders"} `,
	} {
		if !strings.Contains(text, "\nsheetbridge_"+ends+farAwaySeconds+"\n") {
			t.Errorf("%s%s is not in the metrics", ends, farAwaySeconds)
		}
	}
	for _, secret := range []string{"SO-1", "canary", w.token, testToken} {
		if strings.Contains(text, secret) {
			t.Errorf("%s is in the metrics", secret)
		}
	}
}

// TestQueriesResolve scrapes a service and finds in it every metric and every
// label that the alerts and the dashboard ask for.
func TestQueriesResolve(t *testing.T) {
	w := watch(t)
	w.set(0, cells{"No": "SO-1b"})
	w.out.wait(t, `"after":\{"no":"SO-1b"`)
	known := labelsOf(t, w.scrape(`sheetbridge_share_state{partner="acme",sheet="orders",state="live"} 1`))
	known["up"] = map[string]bool{"job": true, "instance": true}
	// These come when what they count happens: a missed callback, a webhook that
	// was looked at again, a partner that takes more than it may, a share with a filter,
	// the answer to a partner's write.
	known["sheetbridge_partner_limit_exceeded_total"] = map[string]bool{"partner": true, "limit": true}
	known["sheetbridge_reconcile_findings_total"] = map[string]bool{"partner": true, "mode": true}
	known["sheetbridge_share_filter_rows"] = map[string]bool{"partner": true, "sheet": true, "result": true}
	known["sheetbridge_webhook_last_callback_timestamp_seconds"] = map[string]bool{"registration": true}
	known["sheetbridge_writes_total"] = map[string]bool{"partner": true, "result": true, "code": true}
	alerts, err := os.ReadFile(filepath.Join("..", "..", "deploy", "prometheus", "alerts.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	queries := expressions(string(alerts))
	if len(queries) < 25 {
		t.Fatalf("got %d rules, want more", len(queries))
	}
	panels := dashboardQueries(t)
	if len(panels) < 30 {
		t.Fatalf("got %d queries of panels, want more", len(panels))
	}
	for _, q := range append(queries, panels...) {
		resolve(t, q, known)
	}
}

// labelsOf are the labels of each series' name in a scrape.
func labelsOf(t *testing.T, text string) map[string]map[string]bool {
	t.Helper()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	if _, err := parser.TextToMetricFamilies(strings.NewReader(text)); err != nil {
		t.Fatal(err)
	}
	series := regexp.MustCompile(`(?m)^([a-z_]+)(?:\{([^}]*)\})? `)
	label := regexp.MustCompile(`([a-z_]+)="`)
	known := map[string]map[string]bool{}
	for _, m := range series.FindAllStringSubmatch(text, -1) {
		if known[m[1]] == nil {
			known[m[1]] = map[string]bool{"job": true, "instance": true} // Prometheus adds these
		}
		for _, l := range label.FindAllStringSubmatch(m[2], -1) {
			known[m[1]][l[1]] = true
		}
	}
	return known
}

// expressions are the queries of a rule file.
func expressions(rules string) []string {
	var list []string
	for part := range strings.SplitSeq(rules, "expr: ") {
		text, _, _ := strings.Cut(part, "\n        labels:")
		text, _, _ = strings.Cut(text, "\n        for:")
		text, _, _ = strings.Cut(text, "\n      - record:")
		text, _, _ = strings.Cut(text, "\n  - name:")
		list = append(list, text)
	}
	return list[1:]
}

func dashboardQueries(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "deploy", "grafana", "sheetbridge.json"))
	if err != nil {
		t.Fatal(err)
	}
	var dashboard struct {
		Panels []struct {
			Title, Description, Type string
			Targets                  []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(text, &dashboard); err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, p := range dashboard.Panels {
		if len(p.Targets) > 0 && p.Description == "" {
			t.Errorf("panel %q does not say what is normal", p.Title)
		}
		for _, target := range p.Targets {
			list = append(list, target.Expr)
		}
	}
	return list
}

// resolve finds every metric of a query, with its labels.
func resolve(t *testing.T, query string, known map[string]map[string]bool) {
	t.Helper()
	found := 0
	for _, m := range regexp.MustCompile(`\b((?:sheetbridge|go|process)_[a-z_]+|up)\b(?:\{([^}]*)\})?`).FindAllStringSubmatch(query, -1) {
		labels, ok := known[m[1]]
		if !ok {
			t.Errorf("%s: nothing of the name %s is scraped", query, m[1])
			continue
		}
		found++
		for _, l := range regexp.MustCompile(`([a-z_]+)(?:=|!=|=~|!~)"`).FindAllStringSubmatch(m[2], -1) {
			if !labels[l[1]] && l[1] != "le" {
				t.Errorf("%s: %s has no label %s", query, m[1], l[1])
			}
		}
	}
	if found == 0 && !strings.Contains(query, "sheetbridge:") {
		t.Errorf("%s: asks for nothing of ours", query)
	}
}
