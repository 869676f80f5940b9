package inbox_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/sheetbridge/sheetbridge/webhook/inbox"
)

// TestOneAtATime has a replica work on few registrations that hints keep coming
// for, and another take over.
func TestOneAtATime(t *testing.T) {
	t.Parallel()
	onEachLong(t, func(t *testing.T, q *queue) {
		var mu sync.Mutex
		busy, seen := map[string]bool{}, map[string]int64{}
		failures := 0
		handle := func(_ context.Context, h *inbox.Hint) error {
			mu.Lock()
			if busy[h.Registration] {
				t.Errorf("two work on %s at once", h.Registration)
			}
			busy[h.Registration] = true
			mu.Unlock()
			defer func() {
				mu.Lock()
				busy[h.Registration] = false
				mu.Unlock()
			}()
			mu.Lock()
			defer mu.Unlock()
			for id := range h.Rows {
				seen[h.Registration] = max(seen[h.Registration], id)
			}
			if failures++; failures%7 == 6 {
				return errors.New("it fails now and then")
			}
			return nil
		}
		stop := work(t, q.Inbox, handle)
		const hints = 40
		for i := range int64(hints) {
			for _, id := range []string{"r1", "r2", "r3"} {
				must(t, q.Put(t.Context(), of(id, rows(i+1))))
			}
			if i == hints/2 {
				stop() // one replica goes, and another comes
				work(t, q.another(t, inbox.Options{}), handle)
			}
		}
		q.empty(t)
		mu.Lock()
		defer mu.Unlock()
		if diff := cmp.Diff(map[string]int64{"r1": hints, "r2": hints, "r3": hints}, seen); diff != "" {
			t.Errorf("last rows that were worked on (-want +got):\n%s", diff)
		}
	})
}

func TestBacklogIsOnePass(t *testing.T) {
	t.Parallel()
	onEachLong(t, func(t *testing.T, q *queue) {
		for i := range int64(50) {
			must(t, q.Put(t.Context(), rows(i+1)))
		}
		handled := make(chan int, 10)
		during := make(chan struct{})
		var first sync.Once
		all := map[int64]bool{}
		arrived := make(chan struct{})
		work(t, q.Inbox, func(ctx context.Context, h *inbox.Hint) error {
			if h.Registration == "last" {
				close(arrived)
				return nil
			}
			first.Do(func() { // more come in while it works, and are the next pass
				for i := range int64(50) {
					if err := q.Put(ctx, rows(i+100)); err != nil {
						t.Error(err)
					}
				}
				if err := q.Put(ctx, of("last", rows(1))); err != nil {
					t.Error(err)
				}
				<-arrived // and so have those before it
				close(during)
			})
			for id := range h.Rows {
				all[id] = true
			}
			handled <- len(h.Rows)
			return nil
		})
		<-during
		q.empty(t)
		if n := len(handled); n != 2 || len(all) != 100 {
			t.Errorf("got %d passes over %d rows, want 2 over 100", n, len(all))
		}
		// Nothing is blocked: the next ones come too.
		for range len(handled) {
			<-handled
		}
		must(t, q.Put(t.Context(), rows(1)))
		if n := <-handled; n != 1 {
			t.Errorf("got %d rows, want 1", n)
		}
		q.empty(t)
	})
}

func TestErrorBringsTheHintAgain(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, q *queue) {
		handled := make(chan *inbox.Hint, 10)
		tries := 0
		work(t, q.Inbox, func(ctx context.Context, h *inbox.Hint) error {
			handled <- h
			if tries++; tries > 1 {
				return nil
			}
			if err := q.Put(ctx, rows(3)); err != nil {
				t.Error(err)
			}
			h.Rows, h.Attempt = nil, 7 // what the worker does with it is its own
			return errors.New("not now")
		})
		must(t, q.Put(t.Context(), rows(1, 2)))
		<-handled
		want := rows(1, 2, 3)
		if diff := cmp.Diff(want, <-handled); diff != "" {
			t.Errorf("the hint that comes again, with what came in (-want +got):\n%s", diff)
		}
		q.empty(t)
	})
}

// TestTooEarly has a worker wait for a hint that says more: it is handed both together,
// and nobody is warned, since nothing has failed.
func TestTooEarly(t *testing.T) {
	t.Parallel()
	q := newQueue(t, 1, inbox.Options{})
	var log bytes.Buffer
	handled := make(chan *inbox.Hint, 1)
	early := true
	stop := workers(t, q.Inbox, inbox.Workers{
		Log: slog.New(slog.NewTextHandler(&log, nil)),
		Pass: func(ctx context.Context, h *inbox.Hint) error {
			if !early {
				handled <- h
				return nil
			}
			early = false
			if err := q.Put(ctx, rows(3)); err != nil {
				t.Error(err)
			}
			return fmt.Errorf("row 1: %w", &inbox.TooEarlyError{Rest: rows(1)})
		},
	})
	must(t, q.Put(t.Context(), rows(1, 2)))
	if diff := cmp.Diff(rows(1, 3), <-handled); diff != "" {
		t.Errorf("the rest of the hint with what was awaited (-want +got):\n%s", diff)
	}
	stop()
	if log.Len() > 0 {
		t.Errorf("logged:\n%s", &log)
	}
	q.empty(t)
}

func TestStoppedInTheMiddle(t *testing.T) {
	t.Parallel()
	onEachLong(t, func(t *testing.T, q *queue) {
		started := make(chan struct{})
		stop := work(t, q.Inbox, func(ctx context.Context, _ *inbox.Hint) error {
			close(started)
			<-ctx.Done()
			return ctx.Err()
		})
		must(t, q.Put(t.Context(), rows(1)))
		<-started
		must(t, q.Put(t.Context(), rows(2)))
		stop()
		all := map[int64]inbox.Row{}
		hints := handed(t, q.another(t, inbox.Options{})) // at once, though the consumer goes on
		for len(all) < 2 {
			for id := range (<-hints).Rows {
				all[id] = inbox.Row{}
			}
		}
		if diff := cmp.Diff(rows(1, 2).Rows, all); diff != "" {
			t.Errorf("rows (-want +got):\n%s", diff)
		}
		q.empty(t)
	})
}

// TestKilledInTheMiddle: a worker takes bundles, has done half of their hints,
// and is never heard of again. All of them are handed out again, at once where
// it was the only one.
func TestKilledInTheMiddle(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, q *queue) {
		putTogether(t, q, "r1", "r2", "r3", "r4")
		held, err := q.stream(t).CreateOrUpdateConsumer(t.Context(), jetstream.ConsumerConfig{
			Durable: "relay", FilterSubject: "inbox.>", AckPolicy: jetstream.AckExplicitPolicy, MemoryStorage: true,
		})
		must(t, err)
		for range q.stream(t).CachedInfo().State.Msgs {
			_, err := held.Next()
			must(t, err)
		}
		hints := handed(t, q.another(t, inbox.Options{SingleReplica: true}))
		got := map[string]bool{}
		for len(got) < 4 {
			got[(<-hints).Registration] = true
		}
		q.empty(t)
	})
}

// putTogether puts one hint for each registration, most of them in one message.
func putTogether(t testing.TB, q *queue, registrations ...string) {
	t.Helper()
	var wg sync.WaitGroup
	for _, r := range registrations {
		wg.Go(func() {
			if err := q.Put(t.Context(), of(r, rows(1))); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

func TestForget(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, q *queue) {
		must(t, q.ScheduleReconciles(t.Context(), "r1", hour))
		must(t, q.Defer(t.Context(), rows(1), inAnHour()))
		must(t, q.Put(t.Context(), rows(2)))
		must(t, q.ScheduleReconciles(t.Context(), "r2", hour))
		forgotten := make(chan error, 1)
		work(t, q.Inbox, func(ctx context.Context, h *inbox.Hint) error { // forgotten while it is worked on, as at its end
			err := q.Forget(ctx, h.Registration)
			forgotten <- err
			return err
		})
		must(t, <-forgotten)
		q.empty(t)
		info, err := q.stream(t).Info(t.Context(), jetstream.WithSubjectFilter(">"))
		must(t, err)
		if diff := cmp.Diff(map[string]uint64{"timer.r2": 1}, info.State.Subjects); diff != "" {
			t.Errorf("left (-want +got):\n%s", diff)
		}
	})
}
