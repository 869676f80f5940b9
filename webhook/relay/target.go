package relay

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/events/stream"
	"github.com/sheetbridge/sheetbridge/webhook/registry"
)

// target is one share's place in its partner's stream, as this process knows it.
// All passes of the process that work on the share use it, and so hold its lock
// together.
type target struct {
	turn   chan struct{} // holds one while the share is compared and published
	stream *stream.Stream
	state  *stream.State // never nil once stream is set
	writer *stream.Writer
	view   *events.View // of viewOf
	viewOf *events.Share
	purged uint64 // nothing of the share stands below it, though a copy of the stream may not know yet
	reset  uint64 // sequence of the schema whose reset is known to be finished

	// unknown is that what was published last may be stored only later: nothing can
	// be told from what stands there until the lock is acquired again.
	unknown bool

	compared comparedObjects

	attendance // how it keeps up
}

// enter waits for the share's turn, until the context ends. It is given back with
// leave.
func (t *target) enter(ctx context.Context) error {
	select {
	case t.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("waiting for another pass of the share: %w", ctx.Err())
	}
}

func (t *target) leave() { <-t.turn }

// targets are the targets of all shares, by their keys.
type targets struct {
	moments moments
	mu      sync.Mutex
	known   map[targetKey]*target
}

// targetKey tells a share from an earlier one of the same name.
type targetKey struct {
	share   string
	created time.Time
}

func (ts *targets) of(s *registry.Share) *target {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	if ts.known == nil {
		ts.known = map[targetKey]*target{}
	}
	key := targetKey{s.Key(), s.CreatedAt}
	t := ts.known[key]
	if t == nil {
		t = &target{turn: make(chan struct{}, 1), compared: comparedObjects{moments: &ts.moments}}
		ts.known[key] = t
	}
	return t
}

func (ts *targets) forget(s *registry.Share) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	delete(ts.known, targetKey{s.Key(), s.CreatedAt})
}

// use has the target work on the stream and reads how the share stands there. It
// must be the caller's turn.
func (t *target) use(ctx context.Context, st *stream.Stream, sh *events.Share) error {
	var known *stream.State
	if t.stream == st {
		known = t.state
	}
	state, err := st.State(ctx, sh, known)
	if err != nil {
		return err
	}
	if known == nil || t.writer == nil || state.Lock != known.Lock || !known.StatusAt.IsZero() && state != known {
		t.writer = st.NewWriter(sh, state.Lock)
		t.writer.Carry(state.Carried)
	}
	t.stream, t.state = st, state
	t.setLoaded(state.Loaded())
	return nil
}

// viewAs returns the view of a share, which is kept as long as its definition is
// the same. It must be the caller's turn.
func (t *target) viewAs(sh *events.Share, maskKey func() ([]byte, error)) (*events.View, error) {
	if t.view != nil && (t.viewOf == sh || t.viewOf.Revision == sh.Revision) {
		return t.view, nil
	}
	key, err := maskKey()
	if err != nil {
		return nil, err
	}
	view, err := events.NewView(*sh, key)
	if err != nil {
		return nil, err
	}
	t.view, t.viewOf = view, sh
	return view, nil
}

// published takes over a status that was stored.
func (t *target) published(status events.StatusData) {
	t.state = &stream.State{
		Lock: t.writer.Lock(), Status: &status, Carried: t.writer.Carried(),
		Schema: t.state.Schema, SchemaSeq: t.state.SchemaSeq, SchemaAt: t.state.SchemaAt,
	}
	t.setLoaded(t.state.Loaded())
}

// began takes over a schema and a status that were stored together.
func (t *target) began(schema events.SchemaData, status events.StatusData, at time.Time) {
	lock := t.writer.Lock()
	t.state = &stream.State{
		Lock: lock, Status: &status, Carried: t.writer.Carried(), Schema: &schema, SchemaSeq: lock - 1, SchemaAt: at,
	}
	t.setLoaded(false)
}

// lostRace tells whether an error may mean that somebody else is at work on the
// share, so that its state is to be read again.
func lostRace(err error) bool {
	return errors.Is(err, stream.ErrLostRace) || errors.Is(err, stream.ErrLag)
}
