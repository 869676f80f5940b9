package smartsheettest

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// How long an OAuth code and an access token of a consent work.
const (
	CodeLife  = 10 * time.Minute
	TokenLife = 604_799 * time.Second // as the service says it, some 7 days
)

// Scopes that an app may ask for.
var knownScopes = []string{
	"ADMIN_SHEETS", "ADMIN_SIGHTS", "ADMIN_USERS", "ADMIN_WEBHOOKS", "ADMIN_WORKSPACES", "CREATE_SHEETS", "CREATE_SIGHTS",
	"DELETE_SHEETS", "DELETE_SIGHTS", "READ_CONTACTS", "READ_EVENTS", "READ_SHEETS", "READ_SIGHTS", "READ_USERS",
	"SHARE_SHEETS", "SHARE_SIGHTS", "WRITE_SHEETS",
}

// App is an application registered for OAuth 2.
type App struct {
	ClientID    string // given by AddApp if empty
	Secret      string // given by AddApp if empty
	Name        string // as users see it
	RedirectURL string // where browsers are sent back to
}

// AddApp registers an app and returns it with its id and secret.
func (s *Server) AddApp(a App) *App {
	s.lock()
	defer s.mu.Unlock()
	if a.ClientID == "" {
		a.ClientID = randomText(22, lowerAlphanumeric)
	}
	if a.Secret == "" {
		a.Secret = randomText(22, lowerAlphanumeric)
	}
	s.apps[a.ClientID] = &a
	handle := a
	return &handle
}

// consent is what one user gave one app at once. Its tokens die with it.
type consent struct {
	app     *App
	user    int64
	scopes  []string
	revoked bool
}

// code is what a browser brings back from the page of consent.
type code struct {
	consent *consent
	expires time.Time
	used    bool
}

// refresh is a refresh token and the access token that came with it.
type refresh struct {
	consent *consent
	access  *token
	used    bool
}

// RevokeConsent withdraws what the user gave the app, as the user can in the
// personal settings: its tokens are refused with 401/1002 from then on, its
// refresh tokens with 400/1132, and the webhooks that were made with them are
// disabled for good.
func (s *Server) RevokeConsent(u *User, app *App) {
	s.lock()
	defer s.mu.Unlock()
	s.revoke(u.ID, app.ClientID)
}

func (s *Server) revoke(user int64, client string) {
	of := func(c *consent) bool { return c != nil && c.user == user && c.app.ClientID == client }
	for _, t := range s.tokens {
		if of(t.consent) {
			t.revoked, t.consent.revoked = true, true
		}
	}
	for _, r := range s.refreshes {
		if of(r.consent) {
			r.consent.revoked = true
		}
	}
	for _, c := range s.codes {
		if of(c.consent) {
			c.consent.revoked = true
		}
	}
	for _, w := range s.webhookOrder {
		if w.app == client && w.owner == user {
			s.disable(w, statusAppRevoked)
		}
	}
}

// Refreshes is how many times a pair of tokens was renewed.
func (s *Server) Refreshes() int {
	s.lock()
	defer s.mu.Unlock()
	n := 0
	for _, r := range s.refreshes {
		if r.used {
			n++
		}
	}
	return n
}

// oauthError is a refusal of the token endpoint: Smartsheet's error with the
// word of RFC 6749.
func oauthError(status, code int, word, message string) *Error {
	return &Error{Status: status, Code: code, Message: message, word: word}
}

// tokenEndpoint answers POST /2.0/token. It takes s.mu itself.
func (s *Server) tokenEndpoint(r *http.Request) (any, *Error) {
	kind, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
	form := strings.EqualFold(strings.TrimSpace(kind), "application/x-www-form-urlencoded")
	if !form && r.URL.RawQuery == "" { // the official SDKs send everything in the query, under any type
		return nil, failf(415, 1124, "Invalid Content-Type header. Media type not supported.")
	}
	if err := r.ParseForm(); err != nil {
		return nil, oauthError(400, 1008, "invalid_request", "Unable to parse request.")
	}
	s.lock()
	defer s.mu.Unlock()
	switch r.Form.Get("grant_type") {
	case "authorization_code":
		return s.exchangeCode(r.Form)
	case "refresh_token":
		return s.refreshPair(r.Form)
	case "":
		return nil, missingParameter("grant_type")
	}
	return nil, oauthError(400, 1068, "unsupported_grant_type", "Unsupported grant type.")
}

func missingParameter(name string) *Error {
	return oauthError(400, 1070, "invalid_request", "Invalid Request. Required parameter is missing: "+name+".")
}

// authenticateApp finds the app that sends the value, which it proves by its
// secret or by a hash of secret and value.
func (s *Server) authenticateApp(form url.Values, parameter string) (*App, string, *Error) {
	for _, name := range []string{"client_id", parameter} {
		if form.Get(name) == "" {
			return nil, "", missingParameter(name)
		}
	}
	app, value := s.apps[form.Get("client_id")], form.Get(parameter)
	secret, hash := form.Get("client_secret"), form.Get("hash")
	switch {
	case app == nil:
		return nil, "", oauthError(401, 1067, "invalid_client", "Invalid client_id")
	case secret == "" && hash == "":
		return nil, "", oauthError(400, 1236, "invalid_client", "Either client_secret or hash is required.")
	case secret != "" && hash != "":
		return nil, "", oauthError(400, 1237, "invalid_client", "Only one of client_secret and hash may be given.")
	case secret != "" && subtle.ConstantTimeCompare([]byte(secret), []byte(app.Secret)) != 1:
		return nil, "", oauthError(400, 1238, "invalid_client", "The client_secret is invalid.")
	}
	if hash != "" {
		want := sha256.Sum256([]byte(app.Secret + "|" + value))
		if subtle.ConstantTimeCompare([]byte(strings.ToLower(hash)), []byte(hex.EncodeToString(want[:]))) != 1 {
			return nil, "", oauthError(400, 1072, "invalid_grant", "Invalid hash value. The hash provided did not match the expected value.")
		}
	}
	return app, value, nil
}

func errGrant() *Error {
	return oauthError(400, 1071, "invalid_grant", "Invalid Grant. The authorization code or refresh token provided was invalid.")
}

func errRevoked() *Error {
	return oauthError(400, 1132, "invalid_grant", "The token provided has previously been revoked.")
}

func (s *Server) exchangeCode(form url.Values) (any, *Error) {
	app, value, err := s.authenticateApp(form, "code")
	if err != nil {
		return nil, err
	}
	c := s.codes[sha256.Sum256([]byte(value))]
	switch {
	case c == nil || c.consent.app.ClientID != app.ClientID || c.used:
		return nil, errGrant()
	case !s.now().Before(c.expires):
		return nil, oauthError(400, 1069, "invalid_grant", "Invalid Request. The authorization_code has expired.")
	case c.consent.revoked || s.users[c.consent.user].inactive:
		return nil, errRevoked()
	}
	c.used = true
	return s.newPair(c.consent), nil
}

func (s *Server) refreshPair(form url.Values) (any, *Error) {
	app, value, err := s.authenticateApp(form, "refresh_token")
	if err != nil {
		return nil, err
	}
	r := s.refreshes[sha256.Sum256([]byte(value))]
	switch {
	case r == nil || r.consent.app.ClientID != app.ClientID:
		return nil, errGrant()
	case r.consent.revoked || s.users[r.consent.user].inactive:
		return nil, errRevoked()
	case r.used:
		return nil, errGrant()
	}
	r.used, r.access.revoked = true, true
	return s.newPair(r.consent), nil
}

// newPair makes an access token and the refresh token that renews it.
func (s *Server) newPair(c *consent) map[string]any {
	access, again := randomText(37, alphanumeric), randomText(37, alphanumeric)
	t := &token{user: c.user, expires: s.now().Add(TokenLife), consent: c}
	s.tokens[sha256.Sum256([]byte(access))] = t
	s.refreshes[sha256.Sum256([]byte(again))] = &refresh{consent: c, access: t}
	return map[string]any{
		"access_token": access, "token_type": "bearer", "refresh_token": again, "expires_in": int64(TokenLife / time.Second),
	}
}

// deleteToken answers DELETE /2.0/token: the token of the request is dead, and
// with deleteAllForApiClient all that its user gave the app.
func (s *Server) deleteToken(c *call) (any, error) {
	if c.token == nil {
		return nil, failf(401, 1001, "An Access Token is required.")
	}
	c.token.revoked = true
	if c.token.consent != nil && c.flag("deleteAllForApiClient") {
		s.revoke(c.token.user, c.token.consent.app.ClientID)
	}
	return success(nil, 0), nil
}

// scope is what a token of an app needs for the route; empty: any.
func (rt route) scope() string {
	first, _, _ := strings.Cut(rt.path, "/")
	switch {
	case rt.path == "users/me", rt.path == "token":
		return ""
	case first == "webhooks":
		return "ADMIN_WEBHOOKS"
	case first == "users":
		return "READ_USERS"
	case first == "shares" && rt.method == "GET":
		return "READ_SHEETS"
	case first == "shares":
		return "SHARE_SHEETS"
	case rt.method == "GET":
		return "READ_SHEETS"
	case rt.path == "workspaces" || strings.HasSuffix(rt.path, "}/folders"):
		return "ADMIN_WORKSPACES"
	case strings.HasSuffix(rt.path, "sheets") && rt.method == "POST":
		return "CREATE_SHEETS"
	case rt.path == "sheets/{sheet}" && rt.method == "DELETE":
		return "DELETE_SHEETS"
	}
	return "WRITE_SHEETS"
}

// permits refuses what the token's scopes do not cover.
func (t *token) permits(rt route) *Error {
	scope := rt.scope()
	if t.consent == nil || scope == "" || slices.Contains(t.consent.scopes, scope) {
		return nil
	}
	return errForbidden()
}
