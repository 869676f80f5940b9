package write

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/sheetbridge/sheetbridge/events"
)

// remembered is the one answer to an id. It holds no value of a cell: the row as it
// was where a write was refused for a conflict is in the answer itself alone.
type remembered struct {
	Content  string           `json:"content"`  // of the request, hashed
	Identity string           `json:"identity"` // of the request in the queue
	Data     events.WriteData `json:"data"`
}

// memory has the answers that were given, each for as long as answers are kept.
type memory struct {
	kv     jetstream.KeyValue
	stream jetstream.Stream // in which the bucket lies
	most   uint64           // bytes that it holds

	mu    sync.Mutex
	bytes uint64            // how much it held when it was asked
	count uint64            // of how many answers
	parts map[string]uint64 // bytes of partners then, of those that were asked for
	asked time.Time         // when that was
}

// sizeEvery is how often it is asked how much the memory holds.
const sizeEvery = 10 * time.Second

// full tells whether the memory holds as many of a partner's answers as it may: as much
// as is left free for all. So one partner has half of it at most, two have a third each,
// and a partner that writes little always finds room, however much others write. The
// server does not keep that bound: it would reserve the bytes, which a small disk lacks.
func (m *memory) full(ctx context.Context, partner string) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if time.Since(m.asked) >= sizeEvery {
		status, err := m.kv.Status(ctx)
		if err != nil {
			return false, fmt.Errorf("asking how many answers to writes are kept: %w", err)
		}
		m.bytes, m.count, m.parts, m.asked = status.Bytes(), status.Values(), map[string]uint64{}, time.Now()
	}
	free := m.most - min(m.bytes, m.most)
	if m.bytes < free { // no partner has more than all of them
		return false, nil
	}
	part, known := m.parts[partner]
	if !known {
		answers, err := m.answersOf(ctx, partner)
		if err != nil {
			return false, fmt.Errorf("asking how many answers to a partner's writes are kept: %w", err)
		}
		part = answers * (m.bytes / max(m.count, 1)) // they are much of a size
		m.parts[partner] = part
	}
	return part >= free, nil
}

// answersOf counts the answers to a partner. The server counts them in its index, for a
// consumer that would read them.
func (m *memory) answersOf(ctx context.Context, partner string) (uint64, error) {
	c, err := m.stream.CreateConsumer(ctx, jetstream.ConsumerConfig{
		FilterSubject: "$KV." + memoryBucket + "." + partner + ".>", AckPolicy: jetstream.AckNonePolicy,
		MemoryStorage: true, Replicas: 1, InactiveThreshold: sizeEvery,
	})
	if err != nil {
		return 0, err
	}
	info := c.CachedInfo()
	_ = m.stream.DeleteConsumer(ctx, info.Name) // else it goes by itself
	return info.NumPending, nil
}

func memoryKey(partner, sheet, id string) string { return partner + "." + sheet + "." + id }

// contentOf is how the memory tells requests apart.
func contentOf(r *events.WriteRequest) string { return hex.EncodeToString(r.Content[:16]) }

// get returns the answer to an id, nil for none.
func (m *memory) get(ctx context.Context, key string) (*remembered, error) {
	e, err := m.kv.Get(ctx, key)
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("looking for the answer to a write: %w", err)
	}
	var r remembered
	if err := json.Unmarshal(e.Value(), &r); err != nil {
		return nil, fmt.Errorf("reading the answer to a write: %w", err)
	}
	return &r, nil
}

// put remembers an answer unless there is one, which it returns then.
func (m *memory) put(ctx context.Context, key string, r remembered) (before *remembered, err error) {
	r.Data.Current = nil
	value, err := json.Marshal(r)
	if err != nil {
		return nil, err
	}
	_, err = m.kv.Create(ctx, key, value)
	switch {
	case errors.Is(err, jetstream.ErrKeyExists), errors.Is(err, jetstream.ErrKeyRevisionMismatch):
		return m.get(ctx, key)
	case err != nil:
		return nil, fmt.Errorf("remembering the answer to a write: %w", err)
	}
	return nil, nil
}
