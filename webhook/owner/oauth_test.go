package owner_test

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/events/seal"
	"github.com/sheetbridge/sheetbridge/smartsheet/smartsheettest"
	"github.com/sheetbridge/sheetbridge/webhook/limits"
	"github.com/sheetbridge/sheetbridge/webhook/owner"
	"github.com/sheetbridge/sheetbridge/webhook/problem"
	"github.com/sheetbridge/sheetbridge/webhook/registry"
	"github.com/sheetbridge/sheetbridge/webhook/webhooktest"
)

// consents is a bridge whose owner consents in a browser. Smartsheet's clock and
// the bridge's for tokens are one, and can be set.
type consents struct {
	*webhooktest.Bridge
	jane  *smartsheettest.User
	sheet *smartsheettest.Sheet
	app   *smartsheettest.App
	oauth *owner.OAuth
	page  *httptest.Server // where browsers come back to
	late  *atomic.Int64
	logs  *syncLog
}

type syncLog struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *syncLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *syncLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// newConsents makes the test a parallel one.
func newConsents(t *testing.T) *consents {
	t.Helper()
	t.Parallel()
	c := &consents{late: &atomic.Int64{}, logs: &syncLog{}}
	start := time.Now()
	clock := func() time.Time { return start.Add(time.Since(start) + time.Duration(c.late.Load())) }
	sim := smartsheettest.New(t, func(s *smartsheettest.Server) { s.RateLimit, s.Clock = -1, clock })
	c.jane, _, c.sheet = webhooktest.Orders(t, sim)
	c.Bridge = webhooktest.NewBridge(t, sim, webhooktest.Options{Log: slog.NewTextHandler(c.logs, &slog.HandlerOptions{Level: slog.LevelDebug})})
	// The page is there before the app is known, whose redirect it is.
	c.page = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.oauth.Middleware(http.NotFoundHandler()).ServeHTTP(w, r)
	}))
	t.Cleanup(c.page.Close)
	c.app = sim.AddApp(smartsheettest.App{Name: "Sheetbridge", RedirectURL: c.page.URL + owner.ConsentPath})
	c.oauth = c.authorizing(c.Access, clock)
	webhooktest.Must(t, c.Registry.CreateOwner(t.Context(), &registry.Owner{
		Name: "jane", Region: "us", Kind: owner.KindOAuth, State: registry.OwnerAuthorize, OAuth: &registry.OAuth{},
	}))
	return c
}

func (c *consents) authorizing(access *owner.Access, clock func() time.Time) *owner.OAuth {
	owners := &owner.Owners{Registry: access.Registry, Access: access, Inbox: c.Inbox, Log: slog.New(c.Opts.Log)}
	access.OAuth = &owner.OAuth{
		Access: access, ClientID: c.app.ClientID, Secret: seal.Secret(c.app.Secret), Now: clock, Log: slog.New(c.Opts.Log), Wake: owners.Wake,
	}
	return access.OAuth
}

func (c *consents) pass(d time.Duration) { c.late.Add(int64(d)) }

// ask returns an address to consent at.
func (c *consents) ask() string {
	c.T.Helper()
	address, err := c.oauth.AuthorizationURL(c.T.Context(), "jane")
	webhooktest.Must(c.T, err)
	return address
}

// decide does what the page of consent does at a click, and returns where it
// sends the browser.
func (c *consents) decide(address, user, decision string) string {
	c.T.Helper()
	u, err := url.Parse(address)
	webhooktest.Must(c.T, err)
	form := u.Query()
	form.Set("user", user)
	form.Set("decision", decision)
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.PostForm(u.Scheme+"://"+u.Host+u.Path, form)
	webhooktest.Must(c.T, err)
	resp.Body.Close()
	back := resp.Header.Get("Location")
	if back == "" {
		c.T.Fatalf("got %d and no redirect from the page of consent", resp.StatusCode)
	}
	return back
}

// open opens a page and returns its status and text.
func (c *consents) open(address string) (int, string) {
	c.T.Helper()
	resp, err := http.Get(address)
	webhooktest.Must(c.T, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	webhooktest.Must(c.T, err)
	if got := resp.Header.Get("Cache-Control"); got != "no-store" {
		c.T.Errorf("got Cache-Control %q, want no-store", got)
	}
	if got := resp.Header.Get("Content-Security-Policy"); !strings.HasPrefix(got, "default-src 'none'") {
		c.T.Errorf("got Content-Security-Policy %q", got)
	}
	return resp.StatusCode, string(text)
}

// consent has jane consent, and wants that to work.
func (c *consents) consent() string {
	c.T.Helper()
	status, text := c.open(c.decide(c.ask(), c.jane.Email, "allow"))
	if status != 200 || !strings.Contains(text, "You are connected") {
		c.T.Fatalf("got %d %s, want a consent that counts", status, text)
	}
	return text
}

func (c *consents) state() registry.OwnerState { return c.Registry.Owner("jane").State }

// share shares the sheet with acme in jane's name.
func (c *consents) share() *registry.Registration {
	c.T.Helper()
	c.AddPartner("acme")
	return c.Register("jane", c.sheet.ID, events.Request{Partner: "acme", Sheet: "orders", Columns: webhooktest.Columns("No", "Status"), Where: "status != 'Draft'"})
}

func (c *consents) edit(status string) {
	c.T.Helper()
	webhooktest.Must(c.T, c.Sim.As(c.jane).UpdateRows(c.sheet.ID, smartsheettest.Row{ID: c.sheet.Rows[0], Cells: webhooktest.Cells{"Status": status}}))
	c.Settle()
}

// status is the last one that the partner was told.
func (c *consents) status() (state string) {
	c.T.Helper()
	for _, m := range c.Stream("acme") {
		if strings.HasSuffix(m.Subject, ".status") {
			state = string(m.Data.State)
		}
	}
	return state
}

func TestAConsentMakesTheOwnerWork(t *testing.T) {
	c := newConsents(t)
	address := c.ask()
	q, err := url.Parse(address)
	webhooktest.Must(t, err)
	if got := q.Query().Get("scope"); got != "READ_SHEETS ADMIN_WEBHOOKS" {
		t.Errorf("got scopes %q, want READ_SHEETS ADMIN_WEBHOOKS and no more", got)
	}
	if text := c.consent(); !strings.Contains(text, c.jane.Email) || !strings.Contains(text, "Nothing is shared in your name yet") {
		t.Errorf("got page %s, want who consented, and that nothing is shared yet", text)
	}
	if o := c.Registry.Owner("jane"); o.State != registry.OwnerOK || o.Email != c.jane.Email || o.UserID != c.jane.ID {
		t.Errorf("got owner %s %s, want ok and jane", o.State, o.Email)
	}
	c.share()
	c.edit("Done")
	c.Check("acme")
	text := c.consent() // again, by the same user
	for _, want := range []string{"Orders", "acme", "No, Status", "status != &#39;Draft&#39;"} {
		if !strings.Contains(text, want) {
			t.Errorf("got page %s, want %q in it", text, want)
		}
	}
	if strings.Contains(text, "Margin") {
		t.Error("the page names a column that is not shared")
	}
}

func TestABrowserThatComesBackWrong(t *testing.T) {
	tests := map[string]struct {
		back   func(c *consents) string
		status int
		title  string
	}{
		"denied":     {func(c *consents) string { return c.decide(c.ask(), c.jane.Email, "deny") }, 200, "You did not consent"},
		"no state":   {func(c *consents) string { return c.page.URL + owner.ConsentPath + "?code=x" }, 400, "does not work"},
		"no code":    {func(c *consents) string { return stripped(c.decide(c.ask(), c.jane.Email, "allow"), "code") }, 400, "no code"},
		"forged":     {func(c *consents) string { return forged(c.decide(c.ask(), c.jane.Email, "allow")) }, 400, "does not work"},
		"superseded": {func(c *consents) string { back := c.decide(c.ask(), c.jane.Email, "allow"); c.ask(); return back }, 400, "does not work"},
		"replayed": {func(c *consents) string {
			back := c.decide(c.ask(), c.jane.Email, "deny")
			c.open(back)
			return back
		}, 400, "does not work"},
		"late": {func(c *consents) string {
			back := c.decide(c.ask(), c.jane.Email, "allow")
			c.pass(10 * time.Minute)
			return back
		}, 410, "has expired"},
		"code of another flow": {func(c *consents) string {
			back := c.decide(c.ask(), c.jane.Email, "allow")
			return stripped(back, "code") + "&code=abc"
		}, 400, "too late"},
		"withdrawn at once": {func(c *consents) string {
			back := c.decide(c.ask(), c.jane.Email, "allow")
			c.Sim.RevokeConsent(c.jane, c.app)
			return back
		}, 400, "too late"},
		"error of the app": {func(c *consents) string {
			return stripped(c.decide(c.ask(), c.jane.Email, "deny"), "error") + "&error=invalid_scope"
		}, 502, "did not ask you"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c := newConsents(t)
			status, text := c.open(test.back(c))
			if status != test.status || !strings.Contains(text, test.title) {
				t.Errorf("got %d %s, want %d and %q", status, text, test.status, test.title)
			}
			if o := c.Registry.Owner("jane"); o.State != registry.OwnerAuthorize || len(o.Token) > 0 {
				t.Errorf("got state %s and a token of %d bytes, want authorize and none", o.State, len(o.Token))
			}
		})
	}
}

func stripped(address, parameter string) string {
	u, _ := url.Parse(address)
	q := u.Query()
	q.Del(parameter)
	u.RawQuery = q.Encode()
	return u.String()
}

func forged(address string) string {
	u, _ := url.Parse(address)
	q := u.Query()
	state := []byte(q.Get("state"))
	state[len(state)-3] ^= 1
	q.Set("state", string(state))
	u.RawQuery = q.Encode()
	return u.String()
}

func TestOfTwoBrowsersWithOneStateOneGetsThrough(t *testing.T) {
	c := newConsents(t)
	back := c.decide(c.ask(), c.jane.Email, "allow")
	var won, lost atomic.Int32
	var racing sync.WaitGroup
	for range 8 {
		racing.Go(func() {
			resp, err := http.Get(back)
			if err != nil {
				t.Error(err)
				return
			}
			resp.Body.Close()
			if resp.StatusCode == 200 {
				won.Add(1)
			} else {
				lost.Add(1)
			}
		})
	}
	racing.Wait()
	if won.Load() != 1 || lost.Load() != 7 {
		t.Errorf("got %d through, want 1 of 8", won.Load())
	}
}

func TestAnotherUserDoesNotTakeTheOwnersPlace(t *testing.T) {
	c := newConsents(t)
	c.consent()
	before := c.Registry.Owner("jane")
	mallory := c.Sim.AddUser(smartsheettest.User{Email: "mallory@a.example", Name: "<b>Mallory</b>"})
	status, text := c.open(c.decide(c.ask(), mallory.Email, "allow"))
	if status != 409 || !strings.Contains(text, "another user") || !strings.Contains(text, mallory.Email) {
		t.Errorf("got %d %s, want 409 that says who is logged in", status, text)
	}
	if o := c.Registry.Owner("jane"); o.UserID != c.jane.ID || o.State != registry.OwnerOK || string(o.Token) != string(before.Token) {
		t.Errorf("got owner %s with state %s, want jane's access as it was", o.Email, o.State)
	}
}

// An owner that is made for somebody takes nobody else's consent, the first one
// neither: who finds or is sent the address does not become the owner.
func TestOnlyWhoWasNamedConsents(t *testing.T) {
	c := newConsents(t)
	webhooktest.Must(t, c.Registry.UpdateOwner(t.Context(), "jane", func(o *registry.Owner) error { o.Email = "Jane@A.example"; return nil }))
	mallory := c.Sim.AddUser(smartsheettest.User{Email: "mallory@a.example", Name: "Mallory"})
	status, text := c.open(c.decide(c.ask(), mallory.Email, "allow"))
	if status != 409 || !strings.Contains(text, mallory.Email) || !strings.Contains(text, "Jane@A.example") {
		t.Errorf("got %d %s, want 409 that says who has to consent", status, text)
	}
	o := c.Registry.Owner("jane")
	if o.UserID != 0 || len(o.Token) != 0 || o.State != registry.OwnerAuthorize || !strings.Contains(o.Reason, mallory.Email) {
		t.Errorf("got owner of user %d, %s, %q, want nobody's access, and admins told", o.UserID, o.State, o.Reason)
	}
	c.consent()
	if o := c.Registry.Owner("jane"); o.UserID != c.jane.ID || o.State != registry.OwnerOK || o.Email != c.jane.Email {
		t.Errorf("got owner of user %d, %s, want jane", o.UserID, o.State)
	}
}

// Strangers who make up states fill neither the log nor NATS.
func TestFloodOfUnknownStates(t *testing.T) {
	c := newConsents(t)
	left := 0
	c.oauth.Strangers = &limits.Lines{LeftOut: func() { left++ }}
	for range 400 {
		status, _ := c.open(c.page.URL + owner.ConsentPath + "?code=x&state=nobody." + strings.Repeat("A", 43))
		if status != 400 {
			t.Fatalf("got %d, want 400", status)
		}
	}
	if got := strings.Count(c.logs.String(), "a consent did not come about"); got > 250 || got+left != 400 {
		t.Errorf("got %d lines and %d left out, want some 100 of 400", got, left)
	}
}

func TestOAuthIsForOwnersOfThatKind(t *testing.T) {
	c := newConsents(t)
	c.AddOwner("ops", "a-token-of-ops")
	var p *problem.Problem
	if _, err := c.oauth.AuthorizationURL(t.Context(), "ops"); !errors.As(err, &p) || p.Fault != problem.Conflict {
		t.Errorf("got %v, want a conflict", err)
	}
	if _, err := c.oauth.AuthorizationURL(t.Context(), "nobody"); !errors.As(err, &p) || p.Fault != problem.NotFound {
		t.Errorf("got %v, want not found", err)
	}
	if got := fmt.Sprint(c.oauth.Secret); got != "[redacted]" {
		t.Errorf("got %q, want the secret hidden", got)
	}
}
