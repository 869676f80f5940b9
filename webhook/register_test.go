package webhook_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/smartsheet"
	"github.com/sheetbridge/sheetbridge/smartsheet/smartsheettest"
	"github.com/sheetbridge/sheetbridge/webhook/problem"
	"github.com/sheetbridge/sheetbridge/webhook/registrar"
	"github.com/sheetbridge/sheetbridge/webhook/registry"
)

// another is a registrar of another replica of the bridge.
func (w *world) another() *registrar.Registrar {
	w.t.Helper()
	g, _ := w.replica()
	return g
}

// replica is another replica of the bridge, which knows what there is until stop
// is called.
func (w *world) replica() (g *registrar.Registrar, stop func()) {
	w.t.Helper()
	log := slog.New(w.opts.log)
	ctx, cancel := context.WithCancel(context.WithoutCancel(w.t.Context()))
	other, err := registry.Open(ctx, w.broker.Bridge(), w.opts.master, 1, log)
	must(w.t, err)
	var run sync.WaitGroup
	run.Go(func() { _ = other.Run(ctx) })
	stop = func() { cancel(); run.Wait() }
	w.t.Cleanup(stop)
	<-other.Loaded()
	access := *w.access
	access.Registry = other
	return &registrar.Registrar{Registry: other, Inbox: w.inbox, Access: &access, Every: time.Hour, Log: log}, stop
}

// oneColumn is another sheet of the same owner.
func (w *world) oneColumn() int64 {
	w.t.Helper()
	s, err := w.sim.AddSheet(smartsheettest.SheetSpec{Name: "Other", Owner: w.jane, Columns: []smartsheettest.Column{{Title: "No"}}})
	must(w.t, err)
	return s.ID
}

// TestOneNameAtTwoReplicas registers two sheets under one name for one partner
// at two replicas at once, and adds shares of one name to both.
func TestOneNameAtTwoReplicas(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{idle: true, polling: true})
	w.addPartner("acme")
	replicas := []*registrar.Registrar{w.registrar, w.another()}
	first := []int64{w.oneColumn(), w.oneColumn()}
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
		_, _, err := g.Register(t.Context(), "ops", first[i], []events.Request{{Partner: "acme", Sheet: fmt.Sprint("first-", i), Columns: columns("No")}})
		must(t, err)
	}
	for n := range 15 {
		both("registered", events.Request{Partner: "acme", Sheet: fmt.Sprint("orders-", n), Columns: columns("No")}, []int64{w.oneColumn(), w.oneColumn()})
		both("added", events.Request{Partner: "acme", Sheet: fmt.Sprint("added-", n), Columns: columns("No")}, first)
	}
}

// TestRegisterHungUpAtEachStep: whoever asks hangs up, and the process goes on.
func TestRegisterHungUpAtEachStep(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	w.addPartner("acme")
	hungUp := 0
	for n := int64(1); n < 400; n += 4 {
		f := newFuse(t.Context(), n)
		_, _, err := w.registrar.Register(f, "ops", w.sheet.ID, []events.Request{everything()})
		f.cancel()
		if err == nil && f.left.Load() >= 0 {
			break
		}
		hungUp++
		doing := fmt.Sprintf("hung up at step %d", n)
		if reg := w.registry.Registration(w.id()); reg != nil {
			w.followed(doing)
			w.delete()
			w.settle()
		}
		w.left(doing)
		if t.Failed() {
			return
		}
	}
	if hungUp < 8 {
		t.Errorf("hung up %d times, want more", hungUp)
	}
	w.followed("at last")
}

// followed fails unless the sheet's registration is active, loaded, and looked
// at again in time.
func (w *world) followed(doing string) {
	w.t.Helper()
	w.settle()
	if reg := w.registry.Registration(w.id()); reg == nil || reg.Phase != registry.PhaseActive {
		w.t.Fatalf("%s: got registration %+v, want an active one", doing, reg)
	}
	w.check("acme")
	if note, err := w.inbox.Deferred(w.t.Context(), w.id()); err != nil || note == nil || note.Every != w.opts.every {
		w.t.Errorf("%s: got note %+v and error %v, want it reconciled every %v", doing, note, err, w.opts.every)
	}
}

// TestNobodyFollows has a registration that its maker has stored, and nothing
// after that: NATS did not take it.
func TestNobodyFollows(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{polling: true})
	w.addPartner("acme")
	must(t, w.stored(registry.PhaseActive))
	w.registrar.CheckClocks(t.Context())
	w.passed(func(string) bool { return true })
	w.followed("checked")
}

// stored stores a registration of the sheet as it stands while it is made.
func (w *world) stored(phase registry.Phase) error {
	w.t.Helper()
	reg, err := w.registry.NewRegistration("ops", w.sheet.ID)
	must(w.t, err)
	snap, _ := w.sim.Snapshot(w.sheet.ID)
	sheet := smartsheet.Sheet{ID: snap.ID, Name: snap.Name}
	for _, c := range snap.Columns {
		sheet.Columns = append(sheet.Columns, smartsheet.Column{ID: c.ID, Title: c.Title, Type: typeOf(c)})
	}
	share, err := everything().Resolve(sheet)
	must(w.t, err)
	share.Region, share.Revision = "us", 1
	reg.Phase, reg.Status = phase, registry.StatusPolling
	reg.CreatedAt, reg.Until = time.Now().UTC(), time.Now().UTC()
	if err := w.registry.CreateRegistration(w.t.Context(), reg); err != nil {
		return err
	}
	return w.registry.CreateShares(w.t.Context(), []*registry.Share{{Share: share, Registration: reg.ID, CreatedAt: reg.CreatedAt}})
}

// TestHalfMadeOfNobody: a registration that was left half made is removed though
// its owner is gone, and its names are free.
func TestHalfMadeOfNobody(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	w.addPartner("acme")
	must(t, w.stored(registry.PhaseCreating))
	must(t, w.registry.DeleteOwner(t.Context(), w.registry.Owner("ops")))
	w.restart()
	for w.registry.Registration(w.id()) != nil {
		changed := w.registry.Changed()
		select {
		case <-changed:
		case <-t.Context().Done():
			t.Fatal("it is never removed")
		}
	}
	w.left("removed")
}

// TestPartnerRemovedMeanwhile removes the partner while the sheet is read for it.
func TestPartnerRemovedMeanwhile(t *testing.T) {
	t.Parallel()
	for name, registered := range map[string]bool{"first share": false, "another share": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			requests := []events.Request{}
			if registered {
				bolt := everything()
				bolt.Partner = "bolt"
				requests = append(requests, bolt)
			}
			w := newWorld(t, options{polling: true}, requests...)
			w.addPartner("acme")
			var once sync.Once
			w.access.Observe = func(string, smartsheet.Call) {
				once.Do(func() { must(t, w.registry.DeletePartner(t.Context(), w.registry.Partner("acme"))) })
			}
			_, _, err := w.registrar.Register(t.Context(), "ops", w.sheet.ID, []events.Request{everything()})
			var p *problem.Problem
			if !errors.As(err, &p) || p.Fault != problem.Conflict || p.Field != "shares[0].partner" {
				t.Errorf("got error %v, want that the partner was removed", err)
			}
			w.settle()
			if !registered {
				w.left("refused")
			} else if got := w.registry.Shares(w.id()); len(got) != 1 || got[0].Partner != "bolt" {
				t.Errorf("got %d shares, want bolt's alone", len(got))
			}
		})
	}
}

// TestRegisterBesideASlowOne: while Smartsheet takes its time to verify one
// webhook, another sheet is registered.
func TestRegisterBesideASlowOne(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	w.addPartner("acme")
	verifying, release := make(chan struct{}), make(chan struct{})
	var called atomic.Bool
	handler := w.receiver.Handler()
	slow := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if !called.Swap(true) {
			close(verifying)
			<-release
		}
		handler.ServeHTTP(rw, r)
	}))
	t.Cleanup(slow.Close)
	w.registrar.PublicURL = slow.URL
	first := make(chan error, 1)
	go func() {
		_, _, err := w.registrar.Register(t.Context(), "ops", w.sheet.ID, []events.Request{everything()})
		first <- err
	}()
	<-verifying
	_, _, err := w.registrar.Register(t.Context(), "ops", w.oneColumn(), []events.Request{{Partner: "acme", Sheet: "other", Columns: columns("No")}})
	must(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := w.registrar.Register(ctx, "ops", w.sheet.ID, []events.Request{everything()}); !errors.Is(err, context.Canceled) {
		t.Errorf("the same sheet: got error %v, want that nobody waits for longer than the caller", err)
	}
	close(release)
	must(t, <-first)
	w.settle()
	w.check("acme")
}
