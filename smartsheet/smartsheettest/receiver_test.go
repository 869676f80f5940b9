package smartsheettest

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// received is a callback as a receiver got it.
type received struct {
	Nonce         string           `json:"nonce"`
	Timestamp     string           `json:"timestamp"`
	WebhookID     int64            `json:"webhookId"`
	Scope         string           `json:"scope"`
	ScopeObjectID int64            `json:"scopeObjectId"`
	Events        []map[string]any `json:"events"`
	Status        string           `json:"newWebhookStatus"`

	text      string
	signature string
}

// names are the events as "row.created".
func (r received) names() []string {
	var out []string
	for _, e := range r.Events {
		out = append(out, fmt.Sprintf("%v.%v", e["objectType"], e["eventType"]))
	}
	return out
}

// receiver is a callback server.
type receiver struct {
	t   *testing.T
	url string

	mu         sync.Mutex
	got        []received
	challenges int
	answers    []int // statuses to come; then always 200
	mute       bool  // answers challenges wrongly
	byBody     bool  // answers challenges in the body alone

	challengeStatus int // of the answers to challenges, 200 if zero
	open, most      int // callbacks at once
	gate            chan struct{}
}

func newReceiver(t *testing.T) *receiver {
	r := &receiver{t: t}
	server := httptest.NewServer(r)
	t.Cleanup(server.Close)
	r.url = server.URL + "/callbacks/key"
	return r
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		r.t.Errorf("reading a callback: %v", err)
	}
	if challenge := req.Header.Get("Smartsheet-Hook-Challenge"); challenge != "" {
		r.challenged(w, challenge, string(body))
		return
	}
	r.mu.Lock()
	r.open++
	r.most = max(r.most, r.open)
	gate := r.gate
	r.mu.Unlock()
	if gate != nil {
		<-gate
	}
	in := received{text: string(body), signature: req.Header.Get("Smartsheet-Hmac-SHA256")}
	if err := json.Unmarshal(body, &in); err != nil || req.Header.Get("Content-Type") != "application/json" {
		r.t.Errorf("callback %q: %v", body, err)
	}
	if req.Header.Get("Smartsheet-Hook-Id") != fmt.Sprint(in.WebhookID) {
		r.t.Errorf("got hook id %q, want %d", req.Header.Get("Smartsheet-Hook-Id"), in.WebhookID)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.open--
	r.got = append(r.got, in)
	if len(r.answers) > 0 {
		if r.answers[0]/100 == 3 {
			w.Header().Set("Location", "/elsewhere")
		}
		w.WriteHeader(r.answers[0])
		r.answers = r.answers[1:]
	}
}

func (r *receiver) challenged(w http.ResponseWriter, challenge, body string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.challenges++
	var in map[string]any
	if err := json.Unmarshal([]byte(body), &in); err != nil || len(in) != 2 || in["challenge"] != challenge {
		r.t.Errorf("challenge: got body %q", body)
	}
	if r.mute {
		challenge = "something else"
	}
	if !r.byBody {
		w.Header().Set("Smartsheet-Hook-Response", challenge)
	}
	w.WriteHeader(cmp.Or(r.challengeStatus, http.StatusOK))
	if !r.byBody {
		return
	}
	fmt.Fprintf(w, `{"smartsheetHookResponse":%q}`, challenge)
}

func (r *receiver) all() []received {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]received(nil), r.got...)
}

func (r *receiver) set(change func(*receiver)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	change(r)
}

// signed checks a callback's signature.
func signed(in received, secret string) bool {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(in.text))
	padded := strings.Repeat("0", max(0, 64-len(in.signature))) + in.signature
	return hex.EncodeToString(mac.Sum(nil)) == padded
}

// hook creates a webhook and enables it.
func (w *world) hook(r *receiver, extra string) (path string) {
	w.api.t.Helper()
	path = w.newHook(r.url, extra)
	if got := w.api.ok("PUT", path, `{"enabled":true}`).body; at(w.api.t, got, "result", "status") != "ENABLED" {
		w.api.t.Fatalf("enable: got %v, want ENABLED", got)
	}
	return path
}

func (w *world) newHook(url, extra string) string {
	w.api.t.Helper()
	made := w.api.ok("POST", "/webhooks", w.hookBody(url, extra)).body
	return fmt.Sprintf("/webhooks/%v", at(w.api.t, made, "result", "id"))
}

func (w *world) hookBody(url, extra string) string {
	return fmt.Sprintf(`{"name":"Hook","callbackUrl":%q,"scope":"sheet","scopeObjectId":%d,"events":["*.*"],"version":1%s}`, url, w.sheet.ID, extra)
}

// edit changes a cell, and waits until all callbacks are through.
func (w *world) edit(value string) {
	w.api.t.Helper()
	if err := w.srv.As(w.jane).UpdateRows(w.sheet.ID, Row{ID: w.sheet.Rows[0], Cells: Cells{"Task": value}}); err != nil {
		w.api.t.Fatal(err)
	}
	w.wait()
}

func (w *world) wait() {
	w.api.t.Helper()
	if err := w.srv.Wait(w.api.t.Context()); err != nil {
		w.api.t.Fatal(err)
	}
}

func (w *world) hookStatus(path string) string {
	w.api.t.Helper()
	return fmt.Sprint(w.api.ok("GET", path, "").body["status"])
}

// quick makes webhooks wait for nothing.
func quick(s *Server) {
	s.Debounce = -1
	s.RetryBackoff = func(int) time.Duration { return time.Microsecond }
}
