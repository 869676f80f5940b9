// Package examples has what partners begin with, and tests it as they run it.
package examples

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/sheetbridge/sheetbridge/events/broker"
	"github.com/sheetbridge/sheetbridge/events/eventstest"
	"github.com/sheetbridge/sheetbridge/events/seal"
	"github.com/sheetbridge/sheetbridge/events/stream"
)

// month is how long deletions are kept.
const month = 30 * 24 * time.Hour

// side is the bridge's side: a server with a partner and its stream.
type side struct {
	t       *testing.T
	options broker.Options
	broker  *broker.Broker
	account broker.Account
	creds   string // file
	nc      *nats.Conn
	js      jetstream.JetStream
	stream  *stream.Stream
}

func newSide(t *testing.T) *side {
	t.Helper()
	s := &side{t: t, options: broker.Options{Dir: t.TempDir(), Master: seal.NewMasterKey(), Listen: "127.0.0.1:0"}}
	var err error
	s.account, err = broker.NewAccount("acme")
	must(t, err)
	s.start()
	creds, _, err := s.account.MintUser("erp", time.Time{})
	must(t, err)
	s.creds = filepath.Join(t.TempDir(), "acme.creds")
	must(t, os.WriteFile(s.creds, []byte(creds), 0o600))
	t.Cleanup(s.stop)
	return s
}

func (s *side) start() {
	s.t.Helper()
	var err error
	s.broker, err = broker.Start(s.t.Context(), s.options)
	must(s.t, err)
	u, err := url.Parse(s.broker.URL())
	must(s.t, err)
	s.options.Listen = u.Host // the same the next time
	must(s.t, s.broker.PutAccount(s.t.Context(), "acme", s.account))
	s.nc, err = s.broker.Connect(s.t.Context(), "acme", s.account)
	must(s.t, err)
	s.js, err = jetstream.New(s.nc)
	must(s.t, err)
	s.stream, err = stream.Open(s.t.Context(), s.nc, "acme", stream.Options{})
	must(s.t, err)
}

func (s *side) stop() {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(s.t.Context()), 10*time.Second)
	defer cancel()
	if err := s.broker.Close(ctx); err != nil {
		s.t.Error(err)
	}
}

// publish publishes an event of a row and returns the line that an example
// prints for it.
func (s *side) publish(row int, typ, after string) string {
	s.t.Helper()
	subject := fmt.Sprintf("smartsheet.acme.orders.row.%d", row)
	body := fmt.Sprintf(`{"specversion":"1.0","type":"sheetbridge.row.%s","data":{"after":%s}}`, typ, after)
	_, err := s.js.Publish(s.t.Context(), subject, []byte(body))
	must(s.t, err)
	return subject + " " + body
}

// follower is an example at work.
type follower struct {
	t     *testing.T
	cmd   *exec.Cmd
	lines chan string
	said  chan string // on standard error
}

// follow starts an example.
func (s *side) follow(dir string, command []string) *follower {
	s.t.Helper()
	return follow(s.t, dir, command, s.broker.URL(), s.creds)
}

func follow(t *testing.T, dir string, command []string, url, creds string) *follower {
	t.Helper()
	f := &follower{t: t, cmd: exec.CommandContext(t.Context(), command[0], command[1:]...), lines: make(chan string, 1000), said: make(chan string, 1000)}
	f.cmd.Dir, f.cmd.Env = dir, append(os.Environ(), "NATS_URL="+url, "NATS_CREDS="+creds)
	out, err := f.cmd.StdoutPipe()
	must(t, err)
	said, err := f.cmd.StderrPipe()
	must(t, err)
	must(t, f.cmd.Start())
	go readLines(out, f.lines)
	go readLines(io.TeeReader(said, t.Output()), f.said)
	t.Cleanup(f.kill)
	return f
}

// readLines sends the lines of a pipe until its end.
func readLines(pipe io.Reader, lines chan<- string) {
	defer close(lines)
	for scan := bufio.NewScanner(pipe); scan.Scan(); {
		lines <- scan.Text()
	}
}

// kill ends the process without a word.
func (f *follower) kill() {
	if f.cmd.ProcessState != nil {
		return
	}
	_ = f.cmd.Process.Kill() // it may have ended by itself
	for range f.lines {      // to its end, before Wait closes it
	}
	for range f.said {
	}
	_ = f.cmd.Wait() // the kill
}

// got wants these lines next. A first one that it was given before may come
// again: it was killed before it could say that it has it.
func (f *follower) got(doing, before string, want ...string) {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(f.t.Context(), time.Minute)
	defer cancel()
	var got []string
	for len(got) < len(want) {
		select {
		case line, ok := <-f.lines:
			if !ok {
				f.t.Fatalf("%s: it ended after %q, want %q", doing, got, want)
			}
			if len(got) > 0 || line != before {
				got = append(got, line)
			}
		case <-ctx.Done():
			f.t.Fatalf("%s: got %q, want %q", doing, got, want)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		f.t.Fatalf("%s (-want +got):\n%s", doing, diff)
	}
}

// status publishes a status of the sheet and returns the line for it.
func (s *side) status(epoch string) string {
	s.t.Helper()
	body := fmt.Sprintf(`{"specversion":"1.0","type":"sheetbridge.status.changed","data":{"epoch":%q}}`, epoch)
	_, err := s.js.Publish(s.t.Context(), "smartsheet.acme.orders.status", []byte(body))
	must(s.t, err)
	return "smartsheet.acme.orders.status " + body
}

// overdue publishes a status after which another one should have come long ago, and
// returns its subject.
func (s *side) overdue() string {
	s.t.Helper()
	const subject = "smartsheet.acme.orders.status"
	_, err := s.js.Publish(s.t.Context(), subject, []byte(`{"specversion":"1.0","data":{"epoch":"first","nextBefore":"2026-11-20T10:20:00.5Z"}}`))
	must(s.t, err)
	return subject
}

// backUp copies the store, as it is between a stop and a start.
func (s *side) backUp() (dir string) {
	s.t.Helper()
	dir = filepath.Join(s.t.TempDir(), "copy")
	s.stop()
	must(s.t, os.CopyFS(dir, os.DirFS(s.options.Dir)))
	s.start()
	return dir
}

// restore puts a copy in the place of the store.
func (s *side) restore(dir string) {
	s.t.Helper()
	s.stop()
	must(s.t, os.RemoveAll(s.options.Dir))
	must(s.t, os.CopyFS(s.options.Dir, os.DirFS(dir)))
	s.start()
}

// testRestored runs an example while the server is restored from an older copy,
// one without its consumer and one with it: it follows what is published then,
// and starts over when the sheet's status says another epoch.
func testRestored(t *testing.T, dir string, command []string) {
	s := newSide(t)
	one, first := s.publish(1, "created", `{"status":"Open"}`), s.status("first")
	without := s.backUp()
	f := s.follow(dir, command)
	f.got("the sheet as it is", "", one, first)
	two := s.publish(2, "created", `{"status":"Open"}`)
	f.got("live", "", two)
	with := s.backUp()
	f.got("after the copy", two, s.publish(3, "created", `{"status":"Open"}`))

	s.restore(without)
	f.until("restored without its consumer", s.status("second"))

	s.restore(with)
	three := s.publish(3, "created", `{"status":"New"}`)
	third := s.status("third")
	f.until("restored with its consumer", three)
	f.got("another epoch", "", one, two, three, third)
}

// until wants the line sooner or later.
func (f *follower) until(doing, want string) {
	f.t.Helper()
	f.wait(doing, f.lines, func(line string) bool { return line == want })
}

// warns wants a line with this text on standard error sooner or later.
func (f *follower) warns(doing, text string) {
	f.t.Helper()
	f.wait(doing, f.said, func(line string) bool { return strings.Contains(line, text) })
}

func (f *follower) wait(doing string, lines <-chan string, wanted func(line string) bool) {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(f.t.Context(), time.Minute)
	defer cancel()
	for {
		select {
		case line, ok := <-lines:
			if !ok {
				f.t.Fatalf("%s: it ended", doing)
			}
			if wanted(line) {
				return
			}
		case <-ctx.Done():
			f.t.Fatalf("%s: waited in vain", doing)
		}
	}
}

func TestGo(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	build := func(from, name string) []string {
		command(t, from, "go", "build", "-o", filepath.Join(dir, name), ".")
		return []string{filepath.Join(dir, name)}
	}
	testPrograms(t, dir, build("go", "follow"), build("go/write", "write"), build("go/copy", "copy")) // the last is a module of its own
}

func TestJavaScript(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	must(t, os.CopyFS(dir, os.DirFS("js")))
	eventstest.NodeModules(t, dir)
	testPrograms(t, dir, []string{"node", "follow.js"}, []string{"node", "write.js"}, []string{"node", "copy.js"})
}

func testPrograms(t *testing.T, dir string, follow, write, copy []string) {
	t.Run("follow", func(t *testing.T) { testExample(t, dir, follow) })
	t.Run("restored", func(t *testing.T) { testRestored(t, dir, follow) })
	t.Run("write", func(t *testing.T) { testWrites(t, dir, write) })
	t.Run("copy", func(t *testing.T) { testCopy(t, dir, copy) })
	t.Run("copied", func(t *testing.T) { testCopied(t, dir, copy) })
}

// testExample runs an example as a partner does: it reads the sheet as it is,
// follows it, is killed, stays away for a week and goes on, and sits out a
// restart of the server.
func testExample(t *testing.T, dir string, command []string) {
	s := newSide(t)
	s.publish(1, "created", `{"status":"Open"}`)
	two := s.publish(2, "created", `{"status":"Open"}`)
	one := s.publish(1, "updated", `{"status":"Done"}`)
	s.publish(3, "created", `{"status":"Open"}`)
	three := s.publish(3, "deleted", `null`)
	f := s.follow(dir, command)
	f.got("the sheet as it is", "", two, one, three)
	live := s.publish(2, "updated", `{"status":"Late"}`)
	f.got("live", "", live)

	f.kill()
	missed := []string{s.publish(2, "deleted", `null`), s.publish(4, "created", `{"status":"New"}`)}
	week := time.Now().Add(7 * 24 * time.Hour)
	if _, purged, err := s.stream.PurgeTombstones(t.Context(), week.Add(-month), 0, 1000); err != nil || purged != 0 {
		t.Errorf("after a week: got %d deletions purged, error %v, want them kept", purged, err)
	}
	s.stop()
	f = s.follow(dir, command)
	s.turnAway(1)
	s.start()
	f.got("after a week's absence", live, missed...)

	s.stop()
	s.start()
	f.got("after a restart of the server", missed[1], s.publish(4, "updated", `{"status":"Open"}`))
	f.warns("a status that is overdue", s.overdue()+": stale")
	for c := range consumers(t, s.js) {
		if c.Config.InactiveThreshold != 0 {
			t.Errorf("consumer %s goes after %v of absence, want never", c.Name, c.Config.InactiveThreshold)
		}
	}
}

// turnAway takes connections in the server's place, and closes each.
func (s *side) turnAway(connections int) {
	s.t.Helper()
	l, err := net.Listen("tcp", s.options.Listen)
	must(s.t, err)
	defer l.Close()
	for range connections {
		must(s.t, l.(*net.TCPListener).SetDeadline(time.Now().Add(eventstest.Patience)))
		c, err := l.Accept()
		must(s.t, err)
		must(s.t, c.Close())
	}
}

func consumers(t *testing.T, js jetstream.JetStream) <-chan *jetstream.ConsumerInfo {
	t.Helper()
	s, err := js.Stream(t.Context(), stream.Name)
	must(t, err)
	return s.ListConsumers(t.Context()).Info()
}

// An example that is longer is not read.
func TestExamplesAreShort(t *testing.T) {
	for _, name := range []string{"go/main.go", "js/follow.js", "js/write.js", "python/follow.py"} {
		text, err := os.ReadFile(name)
		must(t, err)
		n := 0
		for line := range strings.Lines(string(text)) {
			if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "//") && !strings.HasPrefix(line, "#") {
				n++
			}
		}
		if n >= 30 {
			t.Errorf("%s: got %d lines of code, want less than 30", name, n)
		}
	}
}

func command(t *testing.T, dir, name string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
