package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/sheetbridge/sheetbridge/events"
)

const (
	completeTime = 2 * time.Second // for names that a shell completes
	verifiedTime = 4 * time.Minute // Smartsheet calls back before such a request is answered
)

// apiError is an answer of the admin API that refuses.
type apiError struct {
	code           int
	status, detail string
}

func (e *apiError) Error() string { return e.status + ": " + e.detail }

// asking is a command that asks the admin API.
type asking struct {
	cmd    *cobra.Command
	client *adminClient
	json   bool // as the API answers, for machines
}

// asks makes a command ask the admin API: it gets the flag -o, a client that is
// closed afterwards, and errors that say what to do with this program.
func asks(cmd *cobra.Command, do func(q *asking, args []string) error) *cobra.Command {
	format := "text"
	cmd.Flags().StringVarP(&format, "output", "o", format, "`format`: text, or json as the API answers")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if format != "text" && format != "json" {
			return &usageError{fmt.Errorf("-o: %q is none of text and json", format)}
		}
		client, err := adminFromEnv()
		if err != nil {
			return &usageError{err}
		}
		defer client.close()
		return wayOut(do(&asking{cmd, client, format == "json"}, args))
	}
	return cmd
}

// ask sends a request and shows its answer: as it came where JSON is wanted,
// else with show.
func ask[T any](q *asking, method, path string, body any, show func(w io.Writer, answer *T) error) error {
	var raw json.RawMessage
	if err := q.client.call(q.cmd.Context(), method, path, body, &raw); err != nil {
		return err
	}
	if q.json {
		return q.print(raw)
	}
	var answer T
	if err := json.Unmarshal(raw, &answer); err != nil {
		return fmt.Errorf("reading the answer to %s %s: %w", method, path, err)
	}
	return show(q.cmd.OutOrStdout(), &answer)
}

// get fetches what a command needs to know before it asks.
func get[T any](ctx context.Context, c *adminClient, path string) (T, error) {
	var answer T
	err := c.call(ctx, http.MethodGet, path, nil, &answer)
	return answer, err
}

// itemsOf is how the API answers a list.
type itemsOf[T any] struct {
	Items []T `json:"items"`
}

// do sends a request whose answer says nothing that matters, and tells people
// what was done.
func (q *asking) do(method, path string, done string, args ...any) error {
	if err := q.client.call(q.cmd.Context(), method, path, nil, nil); err != nil {
		return err
	}
	if q.json {
		return nil
	}
	_, err := fmt.Fprintf(q.cmd.OutOrStdout(), done+"\n", args...)
	return err
}

// print writes JSON with indents.
func (q *asking) print(raw json.RawMessage) error {
	var b bytes.Buffer
	if err := json.Indent(&b, raw, "", "  "); err != nil {
		return fmt.Errorf("reading the answer: %w", err)
	}
	_, err := fmt.Fprintln(q.cmd.OutOrStdout(), strings.TrimSpace(b.String()))
	return err
}

// printAny writes a value as JSON with indents.
func (q *asking) printAny(v any) error {
	raw, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return q.print(raw)
}

// wayOut adds to an error of the admin API what to do with this program.
func wayOut(err error) error {
	var refused *apiError
	var unreached *url.Error
	switch {
	case errors.As(err, &refused) && refused.code == http.StatusUnauthorized:
		return fmt.Errorf("the admin API does not know this token: set %s_ADMIN_TOKEN to one of those that serve was given", prefix)
	case errors.As(err, &refused) && refused.code == http.StatusForbidden:
		return fmt.Errorf("this token may only read: set %s_ADMIN_TOKEN to one without :ro: in it", prefix)
	case errors.As(err, &refused):
		return fmt.Errorf("%s (%s)", inCommands(refused.detail), refused.status)
	case errors.As(err, &unreached):
		return fmt.Errorf("%w\nIs serve running there? %s_ADMIN_URL says where to ask", err, prefix)
	}
	return err
}

// callsToCommands are the calls that the API's advice names, and the commands
// that make them; longer ones first.
var callsToCommands = []struct {
	call    *regexp.Regexp
	command string
}{
	{regexp.MustCompile(`GET /v1/owners/([\w{}-]+)/sheets`), "sheetbridge owners sheets $1"},
	{regexp.MustCompile(`POST /v1/owners/([\w{}-]+)/authorize`), "sheetbridge owners authorize $1"},
	{regexp.MustCompile(`PUT /v1/owners/([\w{}-]+)/token`), "sheetbridge owners token $1"},
	{regexp.MustCompile(`POST /v1/owners\b`), "sheetbridge owners add"},
	{regexp.MustCompile(`GET /v1/owners\b`), "sheetbridge owners"},
	{regexp.MustCompile(`GET /v1/partners/([\w{}-]+)/credentials`), "sheetbridge partners credentials $1"},
	{regexp.MustCompile(`PATCH /v1/partners/([\w{}-]+)`), "sheetbridge partners change $1"},
	{regexp.MustCompile(`POST /v1/partners\b`), "sheetbridge partners add"},
	{regexp.MustCompile(`GET /v1/partners\b`), "sheetbridge partners"},
	{regexp.MustCompile(`PUT /v1/webhooks/[\w{}-]+/shares/([\w{}-]+)/([\w{}-]+)`), "sheetbridge shares change $1/$2"},
	{regexp.MustCompile(`POST /v1/webhooks/([\w{}-]+)/(enable|reconcile|rotate-secret)`), "sheetbridge webhooks $2 $1"},
	{regexp.MustCompile(`POST /v1/webhooks\b`), "sheetbridge shares add"},
	{regexp.MustCompile(`GET /v1/webhooks/([\w-]+)`), "sheetbridge webhooks show $1"},
	{regexp.MustCompile(`GET /v1/webhooks\b`), "sheetbridge webhooks"},
	{regexp.MustCompile(`POST /v1/dead/([\w{}-]+)/retry`), "sheetbridge dead retry $1"},
	{regexp.MustCompile(`GET /v1/dead\b`), "sheetbridge dead"},
	{regexp.MustCompile(`GET /v1/doctor\b`), "sheetbridge doctor"},
}

// inCommands says advice of the API in commands of this program.
func inCommands(advice string) string {
	for _, c := range callsToCommands {
		advice = c.call.ReplaceAllString(advice, c.command)
	}
	return advice
}

// exactly wants as many arguments as there are names.
func exactly(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != len(names) {
			return &usageError{fmt.Errorf("want %s (see %s --help)", strings.Join(names, " "), cmd.CommandPath())}
		}
		return nil
	}
}

// listArgs refuses arguments of a command that lists. Those directly below the
// root have the way to its help added there.
func listArgs(cmd *cobra.Command, args []string) error {
	if cmd.Parent() == cmd.Root() {
		return cobra.NoArgs(cmd, args)
	}
	return noArguments(cmd, args)
}

// named refuses what cannot be the name of an owner, a partner or a sheet.
func named(of, name string) error {
	if !events.ValidName(name) {
		return &usageError{fmt.Errorf("%q is no %s's name: want 1 to 32 of a-z, 0-9 and -", clean(name, maxName), of)}
	}
	return nil
}

// readSecret reads a secret of one line from a file, from standard input for
// "-", or from a terminal that does not show it. It is never an argument: those
// are seen by everybody on the machine.
func readSecret(cmd *cobra.Command, what, path string) (string, error) {
	text, err := readText(cmd, what, path)
	secret := strings.TrimSpace(text)
	if err == nil && secret == "" {
		err = &usageError{fmt.Errorf("%s: nothing was given", what)}
	}
	return secret, err
}

// maxInput bounds what is read from a file or standard input.
const maxInput = 1 << 20

func readText(cmd *cobra.Command, what, path string) (string, error) {
	if path != "-" {
		file, err := os.Open(path)
		if err != nil {
			return "", &usageError{fmt.Errorf("%s: %w", what, err)}
		}
		defer file.Close() // only read
		return readAll(what, file)
	}
	if file, ok := cmd.InOrStdin().(*os.File); ok && term.IsTerminal(int(file.Fd())) {
		fmt.Fprintf(cmd.ErrOrStderr(), "%s: ", what)
		text, err := term.ReadPassword(int(file.Fd()))
		fmt.Fprintln(cmd.ErrOrStderr())
		if err != nil {
			return "", fmt.Errorf("%s: %w", what, err)
		}
		return string(text), nil
	}
	return readAll(what, cmd.InOrStdin())
}

func readAll(what string, r io.Reader) (string, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxInput+1))
	if err != nil {
		return "", fmt.Errorf("%s: %w", what, err)
	}
	if len(text) > maxInput {
		return "", &usageError{fmt.Errorf("%s: larger than %d bytes", what, maxInput)}
	}
	return string(text), nil
}

// sure asks on a terminal whether something is really to be lost; elsewhere it
// wants --yes.
func sure(cmd *cobra.Command, given bool, lost string) error {
	if given {
		return nil
	}
	file, ok := cmd.InOrStdin().(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) {
		return &usageError{fmt.Errorf("%s: say so with --yes", lost)}
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "%s. Type yes to go on: ", lost)
	var answer string
	if _, err := fmt.Fscanln(file, &answer); err != nil || answer != "yes" {
		return &usageError{errors.New("nothing was done")}
	}
	return nil
}

// complete offers names that the admin API lists as the first argument.
func complete(path, field string) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return namesFor(cmd, path, field), cobra.ShellCompDirectiveNoFileComp
	}
}

// completeFlag offers names that the admin API lists for a flag.
func completeFlag(cmd *cobra.Command, flag, path string) {
	// It fails only for a flag that is not there, or one that was given before.
	_ = cmd.RegisterFlagCompletionFunc(flag, func(cmd *cobra.Command, _ []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		return namesFor(cmd, path, "name"), cobra.ShellCompDirectiveNoFileComp
	})
}

func namesFor(cmd *cobra.Command, path, field string) []string {
	client, err := adminFromEnv()
	if err != nil {
		return nil
	}
	defer client.close()
	ctx, cancel := context.WithTimeout(cmd.Context(), completeTime)
	defer cancel()
	list, err := get[itemsOf[map[string]any]](ctx, client, path)
	if err != nil {
		return nil
	}
	var names []string
	for _, item := range list.Items {
		if name, ok := item[field].(string); ok && !slices.Contains(names, name) {
			names = append(names, clean(name, maxName))
		}
	}
	return names
}
