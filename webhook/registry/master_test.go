package registry_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sheetbridge/sheetbridge/events/eventstest"
	"github.com/sheetbridge/sheetbridge/events/seal"
	"github.com/sheetbridge/sheetbridge/webhook/registry"
)

// replicaWith opens a registry with master keys, and follows the bucket until stop
// is called.
func replicaWith(t *testing.T, s *store, master seal.MasterKey, old ...seal.MasterKey) (r *registry.Registry, stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	r, err := registry.Open(ctx, s.nc, master, s.replicas, quiet, old...)
	must(t, err)
	done := make(chan struct{})
	go func() { _ = r.Run(ctx); close(done) }()
	stop = sync.OnceFunc(func() { cancel(); <-done })
	t.Cleanup(stop)
	<-r.Loaded()
	return r, stop
}

// The master key is changed while replicas work: old and new open everything until
// it is done, then the new one alone.
func TestMasterKeyIsRotated(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	next := seal.NewMasterKey()
	first, stopFirst := replicaWith(t, s, s.master)
	addOwner(t, first, "ops", "planted-1")
	before, err := first.Secret(t.Context(), "audit", "a purpose")
	must(t, err)
	if want := s.master.Derive("a purpose", 32); !bytes.Equal(before, want) {
		t.Error("the secret is not what the master key gave before there were secrets")
	}
	if _, err := first.RotateMaster(t.Context()); !errors.Is(err, registry.ErrOneMaster) {
		t.Errorf("with one key: got %v, want %v", err, registry.ErrOneMaster)
	}

	second, _ := replicaWith(t, s, next, s.master)
	if token, err := tokenOf(second, "ops"); err != nil || token != "planted-1" {
		t.Errorf("with both keys, before: got %d bytes, %v", len(token), err)
	}
	for d := 2 * time.Second; d < eventstest.Patience; d *= 2 { // enough to ask for the replicas, on this machine
		short, cancel := context.WithTimeout(t.Context(), d)
		_, err = second.RotateMaster(short)
		cancel()
		if !errors.Is(err, context.DeadlineExceeded) {
			break
		}
	}
	if err == nil || !strings.Contains(err.Error(), "lacks the new master key") {
		t.Fatalf("while a replica has the old key alone: got %v, want a refusal", err)
	}
	if token, err := tokenOf(first, "ops"); err != nil || token != "planted-1" {
		t.Errorf("the replica with the old key alone: got %d bytes, %v", len(token), err)
	}
	stopFirst()

	third, _ := replicaWith(t, s, next, s.master)
	n, err := second.RotateMaster(t.Context())
	if err != nil || n != 2 {
		t.Fatalf("got %d replicas, %v, want 2", n, err)
	}
	for _, r := range []*registry.Registry{second, third} {
		_, err = r.RotateMaster(t.Context()) // once more changes nothing
		must(t, err)
	}
	if _, err := registry.Open(t.Context(), s.nc, s.master, s.replicas, quiet); !errors.Is(err, seal.ErrWrongKey) {
		t.Errorf("with the old key alone, afterwards: got %v, want %v", err, seal.ErrWrongKey)
	}
	fourth, _ := replicaWith(t, s, next)
	_, err = fourth.RotateKeys(t.Context()) // the other keys still can be, the secrets with them
	must(t, err)
	for _, r := range []*registry.Registry{second, third, fourth} {
		eventstest.Await(t, "the registry has heard of it", func() bool { token, err := tokenOf(r, "ops"); return err == nil && token == "planted-1" })
		after, err := r.Secret(t.Context(), "audit", "a purpose")
		if err != nil || !bytes.Equal(before, after) {
			t.Errorf("the secret is another one afterwards: %v", err)
		}
	}
}
