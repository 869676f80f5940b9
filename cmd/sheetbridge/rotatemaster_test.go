package main

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/sheetbridge/sheetbridge/cmd/sheetbridge/cli"
	"github.com/sheetbridge/sheetbridge/events/seal"
	"github.com/sheetbridge/sheetbridge/smartsheet/smartsheettest"
)

// The master key of a bridge with NATS inside is changed by two restarts: what was
// sealed, stored, signed and counted under the old key is under the new one.
func TestRotateMaster(t *testing.T) {
	sim := smartsheettest.New(t)
	jane := sim.AddUser(smartsheettest.User{Email: "jane@a.example", Name: "Jane Doe"})
	data, token := t.TempDir(), sim.AddToken(jane)
	text := func() string { k := seal.NewMasterKey(); return base64.StdEncoding.EncodeToString(k[:]) }
	first, second := text(), text()
	for name, value := range map[string]string{
		"LISTEN": "127.0.0.1:0", "ADMIN_LISTEN": "127.0.0.1:0", "ADMIN_TOKEN": testToken, "NATS_LISTEN": "127.0.0.1:0",
		"DATA_DIR": data, "SMARTSHEET_URL": sim.URL(), "LOG_FORMAT": "json", "ADMIN_URL": "",
	} {
		t.Setenv(prefix+"_"+name, value)
	}
	with := func(master, old string, do func(*cli.Client)) {
		t.Helper()
		t.Setenv(prefix+"_MASTER_KEY", master)
		t.Setenv(prefix+"_MASTER_KEY_OLD", old)
		ctx, cancel := context.WithCancel(t.Context())
		stderr, code := newOutput(), make(chan int, 1)
		go func() { code <- run(ctx, []string{"serve"}, io.Discard, stderr) }()
		admin := cli.NewClient("http://"+stderr.wait(t, `"msg":"ready".*"admin":"([^"]+)"`)[1], testToken, nil)
		t.Setenv(prefix+"_ADMIN_URL", admin.URL())
		do(admin)
		admin.Close()
		cancel()
		if got := <-code; got != exitOK {
			t.Fatalf("got exit code %d, want 0:\n%s", got, stderr)
		}
	}
	call := func(c *cli.Client, method, path string, body, result any) {
		t.Helper()
		if err := c.Call(t.Context(), method, path, body, result); err != nil {
			t.Fatal(err)
		}
	}
	command := func(want int, args ...string) string {
		t.Helper()
		out := newOutput()
		if got := run(t.Context(), args, out, out); got != want {
			t.Fatalf("%v: got exit code %d, want %d:\n%s", args, got, want, out)
		}
		return out.String()
	}
	with(first, "", func(c *cli.Client) {
		call(c, "POST", "/v1/owners", map[string]string{"name": "ops", "region": "us", "token": token}, nil)
		call(c, "POST", "/v1/partners", map[string]string{"name": "acme"}, nil)
		command(exitFailed, "keys", "rotate-master")
	})
	with(second, first, func(c *cli.Client) {
		call(c, "GET", "/v1/owners/ops/sheets", nil, nil)
		out := command(exitOK, "keys", "rotate-master")
		if !strings.Contains(out, "under the new master key") || !strings.Contains(out, "MASTER_KEY_OLD") {
			t.Errorf("got %q, want it said, with what to do next", out)
		}
	})
	with(second, "", func(c *cli.Client) {
		call(c, "GET", "/v1/owners/ops/sheets", nil, nil) // the token opens
		call(c, "POST", "/v1/partners/acme/credentials", map[string]string{"name": "erp"}, nil)
		var verified struct {
			Intact  bool
			Entries int
		}
		call(c, "GET", "/v1/audit/verify", nil, &verified)
		if !verified.Intact || verified.Entries < 6 {
			t.Errorf("got %+v, want the audit log intact", verified)
		}
	})
	t.Setenv(prefix+"_MASTER_KEY", first)
	if out := command(exitFailed, "serve"); !strings.Contains(fmt.Sprint(out), "master key") {
		t.Errorf("with the old key: got %q, want it refused", out)
	}
}
