package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

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

func explainCommand() *cobra.Command {
	var partner, sheet, row string
	cmd := &cobra.Command{
		Use: "explain --partner NAME --sheet NAME --row ID", Short: "Say why a row was sent to a partner, or why not", Args: listArgs,
		Long: "Say why a row was sent to a partner, or why not: the row as the share shows it, what the share's filter says of it, the\n" +
			"last event that the partner has, and what is still to come. Columns that are not shared are not read, and of a row that\n" +
			"the share hides no value is shown. It costs two or three requests of the owner's budget.\n" + askingHelp,
		Example: "  sheetbridge explain --partner acme --sheet orders --row 7129509179746180",
	}
	asks(cmd, func(q *asking, _ []string) error {
		if err := errors.Join(named("partner", partner), named("sheet", sheet)); err != nil {
			return &usageError{err}
		}
		if id, err := strconv.ParseInt(row, 10, 64); err != nil || id <= 0 {
			return &usageError{fmt.Errorf("--row: %q is no row's id: want its digits, as in the subject and in data.row.id of events", clean(row, 64))}
		}
		s, err := findShare(q.cmd.Context(), q.client, partner, sheet)
		if err != nil {
			return err
		}
		return ask(q, http.MethodGet, s.path+"/rows/"+row+"/explain", nil, showExplanation)
	})
	cmd.Flags().StringVar(&partner, "partner", "", "`name` of the partner")
	cmd.Flags().StringVar(&sheet, "sheet", "", "the partner's `name` for the sheet")
	cmd.Flags().StringVar(&row, "row", "", "the row's `id`")
	completeFlag(cmd, "partner", partnersPath)
	return cmd
}

func showExplanation(w io.Writer, x *explanation) error {
	if _, err := fmt.Fprintf(w, "%s\n\n", clean(x.Verdict, 400)); err != nil {
		return err
	}
	var f facts
	f.add("row", x.Row+sourceText(&x.Source))
	f.add("share", fmt.Sprintf("%s/%s, %s", x.Partner, x.Sheet, x.State))
	f.add("reason", x.Reason)
	if x.CompleteTo != nil {
		f.add("complete to", fmt.Sprintf("version %d, %s", x.CompleteTo.Version, moment(&x.CompleteTo.Time)))
	}
	f.add("filter", filterText(&x.Filter))
	f.add("last event", eventText(x.Last))
	f.add("differs in", strings.Join(x.Differs, ", "))
	f.add("hints waiting", countOf(x.Backlog))
	for _, d := range x.Dead {
		f.add("hint given up", "id "+d.ID+", "+moment(&d.At)+": "+d.Reason)
	}
	if err := f.write(w); err != nil {
		return err
	}
	t := tableOf("FIELD", "COLUMN", "TYPE", "MASK", "VALUE")
	for _, c := range x.Cells {
		t.add(c.As, c.Title, c.Type, c.Mask, cellText(c.Value, c.Column))
	}
	if _, err := fmt.Fprintln(w); err != nil {
		return err
	}
	if err := t.write(w, "The share shows no columns."); err != nil {
		return err
	}
	for _, step := range x.Steps {
		if _, err := fmt.Fprintf(w, "→ %s\n", clean(inCommands(step), 600)); err != nil {
			return err
		}
	}
	return nil
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
