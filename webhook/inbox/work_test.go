package inbox_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/sheetbridge/sheetbridge/events/broker"
	"github.com/sheetbridge/sheetbridge/events/seal"
	"github.com/sheetbridge/sheetbridge/webhook/inbox"
)

var quiet = slog.New(slog.DiscardHandler)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// open opens an inbox on a server of its own.
func open(t *testing.T) (*inbox.Inbox, jetstream.JetStream) {
	t.Helper()
	b, err := broker.Start(t.Context(), broker.Options{Dir: t.TempDir(), Master: seal.NewMasterKey(), Listen: "127.0.0.1:0"})
	must(t, err)
	t.Cleanup(func() { must(t, b.Close(context.WithoutCancel(t.Context()))) })
	in, err := inbox.Open(t.Context(), b.Bridge(), 1)
	must(t, err)
	js, err := jetstream.New(b.Bridge())
	must(t, err)
	return in, js
}

// work runs one replica until stop is called.
func work(t *testing.T, in *inbox.Inbox, handle inbox.Handler) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan struct{})
	go func() { _ = in.Work(ctx, quiet, handle); close(done) }()
	stop = sync.OnceFunc(func() { cancel(); <-done })
	t.Cleanup(stop)
	return stop
}

func rows(ids ...int64) *inbox.Hint {
	h := &inbox.Hint{Registration: "r1", Why: inbox.WhyCallback, Rows: map[int64]inbox.Row{}, ReceivedAt: noon}
	for _, id := range ids {
		h.Rows[id] = inbox.Row{}
	}
	return h
}

// empty fails if anything is left in the queue, and if the consumers believe
// that something is.
func empty(t *testing.T, in *inbox.Inbox, js jetstream.JetStream) {
	t.Helper()
	must(t, in.Idle(t.Context()))
	s, err := js.Stream(t.Context(), inbox.StreamName)
	must(t, err)
	for info := range s.ListConsumers(t.Context()).Info() {
		if info.NumPending != 0 || info.NumAckPending != 0 {
			t.Errorf("consumer %s: %d wait and %d are worked on, want none", info.Name, info.NumPending, info.NumAckPending)
		}
	}
}

// TestOneAtATime has two replicas work on few registrations that are told of
// all the time.
func TestOneAtATime(t *testing.T) {
	t.Parallel()
	in, js := open(t)
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
		low, high := int64(1<<60), int64(0)
		for id := range h.Rows {
			low, high = min(low, id), max(high, id)
		}
		if low > seen[h.Registration]+1 {
			t.Errorf("%s: row %d came before %d", h.Registration, low, seen[h.Registration]+1)
		}
		if failures%7 == 6 {
			failures++
			return errors.New("it fails now and then")
		}
		failures++
		seen[h.Registration] = max(seen[h.Registration], high)
		return nil
	}
	stop := work(t, in, handle)
	work(t, in, handle)
	const hints = 40
	for i := range int64(hints) {
		for _, id := range []string{"r1", "r2", "r3"} {
			h := rows(i + 1)
			h.Registration = id
			must(t, in.Put(t.Context(), h))
		}
		if i == hints/2 {
			stop() // one replica goes
		}
	}
	empty(t, in, js)
	mu.Lock()
	defer mu.Unlock()
	if diff := cmp.Diff(map[string]int64{"r1": hints, "r2": hints, "r3": hints}, seen); diff != "" {
		t.Errorf("last rows that were worked on (-want +got):\n%s", diff)
	}
}

func TestBacklogIsOnePass(t *testing.T) {
	t.Parallel()
	in, js := open(t)
	for i := range int64(50) {
		must(t, in.Put(t.Context(), rows(i+1)))
	}
	handled := make(chan int, 10)
	during := make(chan struct{})
	work(t, in, func(ctx context.Context, h *inbox.Hint) error {
		if len(h.Rows) > 1 { // one that comes while the others are worked on
			if err := in.Put(ctx, rows(99)); err != nil {
				t.Error(err)
			}
			close(during)
		}
		handled <- len(h.Rows)
		return nil
	})
	<-during
	if first, second := <-handled, <-handled; first != 50 || second != 1 {
		t.Errorf("got passes over %d and %d rows, want 50 and then the one that came meanwhile", first, second)
	}
	empty(t, in, js)
	// Nothing is blocked: the next ones come too.
	must(t, in.Put(t.Context(), rows(1)))
	if n := <-handled; n != 1 {
		t.Errorf("got %d rows, want 1", n)
	}
	empty(t, in, js)
}

func TestErrorBringsTheHintAgain(t *testing.T) {
	t.Parallel()
	in, js := open(t)
	handled := make(chan int, 10)
	tries := 0
	work(t, in, func(_ context.Context, h *inbox.Hint) error {
		handled <- len(h.Rows)
		if tries++; tries == 1 {
			return errors.New("not now")
		}
		return nil
	})
	must(t, in.Put(t.Context(), rows(1, 2)))
	if first, second := <-handled, <-handled; first != 2 || second != 2 {
		t.Errorf("got %d and %d rows, want the same hint twice", first, second)
	}
	empty(t, in, js)
}

func TestKilledInTheMiddle(t *testing.T) {
	t.Parallel()
	in, js := open(t)
	started := make(chan struct{})
	stop := work(t, in, func(ctx context.Context, _ *inbox.Hint) error {
		close(started)
		<-ctx.Done()
		return ctx.Err()
	})
	must(t, in.Put(t.Context(), rows(1)))
	must(t, in.Put(t.Context(), rows(2)))
	<-started
	stop()
	handled := make(chan int, 10)
	work(t, in, func(_ context.Context, h *inbox.Hint) error {
		handled <- len(h.Rows)
		return nil
	})
	if n := <-handled; n != 2 {
		t.Errorf("got %d rows, want both hints of the one that was killed", n)
	}
	empty(t, in, js)
}

func TestForget(t *testing.T) {
	t.Parallel()
	in, js := open(t)
	must(t, in.SetClock(t.Context(), "r1", time.Hour))
	must(t, in.Later(t.Context(), rows(1), time.Now().Add(time.Hour)))
	must(t, in.Put(t.Context(), rows(2)))
	must(t, in.SetClock(t.Context(), "r2", time.Hour))
	forgotten := make(chan error, 1)
	work(t, in, func(ctx context.Context, h *inbox.Hint) error { // forgotten while it is worked on, as at its end
		err := in.Forget(ctx, h.Registration)
		forgotten <- err
		return err
	})
	must(t, <-forgotten)
	empty(t, in, js)
	s, err := js.Stream(t.Context(), inbox.StreamName)
	must(t, err)
	info, err := s.Info(t.Context(), jetstream.WithSubjectFilter(">"))
	must(t, err)
	if diff := cmp.Diff(map[string]uint64{"every.r2": 1}, info.State.Subjects); diff != "" {
		t.Errorf("left (-want +got):\n%s", diff)
	}
}

func TestPartitionsMustFit(t *testing.T) {
	t.Parallel()
	_, js := open(t)
	s, err := js.Stream(t.Context(), inbox.StreamName)
	must(t, err)
	cfg := s.CachedInfo().Config
	cfg.Metadata = map[string]string{"partitions": fmt.Sprint(inbox.Partitions + 1)}
	_, err = js.UpdateStream(t.Context(), cfg)
	must(t, err)
	if _, err := inbox.Open(t.Context(), js.Conn(), 1); !errors.Is(err, inbox.ErrPartitions) {
		t.Errorf("got error %v, want ErrPartitions", err)
	}
}
