package admin_test

import (
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

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
		w.document.checkAction(w.t, c, "todo")
		if c["level"] != "ok" && c["todo"] == nil {
			w.t.Errorf("%v: nothing is said to be done", c)
		}
	}
	return r, levels
}

func withNATS(a *admin.API) { a.Doctor.NATS = a.Broker.Bridge() }

func TestDoctor(t *testing.T) {
	t.Parallel()
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
	t.Parallel()
	w := newWorld(t, setup{polling: true})
	r, levels := w.examined()
	if levels["owner none"] != "warning" || r.at("ok") != true || levels["public PUBLIC_URL"] != "ok" {
		t.Errorf("got %s", r.text)
	}
}

func TestDoctorFinds(t *testing.T) {
	t.Parallel()
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

// TestDoctorFindsAnotherStore: webhooks at Smartsheet that call this address and that the
// store knows nothing of tell that it is not the store that there was.
func TestDoctorFindsAnotherStore(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		shares       bool
		level, words string
	}{
		"an empty one":    {false, "wrong", "the store is empty, and 1 webhooks at Smartsheet call this address and are not known here"},
		"one that is old": {true, "warning", "1 webhooks at Smartsheet call this address and are not known here"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, setup{})
			w.owner()
			w.partner("acme")
			w.relays()
			if tc.shares {
				w.registered()
			}
			if _, levels := w.examined(); levels["bridge store"] != "" {
				t.Errorf("got %s before there is such a webhook", levels["bridge store"])
			}
			client := w.api.Access.NewClient(smartsheet.US, w.token, "")
			for _, base := range []string{w.public, "http://127.0.0.1:1"} { // the other one is of somebody else
				_, err := client.CreateWebhook(t.Context(), smartsheet.WebhookSpec{
					Name: "before", CallbackURL: base + registry.CallbackPath + "lost", ScopeObjectID: w.sheet.ID, Version: 1,
				})
				must(t, err)
			}
			r, levels := w.examined()
			if levels["bridge store"] != tc.level || !strings.Contains(r.text, tc.words) || strings.Contains(r.text, "the store is empty") == tc.shares {
				t.Errorf("got %s, want the store %s with %q", r.text, tc.level, tc.words)
			}
		})
	}
}

// A partner whose NATS answers slowly is named: others do not wait for it, and its
// own events are late.
func TestDoctorFindsSlowPartner(t *testing.T) {
	t.Parallel()
	url, creds, _ := otherNATS(t, "bolt")
	way := slowWay(t, strings.TrimPrefix(url, "nats://"))
	w := newWorld(t, setup{})
	w.ok(201, "POST", "/v1/partners", `{"name":"bolt","nats":{"url":"nats://`+way.address+`","credentials":"`+strings.ReplaceAll(creds, "\n", `\n`)+`"}}`)
	if r, levels := w.examined(); levels["partner bolt"] != "ok" {
		t.Errorf("got %s, want bolt well", r.text)
	}
	way.slow.Store(true)
	if r, levels := w.examined(); levels["partner bolt"] != "warning" || !strings.Contains(r.text, "answers slowly, in 1.") {
		t.Errorf("got %s, want bolt to answer slowly", r.text)
	}
}

// way is a connection to a server that can be made slow.
type way struct {
	address string
	slow    atomic.Bool // what comes back takes more than a second
}

func slowWay(t *testing.T, to string) *way {
	t.Helper()
	l := listen(t)
	p := &way{address: l.Addr().String()}
	var wg sync.WaitGroup
	carry := func(to, from net.Conn, back bool) {
		defer func() { _, _ = to.Close(), from.Close() }()
		part := make([]byte, 64<<10)
		for {
			n, err := from.Read(part)
			if err != nil {
				return
			}
			if back && p.slow.Load() {
				<-time.After(1100 * time.Millisecond)
			}
			if _, err := to.Write(part[:n]); err != nil {
				return
			}
		}
	}
	wg.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", to)
			if err != nil {
				_ = client.Close()
				continue
			}
			wg.Go(func() { carry(server, client, false) })
			wg.Go(func() { carry(client, server, true) })
		}
	})
	t.Cleanup(func() { // after the connections, which end it
		_ = l.Close()
		wg.Wait()
	})
	return p
}

// deleteWebhooks deletes the owner's webhooks behind the bridge's back.
func (w *world) deleteWebhooks() {
	w.t.Helper()
	client := w.api.Access.NewClient(smartsheet.US, w.token, "")
	for _, webhook := range w.sim.Webhooks() {
		must(w.t, client.DeleteWebhook(w.t.Context(), webhook.ID))
	}
}
