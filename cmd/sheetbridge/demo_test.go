package main

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"
)

// TestDemo watches until everything that can happen to a row was shown, and
// interrupts it.
func TestDemo(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	stdout, stderr := newOutput(), newOutput()
	code := make(chan int, 1)
	go func() { code <- run(ctx, []string{"demo", "--edits", "50ms"}, stdout, stderr) }()
	for what, pattern := range map[string]string{
		"what is going on":       `^Sheetbridge demo: a simulated Smartsheet with two sheets that are edited every 50ms.*\n`,
		"where to look":          `admin API +http://127\.0\.0\.1:\d+  token \w+\n`,
		"credentials":            `credentials +` + temp + `/.*/acme\.creds\n +.*/globex\.creds\n`,
		"a line to try":          `tail --server nats://127\.0\.0\.1:\d+ --creds \S+`,
		"a first load":           `acme    orders  the sheet as it is: 25 rows`,
		"an edit":                `acme    orders row/\d+ SO-\d+  updated  .*status \w+.* → .*\(callback\)`,
		"a new row":              `acme    orders row/\d+ SO-\d+  created  order_no SO-`,
		"a deleted row":          `acme    orders row/\d+ SO-\d+  deleted  .*\(deleted, callback\)`,
		"one that left the view": `globex  orders row/\d+ SO-\d+  deleted  .*\(left-view, callback\)`,
		"a mask":                 `globex  orders row/\d+ SO-\d+  created  order_no [^,]+, customer [0-9a-f]{32}, `,
		"the plan":               `acme    plan row/\d+ .+  updated`,
		"a comment":              `acme    orders comment/\d+  created  text `,
		"an attachment":          `acme    orders attachment/\d+  created  name `,
		"a line to write":        `write --server nats://127\.0\.0\.1:\d+ --creds \S+ --sheet orders --row \d+ --expect status=Open --set status=Shipped`,
	} {
		t.Run(what, func(t *testing.T) { stdout.wait(t, pattern) })
	}
	cancel()
	if got := <-code; got != exitOK {
		t.Errorf("got exit code %d, want %d", got, exitOK)
	}
	if text := stderr.String(); text != "" {
		t.Errorf("got on stderr:\n%s", text)
	}
	if left, err := filepath.Glob(filepath.Join(temp, "sheetbridge-demo-*")); err != nil || len(left) > 0 {
		t.Errorf("got %v left behind, error %v", left, err)
	}
}

// TestDemoWrites watches until a partner has changed an order and both have seen it.
func TestDemoWrites(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	stdout, stderr := newOutput(), newOutput()
	code := make(chan int, 1)
	go func() { code <- run(ctx, []string{"demo", "--edits", "0", "--writes", "500ms"}, stdout, stderr) }()
	asked := stdout.wait(t, `globex  orders row/(\d+) (SO-\d+)  asks  that status ([\w ]+) become ([\w ]+)  \(write (demo-\d+)\)\n`)
	row, change, id := asked[1]+" "+asked[2], `status `+asked[3]+` → `+asked[4], asked[5]
	stdout.wait(t, `globex  orders write/`+id+`  done  update of row `+asked[1])
	stdout.wait(t, `globex  orders row/`+row+`  updated  `+change+`  \(write `+id+`\)`)
	stdout.wait(t, `acme    orders row/`+row+`  updated  `+change+`  \(callback\)`)
	cancel()
	if got := <-code; got != exitOK || stderr.String() != "" {
		t.Errorf("got exit code %d, want %d, and on stderr:\n%s", got, exitOK, stderr)
	}
}

// TestDemoEndsByItself is also one that is ended while it starts.
func TestDemoEndsByItself(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	for _, duration := range []string{"1ms", "50ms", "1s"} {
		stdout, stderr := newOutput(), newOutput()
		if got := run(t.Context(), []string{"demo", "--duration", duration}, stdout, stderr); got != exitOK {
			t.Errorf("%s: got exit code %d, want %d:\n%s%s", duration, got, exitOK, stdout, stderr)
		}
	}
	if left, err := os.ReadDir(os.Getenv("TMPDIR")); err != nil || len(left) > 0 {
		t.Errorf("got %v left behind, error %v", left, err)
	}
}
