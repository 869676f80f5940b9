package main

import (
	"bytes"
	"encoding/json"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/events/seal"
)

// TestWrite has a partner change a sheet with nothing but its credentials file.
func TestWrite(t *testing.T) {
	p := plant(t)
	s := startService(t, p.sim.URL())
	t.Chdir(t.TempDir())
	s.must("POST", "/v1/owners", map[string]string{"name": "ops", "region": "us", "token": p.token}, nil)
	for _, name := range []string{"acme", "bolt"} {
		var made struct {
			Credentials seal.Secret `json:"credentials"`
		}
		s.must("POST", "/v1/partners", map[string]string{"name": name}, &made)
		if err := os.WriteFile(name+".creds", []byte(made.Credentials), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s.must("POST", "/v1/webhooks", registration{"ops", strconv.FormatInt(p.sheet.ID, 10), []events.Request{
		{Partner: "acme", Sheet: "orders", Columns: columnsOf("No", "Status"), Write: &events.WriteTerms{
			Update: []string{"status"}, Create: &events.CreateTerms{Columns: []string{"no", "status"}, Key: "no"}, Delete: true,
		}},
		{Partner: "bolt", Sheet: "orders", Columns: columnsOf("No")},
	}}, nil)
	write := func(code int, want, args string) string {
		t.Helper()
		var out, errs bytes.Buffer
		got := run(t.Context(), append([]string{"write", "--server", s.nats, "--sheet", "orders"}, strings.Fields(args)...), &out, &errs)
		if said := out.String() + errs.String(); got != code || !strings.Contains(said, want) {
			t.Fatalf("write %s: got exit code %d and %s\nwant %d and %q", args, got, said, code, want)
		}
		return out.String()
	}
	status := func(row int64) any {
		t.Helper()
		snapshot, _ := p.sim.Snapshot(p.sheet.ID)
		for _, r := range snapshot.Rows {
			if r.ID == row {
				return r.Cells[p.sheet.Columns["Status"]]
			}
		}
		return "no such row"
	}
	first := p.sheet.Rows[0]
	row := strconv.FormatInt(first, 10)

	write(exitOK, "orders write/po-1  done  update of row "+row+", only checked", "--creds acme.creds --id po-1 --row "+row+" --expect status=Open --set status=Done --dry-run")
	if got := status(first); got != "Open" {
		t.Errorf("got status %v after a dry run, want Open", got)
	}
	write(exitOK, "orders write/po-2  done  update of row "+row, "--creds acme.creds --id po-2 --row "+row+" --expect status=Open --set status=Done --until 5m")
	if got := status(first); got != "Done" {
		t.Errorf("got status %v, want Done", got)
	}
	write(exitOK, "orders write/po-3  already  ", "--creds acme.creds --id po-3 --row "+row+" --expect status=Open --set status=Done")
	write(exitRefused, "refused  update of row "+row+": conflict: status: ", "--creds acme.creds --row "+row+" --expect status=Open --set status=")
	write(exitRefused, "id-reused", "--creds acme.creds --id po-2 --row "+row+" --expect status=Done --set status=Open")
	write(exitRefused, "not-writable: no: ", "--creds acme.creds --row "+row+" --expect status=Done --set no=SO-7")
	write(exitRefused, "not-shared", "--creds acme.creds --row "+row+" --expect status=Done --set status=Open --sheet plan")

	var answer struct {
		Type string           `json:"type"`
		Data events.WriteData `json:"data"`
	}
	text := write(exitOK, "", `-o json --creds acme.creds --create --set no="007" --set status=Open`)
	if err := json.Unmarshal([]byte(text), &answer); err != nil || answer.Type != events.WriteDone || answer.Data.Row == nil {
		t.Fatalf("got %s, error %v, want the answer to a new row", text, err)
	}
	made, err := strconv.ParseInt(*answer.Data.Row, 10, 64)
	if err != nil || status(made) != "Open" {
		t.Errorf("got row %s with status %v, error %v, want Open", *answer.Data.Row, status(made), err)
	}
	write(exitRefused, "duplicate-key", `--creds acme.creds --create --set no="007" --set status=Done`)
	write(exitOK, "done  delete of row", "--creds acme.creds --delete --row "+*answer.Data.Row+" --expect status=Open")
	if got := status(made); got != "no such row" {
		t.Errorf("got status %v of a row that was deleted", got)
	}
	write(exitFailed, "no share of this partner takes writes", "--creds bolt.creds --row "+row+" --expect no=SO-1 --set no=SO-2")
	write(exitFailed, "no share of this partner takes writes", "--creds acme.creds --credential erp --row "+row+" --expect status=Done --set status=Open")

	// Smartsheet is away: who waits no longer is told how to ask for the answer.
	p.sim.Close()
	args := []string{"write", "--server", s.nats, "--sheet", "orders", "--creds", "acme.creds", "--id", "po-9", "--row", row, "--expect", "status=Done", "--set", "status=Open"}
	waiting := spawn(t, nil, args...)
	waiting.stderr.wait(t, "stored as po-9, waiting for the answer")
	if code := waiting.end(syscall.SIGINT); code != exitFailed || !strings.Contains(waiting.stderr.String(), "with --id po-9 asks for the answer") {
		t.Errorf("got exit code %d and %s", code, waiting.stderr)
	}
	write(exitRefused, "too-late", "--creds acme.creds --until 1s --row "+row+" --expect status=Done --set status=Open")
	s.stop()
	write(exitFailed, "nobody answers there", "--creds acme.creds --row "+row+" --expect status=Done --set status=Open")
}
