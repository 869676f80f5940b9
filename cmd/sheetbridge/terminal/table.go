package terminal

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/mattn/go-runewidth"
)

const (
	maxCell   = 100 // characters of a cell, however wide the terminal is
	leastCell = 6   // characters that a column keeps when a table is made to fit
	gap       = "  "
)

// Table is a list for people: a head and rows, in columns as wide as they need.
type Table struct {
	head    []string
	rows    [][]string
	details []string // of each row; "" is none
}

// NewTable returns a table without rows.
func NewTable(head ...string) *Table { return &Table{head: head} }

// Add adds a row. An empty cell is written as a dash.
func (t *Table) Add(cells ...string) { t.AddWithDetail("", cells...) }

// AddWithDetail adds a row with a text below it, which may take several lines.
func (t *Table) AddWithDetail(detail string, cells ...string) {
	row := make([]string, len(cells))
	for i, cell := range cells {
		if row[i] = Clean(cell, maxCell); cell == "" {
			row[i] = "-"
		}
	}
	t.rows, t.details = append(t.rows, row), append(t.details, Clean(detail, 1000))
}

// Write writes the table with lines of at most so many characters, 0 for as many
// as it needs. A table without rows is the text instead.
func (t *Table) Write(w io.Writer, width int, empty string) error {
	var b strings.Builder
	if len(t.rows) == 0 {
		if empty != "" {
			fmt.Fprintln(&b, empty)
		}
		_, err := io.WriteString(w, b.String())
		return err
	}
	widths := t.widths(width)
	writeRow(&b, t.head, widths)
	for i, row := range t.rows {
		writeRow(&b, row, widths)
		for _, line := range Wrap(t.details[i], max(width, 80)-4) {
			fmt.Fprintln(&b, "    "+line)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// widths are those of the columns. Where they are too wide together, the widest is
// cut, then the next.
func (t *Table) widths(most int) []int {
	widths := make([]int, len(t.head))
	for _, row := range append([][]string{t.head}, t.rows...) {
		for i, cell := range row {
			widths[i] = max(widths[i], runewidth.StringWidth(cell))
		}
	}
	total := len(gap) * (len(widths) - 1)
	for _, w := range widths {
		total += w
	}
	for ; most > 0 && total > most; total-- {
		widest := slices.Index(widths, slices.Max(widths))
		if widths[widest] <= leastCell {
			break
		}
		widths[widest]--
	}
	return widths
}

// writeRow writes cells below those of other rows, without blanks at the end.
func writeRow(b *strings.Builder, cells []string, widths []int) {
	var line strings.Builder
	for i, cell := range cells {
		if i > 0 {
			line.WriteString(gap)
		}
		line.WriteString(runewidth.FillRight(runewidth.Truncate(cell, widths[i], "…"), widths[i]))
	}
	b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
}

// Facts are what is known of one thing: a name and a value on each line.
type Facts [][2]string

// Add adds a line, unless the value is empty.
func (f *Facts) Add(name, value string) {
	if value != "" {
		*f = append(*f, [2]string{name, Clean(value, 2000)})
	}
}

// Write writes the lines, long values below themselves.
func (f Facts) Write(w io.Writer, width int) error {
	names := 0
	for _, fact := range f {
		names = max(names, runewidth.StringWidth(fact[0]))
	}
	var b strings.Builder
	for _, fact := range f {
		head := runewidth.FillRight(fact[0], names) + gap
		lines := []string{fact[1]}
		if runewidth.StringWidth(head+fact[1]) > width && strings.Contains(fact[1], " ") {
			lines = Wrap(fact[1], max(width-names-len(gap), 20))
		}
		for _, line := range lines {
			fmt.Fprintln(&b, head+line)
			head = strings.Repeat(" ", names) + gap
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}
