package stream_test

import (
	"errors"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats.go"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/events/stream"
)

// slowLink returns the address of a proxy to a server, with so many bytes a
// second in each direction.
func slowLink(t *testing.T, to string, rate int) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", to)
			if err != nil {
				_ = client.Close()
				continue
			}
			wg.Go(func() { carry(client, server, rate) })
			wg.Go(func() { carry(server, client, rate) })
		}
	})
	t.Cleanup(func() { // after the connections, which end it
		_ = l.Close()
		wg.Wait()
	})
	return l.Addr().String()
}

// carry copies until one of the two is closed. It takes in what comes at once, as
// the buffers of a slow link do.
func carry(to, from net.Conn, rate int) {
	defer func() { _, _ = to.Close(), from.Close() }()
	waiting := make(chan []byte, 1<<16)
	go func() {
		defer close(waiting)
		for {
			part := make([]byte, rate/100)
			n, err := from.Read(part)
			if err != nil {
				return
			}
			waiting <- part[:n]
		}
	}()
	for part := range waiting {
		<-time.After(time.Duration(len(part)) * time.Second / time.Duration(rate))
		if _, err := to.Write(part); err != nil {
			return
		}
	}
}

func wideEvent(t testing.TB, sh *events.Share, row int64, size int) events.Event {
	t.Helper()
	text := []byte(`"` + strings.Repeat("x", size) + `"`)
	e, err := sh.ObjectEvent(events.KindRow, row, "created", time.Now(), events.ObjectData{After: events.Object{{Name: "v", JSON: text}}})
	must(t, err)
	return e
}

const slow = 6e6 / 8 // bytes a second

// TestSlowLink publishes and reads over a connection of 6 Mbit/s what takes
// longer than the time-out of one request.
func TestSlowLink(t *testing.T) {
	t.Parallel()
	server := newTailed(t)
	address := slowLink(t, strings.TrimPrefix(server.broker.URL(), "nats://"), slow)
	open := func(t *testing.T, url string) *stream.Stream {
		s, err := stream.Open(t.Context(), server.connectTo(url, func(*jwt.UserClaims) {}), "acme", stream.Options{})
		must(t, err)
		return s
	}
	t.Run("last messages", func(t *testing.T) {
		t.Parallel()
		const rows = 500
		sh := testShare("read")
		w := begin(t, open(t, server.broker.URL()), sh)
		for row := range int64(rows) {
			must(t, w.Add(wideEvent(t, sh, row+1, 5000)))
		}
		_, err := w.Flush(t.Context(), time.Now(), events.StatusData{})
		must(t, err)
		if got := seen(t, open(t, "nats://"+address), sh, rows, w.Since()); len(got) != rows {
			t.Errorf("got %d objects, want %d", len(got), rows)
		}
	})
	t.Run("a batch", func(t *testing.T) {
		t.Parallel()
		const rows = 700
		sh := testShare("publish")
		w := begin(t, open(t, "nats://"+address), sh)
		for row := range int64(rows) {
			must(t, w.Add(wideEvent(t, sh, row+1, 10_000)))
		}
		stored, err := w.Flush(t.Context(), time.Now(), events.StatusData{})
		must(t, err)
		if stored[events.RowCreated] != rows {
			t.Errorf("got %v stored, want %d", stored, rows)
		}
	})
}

// TestAnswerInParts reads what one answer is too small for, objects larger than
// an answer too.
func TestAnswerInParts(t *testing.T) {
	t.Parallel()
	eachKind(t, func(t *testing.T, s *stream.Stream) {
		const rows = 30
		sh := testShare("orders")
		w := begin(t, s, sh)
		size := func(row int64) int { return 200_000 + int(row%10)*50_000 }
		for row := range int64(rows) {
			must(t, w.Add(wideEvent(t, sh, row+1, size(row))))
		}
		_, err := w.Flush(t.Context(), time.Now(), events.StatusData{})
		must(t, err)
		requests, err := s.Conn().SubscribeSync("$JS.API.DIRECT.GET." + stream.Name)
		must(t, err)
		found := seen(t, s, sh, rows, w.Since())
		for row := range int64(rows) {
			got := found[sh.SubjectOf(events.KindRow, row+1)]
			if got == nil || len(got.After.Get("v")) != size(row)+2 {
				t.Errorf("row %d is not whole", row+1)
			}
		}
		must(t, s.Conn().Flush())
		if n, _, _ := requests.Pending(); n < 10 {
			t.Errorf("got %d requests for 12 MB, want parts of 1 MiB", n)
		}
	})
}

// TestFewEventsIntoFullStream: what is stored of events that go one by one is
// what stands there, and there is an error that says why not all are.
func TestFewEventsIntoFullStream(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]stream.Options{"stream": {Storage: 64 << 10}, "account": {}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, limit := limitedStream(t, o)
			sh := testShare("orders")
			w := begin(t, s, sh)
			row, stored := int64(0), 0
			few := func() error {
				for range 5 {
					row++
					must(t, w.Add(wideEvent(t, sh, row, 2000)))
				}
				published, err := w.Flush(t.Context(), time.Now(), events.StatusData{})
				stored += published[events.RowCreated]
				return err
			}
			var err error
			for err == nil && row < 100 {
				err = few()
			}
			if !errors.Is(err, stream.ErrFull) || w.Held() {
				t.Fatalf("got %v, lock held %t, want that it is full, and no lock", err, w.Held())
			}
			found := seen(t, s, sh, int(row), 0)
			if n := len(found); n < stored || n >= int(row) {
				t.Errorf("%d of %d objects are stored, want the %d that were acknowledged and not all", n, row, stored)
			}
			limit(1 << 20)
			must(t, w.Acquire(t.Context(), time.Now(), events.StatusData{}))
			must(t, few())
		})
	}
}

// TestNoStream: nobody answers for a stream that is gone, and each request says so.
func TestNoStream(t *testing.T) {
	t.Parallel()
	s, sh := newStream(t, "acme"), testShare("orders")
	w := begin(t, s, sh)
	must(t, s.Delete(t.Context()))
	for row := range int64(3) {
		must(t, w.Add(rowEvent(t, sh, row+1)))
	}
	if _, err := w.Flush(t.Context(), time.Now(), events.StatusData{}); !errors.Is(err, nats.ErrNoResponders) {
		t.Errorf("publishing: got %v", err)
	}
	if _, err := s.State(t.Context(), sh, nil); !errors.Is(err, nats.ErrNoResponders) {
		t.Errorf("reading: got %v", err)
	}
}

// TestFirstSequence is the lowest under a filter, 0 for none.
func TestFirstSequence(t *testing.T) {
	t.Parallel()
	eachKind(t, func(t *testing.T, s *stream.Stream) {
		a, b := testShare("a"), testShare("b")
		begin(t, s, a)
		w := begin(t, s, b)
		caughtUp(t, s, b)
		for filter, want := range map[string]uint64{
			a.SubjectAll(): 1, b.SubjectAll(): 3, b.SubjectStatus(): w.Lock(), a.SubjectKind(events.KindRow): 0,
		} {
			if got, err := s.FirstSequence(t.Context(), filter); err != nil || got != want {
				t.Errorf("%s: got %d, error %v, want %d", filter, got, err, want)
			}
		}
	})
}
