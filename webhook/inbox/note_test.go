package inbox_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sheetbridge/sheetbridge/webhook/inbox"
)

const hour = time.Hour

func inAnHour() time.Time { return time.Now().Add(hour) }

// about returns the hint for one share.
func about(h *inbox.Hint, share string) *inbox.Hint {
	h.Shares = []string{share}
	return h
}

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

// TestEachAtItsTime: shares and reconciles share one note, and each comes.
func TestEachAtItsTime(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, q *queue) {
		must(t, q.Follow(t.Context(), "r1", 3*time.Second))
		a, b := about(rows(1), "acme/orders"), about(rows(2), "beta/orders")
		a.Attempt, b.Attempt = 3, 4
		begin := time.Now()
		must(t, q.Defer(t.Context(), a, begin.Add(time.Second)))
		must(t, q.Defer(t.Context(), b, begin.Add(6*time.Second)))
		hints := handed(t, q.Inbox)
		var got []string
		for len(got) < 5 {
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
			}
			got = append(got, name)
		}
		n := map[string]int{}
		for _, name := range got {
			n[name]++
		}
		if n["acme/orders"] != 1 || n["beta/orders"] != 1 || n["reconcile"] != 3 || got[0] != "acme/orders" {
			t.Errorf("got %v, want each share once and a reconcile again and again", got)
		}
	})
}
