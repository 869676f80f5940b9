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
	kv jetstream.KeyValue

	mu    sync.Mutex
	bytes uint64    // how much it held when it was asked
	asked time.Time // when that was
}

// sizeEvery is how often it is asked how much the memory holds.
const sizeEvery = 10 * time.Second

// full tells whether the memory holds all that it may. The server does not keep that
// bound: it would set the bytes aside in advance, which a small disk has not.
func (m *memory) full(ctx context.Context) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if time.Since(m.asked) >= sizeEvery {
		status, err := m.kv.Status(ctx)
		if err != nil {
			return false, fmt.Errorf("asking how many answers to writes are kept: %w", err)
		}
		m.bytes, m.asked = status.Bytes(), time.Now()
	}
	return m.bytes >= maxMemory, nil
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
