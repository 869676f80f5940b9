package stream_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/events/eventstest"
	"github.com/sheetbridge/sheetbridge/events/stream"
)

// scheduled is a writer that does one step of its pass when it is its turn.
type scheduled struct {
	*writer
	turn chan struct{}
	done chan error // what the step before ended with; nil: it waits for its turn
}

// schedule starts a writer that passes again and again, one step a turn.
func schedule(ctx context.Context, s *stream.Stream, sh events.Share, truth *sheet) *scheduled {
	w := &scheduled{turn: make(chan struct{}), done: make(chan error)}
	yield := func(err error) {
		select {
		case w.done <- err:
		case <-ctx.Done():
			return
		}
		select {
		case <-w.turn:
		case <-ctx.Done():
		}
	}
	w.writer = &writer{stream: s, share: &sh, sheet: truth, pause: func(int) { yield(nil) }}
	go func() {
		select {
		case <-w.turn:
		case <-ctx.Done():
		}
		for ctx.Err() == nil {
			err := w.pass(ctx)
			if errors.Is(err, stream.ErrLostRace) || errors.Is(err, stream.ErrLag) || errors.Is(err, errOutdated) {
				err = nil
			}
			yield(err)
		}
	}()
	return w
}

func (w *scheduled) step(t rapid.TB) {
	w.turn <- struct{}{}
	if err := <-w.done; err != nil {
		t.Fatal(err)
	}
}

// checkSchedule lets writers of several processes and revisions take turns, in
// any order, each stopped between any two steps while others go on and the sheet
// changes; some of them for good until the last one has passed.
func checkSchedule(t *rapid.T, copies []*stream.Stream, name string) {
	sh, truth := *testShare(name), &sheet{rows: make([]int, rapid.IntRange(1, 5).Draw(t, "rows"))}
	begin(t, copies[0], &sh)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	writers := make([]*scheduled, rapid.IntRange(2, 4).Draw(t, "writers"))
	newest := sh
	for i := range writers {
		of := sh
		of.Revision = int64(rapid.IntRange(1, 2).Draw(t, "revision"))
		newest.Revision = max(newest.Revision, of.Revision)
		writers[i] = schedule(ctx, copies[i%len(copies)], of, truth)
	}
	turn := func() { writers[rapid.IntRange(0, len(writers)-1).Draw(t, "writer")].step(t) }
	for range rapid.IntRange(5, 60).Draw(t, "turns") {
		if rapid.IntRange(0, 3).Draw(t, "edit") == 0 {
			for range rapid.IntRange(1, 4).Draw(t, "edits") {
				truth.set(rapid.IntRange(0, len(truth.rows)-1).Draw(t, "row"), rapid.IntRange(0, 3).Draw(t, "value"))
			}
		}
		turn()
	}
	last := &writer{stream: copies[0], share: &newest, sheet: truth, pause: func(int) {}, whole: true}
	if err := last.settle(ctx); err != nil {
		t.Fatal(err)
	}
	checkChain(t, copies[0], &newest, truth)
	for range steps { // those that stood still go on, with what they had read
		for _, w := range writers {
			w.step(t)
		}
	}
	checkChain(t, copies[0], &newest, truth)
}

func TestScheduleProperty(t *testing.T) {
	t.Parallel()
	s, n := newStream(t, "acme"), 0
	eventstest.Property(t, 10, func(t *rapid.T) {
		n++
		checkSchedule(t, []*stream.Stream{s}, fmt.Sprint("share-", n))
	})
}

// TestScheduleOfCopiesProperty is the same of a cluster, each writer at a server
// of its own, in fewer runs: they cost more.
func TestScheduleOfCopiesProperty(t *testing.T) {
	t.Parallel()
	copies, n := newCluster(t), 0
	eventstest.Property(t, 5, func(t *rapid.T) {
		n++
		checkSchedule(t, copies, fmt.Sprint("share-", n))
	})
}
