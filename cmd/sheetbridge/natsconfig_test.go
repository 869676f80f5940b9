package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats-server/v2/server"

	"github.com/sheetbridge/sheetbridge/events/seal"
)

// wrongNames are the settings that an error of loadConfig names.
func wrongNames(err error) []string {
	if err == nil {
		return nil
	}
	var names []string
	for _, f := range regexp.MustCompile(`(?m)^`+prefix+`_([A-Z_]+): `).FindAllStringSubmatch(err.Error(), -1) {
		names = append(names, f[1])
	}
	slices.Sort(names)
	return names
}

// TestWrongNATS: what NATS would refuse to start with is said with all else
// that is wrong, before anything starts, and by the name of the setting.
func TestWrongNATS(t *testing.T) {
	dir := t.TempDir()
	if err := makeTLS(dir, []string{"127.0.0.1"}); err != nil {
		t.Fatal(err)
	}
	cert, key := filepath.Join(dir, "server.pem"), filepath.Join(dir, "server-key.pem")
	plain := filepath.Join(dir, "plain")
	if err := os.WriteFile(plain, []byte("nobody:x:1:1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	const masterKey = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
	for name, tt := range map[string]struct {
		set  map[string]string
		want string
	}{
		"nothing": {nil, ""},
		"many": {map[string]string{
			"NATS_LISTEN": "0.0.0.0:4222", "NATS_WS_LISTEN": ":8443", "NATS_LEAF_LISTEN": "nowhere",
			"NATS_PUBLIC_URL": "http://nats.example", "NATS_CLIENT_CA": "/no/such/file", "API_RATE": "many", "DATA_DIR": "",
		}, "API_RATE DATA_DIR NATS_CLIENT_CA NATS_LEAF_LISTEN NATS_LISTEN NATS_PUBLIC_URL NATS_WS_LISTEN"},
		"no files":             {map[string]string{"NATS_TLS_CERT": "/no/cert", "NATS_TLS_KEY": "/no/key", "NATS_CLIENT_CA": "/no/ca", "API_RATE": "0"}, "API_RATE NATS_CLIENT_CA NATS_TLS_CERT NATS_TLS_KEY"},
		"no key file":          {map[string]string{"NATS_TLS_CERT": cert, "NATS_TLS_KEY": "/no/key"}, "NATS_TLS_KEY"},
		"no certificate":       {map[string]string{"NATS_TLS_CERT": plain, "NATS_TLS_KEY": key}, "NATS_TLS_CERT"},
		"a certificate alone":  {map[string]string{"NATS_TLS_CERT": cert}, "NATS_TLS_KEY"},
		"a key alone":          {map[string]string{"NATS_TLS_KEY": key}, "NATS_TLS_CERT"},
		"TLS":                  {map[string]string{"NATS_TLS_CERT": cert, "NATS_TLS_KEY": key, "NATS_CLIENT_CA": filepath.Join(dir, "ca.pem")}, ""},
		"no authorities":       {map[string]string{"NATS_TLS_CERT": cert, "NATS_TLS_KEY": key, "NATS_CLIENT_CA": "/no/ca"}, "NATS_CLIENT_CA"},
		"not authorities":      {map[string]string{"NATS_TLS_CERT": cert, "NATS_TLS_KEY": key, "NATS_CLIENT_CA": plain}, "NATS_CLIENT_CA"},
		"authorities, no TLS":  {map[string]string{"NATS_CLIENT_CA": filepath.Join(dir, "ca.pem")}, "NATS_CLIENT_CA"},
		"no credentials":       {map[string]string{"NATS_URL": "nats://127.0.0.1:1", "MASTER_KEY": masterKey, "NATS_CREDS": plain, "LOG_LEVEL": "x"}, "LOG_LEVEL NATS_CREDS"},
		"no credentials' file": {map[string]string{"NATS_URL": "nats://127.0.0.1:1", "MASTER_KEY": masterKey, "NATS_CREDS": "/no/creds"}, "NATS_CREDS"},
		"empty data directory": {map[string]string{"DATA_DIR": "", "LOG_LEVEL": "x"}, "DATA_DIR LOG_LEVEL"},
		"a file for it":        {map[string]string{"DATA_DIR": plain}, "DATA_DIR"},
		"below a file":         {map[string]string{"DATA_DIR": filepath.Join(plain, "data")}, "DATA_DIR"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			t.Setenv(prefix+"_DATA_DIR", "some/data")
			t.Setenv(prefix+"_ADMIN_TOKEN", "0123456789abcdef")
			for name, value := range tt.set {
				t.Setenv(prefix+"_"+name, value)
			}
			_, err := loadConfig()
			if diff := cmp.Diff(strings.Fields(tt.want), wrongNames(err)); diff != "" && (tt.want != "" || err != nil) {
				t.Errorf("named as wrong (-want +got):\n%s\n%v", diff, err)
			}
			if _, err := os.Stat("some"); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("got %v, want nothing made before anything starts", err)
			}
			if err != nil && strings.Contains(err.Error(), "nobody") {
				t.Errorf("the error tells what a file holds: %v", err)
			}
		})
	}
}

// TestLostMasterKey: beside a store that another key made no new one is left, by
// which the right one could no more be told from a wrong one.
func TestLostMasterKey(t *testing.T) {
	dir := t.TempDir()
	master := masterIn(dir)
	made, err := master()
	if err != nil {
		t.Fatal(err)
	}
	again, err := master()
	if err != nil || again != made {
		t.Fatalf("got another key at the second start, %v", err)
	}
	b := filepath.Join(dir, "nats")
	if err := os.Mkdir(b, 0o700); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "master.key")
	lose := func() {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
	lose()
	if again, err = master(); err != nil || again == made { // nothing was made yet
		t.Fatalf("got %v, want a new key", err)
	}
	if err := os.WriteFile(filepath.Join(b, "keys.json"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if kept, err := master(); err != nil || kept != again {
		t.Fatalf("got %v, want the key that is there", err)
	}
	lose()
	if got, err := master(); err == nil || got != (seal.MasterKey{}) || !strings.Contains(err.Error(), "restore it") {
		t.Errorf("got %v, want that the key is missing", err)
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v, want no key left behind", err)
	}
}

// TestNATSOfACluster reads the configuration of deploy/nats with the accounts that we make,
// as a server of the cluster does, and looks at what must not be otherwise.
func TestNATSOfACluster(t *testing.T) {
	dir := t.TempDir()
	var errs bytes.Buffer
	if code := run(t.Context(), []string{"nats-accounts", "--dir", filepath.Join(dir, "accounts"), "--storage", "1", "--tls", "localhost,127.0.0.1", "acme"}, io.Discard, &errs); code != exitOK {
		t.Fatalf("nats-accounts: got exit code %d and %s", code, errs.String())
	}
	text, err := os.ReadFile(filepath.Join("..", "..", "deploy", "nats", "nats.conf"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "nats.conf"), text, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{
		"NATS_NAME": "nats-1", "NATS_LISTEN": "127.0.0.1:4222", "NATS_ROUTE_LISTEN": "127.0.0.1:6222", "NATS_MONITOR": "127.0.0.1:8222",
		"NATS_ROUTES": `["tls://127.0.0.1:6222"]`, "NATS_STORE": filepath.Join(dir, "store"), "NATS_DISK": "1GB", "NATS_STORE_KEY": "0123456789abcdef0123456789abcdef",
		"NATS_TLS_CERT": filepath.Join(dir, "accounts", "tls", "server.pem"), "NATS_TLS_KEY": filepath.Join(dir, "accounts", "tls", "server-key.pem"),
		"NATS_TLS_CA": filepath.Join(dir, "accounts", "tls", "ca.pem"),
	} {
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
