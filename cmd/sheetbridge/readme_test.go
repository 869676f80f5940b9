package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// story is what the README tells to do, step by step: a simulator, the service,
// and the lines to paste.
type story struct {
	t       *testing.T
	vars    map[string]string // what the lines refer to
	sim     *process
	env     []string // of the service
	service *process
	nats    string
	admin   string
	creds   string            // file
	edits   map[string]string // curl lines by what they do
}

func newStory(t *testing.T) *story {
	t.Helper()
	s := &story{t: t, vars: map[string]string{}, edits: map[string]string{}}
	s.sim = spawn(t, nil, "simulate", "--listen", "127.0.0.1:0", "--debounce", "50ms")
	s.sim.stdout.wait(t, `# delete the row\ncurl [^\n]*\n`)
	printed := s.sim.stdout.String()
	for _, export := range regexp.MustCompile(`(?m)^export (.*)$`).FindAllStringSubmatch(printed, -1) {
		for _, assignment := range strings.Fields(export[1]) {
			name, value, _ := strings.Cut(assignment, "=")
			s.vars[name] = value
		}
	}
	for _, edit := range regexp.MustCompile(`(?m)^# (.*)\n(curl .*)$`).FindAllStringSubmatch(printed, -1) {
		s.edits[edit[1]] = edit[2]
	}
	public, dir := freeAddress(t), t.TempDir()
	s.admin, s.nats = freeAddress(t), freeAddress(t)
	s.env = []string{
		"SHEETBRIDGE_SMARTSHEET_URL=" + s.vars["SMARTSHEET"], "SHEETBRIDGE_LISTEN=" + public, "SHEETBRIDGE_PUBLIC_URL=http://" + public,
		"SHEETBRIDGE_ADMIN_TOKEN=a-token-for-this-demo", "SHEETBRIDGE_ADMIN_LISTEN=" + s.admin,
		"SHEETBRIDGE_NATS_LISTEN=" + s.nats, "SHEETBRIDGE_DATA_DIR=" + filepath.Join(dir, "data"),
	}
	s.creds = filepath.Join(dir, "acme.creds")
	s.vars["ADMIN"], s.vars["AUTH"], s.vars["JSON"] = "http://"+s.admin+"/v1", "Authorization: Bearer a-token-for-this-demo", "Content-Type: application/json"
	return s
}

func (s *story) serve() {
	s.t.Helper()
	s.service = spawn(s.t, s.env, "serve")
	s.service.stderr.wait(s.t, `"msg":"ready"`)
}

// block is the README's first block of commands after some words.
func (s *story) block(after string) string {
	s.t.Helper()
	readme, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		s.t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(readme), after)
	_, rest, _ = strings.Cut(rest, "```sh\n")
	block, _, _ := strings.Cut(rest, "\n```\n")
	return block
}

// register pastes the README's lines of the third terminal.
func (s *story) register() {
	s.t.Helper()
	shell := exec.CommandContext(s.t.Context(), "sh", "-e", "-c", s.block("In the third, **Company A**"))
	shell.Dir = filepath.Dir(s.creds)
	shell.Env = append(os.Environ(), "SHEETBRIDGE_ADMIN_URL=http://"+s.admin, "TOKEN="+s.vars["TOKEN"], "ORDERS="+s.vars["ORDERS"])
	if out, err := shell.CombinedOutput(); err != nil {
		s.t.Fatalf("the lines of Company A: %v\n%s", err, out)
	}
}

// registerByCurl pastes the lines that are behind the fold.
func (s *story) registerByCurl() {
	s.t.Helper()
	lines := curlLines("\n" + s.block("<details><summary>The same with <code>curl</code>"))
	if len(lines) != 3 {
		s.t.Fatalf("got %d curl lines in the README, want owner, partner and webhook: %q", len(lines), lines)
	}
	curl(s.t, lines[0], s.vars)
	var partner struct {
		Credentials string `json:"credentials"`
	}
	if err := json.Unmarshal([]byte(curl(s.t, lines[1], s.vars)), &partner); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(s.creds, []byte(partner.Credentials), 0o600); err != nil {
		s.t.Fatal(err)
	}
	curl(s.t, lines[2], s.vars)
}

func (s *story) edit(what string) {
	s.t.Helper()
	line, ok := s.edits[what]
	if !ok {
		s.t.Fatalf("simulate prints no line to %s: %q", what, s.edits)
	}
	curl(s.t, line, s.vars)
}

func (s *story) tail(args ...string) *process {
	s.t.Helper()
	return spawn(s.t, nil, append([]string{"tail", "--creds", s.creds, "--server", "nats://" + s.nats}, args...)...)
}

// TestReadme does what the README says, with processes of their own, and kills
// the service twice on the way.
func TestReadme(t *testing.T) {
	s := newStory(t)
	s.serve()
	s.register()
	text, jsons := s.tail(), s.tail("--from", "all", "-o", "json")
	text.stdout.wait(t, `orders status  live, complete to version \d+`)
	jsons.stdout.wait(t, `"state":"live"`)

	s.edit("read the sheet")
	s.edit("change a cell")
	text.stdout.wait(t, `orders row/`+s.vars["ROW"]+` SO-1040  updated  status Open → Shipped  \(callback\)\n`)

	if code := s.service.end(syscall.SIGKILL); code != -1 {
		t.Errorf("got exit code %d of a killed service", code)
	}
	text.stderr.wait(t, `the connection to the server is lost .*: waiting for it\n`)
	s.edit("add a row")
	s.serve()
	text.stderr.wait(t, `connected again: events continue where they stopped\n`)
	text.stdout.wait(t, `orders row/\d+ SO-2000  created  order_no SO-2000, status Open, qty 3  `)

	s.edit("delete the row")
	s.service.end(syscall.SIGKILL) // its callback may be stored, published, or neither
	s.serve()
	text.stdout.wait(t, `orders row/`+s.vars["ROW"]+` SO-1040  deleted  order_no SO-1040, status Shipped, qty 1  \(deleted, `)
	jsons.stdout.wait(t, `"subject":"orders/row/`+s.vars["ROW"]+`".*"after":null`)

	again := s.tail("--from", "all", "-o", "json")
	again.stdout.wait(t, `"subject":"orders/row/`+s.vars["ROW"]+`".*"after":null`)
	for name, p := range map[string]*process{"text": text, "json": jsons, "again": again} {
		if code := p.end(syscall.SIGINT); code != 0 {
			t.Errorf("tail %s: got exit code %d, want 0", name, code)
		}
	}
	// What one read while the service was killed twice is what another reads
	// afterwards: nothing is missing and nothing came twice.
	if diff := cmp.Diff(told(again), told(jsons)); diff != "" {
		t.Errorf("read at once and read live (-want +got):\n%s", diff)
	}
	checkChain(t, jsons.stdout.lines())
	for name, p := range map[string]*process{"serve": s.service, "simulate": s.sim} {
		if code := p.end(syscall.SIGTERM); code != 0 {
			t.Errorf("%s: got exit code %d, want 0", name, code)
		}
	}
}

// TestReadmeByCurl does with curl what the README does with commands.
func TestReadmeByCurl(t *testing.T) {
	s := newStory(t)
	s.serve()
	s.registerByCurl()
	s.tail().stdout.wait(t, `orders status  live, complete to version \d+`)
}

// told is what a tail printed as JSON but for statuses, which may come at
// any time.
func told(p *process) []string {
	return slices.DeleteFunc(p.stdout.lines(), func(line string) bool { return strings.Contains(line, `"sheetbridge.status.changed"`) })
}

// checkChain holds events as received to the contract's promises 2 and 3.
func checkChain(t *testing.T, lines []string) {
	t.Helper()
	last, rows := map[string]string{}, 0
	ids := map[string]bool{}
	for _, line := range lines {
		var e struct {
			ID, Type, Subject string
			Data              struct {
				Before, After json.RawMessage
			}
		}
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("not an event: %s", line)
		}
		if ids[e.ID] {
			t.Errorf("%s came twice", e.ID)
		}
		ids[e.ID] = true
		if !strings.HasPrefix(e.Type, "sheetbridge.row.") {
			continue
		}
		rows++
		before, after := string(e.Data.Before), string(e.Data.After)
		if want, seen := last[e.Subject]; seen && before != want || !seen && before != "null" {
			t.Errorf("%s: before is %s, want %s", e.Subject, before, want)
		}
		if before == after {
			t.Errorf("%s: nothing changed: %s", e.Subject, line)
		}
		last[e.Subject] = after
	}
	if rows < 20 {
		t.Errorf("got %d events of rows, want the sheet and its changes", rows)
	}
}
