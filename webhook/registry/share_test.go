package registry_test

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/events/eventstest"
	"github.com/sheetbridge/sheetbridge/webhook/registry"
)

// sharesOf are shares of a registration for acme with these names, not stored.
func sharesOf(registration string, names ...string) []*registry.Share {
	var list []*registry.Share
	for _, name := range names {
		list = append(list, &registry.Share{
			Share: events.Share{Partner: "acme", Sheet: name, Revision: 1}, Registration: registration, CreatedAt: time.Now().UTC(),
		})
	}
	return list
}

// stored are the keys of the shares in the bucket, as a replica that starts now
// finds them, and whose they are.
func stored(t *testing.T, s *store) map[string]string {
	t.Helper()
	r, stop := replica(t, s)
	defer stop()
	list := map[string]string{}
	for _, s := range r.AllShares() {
		list[s.Key()] = s.Registration
	}
	return list
}

func TestCreateShares(t *testing.T) { everywhere(t, createShares) }

func createShares(t *testing.T, s *store) {
	a, b := loaded(t, s), loaded(t, s)
	ctx := t.Context()
	is := func(doing string, want map[string]string) {
		t.Helper()
		if diff := cmp.Diff(want, stored(t, s)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", doing, diff)
		}
	}
	taken := func(doing string, err error, sheet string, ending bool) {
		t.Helper()
		var taken *registry.TakenError
		if !errors.As(err, &taken) || taken.Sheet != sheet || taken.By.Registration != "one" || taken.By.Ending != ending {
			t.Errorf("%s: got error %v, want that %s is taken", doing, err, sheet)
		}
	}
	must(t, a.CreateShares(ctx, sharesOf("one", "orders", "lines")))
	eventstest.Await(t, "the registry has heard of it", func() bool { return len(b.AllShares()) == 2 })
	both := map[string]string{"acme/orders": "one", "acme/lines": "one"}

	taken("known here", b.CreateShares(ctx, sharesOf("two", "stock", "orders")), "orders", false)
	is("known here", both)
	blind, stop := replica(t, s)
	stop()
	must(t, a.CreateShares(ctx, sharesOf("one", "late")))
	both["acme/late"] = "one"
	taken("not known here", blind.CreateShares(ctx, sharesOf("two", "stock", "late", "store")), "late", false)
	is("not known here", both)
	taken("twice", a.CreateShares(ctx, sharesOf("one", "late")), "late", false)

	_, err := a.UpdateShare(ctx, "acme", "orders", func(s *registry.Share) error { s.Ending = true; return nil })
	must(t, err)
	taken("it is ending", b.CreateShares(ctx, sharesOf("two", "orders")), "orders", true)
	must(t, a.DeleteShare(ctx, a.Share("acme", "orders")))
	must(t, b.CreateShares(ctx, sharesOf("two", "orders"))) // b may not know yet that it is gone
	must(t, b.DeleteShare(ctx, b.Share("acme", "orders")))
	must(t, blind.CreateShares(ctx, sharesOf("three", "orders")))
	both["acme/orders"] = "three"
	is("it was ended", both)
}

// TestOneNameForOne has replicas make and remove shares under one name at once:
// there is one at a time, and who was told that it has the name has it.
func TestOneNameForOne(t *testing.T) { everywhere(t, oneNameForOne) }

func oneNameForOne(t *testing.T, s *store) {
	replicas := []*registry.Registry{loaded(t, s), loaded(t, s), loaded(t, s)}
	for n := range 20 {
		name := fmt.Sprint("orders-", n)
		var won atomic.Int32
		var all sync.WaitGroup
		for i, r := range replicas {
			all.Go(func() {
				mine := fmt.Sprint("registration-", i)
				err := r.CreateShares(t.Context(), sharesOf(mine, fmt.Sprint("beside-", n, "-", i), name))
				var taken *registry.TakenError
				switch {
				case err == nil:
					won.Add(1)
					if got, err := r.FreshShare(t.Context(), "acme", name); err != nil || got.Registration != mine {
						t.Errorf("got %v and error %v, want %s to have the name that it was told it has", got, err, mine)
					}
				case !errors.As(err, &taken) || taken.Sheet != name:
					t.Errorf("got error %v, want that %s is taken", err, name)
				}
			})
		}
		all.Wait()
		if won.Load() != 1 {
			t.Fatalf("%d registrations were told that they have the name, want 1", won.Load())
		}
	}
	if got := stored(t, s); len(got) != 2*20 {
		t.Errorf("got %d shares, want those of the winners alone: %v", len(got), got)
	}
}

func TestSharesByRegistration(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	a, b := loaded(t, s), loaded(t, s)
	must(t, a.CreateShares(t.Context(), sharesOf("one", "b", "c", "a")))
	other := sharesOf("one", "a")
	other[0].Partner = "ac"
	must(t, a.CreateShares(t.Context(), other))
	must(t, a.CreateShares(t.Context(), sharesOf("two", "d")))
	held := a.Shares("one")
	must(t, a.DeleteShare(t.Context(), a.Share("acme", "b")))
	_, err := a.UpdateShare(t.Context(), "acme", "c", func(s *registry.Share) error { s.Revision = 2; return nil })
	must(t, err)
	keys := func(shares []*registry.Share) (list []string) {
		for _, s := range shares {
			list = append(list, fmt.Sprint(s.Key(), " ", s.Revision))
		}
		return list
	}
	want := []string{"ac/a 1", "acme/a 1", "acme/c 2"}
	if diff := cmp.Diff(want, keys(a.Shares("one"))); diff != "" {
		t.Errorf("of one registration (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"ac/a 1", "acme/a 1", "acme/b 1", "acme/c 1"}, keys(held)); diff != "" {
		t.Errorf("a list that was taken before has changed (-want +got):\n%s", diff)
	}
	eventstest.Await(t, "the registry has heard of it", func() bool { return cmp.Equal(want, keys(b.Shares("one"))) })
	if diff := cmp.Diff(append(want, "acme/d 1"), keys(b.AllShares())); diff != "" {
		t.Errorf("all (-want +got):\n%s", diff)
	}
	if got := b.Shares("three"); len(got) != 0 {
		t.Errorf("got %v of a registration without shares", keys(got))
	}
}

// TestShareAsItWasRead: a process that read a share before it was changed, or was made
// again under its name, cannot remove it.
func TestShareAsItWasRead(t *testing.T) { everywhere(t, shareAsItWasRead) }

func shareAsItWasRead(t *testing.T, s *store) {
	r := loaded(t, s)
	ctx := t.Context()
	must(t, r.CreateShares(ctx, sharesOf("one", "orders")))
	first := r.Share("acme", "orders")
	changed, err := r.UpdateShare(ctx, "acme", "orders", func(s *registry.Share) error { s.Resend = 7; return nil })
	must(t, err)
	if fresh, err := r.FreshShare(ctx, "acme", "orders"); err != nil || fresh.RecordRevision != changed.RecordRevision || fresh.Resend != 7 || !fresh.SameAs(first) {
		t.Errorf("got %+v and error %v, want the share as it was changed", fresh, err)
	}
	if err := r.DeleteShare(ctx, first); !errors.Is(err, registry.ErrConflict) {
		t.Errorf("as it was before: got error %v, want ErrConflict", err)
	}
	must(t, r.DeleteShare(ctx, changed))
	if _, err := r.FreshShare(ctx, "acme", "orders"); !errors.Is(err, registry.ErrNotFound) {
		t.Errorf("got error %v, want ErrNotFound", err)
	}
	must(t, r.CreateShares(ctx, sharesOf("one", "orders")))
	if err := r.DeleteShare(ctx, changed); !errors.Is(err, registry.ErrConflict) {
		t.Errorf("as the one before: got error %v, want ErrConflict", err)
	}
	if again := r.Share("acme", "orders"); again == nil || again.SameAs(changed) {
		t.Errorf("got %+v, want the one that was made again, and another", again)
	}
	if _, err := r.UpdateShare(ctx, "acme", "none", func(*registry.Share) error { return nil }); !errors.Is(err, registry.ErrNotFound) {
		t.Errorf("no such share: got error %v, want ErrNotFound", err)
	}
}
