package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/sheetbridge/sheetbridge/events/freeport"
)

// patience bounds each wait for what takes a moment.
const patience = 60 * time.Second

// output is what a program prints, for somebody who waits for parts of it.
type output struct {
	mu      sync.Mutex
	text    bytes.Buffer
	written chan struct{} // closed at the next write
}

func newOutput() *output { return &output{written: make(chan struct{})} }

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	close(o.written)
	o.written = make(chan struct{})
	return o.text.Write(p)
}

func (o *output) String() string {
	text, _ := o.now()
	return text
}

func (o *output) now() (string, chan struct{}) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String(), o.written
}

// lines are the complete lines so far.
func (o *output) lines() []string {
	text, _ := o.now()
	list := strings.SplitAfter(text, "\n")
	return list[:len(list)-1]
}

// wait waits until a pattern matches, and returns the match with its groups.
func (o *output) wait(t testing.TB, pattern string) []string {
	t.Helper()
	re := regexp.MustCompile(pattern)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for {
		text, written := o.now()
		if match := re.FindStringSubmatch(text); match != nil {
			return match
		}
		select {
		case <-written:
		case <-ctx.Done():
			t.Fatalf("%q did not come; printed was:\n%s", pattern, text)
		}
	}
}

// process is sheetbridge as a process of its own.
type process struct {
	t              testing.TB
	cmd            *exec.Cmd
	stdout, stderr *output
	done           chan error
}

// spawn starts sheetbridge, which is killed at the test's end if it still runs.
func spawn(t testing.TB, env []string, args ...string) *process {
	t.Helper()
	path, err := exec.LookPath("sheetbridge")
	if err != nil {
		t.Fatal(err)
	}
	p := &process{t: t, cmd: exec.Command(path, args...), stdout: newOutput(), stderr: newOutput(), done: make(chan error, 1)}
	p.cmd.Env = append(os.Environ(), env...)
	p.cmd.Stdout, p.cmd.Stderr = p.stdout, p.stderr
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { p.done <- p.cmd.Wait() }()
	t.Cleanup(func() {
		if p.cmd.ProcessState == nil {
			p.end(syscall.SIGKILL)
		}
		if t.Failed() {
			t.Logf("sheetbridge %s said:\n%s%s", strings.Join(args, " "), p.stdout, p.stderr)
		}
	})
	return p
}

// wait waits for the end and returns the exit code.
func (p *process) wait() int {
	p.t.Helper()
	select {
	case <-p.done:
	case <-time.After(patience):
		p.t.Fatal("it does not end")
	}
	return p.cmd.ProcessState.ExitCode()
}

// end sends a signal, waits for the end and returns the exit code, -1 if the
// signal killed it.
func (p *process) end(signal syscall.Signal) int {
	p.t.Helper()
	if err := p.cmd.Process.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
		p.t.Fatal(err)
	}
	select {
	case <-p.done:
	case <-time.After(patience):
		p.t.Errorf("%v does not end it", signal)
		p.cmd.Process.Kill() // this does
		<-p.done
	}
	return p.cmd.ProcessState.ExitCode()
}

// freeAddress returns an address of this machine at which nobody listens.
func freeAddress(t testing.TB) string {
	t.Helper()
	port, err := freeport.Take()
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("127.0.0.1:%d", port)
}
