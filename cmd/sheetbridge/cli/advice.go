package cli

import (
	"cmp"
	"maps"
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

// argument finds the names in the arguments of a command: PARTNER.
var argument = regexp.MustCompile(`[A-Z]+`)

// substitutions are those of all commands in the table, longer paths first.
func (p *program) substitutions() []substitution {
	commands := map[string]string{"GET /v1/doctor": "doctor"} // by call
	for _, r := range p.resources {
		r.addCommands(commands, r.name)
	}
	calls := slices.SortedFunc(maps.Keys(commands), func(a, b string) int { return cmp.Or(len(b)-len(a), strings.Compare(a, b)) })
	list := make([]substitution, len(calls))
	for i, call := range calls {
		pattern := placeholder.ReplaceAllString(call, `(?P<$1>[\w{}-]+)`)
		list[i] = substitution{regexp.MustCompile(pattern + `\b`), "sheetbridge " + strings.TrimSpace(commands[call])}
	}
	return list
}

// addCommands adds the commands of a resource by the calls that they make.
func (r *resource) addCommands(commands map[string]string, command string) {
	named := func(args string) string { return argument.ReplaceAllString(args, "$${$0}") }
	commands["GET "+r.path] = command + " " + named(r.parents())
	if len(r.facts) > 0 {
		commands["GET "+r.item] = command + " show " + named(r.args)
	}
	for _, a := range r.actions {
		if a.onList {
			commands[a.method+" "+r.path+a.path] = command + " " + a.name + " " + named(r.parents())
			continue
		}
		commands[a.method+" "+r.item+a.path] = command + " " + a.name + " " + named(r.args)
	}
	for _, part := range r.parts {
		part.addCommands(commands, command+" "+part.name)
	}
}

// inCommands puts commands of this program in the place of calls in the API's
// advice.
func (p *program) inCommands(advice string) string {
	for _, s := range p.substitutions() {
		advice = s.call.ReplaceAllString(advice, s.command)
	}
	return advice
}
