package inbox_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/sheetbridge/sheetbridge/events/eventstest"
	"github.com/sheetbridge/sheetbridge/webhook/inbox"
)

// stored returns all hints that lie in the queue, by message. Nobody works on it, and
// nothing is deferred.
func (q *queue) stored(t testing.TB) (bundles [][]*inbox.Hint) {
	t.Helper()
	s := q.stream(t)
	for sequence := range s.CachedInfo().State.LastSeq {
		var m *jetstream.RawStreamMsg
		eventstest.AwaitNil(t, eventstest.Patience, "a copy that may be a moment behind", func() (err error) {
			m, err = s.GetMsg(t.Context(), sequence+1)
			return err
		})
		hints, err := inbox.ParseBundle(m.Data)
		must(t, err)
		bundles = append(bundles, hints)
	}
	return bundles
}

// TestPutFromMany: each of many callers finds its hint stored when Put returns,
// and there are far fewer messages than hints.
func TestPutFromMany(t *testing.T) {
	t.Parallel()
	onEachLong(t, func(t *testing.T, q *queue) {
		const callers, each = 64, 10
		var wg sync.WaitGroup
		for c := range int64(callers) {
			wg.Go(func() {
				for i := range int64(each) {
					if err := q.Put(t.Context(), of(fmt.Sprint("r", c%7), rows(c*each+i+1))); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		got := map[string]map[int64]bool{}
		bundles := q.stored(t)
		for _, hints := range bundles {
			seen := map[string]bool{}
			for _, h := range hints {
				if seen[h.Registration] {
					t.Errorf("a bundle has two hints of %s", h.Registration)
				}
				seen[h.Registration] = true
				for row := range h.Rows {
					if got[h.Registration] == nil {
						got[h.Registration] = map[int64]bool{}
					}
					got[h.Registration][row] = true
				}
			}
		}
		for c := range int64(callers) {
			for i := range int64(each) {
				if !got[fmt.Sprint("r", c%7)][c*each+i+1] {
					t.Errorf("row %d of r%d is not stored", c*each+i+1, c%7)
				}
			}
		}
		if len(bundles) >= callers*each/4 {
			t.Errorf("got %d messages for %d hints, want far fewer", len(bundles), callers*each)
		}
	})
}

// TestPutOfOneWhoLeft: a caller that does not wait any more neither takes the hints of
// the others along nor loses its own.
func TestPutOfOneWhoLeft(t *testing.T) {
	t.Parallel()
	q := newQueue(t, 1, inbox.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	h := rows(1)
	if err := q.Put(ctx, h); err != nil && !errors.Is(err, context.Canceled) {
		t.Errorf("got error %v, want nil or what ended the wait", err)
	}
	h.Rows[5] = inbox.Row{} // the caller's again
	must(t, q.Put(t.Context(), of("r2", rows(2))))
	got := map[string]int{}
	for _, hints := range q.stored(t) {
		for _, h := range hints {
			got[h.Registration] += len(h.Rows)
		}
	}
	if diff := cmp.Diff(map[string]int{"r1": 1, "r2": 1}, got); diff != "" {
		t.Errorf("rows stored (-want +got):\n%s", diff)
	}
}

// TestPutWithoutServer: what cannot be stored is an error, and hints that come
// in later are stored again.
func TestPutWithoutServer(t *testing.T) {
	t.Parallel()
	q := newQueue(t, 1, inbox.Options{})
	s, err := q.js.Stream(t.Context(), inbox.StreamName)
	must(t, err)
	cfg := s.CachedInfo().Config
	cfg.MaxMsgSize = 10 // nothing fits
	_, err = q.js.UpdateStream(t.Context(), cfg)
	must(t, err)
	if err := q.Put(t.Context(), rows(1)); err == nil {
		t.Error("got no error for a hint that the server does not store")
	}
	cfg.MaxMsgSize = -1
	_, err = q.js.UpdateStream(t.Context(), cfg)
	must(t, err)
	must(t, q.Put(t.Context(), rows(2)))
}

// TestPutTooLarge: bundles are bounded, and a hint that is larger than any is
// about the whole sheet.
func TestPutTooLarge(t *testing.T) {
	t.Parallel()
	q := newQueue(t, 1, inbox.Options{})
	huge := rows()
	for i := range int64(inbox.MaxRows) {
		huge.Rows[i+1] = inbox.Row{By: []inbox.Agent{{Name: strings.Repeat("\x01", 700), Columns: []int64{0}}}}
	}
	large := rows()
	for i := range int64(inbox.MaxRows) {
		large.Rows[i+1] = inbox.Row{By: []inbox.Agent{{Name: strings.Repeat("\x01", 40), Columns: []int64{0}}}}
	}
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			if err := q.Put(t.Context(), huge); err != nil {
				t.Error(err)
			}
		})
		wg.Go(func() {
			mine := *large
			if err := q.Put(t.Context(), of(fmt.Sprint("l", i), &mine)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for _, hints := range q.stored(t) {
		text, err := json.Marshal(hints)
		must(t, err)
		if len(text) > 512<<10 {
			t.Errorf("got a bundle of %d bytes", len(text))
		}
		for _, h := range hints {
			if h.Registration == "r1" && !h.Whole {
				t.Errorf("got %d rows, want the whole sheet", len(h.Rows))
			}
		}
	}
}

func TestFull(t *testing.T) {
	t.Parallel()
	onEachLong(t, func(t *testing.T, q *queue) {
		small := q.another(t, inbox.Options{MaxBytes: 20_000})
		for n := 1; ; n++ {
			err := small.Put(t.Context(), rows(1, 2, 3))
			if errors.Is(err, inbox.ErrFull) {
				break
			}
			must(t, err)
			if n == 20_000/64 {
				t.Fatal("the queue takes more than it may")
			}
		}
		if got := q.stream(t).CachedInfo().State.Bytes; got > 20_000 {
			t.Errorf("got %d bytes in the queue", got)
		}
		// What is deferred gets in nevertheless, else nothing could be worked off.
		must(t, small.Defer(t.Context(), rows(9), inAnHour()))
		hints := handed(t, small)
		<-hints
		must(t, small.Idle(t.Context()))
		eventstest.AwaitNil(t, time.Minute, "the queue", func() error { return small.Put(t.Context(), rows(4)) })
		q.empty(t)
	})
}

func FuzzParseBundle(f *testing.F) {
	f.Add([]byte(`{"hints":[{"registration":"r1","why":"callback","rows":{"71":{}},"receivedAt":"2026-11-20T12:00:00Z"},null]}`))
	f.Add([]byte(`{"registration":"r1","why":"callback","whole":true,"clock":true}`))
	f.Add([]byte(`{"registration":"r1","every":1000000000,"whole":{"at":"2026-11-20T12:00:00Z","hint":null}}`))
	f.Add([]byte(`[]`))
	f.Fuzz(func(t *testing.T, data []byte) {
		hints, err := inbox.ParseBundle(data)
		if (err == nil) != (len(hints) > 0) {
			t.Fatalf("got %d hints and error %v", len(hints), err)
		}
		for _, h := range hints {
			if h == nil || h.Registration == "" {
				t.Fatalf("got %+v, want a hint of a registration", h)
			}
			h.Merge(rows(1))
			if len(h.Rows) > inbox.MaxRows {
				t.Fatalf("got %d rows", len(h.Rows))
			}
		}
	})
}
