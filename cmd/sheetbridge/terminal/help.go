package terminal

import (
	"regexp"
	"strings"
)

var (
	// helpHeading is a line such as "Global Flags:".
	helpHeading = regexp.MustCompile(`^[A-Z][a-z]+( [A-Za-z]+)?:$`)
	// described is a line that has a flag or a command, and what it is for.
	described = regexp.MustCompile(`^(\s+\S.*?\s{2,}|  [a-z][a-z-]* )(\S.*)$`)
)

// Reflow fits a help text into lines of at most so many characters. A paragraph is
// broken between words, a description stays beside what it describes, and examples stay as
// they are, to be copied.
func Reflow(text string, width int) string {
	var b strings.Builder
	var paragraph []string
	flush := func() {
		if len(paragraph) > 0 {
			b.WriteString(Paragraph("", strings.Join(paragraph, " "), width))
		}
		paragraph = nil
	}
	example := false
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		found := described.FindStringSubmatch(line)
		switch heading := helpHeading.MatchString(line); {
		case line == "", heading:
			flush()
			example = line == "Examples:" || example && !heading
			b.WriteString(line + "\n")
		case found != nil && !example:
			flush()
			b.WriteString(Paragraph(found[1], found[2], width))
		case line[0] == ' ':
			flush()
			b.WriteString(line + "\n")
		default:
			paragraph = append(paragraph, line)
		}
	}
	flush()
	return b.String()
}
