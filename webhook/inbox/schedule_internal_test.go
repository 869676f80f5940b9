package inbox

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var noon = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

// TestClock: what is due is counted from the server's time, however wrong the
// process's own is.
func TestClock(t *testing.T) {
	t.Parallel()
	for name, off := range map[string]time.Duration{"right": 0, "an hour late": time.Hour, "an hour early": -time.Hour, "years": 1000 * 24 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			var c clock
			c.set(time.Now().Add(off), time.Now())
			c.set(noon, time.Now().Add(-2*maxDelay)) // an answer that took long tells nothing
			for _, d := range []time.Duration{-time.Minute, 0, time.Minute} {
				got, want := c.at(time.Now().Add(d)), time.Now().Add(off+d)
				if got.Sub(want).Abs() > time.Second {
					t.Errorf("in %v: got %v, want %v", d, got, want)
				}
			}
		})
	}
}

func deferred(at time.Duration, attempt int) *Deferred {
	return &Deferred{At: noon.Add(at), Hint: &Hint{Registration: "r1", Whole: true, Attempt: attempt}}
}

func TestNoteDue(t *testing.T) {
	t.Parallel()
	n := &Schedule{
		Registration: "r1", ReconcileEvery: time.Hour, ReconcileAt: noon.Add(2 * time.Second), Whole: deferred(time.Second, 1),
		Shares: map[string]*Deferred{"acme/a": deferred(-time.Hour, 2), "acme/b": deferred(time.Minute, 3)},
	}
	hints, rest := n.due(noon)
	var got []int
	for _, h := range hints {
		got = append(got, h.Attempt)
	}
	if !slices.Equal(got, []int{1, 2}) || rest.Whole != nil || len(rest.Shares) != 1 || !rest.ReconcileAt.Equal(n.ReconcileAt) {
		t.Errorf("got hints %v and %+v, want what is due within a second", got, rest)
	}
	hints, rest = rest.due(noon.Add(2 * time.Hour))
	if len(hints) != 2 || hints[0].Why != WhyReconcile || !hints[0].Webhook || hints[1].Attempt != 3 {
		t.Errorf("got %v, want a reconcile and the other share", hints)
	}
	want := &Schedule{Registration: "r1", ReconcileEvery: time.Hour, ReconcileAt: noon.Add(3 * time.Hour), Shares: map[string]*Deferred{}}
	if diff := cmp.Diff(want, rest); diff != "" {
		t.Errorf("the rest (-want +got):\n%s", diff)
	}
}

func TestNoteAdd(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		there, more *Deferred
		again       bool
		want        time.Duration
	}{
		"none there":                    {nil, deferred(time.Minute, 1), true, time.Minute},
		"the earlier time":              {deferred(time.Hour, 5), deferred(time.Minute, 1), false, time.Minute},
		"it is not put off":             {deferred(time.Minute, 1), deferred(time.Hour, 1), false, time.Minute},
		"failed more often":             {deferred(time.Hour, 5), deferred(time.Minute, 1), true, time.Hour},
		"failed as often":               {deferred(time.Hour, 5), deferred(time.Minute, 5), true, time.Minute},
		"failed more often, is earlier": {deferred(time.Minute, 5), deferred(time.Hour, 1), true, time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			n := &Schedule{Registration: "r1", Whole: c.there}
			n.add(&Schedule{Whole: c.more, Shares: map[string]*Deferred{"acme/a": c.more}}, c.again)
			if got := n.Whole.At.Sub(noon); got != c.want {
				t.Errorf("got it in %v, want in %v", got, c.want)
			}
			if n.Shares["acme/a"] == c.more {
				t.Error("the note shares what it was given")
			}
		})
	}
	n := &Schedule{ReconcileEvery: time.Hour, SetAt: noon, ReconcileAt: noon.Add(time.Minute)}
	n.add(&Schedule{ReconcileEvery: time.Second, SetAt: noon.Add(-time.Second), ReconcileAt: noon}, false)
	if n.ReconcileEvery != time.Hour {
		t.Error("an earlier interval replaces a later")
	}
}

// TestNoteWebhook: a look at the webhook that is put off reads no sheet, and what
// is put off for the sheet is not counted as having failed with it.
func TestNoteWebhook(t *testing.T) {
	t.Parallel()
	look := &Hint{Registration: "r1", Why: WhyReconcile, Webhook: true, Attempt: 3}
	n := scheduleOf(look, noon.Add(time.Minute))
	n.add(scheduleOf(&Hint{Registration: "r1", Why: WhyCallback, Whole: true}, noon.Add(time.Hour)), false)
	n.add(scheduleOf(look, noon.Add(time.Second)), false)
	data, err := json.Marshal(n)
	if err != nil {
		t.Fatal(err)
	}
	if n, err = parseSchedule("r1", data); err != nil {
		t.Fatal(err)
	}
	if got := n.next().Sub(noon); got != time.Second {
		t.Errorf("got the next in %v, want the look in a second", got)
	}
	hints, rest := n.due(noon)
	if diff := cmp.Diff([]*Hint{look}, hints); diff != "" {
		t.Errorf("hints (-want +got):\n%s", diff)
	}
	if rest.Webhook != nil || rest.Whole == nil || rest.Whole.Hint.Attempt != 0 {
		t.Errorf("got %+v left, want the whole sheet, which has not failed", rest)
	}
}

// TestNoteClamp: a time that a wrong clock wrote blocks nobody for long.
func TestNoteClamp(t *testing.T) {
	t.Parallel()
	year := 365 * 24 * time.Hour
	n := &Schedule{ReconcileEvery: time.Minute, SetAt: noon.Add(year), ReconcileAt: noon.Add(year), Whole: deferred(year, 1), Shares: map[string]*Deferred{"acme/a": deferred(time.Hour, 1)}}
	n.clamp(noon)
	got := []time.Duration{n.SetAt.Sub(noon), n.ReconcileAt.Sub(noon), n.Whole.At.Sub(noon), n.Shares["acme/a"].At.Sub(noon)}
	if diff := cmp.Diff([]time.Duration{0, time.Minute, maxDeferral, time.Hour}, got); diff != "" {
		t.Errorf("times (-want +got):\n%s", diff)
	}
}

// TestNoteBound: a schedule of many shares with many rows each can be stored.
func TestNoteBound(t *testing.T) {
	t.Parallel()
	n := &Schedule{Shares: map[string]*Deferred{}}
	for range 50 {
		d := deferred(0, 1)
		d.Hint.Rows = map[int64]Row{}
		for id := range int64(MaxRows) {
			d.Hint.Rows[id+1] = Row{}
		}
		n.Shares["acme/"+strings.Repeat("x", len(n.Shares))] = d
	}
	n.bound()
	for name, d := range n.Shares {
		if len(d.Hint.Rows) > 0 || !d.Hint.Whole {
			t.Fatalf("%s: got %d rows, want the whole sheet", name, len(d.Hint.Rows))
		}
	}
}
