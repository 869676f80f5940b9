package admin_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sheetbridge/sheetbridge/smartsheet"
	"github.com/sheetbridge/sheetbridge/webhook/admin"
	"github.com/sheetbridge/sheetbridge/webhook/registry"
)

// examined is what the doctor says, level by area and name.
func (w *world) examined() (reply, map[string]string) {
	w.t.Helper()
	r := w.ok(200, "GET", "/v1/doctor", "")
	levels := map[string]string{}
	for _, c := range r.at("items").([]any) {
		c := c.(map[string]any)
		name := c["name"].(string)
		if strings.HasPrefix(name, "http") {
			name = "url"
		}
		levels[c["area"].(string)+" "+name] = c["level"].(string)
		if c["level"] != "ok" && c["todo"] == nil {
			w.t.Errorf("%v: nothing is said to be done", c)
		}
	}
	return r, levels
}

func withNATS(a *admin.API) { a.NATS = a.Broker.Bridge() }

func TestDoctor(t *testing.T) {
	w := newWorld(t, setup{api: withNATS})
	w.owner()
	w.partner("acme")
	w.relays()
	w.registered()
	w.settle()
	r, levels := w.examined()
	want := map[string]string{
		"bridge dev": "ok", "clock NATS": "ok", "clock Smartsheet us": "ok",
		"nats version": "ok", "nats sync": "ok", "nats storage": "ok", "nats replicas": "ok",
		"public url": "ok", "queue hints": "ok", "owner ops": "ok", "partner acme": "ok", "webhook Orders 2026": "ok", "share acme/orders": "ok",
	}
	if diff := cmp.Diff(want, levels); diff != "" || r.at("ok") != true {
		t.Errorf("got %s\n%s", r.text, diff)
	}
	if read := w.send(reader, "GET", "/v1/doctor", ""); read.status != 200 {
		t.Errorf("got %d for a token that may read", read.status)
	}
}

func TestDoctorEmpty(t *testing.T) {
	w := newWorld(t, setup{polling: true})
	r, levels := w.examined()
	if levels["owner none"] != "warning" || r.at("ok") != true || levels["public PUBLIC_URL"] != "ok" {
		t.Errorf("got %s", r.text)
	}
}

func TestDoctorFinds(t *testing.T) {
	for name, tc := range map[string]struct {
		breaks func(*world)
		wrong  string // area and name
		words  string
	}{
		"a refused token": {
			breaks: func(w *world) { w.sim.RevokeToken(w.token) },
			wrong:  "owner ops", words: "The token is unknown there",
		},
		"a suspended owner": {
			breaks: func(w *world) {
				must(w.t, w.registry.UpdateOwner(w.t.Context(), "ops", func(o *registry.Owner) error {
					o.State, o.Reason = registry.OwnerSuspended, "blocked"
					return nil
				}))
			},
			wrong: "owner ops", words: "PUT /v1/owners/ops/token",
		},
		"a webhook that somebody deleted": {
			breaks: func(w *world) { w.deleteWebhooks() },
			wrong:  "webhook Orders 2026", words: "somebody deleted it",
		},
		"a webhook that Smartsheet disabled": {
			breaks: func(w *world) {
				w.sim.SetWebhookStatus(w.sim.Webhooks()[0].ID, string(smartsheet.WebhookScopeInaccessible))
			},
			wrong: "webhook Orders 2026", words: "share the sheet with the owner again",
		},
		"a public address where nobody is": {
			breaks: func(w *world) {
				w.deleteWebhooks()
				w.api.Registrar.PublicURL = "http://127.0.0.1:1"
			},
			wrong: "public url", words: "SHEETBRIDGE_LISTEN",
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, setup{})
			w.owner()
			w.partner("acme")
			w.relays()
			w.registered()
			w.settle()
			tc.breaks(w)
			r, levels := w.examined()
			if levels[tc.wrong] != "wrong" || r.at("ok") != false || !strings.Contains(r.text, tc.words) {
				t.Errorf("got %s, want %s wrong with %q", r.text, tc.wrong, tc.words)
			}
			if strings.Contains(r.text, w.token) || strings.Contains(r.text, "/callbacks/") {
				t.Errorf("a secret is in %s", r.text)
			}
		})
	}
}

// deleteWebhooks deletes the owner's webhooks behind the bridge's back.
func (w *world) deleteWebhooks() {
	w.t.Helper()
	client := w.api.Access.NewClient(smartsheet.US, w.token, "")
	for _, webhook := range w.sim.Webhooks() {
		must(w.t, client.DeleteWebhook(w.t.Context(), webhook.ID))
	}
}
