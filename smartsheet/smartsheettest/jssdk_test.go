package smartsheettest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestOfficialSDK lets the SDK that Smartsheet publishes for JavaScript drive
// the server: what it can do here it can do there.
func TestOfficialSDK(t *testing.T) {
	npm, err := exec.LookPath("npm")
	if err != nil {
		t.Skip("npm is not installed")
	}
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(filepath.Join("testdata", "jssdk"))); err != nil {
		t.Fatal(err)
	}
	run(t, dir, nil, npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund")
	w := newWorld(t, func(s *Server) { s.LargeIDs = false })
	out := run(t, dir, []string{
		"BASE_URL=" + w.srv.URL() + "/", "TOKEN=" + w.api.token, fmt.Sprintf("SHEET_ID=%d", w.sheet.ID),
	}, "node", "drive.js")
	var seen map[string]any
	if err := json.Unmarshal(out, &seen); err != nil {
		t.Fatalf("got %s: %v", out, err)
	}
	for name, want := range map[string]string{
		"me": "jane@a.example", "sheets": "1", "rows": "3", "created": "NEW_NOT_VERIFIED", "enabled": "ENABLED", "challenges": "1",
		"listed": "map[found:true total:-1]", "added": "map[message:SUCCESS number:1]", "updated": "SUCCESS", "tags": "[A C]",
		"deleted": "SUCCESS", "missing": "map[errorCode:1006 statusCode:404]", "renamed": "Renamed", "reset": "true", "got": "ENABLED", "gone": "SUCCESS",
	} {
		if got := fmt.Sprint(seen[name]); got != want {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
	kinds := fmt.Sprint(seen["kinds"])
	if n, signed := seen["callbacks"].(float64), seen["signed"].(float64); n < 1 || n != signed {
		t.Errorf("got %v callbacks, %v of them signed well, want all and one at least", n, signed)
	}
	if !bytes.Contains([]byte(kinds), []byte("sheet.updated row.created cell.updated")) {
		t.Errorf("got events %s", kinds)
	}
	if snap, _ := w.srv.Snapshot(w.sheet.ID); fmt.Sprint(snap.Version) != fmt.Sprint(seen["version"]) || len(snap.Rows) != 3 {
		t.Errorf("got version %v and %d rows, want %v and 3", snap.Version, len(snap.Rows), seen["version"])
	}
}

func run(t *testing.T, dir string, env []string, name string, args ...string) []byte {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %v: %v\n%s", name, args, err, stderr.Bytes())
	}
	return out
}
