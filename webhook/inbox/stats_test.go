package inbox_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sheetbridge/sheetbridge/events/eventstest"
	"github.com/sheetbridge/sheetbridge/webhook/inbox"
)

func TestStats(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, q *queue) {
		must(t, q.Put(t.Context(), rows(1)))
		must(t, q.Put(t.Context(), of("r2", rows(2))))
		must(t, q.Put(t.Context(), rows(2)))
		must(t, q.Defer(t.Context(), rows(3), inAnHour()))
		must(t, q.Defer(t.Context(), about(rows(3), "acme/orders"), inAnHour()))
		must(t, q.ScheduleReconciles(t.Context(), "r3", hour))
		must(t, q.GiveUp(t.Context(), rows(4), "it failed"))
		eventstest.AwaitNil(t, time.Minute, "the queue", func() error { // a copy may be a moment behind
			got, err := q.Stats(t.Context())
			must(t, err)
			if got.Oldest.IsZero() || time.Since(got.Oldest) > hour {
				return fmt.Errorf("got %v as the time of the oldest hint", got.Oldest)
			}
			got.Oldest = time.Time{}
			if diff := cmp.Diff(inbox.Stats{Waiting: 3, Deferred: 2, Dead: 1}, got); diff != "" {
				return fmt.Errorf("stats (-want +got):\n%s", diff)
			}
			backlog, err := q.Backlog(t.Context())
			must(t, err)
			if diff := cmp.Diff(map[string]int{"r1": 2, "r2": 1}, backlog); diff != "" {
				return fmt.Errorf("backlog (-want +got):\n%s", diff)
			}
			return nil
		})
		must(t, q.Answers(t.Context()))
	})
}

// TestBacklogOfMany: a long queue is counted in several answers.
func TestBacklogOfMany(t *testing.T) {
	t.Parallel()
	q := newQueue(t, 1, inbox.Options{})
	const hints = 300
	for i := range int64(hints) {
		must(t, q.Put(t.Context(), rows(i+1)))
	}
	backlog, err := q.Backlog(t.Context())
	must(t, err)
	if diff := cmp.Diff(map[string]int{"r1": hints}, backlog); diff != "" {
		t.Errorf("backlog (-want +got):\n%s", diff)
	}
}

func TestDead(t *testing.T) {
	t.Parallel()
	q := newQueue(t, 1, inbox.Options{})
	for i := range int64(3) {
		h := rows(i + 1)
		h.Attempt = 12
		must(t, q.GiveUp(t.Context(), h, "it failed"))
	}
	dead, err := q.Dead(t.Context(), 2)
	must(t, err)
	if len(dead) != 2 || dead[0].ID != "3" || dead[1].ID != "2" || dead[0].Reason != "it failed" || dead[0].At.IsZero() {
		t.Fatalf("got %+v, want the two newest, newest first", dead)
	}
	must(t, q.Retry(t.Context(), "2"))
	h := <-handed(t, q.Inbox)
	if _, ok := h.Rows[2]; !ok || h.Attempt != 0 {
		t.Errorf("got %+v, want the second hint with no attempts", h)
	}
	for _, id := range []string{"2", "0", "-1", "x", "99", "18446744073709551615"} {
		if err := q.Retry(t.Context(), id); !errors.Is(err, inbox.ErrNotFound) {
			t.Errorf("sending %s again: got error %v, want ErrNotFound", id, err)
		}
	}
	if dead, err = q.Dead(t.Context(), 10); err != nil || len(dead) != 2 {
		t.Errorf("got %d dead hints and error %v, want 2", len(dead), err)
	}
}
