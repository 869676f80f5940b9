package registry_test

import (
	"encoding/json"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/webhook/registry"
)

// named is a registration of a sheet, not stored, with shares of these names for acme.
func named(t *testing.T, r *registry.Registry, sheet int64, names ...string) *registry.Registration {
	t.Helper()
	reg, err := r.NewRegistration("ops", sheet)
	must(t, err)
	reg.Shares = sharesOf(names...)
	return reg
}

func sharesOf(names ...string) []registry.Share {
	var list []registry.Share
	for _, name := range names {
		list = append(list, registry.Share{Share: events.Share{Partner: "acme", Sheet: name}})
	}
	return list
}

func reshare(names ...string) func(*registry.Registration) error {
	return func(reg *registry.Registration) error {
		reg.Shares = sharesOf(names...)
		return nil
	}
}

// claimed are the names in the bucket and whose they are.
func claimed(t *testing.T, s *store) map[string]string {
	t.Helper()
	kv := bucket(t, s)
	keys, err := kv.ListKeysFiltered(t.Context(), "name.>")
	must(t, err)
	list := map[string]string{}
	for key := range keys.Keys() {
		e, err := kv.Get(t.Context(), key)
		must(t, err)
		var c struct{ Registration string }
		must(t, json.Unmarshal(e.Value(), &c))
		list[key] = c.Registration
	}
	return list
}

func TestNames(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	a, b := loaded(t, s), loaded(t, s)
	one, two := named(t, a, 1, "orders", "lines"), named(t, b, 2, "stock", "orders")
	is := func(doing string, want map[string]string) {
		t.Helper()
		if diff := cmp.Diff(want, claimed(t, s)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", doing, diff)
		}
	}
	must(t, a.CreateRegistration(t.Context(), one))
	var taken *registry.TakenError
	if err := b.CreateRegistration(t.Context(), two); !errors.As(err, &taken) || taken.Sheet != "orders" || taken.Passing {
		t.Errorf("a name of another sheet: got error %v, want that it is taken", err)
	}
	is("refused", map[string]string{"name.acme.orders": one.ID, "name.acme.lines": one.ID})
	if err := a.CreateRegistration(t.Context(), one); !errors.Is(err, registry.ErrExists) {
		t.Errorf("the same sheet again: got error %v, want ErrExists", err)
	}
	is("again", map[string]string{"name.acme.orders": one.ID, "name.acme.lines": one.ID})
	_, err := a.UpdateRegistration(t.Context(), one.ID, reshare("lines", "more"))
	must(t, err)
	is("changed", map[string]string{"name.acme.more": one.ID, "name.acme.lines": one.ID})
	must(t, b.CreateRegistration(t.Context(), two))
	if _, err := a.UpdateRegistration(t.Context(), one.ID, reshare("lines", "new", "stock")); !errors.As(err, &taken) || taken.Sheet != "stock" {
		t.Errorf("a share more: got error %v, want that its name is taken", err)
	}
	is("a share more", map[string]string{"name.acme.more": one.ID, "name.acme.lines": one.ID, "name.acme.stock": two.ID, "name.acme.orders": two.ID})
	until(t, a, func() bool { return a.Registration(two.ID) != nil })
	must(t, a.DeleteRegistration(t.Context(), a.Registration(one.ID)))
	must(t, a.DeleteRegistration(t.Context(), a.Registration(two.ID)))
	is("deleted", map[string]string{})
}

// TestNamesAtOnce has two replicas add and drop one share of one registration
// and a third one want its name: whoever has the share holds the name.
func TestNamesAtOnce(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	a, b, c := loaded(t, s), loaded(t, s), loaded(t, s)
	one, two := named(t, a, 1), named(t, c, 2)
	must(t, a.CreateRegistration(t.Context(), one))
	must(t, c.CreateRegistration(t.Context(), two))
	for range 25 {
		var wg sync.WaitGroup
		change := func(r *registry.Registry, id string, names ...string) {
			wg.Go(func() {
				var taken *registry.TakenError
				if _, err := r.UpdateRegistration(t.Context(), id, reshare(names...)); err != nil && !errors.As(err, &taken) {
					t.Error(err)
				}
			})
		}
		change(a, one.ID, "orders")
		change(b, one.ID)
		change(c, two.ID, "orders")
		change(c, two.ID)
		wg.Wait()
		of, err := a.FreshRegistration(t.Context(), one.ID)
		must(t, err)
		other, err := a.FreshRegistration(t.Context(), two.ID)
		must(t, err)
		if len(of.Shares)+len(other.Shares) > 1 {
			t.Fatal("two sheets have one name")
		}
		for _, reg := range []*registry.Registration{of, other} {
			if holder := claimed(t, s)["name.acme.orders"]; len(reg.Shares) == 1 && holder != reg.ID {
				t.Fatalf("got %q as who holds the name, want %s, whose share has it", holder, reg.ID)
			}
		}
	}
}

func TestNamesHeldForNothing(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		age   time.Duration
		alone bool
		free  bool
	}{
		"just claimed":                {0, false, false},
		"given up":                    {registry.ClaimTime, false, true},
		"claimed before we were here": {time.Minute, true, true},
		"another may be at work":      {time.Minute, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStore(t)
			loaded(t, s)
			dead := registry.RegistrationID("ops", 1)
			text, err := json.Marshal(map[string]any{"registration": dead, "at": time.Now().Add(-tt.age)})
			must(t, err)
			_, err = bucket(t, s).Put(t.Context(), "name.acme.orders", text)
			must(t, err)
			r := loaded(t, s)
			if !tt.alone {
				err := r.CreateRegistration(t.Context(), named(t, r, 2, "orders"))
				var taken *registry.TakenError
				if tt.free && err != nil || !tt.free && (!errors.As(err, &taken) || !taken.Passing) {
					t.Errorf("got error %v for the name, want it free: %v", err, tt.free)
				}
				return
			}
			_, err = r.TidyNames(t.Context(), tt.alone)
			must(t, err)
			if got := len(claimed(t, s)) == 0; got != tt.free {
				t.Errorf("got the name given back %v, want %v", got, tt.free)
			}
		})
	}
}

// TestNamesOfOldShares: shares that were made before names were claimed.
func TestNamesOfOldShares(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	r := loaded(t, s)
	kv := bucket(t, s)
	one, two := named(t, r, 1, "orders"), named(t, r, 2, "orders", "lines")
	for _, reg := range []*registry.Registration{one, two} {
		text, err := json.Marshal(reg)
		must(t, err)
		_, err = kv.Put(t.Context(), "webhook."+reg.ID, text)
		must(t, err)
	}
	until(t, r, func() bool { return len(r.Registrations()) == 2 })
	for range 2 {
		twice, err := r.TidyNames(t.Context(), true)
		must(t, err)
		if len(twice) != 1 || twice[0].Sheet != "orders" {
			t.Errorf("got %v, want that two sheets have one name", twice)
		}
	}
	first := r.Registrations()[0].ID
	if diff := cmp.Diff(map[string]string{"name.acme.orders": first, "name.acme.lines": two.ID}, claimed(t, s)); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
}
