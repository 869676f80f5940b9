package cli

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
)

// substitution is a call of the API, as its advice names it, and the command that
// makes it.
type substitution struct {
	call    *regexp.Regexp
	command string
}

// placeholder finds the names in a path: {PARTNER}.
var placeholder = regexp.MustCompile(`\{([A-Z]+)\}`)

// substitutions are those of all commands in the table, longer paths first.
func (p *program) substitutions() []substitution {
	found := map[string]string{"GET /v1/doctor": "doctor"}
	var collect func(r *resource, command string)
	collect = func(r *resource, command string) {
		named := func(args string) string { return regexp.MustCompile(`[A-Z]+`).ReplaceAllString(args, "$${$0}") }
		found["GET "+r.path] = command + " " + named(r.parents())
		if len(r.facts) > 0 && r.item != "" {
			found["GET "+r.item] = command + " show " + named(r.args)
		}
		for _, a := range r.actions {
			path := cmp.Or(map[bool]string{true: r.path}[a.onList], r.item, r.path+"/{ID}") + a.path
			args := cmp.Or(a.args, r.args)
			if a.onList {
				args = r.parents()
			}
			args, _, _ = strings.Cut(args, " |")
			if _, known := found[a.method+" "+path]; !known || r.name == "shares" {
				found[a.method+" "+path] = command + " " + a.name + " " + named(args)
			}
		}
		for _, part := range r.parts {
			collect(part, command+" "+part.name)
		}
	}
	for _, r := range p.resources {
		if r.flatten == nil || r.path != p.resource("webhooks").path {
			collect(r, r.name)
		}
	}
	shares := *p.resource("shares")
	shares.facts = nil
	collect(&shares, shares.name)
	found["GET "+p.resource("webhooks").path] = "webhooks"
	calls := make([]string, 0, len(found))
	for call := range found {
		calls = append(calls, call)
	}
	slices.SortFunc(calls, func(a, b string) int { return cmp.Or(len(b)-len(a), strings.Compare(a, b)) })
	list := make([]substitution, len(calls))
	for i, call := range calls {
		pattern := placeholder.ReplaceAllString(call, `(?P<$1>[\w{}-]+)`)
		list[i] = substitution{regexp.MustCompile(pattern + `\b`), "sheetbridge " + strings.TrimSpace(found[call])}
	}
	return list
}

// inCommands puts commands of this program in the place of calls in the API's
// advice.
func (p *program) inCommands(advice string) string {
	for _, s := range p.substitutions() {
		advice = s.call.ReplaceAllString(advice, s.command)
	}
	return advice
}
