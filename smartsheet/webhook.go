package smartsheet

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"net/http"
	"net/url"
	"path"
)

// ScopeSheet is the scope of a webhook on one sheet.
const ScopeSheet = "sheet"

// WebhookStatus is the state of a webhook. The list is open: Smartsheet may
// send others.
type WebhookStatus string

// States of a webhook. Only Enabled ones get callbacks; what happens in the
// others is never told later.
const (
	WebhookEnabled            WebhookStatus = "ENABLED"
	WebhookNew                WebhookStatus = "NEW_NOT_VERIFIED"
	WebhookDisabledByOwner    WebhookStatus = "DISABLED_BY_OWNER"
	WebhookCallbackFailed     WebhookStatus = "DISABLED_CALLBACK_FAILED"
	WebhookVerificationFailed WebhookStatus = "DISABLED_VERIFICATION_FAILED"
	WebhookGridLimits         WebhookStatus = "DISABLED_EXCEEDED_GRID_LIMITS"
	WebhookScopeInaccessible  WebhookStatus = "DISABLED_SCOPE_INACCESSIBLE"
	WebhookAppRevoked         WebhookStatus = "DISABLED_APP_REVOKED"
	WebhookAdministrative     WebhookStatus = "DISABLED_ADMINISTRATIVE"
)

// CanEnable reports whether an update that enables may bring the webhook back:
// not where Smartsheet does so by itself when access returns, where its
// support alone can, or where nobody can. Of an unknown state it is true.
func (s WebhookStatus) CanEnable() bool {
	switch s {
	case WebhookEnabled, WebhookScopeInaccessible, WebhookAppRevoked, WebhookAdministrative:
		return false
	}
	return true
}

// Webhook is a subscription to the changes of one sheet.
type Webhook struct {
	ID              int64         `json:"id"`
	Name            string        `json:"name"`
	CallbackURL     string        `json:"callbackUrl"`
	Scope           string        `json:"scope"`
	ScopeObjectID   int64         `json:"scopeObjectId"`
	Events          []string      `json:"events"` // lists always show *.*; a single read shows the truth
	Version         int           `json:"version"`
	Enabled         bool          `json:"enabled"`
	Status          WebhookStatus `json:"status"`
	SharedSecret    string        `json:"sharedSecret,omitempty"`
	DisabledDetails string        `json:"disabledDetails,omitempty"`
	Stats           *WebhookStats `json:"stats,omitempty"`
	CreatedAt       Time          `json:"createdAt,omitzero"`
	ModifiedAt      Time          `json:"modifiedAt,omitzero"`
}

// WebhookStats tells how Smartsheet's calls went.
type WebhookStats struct {
	LastCallbackAttempt           Time `json:"lastCallbackAttempt,omitzero"`
	LastCallbackAttemptRetryCount int  `json:"lastCallbackAttemptRetryCount"`
	LastSuccessfulCallback        Time `json:"lastSuccessfulCallback,omitzero"`
}

// LogValue leaves out the shared secret, and of the callback URL all but its
// scheme and host: the path holds a key.
func (w Webhook) LogValue() slog.Value {
	return slog.GroupValue(
		slog.Int64("id", w.ID),
		slog.String("name", w.Name),
		slog.String("callbackHost", hostOf(w.CallbackURL)),
		slog.Int64("scopeObjectId", w.ScopeObjectID),
		slog.Bool("enabled", w.Enabled),
		slog.String("status", string(w.Status)),
	)
}

// String is what LogValue shows, so that printing a webhook tells no secret.
func (w Webhook) String() string { return w.LogValue().String() }

// GoString is String.
func (w Webhook) GoString() string { return w.String() }

// WebhookSpec is what a webhook is made from. Empty Scope, Events and Version
// are those of a webhook on all changes of a sheet.
type WebhookSpec struct {
	Name          string   `json:"name"`
	CallbackURL   string   `json:"callbackUrl"` // https, port 443, 8000, 8008, 8080 or 8443
	Scope         string   `json:"scope"`
	ScopeObjectID int64    `json:"scopeObjectId"` // the sheet
	Events        []string `json:"events"`
	Version       int      `json:"version"`
}

// LogValue leaves out the path of the callback URL.
func (s WebhookSpec) LogValue() slog.Value {
	return slog.GroupValue(
		slog.String("name", s.Name),
		slog.String("callbackHost", hostOf(s.CallbackURL)),
		slog.Int64("scopeObjectId", s.ScopeObjectID),
	)
}

// String is what LogValue shows.
func (s WebhookSpec) String() string { return s.LogValue().String() }

// GoString is String.
func (s WebhookSpec) GoString() string { return s.String() }

// WebhookUpdate is what to change of a webhook; nil leaves as it is.
type WebhookUpdate struct {
	Enabled     *bool     `json:"enabled,omitempty"`
	CallbackURL *string   `json:"callbackUrl,omitempty"`
	Name        *string   `json:"name,omitempty"`
	Events      *[]string `json:"events,omitempty"`
}

// result is the envelope of answers to writes.
type result[T any] struct {
	Result T `json:"result"`
}

// CreateWebhook makes a webhook. It is not enabled: the caller stores its id
// and shared secret first, since enabling it makes Smartsheet call.
func (c *Client) CreateWebhook(ctx context.Context, spec WebhookSpec) (*Webhook, error) {
	if spec.Scope == "" {
		spec.Scope = ScopeSheet
	}
	if len(spec.Events) == 0 {
		spec.Events = []string{"*.*"}
	}
	if spec.Version == 0 {
		spec.Version = 1
	}
	return c.writeWebhook(ctx, request{
		method: http.MethodPost, route: "/webhooks", body: spec, secrets: urlSecrets(spec.CallbackURL),
	})
}

// Webhook reads one webhook.
func (c *Client) Webhook(ctx context.Context, id int64) (*Webhook, error) {
	r := request{route: "/webhooks/{id}", ids: []int64{id}}
	return get(ctx, c, r, func(w *Webhook) bool { return w.ID == id })
}

// Webhooks lists the user's webhooks, newest first, those of other programs
// too. An error ends the list.
func (c *Client) Webhooks(ctx context.Context) iter.Seq2[Webhook, error] {
	return pages[Webhook](ctx, c, request{route: "/webhooks"})
}

// UpdateWebhook changes a webhook and returns it as it is then. If it is to be
// enabled, Smartsheet answers only after its verification request, which goes
// to the callback URL while this call waits; when that fails there is no
// error, the webhook returned is just not Enabled and its Status says why.
func (c *Client) UpdateWebhook(ctx context.Context, id int64, u WebhookUpdate) (*Webhook, error) {
	r := request{method: http.MethodPut, route: "/webhooks/{id}", ids: []int64{id}, body: u}
	r.verify = u.CallbackURL != nil || u.Enabled != nil && *u.Enabled
	if u.CallbackURL != nil {
		r.secrets = urlSecrets(*u.CallbackURL)
	}
	return c.writeWebhook(ctx, r)
}

func (c *Client) writeWebhook(ctx context.Context, r request) (*Webhook, error) {
	var a result[Webhook]
	if err := c.do(ctx, r, &a); err != nil {
		return nil, err
	}
	if a.Result.ID == 0 || len(r.ids) > 0 && a.Result.ID != r.ids[0] {
		return nil, r.broken(ctx, errOther)
	}
	return &a.Result, nil
}

// DeleteWebhook removes a webhook. One that is gone gives an error of class
// [NotFound].
func (c *Client) DeleteWebhook(ctx context.Context, id int64) error {
	return c.do(ctx, request{method: http.MethodDelete, route: "/webhooks/{id}", ids: []int64{id}}, nil)
}

var errNoSecret = errors.New("unreadable answer: no shared secret in it")

// ResetSharedSecret replaces the secret that callbacks are signed with and
// returns the new one. The old one may still sign what is under way.
func (c *Client) ResetSharedSecret(ctx context.Context, id int64) (string, error) {
	type secret struct {
		SharedSecret string `json:"sharedSecret"`
	}
	r := request{method: http.MethodPost, route: "/webhooks/{id}/resetsharedsecret", ids: []int64{id}}
	var a struct {
		result[secret]
		secret // the answer without envelope, as old fixtures have it
	}
	if err := c.do(ctx, r, &a); err != nil {
		return "", err
	}
	for _, s := range []string{a.Result.SharedSecret, a.SharedSecret} {
		if s != "" {
			return s, nil
		}
	}
	return "", r.broken(ctx, errNoSecret)
}

// urlSecrets returns the parts of a callback URL that hold its key, for
// Smartsheet's messages may quote them.
func urlSecrets(rawURL string) []string {
	secrets := []string{rawURL}
	if u, err := url.Parse(rawURL); err == nil {
		secrets = append(secrets, u.Path, path.Base(u.Path))
	}
	return secrets
}

func hostOf(rawURL string) string {
	u, err := url.Parse(rawURL)
	if err != nil || u.Host == "" {
		return ""
	}
	return fmt.Sprintf("%s://%s", u.Scheme, u.Host)
}
