package main

import (
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/events/seal"
)

// TestJoin lets a partner in who never sees a secret of ours: it makes its key,
// sends the public half, and reads.
func TestJoin(t *testing.T) {
	p := plant(t)
	s := startService(t, p.sim.URL())
	t.Chdir(t.TempDir())
	s.must("POST", "/v1/owners", map[string]string{"name": "ops", "region": "us", "token": p.token}, nil)
	s.must("POST", "/v1/partners", map[string]string{"name": "acme"}, nil)
	s.must("POST", "/v1/webhooks", registration{"ops", strconv.FormatInt(p.sheet.ID, 10), []events.Request{{
		Partner: "acme", Columns: columnsOf("No"), Where: `cells["canary-title"] != 7`,
	}}}, nil)
	var invitation struct {
		URL string `json:"url"`
	}
	s.must("POST", "/v1/partners/acme/invitations", map[string]string{"name": "erp"}, &invitation)
	token := invitation.URL[strings.LastIndex(invitation.URL, "/")+1:]

	join := func(code int, args ...string) string {
		t.Helper()
		out := newOutput()
		if got := run(t.Context(), append([]string{"join"}, args...), out, out); got != code {
			t.Errorf("join %q: got exit code %d, want %d\n%s", args, got, code, out)
		}
		if strings.Contains(out.String(), token) {
			t.Errorf("join prints the token:\n%s", out)
		}
		return out.String()
	}
	if err := os.WriteFile("kept.creds", []byte("the only copy"), 0o600); err != nil {
		t.Fatal(err)
	}
	join(exitUsage, invitation.URL, "-o", "kept.creds")
	join(exitUsage, invitation.URL, "-o", "no-such-directory/acme.creds")
	join(exitUsage, "http://bridge.a.example/join/"+token, "-o", "acme.creds")
	join(exitUsage, invitation.URL)
	if text, err := os.ReadFile("kept.creds"); err != nil || string(text) != "the only copy" {
		t.Errorf("got %q, %v: a file that was there was changed", text, err)
	}
	join(exitUsage, invitation.URL, "-o", "kept.creds", "--dry-run")
	join(exitUsage, invitation.URL, "-o", "no-such-directory/acme.creds", "--dry-run")
	for _, other := range []string{"/healthz", "/join/" + strings.Repeat("A", 43), "/nowhere"} {
		if out := join(exitFailed, s.public+other, "-o", "acme.creds", "--dry-run"); strings.Contains(out, "is open") {
			t.Errorf("%s: got %s, want that it is no open invitation", other, out)
		}
	}
	if out := join(exitOK, invitation.URL, "-o", "acme.creds", "--dry-run"); !strings.Contains(out, "partner acme to credentials erp is open until ") {
		t.Errorf("got %s, want that the invitation is open", out)
	}
	if _, err := os.Stat("acme.creds"); !os.IsNotExist(err) {
		t.Errorf("got %v, want that a dry run writes no file", err)
	}
	said := join(exitOK, invitation.URL, "-o", "acme.creds")
	if !strings.Contains(said, "sheetbridge tail --creds acme.creds --server "+s.nats) {
		t.Errorf("got %s, want what to do next", said)
	}
	info, err := os.Stat("acme.creds")
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("got %v, %v, want a file for its owner alone", info, err)
	}
	creds, err := os.ReadFile("acme.creds")
	if err != nil {
		t.Fatal(err)
	}
	if out := join(exitFailed, invitation.URL, "-o", "again.creds"); !strings.Contains(out, "Ask those who sent it") {
		t.Errorf("got %s, want what to do", out)
	}
	join(exitFailed, invitation.URL, "-o", "again.creds", "--dry-run") // it is used
	if _, err := os.Stat("again.creds"); !os.IsNotExist(err) {
		t.Errorf("got %v, want no file where nothing was given", err)
	}
	if out := join(exitFailed, s.public+"/nowhere", "-o", "again.creds"); !strings.Contains(out, "is the address right?") {
		t.Errorf("got %s, want that the address is asked for", out)
	}
	s.tail(seal.Secret(creds)).wait(t, `"after":{"no":"SO-1"`)

	entries := s.get("/v1/audit", testToken)
	for _, want := range []string{`"what":"invitation made"`, `"what":"invitation used"`, `"who":"invitation acme/erp"`, `"what":"wrong invitation"`} {
		if !strings.Contains(entries, want) {
			t.Errorf("the audit log lacks %s", want)
		}
	}
	resp, err := http.Get(invitation.URL)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close() // its status alone counts
	if resp.StatusCode != http.StatusNotFound {
		t.Errorf("got %d for an invitation that was used, want 404", resp.StatusCode)
	}
	answers := s.get("/v1/partners/acme/invitations", testToken) + s.get("/v1/partners/acme", testToken) + s.get("/metrics", testToken) + entries
	s.stop()
	for name, secret := range map[string]string{"the token": token, "the partner's seed": seedIn(string(creds))} {
		if secret == "" || strings.Contains(s.stderr.String()+answers, secret) {
			t.Errorf("%s is in a log or an answer", name)
		}
		onDisk(t, s.data, name, secret)
	}
}
