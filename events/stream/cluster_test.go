package stream_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/events/eventstest"
	"github.com/sheetbridge/sheetbridge/events/freeport"
	"github.com/sheetbridge/sheetbridge/events/stream"
)

// newCluster returns a partner's stream of three copies, over a connection to
// each of the three servers: each answers from its own copy.
func newCluster(t testing.TB) []*stream.Stream {
	t.Helper()
	servers := make([]*server.Server, 3)
	routes := freePorts(t, len(servers))
	urls := ""
	for _, port := range routes {
		urls += fmt.Sprintf("nats://127.0.0.1:%d,", port)
	}
	for i := range servers {
		s, err := server.NewServer(&server.Options{
			ServerName: fmt.Sprint("s", i), Host: "127.0.0.1", Port: -1, NoSigs: true, NoLog: true,
			JetStream: true, StoreDir: t.TempDir(),
			Cluster: server.ClusterOpts{Name: "c", Host: "127.0.0.1", Port: routes[i]},
			Routes:  server.RoutesFromStr(urls[:len(urls)-1]),
		})
		must(t, err)
		s.Start()
		t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
		servers[i] = s
	}
	eventstest.Await(t, "the cluster has a leader", func() bool {
		for _, s := range servers {
			if s.JetStreamIsLeader() {
				return len(s.JetStreamClusterPeers()) == len(servers)
			}
		}
		return false
	})
	streams := make([]*stream.Stream, len(servers))
	for i, s := range servers {
		nc, err := nats.Connect(s.ClientURL())
		must(t, err)
		t.Cleanup(nc.Close)
		eventstest.Await(t, "the stream is made", func() bool {
			streams[i], err = stream.Open(t.Context(), nc, "acme", stream.Options{Replicas: 3})
			return err == nil
		})
	}
	eventstest.Await(t, "all copies answer", func() bool {
		for _, s := range streams {
			if _, err := s.Lock(t.Context(), testShare("orders")); err != nil {
				return false
			}
		}
		return true
	})
	return streams
}

func freePorts(t testing.TB, n int) []int {
	t.Helper()
	ports := make([]int, n)
	for i := range ports {
		var err error
		ports[i], err = freeport.Take()
		must(t, err)
	}
	return ports
}

// eachKind calls the function for a stream of one copy and for one of three.
func eachKind(t *testing.T, f func(t *testing.T, s *stream.Stream)) {
	t.Run("one copy", func(t *testing.T) {
		t.Parallel()
		f(t, newStream(t, "acme"))
	})
	t.Run("three copies", func(t *testing.T) {
		t.Parallel()
		f(t, newCluster(t)[1])
	})
}

// TestFlush publishes a few events one by one where that is cheaper, and more as
// batches; who lost the race publishes none in either form.
func TestFlush(t *testing.T) {
	t.Parallel()
	eachKind(t, func(t *testing.T, s *stream.Stream) {
		for _, n := range []int{1, 3, 8, 9, 50} {
			sh := testShare(fmt.Sprint("share-", n))
			w := begin(t, s, sh)
			for row := range int64(n) {
				must(t, w.Add(rowEvent(t, sh, row+1)))
			}
			stored, err := w.Flush(t.Context(), time.Now(), events.StatusData{})
			must(t, err)
			if stored[events.RowCreated] != n || len(seen(t, s, sh, n, w.Since())) != n {
				t.Errorf("%d events: got %v stored", n, stored)
			}

			other := s.NewWriter(sh, w.Lock())
			must(t, other.Acquire(t.Context(), time.Now(), events.StatusData{}))
			last, err := s.LastSequence(t.Context())
			must(t, err)
			for row := range int64(n) {
				must(t, w.Add(rowEvent(t, sh, row+1)))
			}
			if _, err := w.Flush(t.Context(), time.Now(), events.StatusData{}); !errors.Is(err, stream.ErrLostRace) {
				t.Errorf("%d events of who lost the race: got %v, want %v", n, err, stream.ErrLostRace)
			}
			must(t, other.Add(rowEvent(t, sh, int64(n+1))))
			_, err = other.Flush(t.Context(), time.Now(), events.StatusData{})
			must(t, err)
			if other.Since() != last+2 { // the event and a status
				t.Errorf("%d events of who lost the race: the next ends at %d, want %d", n, other.Since(), last+2)
			}
			if _, err := w.Flush(t.Context(), time.Now(), events.StatusData{}); !errors.Is(err, stream.ErrLostRace) || w.Held() {
				t.Errorf("a writer that lost the race holds the lock: %t, or publishes a status: %v", w.Held(), err)
			}
		}
	})
}

// seen are the objects that a share shows of its first n rows.
func seen(t testing.TB, s *stream.Stream, sh *events.Share, n int, since uint64) map[string]*events.Seen {
	t.Helper()
	subjects := make([]string, n)
	for i := range subjects {
		subjects[i] = sh.SubjectOf(events.KindRow, int64(i+1))
	}
	var found map[string]*events.Seen
	eventstest.Await(t, "the copy has caught up", func() bool {
		var err error
		if found, err = s.Last(t.Context(), sh, subjects, since); errors.Is(err, stream.ErrLag) {
			return false
		}
		must(t, err)
		return true
	})
	return found
}

// TestFlushForm: one copy stores a few events one by one, more in a batch; three
// copies refuse to store them one by one.
func TestFlushForm(t *testing.T) {
	t.Parallel()
	s, sh := newStream(t, "acme"), testShare("orders")
	w := begin(t, s, sh)
	for _, n := range []int{3, 9} {
		for row := range int64(n) {
			must(t, w.Add(rowEvent(t, sh, row+1)))
		}
		_, err := w.Flush(t.Context(), time.Now(), events.StatusData{})
		must(t, err)
	}
	if got := fmt.Sprint(batches(t, s)); got != "[2 1 1 1 1 10]" {
		t.Errorf("got %s, want the schema with a status, three and a status by themselves, and a batch with its status", got)
	}
}

// TestChainOfOneObject: two events of one object keep their order.
func TestChainOfOneObject(t *testing.T) {
	t.Parallel()
	eachKind(t, func(t *testing.T, s *stream.Stream) {
		sh := testShare("orders")
		w := begin(t, s, sh)
		for version := range int64(2) {
			e, err := sh.ObjectEvent(events.KindRow, 1, "updated", time.Now(), events.ObjectData{
				Sheet: events.SheetRef{Version: version + 1}, After: object(int(version + 1))})
			must(t, err)
			must(t, w.Add(e))
		}
		_, err := w.Flush(t.Context(), time.Now(), events.StatusData{})
		must(t, err)
		if got := seen(t, s, sh, 1, w.Since())[sh.SubjectOf(events.KindRow, 1)]; got == nil || got.Version != 2 {
			t.Errorf("got %+v, want the second", got)
		}
	})
}

// TestCopiesThatLag: no copy gives a state or an object that is older than what
// was asked for, and none gives a schema older than the lock beside it.
func TestCopiesThatLag(t *testing.T) {
	t.Parallel()
	copies, sh := newCluster(t), testShare("orders")
	w := begin(t, copies[0], sh)
	subject := sh.SubjectOf(events.KindRow, 1)
	for n := range int64(eventstest.Times(25, 100)) {
		sh := *sh
		sh.Revision = n + 2
		w = copies[0].NewWriter(&sh, w.Lock())
		must(t, w.Begin(t.Context(), time.Now(), schema(&sh), events.StatusData{Revision: sh.Revision}))
		e, err := sh.ObjectEvent(events.KindRow, 1, "updated", time.Now(), events.ObjectData{
			Sheet: events.SheetRef{Version: n + 1}, After: object(1)})
		must(t, errors.Join(err, w.Add(e)))
		_, err = w.Flush(t.Context(), time.Now(), events.StatusData{})
		must(t, err)
		for i, s := range copies {
			st, err := s.State(t.Context(), &sh, nil)
			if err == nil && st.Schema != nil && st.Status != nil && st.Schema.Revision < st.Status.Revision {
				t.Errorf("copy %d: schema of revision %d beside a status of %d", i, st.Schema.Revision, st.Status.Revision)
			}
			if err != nil && !errors.Is(err, stream.ErrLag) {
				t.Fatal(err)
			}
			last, err := s.Last(t.Context(), &sh, []string{subject}, w.Since())
			if err == nil && (last[subject] == nil || last[subject].Version != n+1) {
				t.Errorf("copy %d: got %+v, want version %d", i, last[subject], n+1)
			}
			if err != nil && !errors.Is(err, stream.ErrLag) {
				t.Fatal(err)
			}
		}
	}
}
