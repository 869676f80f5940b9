package smartsheettest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sheetbridge/sheetbridge/events/eventstest"
)

// TestOfficialSDK lets four majors of the SDK that Smartsheet publishes for
// JavaScript drive the server: what they can do here they can do there.
func TestOfficialSDK(t *testing.T) {
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(filepath.Join("testdata", "jssdk"))); err != nil {
		t.Fatal(err)
	}
	eventstest.NodeModules(t, dir)
	for _, major := range []int{2, 3, 4, 5} {
		t.Run(fmt.Sprintf("major %d", major), func(t *testing.T) { driveBySDK(t, dir, major) })
	}
}

func driveBySDK(t *testing.T, dir string, major int) {
	w := newWorld(t, func(s *Server) { s.LargeIDs = false })
	workspace := w.srv.AddWorkspace(w.jane, "Northwind")
	if _, err := w.srv.AddSheet(SheetSpec{Name: "Orders", Owner: w.jane, Place: workspace, Columns: []Column{{Title: "No"}}}); err != nil {
		t.Fatal(err)
	}
	app := w.srv.AddApp(App{Name: "SDK", RedirectURL: "https://app.example/back"})
	out := run(t, dir, []string{
		fmt.Sprintf("MAJOR=%d", major), "BASE_URL=" + w.srv.URL() + "/", "TOKEN=" + w.api.token, fmt.Sprintf("SHEET_ID=%d", w.sheet.ID),
		fmt.Sprintf("WORKSPACE_ID=%d", workspace.ID), "CLIENT_ID=" + app.ClientID, "CLIENT_SECRET=" + app.Secret, "CODE=" + w.consent(t, app),
	}, "node", "drive.js")
	var seen map[string]any
	if err := json.Unmarshal(out, &seen); err != nil {
		t.Fatalf("got %s: %v", out, err)
	}
	for name, want := range map[string]string{
		"me": "jane@a.example", "sheets": "2", "rows": "3", "created": "NEW_NOT_VERIFIED", "enabled": "ENABLED", "challenges": "1",
		"listed": "map[found:true total:-1]", "added": "map[message:SUCCESS number:1]", "updated": "SUCCESS", "tags": "[A C]",
		"deleted": "SUCCESS", "missing": "map[errorCode:1006 statusCode:404]", "renamed": "Renamed", "reset": "true", "got": "ENABLED", "gone": "SUCCESS",
		"attached": "[FILE note.txt SHEET LINK Spec ROW FILE row.txt ROW]", "content": "a note", "attachments": "3", "byToken": "Everything",
		"workspaces": "Northwind", "inWorkspace": "Orders", "found": "true", "info": "string", "notSimulated": "map[errorCode:9501 statusCode:501]",
	} {
		if got := fmt.Sprint(seen[name]); got != want {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
	kinds := fmt.Sprint(seen["kinds"])
	if n, signed := seen["callbacks"].(float64), seen["signed"].(float64); n < 1 || n != signed {
		t.Errorf("got %v callbacks, %v of them signed well, want all and one at least", n, signed)
	}
	if !strings.Contains(kinds, "sheet.updated row.created cell.updated") {
		t.Errorf("got events %s", kinds)
	}
	if snap, _ := w.srv.Snapshot(w.sheet.ID); fmt.Sprint(snap.Version) != fmt.Sprint(seen["version"]) || len(snap.Rows) != 3 {
		t.Errorf("got version %v and %d rows, want %v and 3", snap.Version, len(snap.Rows), seen["version"])
	}
}

// consent is the code that jane's browser brings to the app.
func (w *world) consent(t *testing.T, app *App) string {
	t.Helper()
	client := &http.Client{Transport: plainClient.Transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.PostForm(strings.TrimSuffix(w.srv.URL(), "/2.0")+"/b/authorize", url.Values{
		"client_id": {app.ClientID}, "response_type": {"code"}, "scope": {"READ_SHEETS"}, "user": {w.jane.Email}, "decision": {"allow"},
	})
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	back, err := resp.Location()
	if err != nil {
		t.Fatal(err)
	}
	return back.Query().Get("code")
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
