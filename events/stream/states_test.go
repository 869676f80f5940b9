package stream_test

import (
	"testing"
	"time"

	"github.com/sheetbridge/sheetbridge/events"
)

// TestStatesAreReadOnceUntilSomethingHappens: what a stream says of its shares is
// read again after a status, a purge and for other shares, and not before.
func TestStatesAreReadOnceUntilSomethingHappens(t *testing.T) {
	t.Parallel()
	s := newStream(t, "acme")
	orders, stock := testShare("orders"), testShare("stock")
	w := begin(t, s, orders)
	begin(t, s, stock)
	both, one := []*events.Share{orders, stock}, []*events.Share{orders}
	first, err := s.States(t.Context(), both)
	must(t, err)
	again, err := s.States(t.Context(), both)
	must(t, err)
	if first[orders] == nil || again[orders] != first[orders] || again[stock] != first[stock] {
		t.Errorf("got %v and then %v of a stream in which nothing happened, want the same", first, again)
	}
	if alone, err := s.States(t.Context(), one); err != nil || len(alone) != 1 {
		t.Errorf("got %v, %v for one of the shares, want it alone", alone, err)
	}

	must(t, w.Acquire(t.Context(), time.Now(), events.StatusData{State: events.StateStale, Reason: "for a test"}))
	now, err := s.States(t.Context(), both)
	must(t, err)
	if now[orders].Lock != w.Lock() || now[orders].Status.State != events.StateStale {
		t.Errorf("got %+v after another status, want that one", now[orders])
	}

	must(t, s.PurgeBelow(t.Context(), stock.SubjectAll(), w.Lock()))
	now, err = s.States(t.Context(), both)
	must(t, err)
	if now[orders] == nil || now[stock] != nil {
		t.Errorf("got %v after all of one share was purged, want the other", now)
	}
}
