package inbox_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/sheetbridge/sheetbridge/webhook/inbox"
)

// handed lets one replica work and returns what it is handed.
func handed(t *testing.T, in *inbox.Inbox) <-chan *inbox.Hint {
	t.Helper()
	hints := make(chan *inbox.Hint, 100)
	work(t, in, func(_ context.Context, h *inbox.Hint) error {
		hints <- h
		return nil
	})
	return hints
}

func TestLater(t *testing.T) {
	t.Parallel()
	in, js := open(t)
	first := rows(1)
	first.Full, first.Attempt, first.Attachments = true, 2, []int64{5}
	must(t, in.Later(t.Context(), first, time.Now().Add(time.Hour)))
	must(t, in.Later(t.Context(), rows(2), time.Now().Add(time.Second))) // replaces the first and loses nothing of it
	if n, err := in.Waiting(t.Context(), "r1"); err != nil || n != 0 {
		t.Errorf("got %d hints and error %v before the time has come, want none", n, err)
	}
	hints := handed(t, in)
	want := &inbox.Hint{
		Registration: "r1", Why: inbox.WhyCallback, Whole: true, Full: true, Attempt: 2, Attachments: []int64{5},
		Rows: map[int64]inbox.Row{1: {}, 2: {}}, ReceivedAt: noon,
	}
	if diff := cmp.Diff(want, <-hints); diff != "" {
		t.Errorf("hint (-want +got):\n%s", diff)
	}
	empty(t, in, js)
	must(t, in.Later(t.Context(), rows(3), time.Now())) // and once more, after the first has gone off
	want = &inbox.Hint{Registration: "r1", Why: inbox.WhyCallback, Whole: true, Rows: map[int64]inbox.Row{3: {}}, ReceivedAt: noon}
	if diff := cmp.Diff(want, <-hints); diff != "" {
		t.Errorf("second hint (-want +got):\n%s", diff)
	}
}

// TestLaterIsNotPutOff: hints that keep coming do not keep the first waiting.
func TestLaterIsNotPutOff(t *testing.T) {
	t.Parallel()
	in, _ := open(t)
	must(t, in.Later(t.Context(), rows(1), time.Now().Add(2*time.Second)))
	must(t, in.Later(t.Context(), rows(2), time.Now().Add(time.Hour)))
	hints := handed(t, in)
	if h := <-hints; len(h.Rows) != 2 {
		t.Errorf("got %d rows, want both", len(h.Rows))
	}
	must(t, in.Later(t.Context(), rows(3), time.Now().Add(-time.Minute))) // its time has come
	<-hints
}

func TestDead(t *testing.T) {
	t.Parallel()
	in, _ := open(t)
	for i := range int64(3) {
		h := rows(i + 1)
		h.Attempt = 12
		must(t, in.GiveUp(t.Context(), h, "it failed"))
	}
	dead, err := in.Dead(t.Context(), 2)
	must(t, err)
	if len(dead) != 2 || dead[0].ID != "3" || dead[1].ID != "2" || dead[0].Reason != "it failed" || dead[0].At.IsZero() {
		t.Fatalf("got %+v, want the two newest, newest first", dead)
	}
	must(t, in.Retry(t.Context(), "2"))
	h := <-handed(t, in)
	if _, ok := h.Rows[2]; !ok || h.Attempt != 0 {
		t.Errorf("got %+v, want the second hint with no attempts", h)
	}
	for _, id := range []string{"2", "0", "-1", "x", "99", "18446744073709551615"} {
		if err := in.Retry(t.Context(), id); !errors.Is(err, inbox.ErrNotFound) {
			t.Errorf("sending %s again: got error %v, want ErrNotFound", id, err)
		}
	}
	if dead, err = in.Dead(t.Context(), 10); err != nil || len(dead) != 2 {
		t.Errorf("got %d dead hints and error %v, want 2", len(dead), err)
	}
}

func TestStanding(t *testing.T) {
	t.Parallel()
	in, _ := open(t)
	must(t, in.Put(t.Context(), rows(1)))
	must(t, in.Put(t.Context(), rows(2)))
	must(t, in.Later(t.Context(), rows(3), time.Now().Add(time.Hour)))
	must(t, in.GiveUp(t.Context(), rows(4), "it failed"))
	got, err := in.Standing(t.Context())
	must(t, err)
	if got.Oldest.IsZero() {
		t.Error("got no time of the oldest hint")
	}
	got.Oldest = time.Time{}
	if diff := cmp.Diff(inbox.Standing{Waiting: 2, Deferred: 1, Dead: 1}, got); diff != "" {
		t.Errorf("standing (-want +got):\n%s", diff)
	}
	must(t, in.Answers(t.Context()))
}

// TestLaterAgain: for what has failed often, hints that keep coming make no more
// haste; for anything else they do.
func TestLaterAgain(t *testing.T) {
	t.Parallel()
	in, js := open(t)
	st, err := js.Stream(t.Context(), inbox.StreamName)
	must(t, err)
	due := func() string {
		m, err := st.GetLastMsgForSubject(t.Context(), "timer.r1")
		must(t, err)
		return m.Header.Get(jetstream.ScheduleHeader)
	}
	often, fresh := rows(1), rows(2)
	often.Attempt, fresh.Attempt = 8, 1
	must(t, in.Later(t.Context(), often, time.Now().Add(time.Hour)))
	was := due()
	must(t, in.LaterAgain(t.Context(), fresh, time.Now()))
	if got := due(); got != was {
		t.Errorf("it is put off to %s, want %s still", got, was)
	}
	must(t, in.LaterAgain(t.Context(), often, time.Now().Add(time.Minute)))
	if got := due(); got >= was {
		t.Errorf("it is put off to %s, want it earlier: it is no fresher", got)
	}
	must(t, in.Later(t.Context(), fresh, time.Now()))
	if h := <-handed(t, in); len(h.Rows) != 2 || h.Attempt != 8 {
		t.Errorf("got %d rows after %d attempts, want both after 8", len(h.Rows), h.Attempt)
	}
}
