package examples

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/events/freeport"
	"github.com/sheetbridge/sheetbridge/smartsheet/smartsheettest"
)

const adminToken = "a-token-for-this-test"

// bridge is the program itself, on a simulated Smartsheet with a sheet that it
// shares with acme, who may write to it.
type bridge struct {
	t     *testing.T
	sim   *smartsheettest.Server
	jane  *smartsheettest.User
	sheet *smartsheettest.Sheet
	path  string // of the program
	env   []string
	admin string // URL
	nats  string // URL
	creds string // file
	serve *exec.Cmd
	hook  string // the webhook's id
}

// programDir is where the program is built, once for all tests.
var programDir string

var buildProgram = sync.OnceValues(func() (path string, err error) {
	path = filepath.Join(programDir, "sheetbridge")
	out, err := exec.Command("go", "build", "-o", path, "../../cmd/sheetbridge").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("building the program: %w\n%s", err, out)
	}
	return path, nil
})

func TestMain(m *testing.M) {
	var err error
	if programDir, err = os.MkdirTemp("", "sheetbridge-examples-"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	_ = os.RemoveAll(programDir) // of a system's directory for such
	os.Exit(code)
}

func newBridge(t *testing.T) *bridge {
	t.Helper()
	b := &bridge{t: t, sim: smartsheettest.New(t), creds: filepath.Join(t.TempDir(), "acme.creds")}
	program, err := buildProgram()
	must(t, err)
	b.path = program
	b.jane = b.sim.AddUser(smartsheettest.User{Email: "jane@a.example", Name: "Jane Doe"})
	b.sheet, err = b.sim.AddSheet(smartsheettest.SheetSpec{
		Name: "Orders", Owner: b.jane, Columns: []smartsheettest.Column{{Title: "No"}, {Title: "Status"}},
		Rows: []smartsheettest.Row{
			{Cells: smartsheettest.Cells{"No": "SO-1", "Status": "Open"}}, {Cells: smartsheettest.Cells{"No": "SO-2", "Status": "Open"}},
		},
	})
	must(t, err)
	public, admin, nats := freeAddress(t), freeAddress(t), freeAddress(t)
	b.admin, b.nats = "http://"+admin, "nats://"+nats
	b.env = append(os.Environ(), "SHEETBRIDGE_SMARTSHEET_URL="+b.sim.URL(), "SHEETBRIDGE_LISTEN="+public, "SHEETBRIDGE_PUBLIC_URL=http://"+public,
		"SHEETBRIDGE_ADMIN_LISTEN="+admin, "SHEETBRIDGE_ADMIN_TOKEN="+adminToken, "SHEETBRIDGE_NATS_LISTEN="+nats,
		"SHEETBRIDGE_DATA_DIR="+filepath.Join(t.TempDir(), "data"), "SHEETBRIDGE_LOG_FORMAT=json")
	b.start()
	t.Cleanup(b.stop)
	b.call("/v1/owners", map[string]string{"name": "ops", "region": "us", "token": b.sim.AddToken(b.jane)}, nil)
	var made struct{ Credentials string }
	b.call("/v1/partners", map[string]string{"name": "acme"}, &made)
	must(t, os.WriteFile(b.creds, []byte(made.Credentials), 0o600))
	share := events.Request{
		Partner: "acme", Sheet: "orders", Columns: []events.RequestColumn{{Title: "No"}, {Title: "Status"}},
		Write: &events.WriteTerms{Update: []string{"status"}},
	}
	var hook struct{ ID string }
	b.call("/v1/webhooks", map[string]any{"owner": "ops", "sheetId": strconv.FormatInt(b.sheet.ID, 10), "shares": []events.Request{share}}, &hook)
	b.hook = hook.ID
	return b
}

// start starts the program and waits until it is ready.
func (b *bridge) start() {
	b.t.Helper()
	b.serve = exec.CommandContext(b.t.Context(), b.path, "serve")
	b.serve.Env = b.env
	log, err := b.serve.StderrPipe()
	must(b.t, err)
	must(b.t, b.serve.Start())
	lines := bufio.NewReader(log)
	if !regexp.MustCompile(`"msg":"ready"`).MatchReader(lines) {
		b.t.Fatal("the program ended before it was ready")
	}
	go io.Copy(io.Discard, lines) // until it ends
}

// stop kills the program.
func (b *bridge) stop() {
	_ = b.serve.Process.Kill() // it may have ended with the test
	_ = b.serve.Wait()         // the kill
}

// call calls the admin API.
func (b *bridge) call(path string, body, answer any) {
	b.t.Helper()
	text, err := json.Marshal(body)
	must(b.t, err)
	req, err := http.NewRequestWithContext(b.t.Context(), http.MethodPost, b.admin+path, bytes.NewReader(text))
	must(b.t, err)
	req.Header.Set("Authorization", "Bearer "+adminToken)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	must(b.t, err)
	defer resp.Body.Close() // read to its end below
	text, err = io.ReadAll(resp.Body)
	must(b.t, err)
	if resp.StatusCode >= 300 {
		b.t.Fatalf("POST %s: %s: %s", path, resp.Status, text)
	}
	if answer != nil {
		must(b.t, json.Unmarshal(text, answer))
	}
}

// status is what the sheet has in a row's Status.
func (b *bridge) status(row int64) any {
	b.t.Helper()
	snapshot, _ := b.sim.Snapshot(b.sheet.ID)
	for _, r := range snapshot.Rows {
		if r.ID == row {
			return r.Cells[b.sheet.Columns["Status"]]
		}
	}
	return "no such row"
}

func freeAddress(t *testing.T) string {
	t.Helper()
	port, err := freeport.Take()
	must(t, err)
	return fmt.Sprintf("127.0.0.1:%d", port)
}

// testWrites runs an example that writes, as a partner does: a change is made, asked
// for again with the same id it is not made again, and what is refused changes nothing.
func testWrites(t *testing.T, dir string, program []string) {
	b := newBridge(t)
	row := b.sheet.Rows[0]
	write := func(id, expect, set string) (answer events.WriteData, code int) {
		t.Helper()
		request := fmt.Sprintf(`{"id":%q,"op":"update","row":"%d","expect":{"status":%q},"set":{"status":%q}}`, id, row, expect, set)
		args := append(program[1:len(program):len(program)], "write.acme.orders.default", request)
		cmd := exec.CommandContext(t.Context(), program[0], args...)
		cmd.Dir, cmd.Stderr, cmd.Env = dir, t.Output(), append(os.Environ(), "NATS_URL="+b.nats, "NATS_CREDS="+b.creds)
		out, err := cmd.Output()
		if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
			t.Fatal(err)
		}
		var event struct{ Data events.WriteData }
		if err := json.Unmarshal(out, &event); err != nil {
			t.Fatalf("%s printed %q: %v", strings.Join(program, " "), out, err)
		}
		return event.Data, cmd.ProcessState.ExitCode()
	}
	for _, step := range []struct {
		what, id, expect, set string
		result                events.Result
		refused               events.Code
		status                string
	}{
		{"a change", "po-1", "Open", "Done", events.ResultDone, "", "Done"},
		{"a change that the row contradicts", "po-2", "Open", "Late", events.ResultRefused, events.CodeConflict, "Done"},
		{"another change", "po-3", "Done", "Open", events.ResultDone, "", "Open"},
		{"the first one again", "po-1", "Open", "Done", events.ResultDone, "", "Open"},
		{"another one with its id", "po-1", "Open", "Late", events.ResultRefused, events.CodeIDReused, "Open"},
	} {
		answer, code := write(step.id, step.expect, step.set)
		wantCode := map[events.Result]int{events.ResultDone: 0, events.ResultRefused: 4}[step.result]
		if answer.ID != step.id || answer.Result != step.result || answer.Code != step.refused || code != wantCode {
			t.Errorf("%s: got id %s, %s %s and exit code %d, want %s, %s %s and %d", step.what,
				answer.ID, answer.Result, answer.Code, code, step.id, step.result, step.refused, wantCode)
		}
		if got := b.status(row); got != step.status {
			t.Errorf("%s: got status %v in the sheet, want %s", step.what, got, step.status)
		}
	}
}
