package admin_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/sheetbridge/sheetbridge/events/seal"
	"github.com/sheetbridge/sheetbridge/webhook/admin"
	"github.com/sheetbridge/sheetbridge/webhook/audit"
)

// counts counts what a listener refused, by the reason.
type counts struct {
	mu sync.Mutex
	of map[string]int
}

func (c *counts) add(why string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.of == nil {
		c.of = map[string]int{}
	}
	c.of[why]++
}

func (c *counts) get(why string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.of[why]
}

func TestHosts(t *testing.T) {
	t.Parallel()
	own, err := admin.ParseHosts("Bridge.a.example, 10.0.0.7,10.1.0.0/16,[2001:db8::1]")
	if err != nil {
		t.Fatal(err)
	}
	for host, want := range map[string]bool{
		"bridge.a.example": true, "BRIDGE.a.example.:8081": true, "10.0.0.7:8081": true, "10.1.200.3": true, "[2001:db8::1]:8081": true, "[2001:db8:0::1]": true,
		"": false, ":8081": false, "localhost": false, "127.0.0.1": false, "evil.example": false, "bridge.a.example.evil.example": false, "10.0.0.8": false, "a.example": false,
	} {
		if got := own.Contain(host); got != want {
			t.Errorf("%q: got %v, want %v", host, got, want)
		}
	}
	for listen, hosts := range map[string]map[string]bool{
		"127.0.0.1:8081":         {"localhost:8081": true, "127.0.0.1": true, "127.0.0.9": true, "[::1]:1": true, "10.0.0.7": false},
		"10.0.0.7:8081":          {"localhost": true, "10.0.0.7": true, "10.0.0.8": false},
		":8081":                  {"localhost": true, "0.0.0.0": false, "": false},
		"0.0.0.0:8081":           {"127.0.0.1": true, "0.0.0.0": false},
		"bridge-1.internal:8081": {"bridge-1.internal": true, "localhost": true, "bridge-2.internal": false},
	} {
		for host, want := range hosts {
			if got := admin.DefaultHosts(listen).Contain(host); got != want {
				t.Errorf("listening at %q, host %q: got %v, want %v", listen, host, got, want)
			}
		}
	}
	for _, text := range []string{"", "a,,b", "https://bridge.a.example", "bridge a", "*.a.example", "bridge.a.example:8081", "[::1]:8081"} {
		if got, err := admin.ParseHosts(text); err == nil {
			t.Errorf("%q: got %q, want an error", text, got)
		}
	}
}

// A name that somebody else's server resolves to this machine (DNS rebinding)
// reaches nothing, on any path, with any token.
func TestForeignHost(t *testing.T) {
	t.Parallel()
	var refused counts
	w := newWorld(t, setup{api: func(a *admin.API) {
		a.Refused = refused.add
		a.Metrics = http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) { _, _ = rw.Write([]byte("sheetbridge_up 1\n")) })
	}})
	n := 0
	for _, path := range []string{"/", "/v1/owners", "/openapi.json", "/metrics", "/healthz", "/readyz", "/nothing"} {
		for _, host := range []string{"evil.example", "evil.example:8081", "localhost.evil.example"} {
			r := w.sendAs(host, writer, "GET", path)
			r.refused(http.StatusMisdirectedRequest, "", "SHEETBRIDGE_ADMIN_HOSTS")
			n++
		}
	}
	if got := refused.get("host"); got != n {
		t.Errorf("got %d requests counted, want %d", got, n)
	}
	if r := w.sendAs("localhost:8081", writer, "GET", "/v1/owners"); r.status != 200 {
		t.Errorf("localhost: got %d, want 200", r.status)
	}
}

// sendAs sends a request under another name than the listener's.
func (w *world) sendAs(host, token, method, path string) reply {
	w.t.Helper()
	return w.send(token, method, path, "", "Host", host)
}

// A page of another site cannot have a browser change anything, although the
// token comes along.
func TestForeignOrigin(t *testing.T) {
	t.Parallel()
	var refused counts
	w := newWorld(t, setup{api: func(a *admin.API) { a.Refused = refused.add }})
	for name, tc := range map[string]struct {
		headers []string
		method  string
		status  int
	}{
		"another site":       {[]string{"Sec-Fetch-Site", "cross-site"}, "POST", 403},
		"a site beside ours": {[]string{"Sec-Fetch-Site", "same-site"}, "DELETE", 403},
		"another origin":     {[]string{"Origin", "https://evil.example"}, "POST", 403},
		"another port":       {[]string{"Origin", "http://127.0.0.1:1"}, "PUT", 403},
		"no origin":          {[]string{"Origin", "null"}, "POST", 403},
		"reading":            {[]string{"Sec-Fetch-Site", "cross-site"}, "GET", 404},
		"our page":           {[]string{"Sec-Fetch-Site", "same-origin", "Origin", w.url}, "POST", 404},
		"an older browser":   {[]string{"Origin", w.url}, "POST", 404},
		"no browser":         {nil, "POST", 404},
	} {
		r := w.send(writer, tc.method, "/v1/nothing", "", tc.headers...)
		if r.status != tc.status {
			t.Errorf("%s: got %d, want %d", name, r.status, tc.status)
		}
	}
	if got := refused.get("origin"); got != 5 {
		t.Errorf("got %d requests counted, want 5", got)
	}
}

// A client that guesses tokens is stopped and seen; a program with an old token locks
// nobody out.
func TestWrongBearers(t *testing.T) {
	t.Parallel()
	var refused counts
	var log *audit.Log
	w := newWorld(t, setup{api: func(a *admin.API) {
		a.Refused = refused.add
		var err error
		log, err = audit.Open(t.Context(), a.Broker.Bridge(), audit.Key(seal.NewMasterKey()), 1)
		must(t, err)
		a.Audit = log
	}})
	const old = "an-old-token-0123456789"
	limited := 0
	for range 200 {
		r := w.send(old, "GET", "/v1/owners", "")
		switch r.status {
		case 401:
		case 429:
			limited++
			if r.header.Get("Retry-After") == "" {
				t.Error("429 does not say when to try again")
			}
		default:
			t.Fatalf("got %d, want 401 or 429", r.status)
		}
	}
	if limited < 150 {
		t.Errorf("%d of 200 requests with an old token were limited, want at least 150", limited)
	}
	w.ok(200, "GET", "/v1/owners", "") // the right one still works there

	compared := 0
	for i := range 200 {
		if r := w.send(fmt.Sprintf("guess-%016d", i), "GET", "/v1/owners", ""); r.status == 401 {
			compared++
		}
	}
	if compared > 25 {
		t.Errorf("%d of 200 guesses were compared, want at most 25", compared)
	}
	w.send(writer, "GET", "/v1/owners", "").refused(429, "", "too many wrong tokens")
	if r := w.send("", "GET", "/healthz", ""); r.status != 200 {
		t.Errorf("probe: got %d, want 200", r.status)
	}
	if got := refused.get("bearer") + refused.get("throttled"); got != 401 {
		t.Errorf("got %d wrong bearers counted, want 401", got)
	}
	entries, err := log.List(t.Context(), 0, 100)
	must(t, err)
	if len(entries) != 1 || entries[0].What != "wrong bearer token" || entries[0].On != "127.0.0.1" || entries[0].Who != "nobody" || entries[0].Outcome != audit.Refused {
		t.Errorf("got audit entries %+v, want one of the address, whatever their number", entries)
	}
	if strings.Contains(w.logs.String(), old) || strings.Contains(w.logs.String(), "guess-") {
		t.Error("a wrong token is in the log")
	}
}

// Each request has an id, which is in the answer and in the log, and is ours.
func TestRequestID(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{})
	seen := map[string]bool{}
	for _, token := range []string{writer, "", writer} {
		id := w.send(token, "GET", "/v1/owners", "", "X-Request-Id", "chosen-by-a-stranger").header.Get("X-Request-Id")
		if id == "" || id == "chosen-by-a-stranger" || seen[id] || !strings.Contains(w.logs.String(), "request="+id) {
			t.Errorf("got id %q, want a new one that is in the log", id)
		}
		seen[id] = true
	}
}
