package stream_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/events/stream"
)

// journal writes states of rows into a share.
type journal struct {
	t      testing.TB
	stream *stream.Stream
	share  *events.Share
	rows   *sheet
}

func newJournal(t testing.TB, rows int) *journal {
	s, sh := newStream(t, "acme"), testShare("orders")
	begin(t, s, sh)
	return &journal{t, s, sh, &sheet{rows: make([]int, rows)}}
}

// set publishes the rows' new values, 0 for a deletion.
func (j *journal) set(values ...[2]int) {
	j.t.Helper()
	for _, v := range values {
		j.rows.set(v[0]-1, v[1])
	}
	w := &writer{stream: j.stream, share: j.share, sheet: j.rows, pause: func(int) {}}
	if err := w.pass(context.Background()); err != nil {
		j.t.Fatal(err)
	}
}

// subjects counts the messages of each object.
func (j *journal) subjects() map[string]int {
	j.t.Helper()
	counts := map[string]int{}
	err := j.stream.All(context.Background(), func(_ uint64, subject string, _ []byte) error {
		if _, id, ok := events.ParseSubject(subject); ok {
			counts[fmt.Sprint(id)]++
		}
		return nil
	})
	if err != nil {
		j.t.Fatal(err)
	}
	return counts
}

func TestPurgeTombstones(t *testing.T) {
	j := newJournal(t, 6)
	j.set([2]int{1, 1}, [2]int{2, 1}, [2]int{3, 1}, [2]int{4, 1}, [2]int{5, 1})
	j.set([2]int{2, 0}, [2]int{3, 0}, [2]int{4, 2})
	j.set([2]int{3, 7}) // came back
	mid := time.Now()
	j.set([2]int{5, 0}, [2]int{4, 0}) // young deletions

	next, purged, err := j.stream.PurgeTombstones(t.Context(), mid, 0, 1000)
	if err != nil || next != 0 || purged != 1 {
		t.Errorf("got next %d, %d purged, error %v, want 0, 1", next, purged, err)
	}
	want := map[string]int{"1": 1, "3": 3, "4": 3, "5": 2} // living ones with their history
	if diff := cmp.Diff(want, j.subjects()); diff != "" {
		t.Errorf("messages of each row (-want +got):\n%s", diff)
	}
	// A month later, by the clock of the one who asks.
	if _, purged, err = j.stream.PurgeTombstones(t.Context(), time.Now().Add(time.Minute), 0, 1000); err != nil || purged != 2 {
		t.Errorf("got %d purged, error %v, want the two that were young", purged, err)
	}
	if diff := cmp.Diff(map[string]int{"1": 1, "3": 3}, j.subjects()); diff != "" {
		t.Errorf("messages of each row (-want +got):\n%s", diff)
	}
	if _, purged, err = j.stream.PurgeTombstones(t.Context(), time.Now().Add(time.Minute), 0, 1000); err != nil || purged != 0 {
		t.Errorf("again: got %d purged, error %v, want nothing", purged, err)
	}
	j.set([2]int{2, 9}) // a row that was forgotten may come again
	checkChain(t, j.stream, j.share, j.rows)
}

func TestPurgeTombstonesInParts(t *testing.T) {
	const rows, part = 800, 500
	j := newJournal(t, rows)
	values := make([][2]int, rows)
	for i := range values {
		values[i] = [2]int{i + 1, 1}
	}
	j.set(values...)
	for i := range values {
		values[i][1] = i % 2 // every other one is deleted
	}
	j.set(values...)
	var steps []uint64
	total := 0
	for from := uint64(0); len(steps) < 20; {
		next, purged, err := j.stream.PurgeTombstones(t.Context(), time.Now().Add(time.Minute), from, part)
		if err != nil {
			t.Fatal(err)
		}
		total += purged
		if from = next; next == 0 {
			break
		}
		steps = append(steps, next)
	}
	if total != rows/2 || len(steps) < 2 || !slices.IsSorted(steps) {
		t.Errorf("got %d purged in steps %v, want %d in several", total, steps, rows/2)
	}
	if got := len(j.subjects()); got != rows/2 {
		t.Errorf("got %d rows left, want %d", got, rows/2)
	}
}
