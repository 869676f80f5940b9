package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"

	"github.com/sheetbridge/sheetbridge/smartsheet/smartsheettest"
)

// wholeFile is what export writes of an instance in which everything that a file can
// say is said; # stands for ids.
const wholeFile = `# Partners and shares of Sheetbridge: sheetbridge diff -f says what would change, sheetbridge apply -f does it.
# Secrets are not in here: owners and their tokens are added with sheetbridge owners add.
partners:
  - name: acme
    limits:
      storage: 2GiB
      connections: 8
    history: 100
    tombstones: 1440h0m0s
    sources:
      - 127.0.0.0/8
  - name: globex
sheets:
  - owner: ops
    sheetId: "#" # Orders
    shares:
      - partner: acme
        sheet: orders
        columns:
          - columnId: "#" # No
            as: "no"
          - columnId: "#" # Status
            as: state
          - columnId: "#" # Due Date
            as: due_date
            mask: redact
        where: state != 'Draft'
        kinds:
          - row
          - comment
        write:
          update:
            - state
        until: "#"
      - partner: globex
        sheet: their-orders
        columns:
          - columnId: "#" # No
            as: "no"
            mask: hash
`

// fill makes an instance of which export writes wholeFile.
func (c *console) fill() {
	c.t.Helper()
	c.says("state", "owners", "add", "ops", "--region", "us", "--token-file", "token")
	c.says("acme.creds", "partners", "add", "acme", "--history", "100", "--storage", "2GiB", "--connections", "8", "--tombstones", "60d", "--sources", "127.0.0.0/8")
	c.says("globex.creds", "partners", "add", "globex")
	sheet := strconv.FormatInt(c.sheet.ID, 10)
	c.s.must("POST", "/v1/webhooks", json.RawMessage(`{"owner":"ops","sheetId":"`+sheet+`","shares":[
		{"partner":"acme","sheet":"orders","columns":[{"title":"No"},{"title":"Status","as":"state"},{"title":"Due Date","mask":"redact"}],
		 "where":"state != 'Draft'","kinds":["row","comment"],"until":"2099-06-30T00:00:00Z","write":{"update":["state"]}},
		{"partner":"globex","sheet":"their-orders","columns":[{"title":"No","mask":"hash"}]}]}`), nil)
}

// export returns what export writes, and keeps it as shares.yaml.
func (c *console) export() string {
	c.t.Helper()
	out := c.says("sheets:", "export")
	c.write(out)
	return out
}

func (c *console) write(text string) {
	c.t.Helper()
	if err := os.WriteFile("shares.yaml", []byte(text), 0o600); err != nil {
		c.t.Fatal(err)
	}
}

// second is another instance beside the first, empty but for the owner.
func (c *console) second() *console {
	c.t.Helper()
	other := *c
	other.s = startService(c.t, c.sim.URL())
	c.t.Setenv(prefix+"_ADMIN_URL", other.s.admin.URL())
	other.says("state", "owners", "add", "ops", "--region", "us", "--token-file", "token")
	return &other
}

// TestExportAndApply builds a second instance from what export writes of the first.
func TestExportAndApply(t *testing.T) {
	c := newConsole(t)
	c.fill()
	text := c.export()
	if diff := cmp.Diff(wholeFile, changing.ReplaceAllString(text, "#")); diff != "" {
		t.Errorf("export (-want +got):\n%s", diff)
	}
	fitsSchema(t, c.says("json-schema.org", "export", "--schema"), text)
	c.golden("Nothing is to be done: the instance is as the file says.\n", "diff", "-f", "shares.yaml")

	other := c.second()
	out, _ := c.run(exitDiffers, "diff", "-f", "shares.yaml")
	want := "+ partner acme\n+ partner globex\n+ share acme/orders\n+ share globex/their-orders\nWith sheetbridge apply: 4 added, 0 changed, 0 removed.\n"
	if out != want {
		t.Errorf("got %q, want %q", out, want)
	}
	other.says("There is no partner yet", "partners") // diff has done nothing
	other.says("4 added, 0 changed, 0 removed.", "apply", "-f", "shares.yaml")
	if diff := cmp.Diff(text, other.says("sheets:", "export")); diff != "" {
		t.Errorf("the second instance (-first +second):\n%s", diff)
	}
	other.says("Nothing is to be done", "diff", "-f", "shares.yaml")
	other.says("Nothing is to be done", "apply", "-f", "shares.yaml")
	other.says("Partner acme has no credentials", "partners", "credentials", "acme")
	other.says("share added", "audit")
	if out := other.says("partner added", "audit", "-o", "wide"); strings.Contains(out, "dryRun=true,") {
		t.Errorf("got\n%s\nwant nothing of what was only tried but rows that were shown", out)
	}
}

// TestExportWithoutSecrets: where a partner is told what concerns it may have a secret in
// it. Neither a dry run nor the file shows more than its host.
func TestExportWithoutSecrets(t *testing.T) {
	c := newConsole(t)
	c.says("acme.creds", "partners", "add", "acme")
	if err := os.WriteFile("address", []byte("https://hooks.b.example/T0/canary-path\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	dry := c.says(`"url": "(secret)"`, "partners", "contact", "acme", "--url-file", "address", "--dry-run")
	c.says("hooks.b.example", "partners", "contact", "acme", "--url-file", "address")
	file := c.says("- name: acme # told at hooks.b.example: give it again with sheetbridge partners contact acme\n", "export")
	if strings.Contains(dry+file, "canary") {
		t.Errorf("the address is printed:\n%s%s", dry, file)
	}
	c.write(file)
	c.says("Nothing is to be done", "diff", "-f", "shares.yaml")
}

// fitsSchema checks a file against a schema as an editor does.
func fitsSchema(t *testing.T, schema, file string) {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(schema))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("file.json", doc); err != nil {
		t.Fatal(err)
	}
	compiled, err := compiler.Compile("file.json")
	if err != nil {
		t.Fatal(err)
	}
	var value any
	if err := yaml.Unmarshal([]byte(file), &value); err != nil {
		t.Fatal(err)
	}
	if err := compiled.Validate(value); err != nil {
		t.Errorf("the file does not fit its schema: %v", err)
	}
	value.(map[string]any)["shares"] = 1
	if err := compiled.Validate(value); err == nil {
		t.Error("the schema takes a field that there is not")
	}
}

// edit writes shares.yaml with a text replaced.
func (c *console) edit(file, old, new string) {
	c.t.Helper()
	if strings.Count(file, old) < 1 {
		c.t.Fatalf("%q is not in the file", old)
	}
	c.write(strings.Replace(file, old, new, 1))
}

func TestApplyChanges(t *testing.T) {
	c := newConsole(t)
	c.fill()
	text := c.export()
	differs := func(want string) {
		t.Helper()
		if out, _ := c.run(exitDiffers, "diff", "-f", "shares.yaml"); out != want {
			t.Errorf("got %q, want %q", out, want)
		}
	}
	c.edit(text, "history: 100", "history: 50")
	differs("~ partner acme\n    history: 100 → 50\nWith sheetbridge apply: 0 added, 1 changed, 0 removed.\n")
	c.says("changed partner acme\n    history: 100 → 50\n0 added, 1 changed, 0 removed.\n", "apply", "-f", "shares.yaml")
	c.edit(text, "storage: 2GiB", "storage: 2048MiB") // the same
	c.says("~ partner acme\n    history: 50 → 100\n", "apply", "-f", "shares.yaml", "--dry-run")
	c.says("changed partner acme\n    history: 50 → 100\n", "apply", "-f", "shares.yaml")

	c.edit(text, "where: state != 'Draft'", "where: state == 'Open'")
	differs("~ share acme/orders\n    where: state != 'Draft' → state == 'Open'\nWith sheetbridge apply: 0 added, 1 changed, 0 removed.\n")
	c.says("changed share acme/orders", "apply", "-f", "shares.yaml")
	c.says("where  ", "shares", "show", "acme/orders")
	c.says(`"where": "state == 'Open'"`, "shares", "show", "acme/orders", "-o", "json")

	c.write(strings.NewReplacer("as: state", "as: status", "state != 'Draft'", "status != 'Draft'", "- state\n", "- status\n").Replace(text))
	c.refuses(exitUsage, `shares.yaml:17: sheets[0].shares[0]: this would break the partner's consumers: field "state" is renamed to "status". If that is agreed, add --breaking`, "apply", "-f", "shares.yaml")
	out, _ := c.run(exitDiffers, "diff", "-f", "shares.yaml", "-o", "json")
	var shown struct {
		Steps []struct {
			Do   string
			What []string
			Line int
		}
	}
	if err := json.Unmarshal([]byte(out), &shown); err != nil || len(shown.Steps) != 1 || shown.Steps[0].Line != 17 || shown.Steps[0].Do != "change" {
		t.Errorf("got %s, error %v, want one change of line 17", out, err)
	}
	c.says("changed share acme/orders", "apply", "-f", "shares.yaml", "--breaking")

	// What the file does not name stays, unless it is to be removed.
	lines := strings.SplitAfter(text, "\n")
	without := strings.Join(lines[:len(lines)-7], "") // globex's share, and
	without = strings.Replace(without, "  - name: globex\n", "", 1)
	c.write(strings.NewReplacer("as: state", "as: status", "state != 'Draft'", "status != 'Draft'", "- state\n", "- status\n").Replace(without))
	c.says("share globex/their-orders is not in the file and stays; --prune removes it\n  partner globex is not in the file", "diff", "-f", "shares.yaml")
	c.refuses(exitUsage, "this would be lost: share globex/their-orders, partner globex, and the events published of them. Add --yes", "apply", "-f", "shares.yaml", "--prune")
	c.says("globex", "shares")
	c.says("removed share globex/their-orders\nremoved partner globex\n0 added, 0 changed, 2 removed.", "apply", "-f", "shares.yaml", "--prune", "--yes")
	c.says("Nothing is to be done", "diff", "-f", "shares.yaml", "--prune")
	c.write("partners:\n  - name: acme\n")
	c.says("removed share acme/orders", "apply", "-f", "shares.yaml", "--prune", "--yes")
	c.says("No sheet is registered", "webhooks")
}

// TestFileMistakes: a mistake is said with its line, its field and the way out, and
// nothing of the file is done.
func TestFileMistakes(t *testing.T) {
	c := newConsole(t)
	c.fill()
	text := c.export()
	c.second()
	for name, tc := range map[string]struct{ old, new, want string }{
		"no YAML":            {"  - name: globex", "  - name: [globex", "it is not YAML"},
		"unknown field":      {"history: 100", "histery: 100", "shares.yaml:8: partners[0].histery: unexpected property"},
		"wrong type":         {"history: 100", "history: long", "shares.yaml:8: partners[0].history: expected integer"},
		"too much":           {"history: 100", "history: 5000", "shares.yaml:8: partners[0].history: expected number <= 1000"},
		"wrong size":         {"storage: 2GiB", "storage: 2 sheds", "shares.yaml:6: partners[0].limits.storage: "},
		"wrong name":         {"name: globex", "name: Globex Inc.", "shares.yaml:12: partners[1].name: "},
		"partner twice":      {"name: globex", "name: acme", "shares.yaml:12: partners[1].name: partner acme stands on line 4 already"},
		"share twice":        {"partner: globex\n        sheet: their-orders", "partner: acme\n        sheet: orders", "shares.yaml:36: sheets[0].shares[1].sheet: share acme/orders stands on line 18 already"},
		"no such owner":      {"owner: ops", "owner: nobody", `shares.yaml:14: sheets[0].owner: there is no owner "nobody": add it with sheetbridge owners add`},
		"no such partner":    {"partner: globex", "partner: initech", `shares.yaml:35: sheets[0].shares[1].partner: there is no partner "initech": add it with sheetbridge partners add`},
		"wrong filter":       {"state != 'Draft'", "stat != 'Draft'", "shares.yaml:27: sheets[0].shares[0].where: "},
		"filter that fails":  {"state != 'Draft'", "int(state) > 1", "shares.yaml:27: sheets[0].shares[0].where: it cannot be evaluated on any row"},
		"no such kind":       {"- comment", "- coment", "shares.yaml:30: sheets[0].shares[0].kinds[1]: "},
		"write elsewhere":    {"update:\n            - state", "update:\n            - margin", "shares.yaml:33: sheets[0].shares[0].write.update[0]: "},
		"end in the past":    {"2099-06-30", "1999-06-30", "shares.yaml:34: sheets[0].shares[0].until: is in the past"},
		"a secret":           {"- name: globex", "- name: globex\n    token: x", "shares.yaml:13: partners[1].token: unexpected property"},
		"at another NATS":    {"- name: globex", "- name: globex\n    nats:\n      url: nats://127.0.0.1:1", "shares.yaml:13: partners[1].nats: partner is new here: name a file"},
		"nothing in it":      {text, "# nothing\n", "want one YAML document with partners or sheets"},
		"no such mask":       {"mask: hash", "mask: hide", "shares.yaml:40: sheets[0].shares[1].columns[0].mask: "},
		"column in no sheet": {`as: "no"`, "as: \"no\"\n            title: Nmae", "shares.yaml:20: sheets[0].shares[0].columns[0].columnId: "},
	} {
		t.Run(name, func(t *testing.T) {
			c.t = t
			c.edit(text, tc.old, tc.new)
			c.refuses(exitUsage, tc.want, "apply", "-f", "shares.yaml")
		})
	}
	c.t = t
	c.write(strings.NewReplacer("name: globex", "name: GLOBEX", "history: 100", "history: 0").Replace(text))
	if _, errs := c.run(exitUsage, "diff", "-f", "shares.yaml"); !strings.Contains(errs, "shares.yaml:8: ") || !strings.Contains(errs, "shares.yaml:12: ") {
		t.Errorf("got %q, want both mistakes", errs)
	}
	c.refuses(exitUsage, "-f FILE is required", "diff")
	c.says("There is no partner yet", "partners") // not one of them was half applied
	c.says("No sheet is registered", "webhooks")
}

// TestKilledApply: a killed apply is finished by running it again.
func TestKilledApply(t *testing.T) {
	c := newConsole(t)
	c.says("state", "owners", "add", "ops", "--region", "us", "--token-file", "token")
	var file bytes.Buffer
	file.WriteString("partners: [{name: acme}]\nsheets:\n")
	for _, name := range []string{"First", "Second", "Third"} {
		sheet, err := c.sim.AddSheet(smartsheettest.SheetSpec{Name: name, Owner: c.jane, Columns: []smartsheettest.Column{{Title: "No"}}})
		if err != nil {
			t.Fatal(err)
		}
		file.WriteString("  - owner: ops\n    sheetId: '" + strconv.FormatInt(sheet.ID, 10) + "'\n    shares: [{partner: acme, sheet: " + strings.ToLower(name) + ", columns: [{title: No}]}]\n")
	}
	c.write(file.String())
	var made atomic.Int32
	reached, release := make(chan struct{}), make(chan struct{})
	c.sim.SetFault(func(r *http.Request) *smartsheettest.Fault {
		if r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/webhooks") {
			if made.Add(1) == 2 {
				close(reached)
				<-release
				return &smartsheettest.Fault{Status: 503} // it came to nothing
			}
		}
		return nil
	})
	p := spawn(t, nil, "apply", "-f", "shares.yaml")
	p.stdout.wait(t, "added   share acme/first\n")
	<-reached
	if code := p.end(syscall.SIGKILL); code != -1 {
		t.Fatalf("got exit code %d of a killed apply", code)
	}
	close(release)
	c.sim.SetFault(nil)
	c.says("", "apply", "-f", "shares.yaml")
	c.says("Nothing is to be done", "diff", "-f", "shares.yaml", "--prune")
	for _, share := range []string{"acme/first", "acme/second", "acme/third"} {
		c.says(share, "shares")
	}
	if n := len(c.sim.Webhooks()); n != 3 {
		t.Errorf("got %d webhooks at Smartsheet, want 3", n)
	}
}

// TestGitOps does what the workflow under deploy/gitops does, with its file.
func TestGitOps(t *testing.T) {
	dir := filepath.Join("..", "..", "deploy", "gitops")
	read := func(name string) string {
		t.Helper()
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	file, schema := read("shares.yaml"), read("shares.schema.json")
	var workflow struct {
		Jobs struct {
			Shares struct {
				Steps []struct{ If, Run string }
			}
		}
	}
	if err := yaml.Unmarshal([]byte(read("workflow.yaml")), &workflow); err != nil {
		t.Fatal(err)
	}
	on := map[string]string{}
	for _, step := range workflow.Jobs.Shares.Steps {
		on[step.If] = step.Run
	}
	c := newConsole(t)
	if diff := cmp.Diff(schema, c.says("json-schema.org", "export", "--schema")); diff != "" {
		t.Errorf("deploy/gitops/shares.schema.json is not what sheetbridge export --schema writes (-file +schema):\n%s", diff)
	}
	fitsSchema(t, schema, file)
	sheet, err := c.sim.AddSheet(smartsheettest.SheetSpec{
		Name: "Orders", Owner: c.jane, Columns: []smartsheettest.Column{{Title: "Order"}, {Title: "Status"}, {Title: "Due Date", Type: "DATE"}, {Title: "Customer"}},
		Rows: []smartsheettest.Row{{Cells: smartsheettest.Cells{"Order": "SO-1", "Status": "Open"}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	c.says("state", "owners", "add", "ops", "--region", "us", "--token-file", "token")
	c.edit(file, "4509506114742148", strconv.FormatInt(sheet.ID, 10))
	t.Setenv(prefix+"_ADMIN_TOKEN", testToken)
	workflowRun := func(event, want string) {
		t.Helper()
		line := on["github.event_name == '"+event+"'"]
		out, err := exec.CommandContext(t.Context(), "sh", "-e", "-c", line).CombinedOutput()
		if err != nil || !strings.Contains(string(out), want) {
			t.Errorf("%s: %q: got error %v and\n%s\nwant %q", event, line, err, out, want)
		}
	}
	workflowRun("pull_request", "With sheetbridge apply: 4 added")
	workflowRun("push", "4 added, 0 changed, 0 removed.")
	workflowRun("pull_request", "Nothing is to be done")
	c.says("acme/orders", "shares")
}
