package events

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// MaxBatch is the largest number of messages that go in one atomic batch.
const MaxBatch = 1000

// maxBatchBytes bounds what one batch holds in memory here and at the server.
const maxBatchBytes = 32 << 20

// Errors of Publish.
var (
	// ErrLostRace says that somebody else published to the share since its
	// state was read. Nothing was published. Read Smartsheet again.
	ErrLostRace = errors.New("somebody else published to the share meanwhile")
	// ErrFull says that the partner's stream takes no more. Nothing was published,
	// unless the account alone is limited: then the beginning may have been.
	ErrFull = errors.New("the partner's stream is full")
	// ErrTooLarge says that an event is larger than the server takes, even
	// without its old values.
	ErrTooLarge = errors.New("the event is larger than the partner's NATS takes")
)

// Writer publishes to one share under its optimistic lock: everything it
// publishes is refused (ErrLostRace) as soon as anybody else has published to
// the share. It collects events into batches that are stored whole or not at
// all. It is not for concurrent use.
//
// A message goes to core subscribers before the stream judges it. So the writer
// asks the stream's leader first, and what was overtaken is not sent at all;
// what is refused for another reason, or overtaken in the moment between, is in
// no stream and has still passed by those who subscribe without one.
type Writer struct {
	stream *Stream
	share  *Share
	lock   uint64
	batch  []*nats.Msg
	types  map[string]int // of the batch
	bytes  int

	Published   int         // events stored so far
	TraceParent string      // W3C trace context that its events carry; empty: none
	After       func(Batch) // told of every batch that was sent; nil: nobody
}

// Batch is some events that were sent together.
type Batch struct {
	Types map[string]int // type of event → number
	Took  time.Duration
	Err   error // nil: all are stored
}

// NewWriter returns a writer that publishes to the share as it stood at lock.
func (s *Stream) NewWriter(sh *Share, lock uint64) *Writer {
	return &Writer{stream: s, share: sh, lock: lock}
}

// Lock is the share's last sequence as the writer knows it.
func (w *Writer) Lock() uint64 { return w.lock }

// Add puts events into the batch. They go out together where one batch can hold
// them, and in their order in any case: what the batch has no room for beside
// what it holds already has that published first, and more than MaxBatch events
// or 32 MiB go in several batches. ErrTooLarge leaves the batch as it was.
func (w *Writer) Add(ctx context.Context, events ...Event) error {
	msgs := make([]*nats.Msg, len(events))
	size := 0
	for i, e := range events {
		var err error
		if msgs[i], err = w.message(e); err != nil {
			return err
		}
		size += msgs[i].Size()
	}
	if err := w.makeRoom(ctx, len(msgs), size); err != nil {
		return err
	}
	for i, m := range msgs {
		if err := w.makeRoom(ctx, 1, m.Size()); err != nil {
			return err
		}
		if w.types == nil {
			w.types = map[string]int{}
		}
		w.batch, w.bytes = append(w.batch, m), w.bytes+m.Size()
		w.types[events[i].Type]++
	}
	return nil
}

// makeRoom publishes the batch if so many messages of so many bytes do not fit
// into it.
func (w *Writer) makeRoom(ctx context.Context, messages, size int) error {
	if len(w.batch) == 0 || len(w.batch)+messages <= MaxBatch && w.bytes+size <= maxBatchBytes {
		return nil
	}
	return w.Flush(ctx)
}

// message encodes an event; where it is too large, without what was before.
func (w *Writer) message(e Event) (*nats.Msg, error) {
	limit := int(w.stream.nc.MaxPayload()) - 1024 // the headers count too
	e.TraceParent = w.TraceParent
	data, err := encoded(e)
	if err != nil {
		return nil, fmt.Errorf("encoding %s of share %s: %w", e.Type, w.share.Sheet, err)
	}
	if d, ok := e.Data.(ObjectData); ok && len(data) > limit && d.Before != nil {
		d.Truncated = true
		e.Data = withoutBefore{ObjectData: d}
		if data, err = encoded(e); err != nil {
			return nil, fmt.Errorf("encoding %s of share %s: %w", e.Type, w.share.Sheet, err)
		}
	}
	if len(data) > limit {
		return nil, fmt.Errorf("%s: %w (%d bytes, at most %d)", e.Subject, ErrTooLarge, len(data), limit)
	}
	tokens := strings.Split(e.Subject, "/")
	m := nats.NewMsg(w.share.subject(strings.Join(tokens[1:], ".")))
	m.Header.Set("Content-Type", ContentType)
	m.Data = data
	return m, nil
}

// withoutBefore is the data of an event that has no room for what was before.
type withoutBefore struct {
	ObjectData
	Before *struct{} `json:"before,omitempty"` // hides the other
}

// encoded writes an event as JSON. No page embeds it, so that nothing is escaped
// for HTML, which would make long texts six times as long.
func encoded(e Event) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(e); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// Flush publishes the batch: one message as it is, more as an atomic batch. The
// first message expects that the share's last sequence is the writer's lock.
// After an error that is neither ErrLostRace nor ErrFull the batch may or may
// not be stored: read the state again and compare.
func (w *Writer) Flush(ctx context.Context) error {
	batch, types := w.batch, w.types
	w.batch, w.types, w.bytes = nil, nil, 0
	if len(batch) == 0 {
		return nil
	}
	batch[0].Header.Set(jetstream.ExpectedLastSubjSeqHeader, strconv.FormatUint(w.lock, 10))
	batch[0].Header.Set("Nats-Expected-Last-Subject-Sequence-Subject", w.share.SubjectAll())
	if len(batch) > 1 {
		id := uuid.NewString()
		for i, m := range batch {
			m.Header.Set("Nats-Batch-Id", id)
			m.Header.Set("Nats-Batch-Sequence", strconv.Itoa(i+1))
		}
		batch[len(batch)-1].Header.Set("Nats-Batch-Commit", "1")
	}
	began := time.Now()
	sequence, err := w.store(ctx, batch)
	if w.After != nil {
		w.After(Batch{Types: types, Took: time.Since(began), Err: err})
	}
	if err != nil {
		return fmt.Errorf("publishing %d events of share %s: %w", len(batch), w.share.Sheet, err)
	}
	w.lock = sequence
	w.Published += len(batch)
	return nil
}

// store sends the batch, unless the share was published to by somebody else.
// The stream's leader is asked and no copy, which may not have seen that yet.
func (w *Writer) store(ctx context.Context, batch []*nats.Msg) (uint64, error) {
	last, err := w.stream.lastSequence(ctx, w.share.SubjectAll())
	if err != nil {
		return 0, err
	}
	if last != w.lock {
		return 0, fmt.Errorf("%w: its last sequence is %d, not %d", ErrLostRace, last, w.lock)
	}
	return w.stream.store(ctx, batch)
}

// store sends the messages and waits for the answer to the last one.
func (s *Stream) store(ctx context.Context, batch []*nats.Msg) (uint64, error) {
	last := len(batch) - 1
	for _, m := range batch[:last] {
		if err := s.nc.PublishMsg(m); err != nil {
			return 0, err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, 2*requestTimeout)
	defer cancel()
	answer, err := s.nc.RequestMsgWithContext(ctx, batch[last])
	if errors.Is(err, context.DeadlineExceeded) && s.exhausted(ctx, batch) {
		return 0, fmt.Errorf("%w: %w", ErrFull, err)
	}
	if err != nil {
		return 0, err
	}
	var ack struct {
		Error    *jetstream.APIError `json:"error"`
		Stream   string              `json:"stream"`
		Sequence uint64              `json:"seq"`
	}
	if err := json.Unmarshal(answer.Data, &ack); err != nil {
		return 0, fmt.Errorf("reading the answer of the stream: %w", err)
	}
	if ack.Error != nil {
		return 0, refusal(ack.Error)
	}
	if ack.Stream != StreamName || ack.Sequence == 0 {
		return 0, fmt.Errorf("stream %q answered, not %s", ack.Stream, StreamName)
	}
	return ack.Sequence, nil
}

// exhausted tells whether the account has no room for messages that the server
// did not answer for: one that finds out in the midst of a batch says nothing.
func (s *Stream) exhausted(ctx context.Context, batch []*nats.Msg) bool {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), requestTimeout/3)
	defer cancel()
	account, err := s.js.AccountInfo(ctx)
	if err != nil || account.Limits.MaxStore <= 0 {
		return false
	}
	size := uint64(0)
	for _, m := range batch {
		size += uint64(m.Size())
	}
	return account.Store+size > uint64(account.Limits.MaxStore)
}

// Codes by which a server refuses a message for want of space.
const (
	errCodeAccountExceeded       = 10002
	errCodeInsufficientResources = 10023
	errCodeStorageExceeded       = 10047
	errCodeStoreFailed           = 10077
)

func refusal(e *jetstream.APIError) error {
	switch e.ErrorCode {
	case jetstream.JSErrCodeStreamWrongLastSequence, jetstream.JSErrCodeStreamWrongLastSequenceConstant:
		return fmt.Errorf("%w: %w", ErrLostRace, e)
	case errCodeAccountExceeded, errCodeInsufficientResources, errCodeStorageExceeded, errCodeStoreFailed:
		return fmt.Errorf("%w: %w", ErrFull, e)
	}
	return e
}

// PublishSchema adds the share's schema, which begins a revision.
func (w *Writer) PublishSchema(ctx context.Context, at time.Time, reset bool) error {
	e, err := w.share.NewEvent(SchemaChanged, at, SchemaData{
		Revision: w.share.Revision, Reset: reset, Schema: w.share.Schema(),
	}, "schema")
	if err != nil {
		return err
	}
	return w.Add(ctx, e)
}

// PublishStatus adds the share's status.
func (w *Writer) PublishStatus(ctx context.Context, at time.Time, status StatusData) error {
	e, err := w.share.NewEvent(StatusChanged, at, status, "status")
	if err != nil {
		return err
	}
	return w.Add(ctx, e)
}
