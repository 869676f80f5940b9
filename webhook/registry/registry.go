// Package registry keeps what the bridge must remember: owners, partners,
// registrations and shares. The records lie in one key-value bucket of
// the bridge's NATS account; every replica holds all of them in memory and
// follows their changes, so that a callback never waits for a read. What is
// secret in them is sealed before it reaches the bucket.
package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/sheetbridge/sheetbridge/events/seal"
	"github.com/sheetbridge/sheetbridge/events/stream"
)

// Bucket is the name of the key-value bucket.
const Bucket = "sheetbridge"

// requestTimeout bounds one request to NATS.
const requestTimeout = 5 * time.Second

// Errors of the registry.
var (
	ErrNotFound = errors.New("no such record")
	ErrExists   = errors.New("the record exists already")
	ErrConflict = errors.New("the record was changed in the meantime")
)

// Registry is the bucket and what is known of it. It is safe for concurrent use.
type Registry struct {
	// OnChange is called with every change before it is stored; its error prevents
	// the change. Nil: not called. It is set before the first change.
	OnChange func(ctx context.Context, n Change) error

	nc   *nats.Conn
	kv   jetstream.KeyValue
	keys *keyset
	log  *slog.Logger

	mu        sync.RWMutex
	revisions map[string]uint64 // last revision seen of each key, of deleted ones too
	watched   uint64            // highest revision that the watch has brought
	owners    map[string]*Owner
	partners  map[string]*Partner
	webhooks  map[string]*Registration
	notices   map[string]*Notice
	shares    map[string]*Share   // by partner and sheet
	sharesOf  map[string][]*Share // by registration; each list is replaced, never changed

	filterResults map[string]*FilterResult
	readings      map[string]*Reading
	begun         time.Time     // when the bucket was opened
	loaded        chan struct{} // closed when all records have been read once
	changed       chan struct{} // closed and replaced at each change
}

// Begun is when the bucket was opened, by this process.
func (r *Registry) Begun() time.Time { return r.begun }

// Open opens the bucket over a connection into the bridge's account and makes
// it, and the keyset in it, when there is none. It fails with seal.ErrWrongKey
// when the records were sealed under another master key than that and the old ones.
// Run must be running for the registry to load.
func Open(ctx context.Context, nc *nats.Conn, master seal.MasterKey, replicas int, log *slog.Logger, old ...seal.MasterKey) (*Registry, error) {
	js, err := jetstream.New(nc, jetstream.WithDefaultTimeout(requestTimeout))
	if err != nil {
		return nil, fmt.Errorf("opening the registry: %w", err)
	}
	kv, err := js.CreateOrUpdateKeyValue(ctx, jetstream.KeyValueConfig{
		Bucket:      Bucket,
		Description: "Sheetbridge: owners, partners, registrations, shares",
		History:     1,
		Storage:     jetstream.FileStorage,
		Replicas:    replicas,
	})
	if err != nil {
		return nil, fmt.Errorf("opening the registry: %w", err)
	}
	r := &Registry{
		nc: nc, kv: kv, log: log,
		revisions: map[string]uint64{},
		owners:    map[string]*Owner{},
		partners:  map[string]*Partner{},
		webhooks:  map[string]*Registration{},
		notices:   map[string]*Notice{},
		shares:    map[string]*Share{},
		sharesOf:  map[string][]*Share{},

		filterResults: map[string]*FilterResult{},
		readings:      map[string]*Reading{},

		begun:   time.Now(),
		loaded:  make(chan struct{}),
		changed: make(chan struct{}),
	}
	if r.keys, err = r.openKeyset(ctx, js, append([]seal.MasterKey{master}, old...), replicas); err != nil {
		return nil, fmt.Errorf("opening the registry's keyset: %w", err)
	}
	return r, nil
}

// Sealer seals and opens the secrets of records.
func (r *Registry) Sealer() *seal.Sealer { return r.keys.sealer }

// Loaded is closed when all records have been read once.
func (r *Registry) Loaded() <-chan struct{} { return r.loaded }

// Changed returns a channel that is closed at the next change of any record.
func (r *Registry) Changed() <-chan struct{} {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.changed
}

// Run follows the bucket until the context ends, and tells other
// replicas that this one is there and which keyset it uses.
func (r *Registry) Run(ctx context.Context) error {
	var present sync.WaitGroup
	present.Go(func() { r.present(ctx) })
	defer present.Wait()
	for {
		err := r.watch(ctx)
		if ctx.Err() != nil {
			return nil
		}
		r.log.Warn("registry: following the bucket stopped, starting again", "err", err)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(time.Second):
		}
	}
}

func (r *Registry) watch(ctx context.Context) error {
	w, err := r.kv.WatchAll(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = w.Stop() }() // the watch ends with the connection as well
	for {
		select {
		case <-ctx.Done():
			return nil
		case e, open := <-w.Updates():
			switch {
			case !open:
				return errors.New("the watch was closed")
			case e == nil: // all that there was has come
				select {
				case <-r.loaded:
				default:
					close(r.loaded)
				}
			default:
				if err := r.apply(e.Key(), e.Value(), e.Revision(), e.Operation() != jetstream.KeyValuePut); err != nil {
					r.log.Error("registry: a record cannot be read and is left out", "key", e.Key(), "err", err)
				}
				r.sawRevision(e.Revision())
			}
		}
	}
}

// sawRevision notes how far the watch has come.
func (r *Registry) sawRevision(revision uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.watched = max(r.watched, revision)
	close(r.changed)
	r.changed = make(chan struct{})
}

// CatchUp returns when this process knows all that the bucket holds now: another
// replica may have stored records a moment ago that its watch is still to bring.
func (r *Registry) CatchUp(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	status, err := r.kv.Status(ctx)
	if err != nil {
		return fmt.Errorf("asking how far the registry is: %w", err)
	}
	var last uint64
	if bucket, ok := status.(*jetstream.KeyValueBucketStatus); ok {
		last = bucket.StreamInfo().State.LastSeq
	}
	for {
		changed := r.Changed()
		r.mu.RLock()
		watched := r.watched
		r.mu.RUnlock()
		if watched >= last {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the registry is at revision %d and the bucket at %d: %w", watched, last, ctx.Err())
		case <-changed:
		}
	}
}

// fresh reads a record as the bucket's leader has it, past what is in memory
// and past a replica that lags. It returns ErrNotFound for none.
func (r *Registry) fresh(ctx context.Context, key string) ([]byte, uint64, error) {
	body, err := json.Marshal(map[string]string{"last_by_subj": "$KV." + Bucket + "." + key})
	if err != nil {
		return nil, 0, err
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	m, err := r.nc.RequestWithContext(ctx, "$JS.API.STREAM.MSG.GET.KV_"+Bucket, body)
	if err != nil {
		return nil, 0, fmt.Errorf("reading record %s: %w", key, err)
	}
	var answer struct {
		Error   *jetstream.APIError `json:"error"`
		Message struct {
			Sequence uint64 `json:"seq"`
			Data     []byte `json:"data"`
		} `json:"message"`
	}
	if err := json.Unmarshal(m.Data, &answer); err != nil {
		return nil, 0, fmt.Errorf("reading record %s: %w", key, err)
	}
	switch {
	case answer.Error != nil && answer.Error.ErrorCode == jetstream.JSErrCodeMessageNotFound:
		return nil, 0, ErrNotFound
	case answer.Error != nil:
		return nil, 0, fmt.Errorf("reading record %s: %w", key, answer.Error)
	case len(answer.Message.Data) == 0: // a marker of deletion has no value
		return nil, answer.Message.Sequence, ErrNotFound
	}
	return answer.Message.Data, answer.Message.Sequence, nil
}

// put stores a record as long as it has the revision, 0 for a new one. It fails
// with ErrExists or ErrConflict when it has another; after any other error it
// may have been stored.
func (r *Registry) put(ctx context.Context, key string, value []byte, revision uint64) (uint64, error) {
	stored, err := r.write(ctx, key, value, revision)
	if stream.LostRace(err) && revision == 0 {
		// Only the marker of a deletion may stand there. The bucket's leader is
		// asked: another replica of the bucket may not have the deletion yet.
		var deleted uint64
		_, deleted, err = r.fresh(ctx, key)
		switch {
		case err == nil || errors.Is(err, ErrNotFound) && deleted == 0:
			return 0, ErrExists
		case !errors.Is(err, ErrNotFound):
			return 0, err
		}
		if stored, err = r.write(ctx, key, value, deleted); stream.LostRace(err) {
			return 0, ErrExists
		}
	}
	switch {
	case stream.LostRace(err):
		return 0, ErrConflict
	case err != nil:
		return 0, fmt.Errorf("storing record %s: %w", key, err)
	}
	return stored, r.apply(key, value, stored, false)
}

func (r *Registry) write(ctx context.Context, key string, value []byte, revision uint64) (uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	return r.kv.Update(ctx, key, value, revision)
}

// remove deletes a record that has the revision; ErrConflict if it has another.
func (r *Registry) remove(ctx context.Context, key string, revision uint64) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	err := r.kv.Delete(ctx, key, jetstream.LastRevision(revision))
	switch {
	case stream.LostRace(err):
		return ErrConflict
	case err != nil:
		return fmt.Errorf("deleting record %s: %w", key, err)
	}
	// Its revision is not told. The watch brings it; until then nothing older may come back.
	return r.apply(key, nil, revision+1, true)
}
