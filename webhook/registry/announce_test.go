package registry_test

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/webhook/registry"
)

// TestShareNotes: whatever changes what a partner may see is said before it is
// stored, and once.
func TestShareNotes(t *testing.T) {
	t.Parallel()
	r := loaded(t, newStore(t))
	ctx := t.Context()
	reg := registered(t, r, 7)
	var notes []string
	r.OnChange = func(_ context.Context, n registry.Change) error {
		details := n.Details.(map[string]any)
		if details["webhook"] != reg.ID || details["owner"] != "ops" {
			t.Errorf("%s: got details %v, want the registration and its owner", n.What, details)
		}
		notes = append(notes, n.What+" "+n.On)
		return nil
	}
	update := func(change func(*registry.Share)) {
		t.Helper()
		_, err := r.UpdateShare(ctx, "acme", "orders", func(s *registry.Share) error { change(s); return nil })
		must(t, err)
	}
	must(t, r.CreateShares(ctx, sharesOf(reg.ID, "orders")))
	update(func(s *registry.Share) { s.Fields, s.Revision = []events.Field{{Name: "no", ColumnID: 1}}, 2 })
	update(func(s *registry.Share) { d := s.Share; s.Published = &d }) // nothing that anybody sees
	update(func(s *registry.Share) { s.Revision, s.Resend = 3, 3 })
	update(func(s *registry.Share) { s.Ending = true })
	must(t, r.DeleteShare(ctx, r.Share("acme", "orders")))
	must(t, r.CreateShares(ctx, sharesOf(reg.ID, "orders")))
	must(t, r.DeleteShare(ctx, r.Share("acme", "orders")))
	want := []string{
		"share added acme/orders", "share changed acme/orders", "share sent again acme/orders", "share ended acme/orders",
		"share added acme/orders", "share removed acme/orders",
	}
	if diff := cmp.Diff(want, notes); diff != "" {
		t.Errorf("notes (-want +got):\n%s", diff)
	}
	full := errors.New("the log is full")
	r.OnChange = func(context.Context, registry.Change) error { return full }
	if err := r.CreateShares(ctx, sharesOf(reg.ID, "orders")); !errors.Is(err, full) || r.Share("acme", "orders") != nil {
		t.Errorf("got error %v and share %v, want nothing made that is not said", err, r.Share("acme", "orders"))
	}
}
