package broker_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/sheetbridge/sheetbridge/events/broker"
	"github.com/sheetbridge/sheetbridge/events/seal"
)

func TestBridgeKeepsWhatItStores(t *testing.T) {
	o := options(t)
	b := start(t, o)
	js, err := jetstream.New(b.Bridge(), jetstream.WithDefaultTimeout(wait))
	if err != nil {
		t.Fatal(err)
	}
	kv, err := js.CreateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: "registry"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := kv.PutString(t.Context(), "owner.ops", "sealed"); err != nil {
		t.Fatal(err)
	}
	if _, err := js.CreateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: "budget", Storage: jetstream.MemoryStorage}); err != nil {
		t.Errorf("no bucket in memory: %v", err)
	}
	if got, want := b.Bridge().MaxPayload(), int64(8<<20); got != want {
		t.Errorf("got max payload %d, want %d", got, want)
	}
	stop(t, b)
	if !b.Bridge().IsClosed() {
		t.Error("connection is open after Close")
	}

	b = start(t, o)
	if js, err = jetstream.New(b.Bridge(), jetstream.WithDefaultTimeout(wait)); err != nil {
		t.Fatal(err)
	}
	if kv, err = js.KeyValue(t.Context(), "registry"); err != nil {
		t.Fatal(err)
	}
	if entry, err := kv.Get(t.Context(), "owner.ops"); err != nil || string(entry.Value()) != "sealed" {
		t.Errorf("got %v, error %v, want what was stored", entry, err)
	}
}

func TestPartnerSurvivesRestart(t *testing.T) {
	o := options(t)
	b := start(t, o)
	p := newPartner(t, b, "acme")
	p.publish(t, "orders.row.1", "one")
	creds, _ := p.mint(t, "default")
	stop(t, b)

	b = start(t, o)
	// Before the account is put again: its claims and stream are on disk.
	js, err := jetstream.New(login(t, b, creds), jetstream.WithDefaultTimeout(wait))
	if err != nil {
		t.Fatal(err)
	}
	s, err := js.Stream(t.Context(), "EVENTS")
	if err != nil {
		t.Fatal(err)
	}
	if m, err := s.GetLastMsgForSubject(t.Context(), "smartsheet.acme.orders.row.1"); err != nil || string(m.Data) != "one" {
		t.Errorf("got %v, error %v, want the event", m, err)
	}
	p.open(t, b)
	p.publish(t, "orders.row.1", "two")
	if m, err := s.GetLastMsgForSubject(t.Context(), "smartsheet.acme.orders.row.1"); err != nil || string(m.Data) != "two" {
		t.Errorf("got %v, error %v, want the new event", m, err)
	}
}

func TestAccountsComeBackWithoutTheirClaims(t *testing.T) {
	o := options(t)
	b := start(t, o)
	p := newPartner(t, b, "acme")
	p.publish(t, "orders.row.1", "one")
	creds, _ := p.mint(t, "default")
	stop(t, b)
	if err := os.RemoveAll(filepath.Join(o.Dir, "accounts")); err != nil {
		t.Fatal(err)
	}

	b = start(t, o)
	wantRefused(t, b, creds)
	p.open(t, b)
	m, err := p.js.Stream(t.Context(), "EVENTS")
	if err != nil {
		t.Fatal(err)
	}
	if got := m.CachedInfo().State.Msgs; got != 1 {
		t.Errorf("got %d messages, want the stream as it was", got)
	}
	login(t, b, creds)
}

func TestStartRefuses(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { taken.Close() })
	for name, test := range map[string]struct {
		change func(*broker.Options)
		want   string
	}{
		"no directory":                  {func(o *broker.Options) { o.Dir = "" }, "no directory"},
		"no master key":                 {func(o *broker.Options) { o.Master = seal.MasterKey{} }, "no master key"},
		"directory is a file":           {func(o *broker.Options) { o.Dir = filepath.Join(o.Dir, "f"); touch(t, o.Dir) }, "make directory"},
		"port taken":                    {func(o *broker.Options) { o.Listen = taken.Addr().String() }, "address already in use"},
		"every interface":               {func(o *broker.Options) { o.Listen = "0.0.0.0:0" }, "beyond loopback"},
		"every interface, short":        {func(o *broker.Options) { o.Listen = ":0" }, "beyond loopback"},
		"every interface, IPv6":         {func(o *broker.Options) { o.Listen = "[::]:0" }, "beyond loopback"},
		"WebSocket on every interface":  {func(o *broker.Options) { o.WebSocketListen = "0.0.0.0:0" }, "beyond loopback"},
		"WebSocket port taken":          {func(o *broker.Options) { o.WebSocketListen = taken.Addr().String() }, "address already in use"},
		"leaf nodes on every interface": {func(o *broker.Options) { o.LeafListen = ":7422" }, "beyond loopback"},
		"leaf node port taken":          {func(o *broker.Options) { o.LeafListen = taken.Addr().String() }, "address already in use"},
		"a name":                        {func(o *broker.Options) { o.Listen = "nats.a.example:0" }, "beyond loopback"},
		"no port":                       {func(o *broker.Options) { o.Listen = "127.0.0.1" }, "want host:port"},
		"no such port":                  {func(o *broker.Options) { o.Listen = "127.0.0.1:70000" }, "no such port"},
		"public URL with secret":        {func(o *broker.Options) { o.PublicURL = "nats://u:hunter2@h:4222" }, "must not hold a user"},
		"store gone to pieces":          {func(o *broker.Options) { mkdir(t, filepath.Join(o.Dir, "jetstream")) }, "restore it from the backup"},
		"keys gone to pieces":           {func(o *broker.Options) { touch(t, filepath.Join(o.Dir, "keys.json")) }, "read keys"},
	} {
		t.Run(name, func(t *testing.T) {
			o := options(t)
			test.change(&o)
			b, err := broker.Start(t.Context(), o)
			if err == nil {
				stop(t, b)
				t.Fatal("started")
			}
			if !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("got %v, want %q in it", err, test.want)
			}
		})
	}
}

func touch(t *testing.T, path string) {
	t.Helper()
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
}

func mkdir(t *testing.T, path string) {
	t.Helper()
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
}

func TestWrongMasterKey(t *testing.T) {
	o := options(t)
	b := start(t, o)
	js, err := jetstream.New(b.Bridge(), jetstream.WithDefaultTimeout(wait))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := js.CreateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: "registry"}); err != nil {
		t.Fatal(err)
	}
	stop(t, b)
	before := files(t, o.Dir)

	wrong := o
	wrong.Master = seal.NewMasterKey()
	_, err = broker.Start(t.Context(), wrong)
	if !errors.Is(err, seal.ErrWrongKey) {
		t.Fatalf("got %v, want ErrWrongKey", err)
	}
	if !strings.Contains(err.Error(), "master key") || !strings.Contains(err.Error(), o.Dir) {
		t.Errorf("got %q, want the directory and what to do", err)
	}
	if got := files(t, o.Dir); got != before {
		t.Errorf("files were touched:\ngot:\n%s\nwant:\n%s", got, before)
	}

	b = start(t, o)
	if js, err = jetstream.New(b.Bridge(), jetstream.WithDefaultTimeout(wait)); err != nil {
		t.Fatal(err)
	}
	if _, err := js.KeyValue(t.Context(), "registry"); err != nil {
		t.Errorf("with the right key again: %v", err)
	}
}

// files lists what is in a directory and when it was written, without the lock.
func files(t *testing.T, dir string) string {
	t.Helper()
	var list strings.Builder
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || d.Name() == "lock" {
			return err
		}
		info, err := d.Info()
		if err == nil {
			list.WriteString(path + " " + info.ModTime().String() + "\n")
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return list.String()
}

func TestDirectoryIsHeldByOne(t *testing.T) {
	o := options(t)
	b := start(t, o)
	if _, err := broker.Start(t.Context(), o); err == nil || !strings.Contains(err.Error(), "another process") {
		t.Errorf("got %v, want refused: another process", err)
	}
	// A process of its own, which runs the test below alone.
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestDirectoryInOtherProcess$", "-test.v")
	cmd.Env = append(os.Environ(), "BROKER_TEST_DIR="+o.Dir)
	out, err := cmd.CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte("another process")) {
		t.Errorf("other process: error %v, got:\n%s", err, out)
	}
	stop(t, b)
	stop(t, start(t, o)) // the lock is released
}

// TestDirectoryInOtherProcess is the other process of TestDirectoryIsHeldByOne.
func TestDirectoryInOtherProcess(t *testing.T) {
	dir := os.Getenv("BROKER_TEST_DIR")
	if dir == "" {
		return
	}
	b, err := broker.Start(t.Context(), broker.Options{Dir: dir, Master: seal.NewMasterKey(), Listen: "127.0.0.1:0"})
	if err == nil {
		stop(t, b)
		t.Fatal("started")
	}
	t.Log(err)
}

func TestNothingPlainOnDisk(t *testing.T) {
	o := options(t)
	b := start(t, o)
	p := newPartner(t, b, "acme")
	p.publish(t, "secretsheet.row.1", "secret-body-of-a-row")
	js, err := jetstream.New(b.Bridge(), jetstream.WithDefaultTimeout(wait))
	if err != nil {
		t.Fatal(err)
	}
	kv, err := js.CreateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: "registry"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := kv.PutString(t.Context(), "secret-key", "secret-value"); err != nil {
		t.Fatal(err)
	}
	creds, _ := p.mint(t, "default")
	login(t, b, creds).Close()
	stop(t, b)

	planted := []string{
		"secretsheet", "secret-body", "secret-key", "secret-value",
		string(p.account.Seed), string(p.account.SigningSeed),
	}
	found := 0
	err = filepath.WalkDir(o.Dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if path == o.Dir && info.Mode().Perm() != 0o700 {
			t.Errorf("directory has mode %o, want 700", info.Mode().Perm())
		}
		if d.IsDir() {
			return nil
		}
		content, err := os.ReadFile(path)
		for _, plain := range planted {
			if bytes.Contains(content, []byte(plain)) {
				t.Errorf("%s holds %.12q", path, plain)
			}
		}
		for _, begin := range []string{"SUA", "SAA", "SOA"} { // seeds of users, accounts, operators
			if i := bytes.Index(content, []byte(begin)); i >= 0 && seedLike(content[i:]) {
				t.Errorf("%s holds a seed", path)
			}
		}
		found++
		return err
	})
	if err != nil || found < 8 {
		t.Errorf("looked at %d files, error %v, want a store's", found, err)
	}
}

// seedLike tells whether text begins with the 58 letters of a seed.
func seedLike(text []byte) bool {
	return len(text) >= 58 && len(bytes.Trim(text[:58], "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")) == 0
}

func TestSeedsDoNotShow(t *testing.T) {
	var b bytes.Buffer
	o := options(t)
	o.Log = slog.New(slog.NewTextHandler(&b, &slog.HandlerOptions{Level: slog.LevelDebug}))
	br := start(t, o)
	p := newPartner(t, br, "acme")
	p.publish(t, "orders.row.1", "secret-body-of-a-row")
	creds, _ := p.mint(t, "default")
	nc := login(t, br, creds)
	if err := nc.Publish("smartsheet.acme.orders.row.2", []byte("secret-of-a-partner")); err != nil {
		t.Fatal(err)
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	stop(t, br)
	o.Log.Info("account", "account", p.account, "pointer", &p.account, "options", o.Master)
	for _, secret := range []string{string(p.account.Seed), string(p.account.SigningSeed), "secret-", "SUA"} {
		if strings.Contains(b.String(), secret) {
			t.Errorf("log shows %.8q", secret)
		}
	}
	if !strings.Contains(b.String(), "JetStream") || !strings.Contains(b.String(), "Permissions Violation") && !strings.Contains(b.String(), "Publish Violation") {
		t.Errorf("log has not the server's lines:\n%s", b.String())
	}
}

func TestCloseTwiceAndCutShort(t *testing.T) {
	b := start(t, options(t))
	p := newPartner(t, b, "acme")
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := b.Close(ended); err != nil {
		t.Errorf("cut short: %v", err)
	}
	if !p.bridge.IsClosed() {
		t.Error("connection is open after Close")
	}
	stop(t, b)
	if _, err := b.Connect(t.Context(), "acme", p.account); err == nil {
		t.Error("connected after Close")
	}
	if err := b.PutAccount(t.Context(), "acme", p.account); err == nil {
		t.Error("put an account after Close")
	}
}
