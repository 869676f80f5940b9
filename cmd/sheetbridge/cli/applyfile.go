package cli

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sheetbridge/sheetbridge/cmd/sheetbridge/terminal"
)

// ErrDiffers is the end of sheetbridge diff where an instance is not as the file says.
var ErrDiffers = errors.New("the instance is not as the file says")

// fileFlags are those of the commands that read a file of partners and shares.
type fileFlags struct {
	path      string
	prune     bool
	breaking  bool
	newSheets bool
}

func (f *fileFlags) define(cmd *cobra.Command) {
	cmd.Flags().StringVarP(&f.path, "file", "f", "", "`file` of partners and shares, as sheetbridge export writes it; - is standard input")
	cmd.Flags().BoolVar(&f.newSheets, "new-sheets", false, "share the sheets too that were found in folders and workspaces and of which nothing is shared yet")
	cmd.Flags().BoolVar(&f.prune, "prune", false, "remove what the file does not name: shares, sheets and partners")
}

// plan reads the file, and checks all of it.
func (f *fileFlags) plan(c *call) (*shareFile, *plan, error) {
	if f.path == "" {
		return nil, nil, Usagef("-f FILE is required: the file of partners and shares; sheetbridge export writes one")
	}
	text, err := c.readText("-f", f.path)
	if err != nil {
		return nil, nil, err
	}
	file, err := parseShareFile(f.path, text)
	if err != nil {
		return nil, nil, err
	}
	p, err := c.planFile(file, f.prune, f.newSheets)
	if err != nil {
		return nil, nil, err
	}
	if len(p.wrong) > 0 {
		return nil, nil, file.refuse(p.wrong)
	}
	return file, p, nil
}

func (p *program) diffCommand() *cobra.Command {
	var f fileFlags
	cmd := &cobra.Command{
		Use: "diff -f FILE", Short: "Say what sheetbridge apply would do", Args: NoArguments,
		Long: "Check a file of partners and shares, and say what sheetbridge apply would do. It exits with 0 where nothing would be done,\n" +
			"and with 3 where something would.\n" + apiHelp,
		Example: "  sheetbridge diff -f shares.yaml",
	}
	f.define(cmd)
	return p.reads(cmd, []string{formatText, formatJSON}, func(c *call, _ []string) error {
		_, plan, err := f.plan(c)
		if err != nil {
			return p.fileError(err)
		}
		if err := c.showPlan(plan); err != nil {
			return err
		}
		if len(plan.steps) > 0 {
			return ErrDiffers
		}
		return nil
	})
}

func (p *program) applyCommand() *cobra.Command {
	var f fileFlags
	cmd := &cobra.Command{
		Use: "apply -f FILE", Short: "Have partners and shares as a file says", Args: NoArguments,
		Long: "Make partners and shares what a YAML file says. The whole file is checked before anything is changed; each step is then said\n" +
			"as it is done. After a failure the same command continues. What the file does not name stays, unless --prune is given. Of a\n" +
			"folder or workspace a sheet of which nothing is shared yet is shared with --new-sheets alone.\n" +
			"New partners get no credentials: let them in with sheetbridge partners invitations add.\n" + apiHelp,
		Example: "  sheetbridge apply -f shares.yaml\n  sheetbridge apply -f shares.yaml --prune --yes",
	}
	f.define(cmd)
	cmd.Flags().BoolVar(&f.breaking, "breaking", false, "the partners agree to lose fields, or to get them with another type")
	return p.changes(cmd, []string{formatText, formatJSON}, true, func(c *call, _ []string) error {
		file, plan, err := f.plan(c)
		if err != nil {
			return p.fileError(err)
		}
		if c.dryRun {
			return c.showPlan(plan)
		}
		if len(plan.breaking) > 0 && !f.breaking {
			return file.refuse(plan.breaking)
		}
		if lost := plan.lost(); lost != "" {
			if err := c.confirm(lost); err != nil {
				return err
			}
		}
		return p.fileError(c.apply(file, plan))
	})
}

// fileError puts commands in the place of calls in what is wrong with a file.
func (p *program) fileError(err error) error {
	var usage *UsageError
	if errors.As(err, &usage) {
		return Usagef("%s", p.inCommands(usage.Error()))
	}
	return err
}

// lost is what a plan removes.
func (p *plan) lost() string {
	var lost []string
	for _, s := range p.steps {
		if s.Do == "remove" {
			lost = append(lost, s.What...)
		}
	}
	if len(lost) == 0 {
		return ""
	}
	return strings.Join(lost, ", ") + ", and the events published of them"
}

// apply does the steps of a plan. It stops at the first that fails; those before it
// stay, and the next apply goes on from there.
func (c *call) apply(f *shareFile, p *plan) error {
	for i, s := range p.steps {
		err := c.waitForBudget(func() error { return c.send(s.method, s.path, s.body, nil, s.waitsFor) })
		if wrong := f.mistakes(err, s); len(wrong) > 0 { // it has become wrong since it was checked
			err = f.refuse(wrong)
		}
		if err != nil {
			return fmt.Errorf("step %d of %d, %s %s: %w\nThe steps before it are done: the same command goes on from here", i+1, len(p.steps), s.Do, strings.Join(s.What, ", "), err)
		}
		if c.json() {
			continue
		}
		if err := s.write(c.out, doneWords); err != nil {
			return err
		}
	}
	if c.json() {
		return c.print(p.shown())
	}
	_, err := fmt.Fprintln(c.out, p.sum())
	return err
}

// How what a step does is said: when it is done, and when it is planned.
var (
	doneWords = map[string]string{"add": "added   ", "change": "changed ", "remove": "removed "}
	planWords = map[string]string{"add": "+ ", "change": "~ ", "remove": "- "}
)

func (s step) write(w io.Writer, words map[string]string) error {
	var b strings.Builder
	for _, what := range s.What {
		fmt.Fprintf(&b, "%s%s\n", words[s.Do], terminal.Clean(what, 200))
	}
	for _, detail := range s.Details {
		fmt.Fprintf(&b, "    %s\n", terminal.Clean(detail, 600))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// sum says how much a plan does.
func (p *plan) sum() string {
	if len(p.steps) == 0 {
		return "Nothing is to be done: the instance is as the file says."
	}
	n := map[string]int{}
	for _, s := range p.steps {
		n[s.Do] += len(s.What)
	}
	return fmt.Sprintf("%d added, %d changed, %d removed.", n["add"], n["change"], n["remove"])
}

// shownPlan is a plan for machines.
type shownPlan struct {
	Steps []step   `json:"steps"`
	Left  []string `json:"left"`

	Offered []string `json:"offered"` // what --new-sheets would share besides
}

func (p *plan) shown() shownPlan {
	return shownPlan{append([]step{}, p.steps...), append([]string{}, p.left...), append([]string{}, p.offered...)}
}

// showPlan says what a plan would do.
func (c *call) showPlan(p *plan) error {
	if c.json() {
		return c.print(p.shown())
	}
	for _, s := range p.steps {
		if err := s.write(c.out, planWords); err != nil {
			return err
		}
	}
	var b strings.Builder
	for _, what := range p.left {
		fmt.Fprintf(&b, "  %s is not in the file and stays; --prune removes it\n", terminal.Clean(what, 200))
	}
	for _, what := range p.offered {
		fmt.Fprintf(&b, "  %s is new and not shared; --new-sheets shares it\n", terminal.Clean(what, 400))
	}
	text := p.sum()
	if len(p.steps) > 0 {
		text = "With sheetbridge apply: " + text
	}
	_, err := fmt.Fprintf(c.out, "%s%s\n", b.String(), text)
	return err
}
