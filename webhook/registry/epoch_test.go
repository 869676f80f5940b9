package registry_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sheetbridge/sheetbridge/webhook/registry"
)

func TestEpoch(t *testing.T) {
	t.Parallel()
	r := loaded(t, newStore(t))
	made := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	epoch := func(s registry.Sighting) string {
		t.Helper()
		e, err := r.Epoch(t.Context(), "acme", func(context.Context) (registry.Sighting, error) { return s, nil })
		must(t, err)
		return e
	}
	first := epoch(registry.Sighting{Created: made, Sequence: 10, Store: "a"})
	for _, tt := range []struct {
		name string
		seen registry.Sighting
		same bool
	}{
		{"nothing happened", registry.Sighting{Created: made, Sequence: 10, Store: "a"}, true},
		{"published", registry.Sighting{Created: made, Sequence: 11, Store: "a"}, true},
		{"the sequence fell", registry.Sighting{Created: made, Sequence: 9, Store: "a"}, false},
		{"the stream was made again", registry.Sighting{Created: made.Add(time.Second), Sequence: 20, Store: "a"}, false},
		{"the store is a copy", registry.Sighting{Created: made.Add(time.Second), Sequence: 20, Store: "b"}, false},
	} {
		if got := epoch(tt.seen); (got == first) != tt.same {
			t.Errorf("%s: got epoch %s after %s, want the same: %v", tt.name, got, first, tt.same)
		} else {
			first = got
		}
	}
	must(t, r.ForgetEpoch(t.Context(), "acme"))
	if got := epoch(registry.Sighting{Created: made.Add(time.Second), Sequence: 20, Store: "b"}); got == first {
		t.Error("got the epoch of a stream that was forgotten")
	}
}

// TestEpochOfALivelyStream has as many workers look at a stream that grows as
// there may be: none may believe that its sequence fell because another one
// looked later, nor give up since others write.
func TestEpochOfALivelyStream(t *testing.T) {
	t.Parallel()
	r := loaded(t, newStore(t))
	var sequence atomic.Uint64
	look := func(context.Context) (registry.Sighting, error) {
		return registry.Sighting{Sequence: sequence.Add(1)}, nil
	}
	want, err := r.Epoch(t.Context(), "acme", look)
	must(t, err)
	var workers sync.WaitGroup
	for range 32 {
		workers.Go(func() {
			for range 8 {
				if got, err := r.Epoch(t.Context(), "acme", look); err != nil || got != want {
					t.Errorf("got epoch %s and error %v, want %s", got, err, want)
				}
			}
		})
	}
	workers.Wait()
}
