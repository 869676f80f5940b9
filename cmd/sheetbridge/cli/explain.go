package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sheetbridge/sheetbridge/cmd/sheetbridge/terminal"
	"github.com/sheetbridge/sheetbridge/webhook/admin"
)

// explanation is an answer of the API, with values as they came.
type explanation struct {
	admin.Explanation
	Cells []struct {
		admin.ExplainedCell
		Value json.RawMessage `json:"value"`
	} `json:"cells"`
}

func (p *program) explainCommand() *cobra.Command {
	var partner, sheet, row, where string
	var proposed proposedWrite
	cmd := &cobra.Command{
		Use: "explain [--partner NAME] [--sheet NAME] --row ID|LINK | --where FIELD=VALUE", Short: "Say why a row was sent to a partner, or why not, or whether it may write", Args: NoArguments,
		Long: "Say why a row was sent to a partner, or why not: the row as the share shows it, what the share's filter says of it, the\n" +
			"last event that the partner has, and what is still to come. Columns that are not shared are not read, and of a row that\n" +
			"the share hides no value is shown. A row is named by its id, by the link to it that Smartsheet gives (Copy link to\n" +
			"row), or by a value: --where status=Open looks for rows with that value in the sheet. --partner and --sheet may be\n" +
			"left out where one share is left. It costs a few requests of the owner's budget.\n\n" +
			"With --write FIELD=VALUE, --create or --delete it says instead whether the partner may write that now, and in whose\n" +
			"name: by the checks that make writes, on a fresh reading of the sheet. Nothing is written. Exit code 4: it may not.\n" + apiHelp,
		Example: "  sheetbridge explain --partner acme --sheet orders --row 7129509179746180\n" +
			"  sheetbridge explain --row 'https://app.smartsheet.com/sheets/…?rowId=7129509179746180'\n  sheetbridge explain --sheet orders --where order_no=SO-1040\n" +
			"  sheetbridge explain --partner acme --sheet orders --row 7129509179746180 --write status=Done --expect status=Open",
	}
	p.reads(cmd, []string{formatText, formatJSON}, func(c *call, _ []string) error {
		if err := proposed.check(row, where); err != nil {
			return &UsageError{err}
		}
		if !proposed.create && (row == "") == (where == "") {
			return &UsageError{errors.New("name the row: --row with its id or its link, or --where FIELD=VALUE")}
		}
		id, err := rowID(row)
		if err != nil {
			return err
		}
		share, err := c.theShare(p.resource("shares"), partner, sheet)
		if err != nil {
			return err
		}
		if where != "" {
			found, err := c.rowsWhere(share, where)
			if err != nil {
				return err
			}
			if len(found) != 1 {
				return c.listFound(found, where)
			}
			id = found[0].text("row")
		}
		if proposed.wanted() {
			return p.explainWrite(c, share, id, &proposed)
		}
		return p.explain(c, share, id)
	})
	cmd.Flags().StringVar(&partner, "partner", "", "`name` of the partner")
	cmd.Flags().StringVar(&sheet, "sheet", "", "the partner's `name` for the sheet")
	cmd.Flags().StringVar(&row, "row", "", "the row's `id`, or a link to it")
	cmd.Flags().StringVar(&where, "where", "", "look for the row by the value of a field: `FIELD=VALUE`")
	proposed.addFlags(cmd)
	p.completeFlag(cmd, "partner", p.resource("partners"))
	return cmd
}

// explain shows the API's explanation of a row.
func (p *program) explain(c *call, share item, row string) error {
	n := names{"WEBHOOK": share.text("webhook.id"), "PARTNER": share.text("partner"), "SHEET": share.text("sheet"), "ROW": row}
	var raw json.RawMessage
	if err := c.get(n.in(p.resource("shares").item+"/rows/{ROW}/explain"), &raw); err != nil {
		return err
	}
	if c.json() {
		return c.print(raw)
	}
	var x explanation
	if err := json.Unmarshal(raw, &x); err != nil {
		return fmt.Errorf("reading the answer: %w", err)
	}
	return p.showExplanation(c, &x)
}

func (p *program) showExplanation(c *call, x *explanation) error {
	var b strings.Builder
	width := c.width()
	fmt.Fprintln(&b, terminal.Paragraph("", terminal.Clean(x.Verdict, 400), width))
	var f terminal.Facts
	f.Add("row", x.Row+sourceText(&x.Source))
	f.Add("share", fmt.Sprintf("%s/%s, %s", x.Partner, x.Sheet, x.State))
	f.Add("reason", x.Reason)
	if x.CompleteTo != nil {
		f.Add("complete to", fmt.Sprintf("version %d, %s", x.CompleteTo.Version, terminal.Moment(x.CompleteTo.Time)))
	}
	f.Add("filter", verdictText(&x.Filter))
	f.Add("last event", eventText(x.Last))
	f.Add("differs in", strings.Join(x.Differs, ", "))
	if x.Backlog != nil {
		f.Add("hints waiting", strconv.Itoa(*x.Backlog))
	}
	for _, d := range x.Dead {
		f.Add("hint given up", "id "+d.ID+", "+terminal.Moment(d.At)+": "+d.Reason)
	}
	if err := f.Write(&b, width); err != nil {
		return err
	}
	t := terminal.NewTable("FIELD", "COLUMN", "TYPE", "MASK", "VALUE")
	for _, cell := range x.Cells {
		t.Add(cell.As, cell.Title, cell.Type, cell.Mask, cellText(cell.Value, cell.Column))
	}
	fmt.Fprintln(&b)
	if err := t.Write(&b, width, "The share shows no columns."); err != nil {
		return err
	}
	b.WriteString(p.stepsText(x.Steps, x.Action, width))
	_, err := io.WriteString(c.out, b.String())
	return err
}

// stepsText says what to do, each step as commands where there are such, and which
// command comes next.
func (p *program) stepsText(steps []string, action *admin.Action, width int) string {
	var b strings.Builder
	for _, step := range steps {
		b.WriteString(terminal.Paragraph("→ ", terminal.Clean(p.inCommands(step), 600), width))
	}
	if next := p.nextStep(p.inCommands(strings.Join(steps, "\n")), action); next != "" {
		b.WriteString("Next: " + next + "\n")
	}
	return b.String()
}

func sourceText(r *admin.ExplainedRow) string {
	switch r.State {
	case "there":
		text := fmt.Sprintf(", row %d of version %d of the sheet", r.Number, r.Version)
		if r.ModifiedAt != nil {
			text += ", changed " + r.ModifiedAt.UTC().Format(time.RFC3339)
		}
		return text
	case "gone":
		return fmt.Sprintf(", not in version %d of the sheet", r.Version)
	}
	return ", could not be read: " + r.Reason
}

func verdictText(f *admin.ExplainedFilter) string {
	filter := f.Where
	for _, name := range slices.Sorted(maps.Keys(f.Attributes)) {
		filter += fmt.Sprintf(", partner.%s being %q,", name, f.Attributes[name])
	}
	switch f.Result {
	case "none":
		return "none: every row is shown"
	case "shows":
		return filter + "  is true"
	case "hides":
		return filter + "  is false"
	case "fails":
		return filter + "  cannot be evaluated on this row"
	}
	return filter
}

func eventText(e *admin.ExplainedEvent) string {
	if e == nil {
		return "none"
	}
	return fmt.Sprintf("%s at sequence %s, from version %d", e.Type, e.Sequence, e.Version)
}

// cellText is what the partner would see of a cell.
func cellText(value json.RawMessage, column string) string {
	switch {
	case column == "deleted":
		return "(the column was deleted)"
	case value == nil:
		return "(not shown)"
	}
	return string(value)
}
