package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sheetbridge/sheetbridge/cmd/sheetbridge/terminal"
	"github.com/sheetbridge/sheetbridge/webhook/admin"
)

// Prefix is what the names of all settings begin with.
const Prefix = "SHEETBRIDGE"

// Program is what the commands need to know of the program that they belong to.
type Program struct {
	// Connect returns a client of the admin API that the environment names.
	Connect func() (*Client, error)
	// CheckConfig checks the settings of serve in this environment.
	CheckConfig func() []admin.Check
}

// program makes the commands.
type program struct {
	Program
	resources []*resource
}

// Commands returns the commands.
func Commands(of Program) []*cobra.Command {
	p := &program{of, allResources()}
	list := []*cobra.Command{
		p.statusCommand(), p.doctorCommand(), p.explainCommand(), p.accessCommand(), p.contractCommand(),
		p.initCommand(), p.exportCommand(), p.diffCommand(), p.applyCommand(), tailCommand(), writeCommand(), joinCommand(),
	}
	for _, r := range p.resources {
		list = append(list, p.group(r))
	}
	return list
}

// resource returns a resource by its name.
func (p *program) resource(name string) *resource {
	return p.resources[slices.IndexFunc(p.resources, func(r *resource) bool { return r.name == name })]
}

// apiHelp says what commands need that call the admin API.
const apiHelp = "It calls a running service, at " + Prefix + "_ADMIN_URL (default http://127.0.0.1:8081) with the token in " + Prefix + "_ADMIN_TOKEN."

// Formats of what a command prints.
const (
	formatText = "text"
	formatWide = "wide"
	formatJSON = "json"
)

// call is one run of a command that calls the admin API.
type call struct {
	*Client
	cmd    *cobra.Command
	out    io.Writer
	format string
	dryRun bool
	yes    bool
}

// runner does what a command is for.
type runner func(c *call, args []string) error

// reads makes a command that changes nothing. It has the flag -o where it prints in
// several formats, of which the first is the default.
func (p *program) reads(cmd *cobra.Command, formats []string, run runner) *cobra.Command {
	return p.command(cmd, formats, &call{}, run)
}

// changes makes a command that changes something. It has the flag --dry-run, and
// --yes where something is lost by it.
func (p *program) changes(cmd *cobra.Command, formats []string, loses bool, run runner) *cobra.Command {
	c := &call{}
	cmd.Flags().BoolVar(&c.dryRun, "dry-run", false, "change nothing: say what would be done")
	if loses {
		cmd.Flags().BoolVar(&c.yes, "yes", false, "do it without asking")
	}
	return p.command(cmd, formats, c, run)
}

func (p *program) command(cmd *cobra.Command, formats []string, c *call, run runner) *cobra.Command {
	if len(formats) > 0 {
		cmd.Flags().StringVarP(&c.format, "output", "o", formats[0], "`format`: "+either(formats))
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(formats) > 0 {
			if err := checkFormat(c.format, formats...); err != nil {
				return &UsageError{err}
			}
		}
		client, err := p.Connect()
		if err != nil {
			return &UsageError{err}
		}
		defer client.Close()
		c.Client, c.cmd, c.out = client, cmd, cmd.OutOrStdout()
		return p.explainError(run(c, args))
	}
	return cmd
}

// either lists choices: "text, wide or json".
func either(choices []string) string {
	if len(choices) == 1 {
		return choices[0]
	}
	last := len(choices) - 1
	return strings.Join(choices[:last], ", ") + " or " + choices[last]
}

func (c *call) json() bool { return c.format == formatJSON }
func (c *call) wide() bool { return c.format == formatWide }

// width is how long a line may be, 0 for as long as it needs.
func (c *call) width() int {
	if c.wide() {
		return 0
	}
	return terminal.Width(c.out)
}

// get reads something of the API.
func (c *call) get(path string, result any) error {
	return c.Call(c.cmd.Context(), http.MethodGet, path, nil, result)
}

// waitNotice is after how long a command prints what it waits for.
const waitNotice = 2 * time.Second

// send makes a change, and prints what it waits for if that takes long.
func (c *call) send(method, path string, body, result any, waitsFor string) error {
	if waitsFor != "" {
		printed := make(chan struct{})
		notice := time.AfterFunc(waitNotice, func() {
			defer close(printed)
			fmt.Fprintf(c.cmd.ErrOrStderr(), "waiting for %s…\n", waitsFor)
		})
		defer func() {
			if !notice.Stop() {
				<-printed // nothing is printed after the command's end
			}
		}()
	}
	return c.Call(c.cmd.Context(), method, path, body, result)
}

// print writes a value as JSON with indents.
func (c *call) print(value any) error {
	raw, ok := value.(json.RawMessage)
	if !ok {
		var err error
		if raw, err = json.Marshal(value); err != nil {
			return err
		}
	}
	var b bytes.Buffer
	if err := json.Indent(&b, raw, "", "  "); err != nil {
		return fmt.Errorf("reading the answer: %w", err)
	}
	_, err := fmt.Fprintln(c.out, strings.TrimSpace(b.String()))
	return err
}

// secretFields of a body are not printed.
var secretFields = []string{"token", "credentials", "secret"}

// wouldCall says what a change would call, without secrets. What would be lost is
// said too.
func (c *call) wouldCall(method, path string, body any, lost string) error {
	var b strings.Builder
	fmt.Fprintf(&b, "dry run: nothing was changed. This would call %s %s", method, path)
	if hidden, ok := body.(interface{ withoutSecrets() any }); ok {
		body = hidden.withoutSecrets()
	}
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return err
		}
		var fields any
		if err := json.Unmarshal(text, &fields); err != nil {
			return err
		}
		fmt.Fprintln(&b, " with")
		e := json.NewEncoder(&b)
		e.SetIndent("", "  ")
		e.SetEscapeHTML(false) // a filter with > stays readable
		if err := e.Encode(hideSecrets(fields)); err != nil {
			return err
		}
	} else {
		fmt.Fprintln(&b)
	}
	if lost != "" {
		fmt.Fprintf(&b, "This would be lost: %s.\n", lost)
	}
	_, err := io.WriteString(c.out, b.String())
	return err
}

func hideSecrets(value any) any {
	switch v := value.(type) {
	case map[string]any:
		for name := range v {
			if _, text := v[name].(string); text && slices.Contains(secretFields, name) {
				v[name] = "(secret)"
				continue
			}
			v[name] = hideSecrets(v[name])
		}
	case []any:
		for i := range v {
			v[i] = hideSecrets(v[i])
		}
	}
	return value
}

// confirm asks on a terminal whether something may be lost; elsewhere it wants
// --yes.
func (c *call) confirm(lost string) error {
	if c.yes {
		return nil
	}
	in := c.cmd.InOrStdin()
	if !terminal.IsTerminal(in) {
		return Usagef("this would be lost: %s. Add --yes to do it, or --dry-run to see what would be done", lost)
	}
	fmt.Fprintf(c.cmd.ErrOrStderr(), "This will be lost: %s.\nType yes to go on: ", lost)
	var answer string
	if _, err := fmt.Fscanln(in, &answer); err != nil || answer != "yes" {
		return errors.New("nothing was changed")
	}
	return nil
}

// readSecret reads a secret of one line from a file, from standard input for "-",
// or from a terminal that does not show it. Arguments would show it to everybody on
// the machine.
func (c *call) readSecret(what, path string) (string, error) {
	text, err := c.readText(what, path)
	secret := strings.TrimSpace(text)
	if err == nil && secret == "" {
		err = Usagef("%s: the input is empty", what)
	}
	return secret, err
}

// maxInput bounds what is read from a file or standard input.
const maxInput = 1 << 20

func (c *call) readText(what, path string) (string, error) {
	in := c.cmd.InOrStdin()
	if path != "-" {
		file, err := os.Open(path)
		if err != nil {
			return "", Usagef("%s: %w", what, err)
		}
		defer file.Close() // only read
		in = file
	} else if terminal.IsTerminal(in) {
		text, err := terminal.ReadHidden(c.cmd.ErrOrStderr(), in, what)
		if err != nil {
			return "", fmt.Errorf("%s: %w", what, err)
		}
		return text, nil
	}
	text, err := io.ReadAll(io.LimitReader(in, maxInput+1))
	if err != nil {
		return "", fmt.Errorf("%s: %w", what, err)
	}
	if len(text) > maxInput {
		return "", Usagef("%s: it is larger than %d bytes", what, maxInput)
	}
	return string(text), nil
}
