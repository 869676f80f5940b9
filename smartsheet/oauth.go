package smartsheet

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"golang.org/x/oauth2"
)

// Scopes that an app asks its users for.
const (
	ScopeReadSheets    = "READ_SHEETS"    // read what the user can read
	ScopeWriteSheets   = "WRITE_SHEETS"   // add, change and delete rows where the user can
	ScopeAdminWebhooks = "ADMIN_WEBHOOKS" // make and change the user's webhooks
)

const (
	tokenTimeout = 30 * time.Second
	maxTokenTime = 366 * 24 * time.Hour // a longer life of a token is not believed
)

// AuthorizeURL is the address of the region's page on which users consent to
// an app; empty for a region that does not exist.
func (r Region) AuthorizeURL() string {
	switch r {
	case US:
		return "https://app.smartsheet.com/b/authorize"
	case EU:
		return "https://app.smartsheet.eu/b/authorize"
	case AU:
		return "https://app.smartsheet.au/b/authorize"
	case Gov:
		return "https://app.smartsheetgov.com/b/authorize"
	}
	return ""
}

// AuthorizeURLAt is the page of consent that belongs to an API at another
// address than a region's: /b/authorize at the same host.
func AuthorizeURLAt(baseURL string) (string, error) {
	if err := CheckURL(baseURL); err != nil {
		return "", err
	}
	u, err := url.Parse(baseURL)
	if err != nil {
		return "", fmt.Errorf("%w: API address", errInvalid)
	}
	return u.Scheme + "://" + u.Host + "/b/authorize", nil
}

// App is an application that is registered at Smartsheet: users consent that it
// acts for them (OAuth 2). The hashed form of its secret is what leaves the
// process.
type App struct {
	ClientID     string
	Secret       string
	AuthorizeURL string // where users consent
	BaseURL      string // of the API
	Scopes       []string

	HTTP    *http.Client     // as [Client.HTTP]
	Version string           // as [Client.Version]
	Now     func() time.Time // by which tokens expire; nil: time.Now
	After   func(Call)       // as [Client.After]
}

// LogValue leaves out the secret.
func (a App) LogValue() slog.Value { return slog.StringValue("app " + a.ClientID) }

// Format leaves out the secret, whatever the verb.
func (a App) Format(f fmt.State, _ rune) { io.WriteString(f, "app "+a.ClientID) }

// Grant is what a consent gives: a token for the API, and one that makes the
// next pair. Both are secrets. Where a pair was renewed, Smartsheet refuses the
// old one at once.
type Grant struct {
	AccessToken  string
	RefreshToken string
	ExpiresAt    time.Time // of the access token
}

// LogValue leaves out the tokens.
func (g Grant) LogValue() slog.Value { return slog.GroupValue(slog.Time("expiresAt", g.ExpiresAt)) }

// Format leaves out the tokens, whatever the verb.
func (g Grant) Format(f fmt.State, _ rune) {
	io.WriteString(f, "grant until "+g.ExpiresAt.UTC().Format(time.RFC3339))
}

// ConsentURL is the address to which a user is sent. Smartsheet sends the
// browser back to the app's redirect URL, with the state as it is here and
// with a code, or with an error.
func (a *App) ConsentURL(state string) string {
	config := oauth2.Config{ClientID: a.ClientID, Scopes: a.Scopes, Endpoint: oauth2.Endpoint{AuthURL: a.AuthorizeURL}}
	return config.AuthCodeURL(state)
}

// Exchange turns the code of a consent into tokens. A code works once and for
// ten minutes: the error's code is [CodeCodeExpired] or [CodeGrantInvalid] then.
func (a *App) Exchange(ctx context.Context, code string) (*Grant, error) {
	return a.grant(ctx, "authorization_code", "code", code)
}

// Refresh turns a refresh token into a new pair; the old pair is dead as soon
// as Smartsheet has done so, even if its answer is lost. The error's code is
// [CodeGrantInvalid] or [CodeGrantRevoked] where nothing but a new consent helps.
func (a *App) Refresh(ctx context.Context, refreshToken string) (*Grant, error) {
	return a.grant(ctx, "refresh_token", "refresh_token", refreshToken)
}

func (a *App) grant(ctx context.Context, kind, parameter, value string) (*Grant, error) {
	if value == "" {
		return nil, fmt.Errorf("smartsheet: POST /token: %w: no %s", errInvalid, parameter)
	}
	sum := sha256.Sum256([]byte(a.Secret + "|" + value))
	hash := hex.EncodeToString(sum[:])
	r := request{method: http.MethodPost, route: "/token", secrets: []string{value, hash, a.Secret}, form: url.Values{
		"grant_type": {kind}, "client_id": {a.ClientID}, parameter: {value}, "hash": {hash},
	}}
	var wire struct {
		AccessToken  string `json:"access_token"`
		RefreshToken string `json:"refresh_token"`
		ExpiresIn    int64  `json:"expires_in"` // seconds
	}
	now := time.Now
	if a.Now != nil {
		now = a.Now
	}
	asked := now()
	if err := a.client(nil).do(ctx, r, &wire); err != nil {
		return nil, err
	}
	if wire.AccessToken == "" || wire.RefreshToken == "" {
		return nil, r.broken(ctx, errors.New("unreadable answer: no tokens in it"))
	}
	life := time.Duration(min(max(wire.ExpiresIn, 0), int64(maxTokenTime/time.Second))) * time.Second
	return &Grant{AccessToken: wire.AccessToken, RefreshToken: wire.RefreshToken, ExpiresAt: asked.Add(life)}, nil
}

// Revoke withdraws the access token. With all, it withdraws everything that its
// user gave the app: Smartsheet disables the webhooks that were made with it for
// good then.
func (a *App) Revoke(ctx context.Context, accessToken string, all bool) error {
	r := request{method: http.MethodDelete, route: "/token"}
	if all {
		r.query = url.Values{"deleteAllForApiClient": {"true"}}
	}
	return a.client(func(context.Context) (string, error) { return accessToken, nil }).do(ctx, r, nil)
}

func (a *App) client(token func(context.Context) (string, error)) *Client {
	return &Client{BaseURL: a.BaseURL, Token: token, HTTP: a.HTTP, Timeout: tokenTimeout, Version: a.Version, After: a.After}
}
