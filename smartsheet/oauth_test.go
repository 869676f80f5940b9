package smartsheet_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sheetbridge/sheetbridge/smartsheet"
)

// tokenServer answers the token endpoint with a body, and shows the form that it
// got.
func tokenServer(t *testing.T, status int, body string) (*smartsheet.App, *url.Values) {
	t.Helper()
	var form url.Values
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err != nil || r.URL.RawQuery != "" || r.Header.Get("Authorization") != "" {
			t.Errorf("got query %q, Authorization of %d bytes, %v", r.URL.RawQuery, len(r.Header.Get("Authorization")), err)
		}
		form = r.PostForm
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}))
	t.Cleanup(server.Close)
	return &smartsheet.App{
		ClientID: "app", Secret: "secret-of-the-app", BaseURL: server.URL + "/2.0", AuthorizeURL: smartsheet.EU.AuthorizeURL(),
		Scopes: []string{smartsheet.ScopeReadSheets, smartsheet.ScopeAdminWebhooks},
		Now:    func() time.Time { return time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC) },
	}, &form
}

func TestConsentURL(t *testing.T) {
	app, _ := tokenServer(t, 200, "")
	want := "https://app.smartsheet.eu/b/authorize?client_id=app&response_type=code&scope=READ_SHEETS+ADMIN_WEBHOOKS&state=jane.x"
	if got := app.ConsentURL("jane.x"); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestAuthorizeURLAt(t *testing.T) {
	for base, want := range map[string]string{
		"http://127.0.0.1:9090/2.0": "http://127.0.0.1:9090/b/authorize", "https://sim.example/api/2.0": "https://sim.example/b/authorize",
		"http://sim.example/2.0": "", "x": "",
	} {
		if got, err := smartsheet.AuthorizeURLAt(base); got != want || (err == nil) != (want != "") {
			t.Errorf("%s: got %q, %v, want %q", base, got, err, want)
		}
	}
}

func TestTokensAreAskedForWithAHashedSecret(t *testing.T) {
	const pair = `{"access_token":"a1","token_type":"bearer","refresh_token":"r1","expires_in":604799}`
	app, form := tokenServer(t, 200, pair)
	grant, err := app.Exchange(t.Context(), "dlu569")
	if err != nil {
		t.Fatal(err)
	}
	want := smartsheet.Grant{AccessToken: "a1", RefreshToken: "r1", ExpiresAt: time.Date(2026, 11, 29, 9, 59, 59, 0, time.UTC)}
	if diff := cmp.Diff(want, *grant); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	wantForm := url.Values{"grant_type": {"authorization_code"}, "client_id": {"app"}, "code": {"dlu569"}, "hash": {hashOf("secret-of-the-app|dlu569")}}
	if diff := cmp.Diff(wantForm, *form); diff != "" {
		t.Errorf("exchange: -want +got:\n%s", diff)
	}
	if _, err := app.Refresh(t.Context(), "r0"); err != nil {
		t.Fatal(err)
	}
	wantForm = url.Values{"grant_type": {"refresh_token"}, "client_id": {"app"}, "refresh_token": {"r0"}, "hash": {hashOf("secret-of-the-app|r0")}}
	if diff := cmp.Diff(wantForm, *form); diff != "" {
		t.Errorf("refresh: -want +got:\n%s", diff)
	}
	if text := fmt.Sprintf("%v %+v %#v %s %d %v %v", grant, *grant, *grant, app, app, grant.LogValue(), app.LogValue()); strings.Contains(text, "a1") || strings.Contains(text, "secret") {
		t.Errorf("got %s in a log, want no token and no secret", text)
	}
}

func TestRefusalsOfTheTokenEndpoint(t *testing.T) {
	tests := map[string]struct {
		status int
		body   string
		class  smartsheet.Class
	}{
		"used code":        {400, `{"errorCode":1071,"error":"invalid_grant","message":"Invalid Grant. code-0123456789"}`, smartsheet.Refused},
		"revoked":          {400, `{"errorCode":1132,"error":"invalid_grant","message":"revoked"}`, smartsheet.Refused},
		"maintenance":      {503, `{"errorCode":4001,"message":"offline"}`, smartsheet.Retry},
		"gateway":          {502, `<html>code-0123456789</html>`, smartsheet.Retry},
		"no tokens":        {200, `{}`, smartsheet.Retry},
		"half a pair":      {200, `{"access_token":"a1","expires_in":1}`, smartsheet.Retry},
		"no JSON":          {200, `code-0123456789`, smartsheet.Retry},
		"too many of them": {429, `{"errorCode":4003,"message":"Rate limit exceeded."}`, smartsheet.Wait},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			app, _ := tokenServer(t, test.status, test.body)
			_, err := app.Exchange(t.Context(), "code-0123456789")
			if got := smartsheet.Classify(err); got != test.class {
				t.Errorf("got class %v of %v, want %v", got, err, test.class)
			}
			for _, secret := range []string{"code-0123456789", "secret-of-the-app", hashOf("secret-of-the-app|code-0123456789")} {
				if strings.Contains(err.Error(), secret) {
					t.Errorf("got %v, want no secret in it", err)
				}
			}
		})
	}
}

// TestARefusedTokenIsRenewedOnce: the request is sent again with the new token,
// once, and only where Renew gives one.
func TestARefusedTokenIsRenewedOnce(t *testing.T) {
	tests := map[string]struct {
		code  int
		renew func() (string, error)
		want  []string // tokens sent
		class smartsheet.Class
	}{
		"expired":           {1003, func() (string, error) { return "new", nil }, []string{"old", "new"}, smartsheet.OK},
		"invalid":           {1002, func() (string, error) { return "new", nil }, []string{"old", "new"}, smartsheet.OK},
		"nothing newer":     {1003, func() (string, error) { return "", nil }, []string{"old"}, smartsheet.Expired},
		"the same":          {1003, func() (string, error) { return "old", nil }, []string{"old"}, smartsheet.Expired},
		"still not good":    {1003, func() (string, error) { return "bad", nil }, []string{"old", "bad"}, smartsheet.Expired},
		"not to be renewed": {1003, func() (string, error) { return "", errors.New("no") }, []string{"old"}, smartsheet.Retry},
		"forbidden":         {1004, func() (string, error) { return "new", nil }, []string{"old"}, smartsheet.Forbidden},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var sent []string
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
				sent = append(sent, token)
				w.Header().Set("Content-Type", "application/json")
				if token == "new" {
					_, _ = io.WriteString(w, `{"id":7}`)
					return
				}
				w.WriteHeader(map[bool]int{true: 403, false: 401}[test.code == 1004])
				fmt.Fprintf(w, `{"errorCode":%d,"message":"no"}`, test.code)
			}))
			t.Cleanup(server.Close)
			client := &smartsheet.Client{
				BaseURL: server.URL, Token: func(context.Context) (string, error) { return "old", nil },
				Renew: func(context.Context, string, error) (string, error) { return test.renew() },
			}
			_, err := client.Me(t.Context())
			if got := smartsheet.Classify(err); got != test.class {
				t.Errorf("got class %v of %v, want %v", got, err, test.class)
			}
			if diff := cmp.Diff(test.want, sent); diff != "" {
				t.Errorf("tokens: -want +got:\n%s", diff)
			}
		})
	}
}

func hashOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}
