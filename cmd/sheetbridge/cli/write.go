package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/sheetbridge/sheetbridge/cmd/sheetbridge/terminal"
	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/events/stream"
)

// ErrWriteRefused says that a write was refused. The answer was printed.
var ErrWriteRefused = errors.New("the write was refused")

// answerGrace is how long after a request's time has run out its answer is waited for.
const answerGrace = time.Minute

// writeFlags are the command line of a write.
type writeFlags struct {
	ask            stream.AskOptions
	creds, output  string
	row, until     string
	set, expect    []string
	create, delete bool
	dryRun         bool
}

func writeCommand() *cobra.Command {
	var f writeFlags
	cmd := &cobra.Command{
		Use:   "write --creds FILE --sheet NAME --row ID --set FIELD=VALUE --expect FIELD=VALUE",
		Short: "Ask for a change of a shared sheet, with the partner's credentials, and wait for the answer",
		Long: "Ask for a change of a shared sheet, and wait for the answer. It needs only what the partner has: the credentials file and\n" +
			"the server's address; the share must allow the change. Fields have the names that events have. A VALUE is JSON where\n" +
			"it reads as JSON (3, true, null, [\"a\",\"b\"], {\"email\":\"jane@example.com\"}), else it is text; '\"3\"' is a text too, and\n" +
			"nothing at all is an empty cell. Update and delete need --expect: what you know of the row; it is left alone if that is no\n" +
			"longer true. A new row (--create) is known by its key, which no other row has.\n" +
			"Exit code 0: the sheet has these values, by this write or before it. 4: refused, and nothing was changed. 1: not asked, or no\n" +
			"answer came; the same command with the same --id asks again, and the change is made once.",
		Example: "  sheetbridge write --creds acme.creds --sheet orders --row 7129509179746180 --expect status=Open --set status=Done\n" +
			"  sheetbridge write --creds acme.creds --sheet orders --create --set order_no=SO-9 --set qty=3 --id po-4712\n" +
			"  sheetbridge write --creds acme.creds --sheet orders --delete --row 7129509179746180 --expect status=Cancelled --dry-run",
		Args: NoArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			request, err := f.read(time.Now())
			if err != nil {
				return &UsageError{err}
			}
			return f.run(cmd, request)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.creds, "creds", "", "`file` with the partner's NATS credentials")
	flags.StringVar(&f.ask.URL, "server", "nats://127.0.0.1:4222", "`address` of the NATS server")
	flags.StringVar(&f.ask.Credential, "credential", "", "the `name` of the credentials, where it is not the one in the file (a NATS that is not the bridge's)")
	flags.StringVar(&f.ask.Sheet, "sheet", "", "the share's `name` of the sheet")
	flags.StringVar(&f.row, "row", "", "the row's `id`, or a link to it")
	flags.StringArrayVar(&f.set, "set", nil, "`FIELD=VALUE` to write; once for each field")
	flags.StringArrayVar(&f.expect, "expect", nil, "`FIELD=VALUE` that the row has now; once for each field")
	flags.BoolVar(&f.create, "create", false, "add a row")
	flags.BoolVar(&f.delete, "delete", false, "delete the row")
	flags.StringVar(&f.ask.ID, "id", "", "the request's `id`, your own, 1 to 64 of A-Z, a-z, 0-9, _ and - (default: a new one)")
	flags.StringVar(&f.until, "until", "", "write nothing after this `time`: 2026-11-20T10:05:00Z, or 10m from now; at most 24h (default: 15m)")
	flags.BoolVar(&f.dryRun, "dry-run", false, "only have it checked: change nothing")
	flags.StringVarP(&f.output, "output", "o", formatText, "`format`: text, or json with the answer as received")
	return cmd
}

// read makes the request of the command line. What cannot be one is said here, before
// anybody is asked.
func (f *writeFlags) read(now time.Time) (events.WriteRequest, error) {
	var none events.WriteRequest
	switch {
	case f.creds == "":
		return none, errors.New("--creds is required: the partner's .creds file")
	case !events.ValidName(f.ask.Sheet):
		return none, errors.New("--sheet is required: the share's name of the sheet, as subjects of events have it (smartsheet.PARTNER.SHEET.row.ID)")
	case f.create && f.delete:
		return none, errors.New("--create and --delete: use one of them")
	case f.ask.Credential != "" && !events.ValidName(f.ask.Credential):
		return none, fmt.Errorf("--credential %q is no name of credentials: names have 1 to 32 of a-z, 0-9 and -", terminal.Clean(f.ask.Credential, terminal.MaxName))
	}
	if err := errors.Join(checkFormat(f.output, formatText, formatJSON), f.checkFlags()); err != nil {
		return none, err
	}
	request, err := f.request(now)
	if err != nil {
		return none, err
	}
	if f.ask.Request, err = json.Marshal(request); err != nil {
		return none, err
	}
	parsed, refusal := events.ParseWrite(f.ask.Request, now)
	if refusal != nil {
		return none, fmt.Errorf("--%s: %s", kebab(refusal.Field), terminal.Clean(refusal.Detail, 400))
	}
	if f.ask.Creds, err = readCreds(f.creds); err != nil {
		return none, fmt.Errorf("--creds: %w", err)
	}
	return parsed, nil
}

// checkFlags says which flags an operation needs and does not have.
func (f *writeFlags) checkFlags() error {
	switch {
	case f.create && f.row != "":
		return errors.New("--create adds a row: leave out --row")
	case f.create && len(f.expect) > 0:
		return errors.New("--create adds a row, of which nothing is known: leave out --expect")
	case !f.create && f.row == "":
		return errors.New("name the row: --row with its id or its link, or --create for a new one")
	case f.delete && len(f.set) > 0:
		return errors.New("--delete sets nothing: leave out --set")
	case !f.delete && len(f.set) == 0:
		return errors.New("--set is required: what is to be written, such as --set status=Done")
	case !f.create && len(f.expect) == 0:
		return errors.New("--expect is required: what the row has now, such as --expect status=Open; it is left alone if that is no longer true")
	}
	return nil
}

// kebab is the flag of a member of a request.
func kebab(member string) string {
	member, _, _ = strings.Cut(member, ".")
	if member == "dryRun" {
		return "dry-run"
	}
	return member
}

// request is the body that is published.
func (f *writeFlags) request(now time.Time) (map[string]any, error) {
	if f.ask.ID == "" {
		f.ask.ID = uuid.NewString()
	}
	request := map[string]any{"id": f.ask.ID, "op": events.OpUpdate}
	switch {
	case f.create:
		request["op"] = events.OpCreate
	case f.delete:
		request["op"] = events.OpDelete
	}
	if f.row != "" {
		id, err := rowID(f.row)
		if err != nil {
			return nil, err
		}
		request["row"] = id
	}
	for flag, list := range map[string][]string{"set": f.set, "expect": f.expect} {
		fields, err := fieldValues(flag, list)
		if err != nil {
			return nil, err
		}
		if len(fields) > 0 {
			request[flag] = fields
		}
	}
	if f.dryRun {
		request["dryRun"] = true
	}
	if f.until != "" {
		until, err := timeOf(f.until, now)
		if err != nil {
			return nil, err
		}
		request["until"] = until.UTC().Format(time.RFC3339)
	}
	return request, nil
}

// fieldValues reads FIELD=VALUE, each field once.
func fieldValues(flag string, list []string) (map[string]json.RawMessage, error) {
	fields := map[string]json.RawMessage{}
	for _, text := range list {
		name, value, ok := strings.Cut(text, "=")
		if !ok || name == "" {
			return nil, fmt.Errorf("--%s %q: want FIELD=VALUE, such as status=Done", flag, terminal.Clean(text, terminal.MaxName))
		}
		if _, twice := fields[name]; twice {
			return nil, fmt.Errorf("--%s: field %q stands there twice", flag, terminal.Clean(name, terminal.MaxName))
		}
		fields[name] = fieldValue(value)
	}
	return fields, nil
}

// fieldValue is JSON, or text that is none.
func fieldValue(text string) json.RawMessage {
	switch {
	case text == "":
		return json.RawMessage("null")
	case json.Valid([]byte(text)):
		return json.RawMessage(text)
	}
	quoted, _ := json.Marshal(text) // a string can always be
	return quoted
}

// timeOf is a time, or one so long from now.
func timeOf(text string, now time.Time) (time.Time, error) {
	if at, err := time.Parse(time.RFC3339, text); err == nil {
		return at, nil
	}
	d, err := terminal.ParseDuration(text)
	if err != nil || d <= 0 {
		return time.Time{}, fmt.Errorf("--until %q: use a time such as 2026-11-20T10:05:00Z, or how long from now, such as 10m", terminal.Clean(text, terminal.MaxName))
	}
	return now.Add(d), nil
}

// run asks, and prints the answer.
func (f *writeFlags) run(cmd *cobra.Command, request events.WriteRequest) error {
	ctx, cancel := context.WithDeadline(cmd.Context(), request.Until.Add(answerGrace))
	defer cancel()
	stored := make(chan struct{})
	f.ask.Stored = func() { close(stored) }
	go func() {
		select {
		case <-ctx.Done():
			return
		case <-stored:
		}
		select {
		case <-ctx.Done():
		case <-time.After(waitNotice):
			fmt.Fprintf(cmd.ErrOrStderr(), "stored as %s, waiting for the answer…\n", f.ask.ID)
		}
	}()
	m, err := stream.Ask(ctx, f.ask)
	cancel()
	switch {
	case errors.Is(err, stream.ErrMayNotWrite):
		return fmt.Errorf("%w: no share of this partner takes writes, or the credentials have another name than the one they publish under (--credential)", err)
	case errors.Is(err, stream.ErrNoAnswer):
		return fmt.Errorf("the write %s is stored, and no answer has come yet: it may be done or not. The same command with --id %[1]s asks for the answer", f.ask.ID)
	case err != nil:
		return err
	}
	return showAnswer(cmd, m, f.output)
}

func showAnswer(cmd *cobra.Command, m stream.Message, format string) error {
	e, err := terminal.ParseEvent(m.Data)
	if err != nil {
		return err
	}
	if e.Answer == nil {
		return fmt.Errorf("the server sent no answer to a write but a %s", terminal.Clean(e.Type, 64))
	}
	text := e.Line(terminal.Colours(cmd.OutOrStdout()))
	if format == formatJSON {
		text = string(m.Data)
	}
	if _, err := fmt.Fprintln(cmd.OutOrStdout(), text); err != nil {
		return err
	}
	if e.Answer.Result == events.ResultRefused {
		return ErrWriteRefused
	}
	return nil
}
