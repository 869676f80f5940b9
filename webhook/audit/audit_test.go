package audit_test

import (
	"encoding/json"
	"errors"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/sheetbridge/sheetbridge/events/eventstest"
	"github.com/sheetbridge/sheetbridge/events/eventstest/natstest"
	"github.com/sheetbridge/sheetbridge/events/seal"
	"github.com/sheetbridge/sheetbridge/webhook/audit"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestMain(m *testing.M) { os.Exit(natstest.Main(m)) }

type store struct {
	nc     *nats.Conn
	js     jetstream.JetStream
	master seal.MasterKey
	first  uint64 // sequence of what forge leaves; 0 is 1
}

func newStore(t *testing.T) *store {
	t.Helper()
	nc := natstest.One.Connect(t)[0]
	js, err := jetstream.New(nc, jetstream.WithDefaultTimeout(eventstest.Patience))
	must(t, err)
	return &store{nc: nc, js: js, master: seal.NewMasterKey()}
}

func (s *store) open(t *testing.T) *audit.Log {
	t.Helper()
	var l *audit.Log
	eventstest.AfterDeletion(t, func() (err error) { l, err = audit.Open(t.Context(), s.nc, audit.Key(s.master), 1); return err })
	return l
}

func TestEntriesOfManyReplicasMakeOneChain(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	var working sync.WaitGroup
	for _, who := range []string{"alice", "bob", "ci"} {
		l := s.open(t)
		working.Go(func() {
			for range 20 {
				if err := l.Append(audit.As(t.Context(), who), "POST /v1/owners", "/v1/owners", audit.Begun, nil); err != nil {
					t.Error(err)
				}
			}
		})
	}
	working.Wait()
	l := s.open(t)
	report, err := l.Verify(t.Context())
	must(t, err)
	if !report.Intact || report.Entries != 60 || report.Sequence != 60 {
		t.Errorf("got %+v, want 60 entries in one chain", report)
	}
	by := map[string]int{}
	page, err := l.List(t.Context(), 0, 40)
	must(t, err)
	rest, err := l.List(t.Context(), page[39].Sequence, 40)
	must(t, err)
	if len(rest) != 20 || page[0].Sequence != 60 || rest[19].Sequence != 1 {
		t.Errorf("got pages of %d and %d, want 40 and 20, newest first", len(page), len(rest))
	}
	for _, e := range append(page, rest...) {
		by[e.Who]++
	}
	if by["alice"] != 20 || by["bob"] != 20 || by["ci"] != 20 {
		t.Errorf("got %v, want 20 of each", by)
	}
}

func TestNothingIsDeleted(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	must(t, s.open(t).Append(t.Context(), "x", "y", audit.Done, nil))
	stream, err := s.js.Stream(t.Context(), audit.StreamName)
	must(t, err)
	if err := stream.DeleteMsg(t.Context(), 1); err == nil {
		t.Error("an entry was deleted")
	}
	if err := stream.Purge(t.Context()); err == nil {
		t.Error("the log was purged")
	}
}

// forge replaces the log by one with the messages, as somebody with the store in
// hand can.
func (s *store) forge(t *testing.T, change func([]*nats.Msg) []*nats.Msg) {
	t.Helper()
	stream, err := s.js.Stream(t.Context(), audit.StreamName)
	must(t, err)
	var messages []*nats.Msg
	for i := uint64(1); i <= stream.CachedInfo().State.LastSeq; i++ {
		m, err := stream.GetMsg(t.Context(), i)
		must(t, err)
		m.Header.Del(nats.ExpectedLastSeqHdr)
		messages = append(messages, &nats.Msg{Subject: m.Subject, Header: m.Header, Data: m.Data})
	}
	config := stream.CachedInfo().Config
	config.FirstSeq = max(s.first, 1)
	must(t, s.js.DeleteStream(t.Context(), audit.StreamName))
	eventstest.AfterDeletion(t, func() error { _, err := s.js.CreateStream(t.Context(), config); return err })
	for _, m := range change(messages) {
		_, err := s.js.PublishMsg(t.Context(), m)
		must(t, err)
	}
}

func TestTamperingIsFound(t *testing.T) {
	t.Parallel()
	foreign := newStore(t)
	for i := range 5 {
		must(t, foreign.open(t).Append(t.Context(), "forged", string(rune('a'+i)), audit.Done, nil))
	}
	var forged *nats.Msg
	foreign.forge(t, func(m []*nats.Msg) []*nats.Msg { forged = m[2]; return nil })
	tests := map[string]struct {
		change func([]*nats.Msg) []*nats.Msg
		at     uint64 // first finding
	}{
		"changed": {func(m []*nats.Msg) []*nats.Msg {
			m[2].Data = []byte(strings.Replace(string(m[2].Data), "alice", "mallo", 1))
			return m
		}, 3},
		"left out":                 {func(m []*nats.Msg) []*nats.Msg { return append(m[:2], m[3:]...) }, 3},
		"first left out":           {func(m []*nats.Msg) []*nats.Msg { return m[1:] }, 1},
		"swapped":                  {func(m []*nats.Msg) []*nats.Msg { m[2], m[3] = m[3], m[2]; return m }, 3},
		"twice":                    {func(m []*nats.Msg) []*nats.Msg { return append(m[:3], append([]*nats.Msg{m[2]}, m[3:]...)...) }, 4},
		"written with another key": {func(m []*nats.Msg) []*nats.Msg { m[2] = forged; return m }, 3},
		"no JSON":                  {func(m []*nats.Msg) []*nats.Msg { m[4].Data = []byte("x"); return m }, 5},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := newStore(t)
			l := s.open(t)
			for i := range 5 {
				must(t, l.Append(audit.As(t.Context(), "alice"), "share added", string(rune('a'+i)), audit.Changed, map[string]int{"n": i}))
			}
			s.forge(t, test.change)
			report, err := s.open(t).Verify(t.Context())
			must(t, err)
			if report.Intact || report.Broken[0].Sequence != test.at {
				t.Errorf("got %+v, want entry %d found", report, test.at)
			}
		})
	}
}

// TestAllOfALongLogIsRead has more entries than are read at once, and more that
// are wrong than a report holds: it is still told of the last one.
func TestAllOfALongLogIsRead(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	l := s.open(t)
	const entries = 230
	for range entries {
		must(t, l.Append(t.Context(), "x", "y", audit.Done, nil))
	}
	whole, err := l.Verify(t.Context())
	must(t, err)
	head, err := l.List(t.Context(), 0, 1)
	must(t, err)
	if !whole.Intact || whole.Entries != entries || whole.Sequence != entries || whole.Hash != head[0].Hash {
		t.Errorf("got %+v, want %d entries and the last one's hash %s", whole, entries, head[0].Hash)
	}
	s.forge(t, func(m []*nats.Msg) []*nats.Msg {
		for i := range 120 {
			m[i].Data = append(m[i].Data, ' ')
		}
		return m
	})
	broken, err := s.open(t).Verify(t.Context())
	must(t, err)
	if len(broken.Broken) != 100 || broken.Sequence != entries || broken.Hash != head[0].Hash {
		t.Errorf("got %d findings up to entry %d, hash %s, want 100, %d and %s", len(broken.Broken), broken.Sequence, broken.Hash, entries, head[0].Hash)
	}
}

func TestMissingEntriesAreFound(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	l := s.open(t)
	for range 5 {
		must(t, l.Append(t.Context(), "x", "y", audit.Done, nil))
	}
	s.first = 4
	s.forge(t, func(m []*nats.Msg) []*nats.Msg { return m[3:] })
	report, err := s.open(t).Verify(t.Context())
	must(t, err)
	if len(report.Broken) != 4 || report.Broken[2].Why != "the entry is missing" || report.Broken[3].Sequence != 4 || report.Sequence != 5 {
		t.Errorf("got %+v, want entries 1 to 3 missing and 4 that does not follow", report)
	}
}

func TestTheHeadTellsWhatWasCutOff(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	l := s.open(t)
	for range 3 {
		must(t, l.Append(t.Context(), "x", "y", audit.Done, nil))
	}
	before, err := l.Verify(t.Context())
	must(t, err)
	s.forge(t, func(m []*nats.Msg) []*nats.Msg { return m[:2] })
	after, err := s.open(t).Verify(t.Context())
	must(t, err)
	if !after.Intact || after.Sequence >= before.Sequence || after.Hash == before.Hash {
		t.Errorf("got %+v after %+v, want another head", after, before)
	}
}

func TestWhatCannotBeKeptIsAnError(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	l := s.open(t)
	must(t, s.js.DeleteStream(t.Context(), audit.StreamName))
	if err := l.Append(t.Context(), "x", "y", audit.Done, nil); !errors.Is(err, audit.ErrNotWritten) {
		t.Errorf("without a stream: got %v, want ErrNotWritten", err)
	}
	if err := s.open(t).Append(t.Context(), "x", "y", audit.Done, func() {}); !errors.Is(err, audit.ErrNotWritten) {
		t.Errorf("details that are no JSON: got %v, want ErrNotWritten", err)
	}
}

func TestLargeDetailsAreNamedByTheirHash(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	l := s.open(t)
	must(t, l.Append(t.Context(), "x", "y", audit.Done, strings.Repeat("a", 1<<20)))
	list, err := l.List(t.Context(), 0, 1)
	must(t, err)
	var details struct {
		TooLarge int    `json:"tooLarge"`
		SHA256   string `json:"sha256"`
	}
	must(t, json.Unmarshal(list[0].Details, &details))
	if details.TooLarge != 1<<20+2 || len(details.SHA256) != 64 {
		t.Errorf("got details %s, want size and hash", list[0].Details)
	}
}

// Each entry's hash is told to whoever keeps logs: a chain that was wiped and begun
// again verifies, and has other hashes.
func TestHashesAreTold(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	told := map[uint64]string{}
	open := func() *audit.Log {
		l := s.open(t)
		l.OnAppend = func(e audit.Entry) { told[e.Sequence] = e.Hash }
		return l
	}
	l := open()
	for range 3 {
		must(t, l.Append(audit.Via(t.Context(), "192.0.2.7", "a-request"), "POST /v1/owners", "/v1/owners", audit.Begun, nil))
	}
	entries, err := l.List(t.Context(), 0, 10)
	must(t, err)
	for _, e := range entries {
		if told[e.Sequence] != e.Hash || e.Hash == "" || e.Client != "192.0.2.7" || e.Request != "a-request" {
			t.Errorf("got %+v, told was %q", e, told[e.Sequence])
		}
	}
	before := told[1]
	must(t, s.js.DeleteStream(t.Context(), audit.StreamName))
	l = open()
	must(t, l.Append(t.Context(), "POST /v1/owners", "/v1/owners", audit.Begun, nil))
	report, err := l.Verify(t.Context())
	must(t, err)
	if !report.Intact || told[1] == before {
		t.Errorf("got %+v, want a chain that verifies, and an entry 1 that differs from the one before", report)
	}
}
