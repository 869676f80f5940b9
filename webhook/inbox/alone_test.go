package inbox_test

import (
	"context"
	"errors"
	"testing"

	"github.com/sheetbridge/sheetbridge/webhook/inbox"
)

// TestAlone: a process learns that another one is at work on a hint, whoever has
// hints of its own, and that a hint which it is handed may be with another too.
func TestAlone(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, q *queue) {
		alone := func(in *inbox.Inbox) bool {
			t.Helper()
			is, err := in.Alone(t.Context())
			must(t, err)
			return is
		}
		other := q.another(t, inbox.Options{})
		started, end := make(chan bool, 1), make(chan struct{})
		stop := work(t, q.Inbox, func(_ context.Context, h *inbox.Hint) error {
			started <- h.Again
			<-end
			return nil
		})
		q.hasConsumer(t)
		must(t, q.Put(t.Context(), rows(1)))
		if <-started {
			t.Error("a hint that nobody had says that it was handed out before")
		}
		if !alone(q.Inbox) || alone(other) {
			t.Errorf("got alone %t at the one that works, %t at the other", alone(q.Inbox), alone(other))
		}
		must(t, q.stream(t).DeleteConsumer(t.Context(), "relay"))
		hints := handed(t, other)
		if !(<-hints).Again {
			t.Error("a hint that is with another process does not say so")
		}
		close(end)
		stop()
		q.empty(t)
		eventually(t, func() error {
			if !alone(q.Inbox) || !alone(other) {
				return errors.New("nobody works, and somebody is not alone")
			}
			return nil
		})
		single := q.another(t, inbox.Options{SingleReplica: true})
		if !alone(single) {
			t.Error("the only process is not alone")
		}
	})
}

// hasConsumer returns when there is somebody to hand hints to.
func (q *queue) hasConsumer(t testing.TB) {
	t.Helper()
	eventually(t, func() error {
		_, err := q.stream(t).Consumer(t.Context(), "relay")
		return err
	})
}
