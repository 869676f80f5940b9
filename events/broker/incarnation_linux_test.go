package broker_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/sheetbridge/sheetbridge/events/broker"
)

func incarnation(t *testing.T, dir string) string {
	t.Helper()
	name, err := broker.Incarnation(dir)
	if err != nil {
		t.Fatal(err)
	}
	return name
}

func TestIncarnation(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	first := incarnation(t, dir)
	if got := incarnation(t, dir); got != first {
		t.Errorf("after a restart: got %s, want %s", got, first)
	}
	if err := os.Chmod(filepath.Join(dir, "incarnation"), 0o640); err != nil {
		t.Fatal(err)
	}
	if got := incarnation(t, dir); got != first {
		t.Errorf("after a change of mode: got %s, want %s", got, first)
	}
	for _, archive := range []bool{false, true} {
		backup := dir + "-backup"
		flags := "-r"
		if archive {
			flags = "-a"
		}
		if out, err := exec.Command("cp", flags, dir, backup).CombinedOutput(); err != nil {
			t.Fatalf("cp: %v: %s", err, out)
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(backup, dir); err != nil {
			t.Fatal(err)
		}
		restored := incarnation(t, dir)
		if restored == first {
			t.Errorf("restored with cp %s: got the same name", flags)
		}
		if got := incarnation(t, dir); got != restored {
			t.Errorf("restarted after a restore: got %s, want %s", got, restored)
		}
		first = restored
	}
	if err := os.WriteFile(filepath.Join(dir, "incarnation"), nil, 0o600); err != nil { // as a power cut may leave it
		t.Fatal(err)
	}
	if got := incarnation(t, dir); got == "" || got == first {
		t.Errorf("after its name was lost: got %q, want another", got)
	}
}
