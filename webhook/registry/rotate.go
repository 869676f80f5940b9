package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/sheetbridge/sheetbridge/events/seal"
	"github.com/sheetbridge/sheetbridge/events/stream"
)

const (
	// replicasTime is how long all replicas may take to load a keyset.
	replicasTime       = 30 * time.Second
	checkReplicasEvery = 50 * time.Millisecond
	// resealTries bounds how often all records are looked at for values under old
	// keys: a change that was on its way may bring some back.
	resealTries = 10
)

// Rotation is what a rotation of the keys did.
type Rotation struct {
	Keys     []seal.Key // as they are now
	Resealed int        // records whose secrets were sealed again
	Replicas int        // that use the keyset
}

// Keys are the keys of the keyset, oldest first.
func (r *Registry) Keys() []seal.Key { return r.Sealer().Keys() }

// RotateKeys replaces the key that seals the records: a new key is added, and
// when every replica has it, it is made the primary one; when every replica has
// that, all secrets are sealed again and the old key is disabled. Nothing is
// unreadable at any moment. After a failure the same again goes on where it
// stopped. Two at once make one rotation.
func (r *Registry) RotateKeys(ctx context.Context) (*Rotation, error) {
	out := &Rotation{}
	old := func(keys []seal.Key) bool {
		return slices.ContainsFunc(keys, func(k seal.Key) bool { return k.Enabled && !k.Primary })
	}
	pending := func(keys []seal.Key) bool { return !keys[len(keys)-1].Primary }
	if err := r.refreshKeyset(ctx); err != nil {
		return nil, err
	}
	if !old(r.Keys()) {
		if err := r.changeKeyset(ctx, func(keys []seal.Key) bool { return !old(keys) }, seal.AddKey); err != nil {
			return nil, fmt.Errorf("adding a key: %w", err)
		}
	}
	for _, step := range []struct {
		name   string
		wanted func([]seal.Key) bool
		change func(seal.MasterKey, []byte) ([]byte, error)
	}{
		{"making the new key the primary one", pending, seal.Promote},
		{"disabling the old key", old, seal.DisableOld},
	} {
		var err error
		if out.Replicas, err = r.awaitReplicas(ctx); err != nil {
			return nil, fmt.Errorf("%s: %w", step.name, err)
		}
		if !pending(r.Keys()) {
			if err := r.reseal(ctx, out); err != nil {
				return nil, fmt.Errorf("sealing the records under the new key: %w", err)
			}
		}
		if err := r.changeKeyset(ctx, step.wanted, step.change); err != nil {
			return nil, fmt.Errorf("%s: %w", step.name, err)
		}
	}
	out.Keys = r.Keys()
	return out, nil
}

func (r *Registry) refreshKeyset(ctx context.Context) error {
	value, revision, err := r.fresh(ctx, keysetKey)
	if err != nil {
		return err
	}
	return r.keys.load(value, revision)
}

// changeKeyset replaces the keyset, as long as it is still as wanted.
func (r *Registry) changeKeyset(ctx context.Context, wanted func([]seal.Key) bool, change func(seal.MasterKey, []byte) ([]byte, error)) error {
	for range attempts {
		value, revision, err := r.fresh(ctx, keysetKey)
		if err != nil {
			return err
		}
		if err := r.keys.load(value, revision); err != nil {
			return err
		}
		if !wanted(r.Keys()) {
			return nil
		}
		master, err := r.keys.masterOf(value)
		if err != nil {
			return err
		}
		changed, err := change(master, value)
		if err != nil {
			return err
		}
		stored, err := r.kv.Update(ctx, keysetKey, changed, revision)
		if stream.LostRace(err) {
			continue
		}
		if err != nil {
			return err
		}
		return r.keys.load(changed, stored)
	}
	return ErrConflict
}

// awaitReplicas returns when every replica uses the keyset that this one has,
// with their number.
func (r *Registry) awaitReplicas(ctx context.Context) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, replicasTime)
	defer cancel()
	r.keys.mu.Lock()
	want := r.keys.revision
	r.keys.mu.Unlock()
	return r.awaitEach(ctx, "does not use the newest keyset yet", func(its replica) bool { return its.Keyset >= want })
}

// awaitEach returns when what every replica says of itself will do, with their
// number.
func (r *Registry) awaitEach(ctx context.Context, lacks string, will func(replica) bool) (int, error) {
	tick := time.NewTicker(checkReplicasEvery)
	defer tick.Stop()
	all, behind := 0, 0
	for {
		n, late, err := r.countReplicas(ctx, will)
		switch {
		case err != nil && (ctx.Err() == nil || behind == 0):
			return 0, fmt.Errorf("asking for the replicas: %w", err)
		case err == nil && late == 0:
			return n, nil
		case err == nil:
			all, behind = n, late
		}
		select {
		case <-ctx.Done():
			return 0, fmt.Errorf("%d of %d replicas are not ready for it (each %s): try again when all are reachable", behind, all, lacks)
		case <-tick.C:
		}
	}
}

func (r *Registry) countReplicas(ctx context.Context, will func(replica) bool) (n, behind int, err error) {
	names, err := r.replicaNames(ctx)
	if err != nil {
		return 0, 0, err
	}
	for name := range names {
		entry, err := r.keys.replicas.Get(ctx, name)
		if errors.Is(err, jetstream.ErrKeyNotFound) {
			continue // it has just gone
		}
		if err != nil {
			return 0, 0, err
		}
		var its replica
		if err := json.Unmarshal(entry.Value(), &its); err != nil {
			return 0, 0, fmt.Errorf("replica %s: %w", name, err)
		}
		if n++; !will(its) {
			behind++
		}
	}
	return n, behind, nil
}

// listings are how often the replicas are listed: a list lacks what is replaced at
// that very moment.
const listings = 3

func (r *Registry) replicaNames(ctx context.Context) (map[string]bool, error) {
	names := map[string]bool{}
	for range listings {
		list, err := r.keys.replicas.Keys(ctx)
		if err != nil && !errors.Is(err, jetstream.ErrNoKeysFound) {
			return nil, err
		}
		for _, name := range list {
			names[name] = true
		}
	}
	return names, nil
}
