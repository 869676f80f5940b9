package cli

import (
	"cmp"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/sheetbridge/sheetbridge/cmd/sheetbridge/terminal"
	"github.com/sheetbridge/sheetbridge/webhook/admin"
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
	commands := map[string]string{ // by call
		"GET /v1/doctor": "doctor",
		"GET /v1/webhooks/{ID}/shares/{PARTNER}/{SHEET}/rows/{ROW}/explain": "explain ${PARTNER}/${SHEET} ${ROW}",
	}
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

// commandFor is the command that makes the call of an action, empty for none.
func (p *program) commandFor(action *admin.Action) string {
	if action == nil || len(action.Add) > 0 {
		return ""
	}
	call := action.Method + " " + action.Path
	for _, s := range p.substitutions() {
		if at := s.call.FindStringIndex(call); at != nil && at[0] == 0 && at[1] == len(call) {
			return s.call.ReplaceAllString(call, s.command)
		}
	}
	return ""
}

// nextStep is the command that leads out of what a text tells of, empty where the text
// says so itself or there is none.
func (p *program) nextStep(text string, action *admin.Action) string {
	if command := p.commandFor(action); !strings.Contains(text, command) {
		return terminal.Clean(command, 200)
	}
	return ""
}
