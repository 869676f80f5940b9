package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
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
	var partner, sheet, row string
	cmd := &cobra.Command{
		Use: "explain --partner NAME --sheet NAME --row ID", Short: "Say why a row was sent to a partner, or why not", Args: NoArguments,
		Long: "Say why a row was sent to a partner, or why not: the row as the share shows it, what the share's filter says of it, the\n" +
			"last event that the partner has, and what is still to come. Columns that are not shared are not read, and of a row that\n" +
			"the share hides no value is shown. It costs two or three requests of the owner's budget.\n" + apiHelp,
		Example: "  sheetbridge explain --partner acme --sheet orders --row 7129509179746180",
	}
	p.reads(cmd, []string{formatText, formatJSON}, func(c *call, _ []string) error {
		if err := errors.Join(checkName("a partner (--partner)", partner), checkName("a sheet (--sheet)", sheet)); err != nil {
			return &UsageError{err}
		}
		if id, err := strconv.ParseInt(row, 10, 64); err != nil || id <= 0 {
			return Usagef("--row %q is not a row's id: want its digits, as in the subject and in data.row.id of events", terminal.Clean(row, 64))
		}
		found, err := p.resource("shares").resolve(c, []string{partner + "/" + sheet}, true)
		if err != nil {
			return err
		}
		var raw json.RawMessage
		if err := c.get(found.names.in(p.resource("shares").item)+"/rows/"+row+"/explain", &raw); err != nil {
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
	})
	cmd.Flags().StringVar(&partner, "partner", "", "`name` of the partner")
	cmd.Flags().StringVar(&sheet, "sheet", "", "the partner's `name` for the sheet")
	cmd.Flags().StringVar(&row, "row", "", "`id` of the row")
	p.completeFlag(cmd, "partner", p.resource("partners"))
	return cmd
}

func (p *program) showExplanation(c *call, x *explanation) error {
	var b strings.Builder
	width := c.width()
	fmt.Fprintf(&b, "%s\n\n", strings.Join(terminal.Wrap(terminal.Clean(x.Verdict, 400), width), "\n"))
	var f terminal.Facts
	f.Add("row", x.Row+sourceText(&x.Source))
	f.Add("share", fmt.Sprintf("%s/%s, %s", x.Partner, x.Sheet, x.State))
	f.Add("reason", x.Reason)
	if x.CompleteTo != nil {
		f.Add("complete to", fmt.Sprintf("version %d, %s", x.CompleteTo.Version, terminal.Moment(x.CompleteTo.Time)))
	}
	f.Add("filter", filterText(&x.Filter))
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
	for _, step := range x.Steps {
		fmt.Fprintf(&b, "→ %s\n", terminal.Clean(p.inCommands(step), 600))
	}
	_, err := io.WriteString(c.out, b.String())
	return err
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

func filterText(f *admin.ExplainedFilter) string {
	switch f.Result {
	case "none":
		return "none: every row is shown"
	case "shows":
		return f.Where + "  is true"
	case "hides":
		return f.Where + "  is false"
	case "fails":
		return f.Where + "  cannot be evaluated on this row"
	}
	return f.Where
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
