package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"github.com/sheetbridge/sheetbridge/cmd/sheetbridge/terminal"
	"github.com/sheetbridge/sheetbridge/webhook/admin"
)

// shareFile is a file of partners and shares that was read, and where each part of it
// stands.
type shareFile struct {
	admin.File
	path string // as it was named
	root ast.Node
}

// mistake is something wrong in a file: at a place such as sheets[0].owner.
type mistake struct{ at, detail string }

// maxMistakes bounds how many are said at once.
const maxMistakes = 20

// parseShareFile reads a file of partners and shares, and checks all that can be
// checked without a service.
func parseShareFile(path, text string) (*shareFile, error) {
	f := &shareFile{path: path}
	parsed, err := parser.ParseBytes([]byte(text), 0)
	if err != nil {
		return nil, f.wrongSyntax(err)
	}
	if len(parsed.Docs) != 1 || parsed.Docs[0].Body == nil {
		return nil, Usagef("%s: want one YAML document with partners or sheets; sheetbridge export writes one", path)
	}
	f.root = parsed.Docs[0].Body
	var value any
	if err := yaml.NodeToValue(f.root, &value); err != nil {
		return nil, f.wrongSyntax(err)
	}
	raw, err := json.Marshal(value)
	if err != nil {
		return nil, Usagef("%s: %w", path, err)
	}
	if err := json.Unmarshal(raw, &value); err != nil { // numbers as JSON has them
		return nil, Usagef("%s: %w", path, err)
	}
	var wrong []mistake
	for _, m := range admin.CheckFile(value) {
		wrong = append(wrong, mistake{m.At, m.Detail})
	}
	if len(wrong) > 0 {
		return nil, f.refuse(wrong)
	}
	if err := json.Unmarshal(raw, &f.File); err != nil {
		return nil, Usagef("%s: %w", path, err)
	}
	if len(f.Partners)+len(f.Sheets) == 0 {
		return nil, Usagef("%s: it names neither partners nor sheets; sheetbridge export writes a file that does", path)
	}
	if wrong := append(f.places(), f.named()...); len(wrong) > 0 {
		return nil, f.refuse(wrong)
	}
	return f, nil
}

// named finds what the file names twice.
func (f *shareFile) named() (wrong []mistake) {
	first := map[string]string{}
	once := func(what, at string) {
		if was, twice := first[what]; twice {
			wrong = append(wrong, mistake{at, fmt.Sprintf("%s stands on line %d already: name it once", what, f.line(was))})
			return
		}
		first[what] = at
	}
	for i, p := range f.Partners {
		once("partner "+p.Name, fmt.Sprintf("partners[%d].name", i))
	}
	for i, s := range f.Sheets {
		if s.SheetID == "" {
			continue
		}
		once("sheet "+s.SheetID+" of owner "+s.Owner, fmt.Sprintf("sheets[%d].sheetId", i))
		for j, share := range s.Shares {
			once("share "+share.Partner+"/"+share.Sheet, fmt.Sprintf("sheets[%d].shares[%d].sheet", i, j))
		}
	}
	return wrong
}

// refuse says where in the file what is wrong.
func (f *shareFile) refuse(wrong []mistake) error {
	slices.SortStableFunc(wrong, func(a, b mistake) int { return f.line(a.at) - f.line(b.at) })
	var lines []string
	for i, m := range wrong {
		if i == maxMistakes {
			lines = append(lines, fmt.Sprintf("and %d more", len(wrong)-i))
			break
		}
		at := m.at
		if at != "" {
			at += ": "
		}
		lines = append(lines, fmt.Sprintf("%s:%d: %s%s", f.path, f.line(m.at), at, terminal.Clean(m.detail, 1000)))
	}
	return Usagef("%s", strings.Join(lines, "\n"))
}

// wrongSyntax says on which line a file is no YAML.
func (f *shareFile) wrongSyntax(err error) error {
	var wrong yaml.Error
	if !errors.As(err, &wrong) || wrong.GetToken() == nil {
		return Usagef("%s: it is not YAML: %w", f.path, err)
	}
	return Usagef("%s:%d: it is not YAML: %s", f.path, wrong.GetToken().Position.Line, terminal.Clean(wrong.GetMessage(), 300))
}

// placeStep is a step of a place: a name, or an index in brackets.
var placeStep = regexp.MustCompile(`[^.\[\]]+|\[\d+\]`)

// line is where a place such as sheets[0].owner stands, or what is nearest to it.
func (f *shareFile) line(at string) int {
	node := f.root
	line := firstLine(node)
	for _, step := range placeStep.FindAllString(at, -1) {
		below, its := child(node, step)
		if its == 0 {
			break
		}
		if line = its; below == nil {
			break
		}
		node = below
	}
	return line
}

// child is the part of a node that a step names, and its line; 0: there is none.
func child(node ast.Node, step string) (ast.Node, int) {
	switch n := node.(type) {
	case *ast.AnchorNode:
		return child(n.Value, step)
	case *ast.TagNode:
		return child(n.Value, step)
	case *ast.MappingNode:
		for _, value := range n.Values {
			if below, line := child(value, step); line > 0 {
				return below, line
			}
		}
	case *ast.MappingValueNode:
		if key := n.Key.GetToken(); key.Value == step {
			return n.Value, key.Position.Line
		}
	case *ast.SequenceNode:
		i, err := strconv.Atoi(strings.Trim(step, "[]"))
		if err == nil && i < len(n.Values) {
			return n.Values[i], firstLine(n.Values[i])
		}
	}
	return nil, 0
}

// firstLine is where a node begins. A mapping's own token is a colon in it.
func firstLine(node ast.Node) int {
	switch n := node.(type) {
	case *ast.MappingNode:
		if len(n.Values) > 0 {
			return firstLine(n.Values[0])
		}
	case *ast.MappingValueNode:
		return n.Key.GetToken().Position.Line
	case *ast.SequenceNode:
		if len(n.Values) > 0 {
			return firstLine(n.Values[0])
		}
	}
	return node.GetToken().Position.Line
}
