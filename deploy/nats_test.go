package deploy_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
)

// TestNATSConfiguration reads the cluster's configuration with the accounts that
// we make, as its server does, and looks at what must not be otherwise.
func TestNATSConfiguration(t *testing.T) {
	dir := t.TempDir()
	makeAccounts(t, build(t), dir)
	write(t, filepath.Join(dir, "nats.conf"), read(t, "nats/nats.conf"))
	for name, value := range natsEnvironment(dir, 1, "127.0.0.1:4222", "127.0.0.1:6222", "127.0.0.1:8222", `["tls://127.0.0.1:6222"]`) {
		t.Setenv(name, value)
	}
	o, err := server.ProcessConfigFile(filepath.Join(dir, "nats.conf"))
	if err != nil {
		t.Fatal(err)
	}
	got := fmt.Sprintf("sync %v, payload %d, routes' certificates %v, operators %d, name %s, tls %v, encrypted %v",
		o.SyncAlways, o.MaxPayload, o.Cluster.TLSConfig != nil && o.Cluster.TLSConfig.ClientAuth != 0, len(o.TrustedOperators), o.ServerName, o.TLSConfig != nil, o.JetStreamKey != "" && o.JetStreamCipher == server.AES)
	if want := "sync true, payload 8388608, routes' certificates true, operators 1, name nats-1, tls true, encrypted true"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

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
