package smartsheettest

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// oauthWorld is an app, a user and a clock that can be set.
type oauthWorld struct {
	t    *testing.T
	sim  *Server
	app  *App
	jane *User
	late atomic.Int64 // added to the clock
	http *http.Client
}

func newOAuth(t *testing.T) *oauthWorld {
	o := &oauthWorld{t: t, http: &http.Client{Transport: &http.Transport{}, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
	start := time.Now()
	o.sim = New(t, func(s *Server) {
		s.Clock = func() time.Time { return start.Add(time.Duration(o.late.Load())) }
	})
	o.jane = o.sim.AddUser(User{Email: "jane@a.example", Name: "Jane Doe"})
	o.app = o.sim.AddApp(App{Name: "Sheetbridge", RedirectURL: "http://127.0.0.1:1/oauth/callback"})
	t.Cleanup(o.http.CloseIdleConnections)
	return o
}

func (o *oauthWorld) pass(d time.Duration) { o.late.Add(int64(d)) }

// consent posts what the page's form does, and returns the query that the app
// gets back.
func (o *oauthWorld) consent(form url.Values) url.Values {
	o.t.Helper()
	resp, err := o.http.PostForm(strings.TrimSuffix(o.sim.URL(), "/2.0")+"/b/authorize", form)
	if err != nil {
		o.t.Fatal(err)
	}
	defer resp.Body.Close()
	target, err := url.Parse(resp.Header.Get("Location"))
	if err != nil || resp.StatusCode != http.StatusFound || !strings.HasPrefix(target.String(), o.app.RedirectURL) {
		o.t.Fatalf("got %d to %q, want 302 to the app", resp.StatusCode, target)
	}
	return target.Query()
}

func (o *oauthWorld) form(more ...string) url.Values {
	form := url.Values{
		"client_id": {o.app.ClientID}, "response_type": {"code"}, "scope": {"READ_SHEETS ADMIN_WEBHOOKS"}, "state": {"s&t=1"},
		"user": {o.jane.Email}, "decision": {"allow"},
	}
	for i := 0; i < len(more); i += 2 {
		form.Set(more[i], more[i+1])
	}
	return form
}

type granted struct {
	Status       int
	AccessToken  string `json:"access_token"`
	RefreshToken string `json:"refresh_token"`
	ExpiresIn    int64  `json:"expires_in"`
	ErrorCode    int    `json:"errorCode"`
	Error        string `json:"error"`
}

func (o *oauthWorld) token(form url.Values) granted {
	o.t.Helper()
	resp, err := o.http.PostForm(o.sim.URL()+"/token", form)
	if err != nil {
		o.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		o.t.Fatal(err)
	}
	a := granted{Status: resp.StatusCode}
	if err := json.Unmarshal(text, &a); err != nil {
		o.t.Fatalf("%s: %v", text, err)
	}
	return a
}

func (o *oauthWorld) hash(value string) string {
	sum := sha256.Sum256([]byte(o.app.Secret + "|" + value))
	return hex.EncodeToString(sum[:])
}

func (o *oauthWorld) exchange(code string) granted {
	return o.token(url.Values{"grant_type": {"authorization_code"}, "client_id": {o.app.ClientID}, "code": {code}, "hash": {o.hash(code)}})
}

func (o *oauthWorld) refresh(again string) granted {
	return o.token(url.Values{"grant_type": {"refresh_token"}, "client_id": {o.app.ClientID}, "refresh_token": {again}, "client_secret": {o.app.Secret}})
}

// get returns status and errorCode of a GET with the token.
func (o *oauthWorld) get(token, path string) (int, int) {
	o.t.Helper()
	req, err := http.NewRequestWithContext(o.t.Context(), http.MethodGet, o.sim.URL()+path, nil)
	if err != nil {
		o.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := o.http.Do(req)
	if err != nil {
		o.t.Fatal(err)
	}
	defer resp.Body.Close()
	var body struct {
		ErrorCode int `json:"errorCode"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&body); err != nil {
		o.t.Fatal(err)
	}
	return resp.StatusCode, body.ErrorCode
}

func TestConsentGivesACodeThatWorksOnce(t *testing.T) {
	o := newOAuth(t)
	q := o.consent(o.form())
	if q.Get("state") != "s&t=1" || len(q.Get("expires_in")) != 6 {
		t.Errorf("got %v, want the state as it was and expires_in in milliseconds", q)
	}
	first := o.exchange(q.Get("code"))
	if first.Status != 200 || first.ExpiresIn != 604799 {
		t.Fatalf("got %+v, want tokens for 604799 s", first)
	}
	if status, _ := o.get(first.AccessToken, "/users/me"); status != 200 {
		t.Errorf("got %d for the new token, want 200", status)
	}
	if again := o.exchange(q.Get("code")); again.ErrorCode != 1071 || again.Error != "invalid_grant" {
		t.Errorf("got %+v for a used code, want 1071", again)
	}
}

func TestRefreshingKillsTheOldPair(t *testing.T) {
	o := newOAuth(t)
	old := o.exchange(o.consent(o.form()).Get("code"))
	now := o.refresh(old.RefreshToken)
	if now.Status != 200 || now.AccessToken == old.AccessToken || now.RefreshToken == old.RefreshToken {
		t.Fatalf("got %+v, want another pair", now)
	}
	if status, code := o.get(old.AccessToken, "/users/me"); status != 401 || code != 1002 {
		t.Errorf("got %d/%d for the old token, want 401/1002", status, code)
	}
	if again := o.refresh(old.RefreshToken); again.Status != 400 || again.ErrorCode != 1071 {
		t.Errorf("got %+v for the old refresh token, want 400/1071", again)
	}
	o.pass(7 * 24 * time.Hour)
	if status, code := o.get(now.AccessToken, "/users/me"); status != 401 || code != 1003 {
		t.Errorf("got %d/%d after seven days, want 401/1003", status, code)
	}
	if later := o.refresh(now.RefreshToken); later.Status != 200 {
		t.Errorf("got %+v, want the refresh token to outlive the access token", later)
	}
}

func TestTokenEndpointRefuses(t *testing.T) {
	tests := map[string]struct {
		change func(o *oauthWorld, form url.Values)
		status int
		code   int
		word   string
	}{
		"unknown client":      {func(_ *oauthWorld, f url.Values) { f.Set("client_id", "nobody") }, 401, 1067, "invalid_client"},
		"unknown grant":       {func(_ *oauthWorld, f url.Values) { f.Set("grant_type", "password") }, 400, 1068, "unsupported_grant_type"},
		"no grant":            {func(_ *oauthWorld, f url.Values) { f.Del("grant_type") }, 400, 1070, "invalid_request"},
		"expired code":        {func(o *oauthWorld, _ url.Values) { o.pass(10 * time.Minute) }, 400, 1069, "invalid_grant"},
		"no code":             {func(_ *oauthWorld, f url.Values) { f.Del("code") }, 400, 1070, "invalid_request"},
		"another code":        {func(o *oauthWorld, f url.Values) { f.Set("code", "x"); f.Set("hash", o.hash("x")) }, 400, 1071, "invalid_grant"},
		"hash without bar":    {func(o *oauthWorld, f url.Values) { f.Set("hash", strings.Repeat("0", 64)) }, 400, 1072, "invalid_grant"},
		"neither":             {func(_ *oauthWorld, f url.Values) { f.Del("hash") }, 400, 1236, "invalid_client"},
		"both":                {func(o *oauthWorld, f url.Values) { f.Set("client_secret", o.app.Secret) }, 400, 1237, "invalid_client"},
		"wrong secret":        {func(_ *oauthWorld, f url.Values) { f.Del("hash"); f.Set("client_secret", "x") }, 400, 1238, "invalid_client"},
		"consent withdrawn":   {func(o *oauthWorld, _ url.Values) { o.sim.RevokeConsent(o.jane, o.app) }, 400, 1132, "invalid_grant"},
		"user deactivated":    {func(o *oauthWorld, _ url.Values) { o.sim.DeactivateUser(o.jane) }, 400, 1132, "invalid_grant"},
		"another app's token": {func(o *oauthWorld, f url.Values) { foreign(o, f) }, 400, 1071, "invalid_grant"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			o := newOAuth(t)
			code := o.consent(o.form()).Get("code")
			form := url.Values{"grant_type": {"authorization_code"}, "client_id": {o.app.ClientID}, "code": {code}, "hash": {o.hash(code)}}
			test.change(o, form)
			if got := o.token(form); got.Status != test.status || got.ErrorCode != test.code || got.Error != test.word {
				t.Errorf("got %+v, want %d/%d %s", got, test.status, test.code, test.word)
			}
		})
	}
}

func foreign(o *oauthWorld, form url.Values) {
	other := o.sim.AddApp(App{Name: "Other", RedirectURL: "http://127.0.0.1:1/x"})
	form.Set("client_id", other.ClientID)
	form.Del("hash")
	form.Set("client_secret", other.Secret)
}

func TestDenialAndImpossibleRequestsAreToldToTheApp(t *testing.T) {
	o := newOAuth(t)
	for want, form := range map[string]url.Values{
		"access_denied":             o.form("decision", "deny"),
		"invalid_scope":             o.form("scope", "READ_MINDS"),
		"unsupported_response_type": o.form("response_type", "token"),
	} {
		if q := o.consent(form); q.Get("error") != want || q.Get("state") != "s&t=1" || q.Get("code") != "" {
			t.Errorf("got %v, want error %s with the state", q, want)
		}
	}
}

func TestScopesAreAllThatATokenMay(t *testing.T) {
	o := newOAuth(t)
	narrow := o.exchange(o.consent(o.form("scope", "READ_SHEETS")).Get("code"))
	for path, want := range map[string]int{"/users/me": 200, "/sheets": 200, "/webhooks": 403, "/users": 403} {
		if status, code := o.get(narrow.AccessToken, path); status != want || want == 403 && code != 1004 {
			t.Errorf("GET %s with READ_SHEETS: got %d/%d, want %d", path, status, code, want)
		}
	}
}

func TestWithdrawnConsentDisablesWebhooksForGood(t *testing.T) {
	o := newOAuth(t)
	r := newReceiver(t)
	sheet, err := o.sim.AddSheet(SheetSpec{Name: "S", Owner: o.jane, Columns: []Column{{Title: "A"}}})
	if err != nil {
		t.Fatal(err)
	}
	pair := o.exchange(o.consent(o.form()).Get("code"))
	body, err := json.Marshal(map[string]any{"name": "w", "callbackUrl": r.url, "scope": "sheet", "scopeObjectId": sheet.ID, "events": []string{"*.*"}, "version": 1})
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, o.sim.URL()+"/webhooks", strings.NewReader(string(body)))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+pair.AccessToken)
	req.Header.Set("Content-Type", "application/json")
	resp, err := o.http.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	o.sim.RevokeConsent(o.jane, o.app)
	if status, code := o.get(pair.AccessToken, "/users/me"); status != 401 || code != 1002 {
		t.Errorf("got %d/%d, want 401/1002", status, code)
	}
	if again := o.refresh(pair.RefreshToken); again.ErrorCode != 1132 {
		t.Errorf("got %+v, want 1132", again)
	}
	if hooks := o.sim.Webhooks(); len(hooks) != 1 || hooks[0].Status != "DISABLED_APP_REVOKED" {
		t.Errorf("got %+v, want one webhook DISABLED_APP_REVOKED", hooks)
	}
}

// TestAppSeesItsOwnWebhooksAlone: a user sees those of the app as well.
func TestAppSeesItsOwnWebhooksAlone(t *testing.T) {
	o := newOAuth(t)
	r := newReceiver(t)
	o.sim.AllowLoopbackHTTP = true
	sheet, err := o.sim.AddSheet(SheetSpec{Name: "S", Owner: o.jane, Columns: []Column{{Title: "A"}}})
	if err != nil {
		t.Fatal(err)
	}
	user := api{t: t, url: o.sim.URL(), token: o.sim.AddToken(o.jane)}
	app := api{t: t, url: o.sim.URL(), token: o.exchange(o.consent(o.form()).Get("code")).AccessToken}
	make := func(a api, name string) string {
		body := fmt.Sprintf(`{"name":%q,"callbackUrl":%q,"scope":"sheet","scopeObjectId":%d,"events":["*.*"],"version":1}`, name, r.url+name, sheet.ID)
		return fmt.Sprintf("/webhooks/%v", at(t, a.ok("POST", "/webhooks", body).body, "result", "id"))
	}
	personal, own := make(user, "personal"), make(app, "own")
	for name, seen := range map[string]struct {
		as   api
		want int
	}{"app": {app, 1}, "user": {user, 2}} {
		if got := at(t, seen.as.ok("GET", "/webhooks", "").body, "data").([]any); len(got) != seen.want {
			t.Errorf("the %s sees %d webhooks, want %d", name, len(got), seen.want)
		}
	}
	app.refused("GET", personal, "", 404, 1006)
	app.refused("PUT", personal, `{"enabled":true}`, 404, 1006)
	app.refused("POST", personal+"/resetsharedsecret", "", 404, 1006)
	app.refused("DELETE", personal, "", 404, 1006)
	app.ok("GET", own, "")
	user.ok("DELETE", own, "")
	user.ok("DELETE", personal, "")
}

func TestConsentPageEscapesWhatTheRequestHolds(t *testing.T) {
	o := newOAuth(t)
	q := o.form("state", `"><script>x</script>`)
	resp, err := o.http.Get(strings.TrimSuffix(o.sim.URL(), "/2.0") + "/b/authorize?" + q.Encode())
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	page, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != 200 || strings.Contains(string(page), "<script>") || !strings.Contains(string(page), "Jane Doe") {
		t.Errorf("got %d %s, want the page with the state escaped", resp.StatusCode, page)
	}
}
