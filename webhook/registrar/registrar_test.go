package registrar_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/smartsheet/smartsheettest"
	"github.com/sheetbridge/sheetbridge/webhook/problem"
	"github.com/sheetbridge/sheetbridge/webhook/registry"
	"github.com/sheetbridge/sheetbridge/webhook/webhooktest"
)

func TestWebhookThatIsNotEnabled(t *testing.T) {
	t.Parallel()
	w := webhooktest.NewWorld(t, webhooktest.Options{})
	w.AddPartner("acme")
	w.Registrar.PublicURL = "http://127.0.0.1:1" // nobody listens there
	_, _, err := w.Registrar.Register(t.Context(), "ops", w.Sheet.ID, []events.Request{webhooktest.Everything()})
	var p *problem.Problem
	if !errors.As(err, &p) || p.Fault != problem.Upstream || !strings.Contains(p.Detail, "DISABLED_VERIFICATION_FAILED") {
		t.Errorf("got error %v, want a problem that says why the webhook was not enabled", err)
	}
	w.WantNothingLeft("not enabled")
	w.Registrar.PublicURL = w.URL
	w.Register("ops", w.Sheet.ID, webhooktest.Everything())
	w.Check("acme")
}

// TestRegisterDiesAtEachStep ends the process, so that nothing it would have
// tidied up is: NATS and Smartsheet are gone at once.
func TestRegisterDiesAtEachStep(t *testing.T) {
	t.Parallel()
	w := webhooktest.NewWorld(t, webhooktest.Options{})
	w.AddPartner("acme")
	died := 0
	for n := int64(4); n < 400; n += 6 {
		f := webhooktest.NewFuse(t.Context(), n)
		f.Burnt = func() {
			w.Sim.Refuse(true)
			w.Broker.Bridge().Close()
		}
		_, _, err := w.Registrar.Register(f, "ops", w.Sheet.ID, []events.Request{webhooktest.Everything()})
		f.Cancel()
		if err == nil {
			break
		}
		died++
		w.Sim.Refuse(false)
		w.Restart()
		for w.Registry.Registration(w.ID()) != nil && w.Registry.Registration(w.ID()).Phase != "active" {
			select {
			case <-w.Registry.Changed():
			case <-t.Context().Done():
				t.Fatalf("a registration that died at step %d is never removed", n)
			}
		}
		if w.Registry.Registration(w.ID()) != nil { // it was made, only nobody was told
			w.Settle()
			w.Check("acme")
			w.Delete()
			w.Settle()
		}
		w.WantNothingLeft(fmt.Sprintf("died at step %d", n))
	}
	if died < 4 {
		t.Errorf("died %d times, want more", died)
	}
	w.Settle()
	w.Edit(0, webhooktest.Cells{"Qty": 4})
	w.Settle()
	w.Check("acme")
}

func TestRegisterTwice(t *testing.T) {
	t.Parallel()
	w := webhooktest.NewWorld(t, webhooktest.Options{}, webhooktest.Everything())
	again, created, err := w.Registrar.Register(t.Context(), "ops", w.Sheet.ID, []events.Request{webhooktest.Everything(), {Partner: "acme", Sheet: "numbers", Columns: webhooktest.Columns("No")}})
	webhooktest.Must(t, err)
	w.Settle()
	if created || again.ID != w.Reg.ID || len(w.Registry.Shares(again.ID)) != 2 || len(w.Sim.Webhooks()) != 1 {
		t.Errorf("got created %v, %d shares and %d webhooks, want another share of the same webhook", created, len(w.Registry.Shares(again.ID)), len(w.Sim.Webhooks()))
	}
	w.Check("acme")
	_, _, err = w.Registrar.Register(t.Context(), "ops", w.Sheet.ID, []events.Request{webhooktest.Undrafted()})
	if p := (*problem.Problem)(nil); !errors.As(err, &p) || p.Fault != problem.Conflict {
		t.Errorf("the same share defined otherwise: got error %v, want a conflict", err)
	}
}

func TestRegisterRefuses(t *testing.T) {
	t.Parallel()
	w := webhooktest.NewWorld(t, webhooktest.Options{})
	w.AddPartner("acme")
	for name, tt := range map[string]struct {
		owner    string
		sheet    int64
		requests []events.Request
		field    string
	}{
		"unknown owner":   {"nobody", w.Sheet.ID, []events.Request{webhooktest.Everything()}, "owner"},
		"unknown sheet":   {"ops", 4711, []events.Request{webhooktest.Everything()}, "sheetId"},
		"no shares":       {"ops", w.Sheet.ID, nil, "shares"},
		"unknown partner": {"ops", w.Sheet.ID, []events.Request{{Partner: "bolt", Columns: webhooktest.Columns("No")}}, "shares[0].partner"},
		"unknown column":  {"ops", w.Sheet.ID, []events.Request{webhooktest.Everything(), {Partner: "acme", Sheet: "x", Columns: webhooktest.Columns("Nope")}}, "shares[1].columns[0].title"},
		"invalid where":   {"ops", w.Sheet.ID, []events.Request{{Partner: "acme", Columns: webhooktest.Columns("No"), Where: "no =="}}, "shares[0].where"},
		"one name twice":  {"ops", w.Sheet.ID, []events.Request{webhooktest.Everything(), webhooktest.Everything()}, "shares[1].sheet"},
	} {
		_, _, err := w.Registrar.Register(t.Context(), tt.owner, tt.sheet, tt.requests)
		var p *problem.Problem
		if !errors.As(err, &p) || p.Field != tt.field {
			t.Errorf("%s: got error %v, want a problem of %s", name, err, tt.field)
		}
		w.WantNothingLeft(name)
	}
}

func TestPublicURLChanged(t *testing.T) {
	t.Parallel()
	w := webhooktest.NewWorld(t, webhooktest.Options{NewAddress: true}, webhooktest.Everything())
	was := w.Sim.Webhooks()[0].CallbackURL
	w.Restart()
	w.Settle()
	got := w.Sim.Webhooks()
	if len(got) != 1 || got[0].CallbackURL == was || !strings.HasPrefix(got[0].CallbackURL, w.URL) || !got[0].Enabled {
		t.Errorf("got webhooks %+v, want the one, told where we are now", got)
	}
	w.Edit(0, webhooktest.Cells{"Qty": 4})
	w.Settle()
	w.WantChanges("edited after the move", `row.updated callback {"no":"SO-1","status":"Open","qty":3}->{"no":"SO-1","status":"Open","qty":4}`)
}

func TestSecrets(t *testing.T) {
	t.Parallel()
	w := webhooktest.NewWorld(t, webhooktest.Options{}, webhooktest.Everything())
	webhooktest.Must(t, w.Registrar.RotateSecret(t.Context(), w.Reg.ID))
	w.Edit(0, webhooktest.Cells{"Qty": 4})
	w.Settle()
	w.WantChanges("our own rotation", `row.updated callback {"no":"SO-1","status":"Open","qty":3}->{"no":"SO-1","status":"Open","qty":4}`)
	id := w.Registry.Registration(w.Reg.ID).WebhookID
	webhooktest.Must(t, w.Sim.As(w.Jane).Do("POST", fmt.Sprintf("webhooks/%d/resetsharedsecret", id), nil, nil))
	w.Edit(0, webhooktest.Cells{"Qty": 5})
	w.Settle()
	w.WantChanges("somebody else's", `row.updated callback {"no":"SO-1","status":"Open","qty":4}->{"no":"SO-1","status":"Open","qty":5}`)
	if got := w.Sim.Webhooks()[0]; !got.Enabled {
		t.Errorf("got the webhook %s, want it enabled still", got.Status)
	}
}

func TestWebhookGoneAtSmartsheet(t *testing.T) {
	t.Parallel()
	w := webhooktest.NewWorld(t, webhooktest.Options{}, webhooktest.Everything())
	id := w.Registry.Registration(w.Reg.ID).WebhookID
	webhooktest.Must(t, w.Sim.As(w.Jane).Do("DELETE", fmt.Sprintf("webhooks/%d", id), nil, nil))
	w.Edit(0, webhooktest.Cells{"Qty": 4}) // nobody tells of it
	webhooktest.Must(t, w.Registrar.Enable(t.Context(), w.Reg.ID))
	w.Settle()
	if got := w.Sim.Webhooks(); len(got) != 1 || got[0].ID == id || !got[0].Enabled {
		t.Errorf("got webhooks %+v, want another one that is enabled", got)
	}
	w.Edit(0, webhooktest.Cells{"Qty": 5})
	w.Settle()
	if n := webhooktest.Kinds(w.Stream("acme"), w.SeenTo["acme"])["row.updated"]; n != 2 {
		t.Errorf("got %d updates, want the one before and the one after", n)
	}
	w.Check("acme")
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
			w := webhooktest.NewWorld(t, webhooktest.Options{}, webhooktest.Everything())
			id := w.Registry.Registration(w.Reg.ID).WebhookID
			w.Sim.SetWebhookStatus(id, status)
			w.Edit(0, webhooktest.Cells{"Qty": 4})
			webhooktest.Must(t, w.Registrar.Enable(t.Context(), w.Reg.ID))
			w.Settle()
			w.WantChanges("what the webhook did not tell", `row.updated reconcile {"no":"SO-1","status":"Open","qty":3}->{"no":"SO-1","status":"Open","qty":4}`)
			got := w.Sim.Webhooks()
			if len(got) != 1 || got[0].Status != want.status || (got[0].ID != id) != want.remade {
				t.Errorf("got webhooks %+v, want one that is %s", got, want.status)
			}
			if s := webhooktest.StatusOf(w.Stream("acme"), "orders"); s.State != want.state {
				t.Errorf("got status %s (%s), want %s", s.State, s.Reason, want.state)
			}
			if s := w.Registry.Registration(w.Reg.ID).Status; s != want.status {
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
			w := webhooktest.NewWorld(t, webhooktest.Options{}, webhooktest.Everything())
			w.Sim.SetWebhookStatus(w.Registry.Registration(w.Reg.ID).WebhookID, "DISABLED_CALLBACK_FAILED")
			var failed atomic.Int32
			w.Sim.SetFault(func(r *http.Request) *smartsheettest.Fault {
				if !strings.Contains(r.URL.Path, "/webhooks") {
					return nil
				}
				failed.Add(1)
				return fault
			})
			w.Reconcile(w.Reg)
			if failed.Load() == 0 {
				t.Fatal("the webhook was not looked after")
			}
			if n, err := w.Inbox.Deferred(t.Context(), w.Reg.ID); err != nil || n == nil || n.Webhook == nil || n.Whole != nil {
				t.Errorf("got %+v and error %v, want a look at the webhook put off and nothing else", n, err)
			}
			w.Sim.SetFault(nil)
			w.Await("the webhook is enabled again", func() bool { return w.Sim.Webhooks()[0].Status == "ENABLED" })
		})
	}
}

func TestDeleteRegistration(t *testing.T) {
	t.Parallel()
	w := webhooktest.NewWorld(t, webhooktest.Options{}, webhooktest.Everything())
	w.Delete()
	w.Settle()
	w.WantNothingLeft("deleted")
	if s := webhooktest.StatusOf(w.Stream("acme"), "orders"); s.State != events.StateEnded {
		t.Errorf("got status %s, want ended", s.State)
	}
	w.SeenTo["acme"] = webhooktest.Last(w.Stream("acme"))
	w.Register("ops", w.Sheet.ID, webhooktest.Everything())
	if diff := cmp.Diff(map[string]int{"schema.changed": 1, "row.created": 2, "status.changed": 3}, webhooktest.Kinds(w.Stream("acme"), w.SeenTo["acme"])); diff != "" {
		t.Errorf("registered again (-want +got):\n%s", diff)
	}
	w.Check("acme")
}

func TestPolling(t *testing.T) {
	t.Parallel()
	w := webhooktest.NewWorld(t, webhooktest.Options{Polling: true}, webhooktest.Everything())
	if len(w.Sim.Webhooks()) != 0 || w.Reg.Status != registry.StatusPolling {
		t.Errorf("got %d webhooks and status %s, want none and POLLING", len(w.Sim.Webhooks()), w.Reg.Status)
	}
	w.Edit(0, webhooktest.Cells{"Qty": 4})
	w.Settle()
	w.Reconcile(w.Reg)
	w.WantChanges("reconciled", `row.updated reconcile {"no":"SO-1","status":"Open","qty":3}->{"no":"SO-1","status":"Open","qty":4}`)
	if s := webhooktest.StatusOf(w.Stream("acme"), "orders"); s.Mode != "polling" {
		t.Errorf("got mode %s, want polling", s.Mode)
	}
}
