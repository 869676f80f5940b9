package main

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sheetbridge/sheetbridge/events"
)

// TestBundle makes a folder for a partner's developers, and lets one of them in who has
// nothing but that folder.
func TestBundle(t *testing.T) {
	golden, err := os.ReadFile(filepath.Join("testdata", "bundle", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	c := newConsole(t)
	c.says("state", "owners", "add", "ops", "--region", "us", "--token-file", "token")
	c.s.must("POST", "/v1/partners", map[string]string{"name": "acme"}, nil)
	due := events.RequestColumn{Title: "Due Date", Mask: "redact"}
	status := events.RequestColumn{Title: "Status", As: "state"}
	c.s.must("POST", "/v1/webhooks", registration{"ops", strconv.FormatInt(c.sheet.ID, 10), []events.Request{
		{Partner: "acme", Sheet: "orders", Columns: append(columnsOf("No"), status, due), Where: `cells["Margin"] != "canary-where"`, Write: &events.WriteTerms{Update: []string{"state"}}},
		{Partner: "acme", Sheet: "customers", Columns: columnsOf("No")},
	}}, nil)
	bundle := func(code int, want string, args ...string) string {
		t.Helper()
		var out, errs bytes.Buffer
		got := run(t.Context(), append([]string{"partners", "bundle"}, args...), &out, &errs)
		if said := out.String() + errs.String(); got != code || !strings.Contains(said, want) {
			t.Fatalf("bundle %q: got exit code %d and %s\nwant %d and %q", args, got, said, code, want)
		}
		return out.String()
	}

	if err := os.Mkdir("kept", 0o700); err != nil {
		t.Fatal(err)
	}
	bundle(exitUsage, "kept exists: name another folder with --dir, or move it away", "acme", "--dir", "kept")
	bundle(exitUsage, "--dir: mkdir", "acme", "--dir", "no-such-folder/acme")
	bundle(exitUsage, "cannot be the name of credentials", "acme", "--name", "E R P")
	bundle(exitFailed, "there is no partner", "nobody")
	bundle(exitFailed, "within the next 90 days", "acme", "--expires", "100d")
	bundle(exitOK, "would call POST /v1/partners/acme/invitations", "acme", "--dry-run")
	if names := entries(t, "."); !slices.Equal(names, []string{"kept", "token"}) {
		t.Errorf("got %q, want nothing left of what was not made", names)
	}
	c.says("has no invitation", "partners", "invitations", "acme")

	said := bundle(exitOK, "Send the folder to the partner over a safe channel", "acme", "--name", "erp")
	files := []string{"README.md", "contract.json", "invitation.txt", "sheets.go", "sheets.ts"}
	if got := entries(t, "acme"); !slices.Equal(got, files) {
		t.Errorf("got %q, want %q", got, files)
	}
	text := map[string]string{}
	for _, name := range append(files, ".") {
		path := filepath.Join("acme", name)
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		want := fs.FileMode(0o600)
		if info.IsDir() {
			want = 0o700
		} else if content, err := os.ReadFile(path); err == nil {
			text[name] = string(content)
		}
		if got := info.Mode().Perm(); got != want {
			t.Errorf("%s: got mode %v, want %v", path, got, want)
		}
	}
	link := strings.TrimSpace(text["invitation.txt"])
	if !strings.HasPrefix(link, c.s.public+"/join/") {
		t.Fatalf("got %q, want the link of an invitation", link)
	}
	for name, content := range text {
		secrets := []string{c.token, testToken, "canary", "Margin", "BEGIN NATS", link[strings.LastIndex(link, "/")+1:]}
		if name == "invitation.txt" {
			secrets = secrets[:len(secrets)-1]
		}
		for _, secret := range secrets {
			if strings.Contains(content+said, secret) {
				t.Errorf("%s, or what is printed, has %q", name, secret)
			}
		}
	}
	guide := changing.ReplaceAllString(text["README.md"], "#")
	guide = regexp.MustCompile(`until \d+ \w+ \d{4}, \d\d:\d\d UTC`).ReplaceAllString(guide, "until UNTIL")
	if diff := cmp.Diff(string(golden), guide); diff != "" {
		t.Errorf("the guide (-want +got):\n%s", diff)
	}
	for name, args := range map[string][]string{"contract.json": nil, "sheets.go": {"--lang", "go"}, "sheets.ts": {"--lang", "ts"}} {
		var out bytes.Buffer
		if code := run(t.Context(), append([]string{"contract", "--partner", "acme"}, args...), &out, &out); code != exitOK || out.String() != text[name] {
			t.Errorf("%s is not what contract %q prints: %s", name, args, cmp.Diff(out.String(), text[name]))
		}
	}

	// What the partner does with it.
	join := spawn(t, nil, "join", link, "-o", "acme.creds")
	if code := join.wait(); code != exitOK {
		t.Fatalf("join: got exit code %d", code)
	}
	address := regexp.MustCompile("NATS server \\| `(.*)`").FindStringSubmatch(text["README.md"])
	tail := spawn(t, nil, "tail", "--creds", "acme.creds", "--server", address[1])
	tail.stdout.wait(t, `orders row/\d+ SO-1  created`)
	tail.end(syscall.SIGINT)
	said = bundle(exitOK, "", "acme", "--dir", "again", "-o", "json")
	if !strings.Contains(said, `"folder": "again"`) || strings.Contains(said, "/join/") {
		t.Errorf("got %s, want what was made without the link", said)
	}
}

// entries are the names in a folder.
func entries(t *testing.T, dir string) []string {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	names := make([]string, len(list))
	for i, entry := range list {
		names[i] = entry.Name()
	}
	return names
}
