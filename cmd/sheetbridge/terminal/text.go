// Package terminal writes for people: colours, tables, sizes and durations, and
// events as one line each. It knows no command and no API.
package terminal

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/mattn/go-runewidth"
	"github.com/prometheus/common/model"
	"github.com/spf13/pflag"
	"golang.org/x/term"
)

// ANSI colours.
const (
	Dim     = "2"
	Bold    = "1"
	Red     = "31"
	Green   = "32"
	Yellow  = "33"
	Blue    = "34"
	Magenta = "35"
	Cyan    = "36"
)

// MaxName bounds a name from Smartsheet.
const MaxName = 80

// Palette colours text, or leaves it as it is.
type Palette bool

// Colours returns the palette for a writer: colours on a terminal, unless NO_COLOR
// is set, and none elsewhere.
func Colours(w io.Writer) Palette { return Palette(IsTerminal(w) && os.Getenv("NO_COLOR") == "") }

// IsTerminal reports whether a person sees what is written, or types what is read.
func IsTerminal(stream any) bool {
	file, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// Width returns how many characters a line may have: those of the terminal, and
// 80 elsewhere.
func Width(w io.Writer) int {
	if file, ok := w.(*os.File); ok {
		if width, _, err := term.GetSize(int(file.Fd())); err == nil && width > 0 {
			return width
		}
	}
	return 80
}

// Paint colours a text.
func (p Palette) Paint(colour, text string) string {
	if !p || text == "" {
		return text
	}
	return "\x1b[" + colour + "m" + text + "\x1b[0m"
}

// Clean cuts a text off and escapes characters that control a terminal: names and
// cells come from other people.
func Clean(text string, most int) string {
	var b strings.Builder
	n := 0
	for _, r := range text {
		if n++; n > most {
			b.WriteRune('…')
			break
		}
		if !unicode.IsPrint(r) {
			quoted := strconv.QuoteRuneToASCII(r)
			b.WriteString(quoted[1 : len(quoted)-1])
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

// Wrap breaks a text into lines of at most so many characters, between words.
func Wrap(text string, width int) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && len([]rune(line))+1+len([]rune(word)) > width {
			lines = append(lines, line)
			line = ""
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	if line != "" {
		lines = append(lines, line)
	}
	return lines
}

// Paragraph writes a text that begins with a head, such as "warning: ", in lines of at
// most so many characters; 0 is one line. The lines below the first are indented by as
// much as the head.
func Paragraph(head, text string, width int) string {
	if width == 0 {
		return head + text + "\n"
	}
	var b strings.Builder
	indent := runewidth.StringWidth(head)
	for _, line := range Wrap(text, max(width-indent, 20)) {
		b.WriteString(head + line + "\n")
		head = strings.Repeat(" ", indent)
	}
	return b.String()
}

// Duration is a flag's value: 30m, 24h, 90d, 2w or 1d12h.
type Duration time.Duration

// DurationVar defines a flag for a duration.
func DurationVar(flags *pflag.FlagSet, d *time.Duration, name string, value time.Duration, usage string) {
	*d = value
	flags.Var((*Duration)(d), name, usage)
}

// Set implements pflag.Value.
func (d *Duration) Set(text string) error {
	parsed, err := ParseDuration(text)
	if err == nil {
		*d = Duration(parsed)
	}
	return err
}

// String implements pflag.Value.
func (d *Duration) String() string {
	if *d == 0 {
		return "0" // so that the help shows no default
	}
	return model.Duration(*d).String()
}

// Type implements pflag.Value.
func (d *Duration) Type() string { return "duration" }

// ParseDuration reads a duration that may have days and weeks.
func ParseDuration(text string) (time.Duration, error) {
	if d, err := model.ParseDurationAllowNegative(text); err == nil {
		return time.Duration(d), nil
	}
	d, err := time.ParseDuration(text) // 1.5h
	if err != nil {
		return 0, fmt.Errorf("%q is not a duration: use 30m, 24h or 90d", Clean(text, MaxName))
	}
	return d, nil
}

// Ago writes how long ago something was, in its largest unit; the zero time is
// empty.
func Ago(t, now time.Time) string {
	if t.IsZero() {
		return ""
	}
	d := now.Sub(t)
	switch {
	case d < 0:
		return "in " + span(-d, true) // what was made a moment ago for 90 days is good for 90 days
	}
	return span(d, false) + " ago"
}

// span writes a duration in its largest unit, rounded down or to the nearest.
func span(d time.Duration, nearest bool) string {
	for _, unit := range []struct {
		d    time.Duration
		name string
	}{{24 * time.Hour, "d"}, {time.Hour, "h"}, {time.Minute, "m"}} {
		if d >= 2*unit.d || d >= unit.d && unit.name == "m" {
			if nearest {
				d += unit.d / 2
			}
			return strconv.FormatInt(int64(d/unit.d), 10) + unit.name
		}
	}
	return strconv.FormatInt(int64(d/time.Second), 10) + "s"
}

// Moment writes a time in UTC; the zero time is empty.
func Moment(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04:05Z")
}

// Bar is a progress bar of so many characters.
func Bar(done, of int64, width int) string {
	full := 0
	if of > 0 {
		full = int(max(0, min(done, of)) * int64(width) / of)
	}
	return strings.Repeat("█", full) + strings.Repeat("░", width-full)
}

// Thousands writes a number with commas.
func Thousands(n int64) string {
	text := strconv.FormatInt(n, 10)
	for i := len(text) - 3; i > 0 && text[i-1] != '-'; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// ReadHidden asks for a line on a terminal and reads it without showing it.
func ReadHidden(prompt io.Writer, in any, what string) (string, error) {
	file, ok := in.(*os.File)
	if !ok {
		return "", fmt.Errorf("%s: there is no terminal to read it from", what)
	}
	return readHidden(file, prompt, what+": ")
}

// Redraw writes a line over the one that it wrote before, on a terminal; elsewhere
// below it.
func Redraw(w io.Writer, line, before string) {
	if !IsTerminal(w) {
		fmt.Fprintln(w, line)
		return
	}
	blanks := max(0, runewidth.StringWidth(before)-runewidth.StringWidth(line))
	fmt.Fprintf(w, "\r%s%s", line, strings.Repeat(" ", blanks))
}

// EndLine goes on below a line that Redraw wrote.
func EndLine(w io.Writer, drawn string) {
	if drawn != "" && IsTerminal(w) {
		fmt.Fprintln(w)
	}
}
