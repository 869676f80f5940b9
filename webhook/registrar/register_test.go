package registrar_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/smartsheet"
	"github.com/sheetbridge/sheetbridge/webhook/problem"
	"github.com/sheetbridge/sheetbridge/webhook/registrar"
	"github.com/sheetbridge/sheetbridge/webhook/registry"
	"github.com/sheetbridge/sheetbridge/webhook/webhooktest"
)

// TestOneNameAtTwoReplicas registers two sheets under one name for one partner
// at two replicas at once, and adds shares of one name to both.
func TestOneNameAtTwoReplicas(t *testing.T) {
	t.Parallel()
	w := webhooktest.NewWorld(t, webhooktest.Options{NoRelay: true, Polling: true})
	w.AddPartner("acme")
	replicas := []*registrar.Registrar{w.Registrar, w.OtherRegistrar()}
	first := []int64{w.AddOtherSheet(), w.AddOtherSheet()}
	both := func(doing string, request events.Request, sheets []int64) {
		t.Helper()
		errs := make([]error, len(replicas))
		var wg sync.WaitGroup
		for i, g := range replicas {
			wg.Go(func() { _, _, errs[i] = g.Register(t.Context(), "ops", sheets[i], []events.Request{request}) })
		}
		wg.Wait()
		if errs[0] == nil && errs[1] == nil {
			t.Errorf("%s: two sheets have one name for one partner", doing)
		}
		for _, err := range errs {
			if p := (*problem.Problem)(nil); err != nil && (!errors.As(err, &p) || p.Fault != problem.Conflict || p.Field != "shares[0].sheet") {
				t.Errorf("%s: got error %v, want that the name is taken", doing, err)
			}
		}
	}
	for i, g := range replicas {
		_, _, err := g.Register(t.Context(), "ops", first[i], []events.Request{{Partner: "acme", Sheet: fmt.Sprint("first-", i), Columns: webhooktest.Columns("No")}})
		webhooktest.Must(t, err)
	}
	for n := range 15 {
		both("registered", events.Request{Partner: "acme", Sheet: fmt.Sprint("orders-", n), Columns: webhooktest.Columns("No")}, []int64{w.AddOtherSheet(), w.AddOtherSheet()})
		both("added", events.Request{Partner: "acme", Sheet: fmt.Sprint("added-", n), Columns: webhooktest.Columns("No")}, first)
	}
}

// TestRegisterHungUpAtEachStep: the caller hangs up, and the process goes on.
func TestRegisterHungUpAtEachStep(t *testing.T) {
	t.Parallel()
	w := webhooktest.NewWorld(t, webhooktest.Options{})
	w.AddPartner("acme")
	hungUp := 0
	for n := int64(1); n < 400; n += 4 {
		f := webhooktest.NewFuse(t.Context(), n)
		_, _, err := w.Registrar.Register(f, "ops", w.Sheet.ID, []events.Request{webhooktest.Everything()})
		f.Cancel()
		if err == nil && f.Left.Load() >= 0 {
			break
		}
		hungUp++
		doing := fmt.Sprintf("hung up at step %d", n)
		if reg := w.Registry.Registration(w.ID()); reg != nil {
			w.WantReconciled(doing)
			w.Delete()
			w.Settle()
		}
		w.WantNothingLeft(doing)
		if t.Failed() {
			return
		}
	}
	if hungUp < 8 {
		t.Errorf("hung up %d times, want more", hungUp)
	}
	w.WantReconciled("at last")
}

// TestNobodyFollows has a registration that its maker has stored, and nothing
// after that: NATS did not take it.
func TestNobodyFollows(t *testing.T) {
	t.Parallel()
	w := webhooktest.NewWorld(t, webhooktest.Options{Polling: true})
	w.AddPartner("acme")
	webhooktest.Must(t, w.StoreRegistration(registry.PhaseActive))
	w.Registrar.CheckClocks(t.Context())
	w.AwaitPass(func(string) bool { return true })
	w.WantReconciled("checked")
}

// TestHalfMadeOfNobody: a registration that was left half made is removed though
// its owner is gone, and its names are free.
func TestHalfMadeOfNobody(t *testing.T) {
	t.Parallel()
	w := webhooktest.NewWorld(t, webhooktest.Options{})
	w.AddPartner("acme")
	webhooktest.Must(t, w.StoreRegistration(registry.PhaseCreating))
	webhooktest.Must(t, w.Registry.DeleteOwner(t.Context(), w.Registry.Owner("ops")))
	w.Restart()
	for w.Registry.Registration(w.ID()) != nil {
		changed := w.Registry.Changed()
		select {
		case <-changed:
		case <-t.Context().Done():
			t.Fatal("it is never removed")
		}
	}
	w.WantNothingLeft("removed")
}

// TestPartnerRemovedMeanwhile removes the partner while the sheet is read for it.
func TestPartnerRemovedMeanwhile(t *testing.T) {
	t.Parallel()
	for name, registered := range map[string]bool{"first share": false, "another share": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			requests := []events.Request{}
			if registered {
				bolt := webhooktest.Everything()
				bolt.Partner = "bolt"
				requests = append(requests, bolt)
			}
			w := webhooktest.NewWorld(t, webhooktest.Options{Polling: true}, requests...)
			w.AddPartner("acme")
			var once sync.Once
			w.Access.Observe = func(string, smartsheet.Call) {
				once.Do(func() { webhooktest.Must(t, w.Registry.DeletePartner(t.Context(), w.Registry.Partner("acme"))) })
			}
			_, _, err := w.Registrar.Register(t.Context(), "ops", w.Sheet.ID, []events.Request{webhooktest.Everything()})
			var p *problem.Problem
			if !errors.As(err, &p) || p.Fault != problem.Conflict || p.Field != "shares[0].partner" {
				t.Errorf("got error %v, want that the partner was removed", err)
			}
			w.Settle()
			if !registered {
				w.WantNothingLeft("refused")
			} else if got := w.Registry.Shares(w.ID()); len(got) != 1 || got[0].Partner != "bolt" {
				t.Errorf("got %d shares, want bolt's alone", len(got))
			}
		})
	}
}

// TestRegisterBesideASlowOne: while Smartsheet takes its time to verify one
// webhook, another sheet is registered.
func TestRegisterBesideASlowOne(t *testing.T) {
	t.Parallel()
	w := webhooktest.NewWorld(t, webhooktest.Options{})
	w.AddPartner("acme")
	verifying, release := make(chan struct{}), make(chan struct{})
	var called atomic.Bool
	handler := w.Receiver.Handler()
	slow := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if !called.Swap(true) {
			close(verifying)
			<-release
		}
		handler.ServeHTTP(rw, r)
	}))
	t.Cleanup(slow.Close)
	w.Registrar.PublicURL = slow.URL
	first := make(chan error, 1)
	go func() {
		_, _, err := w.Registrar.Register(t.Context(), "ops", w.Sheet.ID, []events.Request{webhooktest.Everything()})
		first <- err
	}()
	<-verifying
	_, _, err := w.Registrar.Register(t.Context(), "ops", w.AddOtherSheet(), []events.Request{{Partner: "acme", Sheet: "other", Columns: webhooktest.Columns("No")}})
	webhooktest.Must(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := w.Registrar.Register(ctx, "ops", w.Sheet.ID, []events.Request{webhooktest.Everything()}); !errors.Is(err, context.Canceled) {
		t.Errorf("the same sheet: got error %v, want that nobody waits for longer than the caller", err)
	}
	close(release)
	webhooktest.Must(t, <-first)
	w.Settle()
	w.Check("acme")
}
