package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
)

// maxCell bounds one cell of a table.
const maxCell = 100

// table is a list for people: a head and rows, in columns as wide as they need.
type table struct {
	head []string
	rows [][]string
}

func tableOf(head ...string) *table { return &table{head: head} }

// add adds a row. An empty cell is written as a dash.
func (t *table) add(cells ...string) {
	for i, c := range cells {
		if cells[i] = clean(c, maxCell); c == "" {
			cells[i] = "-"
		}
	}
	t.rows = append(t.rows, cells)
}

// write writes the table, or what to do where it is empty.
func (t *table) write(w io.Writer, empty string) error {
	if len(t.rows) == 0 {
		_, err := fmt.Fprintln(w, empty)
		return err
	}
	return writeColumns(w, append([][]string{t.head}, t.rows...))
}

// facts are what is known of one thing: a name and a value on each line.
type facts [][]string

// add adds a line, unless there is nothing to say.
func (f *facts) add(name, value string) {
	if value != "" {
		*f = append(*f, []string{name, clean(value, 2000)})
	}
}

func (f *facts) write(w io.Writer) error { return writeColumns(w, *f) }

// writeColumns writes rows whose columns stand under each other, without blanks
// at the ends of lines.
func writeColumns(w io.Writer, rows [][]string) error {
	var b strings.Builder
	tw := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		fmt.Fprintln(tw, strings.Join(row, "\t"))
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	for line := range strings.Lines(b.String()) {
		if _, err := fmt.Fprintln(w, strings.TrimRight(line, " \n")); err != nil {
			return err
		}
	}
	return nil
}

// moment writes a time for people, in UTC; nil or zero is empty.
func moment(t *time.Time) string {
	if t == nil || t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04:05Z")
}

// countOf writes a count that may be unknown.
func countOf(n *int) string {
	if n == nil {
		return ""
	}
	return fmt.Sprint(*n)
}

// version64 writes the version of a sheet that may be unknown.
func version64(v *int64) string {
	if v == nil {
		return ""
	}
	return fmt.Sprint(*v)
}

// yes writes what is so.
func yes(b bool) string {
	if b {
		return "yes"
	}
	return ""
}
