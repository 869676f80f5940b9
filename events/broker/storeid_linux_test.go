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
	name, err := broker.StoreID(dir)
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
	for _, restore := range []string{
		"cp -r $0 $0-backup && rm -r $0 && mv $0-backup $0",
		"cp -a $0 $0-backup && rm -r $0 && mv $0-backup $0",
		"cp -a $0 $0-backup && rm -r $0/incarnation && cp -a $0-backup/incarnation $0 && rm -r $0-backup", // with the same inode, on ext4
	} {
		if out, err := exec.Command("sh", "-c", restore, dir).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v: %s", restore, err, out)
		}
		restored := incarnation(t, dir)
		if restored == first {
			t.Errorf("restored with %s: got the same name", restore)
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
