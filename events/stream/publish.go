package stream

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/sheetbridge/sheetbridge/events"
)

const (
	// MaxBatch is the largest number of messages that go in one atomic batch.
	MaxBatch = 1000
	// maxBatchBytes bounds what one batch holds in memory here and at the server.
	maxBatchBytes = 8 << 20
	// maxPlain is how many events are published one by one rather than as an atomic
	// batch: the server makes a file store of its own for each batch, which costs
	// as much as some ten messages.
	maxPlain = 8
	// usualSize is the room that an event is given to begin with, in bytes: enough for
	// most rows of ten cells, before and after.
	usualSize = 2 << 10
	// confirmedTime is how long a lock is taken for ours without asking.
	confirmedTime = time.Second
)

// Errors of a Writer.
var (
	// ErrLostRace says that somebody else published to the share since its state
	// was read: another process is at work, or the share has another definition.
	// What this writer stored before that is right where it stands.
	ErrLostRace = errors.New("somebody else published to the share")
	// ErrFull says that the partner's stream takes no more. A part may have been
	// stored: whole batches, some of a few events, or any part of a batch where
	// the account alone is limited.
	ErrFull = errors.New("the partner's stream is full")
	// ErrTooLarge says that an event is larger than the server takes, even
	// without its old values.
	ErrTooLarge = errors.New("the event is larger than the partner's NATS takes")
)

// Writer publishes to one share under its optimistic lock, which is the sequence
// of the share's last status. The process that published the last status holds the lock:
// events of others are refused (ErrLostRace). A publisher therefore
//
//  1. acquires the lock, by a status that expects the one read before,
//  2. reads what the partner last saw ([Stream.Last]) and compares,
//  3. publishes what differs, and a status with it; all of them expect that the
//     lock is still held.
//
// What was read in step 2 is then what stands right before those events. While
// nobody else publishes, the lock stays held, and 2 and 3 may be repeated. An
// expectation on the one subject of the status costs the server a look-up,
// however large the share is. A Writer is not for concurrent use.
//
// A message goes to core subscribers before the stream judges it. So the writer
// asks for the lock before it publishes, unless that was confirmed a moment ago;
// what is overtaken in between, or refused for another reason, is in no stream
// and has still passed by those who subscribe without one.
type Writer struct {
	stream      *Stream
	share       *events.Share
	lock        uint64
	last        uint64    // sequence of the last message that it stored
	confirmedAt time.Time // when the lock was known to be held; zero: it is not

	batch []*nats.Msg
	types map[string]int // of the batch

	carried string // by every status, in a header; empty: nothing

	TraceParent string // W3C trace context that its events carry; empty: none
}

// NewWriter returns a writer for the share as it stood at lock.
func (s *Stream) NewWriter(sh *events.Share, lock uint64) *Writer {
	return &Writer{stream: s, share: sh, lock: lock, last: lock}
}

// Lock is the sequence of the share's last status as the writer knows it.
func (w *Writer) Lock() uint64 { return w.lock }

// Held tells whether the writer has acquired the lock and not lost it since, as
// far as it knows.
func (w *Writer) Held() bool { return !w.confirmedAt.IsZero() }

// Since is the sequence that a copy of the stream must have come to, to know all
// that this writer knows of.
func (w *Writer) Since() uint64 { return w.last }

// Acquire publishes a status and holds the lock from then on. ErrLostRace says
// that somebody else published one since the lock was read.
func (w *Writer) Acquire(ctx context.Context, at time.Time, status events.StatusData) error {
	m, err := w.statusMessage(at, status)
	if err != nil {
		return err
	}
	return w.acquired(w.stream.request(ctx, m))
}

// Begin publishes the share's schema, which begins a revision, and a status, both
// or none; the lock is held from then on.
func (w *Writer) Begin(ctx context.Context, at time.Time, schema events.SchemaData, status events.StatusData) error {
	e, err := w.share.NewEvent(events.SchemaChanged, at, schema, "schema")
	if err != nil {
		return err
	}
	first, err := w.message(e)
	if err != nil {
		return err
	}
	second, err := w.statusMessage(at, status)
	if err != nil {
		return err
	}
	return w.acquired(w.storeBatch(ctx, []*nats.Msg{first, second}))
}

func (w *Writer) acquired(sequence uint64, err error) error {
	if err != nil {
		w.confirmedAt = time.Time{}
		return fmt.Errorf("acquiring the lock of share %s: %w", w.share.Sheet, err)
	}
	w.lock, w.last, w.confirmedAt = sequence, sequence, time.Now()
	return nil
}

// statusMessage is a status that expects the one before it to be the lock.
func (w *Writer) statusMessage(at time.Time, status events.StatusData) (*nats.Msg, error) {
	e, err := w.share.NewEvent(events.StatusChanged, at, status, "status")
	if err != nil {
		return nil, err
	}
	m, err := w.message(e)
	if err != nil {
		return nil, err
	}
	m.Header.Set(jetstream.ExpectedLastSubjSeqHeader, strconv.FormatUint(w.lock, 10))
	if w.carried != "" {
		m.Header.Set(carriedHeader, w.carried)
	}
	return m, nil
}

// expectLock has a message of another subject refused when the lock is lost.
func (w *Writer) expectLock(m *nats.Msg) {
	m.Header.Set(jetstream.ExpectedLastSubjSeqHeader, strconv.FormatUint(w.lock, 10))
	m.Header.Set(expectedSubjectHeader, w.share.SubjectStatus())
}

// expectedSubjectHeader names the subject that an expectation is about, where
// that is not the message's own.
const expectedSubjectHeader = "Nats-Expected-Last-Subject-Sequence-Subject"

// Add puts an event into what Flush publishes. ErrTooLarge leaves it out.
func (w *Writer) Add(e events.Event) error {
	m, err := w.message(e)
	if err != nil {
		return err
	}
	if w.types == nil {
		w.types = map[string]int{}
	}
	w.batch = append(w.batch, m)
	w.types[e.Type]++
	return nil
}

// Carry has every status from now on carry a text for the other writers of the
// share, which find it in the share's [State].
func (w *Writer) Carry(text string) { w.carried = text }

// Carried is the text that statuses carry.
func (w *Writer) Carried() string { return w.carried }

// carriedHeader is the header of a status with that text.
const carriedHeader = "Sheetbridge-Compared"

// Discard forgets what was added.
func (w *Writer) Discard() { w.batch, w.types = nil, nil }

// message encodes an event; where it is too large, without what was before.
func (w *Writer) message(e events.Event) (*nats.Msg, error) {
	limit := int(w.stream.nc.MaxPayload()) - 1024 // the headers count too
	e.TraceParent = w.TraceParent
	data, err := e.AppendJSON(make([]byte, 0, usualSize))
	if d, ok := e.Data.(events.ObjectData); ok && len(data) > limit && d.Before != nil {
		d.Truncated = true
		e.Data = d
		data, err = e.AppendJSON(data[:0])
	}
	if err != nil {
		return nil, fmt.Errorf("encoding %s of share %s: %w", e.Type, w.share.Sheet, err)
	}
	if len(data) > limit {
		return nil, fmt.Errorf("%s of share %s: %w", e.Type, w.share.Sheet, ErrTooLarge)
	}
	subject := "smartsheet." + w.share.Partner + "." + strings.ReplaceAll(e.Subject, "/", ".")
	m := nats.NewMsg(subject)
	m.Header.Set("Content-Type", events.ContentType)
	m.Data = data
	w.stream.sign(m)
	return m, nil
}

// Published counts events that were stored, by their type.
type Published map[string]int

// Flush publishes what was added, in its order, and then the status: a few
// messages one by one, more as atomic batches of at most MaxBatch. All of it is
// refused (ErrLostRace) unless the lock is still held. It returns how many events
// were stored. After an error any part of what was added may be stored, now or a
// little later: acquire the lock again, which comes after all of it, then read
// what stands there and compare.
func (w *Writer) Flush(ctx context.Context, at time.Time, status events.StatusData) (Published, error) {
	msgs, types := w.batch, w.types
	w.Discard()
	if err := w.confirm(ctx); err != nil {
		return nil, err
	}
	last, err := w.statusMessage(at, status)
	if err != nil {
		return nil, err
	}
	store := w.storeBatches
	if w.canStoreEach(msgs) {
		store = w.storeEach
	}
	if err := store(ctx, append(msgs, last)); err != nil {
		w.confirmedAt = time.Time{}
		return nil, fmt.Errorf("publishing %d events of share %s: %w", len(msgs), w.share.Sheet, err)
	}
	return types, nil
}

// canStoreEach tells whether messages may go one by one: a few of different
// objects. A cluster refuses an expectation about a subject while another one
// about the same subject is being replicated, so there they go as a batch, which
// has one expectation for all.
func (w *Writer) canStoreEach(events []*nats.Msg) bool {
	return len(events) == 0 || len(events) <= maxPlain && !w.stream.replicated() && distinct(events)
}

// distinct tells whether no subject comes twice, so that the order in which the
// messages are stored does not matter to any object.
func distinct(msgs []*nats.Msg) bool {
	seen := make(map[string]bool, len(msgs))
	for _, m := range msgs {
		if seen[m.Subject] {
			return false
		}
		seen[m.Subject] = true
	}
	return true
}

// confirm asks whether the lock is still held, where that is not known.
func (w *Writer) confirm(ctx context.Context) error {
	if !w.Held() {
		return fmt.Errorf("publishing to share %s: %w: the lock was not acquired", w.share.Sheet, ErrLostRace)
	}
	if time.Since(w.confirmedAt) < confirmedTime {
		return nil
	}
	lock, err := w.stream.Lock(ctx, w.share)
	if err != nil {
		return err
	}
	if lock > w.lock || lock < w.lock && !w.stream.replicated() { // a copy may lag behind
		w.confirmedAt = time.Time{}
		return fmt.Errorf("publishing to share %s: %w: its last status is at %d, not at %d", w.share.Sheet, ErrLostRace, lock, w.lock)
	}
	w.confirmedAt = time.Now()
	return nil
}

// storeEach publishes events and the status after them, without waiting for one
// before the next is sent.
func (w *Writer) storeEach(ctx context.Context, msgs []*nats.Msg) error {
	to, err := w.stream.answers(len(msgs))
	if err != nil {
		return err
	}
	defer to.close()
	for i, m := range msgs {
		if i < len(msgs)-1 {
			w.expectLock(m)
		}
		m.Reply = to.inbox
		if err := w.stream.nc.PublishMsg(m); err != nil {
			return err
		}
	}
	var failed error
	var sequence uint64
	for _, m := range msgs { // the server answers in the order in which they were sent
		answer, err := to.next(ctx, answerTime(m.Size()))
		if err != nil {
			return w.stream.fullOr(ctx, err, msgs)
		}
		if sequence, err = parseAck(answer); failed == nil {
			failed = err
		}
	}
	if sequence > 0 { // of the status, which was sent last
		w.lock, w.last, w.confirmedAt = sequence, sequence, time.Now()
	}
	return failed
}

// storeBatches publishes events and the status after them as atomic batches.
func (w *Writer) storeBatches(ctx context.Context, msgs []*nats.Msg) error {
	for len(msgs) > 0 {
		n, size := 0, 0
		for n < len(msgs) && n < MaxBatch && (n == 0 || size+msgs[n].Size() <= maxBatchBytes) {
			size += msgs[n].Size()
			n++
		}
		sequence, err := w.storeBatch(ctx, msgs[:n])
		if err != nil {
			return err
		}
		w.last, w.confirmedAt, msgs = sequence, time.Now(), msgs[n:]
	}
	w.lock = w.last
	return nil
}

// storeBatch stores messages under the lock, all or none. Its first one expects the
// lock for all of them: within a batch there may be one expectation of a subject.
func (w *Writer) storeBatch(ctx context.Context, msgs []*nats.Msg) (uint64, error) {
	last := msgs[len(msgs)-1]
	if len(msgs) > 1 {
		last.Header.Del(jetstream.ExpectedLastSubjSeqHeader)
	}
	if msgs[0].Subject != w.share.SubjectStatus() {
		w.expectLock(msgs[0])
	}
	return w.stream.storeBatch(ctx, msgs)
}
