package cli

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sheetbridge/sheetbridge/cmd/sheetbridge/terminal"
	"github.com/sheetbridge/sheetbridge/webhook/admin"
)

// sharesOf are the shares of a list of webhooks, each with what it is called and
// the webhook that it is of.
func sharesOf(webhooks []item) []item {
	var list []item
	for _, w := range webhooks {
		for _, s := range w.list("shares") {
			s["share"] = s.text("partner") + "/" + s.text("sheet")
			s["subjects"] = "smartsheet." + s.text("partner") + "." + s.text("sheet") + ".>"
			s["webhook"] = map[string]any{"id": w["id"], "owner": w["owner"], "sheetId": w["sheetId"], "sheetName": w["sheetName"]}
			list = append(list, s)
		}
	}
	return list
}

// definition is what a share shows, as flags or a file say it.
type definition struct {
	columns, hashed, redacted []string
	where                     string
	kinds                     []string
	until                     string
	file                      string
}

func (d *definition) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringArrayVar(&d.columns, "column", nil, "share the column `TITLE`; TITLE=field names the field; repeat it for each column")
	f.StringArrayVar(&d.hashed, "hash", nil, "share the column `TITLE`, but a keyed hash instead of each value")
	f.StringArrayVar(&d.redacted, "redact", nil, "share the column `TITLE`, but the word redacted instead of each value")
	f.StringVar(&d.where, "where", "", "share only rows for which this CEL `expression` is true, over fields and cells[\"Title\"]")
	f.StringSliceVar(&d.kinds, "kinds", nil, "row, attachment and comment, separated by commas (default row)")
	f.StringVar(&d.until, "until", "", "end the share at this `time`, such as 2027-06-30T00:00:00Z; never for none")
	f.StringVar(&d.file, "file", "", "read columns, where, kinds, write and until from a JSON `file`, as the admin API takes them; - is standard input")
}

// given tells whether a flag says what is shared.
func (d *definition) given(cmd *cobra.Command) bool {
	return slices.ContainsFunc([]string{"column", "hash", "redact", "where", "kinds", "until"}, cmd.Flags().Changed)
}

// end is when the share ends; nil: never.
func (d *definition) end() (*time.Time, error) {
	if d.until == "" || d.until == "never" {
		return nil, nil
	}
	at, err := time.Parse(time.RFC3339, d.until)
	if err != nil {
		return nil, Usagef("--until %s: use a time such as 2027-06-30T00:00:00Z, or never", terminal.Clean(d.until, 64))
	}
	return &at, nil
}

// named are the columns that flags name.
func (d *definition) named() []admin.NewColumn {
	var list []admin.NewColumn
	for _, of := range []struct {
		titles []string
		mask   string
	}{{d.columns, ""}, {d.hashed, "hash"}, {d.redacted, "redact"}} {
		for _, text := range of.titles {
			column := admin.NewColumn{Title: text, Mask: of.mask}
			if i := strings.LastIndexByte(text, '='); i > 0 { // a title may have one itself
				column.Title, column.As = text[:i], text[i+1:]
			}
			list = append(list, column)
		}
	}
	return list
}

// read is the definition that the file has.
func (d *definition) read(c *call) (admin.ShareChange, error) {
	var change admin.ShareChange
	if d.given(c.cmd) {
		return change, &UsageError{errors.New("--file says what is shared: leave out --column, --hash, --redact, --where, --kinds and --until")}
	}
	text, err := c.readText("--file", d.file)
	if err != nil {
		return change, err
	}
	if err := json.Unmarshal([]byte(text), &change); err != nil {
		return change, Usagef("--file: %w", err)
	}
	return change, nil
}

func addShare(p *program, r *resource, a *action) *cobra.Command {
	var d definition
	var n admin.NewWebhook
	var name string
	cmd := p.commandOf(r, a)
	cmd.ValidArgsFunction = p.completeFirst(p.resource("partners"))
	cmd.Long = "Share columns and rows of a sheet with a partner. The sheet is registered with Smartsheet if it is not yet; its rows are\n" +
		"loaded and published then. With --dry-run nothing is changed: the command shows the fields and up to ten rows as the\n" +
		"partner would see them."
	cmd.Example = "  sheetbridge shares add acme --owner ops --sheet-id 4509506114742148 --name orders \\\n" +
		"    --column Status --column 'Due Date=due' --hash Customer --where \"status != 'Draft'\" --dry-run"
	cmd.Flags().StringVar(&n.Owner, "owner", "", "`name` of the owner in whose name the sheet is read")
	cmd.Flags().StringVar(&n.SheetID, "sheet-id", "", "`id` of the sheet at Smartsheet; sheetbridge owners sheets OWNER lists them")
	cmd.Flags().StringVar(&name, "name", "", "the partner's `name` for the sheet (default made from the sheet's name)")
	d.flags(cmd)
	wait := waitFlag(cmd)
	p.completeFlag(cmd, "owner", p.resource("owners"))
	return p.changes(cmd, []string{formatText, formatJSON}, false, func(c *call, args []string) error {
		if err := errors.Join(checkName("a partner", args[0]), checkName("an owner (--owner)", n.Owner)); err != nil {
			return &UsageError{err}
		}
		until, err := d.end()
		if err != nil {
			return err
		}
		change := admin.ShareChange{Columns: d.named(), Where: d.where, Kinds: d.kinds, Until: until}
		if d.file != "" {
			change, err = d.read(c)
		} else if len(change.Columns) == 0 {
			err = &UsageError{errors.New("no column would be shared: give --column TITLE for each column, or --file")}
		}
		if err != nil {
			return err
		}
		n.Shares = []admin.NewShare{{Partner: args[0], Sheet: name, ShareChange: change}}
		made, err := c.addShare(p.resource("webhooks"), n)
		if err != nil || made == nil || !c.waits(wait) {
			return err
		}
		return c.watchLoad(r, args[0]+"/"+cmp.Or(name, newest(made, args[0])))
	})
}

// newest is the name of a partner's newest share of a sheet.
func newest(webhook item, partner string) string {
	name := ""
	for _, s := range webhook.list("shares") {
		if s.text("partner") == partner {
			name = s.text("sheet")
		}
	}
	return name
}

// addShare registers the sheet and returns the webhook, nil for a dry run.
func (c *call) addShare(webhooks *resource, n admin.NewWebhook) (item, error) {
	path := webhooks.path
	if c.dryRun {
		path += "?dryRun=true"
	}
	var raw json.RawMessage
	if err := c.send(http.MethodPost, path, n, &raw, "Smartsheet to verify the webhook"); err != nil {
		return nil, err
	}
	if c.dryRun && !c.json() {
		var p previews
		if err := json.Unmarshal(raw, &p); err != nil {
			return nil, fmt.Errorf("reading the answer: %w", err)
		}
		return nil, p.write(c.out, c.width())
	}
	var made item
	if err := decode(raw, &made); err != nil {
		return nil, err
	}
	switch {
	case c.json() && c.dryRun:
		return nil, c.print(raw)
	case c.json():
		return made, c.print(raw)
	}
	return made, c.show(webhooks.facts, webhooks.tables, made)
}

// shareTerms are the fields of a share that an admin decides.
var shareTerms = []string{"columns", "where", "filterMayFail", "kinds", "until", "write"}

func changeShare(p *program, r *resource, a *action) *cobra.Command {
	var d definition
	var dropped []string
	var breaking bool
	var owner string
	cmd := p.commandOf(r, a)
	cmd.Long = "Change what a share shows. What is not named stays as it is: --column, --hash and --redact add a column or change how it\n" +
		"is shared, --drop removes one, --where replaces the filter (\"\" removes it). With --file the file says all of it. Where\n" +
		"the partner would lose a field, --breaking is required; values that had been published are removed from its stream."
	cmd.Example = "  sheetbridge shares change acme/orders --column 'Due Date=due'\n  sheetbridge shares change acme/orders --drop margin --breaking"
	cmd.Flags().StringArrayVar(&dropped, "drop", nil, "share the `field` no more; repeat it for each field")
	cmd.Flags().StringVar(&owner, "owner", "", "read the sheet in the name of this `owner` from now on; the share goes on, and nothing is sent twice")
	cmd.Flags().BoolVar(&breaking, "breaking", false, "the partner agrees to lose fields, or to get them with another type")
	d.flags(cmd)
	return p.changes(cmd, []string{formatText, formatJSON}, false, func(c *call, args []string) error {
		found, err := r.resolve(c, args, true)
		if err != nil {
			return err
		}
		body := map[string]any{"breaking": breaking}
		switch {
		case d.file != "" && len(dropped) == 0:
			change, err := d.read(c)
			if err != nil {
				return err
			}
			if err := addFields(body, change); err != nil {
				return err
			}
		case d.file != "" || !d.given(cmd) && len(dropped) == 0 && owner == "":
			return &UsageError{errors.New("say what to change: --column, --hash, --redact, --drop, --where, --kinds, --until or --owner; or --file alone")}
		default:
			if err := d.changed(cmd, found.item, dropped, body); err != nil {
				return err
			}
		}
		if owner != "" {
			body["owner"] = owner
		}
		path := found.names.in(r.item)
		if c.dryRun {
			return c.wouldCall(http.MethodPut, path, body, "")
		}
		var shown item
		if err := c.send(http.MethodPut, path, body, &shown, waitsForOwner(owner)); err != nil {
			return err
		}
		if c.json() {
			return c.print(shown)
		}
		shown["share"] = args[0]
		return c.show(r.facts, r.tables, shown)
	})
}

// addFields adds to a body what a share is to be as the API takes it: what it says
// nothing of is left out.
func addFields(body map[string]any, change admin.ShareChange) error {
	text, err := json.Marshal(change)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, &body)
}

// waitsForOwner is what a change waits for that moves a share to an owner.
func waitsForOwner(owner string) string {
	if owner == "" {
		return ""
	}
	return "Smartsheet to verify the webhook"
}

// changed writes into a body the terms of a share with what flags change of them.
func (d *definition) changed(cmd *cobra.Command, share item, dropped []string, body map[string]any) error {
	for _, term := range shareTerms {
		if value := share[term]; value != nil {
			body[term] = value
		}
	}
	var columns []admin.NewColumn
	for _, col := range share.list("columns") {
		if i := slices.Index(dropped, col.text("as")); i >= 0 {
			dropped = slices.Delete(slices.Clone(dropped), i, i+1)
			continue
		}
		columns = append(columns, admin.NewColumn{ColumnID: col.text("columnId"), Title: col.text("title"), As: col.text("as"), Mask: col.text("mask")})
	}
	if len(dropped) > 0 {
		return Usagef("--drop %s: the share has no such field; sheetbridge shares show %s lists them", terminal.Clean(dropped[0], 64), share.text("share"))
	}
	for _, new := range d.named() {
		i := slices.IndexFunc(columns, func(c admin.NewColumn) bool { return c.Title == new.Title })
		if i < 0 {
			columns = append(columns, new)
			continue
		}
		if columns[i].Mask = new.Mask; new.As != "" {
			columns[i].As = new.As
		}
	}
	for i := range columns {
		if columns[i].ColumnID != "" { // one of the two finds it
			columns[i].Title = ""
		}
	}
	body["columns"] = columns
	if cmd.Flags().Changed("where") {
		body["where"] = d.where
		delete(body, "filterMayFail") // which was agreed to for the old one
	}
	if cmd.Flags().Changed("kinds") {
		body["kinds"] = d.kinds
	}
	if cmd.Flags().Changed("until") {
		until, err := d.end()
		if err != nil {
			return err
		}
		if delete(body, "until"); until != nil {
			body["until"] = until
		}
	}
	return nil
}

func eraseRow(cmd *cobra.Command) bodyFunc {
	var row string
	cmd.Flags().StringVar(&row, "row", "", "`id` of the row at Smartsheet")
	return func(*call, names) (any, error) {
		if row == "" {
			return nil, &UsageError{errors.New("--row is required: the id of the row at Smartsheet")}
		}
		return admin.EraseRow{Row: row}, nil
	}
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
		Filter admin.FilterTrial            `json:"filter"`
	} `json:"shares"`
}

// filterText says what a filter says of the rows that were read.
func filterText(f admin.FilterTrial) string {
	of := "rows"
	if !f.Complete {
		of = fmt.Sprintf("rows that were read, of %s", terminal.Thousands(int64(f.Total)))
	}
	text := fmt.Sprintf("%s of %s %s would be shown", terminal.Thousands(int64(f.Shown)), terminal.Thousands(int64(f.Rows)), of)
	if f.Failed > 0 {
		text += fmt.Sprintf("; on %s the filter cannot be evaluated, which hides them", terminal.Thousands(int64(f.Failed)))
		if len(f.FailedRows) > 0 {
			text += ": " + f.FailedRows[0].Error
		}
	}
	return text
}

func (p *previews) write(w io.Writer, width int) error {
	for _, s := range p.Shares {
		names := slices.Clone(s.Schema.Required)
		_, err := fmt.Fprintf(w, "dry run: nothing was changed. %s/%s would show %d fields.\n", terminal.Clean(s.Partner, terminal.MaxName), terminal.Clean(s.Sheet, terminal.MaxName), len(names))
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintln(w, terminal.Paragraph("", terminal.Clean(filterText(s.Filter), 400), width)); err != nil {
			return err
		}
		t := terminal.NewTable(names...)
		for _, row := range s.Sample {
			cells := make([]string, len(names))
			for i, name := range names {
				cells[i] = jsonText(row[name])
			}
			t.Add(cells...)
		}
		if err := t.Write(w, width, "No row passes the filter."); err != nil {
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
