package deploy_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// natsEnvironment is what one server of the cluster is told.
func natsEnvironment(dir string, i int, listen, route, monitor, routes string) map[string]string {
	return map[string]string{
		"NATS_NAME": fmt.Sprintf("nats-%d", i), "NATS_LISTEN": listen, "NATS_ROUTE_LISTEN": route, "NATS_MONITOR": monitor, "NATS_ROUTES": routes,
		"NATS_STORE": filepath.Join(dir, fmt.Sprintf("store-%d", i)), "NATS_DISK": "1GB", "NATS_STORE_KEY": "0123456789abcdef0123456789abcdef",
		"NATS_TLS_CERT": filepath.Join(dir, "accounts/tls/server.pem"), "NATS_TLS_KEY": filepath.Join(dir, "accounts/tls/server-key.pem"),
		"NATS_TLS_CA": filepath.Join(dir, "accounts/tls/ca.pem"),
	}
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// build builds the program and returns its path.
func build(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "sheetbridge")
	if out, err := exec.Command("go", "build", "-o", program, "../cmd/sheetbridge").CombinedOutput(); err != nil {
		t.Fatalf("building the program: %v\n%s", err, out)
	}
	return program
}

// makeAccounts makes the accounts of a cluster on this machine.
func makeAccounts(t *testing.T, program, dir string) {
	t.Helper()
	cmd := exec.Command(program, "nats-accounts", "--dir", filepath.Join(dir, "accounts"), "--storage", "1", "--tls", "localhost,127.0.0.1", "acme")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", cmd, err, out)
	}
}
