// Package codegentest is for tests only: a program that is made of types in Go reads
// messages and writes them again.
package codegentest

import (
	"bytes"
	_ "embed" // the program
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

//go:embed main.go.txt
var program []byte

// SameInGo has the source decode the messages, and wants all that they say to be
// kept.
func SameInGo(t *testing.T, source []byte, messages []string) {
	t.Helper()
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "go.mod"), []byte("module partner\n\ngo 1.24\n"), 0o600))
	must(t, os.WriteFile(filepath.Join(dir, "main.go"), program, 0o600))
	must(t, os.Mkdir(filepath.Join(dir, "sheets"), 0o700))
	must(t, os.WriteFile(filepath.Join(dir, "sheets", "sheets.go"), source, 0o600))
	Command(t, dir, "", "go", "vet", "./...")
	lines := strings.Split(strings.TrimSpace(Command(t, dir, strings.Join(messages, "\n"), "go", "run", ".")), "\n")
	if len(lines) != len(messages) {
		t.Fatalf("got %d messages, want %d", len(lines), len(messages))
	}
	for i, message := range messages {
		var got, want any
		must(t, json.Unmarshal([]byte(lines[i]), &got))
		must(t, json.Unmarshal([]byte(message), &want))
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("message %d, decoded and written again (-want +got):\n%s", i+1, diff)
		}
	}
}

// Command runs a command, which must succeed, and returns what it prints.
func Command(t *testing.T, dir, stdin, name string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	var stderr bytes.Buffer
	cmd.Dir, cmd.Stdin, cmd.Stderr = dir, strings.NewReader(stdin), &stderr
	cmd.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOWORK=off")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %v: %v\n%s%s", name, args, err, out, stderr.Bytes())
	}
	return string(out)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
