package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/cdproto/systeminfo"
	"github.com/chromedp/chromedp"

	"github.com/sheetbridge/sheetbridge/cmd/sheetbridge/cli"
	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/events/eventstest"
	"github.com/sheetbridge/sheetbridge/events/seal"
	"github.com/sheetbridge/sheetbridge/events/stream"
	"github.com/sheetbridge/sheetbridge/smartsheet/smartsheettest"
)

const (
	loadRows  = 50                    // that one edit changes
	loadEvery = 50 * time.Millisecond // one edit: 1,000 rows in a second
	loadTime  = 8 * time.Second       // of one round
)

// BenchmarkConsoleOpen is what somebody who watches costs: serve in a process of its
// own, a simulated Smartsheet in which 1,000 rows a second change, a partner who reads
// them, in turns without the console and with its live view open in a headless
// Chromium. With -benchtime 1x it takes a minute and a half.
//
// Callbacks are measured where they are sent, events from the edit to the partner.
func BenchmarkConsoleOpen(b *testing.B) {
	l := startLoad(b)
	l.round(nil) // to warm up
	for b.Loop() {
		w := openConsole(b, l.admin.URL(), chromedp.ModifyCmdFunc(elsewhere))
		w.signIn(testToken)
		var without, plain, with measured
		for range 4 {
			w.open("#/keys") // of the page nothing is read while it shows that
			without = without.and(l.round(nil))
			stop := l.follow()
			plain = plain.and(l.round(nil))
			stop()
			w.open("#/live")
			with = with.and(l.round(w))
		}
		b.ReportMetric(0, "ns/op")
		b.Logf("without a console: %v", without)
		b.Logf("with GET /v1/events: %v", plain)
		b.Logf("with the live view: %v", with)
		b.ReportMetric(with.callbacks.at(50)/without.callbacks.at(50), "x-callback-p50")
		b.ReportMetric(with.callbacks.at(95)/without.callbacks.at(95), "x-callback-p95")
		b.ReportMetric(with.events.at(50)/without.events.at(50), "x-event-p50")
		b.ReportMetric(with.events.at(95)/without.events.at(95), "x-event-p95")
		b.ReportMetric(with.rss-without.rss, "MB-more-of-serve")
		b.ReportMetric(with.heap, "MB-of-page")
	}
}

// elsewhere makes a browser run with what the service leaves of the processor: people
// who look at the console have a machine of their own.
func elsewhere(cmd *exec.Cmd) {
	nice, err := exec.LookPath("nice")
	if err != nil {
		return // the browser then takes its share, as it does elsewhere in tests
	}
	cmd.Args = slices.Concat([]string{"nice", "-n", "19", cmd.Path}, cmd.Args[1:])
	cmd.Path = nice
}

// measured is what rounds brought: times in milliseconds, sizes in MB, and per second
// of all rounds together.
type measured struct {
	seconds                     float64
	published, seen, cpu, paint float64 // cpu of serve and paint of the browser: seconds of a processor
	rss, heap                   float64 // the most
	callbacks, events, late     times
}

// and is the rounds of both.
func (m measured) and(n measured) measured {
	return measured{
		m.seconds + n.seconds, m.published + n.published, m.seen + n.seen, m.cpu + n.cpu, m.paint + n.paint, max(m.rss, n.rss), max(m.heap, n.heap),
		slices.Concat(m.callbacks, n.callbacks), slices.Concat(m.events, n.events), slices.Concat(m.late, n.late),
	}
}

func (m measured) String() string {
	return fmt.Sprintf("%.0f events/s; callback p50 %.2f p95 %.2f ms; event p50 %.0f p95 %.0f ms; serve %.0f MB, %.0f %% of a core; page %.1f MB, %.0f %% of a core, %.0f events/s seen, late by p95 %.0f, at most %.0f ms",
		m.published/m.seconds, m.callbacks.at(50), m.callbacks.at(95), m.events.at(50), m.events.at(95), m.rss, m.cpu/m.seconds*100, m.heap, m.paint/m.seconds*100, m.seen/m.seconds, m.late.at(95), m.late.at(100))
}

type times []float64

// at is a percentile.
func (t times) at(percent int) float64 {
	if len(t) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(t))
	return sorted[min(len(sorted)-1, len(sorted)*percent/100)]
}

// load is a service under load, seen from outside.
type load struct {
	b     *testing.B
	serve *process
	admin *cli.Client
	edit  func(number int) error

	mu        sync.Mutex
	number    int // of the last edit
	at        map[int]time.Time
	callbacks times
	events    times
}

func startLoad(b *testing.B) *load {
	b.Helper()
	sim := smartsheettest.New(b, func(s *smartsheettest.Server) { s.RateLimit = -1 })
	jane := sim.AddUser(smartsheettest.User{Email: "jane@a.example", Name: "Jane Doe"})
	spec := smartsheettest.SheetSpec{Name: "Orders", Owner: jane, Columns: []smartsheettest.Column{{Title: "No"}, {Title: "Status"}, {Title: "Edit"}, {Title: "Note"}}}
	for i := range 1000 {
		spec.Rows = append(spec.Rows, smartsheettest.Row{Cells: smartsheettest.Cells{"No": fmt.Sprintf("SO-%d", i), "Status": "Open", "Edit": 0, "Note": strings.Repeat("a note of the order ", 5)}})
	}
	sheet, err := sim.AddSheet(spec)
	if err != nil {
		b.Fatal(err)
	}
	l := &load{b: b, at: map[int]time.Time{}}
	l.edit = func(number int) error {
		rows := make([]smartsheettest.Row, loadRows)
		for i := range rows {
			rows[i] = smartsheettest.Row{ID: sheet.Rows[(number*loadRows+i)%len(sheet.Rows)], Cells: smartsheettest.Cells{"Edit": number}}
		}
		return sim.As(jane).UpdateRows(sheet.ID, rows...)
	}
	listen := freeAddress(b)
	l.serve = spawn(b, []string{
		prefix + "_LISTEN=" + listen, prefix + "_PUBLIC_URL=" + l.watchCallbacks("http://"+listen), prefix + "_ADMIN_LISTEN=127.0.0.1:0", prefix + "_ADMIN_TOKEN=" + testToken, prefix + "_NATS_LISTEN=127.0.0.1:0",
		prefix + "_DATA_DIR=" + b.TempDir(), prefix + "_SMARTSHEET_URL=" + sim.URL(), prefix + "_API_RATE=100000", prefix + "_LOG_FORMAT=json", prefix + "_RECONCILE_EVERY=1h",
	}, "serve")
	ready := l.serve.stderr.wait(b, `"msg":"ready".*"admin":"([^"]+)","nats":"([^"]+)"`)
	l.admin = cli.NewClient("http://"+ready[1], testToken, nil)
	b.Cleanup(l.admin.Close)
	l.must("/v1/owners", map[string]string{"name": "ops", "region": "us", "token": sim.AddToken(jane)}, nil)
	var acme struct{ Credentials seal.Secret }
	l.must("/v1/partners", map[string]string{"name": "acme"}, &acme)
	l.must("/v1/webhooks", registration{"ops", fmt.Sprint(sheet.ID), []events.Request{{Partner: "acme", Sheet: "orders", Columns: columnsOf("No", "Status", "Edit", "Note")}}}, nil)
	l.read(ready[2], acme.Credentials)
	return l
}

func (l *load) must(path string, body, result any) {
	l.b.Helper()
	if err := l.admin.Call(l.b.Context(), "POST", path, body, result); err != nil {
		l.b.Fatal(err)
	}
}

// watchCallbacks stands before the public listener, and measures each callback.
func (l *load) watchCallbacks(to string) string {
	target, err := url.Parse(to)
	if err != nil {
		l.b.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(target)
	proxy.Transport = &http.Transport{MaxIdleConnsPerHost: 64}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		begun := time.Now()
		proxy.ServeHTTP(w, r)
		l.mu.Lock()
		defer l.mu.Unlock()
		l.callbacks = append(l.callbacks, milliseconds(time.Since(begun)))
	}))
	l.b.Cleanup(server.Close)
	return server.URL
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// read reads as the partner, and measures each event from the edit that it tells of.
func (l *load) read(natsURL string, creds seal.Secret) {
	ctx, cancel := context.WithCancel(l.b.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		err := stream.Tail(ctx, stream.TailOptions{URL: natsURL, Creds: creds, From: stream.FromNew}, func(m stream.Message) error {
			var event struct {
				Data struct{ After struct{ Edit int } }
			}
			if json.Unmarshal(m.Data, &event) != nil { // a status: it has no after
				return nil
			}
			l.mu.Lock()
			defer l.mu.Unlock()
			if at, ok := l.at[event.Data.After.Edit]; ok {
				l.events = append(l.events, milliseconds(time.Since(at)))
			}
			return nil
		})
		if err != nil && ctx.Err() == nil {
			l.b.Errorf("tail: %v", err)
		}
	}()
	l.b.Cleanup(func() { cancel(); <-done })
}

// follow reads GET /v1/events as a program that does nothing with it, until stop is
// called.
func (l *load) follow() (stop func()) {
	l.b.Helper()
	ctx, cancel := context.WithCancel(l.b.Context())
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, l.admin.URL()+"/v1/events", nil)
	if err != nil {
		l.b.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+testToken)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		l.b.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = io.Copy(io.Discard, resp.Body) // it ends with cancel
		_ = resp.Body.Close()                 // nothing is to be read any more
	}()
	return func() { cancel(); <-done }
}

// round edits rows for a time; w is the tab that watches, nil for none.
func (l *load) round(w *tab) measured {
	l.b.Helper()
	l.mu.Lock()
	l.callbacks, l.events = nil, nil
	l.mu.Unlock()
	if w != nil {
		w.eval(`window.stamps = []; window.ticker = (() => { let last = performance.now(); return setInterval(() => { const now = performance.now(); stamps.push(Math.max(0, now - last - 50)); last = now; }, 50); })(); 0`, nil)
	}
	shown := func() (n float64) {
		w.eval(`Number((document.querySelector(".actions .state")?.innerText ?? "").replace(/[^0-9]/g, ""))`, &n)
		return n
	}
	var before, m measured
	if w != nil {
		before.seen, before.paint = shown(), w.cpu()
	}
	cpu, begun := l.cpu(), time.Now()
	tick := time.NewTicker(loadEvery)
	defer tick.Stop()
	for time.Since(begun) < loadTime {
		<-tick.C
		l.mu.Lock()
		l.number++
		number := l.number
		l.at[number] = time.Now()
		l.mu.Unlock()
		if err := l.edit(number); err != nil {
			l.b.Fatal(err)
		}
	}
	took := time.Since(begun).Seconds()
	m.seconds, m.cpu, m.rss = took, l.cpu()-cpu, l.rss()
	if w != nil {
		m.seen, m.paint = shown()-before.seen, w.cpu()-before.paint
		w.eval(`clearInterval(window.ticker); stamps`, &m.late)
		w.run(chromedp.ActionFunc(func(ctx context.Context) error {
			used, _, _, _, err := runtime.GetHeapUsage().Do(ctx)
			m.heap = used / 1e6
			return err
		}))
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	m.published = float64(len(l.events))
	m.callbacks, m.events = l.callbacks, l.events
	return m
}

// rss is what memory serve has, in MB.
func (l *load) rss() float64 {
	return float64(eventstest.Memory(l.b, l.serve.cmd.Process.Pid, "VmRSS")) / 1e6
}

// cpu is for how many seconds serve has used a processor.
func (l *load) cpu() float64 {
	return eventstest.ProcessorTime(l.b, l.serve.cmd.Process.Pid).Seconds()
}

// cpu is for how many seconds the browser has used a processor.
func (w *tab) cpu() (seconds float64) {
	w.t.Helper()
	w.run(chromedp.ActionFunc(func(ctx context.Context) error {
		list, err := systeminfo.GetProcessInfo().Do(cdp.WithExecutor(ctx, chromedp.FromContext(ctx).Browser))
		for _, p := range list {
			seconds += p.CPUTime
		}
		return err
	}))
	return seconds
}
