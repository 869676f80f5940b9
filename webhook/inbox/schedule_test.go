package inbox_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/sheetbridge/sheetbridge/events/eventstest"
	"github.com/sheetbridge/sheetbridge/webhook/inbox"
)

const hour = time.Hour

func inAnHour() time.Time { return time.Now().Add(hour) }

// about returns the hint for one share.
func about(h *inbox.Hint, share string) *inbox.Hint {
	h.Shares = []string{share}
	return h
}

// awaitDeferred returns when what is due for r1 at some time is as wanted. A copy of the
// stream may be a moment behind.
func (q *queue) awaitDeferred(t testing.TB, want string, is func(n *inbox.Schedule) bool) {
	t.Helper()
	eventstest.AwaitNil(t, eventstest.Patience, want, func() error {
		n, err := q.Deferred(t.Context(), "r1")
		if err != nil || !is(n) {
			return fmt.Errorf("got %+v and error %w", n, err)
		}
		return nil
	})
}

// wantDeferred is awaitDeferred, but reads once where there is one server: no copy is
// behind there.
func (q *queue) wantDeferred(t testing.TB, want string, is func(n *inbox.Schedule) bool) {
	t.Helper()
	if q.replicas > 1 {
		q.awaitDeferred(t, want, is)
		return
	}
	if n, err := q.Deferred(t.Context(), "r1"); err != nil || !is(n) {
		t.Errorf("got %+v and error %v, want: %s", n, err, want)
	}
}

func reconciledHourly(n *inbox.Schedule) bool { return n != nil && n.ReconcileEvery == hour }

func TestDefer(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, q *queue) {
		first := rows(1)
		first.Full, first.Attempt, first.Attachments = true, 2, []int64{5}
		must(t, q.Defer(t.Context(), first, inAnHour()))
		must(t, q.Defer(t.Context(), rows(2), time.Now().Add(2*time.Second))) // the earlier time, and nothing of the first is lost
		if counts, err := q.Backlog(t.Context()); err != nil || len(counts) != 0 {
			t.Errorf("got backlog %v and error %v before the time has come, want none", counts, err)
		}
		hints := handed(t, q.Inbox)
		want := &inbox.Hint{
			Registration: "r1", Why: inbox.WhyCallback, Whole: true, Full: true, Attempt: 2, Attachments: []int64{5},
			Rows: map[int64]inbox.Row{1: {}, 2: {}}, ReceivedAt: noon,
		}
		if diff := cmp.Diff(want, <-hints); diff != "" {
			t.Errorf("hint (-want +got):\n%s", diff)
		}
		q.empty(t)
		must(t, q.Defer(t.Context(), rows(3), time.Now())) // and once more, after the first has gone off
		want = &inbox.Hint{Registration: "r1", Why: inbox.WhyCallback, Whole: true, Rows: map[int64]inbox.Row{3: {}}, ReceivedAt: noon}
		if diff := cmp.Diff(want, <-hints); diff != "" {
			t.Errorf("second hint (-want +got):\n%s", diff)
		}
	})
}

// TestEachAtItsTime: shares and reconciles share one schedule, and each comes.
func TestEachAtItsTime(t *testing.T) {
	t.Parallel()
	onEachLong(t, func(t *testing.T, q *queue) {
		must(t, q.ScheduleReconciles(t.Context(), "r1", 3*time.Second))
		a, b := about(rows(1), "acme/orders"), about(rows(2), "beta/orders")
		a.Attempt, b.Attempt = 3, 4
		begin := time.Now()
		must(t, q.Defer(t.Context(), a, begin.Add(time.Second)))
		must(t, q.Defer(t.Context(), b, begin.Add(6*time.Second)))
		due := map[string]time.Time{"acme/orders": begin.Add(time.Second), "beta/orders": begin.Add(6 * time.Second)}
		hints := handed(t, q.Inbox)
		n := map[string]int{}
		for n["acme/orders"] < 1 || n["beta/orders"] < 1 || n["reconcile"] < 2 {
			h := <-hints
			if !h.Whole || h.ReceivedAt.IsZero() {
				t.Errorf("got %+v, want the whole sheet and when it came", h)
			}
			name := string(h.Why)
			if len(h.Shares) == 1 {
				name = h.Shares[0]
				if want := map[string]int{"acme/orders": 3, "beta/orders": 4}[name]; h.Attempt != want {
					t.Errorf("%s: got attempt %d, want %d", name, h.Attempt, want)
				}
				if early := time.Until(due[name]); early > time.Second {
					t.Errorf("%s came %s early", name, early)
				}
			}
			n[name]++
		}
		if n["acme/orders"] != 1 || n["beta/orders"] != 1 {
			t.Errorf("got %v, want each share once", n)
		}
	})
}

func TestFollow(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, q *queue) {
		hints := handed(t, q.Inbox)
		must(t, q.ScheduleReconciles(t.Context(), "r1", hour))
		must(t, q.ScheduleReconciles(t.Context(), "r1", 2*time.Second)) // replaces the first
		want := &inbox.Hint{Registration: "r1", Why: inbox.WhyReconcile, Whole: true}
		for range 2 {
			got := <-hints
			if got.ReceivedAt.IsZero() {
				t.Error("got no time at which it was due")
			}
			got.ReceivedAt = time.Time{}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("hint (-want +got):\n%s", diff)
			}
		}
		must(t, q.ScheduleReconciles(t.Context(), "r1", hour))
		q.awaitDeferred(t, "it is reconciled every hour", reconciledHourly)
		q.empty(t) // no worker adds it to the schedule afterwards
		must(t, q.Forget(t.Context(), "r1"))
		q.wantDeferred(t, "nothing is due", func(n *inbox.Schedule) bool { return n == nil })
	})
}

// TestOneReconcileOverAllReplicas: two replicas at work, each interval once.
func TestOneReconcileOverAllReplicas(t *testing.T) {
	t.Parallel()
	q := newQueue(t, 1, inbox.Options{})
	hints := handed(t, q.Inbox)
	others := handed(t, q.another(t, inbox.Options{}))
	began := time.Now()
	must(t, q.ScheduleReconciles(t.Context(), "r1", time.Second))
	for n := 1; n <= 4; n++ {
		select {
		case <-hints:
		case <-others:
		}
		if took := time.Since(began); took < time.Duration(n-1)*time.Second {
			t.Errorf("got %d reconciles within %v, want one a second", n, took)
		}
	}
}

// TestDeferTogether: two replicas defer different things of one registration at
// once, also while its schedule goes off; none of them is lost.
func TestDeferTogether(t *testing.T) {
	t.Parallel()
	for _, at := range []time.Duration{time.Hour, 1100 * time.Millisecond} {
		t.Run(at.String(), func(t *testing.T) {
			t.Parallel()
			on := onEach
			if at < hour {
				on = onEachLong
			}
			on(t, func(t *testing.T, q *queue) {
				replicas := []*inbox.Inbox{q.Inbox, q.another(t, inbox.Options{})}
				hints := handed(t, q.Inbox)
				must(t, q.ScheduleReconciles(t.Context(), "r1", 24*hour))
				const shares = 40
				var wg sync.WaitGroup
				for i := range shares {
					wg.Go(func() {
						time.Sleep(time.Duration(i) * 40 * time.Millisecond) // some before, some while it goes off
						h := about(rows(1), fmt.Sprintf("acme/s%d", i))
						if err := replicas[i%2].Defer(t.Context(), h, time.Now().Add(at)); err != nil {
							t.Error(err)
						}
					})
				}
				wg.Wait()
				if at < hour {
					got := map[string]bool{}
					for len(got) < shares {
						got[(<-hints).Shares[0]] = true
					}
					return
				}
				q.awaitDeferred(t, "all shares and the interval", func(n *inbox.Schedule) bool {
					return n != nil && len(n.Shares) == shares && n.ReconcileEvery == 24*hour
				})
			})
		})
	}
}

// TestDeferAgain: for what has failed often, hints that keep coming make no more
// haste; for anything else they do.
func TestDeferAgain(t *testing.T) {
	t.Parallel()
	q := newQueue(t, 1, inbox.Options{})
	at := func() time.Time {
		n, err := q.Deferred(t.Context(), "r1")
		must(t, err)
		return n.Whole.At
	}
	often, fresh := rows(1), rows(2)
	often.Attempt, fresh.Attempt = 8, 1
	must(t, q.Defer(t.Context(), often, inAnHour()))
	was := at()
	must(t, q.DeferAgain(t.Context(), fresh, time.Now()))
	if got := at(); !got.Equal(was) {
		t.Errorf("it is due at %s, want %s still", got, was)
	}
	must(t, q.DeferAgain(t.Context(), often, time.Now().Add(time.Minute)))
	if got := at(); !got.Before(was) {
		t.Errorf("it is due at %s, want it earlier: it is no fresher", got)
	}
	must(t, q.Defer(t.Context(), fresh, time.Now()))
	if h := <-handed(t, q.Inbox); len(h.Rows) != 2 || h.Attempt != 8 {
		t.Errorf("got %d rows after %d attempts, want both after 8", len(h.Rows), h.Attempt)
	}
}

// TestOverdue has the server refuse what is due, after which it never tries
// again, and sees that it comes nevertheless.
func TestOverdue(t *testing.T) {
	t.Parallel()
	late := strings.Repeat("r", 400) // too large for the stream, by its name
	onEachLong(t, func(t *testing.T, q *queue) {
		cfg := q.stream(t).CachedInfo().Config
		limit := func(size int32) {
			cfg.MaxMsgSize = size
			_, err := q.js.UpdateStream(t.Context(), cfg)
			must(t, err)
		}
		hints := handed(t, q.Inbox)
		small := &inbox.Hint{Registration: "r1", Why: inbox.WhyAdmin}
		for {
			must(t, q.Defer(t.Context(), of(late, rows(1)), time.Now().Add(-time.Minute)))
			must(t, q.Defer(t.Context(), small, time.Now().Add(-time.Minute)))
			limit(450)
			if h := <-hints; h.Registration == "r1" {
				break
			}
			limit(-1) // it went off before there was too little room
			<-hints
		}
		limit(-1)
		if mended, err := q.EnsureReconciles(t.Context(), late); err != nil || !mended {
			t.Fatalf("got %t and error %v, want it mended", mended, err)
		}
		if h := <-hints; h.Registration != late || len(h.Rows) != 1 {
			t.Errorf("got %d rows of %s, want what was deferred", len(h.Rows), h.Registration)
		}
	})
}

// TestOverdueWithoutNote: a registration that nobody follows is reconciled now,
// and one that is followed or being worked on is left alone.
func TestOverdueWithoutNote(t *testing.T) {
	t.Parallel()
	q := newQueue(t, 1, inbox.Options{})
	check := func(in *inbox.Inbox, want bool) {
		t.Helper()
		if mended, err := in.EnsureReconciles(t.Context(), "r1"); err != nil || mended != want {
			t.Errorf("got %t and error %v, want %t", mended, err, want)
		}
	}
	must(t, q.ScheduleReconciles(t.Context(), "r1", time.Second))
	eventstest.AwaitNil(t, time.Minute, "the queue", func() error { // it goes off, and nobody works
		_, err := q.stream(t).GetLastMsgForSubject(t.Context(), "inbox.r1")
		return err
	})
	check(q.Inbox, false)
	must(t, q.Forget(t.Context(), "r1"))
	other := q.another(t, inbox.Options{}) // does not know the interval
	check(other, true)
	hints := handed(t, other)
	if h := <-hints; h.Why != inbox.WhyReconcile || !h.Whole {
		t.Errorf("got %+v, want a reconcile at once", h)
	}
	q.empty(t)
	check(q.Inbox, true) // this one does
	if n, err := q.Deferred(t.Context(), "r1"); err != nil || n == nil || n.ReconcileEvery != time.Second {
		t.Errorf("got %+v and error %v, want it followed again", n, err)
	}
	<-hints
}

// TestKilledBetween: a schedule has gone off and the next one is stored, and then the
// worker is killed. What was due is handed out again.
func TestKilledBetween(t *testing.T) {
	t.Parallel()
	onEachLong(t, func(t *testing.T, q *queue) {
		must(t, q.ScheduleReconciles(t.Context(), "r1", hour))
		must(t, q.Defer(t.Context(), about(rows(1), "acme/orders"), time.Now()))
		started := make(chan struct{})
		stop := work(t, q.Inbox, func(ctx context.Context, _ *inbox.Hint) error {
			close(started)
			<-ctx.Done()
			return ctx.Err()
		})
		<-started
		stop()
		if h := <-handed(t, q.another(t, inbox.Options{})); !slices.Equal(h.Shares, []string{"acme/orders"}) {
			t.Errorf("got %+v, want the share again", h)
		}
		q.empty(t)
		q.wantDeferred(t, "it is followed still", reconciledHourly)
	})
}

// TestShortlyBefore: what is added to a schedule that is about to go off waits in
// the queue, since the server removes whatever stands under the schedule's subject
// by then.
func TestShortlyBefore(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, q *queue) {
		must(t, q.Defer(t.Context(), rows(1), time.Now()))
		must(t, q.ScheduleReconciles(t.Context(), "r1", hour))
		q.wantDeferred(t, "it is followed", reconciledHourly)
		eventstest.AwaitNil(t, time.Minute, "the queue", func() error {
			info, err := q.stream(t).Info(t.Context(), jetstream.WithSubjectFilter(">"))
			if err != nil {
				return err
			}
			if got := info.State.Subjects; got["inbox.r1"] != 2 || got["timer.r1"] != 0 {
				return fmt.Errorf("got messages %v, want the note and what was added to it", got)
			}
			return nil
		})
		if h := <-handed(t, q.Inbox); len(h.Rows) != 1 {
			t.Errorf("got %+v, want what was deferred", h)
		}
		q.empty(t)
		q.wantDeferred(t, "it is followed and nothing else", func(n *inbox.Schedule) bool {
			return reconciledHourly(n) && n.Whole == nil
		})
	})
}
