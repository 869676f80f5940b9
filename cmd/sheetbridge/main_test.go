package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/sheetbridge/sheetbridge/events/broker"
)

// TestMain lets the tests run this program as a process of its own.
func TestMain(m *testing.M) {
	testscript.Main(ended{m}, map[string]func(){"sheetbridge": main})
}

// afterTests ends what tests share.
var afterTests []func()

// ended are the tests, after which afterTests is done.
type ended struct{ *testing.M }

func (m ended) Run() int {
	code := m.M.Run()
	for _, end := range afterTests {
		end()
	}
	return code
}

// TestScript runs testdata/script: what a command line prints and its exit code.
func TestScript(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			// With the race detector a process would wait a second at its end.
			env.Setenv("GORACE", "atexit_sleep_ms=0")
			return writeCreds(filepath.Join(env.WorkDir, "good.creds"))
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": exits, // exits CODE COMMAND ARGS…
		},
	})
}

// writeCreds writes credentials that are well-formed and nobody's.
func writeCreds(path string) error {
	account, err := broker.NewAccount("nobody")
	if err != nil {
		return err
	}
	creds, _, err := account.MintUser("default", time.Time{})
	if err != nil {
		return err
	}
	return os.WriteFile(path, []byte(creds), 0o600)
}

func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND ARGS…")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	err = ts.Exec(args[1], args[2:]...)
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		got = exit.ExitCode()
	case err != nil:
		ts.Fatalf("running %s: %v", args[1], err)
	}
	if got != want {
		ts.Fatalf("got exit code %d, want %d", got, want)
	}
}
