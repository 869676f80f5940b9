package write

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/sheetbridge/sheetbridge/events"
)

// Names of the buckets in the bridge's account.
const (
	leaseBucket  = "sheetbridge-write-leases"
	memoryBucket = "sheetbridge-write-ids"
)

// maxMemory bounds the memory of answers, of all partners together, in bytes. Each
// share gives twice its rate of answers a minute at most. What one partner may have of
// it says memory.full.
const maxMemory = 2 << 30

// Store is what the engine remembers, in the bridge's own account.
type Store struct {
	leases leases
	memory memory
}

// StoreOptions say how it is kept.
type StoreOptions struct {
	Replicas int
	Alone    bool          // no other process works with it
	Lease    time.Duration // how long a process that says nothing keeps others from a sheet; 0: leaseTime
	Memory   uint64        // bytes of answers that are remembered for all partners; 0: maxMemory
}

// OpenStore opens it over a connection into the bridge's account and creates it where
// there is none.
func OpenStore(ctx context.Context, nc *nats.Conn, o StoreOptions) (*Store, error) {
	s := &Store{
		leases: leases{holder: uuid.NewString(), alone: o.Alone, time: cmp.Or(o.Lease, leaseTime)},
		memory: memory{most: cmp.Or(o.Memory, maxMemory)},
	}
	js, err := jetstream.New(nc, jetstream.WithDefaultTimeout(requestTimeout))
	if err == nil {
		s.leases.kv, err = js.CreateOrUpdateKeyValue(ctx, jetstream.KeyValueConfig{
			Bucket: leaseBucket, Description: "Sheetbridge: who writes to a sheet", History: 1, TTL: 2 * attemptsKept,
			Storage: jetstream.FileStorage, Replicas: o.Replicas,
		})
	}
	if err == nil {
		s.memory.kv, err = js.CreateOrUpdateKeyValue(ctx, jetstream.KeyValueConfig{
			Bucket: memoryBucket, Description: "Sheetbridge: answers to writes by id", History: 1, TTL: events.AnswersKept,
			Storage: jetstream.FileStorage, Replicas: o.Replicas,
		})
	}
	if err == nil {
		s.memory.stream, err = js.Stream(ctx, "KV_"+memoryBucket)
	}
	if err != nil {
		return nil, fmt.Errorf("opening what is remembered of writes: %w", err)
	}
	return s, nil
}
