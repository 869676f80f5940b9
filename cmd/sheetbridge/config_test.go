package main

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/kelseyhightower/envconfig"
)

// TestReadmeNamesAllSettings and no others.
func TestReadmeNamesAllSettings(t *testing.T) {
	readme, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(readme), "\n## Settings\n")
	table, _, _ := strings.Cut(rest, "\n## ")
	var named []string
	for _, row := range regexp.MustCompile("(?m)^\\| ((?:`[A-Z_]+`(?:, )?)+) \\|").FindAllStringSubmatch(table, -1) {
		for _, name := range strings.Split(row[1], ", ") {
			named = append(named, prefix+"_"+strings.Trim(name, "`"))
		}
	}
	var known strings.Builder
	if err := envconfig.Usagef(prefix, &settings{}, &known, "{{range .}}{{usage_key .}}\n{{end}}"); err != nil {
		t.Fatal(err)
	}
	want := strings.Fields(known.String())
	slices.Sort(named)
	slices.Sort(want)
	if diff := cmp.Diff(want, named); diff != "" {
		t.Errorf("settings (-known +in the README):\n%s", diff)
	}
}

func TestDefaults(t *testing.T) {
	t.Setenv("SHEETBRIDGE_ADMIN_TOKEN", "0123456789abcdef")
	c, err := loadConfig()
	if err != nil {
		t.Fatal(err)
	}
	got := []any{c.PublicURL, c.Listen, c.CallbackLimit, c.AdminListen, c.DataDir, c.NATS.Listen, c.NATS.Replicas, c.SmartsheetURL, c.ReconcileEvery, c.APIRate, c.LogFormat}
	want := []any{"", ":8080", int64(16 << 20), "127.0.0.1:8081", "./data", "127.0.0.1:4222", 1, "", 10 * time.Minute, 240, ""}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("defaults (-want +got):\n%s", diff)
	}
}

func TestPublicURL(t *testing.T) {
	for url, ok := range map[string]bool{
		"": true, "https://bridge.a.example": true, "https://bridge.a.example/": true, "https://bridge.a.example:8443/below/a/path": true,
		"https://bridge.a.example:443": true, "https://bridge.a.example:8000": true, "https://bridge.a.example:8008": true, "https://bridge.a.example:8080": true,
		"http://127.0.0.1:8080": true, "http://localhost:41234/x": true, "https://127.0.0.1:9443": true, "http://[::1]:8080": true,
		"https://bridge.a.example:9443": false, "https://bridge.a.example:80": false, "http://bridge.a.example": false, "bridge.a.example": false, "ftp://bridge.a.example": false,
		"https://user:a-secret@bridge.a.example": false, "https://bridge.a.example/?key=a-secret": false, "https://:8443": false, "https://a-secret@bridge.a.example:x": false,
	} {
		err := checkPublicURL(url)
		if (err == nil) != ok {
			t.Errorf("%q: got %v, want it right: %v", url, err, ok)
		}
		if err != nil && strings.Contains(err.Error(), "a-secret") {
			t.Errorf("%q: a secret is in %v", url, err)
		}
	}
}

func sha256Hex(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

func TestFirstTokenItself(t *testing.T) {
	hash := "sha256:" + sha256Hex("0123456789abcdef")
	for list, want := range map[string]string{
		"a-token-0123456789": "a-token-0123456789", "alice:ro:a-token-0123456789": "a-token-0123456789",
		hash + ",a-token-0123456789": "a-token-0123456789", "alice:" + hash + ", bob:a-token-0123456789": "a-token-0123456789",
		"": "", hash: "", "alice:ro:" + hash: "",
	} {
		got, err := firstToken(list, "")
		if string(got) != want || (err == nil) != (want != "") {
			t.Errorf("%q: got %q, %v, want %q", list, string(got), err, want)
		}
	}
}

// TestSecretsInFiles has a file stand for each secret, and never for one that is
// set besides.
func TestSecretsInFiles(t *testing.T) {
	for _, name := range []string{"ADMIN_TOKEN", "MASTER_KEY", "MASTER_KEY_OLD", "OAUTH_CLIENT_SECRET", "NOTIFY_SECRET"} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "secret")
			t.Setenv(prefix+"_"+name+"_FILE", file)
			if _, err := loadConfig(); err == nil || !strings.Contains(err.Error(), name+"_FILE: ") {
				t.Errorf("a file that is not there: got %v", err)
			}
			t.Setenv(prefix+"_"+name, "a-secret")
			if _, err := loadConfig(); err == nil || !strings.Contains(err.Error(), name+": is set beside "+name+"_FILE") || strings.Contains(err.Error(), "a-secret") {
				t.Errorf("both: got %v", err)
			}
		})
	}
}
