package stream_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/events/stream"
)

// TestCompared: the statuses after a lock say what their writers compared, in their
// order, whether events came with them or not; where some are gone that is told.
func TestCompared(t *testing.T) {
	t.Parallel()
	eachKind(t, func(t *testing.T, s *stream.Stream) {
		sh := testShare("orders")
		w := begin(t, s, sh)
		first := w.Lock()
		flush := func(rows int64, compared string) {
			t.Helper()
			for row := range rows {
				must(t, w.Add(rowEvent(t, sh, row+1)))
			}
			w.AddCompared(compared)
			_, err := w.Flush(t.Context(), time.Now(), events.StatusData{})
			must(t, err)
		}
		read := func(after, upTo uint64) []string {
			t.Helper()
			texts, err := s.Compared(t.Context(), sh, after, upTo)
			must(t, err)
			return texts
		}
		flush(1, "one")
		second := w.Lock()
		flush(0, "two")
		flush(3, "")
		flush(20, "three")
		for _, tt := range []struct {
			after, upTo uint64
			want        []string
		}{
			{first, w.Lock(), []string{"one", "two", "three"}},
			{first, second, []string{"one"}},
			{second, w.Lock(), []string{"two", "three"}},
			{w.Lock(), w.Lock(), nil},
		} {
			if diff := cmp.Diff(tt.want, read(tt.after, tt.upTo)); diff != "" {
				t.Errorf("after %d up to %d (-want +got):\n%s", tt.after, tt.upTo, diff)
			}
		}
		if _, err := s.Compared(t.Context(), sh, first, w.Lock()+1); !errors.Is(err, stream.ErrLag) {
			t.Errorf("up to a status that is not there: got %v, want %v", err, stream.ErrLag)
		}
		for i := range stream.History {
			flush(0, fmt.Sprint(i))
		}
		if _, err := s.Compared(t.Context(), sh, first, w.Lock()); !errors.Is(err, stream.ErrDropped) {
			t.Errorf("after a lock that is gone: got %v, want %v", err, stream.ErrDropped)
		}
	})
}
