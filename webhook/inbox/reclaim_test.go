package inbox_test

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/sheetbridge/sheetbridge/webhook/inbox"
)

func TestReclaim(t *testing.T) {
	t.Parallel()
	in, js := open(t)
	handled := make(chan *inbox.Hint, 10)
	note := func(_ context.Context, h *inbox.Hint) error { handled <- h; return nil }
	stop := work(t, in, note)
	must(t, in.Put(t.Context(), rows(1)))
	<-handled
	stop()

	// A worker takes a hint, and is never heard of again.
	must(t, in.Put(t.Context(), rows(2, 3)))
	held, err := js.Stream(t.Context(), inbox.StreamName)
	must(t, err)
	var holder string
	for name := range held.ConsumerNames(t.Context()).Name() {
		c, err := held.Consumer(t.Context(), name)
		must(t, err)
		if c.CachedInfo().NumPending > 0 {
			_, err := c.Next()
			must(t, err)
			holder = name
		}
	}
	must(t, in.Reclaim(t.Context()))
	if _, err := held.Consumer(t.Context(), holder); !errors.Is(err, jetstream.ErrConsumerNotFound) {
		t.Errorf("got %v, want nobody to hold the hint", err)
	}
	work(t, in, note)
	got := <-handled
	if diff := cmp.Diff(rows(2, 3).Rows, got.Rows); diff != "" {
		t.Errorf("rows of the hint (-want +got):\n%s", diff)
	}
	empty(t, in, js)
}
