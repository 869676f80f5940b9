package main

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kelseyhightower/envconfig"
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
	dir, err := filepath.Abs(filepath.Join("testdata", "script"))
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir: dir, // read while a script has another working directory
		Setup: func(env *testscript.Env) error {
			// With the race detector a process would wait a second at its end.
			env.Setenv("GORACE", "atexit_sleep_ms=0")
			return writeCreds(filepath.Join(env.WorkDir, "good.creds"))
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": exits, // exits CODE COMMAND ARGS…: a process of its own
			"runs":  runs,  // runs CODE ARGS…: the program in this process
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

// processWide are the settings and the working directory, which a script has to itself.
var processWide sync.Mutex

// runs calls the program with the script's settings, and no others, in its directory. To
// start a process is what nearly all the time of a script would go to. It sees what the
// program prints through its writers only: where nothing or no secret may be printed it is
// exits that tells. A setting that the script has set to nothing is as one that it has not.
func runs(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 {
		ts.Fatalf("usage: runs CODE ARGS…")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	processWide.Lock()
	defer processWide.Unlock()
	was, err := os.Getwd()
	ts.Check(err)
	ts.Check(os.Chdir(ts.MkAbs(".")))
	defer func() { ts.Check(os.Chdir(was)) }()
	for _, name := range settingNames() {
		if outside, ok := os.LookupEnv(name); ok {
			defer os.Setenv(name, outside) // which has no error for a name that was set
		} else {
			defer os.Unsetenv(name)
		}
		ts.Check(os.Unsetenv(name))
		if value := ts.Getenv(name); value != "" {
			ts.Check(os.Setenv(name, value))
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if got := run(ctx, args[1:], ts.Stdout(), ts.Stderr()); got != want {
		ts.Fatalf("got exit code %d, want %d", got, want)
	}
}

// settingNames are the names of all settings.
func settingNames() []string {
	var names strings.Builder
	for _, spec := range []any{&settings{}, &clientSettings{}} {
		if err := envconfig.Usagef(prefix, spec, &names, "{{range .}}{{usage_key .}}\n{{end}}"); err != nil {
			panic(err) // the template is constant
		}
	}
	return strings.Fields(names.String())
}
