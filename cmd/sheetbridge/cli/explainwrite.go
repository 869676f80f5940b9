package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sheetbridge/sheetbridge/cmd/sheetbridge/terminal"
	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/webhook/admin"
)

// proposedWrite is a write of which explain says whether it would be allowed.
type proposedWrite struct {
	set, expect    []string
	create, delete bool
}

func (w *proposedWrite) addFlags(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringArrayVar(&w.set, "write", nil, "`FIELD=VALUE` that the partner would write; once for each field")
	flags.StringArrayVar(&w.expect, "expect", nil, "with --write or --delete: `FIELD=VALUE` that it takes the row for (default: as it is)")
	flags.BoolVar(&w.create, "create", false, "with --write: it would add a row")
	flags.BoolVar(&w.delete, "delete", false, "it would delete the row")
}

// wanted tells whether the command line names a write.
func (w *proposedWrite) wanted() bool { return len(w.set) > 0 || w.create || w.delete }

// check says what does not fit together.
func (w *proposedWrite) check(row, where string) error {
	switch {
	case w.create && w.delete:
		return errors.New("--create and --delete: use one of them")
	case w.create && (row != "" || where != "" || len(w.expect) > 0):
		return errors.New("--create adds a row: leave out --row, --where and --expect")
	case w.create && len(w.set) == 0:
		return errors.New("--write is required with --create: what the row would have, such as --write order_no=SO-9")
	case w.delete && len(w.set) > 0:
		return errors.New("--delete writes no values: leave out --write")
	case !w.wanted() && len(w.expect) > 0:
		return errors.New("--expect goes with --write or --delete")
	}
	return nil
}

// body is the write as the API takes it.
func (w *proposedWrite) body(row string) (map[string]any, error) {
	body := map[string]any{"op": events.OpUpdate}
	switch {
	case w.create:
		body["op"] = events.OpCreate
	case w.delete:
		body["op"] = events.OpDelete
	}
	if row != "" {
		body["row"] = row
	}
	for _, fields := range []struct {
		member, flag string
		values       []string
	}{{"set", "write", w.set}, {"expect", "expect", w.expect}} {
		values, err := fieldValues(fields.flag, fields.values)
		if err != nil {
			return nil, &UsageError{err}
		}
		if len(values) > 0 {
			body[fields.member] = values
		}
	}
	return body, nil
}

// writeExplanation is an answer of the API, with values as they came.
type writeExplanation struct {
	admin.WriteExplanation
	Current json.RawMessage `json:"current"`
}

// explainWrite shows whether a write would be allowed.
func (p *program) explainWrite(c *call, share item, row string, w *proposedWrite) error {
	body, err := w.body(row)
	if err != nil {
		return err
	}
	n := names{"WEBHOOK": share.text("webhook.id"), "PARTNER": share.text("partner"), "SHEET": share.text("sheet")}
	var raw json.RawMessage
	if err := c.send(http.MethodPost, n.in(p.resource("shares").item+"/explain-write"), body, &raw, ""); err != nil {
		return err
	}
	var x writeExplanation
	if err := json.Unmarshal(raw, &x); err != nil {
		return fmt.Errorf("reading the answer: %w", err)
	}
	if c.json() {
		err = c.print(raw)
	} else {
		err = p.showWriteExplanation(c, &x)
	}
	if err == nil && x.Result == events.ResultRefused {
		return ErrWriteRefused
	}
	return err
}

func (p *program) showWriteExplanation(c *call, x *writeExplanation) error {
	var b strings.Builder
	width := c.width()
	fmt.Fprintln(&b, terminal.Paragraph("", terminal.Clean(x.Verdict, 600), width))
	var f terminal.Facts
	f.Add("share", x.Partner+"/"+x.Sheet)
	f.Add("row", x.Row)
	if x.Version > 0 {
		f.Add("sheet version", strconv.FormatInt(x.Version, 10))
	}
	f.Add("writer", x.Writer)
	f.Add("the row now", terminal.Clean(string(x.Current), 2000))
	if err := f.Write(&b, width); err != nil {
		return err
	}
	b.WriteString(p.stepsText(x.Steps, x.Action, width))
	_, err := io.WriteString(c.out, b.String())
	return err
}
