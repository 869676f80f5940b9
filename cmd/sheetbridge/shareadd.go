package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sheetbridge/sheetbridge/webhook/admin"
)

// definition is what a share is to show, as flags or a file say it.
type definition struct {
	columns, hashed, redacted []string
	where                     string
	kinds                     []string
	file                      string
}

func (d *definition) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringArrayVar(&d.columns, "column", nil, "a `TITLE` to share, or TITLE=field to name the field; repeat it for each column")
	f.StringArrayVar(&d.hashed, "hash", nil, "like --column, but the partner gets a keyed hash of each value")
	f.StringArrayVar(&d.redacted, "redact", nil, "like --column, but the partner gets the word redacted")
	f.StringVar(&d.where, "where", "", "CEL `expression` over fields and cells[\"Title\"]: only rows for which it is true")
	f.StringSliceVar(&d.kinds, "kinds", nil, "row, attachment and comment, separated by commas; row unless told")
	f.StringVar(&d.file, "file", "", "JSON `file` with columns, where and kinds as the admin API takes them, instead of these flags; - is standard input")
}

// change is the definition as the API takes it.
func (d *definition) change(cmd *cobra.Command) (admin.ShareChange, error) {
	var c admin.ShareChange
	flagged := len(d.columns)+len(d.hashed)+len(d.redacted)+len(d.kinds) > 0 || d.where != ""
	if d.file != "" && flagged {
		return c, &usageError{errors.New("--file says what is shared: leave out --column, --hash, --redact, --where and --kinds")}
	}
	if d.file != "" {
		text, err := readText(cmd, "--file", d.file)
		if err != nil {
			return c, err
		}
		if err := json.Unmarshal([]byte(text), &c); err != nil {
			return c, &usageError{fmt.Errorf("--file: %w", err)}
		}
		return c, nil
	}
	c = admin.ShareChange{Where: d.where, Kinds: d.kinds}
	for _, of := range []struct {
		titles []string
		mask   string
	}{{d.columns, ""}, {d.hashed, "hash"}, {d.redacted, "redact"}} {
		for _, text := range of.titles {
			c.Columns = append(c.Columns, columnOf(text, of.mask))
		}
	}
	if len(c.Columns) == 0 {
		return c, &usageError{errors.New("nothing would be shared: give --column TITLE for each column, or --file")}
	}
	return c, nil
}

// columnOf reads TITLE or TITLE=field; a title may hold = itself.
func columnOf(text, mask string) admin.NewColumn {
	column := admin.NewColumn{Title: text, Mask: mask}
	if i := strings.LastIndexByte(text, '='); i > 0 {
		column.Title, column.As = text[:i], text[i+1:]
	}
	return column
}

func shareAdd(use string) *cobra.Command {
	var d definition
	var n admin.NewWebhook
	var name string
	var dryRun bool
	cmd := &cobra.Command{
		Use: use + " PARTNER", Short: "Share columns and rows of a sheet with a partner", Args: exactly("PARTNER"), ValidArgsFunction: complete(partnersPath, "name"),
		Long: "Share columns and rows of a sheet with a partner. The sheet is registered with Smartsheet if it is not yet, and its first\n" +
			"load follows by itself. With --dry-run nothing is made: it shows the fields and up to ten rows as the partner would see them.",
		Example: "  sheetbridge shares add acme --owner ops --sheet-id 4509506114742148 --name orders \\\n" +
			"    --column Status --column 'Due Date=due' --hash Customer --where \"status != 'Draft'\" --dry-run",
	}
	asks(cmd, func(q *asking, args []string) error {
		if err := errors.Join(named("partner", args[0]), named("owner", n.Owner)); err != nil {
			return &usageError{err}
		}
		change, err := d.change(cmd)
		if err != nil {
			return err
		}
		n.Shares = []admin.NewShare{{Partner: args[0], Sheet: name, ShareChange: change}}
		q.client.http.Timeout = verifiedTime
		if dryRun {
			return ask(q, http.MethodPost, webhooksPath+"?dryRun=true", n, showPreviews)
		}
		return ask(q, http.MethodPost, webhooksPath, n, showWebhook)
	})
	cmd.Flags().StringVar(&n.Owner, "owner", "", "`name` of the owner that reads the sheet")
	cmd.Flags().StringVar(&n.SheetID, "sheet-id", "", "the sheet's `id` at Smartsheet: sheetbridge owners sheets lists them")
	cmd.Flags().StringVar(&name, "name", "", "the partner's `name` for the sheet; made of the sheet's name unless told")
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "show what the partner would see, and make nothing")
	d.flags(cmd)
	completeFlag(cmd, "owner", ownersPath)
	return cmd
}

func shareChange() *cobra.Command {
	var d definition
	var breaking bool
	cmd := shareCommand("change", "Replace what a share shows", func(q *asking, s *shared) error {
		change, err := d.change(q.cmd)
		if err != nil {
			return err
		}
		q.client.http.Timeout = verifiedTime
		return ask(q, http.MethodPut, s.path, admin.NewShareDefinition{ShareChange: change, Breaking: breaking}, showShare)
	})
	cmd.Long = "Replace what a share shows: columns, filter and kinds that are not given are not shared any more. What the partner would\n" +
		"lose wants --breaking; what had been published of it is taken back."
	cmd.Flags().BoolVar(&breaking, "breaking", false, "the partner agrees to lose fields, or to get them with another type")
	d.flags(cmd)
	return cmd
}

// previews are what shares would show, with rows whose fields keep their order.
type previews struct {
	Shares []struct {
		Partner string `json:"partner"`
		Sheet   string `json:"sheet"`
		Schema  struct {
			Required []string `json:"required"`
		} `json:"schema"`
		Sample []map[string]json.RawMessage `json:"sample"`
	} `json:"shares"`
}

func showPreviews(w io.Writer, p *previews) error {
	for _, s := range p.Shares {
		names := slices.Clone(s.Schema.Required)
		fmt.Fprintf(w, "%s/%s would see %d fields; nothing was made\n\n", clean(s.Partner, maxName), clean(s.Sheet, maxName), len(names))
		t := tableOf(names...)
		for _, row := range s.Sample {
			cells := make([]string, len(names))
			for i, name := range names {
				cells[i] = jsonText(row[name])
			}
			t.add(cells...)
		}
		if err := t.write(w, "No row passes the filter."); err != nil {
			return err
		}
	}
	return nil
}

// jsonText is a value for people: text without quotes, null as nothing.
func jsonText(raw json.RawMessage) string {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return text // null leaves it empty
	}
	return string(raw)
}
