package webhook_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/smartsheet/smartsheettest"
	"github.com/sheetbridge/sheetbridge/webhook/inbox"
	"github.com/sheetbridge/sheetbridge/webhook/problem"
	"github.com/sheetbridge/sheetbridge/webhook/registry"
)

// left fails for whatever is left of a registration that was not made.
func (w *world) left(doing string) {
	w.t.Helper()
	if got := w.sim.Webhooks(); len(got) != 0 {
		w.t.Errorf("%s: %d webhooks are left at Smartsheet", doing, len(got))
	}
	if got := w.registry.Registrations(); len(got) != 0 {
		w.t.Errorf("%s: %d registrations are left", doing, len(got))
	}
	js, err := jetstream.New(w.broker.Bridge())
	must(w.t, err)
	s, err := js.Stream(w.t.Context(), inbox.StreamName)
	must(w.t, err)
	if n := s.CachedInfo().State.Msgs; n != 0 {
		w.t.Errorf("%s: %d hints are left", doing, n)
	}
	// A share that ends outlives its registration for a moment.
	kv, err := js.KeyValue(w.t.Context(), registry.Bucket)
	must(w.t, err)
	ctx, cancel := context.WithTimeout(w.t.Context(), 10*time.Second)
	defer cancel()
	for {
		changed := w.registry.Changed()
		keys, err := kv.ListKeysFiltered(ctx, "share.>")
		must(w.t, err)
		var names []string
		for key := range keys.Keys() {
			names = append(names, key)
		}
		if len(names) == 0 {
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
			w.t.Fatalf("%s: the shares %v are left", doing, names)
		}
	}
}

func TestWebhookThatIsNotEnabled(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	w.addPartner("acme")
	w.registrar.PublicURL = "http://127.0.0.1:1" // nobody listens there
	_, _, err := w.registrar.Register(t.Context(), "ops", w.sheet.ID, []events.Request{everything()})
	var p *problem.Problem
	if !errors.As(err, &p) || p.Fault != problem.Upstream || !strings.Contains(p.Detail, "DISABLED_VERIFICATION_FAILED") {
		t.Errorf("got error %v, want a problem that says why the webhook was not enabled", err)
	}
	w.left("not enabled")
	w.registrar.PublicURL = w.url
	w.register("ops", w.sheet.ID, everything())
	w.check("acme")
}

// TestRegisterDiesAtEachStep ends the process, so that nothing it would have
// tidied up is: NATS and Smartsheet are gone at once.
func TestRegisterDiesAtEachStep(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	w.addPartner("acme")
	died := 0
	for n := int64(4); n < 400; n += 6 {
		f := newFuse(t.Context(), n)
		f.burnt = func() {
			w.sim.Refuse(true)
			w.broker.Bridge().Close()
		}
		_, _, err := w.registrar.Register(f, "ops", w.sheet.ID, []events.Request{everything()})
		f.cancel()
		if err == nil {
			break
		}
		died++
		w.sim.Refuse(false)
		w.restart()
		for w.registry.Registration(w.id()) != nil && w.registry.Registration(w.id()).Phase != "active" {
			select {
			case <-w.registry.Changed():
			case <-t.Context().Done():
				t.Fatalf("a registration that died at step %d is never removed", n)
			}
		}
		if w.registry.Registration(w.id()) != nil { // it was made, only nobody was told
			w.settle()
			w.check("acme")
			w.delete()
			w.settle()
		}
		w.left(fmt.Sprintf("died at step %d", n))
	}
	if died < 4 {
		t.Errorf("died %d times, want more", died)
	}
	w.settle()
	w.edit(0, cells{"Qty": 4})
	w.settle()
	w.check("acme")
}

func TestRegisterTwice(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{}, everything())
	again, created, err := w.registrar.Register(t.Context(), "ops", w.sheet.ID, []events.Request{everything(), {Partner: "acme", Sheet: "numbers", Columns: columns("No")}})
	must(t, err)
	w.settle()
	if created || again.ID != w.reg.ID || len(w.registry.Shares(again.ID)) != 2 || len(w.sim.Webhooks()) != 1 {
		t.Errorf("got created %v, %d shares and %d webhooks, want another share of the same webhook", created, len(w.registry.Shares(again.ID)), len(w.sim.Webhooks()))
	}
	w.check("acme")
	_, _, err = w.registrar.Register(t.Context(), "ops", w.sheet.ID, []events.Request{undrafted()})
	if p := (*problem.Problem)(nil); !errors.As(err, &p) || p.Fault != problem.Conflict {
		t.Errorf("the same share defined otherwise: got error %v, want a conflict", err)
	}
}

func TestRegisterRefuses(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	w.addPartner("acme")
	for name, tt := range map[string]struct {
		owner    string
		sheet    int64
		requests []events.Request
		field    string
	}{
		"unknown owner":   {"nobody", w.sheet.ID, []events.Request{everything()}, "owner"},
		"unknown sheet":   {"ops", 4711, []events.Request{everything()}, "sheetId"},
		"no shares":       {"ops", w.sheet.ID, nil, "shares"},
		"unknown partner": {"ops", w.sheet.ID, []events.Request{{Partner: "bolt", Columns: columns("No")}}, "shares[0].partner"},
		"unknown column":  {"ops", w.sheet.ID, []events.Request{everything(), {Partner: "acme", Sheet: "x", Columns: columns("Nope")}}, "shares[1].columns[0].title"},
		"invalid where":   {"ops", w.sheet.ID, []events.Request{{Partner: "acme", Columns: columns("No"), Where: "no =="}}, "shares[0].where"},
		"one name twice":  {"ops", w.sheet.ID, []events.Request{everything(), everything()}, "shares[1].sheet"},
	} {
		_, _, err := w.registrar.Register(t.Context(), tt.owner, tt.sheet, tt.requests)
		var p *problem.Problem
		if !errors.As(err, &p) || p.Field != tt.field {
			t.Errorf("%s: got error %v, want a problem of %s", name, err, tt.field)
		}
		w.left(name)
	}
}

func TestPublicURLChanged(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{moves: true}, everything())
	was := w.sim.Webhooks()[0].CallbackURL
	w.restart()
	w.settle()
	got := w.sim.Webhooks()
	if len(got) != 1 || got[0].CallbackURL == was || !strings.HasPrefix(got[0].CallbackURL, w.url) || !got[0].Enabled {
		t.Errorf("got webhooks %+v, want the one, told where we are now", got)
	}
	w.edit(0, cells{"Qty": 4})
	w.settle()
	w.got("edited after the move", `row.updated callback {"no":"SO-1","status":"Open","qty":3}->{"no":"SO-1","status":"Open","qty":4}`)
}

func TestSecrets(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{}, everything())
	must(t, w.registrar.RotateSecret(t.Context(), w.reg.ID))
	w.edit(0, cells{"Qty": 4})
	w.settle()
	w.got("our own rotation", `row.updated callback {"no":"SO-1","status":"Open","qty":3}->{"no":"SO-1","status":"Open","qty":4}`)
	id := w.registry.Registration(w.reg.ID).WebhookID
	must(t, w.sim.As(w.jane).Do("POST", fmt.Sprintf("webhooks/%d/resetsharedsecret", id), nil, nil))
	w.edit(0, cells{"Qty": 5})
	w.settle()
	w.got("somebody else's", `row.updated callback {"no":"SO-1","status":"Open","qty":4}->{"no":"SO-1","status":"Open","qty":5}`)
	if got := w.sim.Webhooks()[0]; !got.Enabled {
		t.Errorf("got the webhook %s, want it enabled still", got.Status)
	}
}

func TestWebhookGoneAtSmartsheet(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{}, everything())
	id := w.registry.Registration(w.reg.ID).WebhookID
	must(t, w.sim.As(w.jane).Do("DELETE", fmt.Sprintf("webhooks/%d", id), nil, nil))
	w.edit(0, cells{"Qty": 4}) // nobody tells of it
	must(t, w.registrar.Enable(t.Context(), w.reg.ID))
	w.settle()
	if got := w.sim.Webhooks(); len(got) != 1 || got[0].ID == id || !got[0].Enabled {
		t.Errorf("got webhooks %+v, want another one that is enabled", got)
	}
	w.edit(0, cells{"Qty": 5})
	w.settle()
	if n := kinds(w.stream("acme"), w.at["acme"])["row.updated"]; n != 2 {
		t.Errorf("got %d updates, want the one before and the one after", n)
	}
	w.check("acme")
}

func TestDisabledWebhooks(t *testing.T) {
	t.Parallel()
	for status, want := range map[string]struct {
		status string
		state  events.State
		remade bool
	}{
		"DISABLED_BY_OWNER":             {"ENABLED", events.StateLive, false},
		"DISABLED_CALLBACK_FAILED":      {"ENABLED", events.StateLive, false},
		"DISABLED_VERIFICATION_FAILED":  {"ENABLED", events.StateLive, false},
		"DISABLED_EXCEEDED_GRID_LIMITS": {"ENABLED", events.StateLive, false}, // it is small enough now
		"DISABLED_APP_REVOKED":          {"ENABLED", events.StateLive, true},
		"DISABLED_ADMINISTRATIVE":       {"DISABLED_ADMINISTRATIVE", events.StateStale, false},
	} {
		t.Run(status, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, options{}, everything())
			id := w.registry.Registration(w.reg.ID).WebhookID
			w.sim.SetWebhookStatus(id, status)
			w.edit(0, cells{"Qty": 4})
			must(t, w.registrar.Enable(t.Context(), w.reg.ID))
			w.settle()
			w.got("what the webhook did not tell", `row.updated reconcile {"no":"SO-1","status":"Open","qty":3}->{"no":"SO-1","status":"Open","qty":4}`)
			got := w.sim.Webhooks()
			if len(got) != 1 || got[0].Status != want.status || (got[0].ID != id) != want.remade {
				t.Errorf("got webhooks %+v, want one that is %s", got, want.status)
			}
			if s := statusOf(w.stream("acme"), "orders"); s.State != want.state {
				t.Errorf("got status %s (%s), want %s", s.State, s.Reason, want.state)
			}
			if s := w.registry.Registration(w.reg.ID).Status; s != want.status {
				t.Errorf("got %s in the record, want %s", s, want.status)
			}
		})
	}
}

// TestLookAgain: where Smartsheet does not answer while a webhook is looked
// after, nobody has to wait for the next reconcile, which may be an hour away.
func TestLookAgain(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]*smartsheettest.Fault{
		"hung up":   {HangUp: true},
		"fails":     {Status: 500, ErrorCode: 4000},
		"throttled": {Status: 429, ErrorCode: 4003, RetryAfter: time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, options{}, everything())
			w.sim.SetWebhookStatus(w.registry.Registration(w.reg.ID).WebhookID, "DISABLED_CALLBACK_FAILED")
			var failed atomic.Int32
			w.sim.SetFault(func(r *http.Request) *smartsheettest.Fault {
				if !strings.Contains(r.URL.Path, "/webhooks") {
					return nil
				}
				failed.Add(1)
				return fault
			})
			w.reconcile(w.reg)
			if failed.Load() == 0 {
				t.Fatal("the webhook was not looked after")
			}
			if n, err := w.inbox.Deferred(t.Context(), w.reg.ID); err != nil || n == nil || n.Webhook == nil || n.Whole != nil {
				t.Errorf("got %+v and error %v, want a look at the webhook put off and nothing else", n, err)
			}
			w.sim.SetFault(nil)
			w.waitFor("the webhook is enabled again", func() bool { return w.sim.Webhooks()[0].Status == "ENABLED" })
		})
	}
}

func TestDeleteRegistration(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{}, everything())
	w.delete()
	w.settle()
	w.left("deleted")
	if s := statusOf(w.stream("acme"), "orders"); s.State != events.StateEnded {
		t.Errorf("got status %s, want ended", s.State)
	}
	w.at["acme"] = last(w.stream("acme"))
	w.register("ops", w.sheet.ID, everything())
	if diff := cmp.Diff(map[string]int{"schema.changed": 1, "row.created": 2, "status.changed": 3}, kinds(w.stream("acme"), w.at["acme"])); diff != "" {
		t.Errorf("registered again (-want +got):\n%s", diff)
	}
	w.check("acme")
}

func TestPolling(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{polling: true}, everything())
	if len(w.sim.Webhooks()) != 0 || w.reg.Status != registry.StatusPolling {
		t.Errorf("got %d webhooks and status %s, want none and POLLING", len(w.sim.Webhooks()), w.reg.Status)
	}
	w.edit(0, cells{"Qty": 4})
	w.settle()
	w.reconcile(w.reg)
	w.got("reconciled", `row.updated reconcile {"no":"SO-1","status":"Open","qty":3}->{"no":"SO-1","status":"Open","qty":4}`)
	if s := statusOf(w.stream("acme"), "orders"); s.Mode != "polling" {
		t.Errorf("got mode %s, want polling", s.Mode)
	}
}
