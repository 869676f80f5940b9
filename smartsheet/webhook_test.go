package smartsheet

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestWebhookRequests(t *testing.T) {
	const id = 4012345678901234
	yes, name, callback := true, "n", "https://b.example/callbacks/k"
	full := fixture(t, "wiremock/create-sheet-webhook.all.json", "response", "jsonBody")
	tests := map[string]struct {
		call func(context.Context, *Client) (any, error)
		want string
		body string // of the answer
	}{
		"create": {func(ctx context.Context, c *Client) (any, error) {
			return c.CreateWebhook(ctx, WebhookSpec{Name: "n", CallbackURL: callback, ScopeObjectID: 7})
		}, `POST /2.0/webhooks {"name":"n","callbackUrl":"https://b.example/callbacks/k","scope":"sheet","scopeObjectId":7,"events":["*.*"],"version":1}`, string(full)},
		"create with events": {func(ctx context.Context, c *Client) (any, error) {
			return c.CreateWebhook(ctx, WebhookSpec{Scope: "plan", Events: []string{"row.*"}, Version: 2})
		}, `POST /2.0/webhooks {"name":"","callbackUrl":"","scope":"plan","scopeObjectId":0,"events":["row.*"],"version":2}`, string(full)},
		"enable": {func(ctx context.Context, c *Client) (any, error) {
			return c.UpdateWebhook(ctx, id, WebhookUpdate{Enabled: &yes})
		}, `PUT /2.0/webhooks/4012345678901234 {"enabled":true}`, string(full)},
		"update": {func(ctx context.Context, c *Client) (any, error) {
			return c.UpdateWebhook(ctx, id, WebhookUpdate{Name: &name, CallbackURL: &callback, Events: &[]string{"*.*"}})
		}, `PUT /2.0/webhooks/4012345678901234 {"callbackUrl":"https://b.example/callbacks/k","name":"n","events":["*.*"]}`, string(full)},
		"read": {func(ctx context.Context, c *Client) (any, error) {
			return c.Webhook(ctx, id)
		}, `GET /2.0/webhooks/4012345678901234 `, string(fixture(t, "wiremock/create-sheet-webhook.all.json", "response", "jsonBody", "result"))},
		"list": {func(ctx context.Context, c *Client) (any, error) {
			return all(c.Webhooks(ctx))
		}, `GET /2.0/webhooks?page=1&pageSize=1000 `, string(fixture(t, "wiremock/list-webhooks.all.json", "response", "jsonBody"))},
		"delete": {func(ctx context.Context, c *Client) (any, error) {
			return nil, c.DeleteWebhook(ctx, id)
		}, `DELETE /2.0/webhooks/4012345678901234 `, `{"message":"SUCCESS","resultCode":0}`},
		"reset": {func(ctx context.Context, c *Client) (any, error) {
			return c.ResetSharedSecret(ctx, id)
		}, `POST /2.0/webhooks/4012345678901234/resetsharedsecret `, string(fixture(t, "webhooks/reset-shared-secret.response.json"))},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var got string
			c := serve(t, func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body) // a short one shows in the comparison
				got = r.Method + " " + r.URL.RequestURI() + " " + string(body)
				answer(200, tt.body)(w, r)
			})
			if _, err := tt.call(t.Context(), c); err != nil || got != tt.want {
				t.Errorf("got %s, %v, want %s", got, err, tt.want)
			}
			if name == "delete" {
				return
			}
			for _, other := range []string{`{}`, `{"message":"SUCCESS"}`, `{"result":{}}`, `{"id":0}`} {
				if v, err := tt.call(t.Context(), serve(t, answer(200, other))); Classify(err) != Retry {
					t.Errorf("answer %s: got %v, %v, want a retry", other, v, err)
				}
			}
		})
	}
}

func TestUpdateOfAnotherWebhook(t *testing.T) {
	name := "n"
	c := serve(t, answer(200, `{"result":{"id":2}}`))
	if w, err := c.UpdateWebhook(t.Context(), 1, WebhookUpdate{Name: &name}); Classify(err) != Retry {
		t.Errorf("got %v, %v, want a retry", w, err)
	}
}

func TestWebhookNotVerifiedIsNoError(t *testing.T) {
	yes := true
	c := serve(t, answer(200, `{"result":{"id":1,"enabled":false,"status":"DISABLED_VERIFICATION_FAILED","disabledDetails":"no 200"}}`))
	got, err := c.UpdateWebhook(t.Context(), 1, WebhookUpdate{Enabled: &yes})
	want := &Webhook{ID: 1, Status: WebhookVerificationFailed, DisabledDetails: "no 200"}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v, -want +got:\n%s", err, diff)
	}
}

func TestResetSharedSecretForms(t *testing.T) {
	tests := map[string]string{
		string(fixture(t, "java-sdk/resetSharedSecret.json")):                               "kdfhskdjfh2398234820942",
		string(fixture(t, "wiremock/reset-shared-secret.all.json", "response", "jsonBody")): "new123secret456value789abc012def345ghi678jkl901mno234pqr",
	}
	for body, want := range tests {
		if got, err := serve(t, answer(200, body)).ResetSharedSecret(t.Context(), 1); err != nil || got != want {
			t.Errorf("got %q, %v, want %q", got, err, want)
		}
	}
}

func TestCanEnable(t *testing.T) {
	want := map[WebhookStatus]bool{
		WebhookNew: true, WebhookDisabledByOwner: true, WebhookCallbackFailed: true, WebhookVerificationFailed: true, WebhookGridLimits: true, "DISABLED_X": true,
		WebhookEnabled: false, WebhookScopeInaccessible: false, WebhookAppRevoked: false, WebhookAdministrative: false,
	}
	for status, can := range want {
		if status.CanEnable() != can {
			t.Errorf("%s: got %v, want %v", status, !can, can)
		}
	}
}

// Neither the secret nor the key in the callback URL is told by a log line or
// by printing.
func TestWebhookTellsNoSecret(t *testing.T) {
	const secret, key = "216ejjzdnq17mq1q8xs7d4hu8b", "unguessable-key"
	callback := "https://b.example/callbacks/" + key
	hook := Webhook{ID: 4503604829677444, SharedSecret: secret, CallbackURL: callback}
	spec := WebhookSpec{Name: "orders", CallbackURL: callback}
	var out bytes.Buffer
	for _, handler := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
		slog.New(handler).Info("made", "hook", hook, "pointer", &hook, "spec", spec, "spec pointer", &spec)
	}
	for _, v := range []any{hook, &hook, spec, &spec} {
		fmt.Fprintf(&out, "%v %+v %#v %s\n", v, v, v, v)
	}
	for _, hidden := range []string{secret, key} {
		if strings.Contains(out.String(), hidden) {
			t.Errorf("%s is told:\n%s", hidden, &out)
		}
	}
	for _, shown := range []string{"4503604829677444", "https://b.example", "orders"} {
		if !strings.Contains(out.String(), shown) {
			t.Errorf("%s is not told:\n%s", shown, &out)
		}
	}
}
