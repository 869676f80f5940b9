package stream_test

import (
	"testing"
	"time"

	"github.com/sheetbridge/sheetbridge/events"
)

// TestUnreadIsAskedOnce: since when something waits to be read is asked for again when
// messages went or another sequence is asked about, and not because more came.
func TestUnreadIsAskedOnce(t *testing.T) {
	t.Parallel()
	s := newStream(t, "acme")
	orders := testShare("orders")
	w := begin(t, s, orders)
	// unread returns the answer and whether the server was asked for it.
	unread := func(behind uint64) (time.Time, bool) {
		t.Helper()
		usage, err := s.Usage(t.Context())
		must(t, err)
		before := s.Conn().Stats().OutMsgs
		since, err := s.UnreadSince(t.Context(), &usage, behind)
		must(t, err)
		return since, s.Conn().Stats().OutMsgs > before
	}
	publish := func(row int64) uint64 {
		t.Helper()
		must(t, w.Add(rowEvent(t, orders, row)))
		_, err := w.Flush(t.Context(), time.Now(), events.StatusData{})
		must(t, err)
		return w.Since()
	}
	if since, asked := unread(0); !since.IsZero() || !asked {
		t.Errorf("got %v, asked %t, of a stream without rows, want nothing from the server", since, asked)
	}
	if since, asked := unread(0); !since.IsZero() || asked {
		t.Errorf("got %v, asked %t, when nothing happened, want nothing without asking", since, asked)
	}
	to := publish(1)
	first, asked := unread(0)
	if first.IsZero() || !asked {
		t.Errorf("got %v, asked %t, after the first row, want its time from the server", first, asked)
	}
	publish(2)
	if since, asked := unread(0); !since.Equal(first) || asked {
		t.Errorf("got %v, asked %t, after another row, want %v without asking", since, asked, first)
	}
	second, asked := unread(to)
	if !second.After(first) || !asked {
		t.Errorf("got %v, asked %t, behind the first row, want the second's time, after %v, from the server", second, asked, first)
	}
	unread(0)
	must(t, s.PurgeBelow(t.Context(), orders.SubjectOf(events.KindRow, 1), to+1))
	if since, asked := unread(0); !since.Equal(second) || !asked {
		t.Errorf("got %v, asked %t, when the first row had gone, want %v from the server", since, asked, second)
	}
}
