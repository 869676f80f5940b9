package terminal

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"
)

// ErrInterrupted is the end of a question that was not answered.
var ErrInterrupted = errors.New("it was interrupted")

// Questions asks a person at a terminal.
type Questions struct {
	in    *os.File
	out   io.Writer
	lines *bufio.Reader // a terminal gives one line at a time, so that nothing of the next is in it
}

// NewQuestions asks on a terminal; ok is false where one of the two is none.
func NewQuestions(in any, out io.Writer) (q *Questions, ok bool) {
	file, isFile := in.(*os.File)
	if !isFile || !IsTerminal(in) || !IsTerminal(out) {
		return nil, false
	}
	return &Questions{file, out, bufio.NewReader(file)}, true
}

// Ask asks for a line. An empty one is the default.
func (q *Questions) Ask(ctx context.Context, question, byDefault string) (string, error) {
	if byDefault != "" {
		question += " [" + byDefault + "]"
	}
	fmt.Fprint(q.out, question+": ")
	text, err := answer(ctx, q.line)
	if text == "" && err == nil {
		text = byDefault
	}
	return text, err
}

// AskHidden asks for a line that is not shown.
func (q *Questions) AskHidden(ctx context.Context, question string) (string, error) {
	before, err := term.GetState(int(q.in.Fd()))
	if err != nil {
		return "", err
	}
	text, err := answer(ctx, func() (string, error) { return readHidden(q.in, q.out, question+": ") })
	if ctx.Err() != nil { // the reading goes on, and shows nothing
		fmt.Fprintln(q.out)
		err = errors.Join(err, term.Restore(int(q.in.Fd()), before))
	}
	return text, err
}

// readHidden reads a line that is not shown. The terminal shows nothing any more
// before the question is there, so that nothing that is typed at once is seen.
func readHidden(in *os.File, out io.Writer, question string) (text string, err error) {
	before, err := term.MakeRaw(int(in.Fd()))
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, term.Restore(int(in.Fd()), before)) }()
	text, err = term.NewTerminal(struct {
		io.Reader
		io.Writer
	}{in, out}, "").ReadPassword(question)
	if errors.Is(err, io.EOF) { // Ctrl-C or Ctrl-D
		fmt.Fprint(out, "\r\n")
		err = ErrInterrupted
	}
	return text, err
}

func (q *Questions) line() (string, error) { return q.lines.ReadString('\n') }

// answer reads an answer, until the context ends.
func answer(ctx context.Context, read func() (string, error)) (string, error) {
	type line struct {
		text string
		err  error
	}
	given := make(chan line, 1)
	go func() {
		text, err := read()
		given <- line{text, err}
	}()
	select {
	case <-ctx.Done():
		return "", ErrInterrupted
	case a := <-given:
		if errors.Is(a.err, io.EOF) {
			a.err = ErrInterrupted
		}
		return strings.TrimSpace(a.text), a.err
	}
}
