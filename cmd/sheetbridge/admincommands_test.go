package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/sheetbridge/sheetbridge/events/seal"
	"github.com/sheetbridge/sheetbridge/smartsheet/smartsheettest"
)

// console is somebody who runs commands against a service.
type console struct {
	t     *testing.T
	s     *running
	sim   *smartsheettest.Server
	sheet *smartsheettest.Sheet
	jane  *smartsheettest.User // who owns it
	token string               // of the sheet's owner
	dir   string
}

func newConsole(t *testing.T) *console {
	t.Helper()
	c := &console{t: t, sim: smartsheettest.New(t), dir: t.TempDir()}
	jane := c.sim.AddUser(smartsheettest.User{Email: "jane@a.example", Name: "Jane Doe"})
	c.jane, c.token = jane, c.sim.AddToken(jane)
	var err error
	c.sheet, err = c.sim.AddSheet(smartsheettest.SheetSpec{
		Name: "Orders", Owner: jane,
		Columns: []smartsheettest.Column{{Title: "No"}, {Title: "Status"}, {Title: "Due Date", Type: "DATE"}, {Title: "Margin"}},
		Rows: []smartsheettest.Row{
			{Cells: smartsheettest.Cells{"No": "SO-1", "Status": "Open", "Due Date": smartsheettest.Date("2026-11-30"), "Margin": "canary-margin"}},
			{Cells: smartsheettest.Cells{"No": "SO-2", "Status": "Draft", "Margin": "canary-margin"}},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(c.dir, "token"), []byte(c.token+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c.s = startService(t, c.sim.URL())
	t.Setenv(prefix+"_ADMIN_URL", c.s.admin.URL())
	t.Chdir(c.dir)
	return c
}

// run runs a command that must end so, and returns what it printed.
func (c *console) run(code int, args ...string) (stdout, stderr string) {
	c.t.Helper()
	var out, errs bytes.Buffer
	if got := run(c.t.Context(), args, &out, &errs); got != code {
		c.t.Fatalf("%q: got exit code %d, want %d\n%s%s", args, got, code, out.String(), errs.String())
	}
	for _, secret := range []string{c.token, testToken, "canary-margin", "BEGIN NATS USER JWT"} {
		if strings.Contains(out.String()+errs.String(), secret) {
			c.t.Errorf("%q: a secret is printed:\n%s%s", args, out.String(), errs.String())
		}
	}
	return out.String(), errs.String()
}

// says wants a text in what a command prints.
func (c *console) says(want string, args ...string) string {
	c.t.Helper()
	out, _ := c.run(exitOK, args...)
	if !strings.Contains(out, want) {
		c.t.Errorf("%q: got\n%s\nwant %q", args, out, want)
	}
	return out
}

// refuses wants a command to fail with words on stderr.
func (c *console) refuses(code int, want string, args ...string) {
	c.t.Helper()
	out, errs := c.run(code, args...)
	if !strings.Contains(errs, want) || out != "" {
		c.t.Errorf("%q: got %q and on stderr %q, want %q", args, out, errs, want)
	}
}

// changing is what no golden text can hold.
var changing = regexp.MustCompile(`\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\dZ|\d+[smhd] ago\b|[0-9a-f]{8}-[0-9a-f-]{27}|127\.0\.0\.1:\d+|\d{12,}|U[A-Z2-7]{7,55}|/callbacks/…|\bhints waiting +\d+`)

// golden compares what a command prints with a text, times and ids aside, and
// without the widths that these give columns.
func (c *console) golden(want string, args ...string) {
	c.t.Helper()
	out, _ := c.run(exitOK, args...)
	out = regexp.MustCompile(`\n {4,}`).ReplaceAllString(out, " ") // long lines
	got := regexp.MustCompile(` {2,}`).ReplaceAllString(changing.ReplaceAllString(out, "#"), "  ")
	if diff := cmp.Diff(strings.TrimPrefix(want, "\n"), got); diff != "" {
		c.t.Errorf("%q (-want +got):\n%s", args, diff)
	}
}

// share shares the sheet with acme, and waits until it is loaded.
func (c *console) share() {
	c.t.Helper()
	c.says("state", "owners", "add", "ops", "--region", "us", "--token-file", "token")
	c.says("acme.creds", "partners", "add", "acme")
	c.says("acme     orders", c.adding()...)
	creds, err := os.ReadFile("acme.creds")
	if err != nil {
		c.t.Fatal(err)
	}
	out, stop := c.s.startTail(seal.Secret(creds))
	out.wait(c.t, `"state":"live"`)
	stop() // the partner may be removed later
}

func (c *console) adding(more ...string) []string {
	return append([]string{
		"shares", "add", "acme", "--owner", "ops", "--sheet-id", strconv.FormatInt(c.sheet.ID, 10),
		"--column", "No", "--column", "Status=state", "--redact", "Due Date", "--where", "state != 'Draft'",
	}, more...)
}

func TestAdminCommands(t *testing.T) {
	c := newConsole(t)
	c.golden("There is no owner yet. Add one: sheetbridge owners add NAME --region us\n", "owners")
	c.golden("There is no partner yet. Add one: sheetbridge partners add NAME\n", "partners", "list")
	c.refuses(exitFailed, "sheetbridge owners add", c.adding()...)
	c.share()

	c.golden("\nNAME  USER  REGION  KIND  STATE  ADDED\nops  jane@a.example  us  token  ok  #\n", "owners")
	c.golden("\nID  NAME  PERMISSION\n#  Orders  owner\n", "owners", "sheets", "ops")
	c.golden("\nNAME  NATS  STORAGE  HISTORY  ADDED\nacme  nats://#  1GiB  32  #\n", "partners")
	c.golden("\nNAME  NATS  SUBJECTS  EXTERNAL  STORAGE  HISTORY  ADDED\nacme  nats://#  smartsheet.acme.>  -  1GiB  32  #\n", "partners", "-o", "wide")
	c.golden("\nSHARE  SHEET  STATE  FIELDS  COMPLETE TO\nacme/orders  Orders  live  3  v2 #\n", "shares")
	c.golden("\nSHARE  SHEET  OWNER  STATE  FIELDS  KINDS  LOADED  REVISION  COMPLETE TO  REASON\nacme/orders  Orders  ops  live  3  row  -  1  version 2, #  -\n", "shares", "list", "--partner", "acme", "-o", "wide")
	c.golden("\nshare  acme/orders\nsheet  Orders\nsubjects  smartsheet.acme.orders.>\nstate  live\ncomplete to  version 2, #\nrevision  1\nkinds  row\nwhere  state != 'Draft'\n\n"+
		"FIELD  COLUMN  TYPE  MASK  COLUMN ID\nno  No  TEXT_NUMBER  -  #\nstate  Status  TEXT_NUMBER  -  #\ndue_date  Due Date  DATE  redact  #\n", "shares", "show", "acme/orders")
	c.golden("No hint was given up.\n", "dead")
	c.says(`"items": []`, "dead", "-o", "json")
	c.says(`"items": []`, "shares", "--partner", "nobody", "-o", "json")
	c.says("owners 1 · partners 1 · sheets 1 · shares 1 (1 live)", "status")
	c.says("acme/orders  Orders  3/4     live   v2 ", "status")
	for _, list := range []string{"status", "owners", "partners", "partners credentials acme", "shares", "shares show acme/orders", "webhooks", "dead", "audit", "keys", "access ops", "doctor"} {
		c.fits(strings.Fields(list)...)
	}
	c.audit()

	out := c.says(`"items": [`, "webhooks", "-o", "json")
	var list struct {
		Items []struct{ ID string } `json:"items"`
	}
	if err := json.Unmarshal([]byte(out), &list); err != nil || len(list.Items) != 1 {
		t.Fatalf("got %s, error %v, want one webhook", out, err)
	}
	id := list.Items[0].ID
	c.says("ENABLED", "webhooks", "show", id[:1])
	c.says("is being compared", "webhooks", "reconcile", strconv.FormatInt(c.sheet.ID, 10))
	c.says("being checked", "webhooks", "enable", id)
	c.says("replaced", "webhooks", "rotate-secret", id)
	c.refuses(exitFailed, "sheetbridge webhooks lists what there is", "webhooks", "show", "nothing")

	c.says("SO-1", append(c.adding("--dry-run"), "--name", "preview")...)
	c.says("nothing was changed", append(c.adding("--dry-run"), "--name", "preview")...)
	c.changeShare()
	c.refuses(exitUsage, "--yes", "shares", "resend", "acme/orders")
	c.says("POST /v1/webhooks/"+id+"/shares/acme/orders/resend", "shares", "resend", "acme/orders", "--dry-run")
	c.says("published again", "shares", "resend", "acme/orders", "--yes")
	c.refuses(exitFailed, "sheetbridge dead lists what there is", "dead", "retry", "17")
	c.refuses(exitFailed, "delete them first", "owners", "remove", "ops", "--yes")
	c.says("This would be lost: the shares, the stream and all credentials of partner acme", "partners", "remove", "acme", "--dry-run")
	c.refuses(exitFailed, "there is no partner", "partners", "remove", "nobody", "--dry-run")
	c.says("ended", "shares", "remove", "acme/orders", "--yes")
	c.says("removed", "webhooks", "remove", id, "--yes")
	c.says("removed", "partners", "remove", "acme", "--yes")
}

// fits wants no line of what a command prints to be longer than a terminal is wide.
func (c *console) fits(args ...string) {
	c.t.Helper()
	out, _ := c.run(exitOK, args...)
	for line := range strings.Lines(out) {
		if n := utf8.RuneCountInString(strings.TrimRight(line, "\n")); n > 80 {
			c.t.Errorf("%q: got a line of %d characters: %s", args, n, line)
		}
	}
}

// audit lists who did what as a table, and verifies it.
func (c *console) audit() {
	c.t.Helper()
	out := c.says("NO  AT", "audit", "--limit", "5")
	if !regexp.MustCompile(`(?m)^\d+ +\d+s ago +\S+ +changed +share added +acme/orders$`).MatchString(c.says("share added", "audit")) {
		c.t.Errorf("got\n%s\nwant the share in it", out)
	}
	out = c.says("The audit log is whole: ", "audit", "verify")
	head := regexp.MustCompile(`(?m)^head (\d+:[0-9a-f]{64})$`).FindStringSubmatch(out)
	if head == nil {
		c.t.Fatalf("got\n%s\nwant a head", out)
	}
	c.says("is still the one that --head names", "audit", "verify", "--head", head[1])
	other := head[1][:len(head[1])-1] + map[bool]string{true: "1", false: "0"}[strings.HasSuffix(head[1], "0")]
	if out, errs := c.run(exitFailed, "audit", "verify", "--head", other); !strings.Contains(errs, "is NOT whole") || strings.Contains(out, "is whole") {
		c.t.Errorf("got %s%s for another head", out, errs)
	}
}

// changeShare changes what a share shows; what is not named stays.
func (c *console) changeShare() {
	c.t.Helper()
	c.refuses(exitUsage, "say what to change", "shares", "change", "acme/orders")
	c.refuses(exitUsage, "has no such field", "shares", "change", "acme/orders", "--drop", "margin")
	c.refuses(exitFailed, "breaking", "shares", "change", "acme/orders", "--drop", "due_date")
	c.says(`"where": "state != 'Draft'"`, "shares", "change", "acme/orders", "--drop", "due_date", "--breaking", "--dry-run")
	c.says("revision  2", "shares", "change", "acme/orders", "--drop", "due_date", "--breaking")
	c.says(`"where": "state != 'Draft'"`, "shares", "show", "acme/orders", "-o", "json")
	c.says("no     No      TEXT_NUMBER  -", "shares", "show", "acme/orders")
	out := c.says("Margin", "shares", "change", "acme/orders", "--hash", "Margin")
	for _, kept := range []string{"state != 'Draft'", "TEXT_NUMBER  hash"} {
		if !strings.Contains(out, kept) {
			c.t.Errorf("got\n%s\nwant %q in it", out, kept)
		}
	}
	if err := os.WriteFile("terms.json", []byte(`{"columns":[{"title":"No"}],"write":{"update":["no"]}}`), 0o600); err != nil {
		c.t.Fatal(err)
	}
	c.says(`"update": [`, "shares", "change", "acme/orders", "--file", "terms.json", "--breaking", "--dry-run")
}

func TestCredentialCommands(t *testing.T) {
	c := newConsole(t)
	out := c.says(`"credentialsFile": "acme.creds"`, "partners", "add", "acme", "-o", "json")
	if strings.Contains(out, `"credentials":`) {
		t.Errorf("got %s, want no credentials in it", out)
	}
	c.says("erp.creds", "partners", "credentials", "add", "acme", "erp", "--creds", "erp.creds", "--expires", "90d")
	for _, path := range []string{"acme.creds", "erp.creds"} {
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm() != 0o600 || info.Size() == 0 {
			t.Errorf("%s: got %v, error %v, want credentials for the owner of the file alone", path, info, err)
		}
	}
	c.golden("\nNAME  USER  ADDED  EXPIRES  OLD UNTIL  LEAF\ndefault  #  #  in 365d  -  -\nerp  #  #  in 90d  -  -\n", "partners", "credentials", "acme")
	c.says("deletions kept for         30d\n", "partners", "show", "acme")
	const address = "https://hooks.example/planted-secret"
	if err := os.WriteFile("address", []byte(address), 0o600); err != nil {
		t.Fatal(err)
	}
	if out := c.says("PUT /v1/partners/acme/contact", "partners", "contact", "acme", "--url-file", "address", "--dry-run"); strings.Contains(out, "planted") {
		t.Errorf("got %s, want no address of a contact in it, which may have a secret", out)
	}
	c.refuses(exitUsage, "exists", "partners", "credentials", "add", "acme", "erp", "--creds", "erp.creds")
	c.refuses(exitFailed, "there is no partner", "partners", "credentials", "add", "nobody", "erp")
	if _, err := os.Stat("nobody-erp.creds"); !os.IsNotExist(err) {
		t.Errorf("got error %v, want no file where nothing was made", err)
	}
	c.says("revoked", "partners", "credentials", "remove", "acme", "erp", "--yes")
	c.says("100", "partners", "change", "acme", "--history", "100", "--storage", "2GiB")
	c.refuses(exitUsage, "there is nothing to change", "partners", "change", "acme")
}

func TestExplainCommand(t *testing.T) {
	c := newConsole(t)
	c.share()
	row := func(i int) []string {
		return []string{"explain", "--partner", "acme", "--sheet", "orders", "--row", strconv.FormatInt(c.sheet.Rows[i], 10)}
	}
	c.golden(`
sent: the partner has the row as it is now

row  #, row 1 of version 2 of the sheet, changed #
share  acme/orders, live
complete to  version 2, #
filter  state != 'Draft'  is true
last event  sheetbridge.row.created at sequence 3, from version 2
#

FIELD  COLUMN  TYPE  MASK  VALUE
no  No  TEXT_NUMBER  -  "SO-1"
state  Status  TEXT_NUMBER  -  "Open"
due_date  Due Date  DATE  redact  "redacted"
`, row(0)...)
	c.golden(`
not sent: the share's filter is false for this row

row  #, row 2 of version 2 of the sheet, changed #
share  acme/orders, live
complete to  version 2, #
filter  state != 'Draft'  is false
last event  none
#

FIELD  COLUMN  TYPE  MASK  VALUE
no  No  TEXT_NUMBER  -  (not shown)
state  Status  TEXT_NUMBER  -  (not shown)
due_date  Due Date  DATE  redact  (not shown)
`, row(1)...)
	link := fmt.Sprintf("https://app.smartsheet.com/sheets/abc?rowId=%d&x=y", c.sheet.Rows[0])
	c.says("sent: the partner has the row", "explain", "--row", link)
	c.says("not sent: the share's filter is false", "explain", "--sheet", "orders", "--where", "state=Draft")
	c.says("sent: the partner has the row", "explain", "--partner", "acme", "--where", "no=SO-1")
	c.refuses(exitFailed, "no row of the sheet has no=SO-9", "explain", "--where", "no=SO-9")
	c.refuses(exitUsage, "FIELD is no, state or due_date", "explain", "--where", "margin=1")
	c.refuses(exitUsage, "is not a row's id", "explain", "--partner", "acme", "--sheet", "orders", "--row", "x")
	c.refuses(exitFailed, "sheetbridge shares", "explain", "--partner", "acme", "--sheet", "other", "--row", "1")
}

// TestExplainWriteCommand asks whether the partner may write, before it may and after.
func TestExplainWriteCommand(t *testing.T) {
	c := newConsole(t)
	c.share()
	first := strconv.FormatInt(c.sheet.Rows[0], 10)
	asks := func(code int, want string, args ...string) {
		t.Helper()
		if out, errs := c.run(code, append([]string{"explain", "--partner", "acme"}, args...)...); !strings.Contains(out, want) {
			t.Errorf("%q: got %q and on stderr %q, want %q", args, out, errs, want)
		}
	}
	asks(exitRefused, "refused (not-writable): the sheet is shared to be read only", "--row", first, "--write", "state=Done")
	var webhooks struct{ Items []struct{ ID string } }
	c.s.must("GET", "/v1/webhooks", nil, &webhooks)
	c.s.must("PUT", "/v1/webhooks/"+webhooks.Items[0].ID+"/shares/acme/orders", map[string]any{
		"columns": []map[string]any{{"title": "No"}, {"title": "Status", "as": "state"}, {"title": "Due Date", "mask": "redact"}}, "where": "state != 'Draft'",
		"write": map[string]any{"update": []string{"state"}, "create": map[string]any{"columns": []string{"no", "state"}, "key": "no"}, "delete": true},
	}, nil)
	version := c.version()
	asks(exitOK, "allowed: it would be written in the name of owner ops", "--row", first, "--write", "state=Done", "--expect", "state=Open")
	asks(exitOK, `"result": "already"`, "--row", first, "--write", "state=Open", "-o", "json")
	asks(exitRefused, `refused (conflict): state: the row is not as expected`, "--where", "no=SO-1", "--write", "state=Done", "--expect", "state=Lost")
	asks(exitRefused, "sheetbridge explain acme/orders", "--row", strconv.FormatInt(c.sheet.Rows[1], 10), "--write", "state=Done")
	asks(exitOK, "allowed", "--create", "--write", "no=SO-9", "--write", "state=Open")
	asks(exitOK, "allowed", "--row", first, "--delete")
	if now := c.version(); now != version {
		t.Errorf("the sheet moved from version %d to %d: something was written", version, now)
	}
	c.refuses(exitUsage, "--create adds a row", "explain", "--row", first, "--create", "--write", "no=SO-9")
	c.refuses(exitUsage, "--write is required with --create", "explain", "--create")
	c.refuses(exitUsage, "--delete writes no values", "explain", "--row", first, "--delete", "--write", "state=Done")
	c.refuses(exitUsage, "want FIELD=VALUE", "explain", "--row", first, "--write", "state")
	c.refuses(exitUsage, "--expect goes with", "explain", "--row", first, "--expect", "state=Open")
}

// version is that of the sheet at Smartsheet.
func (c *console) version() int64 {
	snap, _ := c.sim.Snapshot(c.sheet.ID)
	return snap.Version
}

func TestDoctorCommand(t *testing.T) {
	c := newConsole(t)
	c.share()
	out := c.says("0 wrong", "doctor")
	for _, line := range []string{"config environment", "clock Smartsheet us", "nats sync", "owner ops", "partner acme", "webhook Orders", "share acme/orders", "public http://"} {
		if !regexp.MustCompile(`(?m)^ok +` + line).MatchString(out) {
			t.Errorf("got\n%s\nwant %q to be ok", out, line)
		}
	}
	c.sim.RevokeToken(c.token)
	t.Setenv(prefix+"_API_RATE", "0")
	out, errs := c.run(exitFailed, "doctor")
	for _, want := range []string{"WRONG    config SHEETBRIDGE_API_RATE", "WRONG    owner ops", "→ The token is unknown there"} {
		if !strings.Contains(out, want) {
			t.Errorf("got\n%s%s\nwant %q", out, errs, want)
		}
	}
	c.s.stop()
	if out, _ := c.run(exitFailed, "doctor", "-o", "json"); !strings.Contains(out, `"ok": false`) || !strings.Contains(out, "connection refused") {
		t.Errorf("got\n%s\nwant a service that is not there", out)
	}
}

func TestCompletion(t *testing.T) {
	c := newConsole(t)
	c.says("", "partners", "add", "acme")
	c.says("acme\n", "__complete", "partners", "show", "")
	c.says("acme\n", "__complete", "shares", "list", "--partner", "")
}

// TestRemoveLater: the command says when Smartsheet has not let go of a webhook.
func TestRemoveLater(t *testing.T) {
	c := newConsole(t)
	c.share()
	c.sim.SetFault(func(r *http.Request) *smartsheettest.Fault {
		if r.Method == http.MethodDelete {
			return &smartsheettest.Fault{Status: 503, HTML: true}
		}
		return nil
	})
	c.says("did not delete the webhook yet", "webhooks", "remove", fmt.Sprint(c.sheet.ID), "--yes")
	c.says("No sheet is registered", "webhooks")
	c.says("was deleted here", "doctor")
}
