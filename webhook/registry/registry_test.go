package registry_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/sheetbridge/sheetbridge/events/eventstest"
	"github.com/sheetbridge/sheetbridge/events/eventstest/natstest"
	"github.com/sheetbridge/sheetbridge/events/seal"
	"github.com/sheetbridge/sheetbridge/webhook/registry"
)

var quiet = slog.New(slog.DiscardHandler)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// store is an account of NATS of its own with the master key of its records.
type store struct {
	nc       *nats.Conn
	master   seal.MasterKey
	replicas int
}

func newStore(t *testing.T) *store {
	t.Helper()
	return &store{nc: natstest.One.Connect(t)[0], master: seal.NewMasterKey(), replicas: 1}
}

// replica opens a registry and follows the bucket until stop is called.
func replica(t *testing.T, s *store) (r *registry.Registry, stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	r, err := registry.Open(ctx, s.nc, s.master, s.replicas, quiet)
	must(t, err)
	done := make(chan struct{})
	go func() { _ = r.Run(ctx); close(done) }()
	stop = sync.OnceFunc(func() { cancel(); <-done })
	t.Cleanup(stop)
	<-r.Loaded()
	return r, stop
}

func loaded(t *testing.T, s *store) *registry.Registry {
	t.Helper()
	r, _ := replica(t, s)
	return r
}

func registered(t *testing.T, r *registry.Registry, sheet int64) *registry.Registration {
	t.Helper()
	reg, err := r.NewRegistration("ops", sheet)
	must(t, err)
	reg.Secret, err = r.Sealer().SealString("shared-secret", reg.SealName("secret"))
	must(t, err)
	must(t, r.CreateRegistration(t.Context(), reg))
	return r.Registration(reg.ID)
}

func TestReplicasSeeEachOther(t *testing.T) { everywhere(t, replicasSeeEachOther) }

func replicasSeeEachOther(t *testing.T, s *store) {
	a, b := loaded(t, s), loaded(t, s)
	must(t, a.CreateOwner(t.Context(), &registry.Owner{Name: "ops", Email: "ops@a.example"}))
	must(t, b.CreatePartner(t.Context(), &registry.Partner{Name: "acme"}))
	reg := registered(t, a, 7)
	eventstest.Await(t, "the registry has heard of it", func() bool { return b.Owner("ops") != nil && b.Registration(reg.ID) != nil })
	eventstest.Await(t, "the registry has heard of it", func() bool { return a.Partner("acme") != nil })
	must(t, b.UpdateOwner(t.Context(), "ops", func(o *registry.Owner) error { o.State = registry.OwnerRefused; return nil }))
	eventstest.Await(t, "the registry has heard of it", func() bool { return a.Owner("ops").State == registry.OwnerRefused })

	late := loaded(t, s) // one that starts later has all of it
	if late.Owner("ops").State != registry.OwnerRefused || late.Partner("acme") == nil {
		t.Error("a replica that starts later lacks records")
	}
	got := late.Registration(reg.ID)
	if diff := cmp.Diff(reg.Secrets(reg.CreatedAt), got.Secrets(reg.CreatedAt), cmp.AllowUnexported()); diff != "" || got.CallbackKey() != reg.CallbackKey() {
		t.Error("the secrets of a registration are others after a restart")
	}
	if n := len(late.Owners()) + len(late.Partners()) + len(late.Registrations()); n != 3 {
		t.Errorf("got %d records in the lists, want 3", n)
	}
}

func TestDeletedStaysDeleted(t *testing.T) { everywhere(t, deletedStaysDeleted) }

func deletedStaysDeleted(t *testing.T, s *store) {
	a, b := loaded(t, s), loaded(t, s)
	reg := registered(t, a, 7)
	eventstest.Await(t, "the registry has heard of it", func() bool { return b.Registration(reg.ID) != nil })
	must(t, a.DeleteRegistration(t.Context(), reg))
	if a.Registration(reg.ID) != nil {
		t.Error("a record is there after it was deleted")
	}
	eventstest.Await(t, "the registry has heard of it", func() bool { return b.Registration(reg.ID) == nil })
	if _, err := a.UpdateRegistration(t.Context(), reg.ID, func(*registry.Registration) error { return nil }); !errors.Is(err, registry.ErrNotFound) {
		t.Errorf("changing a deleted record: got error %v, want ErrNotFound", err)
	}
	if _, err := b.FreshRegistration(t.Context(), reg.ID); !errors.Is(err, registry.ErrNotFound) {
		t.Errorf("reading a deleted record: got error %v, want ErrNotFound", err)
	}
	if got := loaded(t, s).Registrations(); len(got) != 0 {
		t.Errorf("got %d records in a replica that starts later, want none", len(got))
	}
	again := registered(t, b, 7) // the same id with another key
	eventstest.Await(t, "the registry has heard of it", func() bool { return a.Registration(reg.ID) != nil })
	if a.Registration(reg.ID).CallbackKey() != again.CallbackKey() || again.CallbackKey() == reg.CallbackKey() {
		t.Error("a record that was made again has the key of the deleted one")
	}
	if _, err := a.ByCallbackKey(t.Context(), string(reg.CallbackKey())); !errors.Is(err, registry.ErrNotFound) {
		t.Errorf("a key of before: got error %v, want ErrNotFound", err)
	}
}

func TestConflicts(t *testing.T) { everywhere(t, conflicts) }

func conflicts(t *testing.T, s *store) {
	a, b := loaded(t, s), loaded(t, s)
	reg := registered(t, a, 7)
	if err := b.CreateRegistration(t.Context(), reg); !errors.Is(err, registry.ErrExists) {
		t.Errorf("made twice: got error %v, want ErrExists", err)
	}
	const each = 15
	var replicas sync.WaitGroup
	for _, r := range []*registry.Registry{a, b} {
		replicas.Go(func() {
			for range each {
				got, err := r.UpdateRegistration(t.Context(), reg.ID, func(reg *registry.Registration) error {
					reg.WebhookID++
					return nil
				})
				if err != nil || got == nil {
					t.Errorf("changing a record: got %v and error %v", got, err)
				}
			}
		})
	}
	replicas.Wait()
	fresh, err := a.FreshRegistration(t.Context(), reg.ID)
	must(t, err)
	if fresh.WebhookID != 2*each {
		t.Errorf("got %d changes, want %d: some were lost", fresh.WebhookID, 2*each)
	}
	if err := a.DeleteRegistration(t.Context(), reg); !errors.Is(err, registry.ErrConflict) {
		t.Errorf("deleting a record as it was before: got error %v, want ErrConflict", err)
	}
	stop := errors.New("no")
	if _, err := a.UpdateRegistration(t.Context(), reg.ID, func(*registry.Registration) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("got error %v, want the function's own", err)
	}
}

// TestDeletedBeforeTheWatchTells has one that follows nothing delete.
func TestDeletedBeforeTheWatchTells(t *testing.T) {
	t.Parallel()
	alone, stop := replica(t, newStore(t))
	stop()
	reg := registered(t, alone, 7)
	must(t, alone.DeleteRegistration(t.Context(), reg))
	if alone.Registration(reg.ID) != nil {
		t.Error("a record is there after it was deleted")
	}
	if registered(t, alone, 7) == nil {
		t.Error("a record that was made again is not there")
	}
}

// TestUpdateReturnsWhatItStored even where somebody has deleted it since.
func TestUpdateReturnsWhatItStored(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	r := loaded(t, s)
	reg := registered(t, r, 7)
	got, err := r.UpdateRegistration(t.Context(), reg.ID, func(reg *registry.Registration) error {
		reg.SheetName = "Orders"
		var err error
		reg.Secret, err = r.Sealer().SealString("another", reg.SealName("secret"))
		return err
	})
	must(t, err)
	if got.SheetName != "Orders" || got.Revision <= reg.Revision || got.Secrets(reg.CreatedAt)[0] != "another" {
		t.Errorf("got a registration %q of revision %d, want what was stored after %d", got.SheetName, got.Revision, reg.Revision)
	}
	must(t, r.DeleteRegistration(t.Context(), got))
}

func TestWrongMasterKey(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	registered(t, loaded(t, s), 7)
	if _, err := registry.Open(t.Context(), s.nc, seal.NewMasterKey(), 1, quiet); !errors.Is(err, seal.ErrWrongKey) {
		t.Errorf("got error %v, want ErrWrongKey", err)
	}
}

func TestCallbackKeys(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	a := loaded(t, s)
	lagging, stop := replica(t, s)
	stop()
	reg := registered(t, a, 7)
	key := string(reg.CallbackKey())
	for name, r := range map[string]*registry.Registry{"the one that made it": a, "another that does not know yet": lagging} {
		if got, err := r.ByCallbackKey(t.Context(), key); err != nil || got.ID != reg.ID {
			t.Errorf("%s: got %v and error %v, want the registration", name, got, err)
		}
	}
	id, random, _ := strings.Cut(key, ".")
	for name, wrong := range map[string]string{
		"empty": "", "no random part": id + ".", "no id": "." + random, "another random part": id + "." + strings.Repeat("A", len(random)),
		"another id": "00000000-0000-5000-8000-000000000000." + random, "upper case": strings.ToUpper(id) + "." + random,
		"longer": key + "A", "shorter": key[:len(key)-1], "wildcard": strings.Repeat("*", len(id)) + "." + random,
		"dots": strings.Repeat(".", len(key)), "path": id[:35] + "/." + random,
	} {
		if _, err := a.ByCallbackKey(t.Context(), wrong); !errors.Is(err, registry.ErrNotFound) {
			t.Errorf("%s: got error %v, want ErrNotFound", name, err)
		}
	}
}

// TestNothingSecretInTheBucket looks at what lies in NATS.
func TestNothingSecretInTheBucket(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	r := loaded(t, s)
	reg := registered(t, r, 7)
	js, err := jetstream.New(s.nc, jetstream.WithDefaultTimeout(eventstest.Patience))
	must(t, err)
	kv, err := js.KeyValue(t.Context(), registry.Bucket)
	must(t, err)
	e, err := kv.Get(t.Context(), "webhook."+reg.ID)
	must(t, err)
	for _, secret := range []string{"shared-secret", strings.SplitAfter(string(reg.CallbackKey()), ".")[1]} {
		if strings.Contains(string(e.Value()), secret) {
			t.Error("a secret lies in the bucket in the clear")
		}
	}
	if text := fmt.Sprintf("%v %+v %#v", reg, reg, *reg); strings.Contains(text, "shared-secret") {
		t.Error("a registration that is printed tells its secret")
	}
}
