// Package deploy_test checks what operators take: that it is well-formed, that
// its parts know of each other, and by the tools it is for, where they are
// installed.
package deploy_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// files are all files here that match, but for the partners' examples.
func files(t *testing.T, matches func(path string) bool) []string {
	t.Helper()
	var list []string
	err := filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() && path == "examples" {
			return fs.SkipDir
		}
		if err == nil && entry.Type().IsRegular() && matches(path) {
			list = append(list, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// matches are the first groups of all matches, sorted, each once.
func matches(pattern, text string) []string {
	var list []string
	for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(text, -1) {
		list = append(list, m[1])
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// TestSettingsExist finds every setting that is named here in the program.
func TestSettingsExist(t *testing.T) {
	var words strings.Builder
	for _, part := range matches(`(?m)^\t[A-Z]\w+ +string +\x60(.*)\x60`, read(t, "../cmd/sheetbridge/config.go")) {
		words.WriteString(part + "\n")
	}
	fields := matches(`(?m)^\t([A-Z]\w+) +string +\x60`, read(t, "../cmd/sheetbridge/config.go"))
	known := matches(`envconfig:"([A-Z_]+)"`, words.String())
	for _, f := range fields {
		known = append(known, snake(f))
	}
	if len(known) < 20 {
		t.Fatalf("got %d settings of the program, want more", len(known))
	}
	for _, name := range files(t, func(p string) bool { return !strings.HasSuffix(p, "_test.go") }) {
		for _, setting := range matches(`SHEETBRIDGE_([A-Z_]*[A-Z])\b`, read(t, name)) {
			if !slices.Contains(known, setting) {
				t.Errorf("%s names SHEETBRIDGE_%s, which is no setting", name, setting)
			}
		}
	}
}

// snake is what envconfig makes of a field's name with split_words.
func snake(field string) string {
	return strings.ToUpper(regexp.MustCompile(`([a-z])([A-Z])`).ReplaceAllString(regexp.MustCompile(`([A-Z])([A-Z][a-z])`).ReplaceAllString(field, "${1}_$2"), "${1}_$2"))
}

// TestEveryAlertHasARunbook goes both ways.
func TestEveryAlertHasARunbook(t *testing.T) {
	rules, runbooks := read(t, "prometheus/alerts.yaml"), read(t, "runbooks.md")
	alerts := matches(`(?m)- alert: (\w+)`, rules)
	if len(alerts) < 20 {
		t.Fatalf("got %d alerts, want more", len(alerts))
	}
	sections := matches(`(?m)^## (\w+)`, runbooks)
	if !slices.Equal(alerts, sections) {
		t.Errorf("alerts are %q, runbooks are for %q", alerts, sections)
	}
	anchors := matches(`runbook_url: https://github.com/sheetbridge/sheetbridge/blob/main/deploy/runbooks.md#(\w+)`, rules)
	var want []string
	for _, a := range alerts {
		want = append(want, strings.ToLower(a))
	}
	slices.Sort(want)
	if !slices.Equal(anchors, want) {
		t.Errorf("links go to %q, want %q", anchors, want)
	}
}

// TestCommandsHideTokens: an argument is seen by everybody on the machine.
func TestCommandsHideTokens(t *testing.T) {
	for _, name := range []string{"runbooks.md", "operations.md"} {
		if list := matches(`(-H "Authorization[^\n]*|-d '\{"token[^\n]*)`, read(t, name)); len(list) > 0 {
			t.Errorf("%s has tokens in arguments: %q", name, list)
		}
	}
	if !strings.Contains(read(t, "runbooks.md"), "-H 'Content-Type: application/json'") {
		t.Error("the API refuses bodies whose type is not said, and api() does not say it")
	}
}

// TestLinks follows the relative links of all pages.
func TestLinks(t *testing.T) {
	pages := files(t, func(p string) bool { return strings.HasSuffix(p, ".md") })
	if len(pages) < 4 {
		t.Fatalf("got pages %q, want more", pages)
	}
	for _, page := range pages {
		for _, link := range matches(`\]\(([^)]+)\)`, read(t, page)) {
			if strings.Contains(link, "://") {
				continue
			}
			target, anchor, _ := strings.Cut(link, "#")
			path := filepath.Join(filepath.Dir(page), target)
			if target == "" {
				path = page
			}
			info, err := os.Stat(path)
			if err != nil {
				t.Errorf("%s: %v", page, err)
				continue
			}
			if anchor != "" && !info.IsDir() && !slices.Contains(headings(read(t, path)), anchor) {
				t.Errorf("%s: %s has no heading #%s", page, path, anchor)
			}
		}
	}
}

// headings are the anchors of a page.
func headings(page string) []string {
	var list []string
	for _, h := range matches(`(?m)^#+ (.*)$`, page) {
		h = strings.ReplaceAll(strings.ToLower(h), " ", "-")
		list = append(list, regexp.MustCompile(`[^a-z0-9_-]`).ReplaceAllString(h, ""))
	}
	return list
}
