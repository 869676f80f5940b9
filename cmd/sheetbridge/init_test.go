package main

import (
	"context"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/creack/pty"

	"github.com/sheetbridge/sheetbridge/events/seal"
	"github.com/sheetbridge/sheetbridge/smartsheet/smartsheettest"
)

// typist is somebody at a terminal in which sheetbridge runs.
type typist struct {
	t    *testing.T
	cmd  *exec.Cmd
	tty  *os.File
	out  *output
	seen int // how much of the output has been read
}

func atTerminal(t *testing.T, args ...string) *typist {
	t.Helper()
	path, err := exec.LookPath("sheetbridge")
	if err != nil {
		t.Fatal(err)
	}
	w := &typist{t: t, cmd: exec.Command(path, args...), out: newOutput()}
	if w.tty, err = pty.StartWithSize(w.cmd, &pty.Winsize{Rows: 40, Cols: 120}); err != nil {
		t.Fatal(err)
	}
	read := make(chan struct{})
	go func() {
		defer close(read)
		_, _ = io.Copy(w.out, w.tty) // it ends with an error where the program has ended
	}()
	t.Cleanup(func() {
		if w.cmd.ProcessState == nil {
			_ = w.cmd.Process.Kill() // it may have ended
			_ = w.cmd.Wait()
		}
		<-read
		_ = w.tty.Close()
		if t.Failed() {
			t.Logf("on the terminal:\n%s", w.out)
		}
	})
	return w
}

// answers waits for a question, which is a pattern, and types an answer.
func (w *typist) answers(question, answer string) {
	w.t.Helper()
	w.sees(question)
	if _, err := io.WriteString(w.tty, answer+"\n"); err != nil {
		w.t.Fatal(err)
	}
}

// sees waits for a pattern in what was not read yet.
func (w *typist) sees(pattern string) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), patience)
	defer cancel()
	re := regexp.MustCompile(pattern)
	for {
		text, written := w.out.now()
		if at := re.FindStringIndex(text[w.seen:]); at != nil {
			w.seen += at[1]
			return
		}
		select {
		case <-written:
		case <-ctx.Done():
			w.t.Fatalf("%q did not come; since the last answer there was:\n%s", pattern, text[w.seen:])
		}
	}
}

// ends wants the program to end with an exit code.
func (w *typist) ends(code int) {
	w.t.Helper()
	_ = w.cmd.Wait() // its exit code says it
	if got := w.cmd.ProcessState.ExitCode(); got != code {
		w.t.Errorf("got exit code %d, want %d", got, code)
	}
}

// TestInit is the first day at a terminal: from an empty service to rows at a partner.
func TestInit(t *testing.T) {
	c := newConsole(t)
	if _, err := c.sim.AddSheet(smartsheettest.SheetSpec{Name: "Holidays", Owner: c.jane, Columns: []smartsheettest.Column{{Title: "Day"}}}); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("taken.yaml", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv(prefix+"_ADMIN_TOKEN", testToken)
	w := atTerminal(t, "init")
	w.answers(`Name for the owner \[ops\]: `, "")
	w.answers(`\[us\]: `, "mars")
	w.answers(`(?s)"mars" is no region.*Name for the owner \[ops\]: `, "")
	w.answers(`\[us\]: `, "")
	w.answers(`which is not shown: `, "a-wrong-token-of-mine")
	w.answers(`(?s)1002.*Name for the owner \[ops\]: `, "") // refused, in Smartsheet's words
	w.answers(`\[us\]: `, "us")
	w.answers(`which is not shown: `, c.token)
	w.sees(`The token works: it is jane@a.example's`)
	w.answers(`part of its name: `, "nothing like it")
	w.answers(`(?s)No sheet has "nothing like it".*part of its name: `, "ORD")
	w.answers(`(?s) 1  Orders.*part of its name: `, "1")
	w.answers(`(?s)\[ \]  1  No .*Enter when done: `, "")
	w.answers(`(?s)at least one column.*Enter when done: `, "1-3 9")
	w.answers(`(?s)"9" is not one of the numbers.*Enter when done: `, "1-3")
	w.answers(`(?s)\[x\]  3  Due Date.*\[ \]  4  Margin.*Enter when done: `, "3")
	w.answers(`(?s)\[ \]  3  Due Date.*Enter when done: `, "")
	w.answers(`Name of the partner who gets them: `, "Acme Inc.")
	w.answers(`(?s)cannot be the name.*who gets them: `, "acme")
	w.answers(`Masks.*Enter when done: `, "hide 1")
	w.answers(`(?s)say hash, redact or none.*Enter when done: `, "hash 1-2")
	w.answers(`(?s)1  No +hash.*2  Status +hash.*Enter when done: `, "none 2")
	w.answers(`(?s)1  No +hash.*2  Status +as it is.*Enter when done: `, "")
	w.answers(`Enter for all rows: `, "status")
	w.answers(`(?s)not true or false.*Enter for all rows: `, "status > 3")
	w.answers(`(?s)cannot be evaluated.*on no row is not taken.*Enter for all rows: `, "status == 'Nowhere'")
	w.answers(`(?s)0 of 2 rows would be shown; 2 would be hidden.*Keep this filter\? yes or no: `, "no")
	w.answers(`Enter for all rows: `, "status == 'Open'")
	w.answers(`(?s)1 of 2 rows would be shown; 1 would be hidden.*Keep this filter\? yes or no: `, "yes")
	w.answers(`(?s)acme/orders would show 2 fields.*Open.*Share this\? yes or no: `, "yes")
	w.answers(`\[shares.yaml\]: `, "taken.yaml")
	w.answers(`(?s)exists: name another file.*\[shares.yaml\]: `, "")
	w.sees(`added   partner acme`)
	w.sees(`added   share acme/orders`)
	w.sees(`acme/orders is live`)
	w.answers(`\[acme.creds\]: `, "")
	w.sees(`sheetbridge tail --creds acme.creds`)
	w.ends(exitOK)
	for _, secret := range []string{c.token, "a-wrong-token-of-mine", "BEGIN NATS"} {
		if strings.Contains(w.out.String(), secret) {
			t.Errorf("%q is on the terminal", secret)
		}
	}
	c.says("Nothing is to be done", "diff", "-f", "shares.yaml") // the file is what was done
	text, err := os.ReadFile("shares.yaml")
	if err != nil || strings.Contains(string(text), c.token) || !strings.Contains(string(text), "# Status") {
		t.Errorf("got error %v and file\n%s\nwant what was done, and no token", err, text)
	}
	creds, err := os.ReadFile("acme.creds")
	if err != nil {
		t.Fatal(err)
	}
	out, stop := c.s.startTail(seal.Secret(creds))
	out.wait(t, `"no":"[0-9a-f]{32}","status":"Open"`)
	stop()
	c.refuses(exitUsage, "there is no terminal", "init")
}

// TestInitInterrupted: init ends at once when it is interrupted, and has made nothing.
func TestInitInterrupted(t *testing.T) {
	c := newConsole(t)
	t.Setenv(prefix+"_ADMIN_TOKEN", testToken)
	w := atTerminal(t, "init")
	w.answers(`Name for the owner \[ops\]: `, "")
	w.answers(`\[us\]: `, "")
	w.sees(`which is not shown: `)
	if err := w.cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	w.sees(`init was interrupted`)
	w.ends(exitFailed)
	c.says("There is no owner yet", "owners")
}
