package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/events/eventstest"
	"github.com/sheetbridge/sheetbridge/events/stream"
)

// externalNATS is a NATS server that is not ours, with the accounts that
// nats-accounts makes, behind a wire that can go dead.
type externalNATS struct {
	dir  string // as nats-accounts wrote it
	url  string // behind the wire
	wire *wire
}

func startNATS(t *testing.T, partners ...string) *externalNATS {
	t.Helper()
	dir := t.TempDir()
	if err := (natsAccounts{dir: dir, storage: 1}).run(io.Discard, partners); err != nil {
		t.Fatal(err)
	}
	return startNATSIn(t, dir)
}

// startNATSIn starts a server with the accounts that a directory has.
func startNATSIn(t *testing.T, dir string) *externalNATS {
	t.Helper()
	n := &externalNATS{dir: dir}
	conf := fmt.Sprintf("listen: 127.0.0.1:-1\nmax_payload: 8MB\njetstream { store_dir: %q, sync_interval: always }\ninclude ./accounts.conf\n", t.TempDir())
	path := filepath.Join(n.dir, "nats.conf")
	if err := os.WriteFile(path, []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	options, err := server.ProcessConfigFile(path)
	if err != nil {
		t.Fatal(err)
	}
	options.NoSigs, options.NoLog = true, true
	s, err := server.NewServer(options)
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	if !s.ReadyForConnections(patience) {
		t.Fatal("NATS does not start")
	}
	n.wire = newWire(t, s.Addr().String())
	n.url = "nats://" + n.wire.address
	return n
}

// wire passes on what comes, until it is dead: then nothing arrives any more,
// and nobody is told.
type wire struct {
	address string
	mu      sync.Mutex
	mended  *sync.Cond
	dead    bool
}

func newWire(t *testing.T, to string) *wire {
	t.Helper()
	socket, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{address: socket.Addr().String()}
	w.mended = sync.NewCond(&w.mu)
	t.Cleanup(func() { w.cut(false); socket.Close() })
	go func() {
		for {
			a, err := socket.Accept()
			if err != nil {
				return
			}
			b, err := net.Dial("tcp", to)
			if err != nil {
				a.Close()
				continue
			}
			go w.pass(a, b)
			go w.pass(b, a)
		}
	}()
	return w
}

func (w *wire) cut(dead bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.dead = dead
	w.mended.Broadcast()
}

func (w *wire) pass(from, to net.Conn) {
	defer to.Close()
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		w.mu.Lock()
		for w.dead {
			w.mended.Wait()
		}
		w.mu.Unlock()
		if _, writeErr := to.Write(buffer[:n]); err != nil || writeErr != nil {
			return
		}
	}
}

// probe is one look at /readyz.
func probe(ctx context.Context, address string) (int, string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/readyz", nil)
	if err != nil {
		return 0, "", err
	}
	answer, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	return answer.StatusCode, string(text), err
}

// TestReadyTellsTheTruth cuts the wire to NATS without a word. The first probe
// after that must say so: readyTime bounds what it may take to find out.
func TestReadyTellsTheTruth(t *testing.T) {
	n := startNATS(t, "acme")
	admin := freeAddress(t)
	for name, value := range map[string]string{
		"LISTEN": freeAddress(t), "ADMIN_LISTEN": admin, "ADMIN_TOKEN": testToken, "LOG_FORMAT": "json", "DATA_DIR": t.TempDir(),
		"NATS_URL": n.url, "NATS_CREDS": filepath.Join(n.dir, "bridge.creds"), "MASTER_KEY": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
	} {
		t.Setenv(prefix+"_"+name, value)
	}
	ctx, cancel := context.WithCancel(t.Context())
	stderr, code := newOutput(), make(chan int, 1)
	go func() { code <- run(ctx, []string{"serve"}, io.Discard, stderr) }()
	stopped := func() int { cancel(); return <-code }
	stderr.wait(t, `"msg":"ready"`)
	if status, text, err := probe(t.Context(), admin); status != http.StatusOK {
		t.Errorf("got %d %s %v, want ready", status, text, err)
	}
	n.wire.cut(true)
	began := time.Now()
	status, text, err := probe(t.Context(), admin)
	if status != http.StatusServiceUnavailable || !strings.Contains(text, "NATS: ") {
		t.Errorf("got %d %s %v, want not ready for want of NATS", status, text, err)
	}
	t.Logf("it said so after %v: %s", time.Since(began).Round(time.Millisecond), text)
	n.wire.cut(false)
	for status, text = 0, ""; status != http.StatusOK; {
		if status, text, err = probe(t.Context(), admin); err != nil || t.Context().Err() != nil {
			t.Fatalf("not ready again: %s %v", text, err)
		}
	}
	if got := stopped(); got != exitOK {
		t.Errorf("got exit code %d, want 0", got)
	}
}

// TestNotReadyIsShown has NATS go away before the service has come to work: the
// metrics say so, or nobody would be alerted.
func TestNotReadyIsShown(t *testing.T) {
	n := startNATS(t)
	for name, value := range map[string]string{
		"LISTEN": "127.0.0.1:0", "ADMIN_LISTEN": "127.0.0.1:0", "ADMIN_TOKEN": testToken, "DATA_DIR": t.TempDir(),
		"NATS_URL": n.url, "NATS_CREDS": filepath.Join(n.dir, "bridge.creds"), "MASTER_KEY": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
	} {
		t.Setenv(prefix+"_"+name, value)
	}
	cfg, err := loadConfig()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	s := &service{cfg: cfg, log: slog.New(slog.DiscardHandler)}
	if err := errors.Join(s.listen(), s.open(ctx)); err != nil {
		t.Fatal(err)
	}
	n.wire.cut(true)
	ended := make(chan error, 1)
	go func() { ended <- s.run(ctx, func(addresses) { t.Error("it is ready without NATS") }) }()
	t.Cleanup(func() {
		cancel()
		n.wire.cut(false)
		if err := errors.Join(<-ended, s.close(context.WithoutCancel(ctx))); err != nil {
			t.Error(err)
		}
	})
	eventstest.AwaitNil(t, patience, "a scrape that shows that it is not ready", func() error {
		text, err := scrapeOnce(ctx, s.adminSock.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		if !(strings.Contains(text, "\nsheetbridge_ready 0\n") && strings.Contains(text, "\nsheetbridge_state_refreshed_timestamp_seconds ")) {
			err = errors.New(text)
		}
		return err
	})
}

func scrapeOnce(ctx context.Context, address string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/metrics", nil)
	if err != nil {
		return "", err
	}
	answer, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	return string(text), err
}

// TestNATSAccountsWrites lets a partner that had its credentials already write: with
// them it publishes writes under its own name, and nothing else.
func TestNATSAccountsWrites(t *testing.T) {
	dir := t.TempDir()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(natsAccounts{dir: dir, storage: 1}.run(io.Discard, []string{"acme", "globex"}))
	must(natsAccounts{dir: dir, storage: 1, writes: true}.run(io.Discard, []string{"acme"}))
	must(natsAccounts{dir: dir, storage: 1}.run(io.Discard, []string{"initech"})) // which takes nothing back
	n := startNATSIn(t, dir)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	bridge, err := nats.Connect(n.url, nats.UserCredentials(filepath.Join(dir, "partners/acme/bridge.creds")))
	must(err)
	defer bridge.Close()
	st, err := stream.Open(ctx, bridge, "acme", stream.Options{})
	must(err)
	_, err = st.Writes(ctx, true)
	must(err)
	js, err := jetstream.New(bridge)
	must(err)
	for who, allowed := range map[string]bool{"write.acme.orders.default": true, "write.acme.orders.erp": false, "write.globex.orders.default": false} {
		partner := strings.Split(who, ".")[1]
		client, err := nats.Connect(n.url, nats.UserCredentials(filepath.Join(dir, "partners", partner, partner+".creds")), nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}))
		must(err)
		defer client.Close()
		must(client.PublishRequest(who, client.NewRespInbox(), []byte(`{"id":"po-1"}`)))
		must(client.Flush())
		if err := client.LastError(); (err == nil) != allowed {
			t.Errorf("%s: got %v, want it allowed: %v", who, err, allowed)
		}
	}
	eventstest.AwaitNil(t, patience, "the write, stored", func() error {
		queue, err := js.Stream(ctx, events.WriteStreamName)
		if err == nil && queue.CachedInfo().State.Msgs != 1 {
			err = fmt.Errorf("%d messages", queue.CachedInfo().State.Msgs)
		}
		return err
	})
}

// TestNATSAccounts tries what the credentials of nats-accounts may do.
func TestNATSAccounts(t *testing.T) {
	n := startNATS(t, "acme", "globex")
	for file, want := range map[string]struct{ publish bool }{
		"partners/acme/acme.creds":   {publish: false},
		"partners/acme/bridge.creds": {publish: true},
	} {
		nc, err := nats.Connect(n.url, nats.UserCredentials(filepath.Join(n.dir, file)), nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}))
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		defer nc.Close()
		if err := errors.Join(nc.Publish("smartsheet.acme.orders.row.1", nil), nc.Flush()); err != nil {
			t.Fatal(err)
		}
		err = nc.LastError() // what the server said before it answered the flush
		if (err == nil) != want.publish {
			t.Errorf("%s: publishing got %v, want it allowed: %v", file, err, want.publish)
		}
	}
	// Once made, nothing changes; a partner is added, another may write.
	before, err := os.ReadFile(filepath.Join(n.dir, "bridge.creds"))
	if err != nil {
		t.Fatal(err)
	}
	if err := (natsAccounts{dir: n.dir, storage: 1}).run(io.Discard, []string{"initech"}); err != nil {
		t.Fatal(err)
	}
	after, err := os.ReadFile(filepath.Join(n.dir, "bridge.creds"))
	if err != nil || string(before) != string(after) {
		t.Errorf("the bridge's credentials changed: %v", err)
	}
	if _, err := os.Stat(filepath.Join(n.dir, "partners/initech/initech.creds")); err != nil {
		t.Error(err)
	}
	info, err := os.Stat(filepath.Join(n.dir, "accounts.conf"))
	if err != nil || info.Mode().Perm() != 0o644 {
		t.Errorf("accounts.conf: got %v, %v, want that every server may read it", info, err)
	}
	if rest, err := filepath.Glob(filepath.Join(n.dir, ".*")); err != nil || len(rest) > 0 {
		t.Errorf("got %q, %v, want no half-written files left", rest, err)
	}
}
