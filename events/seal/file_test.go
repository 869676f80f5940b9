package seal_test

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sheetbridge/sheetbridge/events/seal"
)

// A key that Kubernetes mounts is root's, and readable by the pod's group.
func TestKeyMountedForAGroup(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root gives files away")
	}
	key := base64.StdEncoding.EncodeToString([]byte("0123456789abcdef0123456789abcdef"))
	for name, tc := range map[string]struct {
		uid, gid int
		mode     os.FileMode
		ok       bool
	}{
		"mounted for our group":    {12345, os.Getegid(), 0o440, true},
		"for a group of others":    {12345, 54321, 0o440, false},
		"for everybody":            {12345, os.Getegid(), 0o444, false},
		"writable by the group":    {12345, os.Getegid(), 0o460, false},
		"our own, for a group":     {os.Geteuid(), os.Getegid(), 0o640, false},
		"of another user, for him": {12345, 54321, 0o400, true},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path, link := filepath.Join(dir, "..data"), filepath.Join(dir, "master-key")
			if err := os.WriteFile(path, []byte(key+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Chown(path, tc.uid, tc.gid); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(path, tc.mode); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(path, link); err != nil {
				t.Fatal(err)
			}
			_, err := seal.LoadMasterKey(link)
			if (err == nil) != tc.ok {
				t.Errorf("got %v, want it taken: %v", err, tc.ok)
			}
			if err != nil && !strings.Contains(err.Error(), link) {
				t.Errorf("got %v, want the file named", err)
			}
		})
	}
}
