package owner_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sheetbridge/sheetbridge/smartsheet"
	"github.com/sheetbridge/sheetbridge/smartsheet/smartsheettest"
	"github.com/sheetbridge/sheetbridge/webhook/budget"
	"github.com/sheetbridge/sheetbridge/webhook/owner"
	"github.com/sheetbridge/sheetbridge/webhook/registry"
	"github.com/sheetbridge/sheetbridge/webhook/webhooktest"
)

func TestThreeReplicasRenewOnce(t *testing.T) {
	c := newConsents(t)
	c.consent()
	c.share()
	clients := []*smartsheet.Client{c.client(c.Access)}
	for range 2 {
		access := c.replica()
		clients = append(clients, c.client(access))
	}
	for week := range 3 {
		c.pass(7 * 24 * time.Hour) // the token has run out
		var racing sync.WaitGroup
		for i := range 12 {
			racing.Go(func() {
				if _, err := clients[i%3].Me(t.Context()); err != nil {
					t.Errorf("week %d, replica %d: %v", week, i%3, err)
				}
			})
		}
		racing.Wait()
		if got := c.Sim.Refreshes(); got != week+1 {
			t.Errorf("after week %d: got %d refreshes, want one a week", week, got)
		}
	}
	for _, r := range c.Sim.Requests() {
		if r.Route == "token" && r.Status != 200 {
			t.Errorf("got %d/%d from the token endpoint, want no refusal", r.Status, r.ErrorCode)
		}
	}
	c.edit("Done")
	c.Check("acme")
	if strings.Contains(c.logs.String(), c.app.Secret) {
		t.Error("the app's secret is in the log")
	}
}

// replica is the access of another process on the same store.
func (c *consents) replica() *owner.Access {
	c.T.Helper()
	r, err := registry.Open(c.T.Context(), c.Broker.Bridge(), c.Opts.Master, 1, slog.New(slog.DiscardHandler))
	webhooktest.Must(c.T, err)
	done := make(chan struct{})
	go func() { defer close(done); _ = r.Run(c.T.Context()) }()
	c.T.Cleanup(func() { <-done })
	<-r.Loaded()
	access := &owner.Access{Registry: r, Budget: c.Access.Budget, Master: c.Opts.Master, BaseURL: c.Sim.URL()}
	c.authorizing(access, c.oauth.Now)
	return access
}

func (c *consents) client(access *owner.Access) *smartsheet.Client {
	c.T.Helper()
	client, err := access.Client(access.Registry.Owner("jane"), budget.Callback)
	webhooktest.Must(c.T, err)
	return client
}

func TestTokensAreRenewedBeforeTheyExpire(t *testing.T) {
	c := newConsents(t)
	c.consent()
	owners := &owner.Owners{Registry: c.Registry, Access: c.Access, Inbox: c.Inbox, Log: slog.New(c.Opts.Log)}
	owners.Renew(t.Context())
	if got := c.Sim.Refreshes(); got != 0 {
		t.Errorf("got %d refreshes at once, want none", got)
	}
	c.pass(6*24*time.Hour + time.Minute)
	owners.Renew(t.Context())
	if got := c.Sim.Refreshes(); got != 1 {
		t.Errorf("got %d refreshes a day before the end, want 1", got)
	}
}

func TestAWithdrawnConsentIsToldAndHeals(t *testing.T) {
	c := newConsents(t)
	c.consent()
	c.share()
	c.Sim.RevokeConsent(c.jane, c.app)
	c.pass(2 * time.Minute) // a token that was just made is not renewed
	for _, reg := range c.Registry.Registrations() {
		c.Reconcile(reg)
	}
	if got := c.state(); got != registry.OwnerSuspended {
		t.Errorf("got owner %s, want suspended: %s", got, c.Registry.Owner("jane").Reason)
	}
	if state := c.status(); state != "suspended" {
		t.Errorf("the partner was told %q, want suspended", state)
	}
	webhooktest.Must(t, c.Sim.As(c.jane).UpdateRows(c.sheet.ID, smartsheettest.Row{ID: c.sheet.Rows[0], Cells: webhooktest.Cells{"Status": "Done"}}))
	c.consent()
	c.Settle()
	if state := c.status(); state != "live" || c.state() != registry.OwnerOK {
		t.Errorf("after a new consent: the partner was told %q and the owner is %s, want live and ok", state, c.state())
	}
	c.Check("acme")
}

// TestALostAnswerAsksForANewConsent: the pair was renewed, and nobody knows it.
func TestALostAnswerAsksForANewConsent(t *testing.T) {
	c := newConsents(t)
	c.consent()
	c.share()
	c.pass(7 * 24 * time.Hour)
	var once sync.Once
	c.Sim.SetFault(func(r *http.Request) (f *smartsheettest.Fault) {
		if strings.HasSuffix(r.URL.Path, "/token") {
			once.Do(func() { f = &smartsheettest.Fault{LoseAnswer: true} })
		}
		return f
	})
	if _, err := c.client(c.Access).Me(t.Context()); err == nil {
		t.Error("got no error for a lost answer")
	}
	if got := c.state(); got != registry.OwnerOK {
		t.Errorf("got %s after one lost answer, want ok: it may not have been done", got)
	}
	_, err := c.client(c.Access).Me(t.Context())
	if smartsheet.Classify(err) != smartsheet.Refused || c.state() != registry.OwnerAuthorize {
		t.Errorf("got %v and owner %s, want refused and authorize", err, c.state())
	}
	c.Settle()
	if state := c.status(); state != "suspended" {
		t.Errorf("the partner was told %q, want suspended", state)
	}
	c.consent()
	c.Settle()
	c.Check("acme")
}

// TestAProcessThatDiedWithTheLeaseHoldsNobodyUp: its lease ends, and the pair
// that it had not touched is good.
func TestAProcessThatDiedWithTheLeaseHoldsNobodyUp(t *testing.T) {
	c := newConsents(t)
	c.consent()
	webhooktest.Must(t, c.Registry.UpdateOwner(t.Context(), "jane", func(o *registry.Owner) error {
		o.OAuth.Lease = &registry.Lease{Holder: "dead", Until: c.oauth.Now().Add(time.Minute)}
		return nil
	}))
	impatient, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := c.client(c.Access).Me(impatient); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v while the lease was held, want to wait: the token may be dead at any moment", err)
	}
	c.pass(7 * 24 * time.Hour)
	if _, err := c.client(c.Access).Me(t.Context()); err != nil {
		t.Errorf("got %v when the lease had ended", err)
	}
	if got := c.Sim.Refreshes(); got != 1 {
		t.Errorf("got %d refreshes, want 1", got)
	}
}

// TestWrongSecretOfTheAppSuspendsAndHeals: it is ours to set right, and nobody
// has to consent again for it.
func TestWrongSecretOfTheAppSuspendsAndHeals(t *testing.T) {
	c := newConsents(t)
	c.consent()
	c.share()
	good := c.oauth.Secret
	c.oauth.Secret = "another secret"
	c.pass(7 * 24 * time.Hour)
	_, err := c.client(c.Access).Me(t.Context())
	if err == nil || strings.Contains(err.Error(), "another secret") {
		t.Errorf("got %v, want an error without the secret", err)
	}
	o := c.Registry.Owner("jane")
	if o.State != registry.OwnerSuspended || !strings.Contains(o.Reason, "SHEETBRIDGE_OAUTH_CLIENT_SECRET") {
		t.Errorf("got %s (%s), want suspended and what to set", o.State, o.Reason)
	}
	c.oauth.Secret = good
	owners := &owner.Owners{Registry: c.Registry, Access: c.Access, Inbox: c.Inbox, Log: slog.New(c.Opts.Log)}
	owners.Renew(t.Context())
	c.Settle()
	if c.state() != registry.OwnerOK {
		t.Errorf("got %s with the right secret, want ok", c.state())
	}
	c.Check("acme")
}

func TestAnExpiredTokenInFlightIsRenewedAndTheRequestRepeated(t *testing.T) {
	c := newConsents(t)
	c.consent()
	client := c.client(c.Access)
	c.pass(2 * time.Minute)
	var once sync.Once
	c.Sim.SetFault(func(r *http.Request) (f *smartsheettest.Fault) {
		if strings.HasSuffix(r.URL.Path, "/users/me") {
			once.Do(func() { f = &smartsheettest.Fault{Status: 401, ErrorCode: 1003} })
		}
		return f
	})
	if _, err := client.Me(t.Context()); err != nil {
		t.Errorf("got %v, want the request repeated with a new token", err)
	}
	if got := c.Sim.Refreshes(); got != 1 {
		t.Errorf("got %d refreshes, want 1", got)
	}
}
