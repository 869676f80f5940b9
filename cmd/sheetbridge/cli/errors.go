package cli

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/sheetbridge/sheetbridge/cmd/sheetbridge/terminal"
	"github.com/sheetbridge/sheetbridge/events"
)

// UsageError is a wrong command line or configuration.
type UsageError struct{ Err error }

// Error implements error.
func (e *UsageError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *UsageError) Unwrap() error { return e.Err }

// Usagef makes a usage error.
func Usagef(format string, args ...any) error { return &UsageError{fmt.Errorf(format, args...)} }

// CheckUsage makes a command and all below it refuse a wrong command line with a
// usage error that says what to do.
func CheckUsage(cmd *cobra.Command) {
	cmd.SetFlagErrorFunc(flagError)
	check := cmd.Args
	if check == nil { // of a group, which cobra made
		check = NoArguments
	}
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		err := check(cmd, args)
		switch {
		case err == nil:
			return nil
		case cmd.HasSubCommands() && len(args) > 0:
			return unknownCommand(cmd, args[0])
		}
		return Usagef("%w (see %s --help)", err, cmd.CommandPath())
	}
	for _, below := range cmd.Commands() {
		CheckUsage(below)
	}
}

// unknownCommand says which commands were meant, perhaps.
func unknownCommand(cmd *cobra.Command, name string) error {
	text := fmt.Sprintf("unknown command %q for %q", terminal.Clean(name, terminal.MaxName), cmd.CommandPath())
	if cmd.SuggestionsMinimumDistance <= 0 {
		cmd.SuggestionsMinimumDistance = 2
	}
	var meant []string
	for _, s := range cmd.SuggestionsFor(name) {
		meant = append(meant, cmd.CommandPath()+" "+s)
	}
	if len(meant) > 0 {
		text += ": did you mean " + either(meant) + "?"
	}
	return Usagef("%s (see %s --help)", text, cmd.CommandPath())
}

// flagError says what a flag wants.
func flagError(cmd *cobra.Command, err error) error {
	var value *pflag.InvalidValueError
	var unknown *pflag.NotExistError
	switch {
	case errors.As(err, &value):
		given := terminal.Clean(value.GetValue(), terminal.MaxName)
		wants := map[string]string{"int": "a whole number", "int64": "a whole number", "duration": "a duration such as 30m, 24h or 90d", "bool": "true or false"}[value.GetFlag().Value.Type()]
		if wants == "" {
			return Usagef("--%s: %w", value.GetFlag().Name, value.Unwrap())
		}
		return Usagef("--%s %s: use %s", value.GetFlag().Name, given, wants)
	case errors.As(err, &unknown) && (unknown.GetSpecifiedName() == "output" || unknown.GetSpecifiedShortnames() == "o"):
		return Usagef("%s prints a line and has no formats: leave out -o", cmd.CommandPath())
	case cmd.HasSubCommands() && len(cmd.Flags().Args()) > 0: // it has the flag, perhaps, and is misspelt
		return unknownCommand(cmd, cmd.Flags().Args()[0])
	}
	return Usagef("%w (see %s --help)", err, cmd.CommandPath())
}

// NoArguments refuses arguments.
func NoArguments(_ *cobra.Command, args []string) error {
	if len(args) > 0 {
		return fmt.Errorf("this command takes no arguments: leave out %q", terminal.Clean(args[0], terminal.MaxName))
	}
	return nil
}

// exactly wants as many arguments as there are words: "PARTNER NAME".
func exactly(words string) cobra.PositionalArgs {
	if words == "" {
		return NoArguments
	}
	return func(_ *cobra.Command, args []string) error {
		if len(args) != len(strings.Fields(words)) {
			given := "1 argument was"
			if len(args) != 1 {
				given = strconv.Itoa(len(args)) + " arguments were"
			}
			return fmt.Errorf("%s given: want %s", given, words)
		}
		return nil
	}
}

// checkName refuses what cannot be the name of an owner, a partner or a sheet.
func checkName(of, name string) error {
	if !events.ValidName(name) {
		return Usagef("%q cannot be the name of %s: names have 1 to 32 of a-z, 0-9 and -", terminal.Clean(name, terminal.MaxName), of)
	}
	return nil
}

// isUnreached reports whether an error is that the service does not answer.
func isUnreached(err error) bool {
	var away *unreachedError
	return errors.As(err, &away)
}

// explainError says what to do about an error of the API with this program.
func (p *program) explainError(err error) error {
	var refused *APIError
	var away *unreachedError
	switch {
	case errors.As(err, &refused) && refused.Code == http.StatusUnauthorized:
		return fmt.Errorf("the service does not know this token: set %s_ADMIN_TOKEN to one of the tokens that serve was given", Prefix)
	case errors.As(err, &refused) && refused.Code == http.StatusForbidden && strings.Contains(refused.Detail, "client certificate"):
		return fmt.Errorf("the service wants a client certificate: set %[1]s_ADMIN_CLIENT_CERT and %[1]s_ADMIN_CLIENT_KEY to the files of one", Prefix)
	case errors.As(err, &refused) && refused.Code == http.StatusForbidden:
		return fmt.Errorf("this token is read-only: set %s_ADMIN_TOKEN to one without :ro: in it", Prefix)
	case errors.As(err, &refused):
		text := fmt.Sprintf("%s (%s)", p.inCommands(refused.Detail), refused.Status)
		if next := p.nextStep(text, refused.Action); next != "" {
			text += "\nNext: " + next
		}
		return errors.New(text)
	case errors.As(err, &away):
		return fmt.Errorf("%w\nIs serve running there? %s_ADMIN_URL says where it is", err, Prefix)
	}
	return err
}
