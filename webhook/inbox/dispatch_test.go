package inbox_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sheetbridge/sheetbridge/events/eventstest"
	"github.com/sheetbridge/sheetbridge/webhook/inbox"
)

// TestSlowToken: 48 registrations whose passes do not come to an end hold up
// neither another token's, nor more than a few places.
func TestSlowToken(t *testing.T) {
	t.Parallel()
	onEachLong(t, func(t *testing.T, q *queue) {
		var slow, most atomic.Int64
		quick := make(chan string, 10)
		release := make(chan struct{})
		workers(t, q.Inbox, inbox.Workers{
			Pass: func(ctx context.Context, h *inbox.Hint) error {
				if h.Registration == "quick" {
					quick <- h.Registration
					return nil
				}
				n := slow.Add(1)
				defer slow.Add(-1)
				most.Store(max(most.Load(), n))
				select {
				case <-release:
				case <-ctx.Done():
				}
				return nil
			},
			Webhook: func(ctx context.Context, _ *inbox.Hint) error {
				select {
				case <-release:
				case <-ctx.Done():
				}
				return nil
			},
			Token: func(r string) string { return strings.TrimRight(r, "0123456789") },
		})
		for i := range 48 {
			h := of(fmt.Sprint("slow", i), rows(1))
			h.Webhook = true
			must(t, q.Put(t.Context(), h))
		}
		eventstest.AwaitNil(t, time.Minute, "the queue", func() error {
			if slow.Load() < 4 {
				return errors.New("not all places are taken")
			}
			return nil
		})
		must(t, q.Put(t.Context(), of("quick", rows(1))))
		<-quick
		if n := most.Load(); n != 4 {
			t.Errorf("got %d passes of one token at once, want 4", n)
		}
		close(release)
		q.empty(t)
	})
}

// TestBesideThePass: a share's pass and the webhook are worked on while the
// registration's own pass is under way, and a slow partner's do not hold up
// another's.
func TestBesideThePass(t *testing.T) {
	t.Parallel()
	q := newQueue(t, 1, inbox.Options{})
	release := make(chan struct{})
	begun := make(chan string, 20)
	workers(t, q.Inbox, inbox.Workers{
		Pass: func(_ context.Context, h *inbox.Hint) error {
			if h.Webhook {
				t.Error("a pass is to look after the webhook")
			}
			name := "whole"
			if len(h.Shares) > 0 {
				name = strings.Join(h.Shares, ",")
			}
			begun <- name
			if strings.HasPrefix(name, "slow/") || name == "whole" {
				<-release
			}
			return nil
		},
		Webhook: func(_ context.Context, h *inbox.Hint) error {
			if !h.Webhook || h.Why != inbox.WhyAdmin {
				t.Errorf("got %+v, want what gave it", h)
			}
			begun <- "webhook"
			return nil
		},
	})
	must(t, q.Put(t.Context(), rows(1)))
	if got := <-begun; got != "whole" {
		t.Fatalf("got %s, want the registration's pass", got)
	}
	late := rows(2)
	late.Shares = []string{"slow/a", "slow/b", "slow/c", "acme/orders"}
	must(t, q.Put(t.Context(), late))
	must(t, q.Put(t.Context(), &inbox.Hint{Registration: "r1", Why: inbox.WhyAdmin, Webhook: true}))
	got := map[string]bool{}
	for len(got) < 4 {
		got[<-begun] = true
	}
	if !got["acme/orders"] || !got["webhook"] || got["whole"] {
		t.Errorf("got %v begun, want the webhook and the other partner's share too", got)
	}
	close(release)
	q.empty(t)
	if n := len(begun); n != 1 {
		t.Errorf("got %d passes after that, want the slow partner's third", n)
	}
}

// TestHotSheet: a sheet whose hints keep coming does not keep the others of its
// token from their turn.
func TestHotSheet(t *testing.T) {
	t.Parallel()
	q := newQueue(t, 1, inbox.Options{})
	var calm atomic.Bool
	turns := make(chan string, 10_000)
	work(t, q.Inbox, func(ctx context.Context, h *inbox.Hint) error {
		if h.Registration == "hot" && !calm.Load() {
			if err := q.Put(ctx, of("hot", rows(1))); err != nil {
				t.Error(err)
			}
		}
		turns <- h.Registration
		return nil
	})
	must(t, q.Put(t.Context(), of("hot", rows(1))))
	seen := map[string]bool{}
	for i := range 20 {
		must(t, q.Put(t.Context(), of(fmt.Sprint("calm", i), rows(1))))
	}
	for len(seen) < 21 {
		seen[<-turns] = true
	}
	calm.Store(true)
	q.empty(t)
}

// TestManyMessages: one registration that waits does not hold on to all the
// bundles that have a hint of it.
func TestManyMessages(t *testing.T) {
	t.Parallel()
	q := newQueue(t, 1, inbox.Options{})
	release := make(chan struct{})
	var once sync.Once
	started := make(chan struct{})
	all := map[int64]bool{}
	work(t, q.Inbox, func(_ context.Context, h *inbox.Hint) error {
		once.Do(func() { close(started); <-release })
		for id := range h.Rows {
			all[id] = true
		}
		return nil
	})
	must(t, q.Put(t.Context(), rows(1)))
	<-started
	const hints = 1100
	for i := range int64(hints) {
		must(t, q.Put(t.Context(), rows(i%500+2)))
	}
	eventstest.AwaitNil(t, time.Minute, "the queue", func() error {
		if n := q.stream(t).CachedInfo().State.Msgs; n > hints/2 {
			return fmt.Errorf("%d messages lie in the queue, want those that wait stored again", n)
		}
		return nil
	})
	close(release)
	q.empty(t)
	if len(all) != 501 {
		t.Errorf("got %d rows, want all 501", len(all))
	}
}

// TestConsumerThatIsGone: the consumer is made again, and what is held here is
// not handed out twice.
func TestConsumerThatIsGone(t *testing.T) {
	t.Parallel()
	q := newQueue(t, 1, inbox.Options{})
	release, started := make(chan struct{}), make(chan struct{}, 10)
	work(t, q.Inbox, func(_ context.Context, h *inbox.Hint) error {
		started <- struct{}{}
		if h.Registration == "r1" {
			<-release
		}
		return nil
	})
	must(t, q.Put(t.Context(), rows(1)))
	<-started
	must(t, q.stream(t).DeleteConsumer(t.Context(), "relay"))
	must(t, q.Put(t.Context(), of("r2", rows(1))))
	select {
	case <-started: // the consumer is back
	case <-time.After(30 * time.Second):
		t.Fatal("nothing is handed out any more")
	}
	close(release)
	q.empty(t)
	if n := len(started); n != 0 {
		t.Errorf("got %d more passes, want none", n)
	}
}
