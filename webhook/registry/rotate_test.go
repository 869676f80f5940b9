package registry_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/sheetbridge/sheetbridge/events/broker"
	"github.com/sheetbridge/sheetbridge/events/eventstest"
	"github.com/sheetbridge/sheetbridge/events/seal"
	"github.com/sheetbridge/sheetbridge/webhook/registry"
)

// addOwner stores an owner with a token, and a registration with a key.
func addOwner(t *testing.T, r *registry.Registry, name, token string) {
	t.Helper()
	o := &registry.Owner{Name: name, OAuth: &registry.OAuth{}}
	var err error
	o.Token, err = r.Sealer().SealString(token, o.SealName("token"))
	must(t, err)
	o.OAuth.Refresh, err = r.Sealer().SealString("refresh-"+token, o.SealName("refresh"))
	must(t, err)
	must(t, r.CreateOwner(t.Context(), o))
	reg, err := r.NewRegistration(name, 7)
	must(t, err)
	must(t, r.CreateRegistration(t.Context(), reg))
}

// tokenOf opens an owner's token as the replica has it.
func tokenOf(r *registry.Registry, name string) (string, error) {
	o := r.Owner(name)
	if o == nil {
		return "", errors.New("no such owner")
	}
	return r.Sealer().OpenString(o.Token, o.SealName("token"))
}

// work has a replica read and replace tokens until the context ends. It returns
// how often, and the first error.
func work(ctx context.Context, r *registry.Registry, owners int, seed int) (int, error) {
	n := 0
	for ; ctx.Err() == nil; n++ {
		name := fmt.Sprintf("o%d", (n+seed)%owners)
		if token, err := tokenOf(r, name); err != nil || !strings.HasPrefix(token, "planted-") {
			return n, fmt.Errorf("reading the token of %s: got %d bytes, %w", name, len(token), err)
		}
		if n%5 != 0 {
			continue
		}
		err := r.UpdateOwner(context.WithoutCancel(ctx), name, func(o *registry.Owner) (err error) {
			o.Token, err = r.Sealer().SealString(fmt.Sprintf("planted-%s-%d-%d", name, seed, n), o.SealName("token"))
			return err
		})
		if err != nil && !errors.Is(err, registry.ErrConflict) {
			return n, fmt.Errorf("replacing the token of %s: %w", name, err)
		}
	}
	return n, nil
}

func TestKeysAreRotatedWhileThreeReplicasWork(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	first, _ := replica(t, s)
	replicas := []*registry.Registry{first}
	for range 2 {
		r, _ := replica(t, s)
		replicas = append(replicas, r)
	}
	const owners = 12
	for i := range owners {
		addOwner(t, first, fmt.Sprintf("o%d", i), "planted-"+fmt.Sprint(i))
	}
	for _, r := range replicas {
		eventstest.Await(t, "the registry has heard of it", func() bool { return len(r.Owners()) == owners })
	}
	announced(t, s, len(replicas))
	old := first.Keys()[0].ID
	ctx, stop := context.WithCancel(t.Context())
	var working sync.WaitGroup
	var done [3]int
	for i, r := range replicas {
		working.Go(func() {
			var err error
			if done[i], err = work(ctx, r, owners, i); err != nil {
				t.Errorf("replica %d: %v", i, err)
			}
		})
	}
	for range 2 {
		rotation, err := replicas[1].RotateKeys(t.Context())
		must(t, err)
		if rotation.Replicas != 3 {
			t.Errorf("got %d replicas, want 3", rotation.Replicas)
		}
	}
	stop()
	working.Wait()
	for i, n := range done {
		if n == 0 {
			t.Errorf("replica %d did nothing meanwhile", i)
		}
	}
	keys := first.Keys()
	eventstest.AwaitNil(t, eventstest.Patience, "the first replica, which rotated nothing, has heard of it", func() error {
		keys = first.Keys()
		if len(keys) != 3 || keys[0].ID != old || keys[0].Enabled || keys[1].Enabled || !keys[2].Enabled || !keys[2].Primary {
			return fmt.Errorf("got keys %+v, want the third to be the only one enabled", keys)
		}
		return nil
	})
	under, err := first.SealedUnder(t.Context())
	must(t, err)
	if len(under) != 1 || under[keys[2].ID] != owners*3 {
		t.Errorf("got values under keys %v, want all %d under %d", under, owners*3, keys[2].ID)
	}
	for _, r := range replicas {
		if _, err := tokenOf(r, "o0"); err != nil {
			t.Errorf("after the rotation: %v", err)
		}
	}
}

func TestAReplicaThatMissedTheRotationReadsTheKeysetAnew(t *testing.T) {
	s := newStore(t)
	r, _ := replica(t, s)
	deaf, err := registry.Open(t.Context(), s.nc, s.master, 1, quiet) // it follows nothing
	must(t, err)
	_, err = r.RotateKeys(t.Context())
	must(t, err)
	addOwner(t, r, "o1", "planted-1")
	o, err := deaf.FreshOwner(t.Context(), "o1")
	must(t, err)
	if token, err := deaf.Sealer().OpenString(o.Token, o.SealName("token")); err != nil || token != "planted-1" {
		t.Errorf("got %q, %v, want the token", token, err)
	}
}

func TestARotationThatBrokeOffIsEnded(t *testing.T) {
	for name, step := range map[string]func(seal.MasterKey, []byte) ([]byte, error){
		"a key was added": seal.AddKey,
		"it was promoted": func(k seal.MasterKey, b []byte) ([]byte, error) {
			b, err := seal.AddKey(k, b)
			if err != nil {
				return nil, err
			}
			return seal.Promote(k, b)
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStore(t)
			r, stop := replica(t, s)
			addOwner(t, r, "o1", "planted-1")
			stop()
			kv := bucket(t, s)
			entry, err := kv.Get(t.Context(), "keyset")
			must(t, err)
			begun, err := step(s.master, entry.Value())
			must(t, err)
			_, err = kv.Update(t.Context(), "keyset", begun, entry.Revision())
			must(t, err)
			r, _ = replica(t, s)
			_, err = r.RotateKeys(t.Context())
			must(t, err)
			if keys := r.Keys(); len(keys) != 2 || keys[0].Enabled || !keys[1].Primary {
				t.Errorf("got keys %+v, want the one that was begun with as the primary one, and no third", keys)
			}
			if token, err := tokenOf(r, "o1"); err != nil || token != "planted-1" {
				t.Errorf("got %q, %v, want the token", token, err)
			}
		})
	}
}

// announced waits until so many replicas have said that they are there.
func announced(t *testing.T, s *store, n int) {
	t.Helper()
	js, err := jetstream.New(s.nc, jetstream.WithDefaultTimeout(eventstest.Patience))
	must(t, err)
	kv, err := js.KeyValue(t.Context(), registry.ReplicaBucket)
	must(t, err)
	watch, err := kv.WatchAll(t.Context(), jetstream.IgnoreDeletes())
	must(t, err)
	for seen := map[string]bool{}; len(seen) < n; {
		if entry := <-watch.Updates(); entry != nil { // nil: all that was there is told
			seen[entry.Key()] = true
		}
	}
	must(t, watch.Stop())
}

func bucket(t *testing.T, s *store) jetstream.KeyValue {
	t.Helper()
	js, err := jetstream.New(s.nc, jetstream.WithDefaultTimeout(eventstest.Patience))
	must(t, err)
	kv, err := js.KeyValue(t.Context(), registry.Bucket)
	must(t, err)
	return kv
}

func TestTheStoreDoesNotOpenWithoutItsKeys(t *testing.T) {
	s := newStore(t)
	r, stop := replica(t, s)
	addOwner(t, r, "o1", "planted-1")
	stop()
	_, err := registry.Open(t.Context(), s.nc, seal.NewMasterKey(), 1, quiet)
	if !errors.Is(err, seal.ErrWrongKey) || !strings.Contains(err.Error(), "SHEETBRIDGE_MASTER_KEY") {
		t.Errorf("got %v, want ErrWrongKey and what to do", err)
	}
	must(t, bucket(t, s).Purge(t.Context(), "keyset"))
	_, err = registry.Open(t.Context(), s.nc, s.master, 1, quiet)
	if err == nil || !strings.Contains(err.Error(), "restore") {
		t.Errorf("without the keyset: got %v, want an error that says to restore it", err)
	}
}

func TestNoPlantedSecretLiesInTheStore(t *testing.T) {
	dir := t.TempDir()
	// The store's own encryption is left out of this: what is looked at is a
	// bucket as a backup has it.
	b, err := broker.Start(t.Context(), broker.Options{Dir: dir, Master: seal.NewMasterKey(), Listen: "127.0.0.1:0"})
	must(t, err)
	s := &store{nc: b.Bridge(), master: seal.NewMasterKey()}
	t.Cleanup(func() { must(t, b.Close(context.WithoutCancel(t.Context()))) })
	r, _ := replica(t, s)
	addOwner(t, r, "o1", "planted-token")
	_, err = r.RotateKeys(t.Context())
	must(t, err)
	kv := bucket(t, s)
	keys, err := kv.Keys(t.Context())
	must(t, err)
	for _, key := range keys {
		entry, err := kv.Get(t.Context(), key)
		must(t, err)
		if strings.Contains(string(entry.Value()), "planted") {
			t.Errorf("record %s holds a secret in the clear", key)
		}
	}
	must(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return nil // files of a running server come and go
		}
		if text, err := os.ReadFile(path); err == nil && strings.Contains(string(text), "planted") {
			t.Errorf("file %s holds a secret in the clear", path)
		}
		return nil
	}))
}
