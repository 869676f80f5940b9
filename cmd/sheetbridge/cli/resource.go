package cli

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sheetbridge/sheetbridge/cmd/sheetbridge/terminal"
)

// resource is a kind of thing that the API lists, and its commands.
type resource struct {
	name   string            // the command: "owners"
	one    string            // one of them, with its article: "an owner"
	args   string            // how one is named on the command line: "OWNER", "PARTNER NAME", "PARTNER/SHEET"
	path   string            // of the list; "{PARTNER}" is replaced by that argument
	item   string            // path of one
	keys   []string          // fields that name one, the one that is shown first
	ids    bool              // they are ids: any beginning that only one has will do
	fields map[string]string // names for the path that only the thing itself tells, and its fields
	short  string            // help of the command, which lists
	long   string
	empty  string // what to do where there are none

	columns []column // of the list
	facts   []column // of the detailed view; none: there is no command show
	tables  []table  // lists in the detailed view

	limit   int                      // how many the API lists by itself; 0: all
	flatten func(list []item) []item // makes of the API's list what is listed; nil: nothing
	filter  string                   // a flag that lists only those with that value in the field of that name

	actions []action
	parts   []*resource // whose commands stand below this one's
}

// column is a column of a list, or a line of a detailed view.
type column struct {
	name   string
	field  string // its path in the API's JSON
	format format // nil: plain
	wide   bool   // only with -o wide
	below  bool   // on lines of its own below the row, if there is something to say
}

func (c column) text(it item, full bool) string {
	if c.format == nil {
		return plain(it.get(c.field), full)
	}
	return c.format(it.get(c.field), full)
}

// table is a list in a detailed view.
type table struct {
	field   string // of the list
	columns []column
}

// action is a command about one thing, or about the list of them.
type action struct {
	name        string // the command: "remove"
	args        string // where they are not those of the resource
	short, long string
	example     string
	method      string
	path        string // below the path of the thing; of "add": below the path of the list
	onList      bool   // the arguments name no thing that is there
	loses       string // what is lost: "the token of owner {OWNER}"; empty: nothing
	done        string // what is said then; empty: the answer is shown
	waitsFor    string // what its answer waits for, where that may take long
	loads       bool   // a share is loaded after it, which --wait waits for

	columns []column                                                // of the answer, where that is a list
	empty   string                                                  // what is said where that list is empty
	facts   []column                                                // of the answer, where that is another thing
	body    func(cmd *cobra.Command) bodyFunc                       // defines flags; nil: there is no body
	run     func(p *program, r *resource, a *action) *cobra.Command // the whole command, where it is more than a request
}

// bodyFunc returns the body of a request from a command's flags.
type bodyFunc func(c *call, n names) (any, error)

// names are what the arguments of a command name: "PARTNER" → "acme".
type names map[string]string

// expand replaces {PARTNER} by that name. What is not a name of ours is escaped.
func (n names) expand(template string, escape func(string) string) string {
	for name, value := range n {
		template = strings.ReplaceAll(template, "{"+name+"}", escape(value))
	}
	return template
}

func (n names) in(path string) string { return n.expand(path, url.PathEscape) }
func (n names) says(text string) string {
	return n.expand(text, func(s string) string { return terminal.Clean(s, terminal.MaxName) })
}

// group is the command of a resource, which lists, with the others below it.
func (p *program) group(r *resource) *cobra.Command {
	cmd := p.listCommand(r, r.name)
	cmd.AddCommand(p.listCommand(r, "list"))
	if len(r.facts) > 0 {
		cmd.AddCommand(p.showCommand(r))
	}
	for i := range r.actions {
		cmd.AddCommand(p.actionCommand(r, &r.actions[i]))
	}
	for i := range r.parts {
		cmd.AddCommand(p.group(r.parts[i]))
	}
	return cmd
}

// word is what one of them is called, without its article.
func (r *resource) word() string {
	_, word, _ := strings.Cut(r.one, " ")
	return word
}

// looksUp tells whether a thing must be looked up before it can be named in a path.
func (r *resource) looksUp() bool { return r.ids || len(r.fields) > 0 || r.item == "" }

// parents are the arguments that the list needs: "PARTNER" of credentials.
func (r *resource) parents() string {
	var list []string
	for word := range strings.FieldsSeq(r.args) {
		if strings.Contains(r.path, "{"+word+"}") {
			list = append(list, word)
		}
	}
	return strings.Join(list, " ")
}

func (p *program) listCommand(r *resource, use string) *cobra.Command {
	parents, short := r.parents(), r.short
	if use == "list" { // it does nothing else, beside commands that do
		short = "List them"
	}
	cmd := &cobra.Command{
		Use: strings.TrimSpace(use + " " + parents), Short: short, Args: exactly(parents),
		Long: cmp.Or(r.long, r.short+".") + "\n" + apiHelp,
	}
	if parents != "" {
		cmd.ValidArgsFunction = p.completeFirst(r)
	}
	limit, only := r.limit, ""
	if r.limit > 0 {
		cmd.Flags().IntVar(&limit, "limit", limit, "how many to list, 1 to 1000")
	}
	if r.filter != "" {
		cmd.Flags().StringVar(&only, r.filter, "", "list those of this `"+r.filter+"` only")
		p.completeFlag(cmd, r.filter, p.resource(r.filter+"s"))
	}
	return p.reads(cmd, []string{formatText, formatWide, formatJSON}, func(c *call, args []string) error {
		if r.limit > 0 && (limit < 1 || limit > 1000) {
			return Usagef("--limit %d: use 1 to 1000", limit)
		}
		of, err := r.names(parents, args)
		if err != nil {
			return err
		}
		path := of.in(r.path)
		if r.limit > 0 {
			path += fmt.Sprintf("?limit=%d", limit)
		}
		return c.list(path, r, only, of)
	})
}

// list shows a list.
func (c *call) list(path string, r *resource, only string, of names) error {
	var raw json.RawMessage
	if err := c.get(path, &raw); err != nil {
		return err
	}
	list, err := r.listed(raw)
	if err != nil {
		return err
	}
	list = slices.DeleteFunc(list, func(it item) bool { return only != "" && it.text(r.filter) != only })
	if c.json() {
		if r.flatten == nil && only == "" {
			return c.print(raw)
		}
		return c.print(items{append([]item{}, list...)}) // an empty list is [], not null
	}
	return c.table(r.columns, list, of.says(r.empty))
}

func (r *resource) listed(raw json.RawMessage) ([]item, error) {
	var list items
	if err := decode(raw, &list); err != nil {
		return nil, fmt.Errorf("reading the list of %s: %w", r.name, err)
	}
	if r.flatten != nil {
		return r.flatten(list.Items), nil
	}
	return list.Items, nil
}

// table writes things as a table.
func (c *call) table(columns []column, list []item, empty string) error {
	return tableOf(columns, list, c.wide()).Write(c.out, c.width(), empty)
}

func tableOf(columns []column, list []item, wide bool) *terminal.Table {
	var head []string
	for _, col := range columns {
		if wide || !col.wide && !col.below {
			head = append(head, col.name)
		}
	}
	t := terminal.NewTable(head...)
	for _, it := range list {
		var cells []string
		detail := ""
		for _, col := range columns {
			switch text := col.text(it, wide); {
			case wide || !col.wide && !col.below:
				cells = append(cells, text)
			case col.below && text != "":
				detail = text
			}
		}
		t.AddWithDetail(detail, cells...)
	}
	return t
}

func (p *program) showCommand(r *resource) *cobra.Command {
	cmd := &cobra.Command{
		Use: "show " + r.args, Short: "Show " + r.one, Args: exactly(r.args), ValidArgsFunction: p.completeFirst(r),
	}
	return p.reads(cmd, []string{formatText, formatJSON}, func(c *call, args []string) error {
		found, err := r.resolve(c, args, r.looksUp())
		if err != nil {
			return err
		}
		if found.item == nil {
			if err := c.get(found.names.in(r.item), &found.item); err != nil {
				return err
			}
		}
		if c.json() {
			return c.print(found.item)
		}
		return c.show(r.facts, r.tables, found.item)
	})
}

// show writes what is known of one thing.
func (c *call) show(facts []column, tables []table, it item) error {
	var f terminal.Facts
	for _, fact := range facts {
		f.Add(fact.name, fact.text(it, true))
	}
	if err := f.Write(c.out, terminal.Width(c.out)); err != nil {
		return err
	}
	for _, t := range tables {
		list := it.list(t.field)
		if len(list) == 0 {
			continue
		}
		if _, err := fmt.Fprintln(c.out); err != nil {
			return err
		}
		if err := c.table(t.columns, list, ""); err != nil {
			return err
		}
	}
	return nil
}

func (p *program) actionCommand(r *resource, a *action) *cobra.Command {
	if a.run != nil {
		return a.run(p, r, a)
	}
	cmd := p.commandOf(r, a)
	var body bodyFunc
	if a.body != nil {
		body = a.body(cmd)
	}
	var wait *bool
	if a.loads {
		wait = waitFlag(cmd)
	}
	run := func(c *call, args []string) error {
		if err := c.act(r, a, args, body); err != nil || !c.waits(wait) {
			return err
		}
		return c.watchLoad(r, args[0])
	}
	switch {
	case a.method == http.MethodGet && len(a.columns) > 0:
		return p.reads(cmd, []string{formatText, formatWide, formatJSON}, run)
	case a.method == http.MethodGet:
		return p.reads(cmd, []string{formatText, formatJSON}, run)
	case a.method == http.MethodDelete:
		return p.changes(cmd, nil, a.loses != "", run)
	}
	return p.changes(cmd, []string{formatText, formatJSON}, a.loses != "", run)
}

// commandOf is the command of an action, which does nothing yet.
func (p *program) commandOf(r *resource, a *action) *cobra.Command {
	args := cmp.Or(a.args, r.args)
	cmd := &cobra.Command{Use: a.name + " " + args, Short: a.short, Example: a.example, Args: exactly(args)}
	if a.long != "" {
		cmd.Long = a.long
	}
	if !a.onList || strings.Contains(args, " ") {
		cmd.ValidArgsFunction = p.completeFirst(r)
	}
	return cmd
}
