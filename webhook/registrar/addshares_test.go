package registrar_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/smartsheet"
	"github.com/sheetbridge/sheetbridge/webhook/problem"
	"github.com/sheetbridge/sheetbridge/webhook/registrar"
	"github.com/sheetbridge/sheetbridge/webhook/registry"
	"github.com/sheetbridge/sheetbridge/webhook/webhooktest"
)

// TestManyShares adds many shares of one sheet: in one call, and in as many
// calls at once.
func TestManyShares(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		shares, columns int
		calls           int
	}{
		"one call":          {100, 40, 1},
		"100 calls at once": {100, 40, 100},
		"wide":              {15, 400, 1},
		"wide, at once":     {15, 400, 15},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := webhooktest.NewWorld(t, webhooktest.Options{NoRelay: true, Polling: true})
			w.AddPartner("acme")
			sheet, request := w.Wide(tt.columns)
			all := make([]events.Request, tt.shares)
			for i := range all {
				all[i] = request
				all[i].Sheet = fmt.Sprint("share-", i)
			}
			each := tt.shares / tt.calls
			var calls sync.WaitGroup
			for i := range tt.calls {
				calls.Go(func() {
					if _, _, err := w.Registrar.Register(t.Context(), "ops", sheet, all[i*each:(i+1)*each]); err != nil {
						t.Errorf("call %d: %v", i, err)
					}
				})
			}
			calls.Wait()
			other := w.OtherRegistrar().Registry // as the bucket has it
			if got := len(other.Shares(registry.RegistrationID("ops", sheet))); got != tt.shares {
				t.Errorf("got %d shares, want %d", got, tt.shares)
			}
			for _, s := range other.AllShares() {
				if len(s.Fields) != tt.columns {
					t.Fatalf("got %d columns of %s, want %d", len(s.Fields), s.Key(), tt.columns)
				}
			}
		})
	}
}

// TestTheSameSharesAtOnce: two replicas add the same shares of a sheet at once,
// in whatever order; who is told that they are made finds all of them.
func TestTheSameSharesAtOnce(t *testing.T) {
	t.Parallel()
	w := webhooktest.NewWorld(t, webhooktest.Options{NoRelay: true, Polling: true})
	w.AddPartner("acme")
	replicas := []*registrar.Registrar{w.Registrar, w.OtherRegistrar()}
	sheet := w.AddOtherSheet()
	_, _, err := w.Registrar.Register(t.Context(), "ops", sheet, []events.Request{{Partner: "acme", Sheet: "first", Columns: webhooktest.Columns("No")}})
	webhooktest.Must(t, err)
	id := registry.RegistrationID("ops", sheet)
	known := replicas[1].Registry
	w.Await("the other replica knows the share", func() bool { return known.Share("acme", "first") != nil })
	for n := range 15 {
		a := events.Request{Partner: "acme", Sheet: fmt.Sprint("a-", n), Columns: webhooktest.Columns("No")}
		b := events.Request{Partner: "acme", Sheet: fmt.Sprint("b-", n), Columns: webhooktest.Columns("No")}
		var all sync.WaitGroup
		for i, requests := range [][]events.Request{{a, b}, {b, a}, {a, b}, {b}} {
			all.Go(func() {
				_, _, err := replicas[i%2].Register(t.Context(), "ops", sheet, requests)
				var p *problem.Problem
				if err != nil && (!errors.As(err, &p) || p.Fault != problem.Conflict) {
					t.Errorf("got error %v, want none or a conflict", err)
				}
				for _, r := range requests {
					if s, freshErr := w.Registry.FreshShare(t.Context(), "acme", r.Sheet); err == nil && (freshErr != nil || s.Registration != id || s.Ending) {
						t.Errorf("got share %+v and error %v, want the one that was made", s, freshErr)
					}
				}
			})
		}
		all.Wait()
	}
}

// TestAddedWhileItIsDeleted: a request that adds shares to a registration that another
// replica deletes gets a conflict, and no share is left that nobody ends.
func TestAddedWhileItIsDeleted(t *testing.T) {
	t.Parallel()
	w := webhooktest.NewWorld(t, webhooktest.Options{Polling: true}, webhooktest.Everything())
	behind, stop := w.Replica()
	stop()
	w.Delete()
	_, _, err := behind.Register(t.Context(), "ops", w.Sheet.ID, []events.Request{{Partner: "acme", Sheet: "late", Columns: webhooktest.Columns("No")}})
	var p *problem.Problem
	if !errors.As(err, &p) || p.Fault != problem.Conflict || p.Field != "sheetId" {
		t.Errorf("got error %v, want that the registration was deleted", err)
	}
	w.Settle()
	w.WantNothingLeft("deleted")
}

// TestPutShareAtOnce: of two who change a share at once one is told that the
// other was faster.
func TestPutShareAtOnce(t *testing.T) {
	t.Parallel()
	w := webhooktest.NewWorld(t, webhooktest.Options{Polling: true}, webhooktest.Everything())
	w.StopRelay()
	var reading sync.WaitGroup
	reading.Add(2)
	w.Access.Observe = func(string, smartsheet.Call) { // both have found the share
		reading.Done()
		reading.Wait()
	}
	errs := make(chan error, 2)
	replicas := map[string]*registrar.Registrar{"No": w.Registrar, "Qty": w.OtherRegistrar()}
	for title, g := range replicas {
		go func() {
			errs <- g.PutShare(t.Context(), w.Reg.ID, "acme", "orders", events.Request{Columns: webhooktest.Columns(title)}, true)
		}()
	}
	one, other := <-errs, <-errs
	if one == nil {
		one, other = other, one
	}
	var p *problem.Problem
	if other != nil || !errors.As(one, &p) || p.Fault != problem.Conflict {
		t.Errorf("got errors %v and %v, want one that somebody else was faster", one, other)
	}
	if s := w.Registry.Share("acme", "orders"); s.Revision != 2 || len(s.Fields) != 1 {
		t.Errorf("got revision %d with %d fields, want one change", s.Revision, len(s.Fields))
	}
}
