package stream_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/events/broker"
	"github.com/sheetbridge/sheetbridge/events/eventstest"
	"github.com/sheetbridge/sheetbridge/events/seal"
	"github.com/sheetbridge/sheetbridge/events/stream"
)

// newStream returns the stream of a partner on a server of its own.
func newStream(t testing.TB, partner string) *stream.Stream {
	t.Helper()
	ctx := context.Background()
	b, err := broker.Start(ctx, broker.Options{Dir: t.TempDir(), Master: seal.NewMasterKey(), Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	account, err := broker.NewAccount(partner)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.PutAccount(ctx, partner, account); err != nil {
		t.Fatal(err)
	}
	nc, err := b.Connect(ctx, partner, account)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		nc.Close()
		if err := b.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	s, err := stream.Open(ctx, nc, partner, stream.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// sheet is the truth that writers read: rows by id with one value, 0 for none.
type sheet struct {
	mu      sync.Mutex
	version int64
	rows    []int
}

func (s *sheet) set(row, value int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.version++
	s.rows[row] = value
}

func (s *sheet) read() (int64, []int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.version, append([]int(nil), s.rows...)
}

func object(value int) events.Object {
	if value == 0 {
		return nil
	}
	return events.Object{{Name: "v", JSON: json.RawMessage(fmt.Sprint(value))}}
}

func testShare(name string) *events.Share {
	return &events.Share{Partner: "acme", Sheet: name, SheetID: 7, Region: "us", Revision: 1,
		Fields: []events.Field{{Name: "v", ColumnID: 1, Type: "TEXT_NUMBER"}}, Kinds: []events.Kind{events.KindRow}}
}

// schema is what a share's schema says.
func schema(sh *events.Share) events.SchemaData {
	return events.SchemaData{Revision: sh.Revision, Schema: sh.Schema()}
}

// begin publishes the schema, as the first message of any share, and a status.
func begin(t rapid.TB, s *stream.Stream, sh *events.Share) *stream.Writer {
	w := s.NewWriter(sh, 0)
	if err := w.Begin(context.Background(), time.Now(), schema(sh), events.StatusData{State: events.StateLoading}); err != nil {
		t.Fatal(err)
	}
	return w
}

// errOutdated says that the share has a newer definition than the writer.
var errOutdated = errors.New("the share has a newer definition")

// writer publishes what a sheet shows, in the steps of a pass. It can be
// stopped between any two of them.
type writer struct {
	stream *stream.Stream
	share  *events.Share
	sheet  *sheet
	pause  func(step int)
	known  *stream.State
	whole  bool // it says how far the share is complete, also where nothing differs
}

// The steps of a pass, by what was done before.
const (
	afterState = iota
	afterReading
	afterComparing
	afterAcquiring
	afterLast
	afterFlush
	steps
)

func (w *writer) pass(ctx context.Context) error {
	st, err := w.stream.State(ctx, w.share, w.known)
	if err != nil {
		return err
	}
	w.known = st
	if st.Schema != nil && st.Schema.Revision > w.share.Revision {
		return errOutdated
	}
	w.pause(afterState)
	version, rows := w.sheet.read()
	w.pause(afterReading)
	same := st.Schema != nil && st.Schema.Revision == w.share.Revision
	evs, err := w.compare(ctx, version, rows, st.Lock)
	if err != nil || !w.whole && same && len(slices.Concat(evs...)) == 0 {
		return err
	}
	w.pause(afterComparing)
	out := w.stream.NewWriter(w.share, st.Lock)
	if err := w.acquire(ctx, out, same); err != nil {
		return err
	}
	w.pause(afterAcquiring)
	if evs, err = w.compare(ctx, version, rows, out.Since()); err != nil {
		return err
	}
	w.pause(afterLast)
	status := events.StatusData{State: events.StateLive, Revision: w.share.Revision}
	for half := range slices.Chunk(evs, 2) { // more than once
		all := slices.Concat(half...)
		for _, e := range all {
			if err := out.Add(e); err != nil {
				return err
			}
		}
		if len(all) > 0 {
			if _, err := out.Flush(ctx, time.Now(), status); err != nil {
				return err
			}
		}
		w.pause(afterFlush)
	}
	return nil
}

func (w *writer) acquire(ctx context.Context, out *stream.Writer, same bool) error {
	status := events.StatusData{State: events.StateLive, Revision: w.share.Revision}
	if same {
		return out.Acquire(ctx, time.Now(), status)
	}
	return out.Begin(ctx, time.Now(), schema(w.share), status)
}

// compare returns the events of each row. They name the revision as their change
// agent.
func (w *writer) compare(ctx context.Context, version int64, rows []int, since uint64) ([][]events.Event, error) {
	var subjects []string
	for row := range rows {
		subjects = append(subjects, w.share.SubjectOf(events.KindRow, int64(row+1)))
	}
	last, err := w.stream.Last(ctx, w.share, subjects, since)
	if err != nil {
		return nil, err
	}
	evs := make([][]events.Event, len(rows))
	for row, value := range rows {
		if evs[row], err = w.share.Compare(last[subjects[row]], events.Reading{
			Kind: events.KindRow, ID: int64(row + 1), Version: version, Time: time.Now(),
			Row: &events.RowRef{ID: int64(row + 1)}, Now: object(value), Reason: events.ReasonDeleted, Origin: events.OriginCallback,
			ChangeAgent: []string{fmt.Sprint(w.share.Revision)},
		}); err != nil {
			return nil, err
		}
	}
	return evs, nil
}

// settle passes until one was not overtaken.
func (w *writer) settle(ctx context.Context) error {
	for {
		err := w.pass(ctx)
		if !errors.Is(err, stream.ErrLostRace) && !errors.Is(err, stream.ErrLag) {
			return err
		}
	}
}

// checkChain asserts promises 2 and 3 on every subject of a share, and that its
// last state is the sheet's.
func checkChain(t rapid.TB, s *stream.Stream, sh *events.Share, truth *sheet) {
	before, version, revision := map[string]*events.Seen{}, map[string]int64{}, int64(0)
	prefix := strings.TrimSuffix(sh.SubjectAll(), ">")
	err := all(t, s, func(seq uint64, subject string, data []byte) error {
		if subject == sh.SubjectSchema() {
			now, err := revisionOf(data)
			if now <= revision {
				return fmt.Errorf("revision %d at %d comes after %d", now, seq, revision)
			}
			revision = now
			return err
		}
		if _, _, ok := events.ParseSubject(subject); !ok || !strings.HasPrefix(subject, prefix) {
			return nil
		}
		seen, err := events.ParseSeen(data, seq)
		if err != nil {
			return err
		}
		var e struct {
			Data struct {
				Before      events.Object `json:"before"`
				ChangeAgent []string      `json:"changeAgent"`
			} `json:"data"`
		}
		if err := json.Unmarshal(data, &e); err != nil {
			return err
		}
		was := before[subject]
		switch {
		case !slices.Equal(e.Data.ChangeAgent, []string{fmt.Sprint(revision)}):
			return fmt.Errorf("%s at %d: a writer of revision %s, want %d", subject, seq, e.Data.ChangeAgent, revision)
		case was == nil && e.Data.Before != nil, was != nil && !was.After.Equal(e.Data.Before):
			return fmt.Errorf("%s at %d: before is not the after of the event before it", subject, seq)
		case was != nil && was.After.Equal(seen.After):
			return fmt.Errorf("%s at %d: nothing changed", subject, seq)
		case seen.Version < version[subject]:
			return fmt.Errorf("%s at %d: version fell from %d to %d", subject, seq, version[subject], seen.Version)
		}
		before[subject], version[subject] = seen, seen.Version
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	_, rows := truth.read()
	for row, value := range rows {
		seen := before[sh.SubjectOf(events.KindRow, int64(row+1))]
		if seen == nil {
			seen = &events.Seen{}
		}
		if !seen.After.Equal(object(value)) {
			t.Fatalf("row %d: published %v, want %v", row+1, seen.After, object(value))
		}
	}
}

// all calls the function with every message, once the copy that answers has the
// last one.
func all(t rapid.TB, s *stream.Stream, f func(seq uint64, subject string, data []byte) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), eventstest.Patience)
	defer cancel()
	last, err := s.LastSequence(ctx)
	for read := uint64(0); err == nil && read < last; {
		err = s.All(ctx, func(seq uint64, _ string, _ []byte) error { read = seq; return nil })
	}
	if err != nil {
		t.Fatal(err)
	}
	return s.All(ctx, f)
}

// caughtUp waits until the copy that answers has all that there is.
func caughtUp(t rapid.TB, s *stream.Stream, sh *events.Share) {
	ctx, cancel := context.WithTimeout(context.Background(), eventstest.Patience)
	defer cancel()
	last, err := s.LastSequence(ctx)
	for err == nil || errors.Is(err, stream.ErrLag) {
		if _, err = s.Last(ctx, sh, []string{sh.SubjectSchema()}, last); err == nil {
			return
		}
	}
	t.Fatal(err)
}

func revisionOf(data []byte) (int64, error) {
	var e struct {
		Data events.SchemaData `json:"data"`
	}
	err := json.Unmarshal(data, &e)
	return e.Data.Revision, err
}

// TestWriterStoppedAtTheWorstMoment stops one writer at each step of its pass
// while another one passes.
func TestWriterStoppedAtTheWorstMoment(t *testing.T) {
	s := newStream(t, "acme")
	for step := range steps {
		sh, truth := testShare(fmt.Sprintf("step-%d", step)), &sheet{rows: make([]int, 4)}
		begin(t, s, sh)
		truth.set(0, 1)
		truth.set(3, 1)
		other := &writer{stream: s, share: sh, sheet: truth, pause: func(int) {}}
		stopped := false
		slow := &writer{stream: s, share: sh, sheet: truth, pause: func(at int) {
			if at == step && !stopped {
				stopped = true
				truth.set(0, 2)
				truth.set(1, 2)
				if err := other.settle(t.Context()); err != nil {
					t.Fatal(err)
				}
				truth.set(2, 3)
			}
		}}
		want := stream.ErrLostRace
		if step == afterReading || step == afterAcquiring {
			want = nil // it finds newer versions published and has nothing to say
		}
		if err := slow.pass(t.Context()); !errors.Is(err, want) {
			t.Errorf("stopped at step %d: got %v, want %v", step, err, want)
		}
		if err := slow.settle(t.Context()); err != nil {
			t.Fatal(err)
		}
		checkChain(t, s, sh, truth)
	}
}

// TestWritersProperty lets several writers fight over one share while the sheet
// changes.
func TestWritersProperty(t *testing.T) {
	s := newStream(t, "acme")
	n := 0
	eventstest.Property(t, 10, func(t *rapid.T) {
		n++
		sh := testShare(fmt.Sprintf("share-%d", n))
		truth := &sheet{rows: make([]int, rapid.IntRange(1, 6).Draw(t, "rows"))}
		edits := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) [2]int {
			return [2]int{rapid.IntRange(0, len(truth.rows)-1).Draw(t, "row"), rapid.IntRange(0, 3).Draw(t, "value")}
		}), 1, 15).Draw(t, "edits")
		begin(t, s, sh)
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		var wg sync.WaitGroup
		done := make(chan struct{})
		errs := make(chan error, 8)
		for range rapid.IntRange(2, 4).Draw(t, "writers") {
			w := &writer{stream: s, share: sh, sheet: truth, pause: func(int) {}}
			wg.Go(func() {
				for {
					select {
					case <-done:
						return
					default:
					}
					if err := w.settle(ctx); err != nil {
						errs <- err
						return
					}
				}
			})
		}
		for _, e := range edits {
			truth.set(e[0], e[1])
		}
		// One that publishes nothing does not stop another that has read before it.
		last := &writer{stream: s, share: sh, sheet: truth, pause: func(int) {}, whole: true}
		if err := last.settle(ctx); err != nil {
			t.Fatal(err)
		}
		close(done)
		wg.Wait()
		select {
		case err := <-errs:
			t.Fatal(err)
		default:
		}
		checkChain(t, s, sh, truth)
	})
}
