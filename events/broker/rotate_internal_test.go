package broker

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/sheetbridge/sheetbridge/events/eventstest"
	"github.com/sheetbridge/sheetbridge/events/seal"
)

// rotated is a store with something in it, made under an old master key.
type rotated struct {
	t        *testing.T
	dir      string
	old, new seal.MasterKey
	account  Account
}

const rotatedMessages = 30

func newRotated(t *testing.T) *rotated {
	t.Helper()
	r := &rotated{t: t, dir: t.TempDir(), old: seal.NewMasterKey(), new: seal.NewMasterKey()}
	var err error
	if r.account, err = NewAccount("acme"); err != nil {
		t.Fatal(err)
	}
	b := r.start(r.old, seal.MasterKey{})
	if err := b.PutAccount(t.Context(), "acme", r.account); err != nil {
		t.Fatal(err)
	}
	for name, js := range r.streams(b) {
		s, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: name, Subjects: []string{"s." + name + ".>"}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.CreateConsumer(t.Context(), jetstream.ConsumerConfig{Durable: "erp"}); err != nil {
			t.Fatal(err)
		}
		for i := range rotatedMessages {
			if _, err := js.PublishAsync(fmt.Sprintf("s.%s.%d", name, i), []byte(strings.Repeat("x", 2000))); err != nil {
				t.Fatal(err)
			}
		}
		<-js.PublishAsyncComplete()
	}
	r.stop(b)
	return r
}

// copy is the same store once more.
func (r *rotated) copy(t *testing.T) *rotated {
	t.Helper()
	c := *r
	c.t, c.dir = t, t.TempDir()
	if err := os.CopyFS(c.dir, os.DirFS(r.dir)); err != nil {
		t.Fatal(err)
	}
	return &c
}

func (r *rotated) options(master, old seal.MasterKey) Options {
	return Options{Dir: r.dir, Master: master, OldMaster: old, Listen: "127.0.0.1:0", MaxStore: 64 << 30}
}

func (r *rotated) start(master, old seal.MasterKey) *Broker {
	r.t.Helper()
	b, err := Start(r.t.Context(), r.options(master, old))
	if err != nil {
		r.t.Fatal(err)
	}
	return b
}

func (r *rotated) stop(b *Broker) {
	r.t.Helper()
	if err := b.Close(r.t.Context()); err != nil {
		r.t.Error(err)
	}
}

// streams are the names of the streams, each with a client in its account.
func (r *rotated) streams(b *Broker) map[string]jetstream.JetStream {
	r.t.Helper()
	own, err := jetstream.New(b.Bridge(), jetstream.WithDefaultTimeout(eventstest.Patience))
	if err != nil {
		r.t.Fatal(err)
	}
	nc, err := b.Connect(r.t.Context(), "acme", r.account)
	if err != nil {
		r.t.Fatal(err)
	}
	partners, err := jetstream.New(nc, jetstream.WithDefaultTimeout(eventstest.Patience))
	if err != nil {
		r.t.Fatal(err)
	}
	return map[string]jetstream.JetStream{"REGISTRY": own, "EVENTS": partners}
}

// whole reads everything, with the new key alone.
func (r *rotated) whole() {
	r.t.Helper()
	b := r.start(r.new, seal.MasterKey{})
	defer r.stop(b)
	for name, js := range r.streams(b) {
		s, err := js.Stream(r.t.Context(), name)
		if err != nil {
			r.t.Errorf("%s: %v", name, err)
			continue
		}
		for sequence := range uint64(rotatedMessages) {
			if m, err := s.GetMsg(r.t.Context(), sequence+1); err != nil || len(m.Data) != 2000 {
				r.t.Fatalf("%s: message %d: %v", name, sequence+1, err)
			}
		}
		if _, err := s.Consumer(r.t.Context(), "erp"); err != nil {
			r.t.Errorf("%s: its consumer: %v", name, err)
		}
	}
	if _, err := os.Stat(filepath.Join(r.dir, rotationFile)); err == nil {
		r.t.Errorf("%s is left behind", rotationFile)
	}
}

// However far a change of the master key came before the process was killed, a start
// with both keys ends it, and nothing is lost. With one key alone it is refused, or
// everything is still under that.
func TestRotationKilledAtEachStep(t *testing.T) {
	t.Parallel()
	none, whole := seal.MasterKey{}, newRotated(t)
	must := func(t *testing.T, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	rewrap := func(r *rotated, part int) {
		files, err := storeKeys(r.dir)
		must(r.t, err)
		if len(files) != 6 {
			t.Fatalf("got %d keys of the store, want those of 2 streams, 2 consumers and 2 blocks", len(files))
		}
		must(r.t, writeRotation(r.dir, rotation{r.old.ID(), r.new.ID()}))
		for _, f := range files[:part] {
			must(r.t, f.rewrap(r.options(r.new, r.old)))
		}
	}
	for name, tc := range map[string]struct {
		do      func(r *rotated)
		oldWill bool // the old key alone will do
	}{
		"nothing is done":         {func(*rotated) {}, true},
		"it has begun":            {func(r *rotated) { rewrap(r, 0) }, false},
		"a part is under the new": {func(r *rotated) { rewrap(r, 3) }, false},
		"a file is half written": {func(r *rotated) {
			rewrap(r, 2)
			files, err := storeKeys(r.dir)
			must(r.t, err)
			must(r.t, os.WriteFile(files[2].path+".tmp", []byte("half"), 0o600))
		}, false},
		"the store is under the new": {func(r *rotated) { rewrap(r, 6) }, false},
		"all but the note is done":   {func(r *rotated) { rewrap(r, 6); must(r.t, resealKeys(r.options(r.new, r.old))) }, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := whole.copy(t)
			tc.do(r)
			if b, err := Start(t.Context(), r.options(r.new, none)); err == nil {
				_ = b.Close(t.Context())
				t.Error("with the new key alone it starts")
			}
			if b, err := Start(t.Context(), r.options(seal.NewMasterKey(), r.new)); err == nil {
				_ = b.Close(t.Context())
				t.Error("with the new key as the old one of a third it starts")
			}
			b, err := Start(t.Context(), r.options(r.old, none))
			if (err == nil) != tc.oldWill {
				t.Errorf("with the old key alone: %v, want it to start: %v", err, tc.oldWill)
			}
			if err == nil {
				r.stop(b)
			}
			r.stop(r.start(r.new, r.old))
			r.whole()
			r.stop(r.start(r.new, r.old)) // both once more change nothing
			r.whole()
			if b, err := Start(t.Context(), r.options(r.old, none)); err == nil {
				_ = b.Close(t.Context())
				t.Error("with the old key it still starts")
			}
		})
	}
}

// A change that was interrupted can be undone: with the keys the other way round.
func TestRotationUndone(t *testing.T) {
	t.Parallel()
	r := newRotated(t)
	files, err := storeKeys(r.dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := writeRotation(r.dir, rotation{r.old.ID(), r.new.ID()}); err != nil {
		t.Fatal(err)
	}
	if err := files[0].rewrap(r.options(r.new, r.old)); err != nil {
		t.Fatal(err)
	}
	r.stop(r.start(r.old, r.new))
	r.new = r.old
	r.whole()
}

// A key that neither master key opens stops the change before anything is changed.
func TestRotationOfAForeignKey(t *testing.T) {
	t.Parallel()
	r := newRotated(t)
	files, err := storeKeys(r.dir)
	if err != nil {
		t.Fatal(err)
	}
	last := files[len(files)-1].path
	good, err := os.ReadFile(last)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(last, make([]byte, len(good)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Start(t.Context(), r.options(r.new, r.old)); !errors.Is(err, errOtherKey) {
		t.Fatalf("got %v, want %v", err, errOtherKey)
	}
	if err := os.WriteFile(last, good, 0o600); err != nil {
		t.Fatal(err)
	}
	r.new, r.old = r.old, r.new
	r.whole()
}

// The process is killed again and again, at moments all over the time that a start
// takes, until one comes through.
func TestRotationKilled(t *testing.T) {
	t.Parallel()
	kills := time.Duration(eventstest.Times(5, 15))
	r := newRotated(t)
	unhurt := r.copy(t)
	began := time.Now()
	if err := unhurt.startProcess().Wait(); err != nil {
		t.Fatal(err)
	}
	step := time.Since(began) / kills
	unhurt.whole()
	for delay := time.Duration(0); ; delay += step {
		cmd := r.startProcess()
		ended := make(chan error, 1)
		go func() { ended <- cmd.Wait() }()
		select {
		case err := <-ended:
			if err != nil {
				t.Fatal(err)
			}
			r.whole()
			return
		case <-time.After(delay):
			_ = cmd.Process.Kill() // it may have just ended
			<-ended
		}
	}
}

// startProcess has another process start the broker with both keys, and end it.
func (r *rotated) startProcess() *exec.Cmd {
	r.t.Helper()
	cmd := exec.CommandContext(r.t.Context(), os.Args[0], "-test.run=^TestRotateUntilKilled$")
	cmd.Env = append(os.Environ(), "BROKER_TEST_ROTATE="+r.dir, fmt.Sprintf("BROKER_TEST_KEYS=%x%x", r.new[:], r.old[:]))
	if err := cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	return cmd
}

// TestRotateUntilKilled is the process that TestRotationKilled kills.
func TestRotateUntilKilled(t *testing.T) {
	dir, text := os.Getenv("BROKER_TEST_ROTATE"), os.Getenv("BROKER_TEST_KEYS")
	if dir == "" {
		return
	}
	var both []byte
	if _, err := fmt.Sscanf(text, "%x", &both); err != nil {
		t.Fatal(err)
	}
	b, err := Start(t.Context(), Options{
		Dir: dir, Master: seal.MasterKey(both[:32]), OldMaster: seal.MasterKey(both[32:]), Listen: "127.0.0.1:0", MaxStore: 64 << 30,
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Close(context.WithoutCancel(t.Context())); err != nil {
		t.Fatal(err)
	}
}
