package smartsheettest

import (
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func TestTokens(t *testing.T) {
	now := time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC)
	var clock atomic.Pointer[time.Time]
	clock.Store(&now)
	w := newWorld(t, func(s *Server) { s.Clock = func() time.Time { return *clock.Load() } })
	second := api{t: t, url: w.api.url, token: w.srv.AddToken(w.jane)}
	short := api{t: t, url: w.api.url, token: w.srv.AddTokenUntil(w.jane, now.Add(time.Hour))}
	(api{t: t, url: w.api.url}).refused("GET", "/users/me", "", 401, 1001)
	(api{t: t, url: w.api.url, token: "made-up"}).refused("GET", "/users/me", "", 401, 1002)
	for _, a := range []api{w.api, second, short} {
		if got := a.ok("GET", "/users/me", "").body["email"]; got != "jane@a.example" {
			t.Errorf("me: got %v, want jane", got)
		}
	}
	w.srv.RevokeToken(w.api.token)
	w.api.refused("GET", "/users/me", "", 401, 1002)
	second.ok("GET", "/users/me", "")
	later := now.Add(time.Hour)
	clock.Store(&later)
	short.refused("GET", "/users/me", "", 401, 1003)
	w.srv.DeactivateUser(w.jane)
	second.refused("GET", "/users/me", "", 401, 1002)
}

func TestAssumeUser(t *testing.T) {
	w := newWorld(t)
	other := w.srv.AddUser(User{Email: "boss@a.example", Admin: true})
	for assumed, want := range map[string]int{
		"jane%40a.example": 200, "jane@a.example": 401, "nobody%40a.example": 401, "boss%40a.example": 401,
	} {
		a := w.adminAPI
		a.header = http.Header{"Assume-User": {assumed}}
		out := a.do("GET", "/users/me", "")
		if out.status != want || want == 401 && fmt.Sprint(out.body["errorCode"]) != "1030" {
			t.Errorf("assume %s: got %d %s, want %d", assumed, out.status, out.text, want)
		}
		if want == 200 && out.body["email"] != "jane@a.example" {
			t.Errorf("assume %s: got %v", assumed, out.body["email"])
		}
	}
	a := w.api
	a.header = http.Header{"Assume-User": {"vic%40a.example"}}
	a.refused("GET", "/users/me", "", 401, 1030)
	if other.ID == 0 {
		t.Error("got id 0, want one")
	}
	w.api.refused("GET", "/users", "", 403, 1004)
	if got := at(t, w.adminAPI.ok("GET", "/users", "").body, "totalCount"); fmt.Sprint(got) != "5" {
		t.Errorf("users: got %v, want 5", got)
	}
}

func TestRoutesAndTransport(t *testing.T) {
	w := newWorld(t)
	for _, path := range []string{"/nothing", "/reports", "/sheets/1/rows/move", "/home/folders", "/sheets/1/publish"} {
		if out := w.api.refused("POST", path, "{}", 501, 9501); !strings.Contains(fmt.Sprint(out.body["message"]), "POST /2.0"+path+" is not simulated") {
			t.Errorf("%s: got %s", path, out.text)
		}
	}
	w.api.refused("POST", "/users", "{}", 501, 9501)
	w.api.refused("GET", "/sheets/not-a-number", "", 404, 1006)
	w.api.refused("PATCH", w.path, "", 405, 1122)
	w.api.ok("GET", w.path+"?colour=blue&includeAll=true&include=proofs&toTop=true", "")
	w.api.ok("GET", w.path+"/", "")
	w.api.refused("GET", w.path+"?include=everything", "", 400, 1018)
	w.api.refused("GET", w.path+"?level=3", "", 400, 1018)
	w.api.refused("GET", w.path+"?rowIds=1,x", "", 400, 1018)
	w.api.refused("GET", w.path+"?pageSize=0", "", 400, 1018)
	w.api.refused("POST", w.path+"/rows", "", 400, 1024)
	w.api.refused("POST", w.path+"/rows", "{", 400, 1008)
	w.api.refused("POST", w.path+"/rows", `{"colour":"blue"}`, 400, 1008)
	w.api.refused("POST", w.path+"/rows", `{"toTop":"yes"}`, 400, 1008)
	if got := w.api.ok("GET", "/sheets/", "").header.Get("Content-Type"); got != "application/json;charset=UTF-8" {
		t.Errorf("content type: got %q", got)
	}
	resp, err := w.api.raw("POST", w.api.url+w.path+"/rows", strings.NewReader("{}"), http.Header{"Content-Type": {"text/plain"}})
	if err != nil {
		t.Fatal(err)
	}
	if resp.Body.Close(); resp.StatusCode != http.StatusUnsupportedMediaType {
		t.Errorf("text/plain: got %d, want 415", resp.StatusCode)
	}
	long := w.api.do("GET", w.path+"?rowIds="+strings.Repeat("1234567890123456,", 500), "")
	if long.status != 414 || !strings.HasPrefix(long.text, "<html>") || !strings.HasPrefix(long.header.Get("Content-Type"), "text/html") {
		t.Errorf("long URL: got %d %.60s, want 414 as a page", long.status, long.text)
	}
}

func TestGzip(t *testing.T) {
	w := newWorld(t)
	resp, err := w.api.raw("GET", w.api.url+w.path, nil, http.Header{"Accept-Encoding": {"gzip, deflate"}})
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.Header.Get("Content-Encoding") != "gzip" {
		t.Fatalf("got encoding %q, want gzip", resp.Header.Get("Content-Encoding"))
	}
	z, err := gzip.NewReader(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	var sheet map[string]any
	if err := json.NewDecoder(z).Decode(&sheet); err != nil || sheet["name"] != "Everything" {
		t.Errorf("got %v, %v", sheet["name"], err)
	}
}

func TestRateLimit(t *testing.T) {
	now := time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC)
	var clock atomic.Pointer[time.Time]
	clock.Store(&now)
	w := newWorld(t, func(s *Server) {
		s.RateLimit = 25
		s.Clock = func() time.Time { return *clock.Load() }
	})
	w.api.ok("GET", fmt.Sprintf("%s/rows/%d/columns/%d/history", w.path, w.sheet.Rows[0], w.col("Task")), "")
	w.api.ok("POST", w.path+"/attachments", `{"attachmentType":"LINK","name":"x","url":"https://x.example"}`)
	for range 5 {
		w.api.ok("GET", "/users/me", "")
	}
	w.api.refused("GET", "/users/me", "", 429, 4003)
	w.viewerAPI.ok("GET", "/users/me", "")
	soon := now.Add(59 * time.Second)
	clock.Store(&soon)
	w.api.refused("GET", "/users/me", "", 429, 4003)
	later := now.Add(time.Minute)
	clock.Store(&later)
	w.api.ok("GET", "/users/me", "")
	costs := map[string]int{}
	for _, r := range w.srv.Requests() {
		costs[fmt.Sprintf("%s %d", r.User, r.Status)] += r.Cost
	}
	if costs["jane@a.example 200"] != 26 || costs["vic@a.example 200"] != 1 || costs["jane@a.example 429"] != 2 {
		t.Errorf("got costs %v, want 26, 1 and 2", costs)
	}
}

func TestFaults(t *testing.T) {
	w := newWorld(t)
	fail := func(f *Fault) {
		w.srv.SetFault(func(r *http.Request) *Fault {
			if strings.HasSuffix(r.URL.Path, "/version") {
				return f
			}
			return nil
		})
	}
	fail(&Fault{Status: 503, ErrorCode: 4001, RetryAfter: 1500 * time.Millisecond})
	if out := w.api.refused("GET", w.path+"/version", "", 503, 4001); out.header.Get("Retry-After") != "2" {
		t.Errorf("got Retry-After %q, want 2", out.header.Get("Retry-After"))
	}
	fail(&Fault{Status: 502, HTML: true})
	if out := w.api.do("GET", w.path+"/version", ""); out.status != 502 || !strings.Contains(out.text, "<html>") {
		t.Errorf("got %d %.40s, want a page", out.status, out.text)
	}
	for name, f := range map[string]*Fault{"hang up": {HangUp: true}, "lose answer": {LoseAnswer: true}} {
		fail(f)
		if resp, err := w.api.raw("GET", w.api.url+w.path+"/version", nil, nil); err == nil {
			resp.Body.Close()
			t.Errorf("%s: got an answer, want none", name)
		}
	}
	fail(&Fault{HalfBody: true})
	resp, err := w.api.raw("GET", w.api.url+w.path+"/version", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if text, err := io.ReadAll(resp.Body); err == nil {
		t.Errorf("half body: got %q whole, want an error", text)
	}
	w.srv.SetFault(nil)
	w.api.ok("GET", w.path+"/version", "")
	w.srv.Refuse(true)
	if resp, err := w.api.raw("GET", w.api.url+w.path+"/version", nil, nil); err == nil {
		resp.Body.Close()
		t.Error("refusing: got an answer, want none")
	}
	w.srv.Refuse(false)
	w.api.ok("GET", w.path+"/version", "")
}

func TestLostAnswerIsDone(t *testing.T) {
	w := newWorld(t)
	w.srv.SetFault(func(*http.Request) *Fault { return &Fault{LoseAnswer: true} })
	resp, err := w.api.raw("POST", w.api.url+w.path+"/rows", strings.NewReader("{}"), http.Header{"Content-Type": {"application/json"}})
	if err == nil {
		resp.Body.Close()
		t.Fatal("got an answer, want none")
	}
	if snap, _ := w.srv.Snapshot(w.sheet.ID); len(snap.Rows) != 4 {
		t.Errorf("got %d rows, want 4: it was done", len(snap.Rows))
	}
}

func TestSaveCollision(t *testing.T) {
	w := newWorld(t)
	key := writeKey{fmt.Sprint(w.sheet.ID), nil}
	for _, tok := range w.srv.tokens {
		if tok.user == w.jane.ID {
			key.token = tok
		}
	}
	if !w.srv.beginWrite(key) {
		t.Fatal("got busy, want free")
	}
	w.api.refused("POST", w.path+"/rows", "{}", 500, 4004)
	w.srv.endWrite(key)
	w.api.ok("POST", w.path+"/rows", "{}")
}
