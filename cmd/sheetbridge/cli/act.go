package cli

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sheetbridge/sheetbridge/cmd/sheetbridge/terminal"
)

// thing is what the arguments of a command name.
type thing struct {
	names names
	item  item // nil: it was not looked up
}

// names are those of arguments, which are words such as "PARTNER NAME".
func (r *resource) names(words string, args []string) (names, error) {
	n := names{}
	for i, word := range strings.Fields(words) {
		n[word] = args[i]
		switch {
		case articles[word] == "": // an id
			continue
		case strings.Contains(word, "/"):
			if !strings.Contains(args[i], "/") {
				return nil, Usagef("%q is not a share: want %s, as sheetbridge shares lists them", terminal.Clean(args[i], terminal.MaxName), word)
			}
			continue
		}
		if err := checkName(articles[word], args[i]); err != nil {
			return nil, err
		}
	}
	return n, nil
}

// articles are what words for arguments stand for.
var articles = map[string]string{"OWNER": "an owner", "PARTNER": "a partner", "NAME": "this", "PARTNER/SHEET": "a share"}

// resolve finds the thing that arguments name. Where its name is its place in the
// API it is looked up only if that is wanted.
func (r *resource) resolve(c *call, args []string, lookUp bool) (thing, error) {
	n, err := r.names(r.args, args)
	if err != nil || !lookUp {
		return thing{names: n}, err
	}
	path := n.in(r.path)
	if r.limit > 0 {
		path += "?limit=1000"
	}
	var raw json.RawMessage
	if err := c.get(path, &raw); err != nil {
		return thing{}, err
	}
	list, err := r.listed(raw)
	if err != nil {
		return thing{}, err
	}
	found, err := r.pick(list, args[len(args)-1])
	if err != nil {
		return thing{}, err
	}
	for word, field := range r.fields {
		n[word] = found.text(field)
	}
	return thing{n, found}, nil
}

// pick returns the one thing of a list that an argument names.
func (r *resource) pick(list []item, arg string) (item, error) {
	var named, begin []item
	for _, it := range list {
		texts := make([]string, len(r.keys))
		for i, key := range r.keys {
			texts[i] = it.text(key)
		}
		switch {
		case slices.Contains(texts, arg):
			named = append(named, it)
		case arg != "" && r.ids && slices.ContainsFunc(texts, func(t string) bool { return strings.HasPrefix(t, arg) }):
			begin = append(begin, it)
		}
	}
	if len(named) == 0 {
		named = begin
	}
	given := terminal.Clean(arg, 64)
	switch len(named) {
	case 1:
		return named[0], nil
	case 0:
		return nil, fmt.Errorf("there is no %s %q: sheetbridge %s lists what there is", r.word(), given, r.name)
	}
	var meant []string
	for _, it := range named[:min(len(named), 5)] {
		meant = append(meant, it.text(r.keys[0]))
	}
	return nil, fmt.Errorf("%q may be %d of the %s: give more of the id (%s)", given, len(named), r.name, strings.Join(meant, ", "))
}

// act does an action.
func (c *call) act(r *resource, a *action, args []string, body bodyFunc) error {
	found, err := c.target(r, a, args)
	if err != nil {
		return err
	}
	var content any
	if body != nil {
		if content, err = body(c, found.names); err != nil {
			return err
		}
	}
	path := found.names.in(cmp.Or(map[bool]string{true: r.path}[a.onList], r.item)) + a.path
	lost := found.names.says(a.loses)
	if c.dryRun {
		return c.wouldCall(a.method, path, content, lost)
	}
	if lost != "" {
		if err := c.confirm(lost); err != nil {
			return err
		}
	}
	var raw json.RawMessage
	if err := c.send(a.method, path, content, &raw, a.waitsFor); err != nil {
		return err
	}
	if c.json() {
		return c.print(raw)
	}
	return c.answer(r, a, found.names, raw)
}

// target is what an action is about.
func (c *call) target(r *resource, a *action, args []string) (thing, error) {
	if a.onList {
		n, err := r.names(cmp.Or(a.args, r.args), args)
		return thing{names: n}, err
	}
	return r.resolve(c, args, r.looksUp() || c.dryRun)
}

// answer shows the answer to an action.
func (c *call) answer(r *resource, a *action, n names, raw json.RawMessage) error {
	switch {
	case a.done != "":
		_, err := fmt.Fprintln(c.out, n.says(a.done))
		return err
	}
	var it item
	if err := decode(raw, &it); err != nil {
		return err
	}
	if len(a.facts) == 0 && len(a.columns) == 0 {
		return c.show(r.facts, r.tables, it)
	}
	if err := c.show(a.facts, nil, it); err != nil || len(a.columns) == 0 {
		return err
	}
	return c.table(a.columns, it.list("items"), n.says(a.empty))
}

// decode reads JSON with numbers as they were written.
func decode(raw json.RawMessage, result any) error {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	if err := decoder.Decode(result); err != nil {
		return fmt.Errorf("reading the answer: %w", err)
	}
	return nil
}

// completeTime bounds what a shell waits for names.
const completeTime = 2 * time.Second

// completeFirst offers the names of the list at the root of a resource as the
// first argument.
func (p *program) completeFirst(r *resource) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		of := r
		if parents := r.parents(); parents != "" {
			of = p.resource("partners") // credentials are of a partner
		}
		return p.namesOf(cmd, of), cobra.ShellCompDirectiveNoFileComp
	}
}

// completeFlag offers the names of a resource for a flag.
func (p *program) completeFlag(cmd *cobra.Command, flag string, r *resource) {
	// It fails only for a flag that is not there, or one that was given before.
	_ = cmd.RegisterFlagCompletionFunc(flag, func(cmd *cobra.Command, _ []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		return p.namesOf(cmd, r), cobra.ShellCompDirectiveNoFileComp
	})
}

func (p *program) namesOf(cmd *cobra.Command, r *resource) []string {
	client, err := p.Connect()
	if err != nil {
		return nil
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(cmd.Context(), completeTime)
	defer cancel()
	var raw json.RawMessage
	if err := client.Call(ctx, http.MethodGet, r.path, nil, &raw); err != nil {
		return nil
	}
	list, err := r.listed(raw)
	if err != nil {
		return nil
	}
	var found []string
	for _, it := range list {
		if name := terminal.Clean(it.text(r.keys[0]), terminal.MaxName); name != "" && !slices.Contains(found, name) {
			found = append(found, name)
		}
	}
	return found
}
