package main

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/sheetbridge/sheetbridge"

// testWorld is the package of what tests share; the program does not import it.
const testWorld = "webhook/webhooktest"

// sharedByTests is the package of what tests of all packages share.
const sharedByTests = "events/eventstest"

// source is one Go file that is part of the program.
type source struct {
	dir     string // of the package, below the module
	name    string
	doc     bool // has a package comment
	imports []string
}

// sources are all files of the module but tests and examples.
func sources(t *testing.T) []source {
	t.Helper()
	root := filepath.Join("..", "..")
	var list []source
	err := fs.WalkDir(os.DirFS(root), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && name != "." && (strings.HasPrefix(entry.Name(), ".") || entry.Name() == "testdata" || entry.Name() == "node_modules") {
			return fs.SkipDir
		}
		if name == "deploy/examples" { // what partners begin with
			return fs.SkipDir
		}
		if entry.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, name), nil, parser.ImportsOnly|parser.ParseComments)
		if err != nil {
			return err
		}
		s := source{dir: path.Dir(name), name: name, doc: file.Doc.Text() != ""}
		for _, spec := range file.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			s.imports = append(s.imports, imported)
		}
		list = append(list, s)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(list) < 50 {
		t.Fatalf("got %d files: is this the module?", len(list))
	}
	return list
}

// house is the part of the design that a directory belongs to.
func house(dir string) string {
	first, _, _ := strings.Cut(dir, "/")
	return first
}

// TestHouses keeps the arrows of the design: cmd → webhook → events → smartsheet.
func TestHouses(t *testing.T) {
	below := map[string][]string{ // house → what it may import of ours, besides itself
		"cmd":        {"webhook", "events", "smartsheet"},
		"webhook":    {"events", "smartsheet"},
		"events":     {"smartsheet"},
		"smartsheet": {},
	}
	for _, s := range sources(t) {
		allowed, known := below[house(s.dir)]
		if !known {
			t.Errorf("%s: there is no house %q", s.name, house(s.dir))
		}
		for _, imported := range s.imports {
			of, ours := strings.CutPrefix(imported, module+"/")
			if ours && house(of) != house(s.dir) && !slices.Contains(allowed, house(of)) {
				t.Errorf("%s imports %s: want only %v below it", s.name, imported, allowed)
			}
			if ours && strings.HasSuffix(of, "smartsheettest") && house(s.dir) != "cmd" && s.dir != of && s.dir != testWorld {
				t.Errorf("%s imports the simulator", s.name)
			}
		}
	}
}

// TestRooms keeps the arrows within the house webhook: handlers import the
// packages that act, which import the records and queues, never back.
func TestRooms(t *testing.T) {
	records := []string{"inbox", "registry", "budget", "audit", "limits", "tracing", "problem"}
	below := map[string][]string{ // package → what it may import of the house
		"inbox": {}, "registry": {}, "budget": {}, "audit": {}, "limits": {}, "tracing": {},
		"problem":   {"registry"},
		"owner":     records,
		"partner":   records,
		"registrar": append([]string{"owner", "partner"}, records...),
		"relay":     append([]string{"owner", "partner"}, records...),
		"write":     append([]string{"owner", "partner"}, records...),
		"feed":      records,
		"notice":    {"registry", "problem"},
		"diagnose":  append([]string{"owner", "partner", "registrar", "notice", "write"}, records...),
		"admin":     append([]string{"owner", "partner", "registrar", "diagnose", "relay", "feed", "notice"}, records...),
		"":          records, // the receiver

		"console":                 {},
		"console/generate":        {"console/generate/bundle"},
		"console/generate/bundle": {"admin"}, // whose document the page's types are made from
	}
	for _, s := range sources(t) {
		room, within := strings.CutPrefix(s.dir, "webhook/")
		if !within && s.dir != "webhook" || s.dir == testWorld {
			continue
		}
		if !within {
			room = ""
		}
		allowed, known := below[room]
		if !known {
			t.Errorf("%s: there is no room %q in the house webhook", s.name, room)
		}
		for _, imported := range s.imports {
			of, ours := strings.CutPrefix(imported, module+"/webhook/")
			if imported == module+"/webhook" {
				of, ours = "", true
			}
			if ours && of != room && !slices.Contains(allowed, of) {
				t.Errorf("%s imports %s: want only %v", s.name, imported, allowed)
			}
		}
	}
}

// TestProgramImports keeps the order of the packages of the program: the settings and
// the wiring, what it can do without a service, the commands, what they print with.
func TestProgramImports(t *testing.T) {
	below := map[string][]string{ // package → what else of the program it may import
		"cmd/sheetbridge":          {"demo", "cli", "join", "terminal"},
		"cmd/sheetbridge/demo":     {"cli", "terminal"},
		"cmd/sheetbridge/cli":      {"join", "terminal"},
		"cmd/sheetbridge/join":     {},
		"cmd/sheetbridge/terminal": {},
	}
	for _, s := range sources(t) {
		allowed, known := below[s.dir]
		if !known {
			continue
		}
		for _, imported := range s.imports {
			name, ours := strings.CutPrefix(imported, module+"/cmd/sheetbridge/")
			if ours && !slices.Contains(allowed, name) {
				t.Errorf("%s imports %s: want only %v of the program", s.name, imported, allowed)
			}
			if imported == "github.com/kelseyhightower/envconfig" && s.dir != "cmd/sheetbridge" {
				t.Errorf("%s imports %s: settings are read in cmd/sheetbridge alone", s.name, imported)
			}
		}
	}
}

// TestForeignImports keeps other people's packages to where they belong.
func TestForeignImports(t *testing.T) {
	for _, rule := range []struct {
		prefix string
		within []string // directories, with all below them
	}{
		{"github.com/labstack/echo", []string{"webhook"}},
		{"github.com/danielgtaylor/huma", []string{"webhook/admin"}},
		{"github.com/nats-io", []string{"events", "webhook/registry", "webhook/inbox", "webhook/budget", "webhook/audit", "webhook/write", testWorld}},
		{"github.com/kelseyhightower/envconfig", []string{"cmd"}},
		{"github.com/spf13/", []string{"cmd"}},
		{"testing", []string{testWorld, sharedByTests, "events/codegen/codegentest"}},
		{module + "/" + testWorld, nil},
		{module + "/" + sharedByTests, []string{testWorld, sharedByTests}},
	} {
		for _, s := range sources(t) {
			allowed := slices.ContainsFunc(rule.within, func(dir string) bool { return s.dir == dir || strings.HasPrefix(s.dir, dir+"/") })
			for _, imported := range s.imports {
				if !allowed && (imported == rule.prefix || strings.HasPrefix(imported, strings.TrimSuffix(rule.prefix, "/")+"/")) {
					t.Errorf("%s imports %s: want it in %v only", s.name, imported, rule.within)
				}
			}
		}
	}
}

// TestSmartsheetStandsAlone: whoever wants the client alone gets nothing else.
func TestSmartsheetStandsAlone(t *testing.T) {
	for _, s := range sources(t) {
		for _, imported := range s.imports {
			host, _, _ := strings.Cut(imported, "/")
			if s.dir == "smartsheet" && strings.Contains(host, ".") && host != "golang.org" {
				t.Errorf("%s imports %s: want the standard library and golang.org/x only", s.name, imported)
			}
		}
	}
}

// TestMap: every package has a row in the map for contributors, and the files that it
// says to read first are there.
func TestMap(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "deploy", "CONTRIBUTING.md"))
	if err != nil {
		t.Fatal(err)
	}
	quoted := regexp.MustCompile("`([^`]+)`")
	rows := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(line, "|")
		if len(cells) != 5 || !strings.HasPrefix(cells[1], " `") {
			continue
		}
		dir := quoted.FindStringSubmatch(cells[1])[1]
		rows[dir] = true
		for _, name := range quoted.FindAllStringSubmatch(cells[3], -1) {
			if _, err := os.Stat(filepath.Join("..", "..", dir, name[1])); err != nil {
				t.Errorf("the row of %s: %v", dir, err)
			}
		}
	}
	for _, s := range sources(t) {
		if !rows[s.dir] {
			t.Errorf("package %s has no row in deploy/CONTRIBUTING.md", s.dir)
			rows[s.dir] = true
		}
	}
}

func TestPackageComments(t *testing.T) {
	documented := map[string]bool{}
	for _, s := range sources(t) {
		documented[s.dir] = documented[s.dir] || s.doc
	}
	for dir, ok := range documented {
		if !ok {
			t.Errorf("package %s has no package comment", dir)
		}
	}
}
