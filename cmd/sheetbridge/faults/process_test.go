package faults

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/sheetbridge/sheetbridge/events/eventstest"
	"github.com/sheetbridge/sheetbridge/events/freeport"
)

// programs is the directory of what the tests build.
var programs string

// What the tests build, each once.
var (
	released   = built("sheetbridge", "..")
	raceTested = built("sheetbridge-race", "..", "-race")
	natsServer = built("nats-server", "github.com/nats-io/nats-server/v2")
)

// built builds a program when it is first asked for, and returns where it is.
func built(name, source string, flags ...string) func(testing.TB) string {
	build := sync.OnceValues(func() (path string, err error) {
		path = filepath.Join(programs, name)
		args := append(append([]string{"build"}, flags...), "-o", path, source)
		if out, err := exec.Command("go", args...).CombinedOutput(); err != nil {
			return "", fmt.Errorf("building %s: %w\n%s", name, err, out)
		}
		return path, nil
	})
	return func(t testing.TB) string {
		t.Helper()
		path, err := build()
		must(t, err)
		return path
	}
}

// program is the binary under test: the one that is released, which takes a fraction of
// the processor time that the race detector does. In the long form the race detector is in
// it; in the short one it is in that of some tests only, which ask for raceTested.
func program(t testing.TB) string {
	t.Helper()
	if eventstest.Long() {
		return raceTested(t)
	}
	return released(t)
}

func TestMain(m *testing.M) {
	flag.Parse()
	asked := false
	flag.Visit(func(f *flag.Flag) { asked = asked || f.Name == "test.parallel" })
	if !asked { // they wait more than they work: more at once than there are cores
		if err := flag.Set("test.parallel", strconv.Itoa(eventstest.Times(6, 4))); err != nil {
			panic(err)
		}
	}
	os.Exit(runIn(m))
}

// runIn runs the tests with a directory for what they build.
func runIn(m *testing.M) int {
	var err error
	if programs, err = os.MkdirTemp("", "sheetbridge-faults-"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(programs)
	return m.Run()
}

// process is a child process that is stopped by its pid, gently or not.
type process struct {
	t    testing.TB
	name string
	args []string
	env  []string
	log  string // file
	cmd  *exec.Cmd
	done chan struct{}
}

func newProcess(t testing.TB, name, path string, env []string, args ...string) *process {
	p := &process{t: t, name: name, args: append([]string{path}, args...), env: env, log: filepath.Join(t.TempDir(), name+".log")}
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			p.tail()
		}
	})
	return p
}

func (p *process) start() {
	p.t.Helper()
	out, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	must(p.t, err)
	defer out.Close()
	p.cmd = exec.Command(p.args[0], p.args[1:]...)
	p.cmd.Env = append(os.Environ(), p.env...)
	p.cmd.Stdout, p.cmd.Stderr = out, out
	must(p.t, p.cmd.Start())
	cmd, done := p.cmd, make(chan struct{})
	p.done = done
	go func() {
		_ = cmd.Wait() // how it ended shows in its log and in what it did
		close(done)
	}()
}

func (p *process) signal(s syscall.Signal) {
	if p.running() {
		_ = p.cmd.Process.Signal(s) // it may have just ended
	}
}

func (p *process) running() bool {
	if p.cmd == nil {
		return false
	}
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

func (p *process) kill() {
	if p.running() {
		p.signal(syscall.SIGKILL)
		<-p.done
	}
}

// stop ends the process as an operator does.
func (p *process) stop() {
	p.t.Helper()
	p.signal(syscall.SIGTERM)
	select {
	case <-p.done:
	case <-time.After(30 * time.Second):
		p.t.Fatalf("%s does not stop", p.name)
	}
	if code := p.cmd.ProcessState.ExitCode(); code != 0 {
		p.t.Errorf("%s: exit code %d, want 0", p.name, code)
	}
}

// tail shows the end of what the process said, and any data race at all.
func (p *process) tail() {
	data, _ := os.ReadFile(p.log) // it may never have started
	if at := strings.Index(string(data), "DATA RACE"); at >= 0 {
		p.t.Errorf("%s: %.4000s", p.name, data[at:])
	}
	lines := strings.Split(strings.TrimSpace(string(data)), "\n")
	p.t.Logf("%s, last lines:\n%s", p.name, strings.Join(lines[max(0, len(lines)-40):], "\n"))
}

// raced fails the test if the race detector spoke in the process.
func (p *process) raced() {
	p.t.Helper()
	data, err := os.ReadFile(p.log)
	must(p.t, err)
	if strings.Contains(string(data), "DATA RACE") {
		p.t.Errorf("%s: data race", p.name)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// freePort returns a port of the loopback interface that nobody listens at.
func freePort(t testing.TB) int {
	t.Helper()
	port, err := freeport.Take()
	must(t, err)
	return port
}

func pause(t testing.TB, d time.Duration) {
	select {
	case <-t.Context().Done():
	case <-time.After(d):
	}
}

// api is the admin API of one serve.
type api struct {
	url, token string
}

// call sends one request. The answer is read as JSON, into a *string as it is.
func (a api) call(ctx context.Context, method, path string, body, answer any) (int, error) {
	var reader io.Reader
	if body != nil {
		data, err := json.Marshal(body)
		if err != nil {
			return 0, err
		}
		reader = strings.NewReader(string(data))
	}
	req, err := http.NewRequestWithContext(ctx, method, a.url+path, reader)
	if err != nil {
		return 0, err
	}
	req.Header.Set("Authorization", "Bearer "+a.token)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, 16<<20))
	if err != nil {
		return resp.StatusCode, err
	}
	if resp.StatusCode >= 300 {
		return resp.StatusCode, fmt.Errorf("%s %s: %d: %s", method, path, resp.StatusCode, data)
	}
	if text, ok := answer.(*string); ok {
		*text = string(data)
		return resp.StatusCode, nil
	}
	if answer == nil || len(data) == 0 {
		return resp.StatusCode, nil
	}
	return resp.StatusCode, json.Unmarshal(data, answer)
}

var errNotYet = errors.New("not yet")
