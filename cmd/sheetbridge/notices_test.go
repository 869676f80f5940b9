package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/events/seal"
	"github.com/sheetbridge/sheetbridge/webhook/registry"
)

const notifySecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYqr"

// noticeReceiver receives notices, and refuses the first one.
type noticeReceiver struct {
	t      *testing.T
	events chan map[string]any

	mu    sync.Mutex
	tries int
}

func (r *noticeReceiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		r.t.Error(err)
	}
	verifier, err := standardwebhooks.NewWebhook(notifySecret)
	if err != nil {
		r.t.Error(err)
	}
	if err := verifier.Verify(body, req.Header); err != nil {
		r.t.Errorf("a notice is not signed: %v", err)
	}
	if got := req.Header.Get("Content-Type"); !strings.HasPrefix(got, "application/cloudevents+json") {
		r.t.Errorf("got %s, want a CloudEvent", got)
	}
	r.mu.Lock()
	r.tries++
	first := r.tries == 1
	r.mu.Unlock()
	if first {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	var event map[string]any
	if err := json.Unmarshal(body, &event); err != nil {
		r.t.Error(err)
	}
	r.events <- event
}

// next waits for the notice of a type; what else comes meanwhile is kept.
func (r *noticeReceiver) next(seen map[string][]map[string]any, kind string) map[string]any {
	r.t.Helper()
	deadline := time.After(60 * time.Second)
	for len(seen[kind]) == 0 {
		select {
		case e := <-r.events:
			kind, _ := e["type"].(string)
			seen[kind] = append(seen[kind], e)
		case <-deadline:
			r.t.Fatalf("no notice of type %s; there were %v", kind, seen)
		}
	}
	return seen[kind][0]
}

// receiveNotices takes the notices of a service that is started later.
func receiveNotices(t *testing.T) *noticeReceiver {
	t.Helper()
	r := &noticeReceiver{t: t, events: make(chan map[string]any, 100)}
	server := httptest.NewServer(r)
	t.Cleanup(server.Close)
	t.Setenv(prefix+"_NOTIFY_URL", server.URL+"/hook")
	t.Setenv(prefix+"_NOTIFY_SECRET", notifySecret)
	return r
}

// TestNotices: what needs a person is told once, signed, with what to do, and again
// after a refusal.
func TestNotices(t *testing.T) {
	p := plant(t)
	r := receiveNotices(t)
	s := startService(t, p.sim.URL())
	s.must("POST", "/v1/owners", map[string]string{"name": "ops", "region": "us", "token": p.token}, nil)
	s.must("POST", "/v1/partners", map[string]string{"name": "acme"}, nil)
	soon := time.Now().Add(5 * 24 * time.Hour).UTC().Format(time.RFC3339)
	s.must("POST", "/v1/partners/acme/credentials", map[string]string{"name": "erp", "expiresAt": soon}, nil)
	var hook struct {
		ID string `json:"id"`
	}
	s.must("POST", "/v1/webhooks", registration{"ops", strconv.FormatInt(p.sheet.ID, 10), []events.Request{{
		Partner: "acme", Sheet: "orders", Columns: columnsOf("No"), Where: `cells["canary-title"] != 7`,
	}}}, &hook)
	seen := map[string][]map[string]any{}
	store := r.next(seen, "sheetbridge.notice.store.new")
	if data := store["data"].(map[string]any); !strings.Contains(data["next"].(string), "back up") || !strings.HasPrefix(data["link"].(string), "http") {
		t.Errorf("got %v, want what to do and where to look", store)
	}
	expiring := r.next(seen, "sheetbridge.notice.credentials.expiring")
	if expiring["subject"] != "acme/erp" || !strings.Contains(expiring["data"].(map[string]any)["detail"].(string), "end in 4 days") {
		t.Errorf("got %v", expiring)
	}
	s.must("DELETE", "/v1/webhooks/"+hook.ID+"/shares/acme/orders", nil, nil)
	if ended := r.next(seen, "sheetbridge.notice.share.ended"); ended["subject"] != "acme/orders" {
		t.Errorf("got %v, want what ended", ended)
	}
	for kind, list := range seen {
		if len(list) != 1 {
			t.Errorf("%s came %d times, want once", kind, len(list))
		}
		text, _ := json.Marshal(list)
		for _, secret := range []string{"canary", p.token, notifySecret} {
			if strings.Contains(string(text), secret) {
				t.Errorf("%s has a secret or a value: %s", kind, text)
			}
		}
	}
	found := s.get("/v1/doctor", testToken)
	if !strings.Contains(found, "credentials erp of partner acme end in 4 days") {
		t.Errorf("the doctor says nothing of credentials that expire: %s", found)
	}
	if strings.Contains(s.stderr.String(), notifySecret) {
		t.Error("the secret is in the log")
	}
}

// TestRefusedWritesAreTold: a partner whose program asks again and again for what it does
// not get is told of once, and by the doctor.
func TestRefusedWritesAreTold(t *testing.T) {
	p := plant(t)
	r := receiveNotices(t)
	s := startService(t, p.sim.URL())
	t.Chdir(t.TempDir())
	s.must("POST", "/v1/owners", map[string]string{"name": "ops", "region": "us", "token": p.token}, nil)
	var made struct {
		Credentials seal.Secret `json:"credentials"`
	}
	var hook struct {
		ID string `json:"id"`
	}
	s.must("POST", "/v1/partners", map[string]string{"name": "acme"}, &made)
	if err := os.WriteFile("acme.creds", []byte(made.Credentials), 0o600); err != nil {
		t.Fatal(err)
	}
	s.must("POST", "/v1/webhooks", registration{"ops", strconv.FormatInt(p.sheet.ID, 10), []events.Request{{
		Partner: "acme", Sheet: "orders", Columns: columnsOf("No", "Status"), Write: &events.WriteTerms{Update: []string{"status"}},
	}}}, &hook)
	row := strconv.FormatInt(p.sheet.Rows[0], 10)
	refused := func(value string) {
		t.Helper()
		out := newOutput()
		code := run(t.Context(), []string{"write", "--creds", "acme.creds", "--server", s.nats, "--sheet", "orders", "--row", row, "--expect", "status=canary-" + value, "--set", "status=Done"}, out, out)
		if code != exitRefused {
			t.Fatalf("got exit code %d of a write that is to be refused: %s", code, out)
		}
	}
	for i := range 19 {
		refused(strconv.Itoa(i))
	}
	if found := s.get("/v1/doctor", testToken); strings.Contains(found, "its writes are refused") {
		t.Errorf("the doctor tells of a few refusals: %s", found)
	}
	refused("last")
	seen := map[string][]map[string]any{}
	data := r.next(seen, "sheetbridge.notice.partner.writes-refused")["data"].(map[string]any)
	text, _ := json.Marshal(data)
	if data["on"] != "acme" || !strings.Contains(data["detail"].(string), "(conflict)") || !strings.Contains(data["next"].(string), "GET /v1/audit") || strings.Contains(string(text), "canary") {
		t.Errorf("got %s, want who, why and what to do, and no value", text)
	}
	if found := s.get("/v1/doctor", testToken); !strings.Contains(found, "its writes are refused: 20 or more within an hour") {
		t.Errorf("the doctor does not tell of it: %s", found)
	}
	for i := range 3 {
		refused("again-" + strconv.Itoa(i))
	}
	soon := time.Now().Add(5 * 24 * time.Hour).UTC().Format(time.RFC3339)
	s.must("POST", "/v1/partners/acme/credentials", map[string]string{"name": "erp", "expiresAt": soon}, nil)
	r.next(seen, "sheetbridge.notice.credentials.expiring") // it was looked at again what needs a person
	s.must("DELETE", "/v1/webhooks/"+hook.ID+"/shares/acme/orders", nil, nil)
	r.next(seen, "sheetbridge.notice.share.ended") // comes after what else was to be told
	if n := len(seen["sheetbridge.notice.partner.writes-refused"]); n != 1 {
		t.Errorf("it was told %d times, want once", n)
	}
}

// TestNoticesLinkIntoTheConsole: each link that this package gives a notice is a page that
// the console has.
func TestNoticesLinkIntoTheConsole(t *testing.T) {
	source, err := os.ReadFile("notices.go")
	if err != nil {
		t.Fatal(err)
	}
	console, err := os.ReadFile(filepath.Join("..", "..", "webhook", "console", "ui", "main.tsx"))
	if err != nil {
		t.Fatal(err)
	}
	links := regexp.MustCompile(`Link: +"/#/([a-z]*)`).FindAllStringSubmatch(string(source), -1)
	if len(links) < 8 {
		t.Fatalf("got %d links, want more", len(links))
	}
	for _, link := range links {
		if link[1] != "" && !strings.Contains(string(console), `case "`+link[1]+`":`) {
			t.Errorf("the console has no page %s", link[1])
		}
	}
}

// TestToldBefore: a write that was made makes of a notice one that is over, where it is
// older.
func TestToldBefore(t *testing.T) {
	at := time.Now()
	notices := []*registry.Notice{{Key: "a", Made: at}}
	for _, c := range []struct {
		key  string
		t    time.Time
		want bool
	}{{"a", at.Add(1), true}, {"a", at, false}, {"b", at.Add(1), false}, {"a", time.Time{}, false}} {
		if got := hasNoticeBefore(notices, c.key, c.t); got != c.want {
			t.Errorf("%s, %v: got %v, want %v", c.key, c.t, got, c.want)
		}
	}
}

// TestDataDirRemoved: a service whose files were removed is not ready, whatever it has
// in memory.
func TestDataDirRemoved(t *testing.T) {
	p := plant(t)
	s := startService(t, p.sim.URL())
	if got := s.get("/readyz", testToken); got != "ready\n" {
		t.Fatalf("got %q", got)
	}
	if !strings.Contains(s.stderr.String(), "a new master key was made") || !strings.Contains(s.stderr.String(), "a new, empty store was made") {
		t.Errorf("nothing says that there is something to back up: %s", s.stderr)
	}
	away := filepath.Join(t.TempDir(), "away")
	if err := os.Rename(s.data, away); err != nil {
		t.Fatal(err)
	}
	if got := s.get("/readyz", testToken); !strings.Contains(got, "restore DATA_DIR from the backup") {
		t.Errorf("got %q, want what to do", got)
	}
	if err := os.Rename(away, s.data); err != nil {
		t.Fatal(err)
	}
	if got := s.get("/readyz", testToken); got != "ready\n" {
		t.Errorf("got %q once it is back", got)
	}
}
