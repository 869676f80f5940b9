package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
)

func TestContractCommand(t *testing.T) {
	s := startService(t, "http://127.0.0.1:1/2.0")
	s.must(http.MethodPost, "/v1/partners", map[string]string{"name": "acme"}, nil)
	t.Setenv(prefix+"_ADMIN_URL", s.admin.URL())
	t.Setenv(prefix+"_ADMIN_TOKEN", "reader:ro:canary-reader-token")
	var stdout, stderr bytes.Buffer
	if code := run(t.Context(), []string{"contract", "--partner", "acme"}, &stdout, &stderr); code != exitOK {
		t.Fatalf("got exit code %d, %s", code, stderr.String())
	}
	var document struct {
		AsyncAPI string `json:"asyncapi"`
	}
	if err := json.Unmarshal(stdout.Bytes(), &document); err != nil || document.AsyncAPI != "3.0.0" {
		t.Errorf("got %s, error %v, want AsyncAPI 3.0.0", stdout.String(), err)
	}
	for lang, want := range map[string]string{"go": "package sheets", "ts": "// Smartsheet events for acme."} {
		stdout.Reset()
		if code := run(t.Context(), []string{"contract", "--partner", "acme", "--lang", lang}, &stdout, &stderr); code != exitOK || !strings.Contains(stdout.String(), want) {
			t.Errorf("--lang %s: got exit code %d, %s%s, want %q", lang, code, stdout.String(), stderr.String(), want)
		}
	}
	if code := run(t.Context(), []string{"contract", "--partner", "acme", "--lang", "cobol"}, io.Discard, &stderr); code != exitUsage {
		t.Errorf("got exit code %d for a language that there is not, want %d", code, exitUsage)
	}
	stderr.Reset()
	if code := run(t.Context(), []string{"contract", "--partner", "nobody"}, io.Discard, &stderr); code != exitFailed {
		t.Errorf("got exit code %d for a partner that is not there, want %d", code, exitFailed)
	}
	if !bytes.Contains(stderr.Bytes(), []byte("there is no partner")) {
		t.Errorf("got %q, want what the API says", stderr.String())
	}
}
