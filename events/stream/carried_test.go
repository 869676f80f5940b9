package stream_test

import (
	"testing"
	"time"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/events/stream"
)

// TestCarried: every status carries what its writer has for the others, with events
// or without, and who reads the share's state finds it.
func TestCarried(t *testing.T) {
	t.Parallel()
	eachKind(t, func(t *testing.T, s *stream.Stream) {
		sh := testShare("orders")
		w := begin(t, s, sh)
		for _, rows := range []int64{-1, 0, 1, 20} {
			want := time.Now().String()
			w.Carry(want)
			if rows < 0 {
				must(t, w.Acquire(t.Context(), time.Now(), events.StatusData{}))
			} else {
				for row := range rows {
					must(t, w.Add(rowEvent(t, sh, row+1)))
				}
				_, err := w.Flush(t.Context(), time.Now(), events.StatusData{})
				must(t, err)
			}
			var state *stream.State
			for state == nil || state.Lock != w.Lock() { // another copy may answer
				var err error
				state, err = s.State(t.Context(), sh, nil)
				if err != nil {
					t.Log(err)
				}
			}
			if state.Carried != want || w.Carried() != want {
				t.Errorf("with %d rows: got %q in the state, want %q", rows, state.Carried, want)
			}
		}
	})
}
