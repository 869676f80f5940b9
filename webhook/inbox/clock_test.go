package inbox_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sheetbridge/sheetbridge/webhook/inbox"
)

func TestClock(t *testing.T) {
	t.Parallel()
	in, js := open(t)
	hints := handed(t, in)
	must(t, in.SetClock(t.Context(), "r1", time.Hour))
	must(t, in.SetClock(t.Context(), "r1", time.Second)) // replaces the first
	want := &inbox.Hint{Registration: "r1", Why: inbox.WhyReconcile, Whole: true, Webhook: true, Clock: true}
	for range 2 {
		got := <-hints
		if got.ReceivedAt.IsZero() {
			t.Error("got no time at which the clock went off")
		}
		got.ReceivedAt = time.Time{}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("hint (-want +got):\n%s", diff)
		}
		must(t, in.SetClock(t.Context(), "r1", time.Second))
	}
	must(t, in.Forget(t.Context(), "r1"))
	empty(t, in, js)
}

// TestClockOfMerged: the clock that went off behind another hint is not lost.
func TestClockOfMerged(t *testing.T) {
	t.Parallel()
	h := rows(1)
	h.Merge(&inbox.Hint{Registration: "r1", Why: inbox.WhyReconcile, Clock: true})
	if !h.Clock {
		t.Error("the clock would not be set again")
	}
}

// TestCheckClock has the server refuse what is due, after which it never tries
// again, and sees that it comes nevertheless.
func TestCheckClock(t *testing.T) {
	t.Parallel()
	late := strings.Repeat("r", 400) // too large for the stream, by its name
	for name, c := range map[string]struct {
		put  func(in *inbox.Inbox) error
		rows int
	}{
		"clock": {func(in *inbox.Inbox) error { return in.SetClock(t.Context(), late, -time.Minute) }, 0},
		"later": {func(in *inbox.Inbox) error {
			h := rows(1)
			h.Registration = late
			return in.Later(t.Context(), h, time.Now().Add(-time.Minute))
		}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in, js := open(t)
			s, err := js.Stream(t.Context(), inbox.StreamName)
			must(t, err)
			cfg := s.CachedInfo().Config
			hints := handed(t, in)
			for {
				must(t, c.put(in))
				must(t, in.Later(t.Context(), rows(2), time.Now().Add(-time.Minute))) // small
				cfg.MaxMsgSize = 400
				_, err = js.UpdateStream(t.Context(), cfg)
				must(t, err)
				if h := <-hints; h.Registration == "r1" {
					break
				}
				cfg.MaxMsgSize = -1 // it went off before there was too little room
				_, err = js.UpdateStream(t.Context(), cfg)
				must(t, err)
				<-hints
			}
			cfg.MaxMsgSize = -1
			_, err = js.UpdateStream(t.Context(), cfg)
			must(t, err)
			if mended, err := in.CheckClock(t.Context(), late); err != nil || !mended {
				t.Fatalf("got %t and error %v, want it mended", mended, err)
			}
			if h := <-hints; h.Registration != late || len(h.Rows) != c.rows {
				t.Errorf("got %d rows of %s, want %d", len(h.Rows), h.Registration, c.rows)
			}
		})
	}
}

// TestCheckClockUnset: a clock that nobody has set is set, and one that is set
// or is being handled is left alone.
func TestCheckClockUnset(t *testing.T) {
	t.Parallel()
	in, _ := open(t)
	check := func(want bool) {
		t.Helper()
		if mended, err := in.CheckClock(t.Context(), "r1"); err != nil || mended != want {
			t.Errorf("got %t and error %v, want %t", mended, err, want)
		}
	}
	must(t, in.Put(t.Context(), rows(1)))
	check(false)
	must(t, in.Forget(t.Context(), "r1"))
	check(true)
	check(false)
	if h := <-handed(t, in); !h.Clock || !h.Whole {
		t.Errorf("got %+v, want the clock's hint at once", h)
	}
}
