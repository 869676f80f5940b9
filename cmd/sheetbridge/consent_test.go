package main

import (
	"bytes"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/sheetbridge/sheetbridge/smartsheet/smartsheettest"
	"github.com/sheetbridge/sheetbridge/webhook/admin"
	"github.com/sheetbridge/sheetbridge/webhook/owner"
)

const (
	appID     = "app-of-the-bridge"
	appSecret = "canary-app-secret-0123456789"
)

// bearers collects the tokens that reach the simulator.
type bearers struct {
	mu   sync.Mutex
	seen map[string]bool
}

func (b *bearers) look(r *http.Request) *smartsheettest.Fault {
	b.mu.Lock()
	defer b.mu.Unlock()
	if token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "); token != "" {
		b.seen[token] = true
	}
	return nil
}

// consenting is a service with an app, and a browser.
type consenting struct {
	*running
	p       *planted
	browser browser
	seen    *bearers
}

func newConsenting(t *testing.T) *consenting {
	t.Helper()
	t.Setenv(prefix+"_OAUTH_CLIENT_ID", appID)
	t.Setenv(prefix+"_OAUTH_CLIENT_SECRET", appSecret)
	c := &consenting{p: plant(t), seen: &bearers{seen: map[string]bool{}}}
	c.p.sim.SetFault(c.seen.look)
	c.running = startService(t, c.p.sim.URL())
	c.p.sim.AddApp(smartsheettest.App{ClientID: appID, Secret: appSecret, Name: "Sheetbridge of Company A", RedirectURL: c.public + owner.ConsentPath})
	c.browser = newBrowser(t)
	t.Setenv(prefix+"_ADMIN_URL", c.admin.URL())
	return c
}

// shows wants a page with the title and the words.
func (c *consenting) shows(title string, words ...string) {
	c.t.Helper()
	got, text := c.browser.page()
	if !strings.HasPrefix(got, title) {
		c.t.Errorf("got page %q: %s, want %q", got, text, title)
	}
	for _, w := range words {
		if !strings.Contains(text, w) {
			c.t.Errorf("got page %q: %s, want %q in it", got, text, w)
		}
	}
}

// ask has the admin ask for a new address and opens it.
func (c *consenting) ask() string {
	c.t.Helper()
	var o admin.Owner
	c.must(http.MethodPost, "/v1/owners/jane/authorize", nil, &o)
	c.browser.open(o.AuthorizeURL)
	c.shows("Allow access", "Sheetbridge of Company A", "READ_SHEETS", "ADMIN_WEBHOOKS")
	return o.AuthorizeURL
}

func (c *consenting) owner() admin.Owner {
	c.t.Helper()
	var o admin.Owner
	c.must(http.MethodGet, "/v1/owners/jane", nil, &o)
	return o
}

// command runs one of the program's commands and returns its code and output.
func (c *consenting) command(args ...string) (int, string) {
	c.t.Helper()
	var out bytes.Buffer
	code := run(c.t.Context(), args, &out, io.MultiWriter(&out, c.stderr))
	return code, out.String()
}

func TestConsentInABrowser(t *testing.T) {
	c := newConsenting(t)
	var made admin.Owner
	c.must(http.MethodPost, "/v1/owners", map[string]any{"name": "jane", "kind": "oauth", "region": "us"}, &made)
	if made.State != "authorize" || made.AuthorizeURL == "" {
		t.Fatalf("got %+v, want an address to consent at", made)
	}

	c.browser.open(made.AuthorizeURL)
	c.browser.decide(c.p.jane.Email, "deny")
	c.shows("You did not consent")
	if o := c.owner(); o.State != "authorize" || !strings.Contains(o.Reason, "refused") {
		t.Errorf("after a denial: got %s (%s), want authorize and why", o.State, o.Reason)
	}

	c.ask()
	c.browser.decide(c.p.jane.Email, "allow")
	c.shows("You are connected", c.p.jane.Email, "Nothing is shared in your name yet")
	if o := c.owner(); o.State != "ok" || o.Email != c.p.jane.Email || o.ExpiresAt == nil {
		t.Errorf("after the consent: got %+v, want ok as jane", o)
	}
	c.browser.reload()
	c.shows("This address does not work")

	c.must(http.MethodPost, "/v1/partners", map[string]any{"name": "acme"}, nil)
	c.must(http.MethodPost, "/v1/webhooks", map[string]any{"owner": "jane", "sheetId": strconv.FormatInt(c.p.sheet.ID, 10),
		"shares": []any{map[string]any{"partner": "acme", "sheet": "orders", "columns": []any{map[string]any{"title": "No"}, map[string]any{"title": "Status"}}, "where": "status == 'Open'"}}}, nil)
	c.ask()
	c.browser.decide(c.p.jane.Email, "allow")
	c.shows("You are connected", "Orders", "acme", "No, Status", "status == 'Open'")

	c.browser.open(c.public + owner.ConsentPath + "?code=abc&state=jane." + strings.Repeat("A", 43))
	c.shows("This address does not work")
	c.browser.open(c.public + owner.ConsentPath + "?error=access_denied&state=%3Cscript%3Ealert(1)%3C/script%3E")
	c.shows("This address does not work")

	mallory := c.p.sim.AddUser(smartsheettest.User{Email: "mallory@a.example", Name: "Mallory"})
	c.ask()
	c.browser.decide(mallory.Email, "allow")
	c.shows("You are logged in as another user", "mallory@a.example", c.p.jane.Email)

	c.commands()
	c.nothingLeaks()
}

// commands are what an admin does by hand, while the service works.
func (c *consenting) commands() {
	c.t.Helper()
	for _, test := range []struct {
		args  []string
		code  int
		words string
	}{
		{[]string{"access", "jane"}, exitOK, "this token can read 1 sheet; 1 is shared: it reaches no more than needed"},
		{[]string{"access", "nobody"}, exitFailed, "no owner"},
		{[]string{"access"}, exitUsage, "want OWNER"},
		{[]string{"keys", "rotate"}, exitOK, "records sealed again"},
		{[]string{"keys"}, exitOK, "disabled  0"},
		{[]string{"keys", "rotate", "now"}, exitUsage, "this command takes no arguments"},
		{[]string{"audit", "--limit", "1000"}, exitOK, "owner acts for"},
		{[]string{"audit", "verify"}, exitOK, "The audit log is whole: "},
		{[]string{"audit", "verify", "--head", "1:" + strings.Repeat("0", 64)}, exitFailed, "cut off or replaced"},
		{[]string{"audit", "verify", "--head", "x"}, exitUsage, "SEQUENCE:HASH"},
	} {
		if code, out := c.command(test.args...); code != test.code || !strings.Contains(out, test.words) {
			c.t.Errorf("%v: got %d %s, want %d and %q", test.args, code, out, test.code, test.words)
		}
	}
	var sheets struct {
		Items []admin.Sheet `json:"items"`
	}
	c.must(http.MethodGet, "/v1/owners/jane/sheets", nil, &sheets) // the tokens open under the new key
	if len(sheets.Items) != 1 {
		c.t.Errorf("got %d sheets after the rotation, want 1", len(sheets.Items))
	}
}

// nothingLeaks wants no token and no secret in the log, the audit log and the
// store.
func (c *consenting) nothingLeaks() {
	c.t.Helper()
	_, trail := c.command("audit", "--limit", "1000", "-o", "json")
	c.stop()
	secrets := []string{appSecret}
	c.seen.mu.Lock()
	for token := range c.seen.seen {
		secrets = append(secrets, token)
	}
	c.seen.mu.Unlock()
	if len(secrets) < 3 {
		c.t.Fatalf("got %d secrets to look for, want more", len(secrets))
	}
	texts := map[string]string{"the log": c.stderr.String(), "the audit log": trail}
	err := filepath.WalkDir(c.data, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		texts[path] = string(text)
		return err
	})
	if err != nil {
		c.t.Fatal(err)
	}
	for where, text := range texts {
		for _, secret := range secrets {
			if strings.Contains(text, secret) {
				c.t.Errorf("%s holds a token or secret", where)
			}
		}
	}
}
