package console_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sheetbridge/sheetbridge/events/eventstest"
	"github.com/sheetbridge/sheetbridge/webhook/admin"
	"github.com/sheetbridge/sheetbridge/webhook/console"
	"github.com/sheetbridge/sheetbridge/webhook/console/generate/bundle"
	"github.com/sheetbridge/sheetbridge/webhook/problem"
)

// What is committed is what the sources give.
func TestBundleAndTypesAreFresh(t *testing.T) {
	dir := t.TempDir() // the sources are copied: making the bundle writes the types
	if err := os.CopyFS(filepath.Join(dir, "ui"), os.DirFS("ui")); err != nil {
		t.Fatal(err)
	}
	files, err := bundle.Make(dir)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range files {
		got, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s is not what its sources give: run go generate ./webhook/console", name)
		}
	}
}

// The sources of the page hold to their types, those of the API too: the bundler takes
// types away and looks at none.
func TestTypesAreKept(t *testing.T) {
	dir := t.TempDir()
	for _, from := range []string{"ui", filepath.Join("testdata", "tsc")} {
		to := dir
		if from == "ui" {
			to = filepath.Join(dir, "ui")
		}
		if err := os.CopyFS(to, os.DirFS(from)); err != nil {
			t.Fatal(err)
		}
	}
	eventstest.NodeModules(t, dir)
	cmd := exec.CommandContext(t.Context(), "node", filepath.Join("node_modules", "typescript", "lib", "tsc.js"), "-p", "ui")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("tsc: %v\n%s", err, out)
	}
}

// Every call of the admin API can be made from the page.
func TestWholeAPIIsReachable(t *testing.T) {
	document, err := admin.OpenAPI()
	if err != nil {
		t.Fatal(err)
	}
	var source strings.Builder
	names, err := filepath.Glob("ui/*.ts*")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if name != filepath.Join("ui", "api.ts") {
			source.Write(text)
		}
	}
	ids, err := bundle.Operations(document)
	if err != nil || len(ids) < 40 {
		t.Fatalf("got %d calls, %v", len(ids), err)
	}
	for _, id := range ids {
		if id != "followEvents" && !strings.Contains(source.String(), fmt.Sprintf("%q", id)) {
			t.Errorf("the page has no way to %s", id)
		}
	}
}

// Whatever call leads out of something, the page offers it.
func TestActionsAreOffered(t *testing.T) {
	text, err := admin.OpenAPI()
	if err != nil {
		t.Fatal(err)
	}
	var document struct {
		Paths map[string]map[string]struct{ OperationID string }
	}
	if err := json.Unmarshal(text, &document); err != nil {
		t.Fatal(err)
	}
	ways, err := os.ReadFile(filepath.Join("ui", "next.tsx"))
	if err != nil {
		t.Fatal(err)
	}
	for _, action := range problem.Calls() {
		id := document.Paths[action.Path][strings.ToLower(action.Method)].OperationID
		if !strings.Contains(string(ways), "\n  "+id+": { label: ") {
			t.Errorf("the page does not offer %s %s (%s)", action.Method, action.Path, id)
		}
	}
}

// The page is small, may load nothing from elsewhere, and is asked for again.
func TestHandler(t *testing.T) {
	h, err := console.Handler()
	if err != nil {
		t.Fatal(err)
	}
	all := 0
	for _, path := range []string{"/", "/console.js", "/console.css", "/favicon.svg"} {
		req := httptest.NewRequest("GET", path, nil)
		req.Header.Set("Accept-Encoding", "gzip")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, req)
		const policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
		if csp := w.Header().Get("Content-Security-Policy"); w.Code != 200 || csp != policy {
			t.Errorf("%s: got %d and policy %q, want 200 and %q", path, w.Code, csp, policy)
		}
		if cookies := w.Header().Values("Set-Cookie"); len(cookies) > 0 {
			t.Errorf("%s: got the cookies %q, want none", path, cookies)
		}
		all += w.Body.Len()
		unzipped, err := gzip.NewReader(w.Body)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(unzipped)
		if err != nil || len(text) == 0 {
			t.Errorf("%s: got %d bytes, %v", path, len(text), err)
		}
		again := httptest.NewRequest("GET", path, nil)
		again.Header.Set("If-None-Match", w.Header().Get("Etag"))
		w = httptest.NewRecorder()
		if h.ServeHTTP(w, again); w.Code != 304 {
			t.Errorf("%s again: got %d, want 304", path, w.Code)
		}
	}
	if all > 100_000 {
		t.Errorf("got %d bytes gzipped, want less than 100 kB", all)
	}
	t.Logf("%d bytes gzipped in all", all)
}
