package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/sheetbridge/sheetbridge/smartsheet/smartsheettest"
)

// Beyond loopback the admin listener speaks TLS; without a client certificate only
// the probes answer, and those who watch over the process find it healthy.
func TestAdminTLS(t *testing.T) {
	dir := t.TempDir()
	if err := makeTLS(dir, []string{"bridge.a.example", "127.0.0.1", "localhost"}); err != nil {
		t.Fatal(err)
	}
	ca, cert, key := filepath.Join(dir, "ca.pem"), filepath.Join(dir, "server.pem"), filepath.Join(dir, "server-key.pem")
	tokens := filepath.Join(dir, "tokens")
	// The hash is that of testToken.
	if err := os.WriteFile(tokens, []byte("alice:sha256:"+sha256Hex(testToken)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{
		"LISTEN": "127.0.0.1:0", "ADMIN_LISTEN": "0.0.0.0:0", "ADMIN_HOSTS": "bridge.a.example,10.0.0.0/8,localhost", "ADMIN_TOKEN_FILE": tokens,
		"ADMIN_TLS_CERT": cert, "ADMIN_TLS_KEY": key, "ADMIN_CLIENT_CA": ca,
		"NATS_LISTEN": "127.0.0.1:0", "DATA_DIR": filepath.Join(dir, "data"), "LOG_FORMAT": "json", "LOG_LEVEL": "debug",
	} {
		t.Setenv(prefix+"_"+name, value)
	}
	ctx, cancel := context.WithCancel(t.Context())
	stderr, code := newOutput(), make(chan int, 1)
	go func() { code <- run(ctx, []string{"serve"}, io.Discard, stderr) }()
	defer func() {
		cancel()
		if got := <-code; got != exitOK {
			t.Errorf("got exit code %d, want 0:\n%s", got, stderr)
		}
	}()
	port := stderr.wait(t, `"msg":"ready".*"admin":"[^"]*:(\d+)"`)[1]

	text, err := os.ReadFile(ca)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(text)
	own, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	ask := func(path, host string, certificates ...tls.Certificate) (int, string) {
		t.Helper()
		transport := &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: pool, Certificates: certificates}}
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://127.0.0.1:"+port+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = host
		req.Header.Set("Authorization", "Bearer "+testToken)
		resp, err := (&http.Client{Transport: transport}).Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(body)
	}
	for _, tc := range []struct {
		path, host string
		certs      []tls.Certificate
		want       int
	}{
		{"/v1/owners", "bridge.a.example", []tls.Certificate{own}, 200},
		{"/v1/owners", "bridge.a.example", nil, 403},
		{"/metrics", "bridge.a.example", nil, 403},
		{"/metrics", "10.1.2.3:8081", []tls.Certificate{own}, 200},
		{"/openapi.json", "bridge.a.example", nil, 403},
		{"/healthz", "bridge.a.example", nil, 200},
		{"/healthz", "127.0.0.1", nil, 421},
		{"/metrics", "evil.example", []tls.Certificate{own}, 421},
	} {
		if got, body := ask(tc.path, tc.host, tc.certs...); got != tc.want {
			t.Errorf("%s as %s with %d certificates: got %d %s, want %d", tc.path, tc.host, len(tc.certs), got, body, tc.want)
		}
	}
	_, metrics := ask("/metrics", "bridge.a.example", own)
	for _, want := range []string{`sheetbridge_admin_refused_total{why="host"} 2`, `sheetbridge_admin_refused_total{why="certificate"} 3`} {
		if !strings.Contains(metrics, want) {
			t.Errorf("the metrics lack %s", want)
		}
	}
	resp, err := http.Get("http://127.0.0.1:" + port + "/v1/owners")
	if err == nil {
		resp.Body.Close()
		if resp.StatusCode != 400 {
			t.Errorf("in the clear: got %d, want nothing answered", resp.StatusCode)
		}
	}
	t.Setenv(prefix+"_ADMIN_LISTEN", "0.0.0.0:"+port)
	if got := run(ctx, []string{"healthcheck"}, io.Discard, stderr); got != exitOK {
		t.Errorf("healthcheck ends with %d:\n%s", got, stderr)
	}

	t.Setenv(prefix+"_ADMIN_URL", "https://localhost:"+port)
	t.Setenv(prefix+"_ADMIN_TOKEN", testToken)
	t.Setenv(prefix+"_ADMIN_CA", ca)
	refusal := newOutput()
	if got := run(ctx, []string{"owners", "list"}, io.Discard, refusal); got != exitFailed || !strings.Contains(refusal.String(), "_ADMIN_CLIENT_CERT") {
		t.Errorf("a command without a certificate ends with %d:\n%s", got, refusal)
	}
	t.Setenv(prefix+"_ADMIN_CLIENT_CERT", cert)
	t.Setenv(prefix+"_ADMIN_CLIENT_KEY", key)
	if got := run(ctx, []string{"owners", "list"}, io.Discard, refusal); got != exitOK {
		t.Errorf("a command with a certificate ends with %d:\n%s", got, refusal)
	}
}

// A web page that resolves its name to this machine reads nothing, and changes
// nothing, although the browser is here.
func TestRebinding(t *testing.T) {
	s := startService(t, smartsheettest.New(t).URL())
	for _, path := range []string{"/", "/metrics", "/readyz", "/healthz", "/openapi.json", "/v1/partners"} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.admin.URL()+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = "evil.example"
		req.Header.Set("Authorization", "Bearer "+testToken)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusMisdirectedRequest {
			t.Errorf("%s: got %d, want 421", path, resp.StatusCode)
		}
	}
}

// Strangers who post to keys that are nobody's do not fill the log; what is left
// out is counted.
func TestFloodOfUnknownKeys(t *testing.T) {
	s := startService(t, smartsheettest.New(t).URL())
	const flood = 600
	for range flood {
		resp, err := http.Post(s.public+"/callbacks/nobody", "application/json", strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusForbidden {
			t.Fatalf("got %d, want 403", resp.StatusCode)
		}
	}
	written := strings.Count(s.stderr.String(), `"msg":"callback"`)
	if written < 50 || written > flood/2 {
		t.Errorf("%d requests of strangers wrote %d lines, want 100 and a few", flood, written)
	}
	left := regexp.MustCompile(`(?m)^sheetbridge_log_lines_left_out_total (\d+)$`).FindStringSubmatch(s.get("/metrics", testToken))
	if left == nil || left[1] != strconv.Itoa(flood-written) {
		t.Errorf("got %q counted, want %d", left, flood-written)
	}
}
