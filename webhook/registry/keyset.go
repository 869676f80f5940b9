package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/sheetbridge/sheetbridge/events/seal"
	"github.com/sheetbridge/sheetbridge/events/stream"
)

const (
	keysetKey = "keyset"
	// ReplicaBucket is the name of the bucket in which replicas say that they
	// are there.
	ReplicaBucket = "sheetbridge-replicas"

	replicaTime  = time.Minute // a replica that was not heard for so long is gone
	replicaEvery = 15 * time.Second
)

// keyset is what seals the records' secrets, as this replica has it.
type keyset struct {
	masters  []seal.MasterKey // the one that counts, and the one before it while that is changed
	sealer   *seal.Sealer
	replica  string // names this process among the replicas
	replicas jetstream.KeyValue
	woken    chan struct{} // a newer one was loaded

	mu       sync.Mutex
	revision uint64
	asked    time.Time // when the record was last read for a key that lacked
}

// openKeyset opens the keyset, or makes it: of several replicas that do so at
// once, one wins. Where there are records and no keyset it is lost, and making
// another would hide that.
func (r *Registry) openKeyset(ctx context.Context, js jetstream.JetStream, masters []seal.MasterKey, replicas int) (*keyset, error) {
	k := &keyset{masters: masters, replica: uuid.NewString(), woken: make(chan struct{}, 1)}
	value, revision, err := r.fresh(ctx, keysetKey) // of the leader: a copy may not have it yet
	if errors.Is(err, ErrNotFound) {
		if err := r.empty(ctx); err != nil {
			return nil, err
		}
		sealed, err := seal.NewKeyset(masters[0])
		if err != nil {
			return nil, err
		}
		if _, err = r.kv.Create(ctx, keysetKey, sealed); err != nil && !stream.LostRace(err) {
			return nil, err
		}
		if value, revision, err = r.fresh(ctx, keysetKey); err != nil {
			return nil, err
		}
	} else if err != nil {
		return nil, err
	}
	k.sealer = &seal.Sealer{}
	if err = k.open(value); errors.Is(err, seal.ErrWrongKey) {
		return nil, fmt.Errorf("%w: the master key is not the one that the stored tokens and secrets are sealed under. "+
			"Give the one that the service had before (SHEETBRIDGE_MASTER_KEY, SHEETBRIDGE_MASTER_KEY_FILE or master.key in SHEETBRIDGE_DATA_DIR); "+
			"without it they cannot be read by anybody: begin with an empty store, and add owners and partners again", err)
	} else if err != nil {
		return nil, err
	}
	k.revision = revision
	life := context.WithoutCancel(ctx) // each reading has a limit of its own
	k.sealer.Missing = func() error { return r.reloadKeyset(life) }
	k.replicas, err = js.CreateOrUpdateKeyValue(ctx, jetstream.KeyValueConfig{
		Bucket: ReplicaBucket, Description: "Sheetbridge: which replicas are there, and their keyset",
		History: 1, TTL: replicaTime, Storage: jetstream.FileStorage, Replicas: replicas,
	})
	return k, err
}

// empty says whether the bucket holds no record that was sealed.
func (r *Registry) empty(ctx context.Context) error {
	keys, err := r.kv.ListKeys(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = keys.Stop() }() // it has ended by itself
	for key := range keys.Keys() {
		for _, kind := range []string{ownerKey, partnerKey, webhookKey} {
			if strings.HasPrefix(key, kind) {
				return fmt.Errorf("there are records (%s…) but the keyset that their secrets are sealed under is gone: restore the bucket %s from a backup", kind, Bucket)
			}
		}
	}
	return nil
}

// masterOf returns the master key that a keyset is sealed under.
func (k *keyset) masterOf(sealed []byte) (seal.MasterKey, error) {
	err := seal.ErrWrongKey
	for _, master := range k.masters {
		if _, err = seal.Open(master, sealed); !errors.Is(err, seal.ErrWrongKey) {
			return master, err
		}
	}
	return seal.MasterKey{}, err
}

// open takes over a keyset.
func (k *keyset) open(sealed []byte) error {
	master, err := k.masterOf(sealed)
	if err != nil {
		return err
	}
	return k.sealer.Load(master, sealed)
}

// load takes over a keyset that is newer than the one at hand.
func (k *keyset) load(sealed []byte, revision uint64) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if revision <= k.revision {
		return nil
	}
	if err := k.open(sealed); err != nil {
		return fmt.Errorf("taking over the keyset: %w", err)
	}
	k.revision = revision
	select {
	case k.woken <- struct{}{}:
	default:
	}
	return nil
}

// reloadKeyset reads the keyset for a value whose key this replica does not
// know, at most once a second: a record that is broken must cost no more.
func (r *Registry) reloadKeyset(ctx context.Context) error {
	k := r.keys
	k.mu.Lock()
	recent := time.Since(k.asked) < time.Second
	if !recent {
		k.asked = time.Now()
	}
	k.mu.Unlock()
	if recent {
		return nil
	}
	value, revision, err := r.fresh(ctx, keysetKey)
	if err != nil {
		return err
	}
	return k.load(value, revision)
}

// replica is what one of them says of itself.
type replica struct {
	Keyset  uint64   `json:"keyset"`            // revision of the record
	Masters []string `json:"masters,omitempty"` // ids of the master keys that it has
}

// present tells which keyset this replica uses, until the context ends.
func (r *Registry) present(ctx context.Context) {
	tick := time.NewTicker(replicaEvery)
	defer tick.Stop()
	for {
		if err := r.announce(ctx); err != nil && ctx.Err() == nil {
			r.log.Warn("registry: could not announce this replica to the others", "err", err)
		}
		select {
		case <-ctx.Done():
			gone, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
			defer cancel()
			_ = r.keys.replicas.Delete(gone, r.keys.replica) // else it is forgotten in a minute
			return
		case <-tick.C:
		case <-r.keys.woken:
		}
	}
}

func (r *Registry) announce(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	r.keys.mu.Lock()
	value, err := json.Marshal(replica{r.keys.revision, idsOf(r.keys.masters)})
	r.keys.mu.Unlock()
	if err == nil {
		_, err = r.keys.replicas.Put(ctx, r.keys.replica, value)
	}
	return err
}
