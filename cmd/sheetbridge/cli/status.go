package cli

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sheetbridge/sheetbridge/cmd/sheetbridge/terminal"
	"github.com/sheetbridge/sheetbridge/webhook/admin"
)

// watchEvery is how often a status that is watched is read again.
const watchEvery = 2 * time.Second

func (p *program) statusCommand() *cobra.Command {
	var watch bool
	cmd := &cobra.Command{
		Use: "status", Short: "Show everything on one screen", Args: NoArguments,
		Long: "Show everything on one screen: counts, owners whose access does not work, what ends soon, and a line for each share,\n" +
			"those that need a person first. With --watch the screen is kept up to date. Smartsheet is not asked.\n" + apiHelp,
	}
	cmd.Flags().BoolVarP(&watch, "watch", "w", false, "keep the screen up to date, until it is interrupted")
	return p.reads(cmd, []string{formatText, formatWide, formatJSON}, func(c *call, _ []string) error {
		if watch {
			return p.watch(c)
		}
		var o item
		if err := c.get("/v1/overview", &o); err != nil {
			return err
		}
		if c.json() {
			return c.print(o)
		}
		return p.writeStatus(c, o)
	})
}

// clearScreen moves the cursor to the top of a terminal and clears it.
const clearScreen = "\x1b[H\x1b[2J"

// watch shows the status again and again. A service that does not answer is said, and
// asked again.
func (p *program) watch(c *call) error {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		var o item
		err := c.get("/v1/overview", &o)
		if c.cmd.Context().Err() != nil {
			return nil
		}
		if err != nil && !isUnreached(err) {
			return err
		}
		if terminal.IsTerminal(c.out) {
			fmt.Fprint(c.out, clearScreen)
		}
		switch {
		case err != nil:
			_, err = fmt.Fprintf(c.out, "%s  %v: trying again\n", time.Now().Format(time.TimeOnly), err)
		case c.json():
			err = c.print(o)
		default:
			err = p.writeStatus(c, o)
		}
		if err != nil {
			return err
		}
		select {
		case <-c.cmd.Context().Done():
			return nil
		case <-tick.C:
		}
	}
}

var statusColumns = []column{
	{name: "SHARE", field: "share"}, {name: "SHEET", field: "sheetName"}, {name: "FIELDS", field: "fields"}, {name: "OWNER", field: "owner", wide: true},
	{name: "WEBHOOK", field: "status", wide: true}, {name: "FILTER", field: "where", wide: true}, {name: "MASKED", field: "masked", wide: true},
	{name: "STATE", field: "state"}, {name: "COMPLETE TO", field: "complete"}, {name: "WAITING", field: "backlog"},
	{name: "READ", field: "lastRead", format: when}, {name: "NOTE", field: "note", below: true},
}

// writeStatus writes the screen.
func (p *program) writeStatus(c *call, o item) error {
	var b strings.Builder
	colours := terminal.Colours(c.out)
	n := func(field string) string { return number(o.get("counts."+field), false) }
	title := fmt.Sprintf("sheetbridge %s at %s, %s", terminal.Clean(o.text("version"), 30), c.URL(), time.Now().Format(time.DateTime))
	fmt.Fprintf(&b, "%s\n", colours.Paint(terminal.Bold, title))
	fmt.Fprintf(&b, "owners %s · partners %s · sheets %s · shares %s (%s)\n", n("owners"), n("partners"), n("sheets"), n("shares"), states(o))
	if dead := n("dead"); dead != "" && dead != "0" {
		fmt.Fprintf(&b, "%s hints were given up: sheetbridge dead says why\n", colours.Paint(terminal.Red, dead))
	}
	for _, owner := range o.list("owners") {
		p.writeDetail(&b, c, terminal.Red, "owner "+owner.text("name"), owner.text("state")+" "+owner.text("reason"), owner)
	}
	for _, end := range o.list("ending") {
		what := end.text("kind") + " " + end.text("partner") + "/" + end.text("name")
		p.writeDetail(&b, c, terminal.Yellow, what, "ends "+when(end["at"], false), end)
	}
	list := o.list("items")
	for _, s := range list {
		p.describe(s)
	}
	fmt.Fprintln(&b)
	if err := tableOf(statusColumns, list, c.wide()).Write(&b, c.width(), p.resource("shares").empty); err != nil {
		return err
	}
	_, err := io.WriteString(c.out, b.String())
	return err
}

// states are the numbers of shares in each state.
func states(o item) string {
	var parts []string
	for _, state := range []string{"live", "loading", "stale", "suspended", "unknown"} {
		if n := number(o.get("counts."+state), false); n != "" && n != "0" {
			parts = append(parts, n+" "+state)
		}
	}
	if len(parts) == 0 {
		return "none"
	}
	return strings.Join(parts, ", ")
}

// writeDetail writes what needs a person, and the next step.
func (p *program) writeDetail(b *strings.Builder, c *call, colour, what, text string, of item) {
	text = strings.TrimSpace(terminal.Clean(text, 300))
	if step := p.step(of); step != "" {
		text += " → " + step
	}
	what = terminal.Clean(what, terminal.MaxName)
	lines := terminal.Paragraph(what+": ", text, terminal.Width(c.out))
	b.WriteString(terminal.Colours(c.out).Paint(colour, what) + strings.TrimPrefix(lines, what))
}

// step is the command for the action of something, empty for none.
func (p *program) step(of item) string {
	if of.get("action") == nil {
		return ""
	}
	return p.commandFor(&admin.Action{Method: of.text("action.method"), Path: of.text("action.path")})
}

// describe adds to a share's line what its columns need.
func (p *program) describe(s item) {
	s["share"] = s.text("partner") + "/" + s.text("sheet")
	s["fields"] = s.text("columns")
	if of := s.text("columnsOf"); of != "" {
		s["fields"] = s.text("columns") + "/" + of
	}
	s["complete"] = completeTo(s["completeTo"], false)
	if s["progress"] != nil {
		s["complete"] = terminal.Bar(s.whole("progress.done"), s.whole("progress.of"), 8) + " " + progress(s["progress"], false)
	}
	detail := s.text("attention")
	if step := p.step(s); detail != "" && step != "" {
		detail += " → " + step
	}
	s["note"] = detail
}
