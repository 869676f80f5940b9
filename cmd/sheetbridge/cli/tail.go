package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/sheetbridge/sheetbridge/cmd/sheetbridge/terminal"
	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/events/seal"
	"github.com/sheetbridge/sheetbridge/events/stream"
)

// maxCreds is more than any credentials file has.
const maxCreds = 64 << 10

func tailCommand() *cobra.Command {
	var creds, output string
	o := stream.TailOptions{}
	cmd := &cobra.Command{
		Use:   "tail --creds FILE",
		Short: "Print a partner's events as they come, with the partner's credentials",
		Long: "Print a partner's events as they come. It needs only what the partner has: the credentials file and the server's address.\n" +
			"When the connection is lost it waits for the server and continues: no event is left out and none comes twice. It says so\n" +
			"on standard error, and also when no status came in time, so that the events may be out of date. The first field of a row\n" +
			"stands beside its id. A status comes with every publication; one that repeats the status before it is not printed as text.",
		Example: "  sheetbridge tail --creds acme.creds\n" +
			"  sheetbridge tail --creds acme.creds --server tls://nats.example.com:4222 --from all -o json\n" +
			"  sheetbridge tail --creds acme.creds --subject 'orders.row.*'",
		Args: NoArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if creds == "" {
				return Usagef("--creds is required: the partner's .creds file (see %s --help)", cmd.CommandPath())
			}
			switch o.From {
			case stream.FromLastPerSubject, stream.FromAll, stream.FromNew:
			default:
				return Usagef("--from %q: use %s, %s or %s", o.From, stream.FromLastPerSubject, stream.FromAll, stream.FromNew)
			}
			err := errors.Join(checkFormat(output, formatText, formatJSON), checkSubject(o.Subject))
			if err != nil {
				return &UsageError{err}
			}
			if o.Creds, err = readCreds(creds); err != nil {
				return Usagef("--creds: %w", err)
			}
			return runTail(cmd, o, output)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&creds, "creds", "", "`file` with the partner's NATS credentials")
	flags.StringVar(&o.URL, "server", "nats://127.0.0.1:4222", "`address` of the NATS server")
	flags.StringVar(&o.From, "from", stream.FromLastPerSubject, "begin with `what`: last-per-subject (the sheets as they are), all (the history kept) or new")
	flags.StringVarP(&output, "output", "o", formatText, "`format`: text, or json with one CloudEvent on each line as received")
	flags.StringVar(&o.Subject, "subject", "", "only these subjects: a NATS `filter` such as orders.> or orders.row.*")
	return cmd
}

// runTail prints events until the command is interrupted.
func runTail(cmd *cobra.Command, o stream.TailOptions, format string) error {
	notices := &notices{out: cmd.ErrOrStderr(), due: map[string]time.Time{}}
	o.Connection = notices.connection
	ctx, cancel := context.WithCancel(cmd.Context())
	defer cancel()
	go notices.watch(ctx)
	printed := terminal.Statuses{}
	out, colours := cmd.OutOrStdout(), terminal.Colours(cmd.OutOrStdout())
	return stream.Tail(ctx, o, func(m stream.Message) error {
		e, err := terminal.ParseEvent(m.Data)
		if err != nil {
			return fmt.Errorf("message %d: %w", m.Sequence, err)
		}
		notices.took(e)
		if format == formatJSON {
			_, err = fmt.Fprintf(out, "%s\n", m.Data)
			return err
		}
		if printed.Repeats(e) {
			return nil
		}
		_, err = fmt.Fprintf(out, "%s  %s\n", colours.Paint(terminal.Dim, e.Time.Local().Format(time.TimeOnly)), e.Line(colours))
		return err
	})
}

// notices say on standard error what the events themselves cannot.
type notices struct {
	out io.Writer

	mu  sync.Mutex
	due map[string]time.Time // when the next status of a sheet is due
}

func (n *notices) printf(format string, args ...any) {
	fmt.Fprintf(n.out, time.Now().Format(time.TimeOnly)+"  "+format+"\n", args...)
}

// connection says that the connection is lost, or there again.
func (n *notices) connection(lost error) {
	if lost == nil {
		n.printf("connected again: events continue where they stopped")
		return
	}
	n.printf("the connection to the server is lost (%s): waiting for it", terminal.Clean(lost.Error(), 200))
}

// took records when the next status of a sheet is due.
func (n *notices) took(e *terminal.Event) {
	if e.Type != events.StatusChanged {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.due, e.Sheet())
	if e.Data.NextBefore != nil {
		n.due[e.Sheet()] = *e.Data.NextBefore
	}
}

// overdue returns the sheets whose status did not come in time, each once.
func (n *notices) overdue(now time.Time) []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	var sheets []string
	for sheet, due := range n.due {
		if now.After(due) {
			sheets = append(sheets, sheet)
			delete(n.due, sheet)
		}
	}
	slices.Sort(sheets)
	return sheets
}

// watch says which sheets are stale, until the context ends.
func (n *notices) watch(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		for _, sheet := range n.overdue(time.Now()) {
			n.printf("%s is STALE: its next status did not come in time, so the bridge may be down and these events out of date", terminal.Clean(sheet, 32))
		}
	}
}

func checkFormat(format string, formats ...string) error {
	if !slices.Contains(formats, format) {
		return fmt.Errorf("-o %s is not a format of this command: use %s", terminal.Clean(format, 20), either(formats))
	}
	return nil
}

// kinds are what the second part of a subject may be, below the sheet.
var kinds = []string{"row", "attachment", "comment", "schema", "status", "write", "*", ">"}

// checkSubject refuses a filter that can match no subject of a partner.
func checkSubject(filter string) error {
	if filter == "" || filter == ">" {
		return nil
	}
	tokens := strings.Split(filter, ".")
	wrong := fmt.Errorf("--subject %q is not a filter of subjects: want names separated by dots, with * for any one of them and > at the end for all that follow, such as orders.> or orders.row.*", terminal.Clean(filter, terminal.MaxName))
	for i, token := range tokens {
		if token == "" || strings.ContainsAny(token, " \t\r\n") || token != "*" && strings.Contains(token, "*") || strings.Contains(token, ">") && (token != ">" || i < len(tokens)-1) {
			return wrong
		}
	}
	if tokens[0] == "smartsheet" && len(tokens) > 2 { // as in the events
		tokens = tokens[2:]
	}
	switch last := tokens[len(tokens)-1]; {
	case len(tokens) == 1 && last != ">":
		return fmt.Errorf("--subject %s matches no event: use %[1]s.> for all of the sheet %[1]s", terminal.Clean(last, 32))
	case len(tokens) > 1 && !slices.Contains(kinds, tokens[1]):
		return fmt.Errorf("--subject: %q is not a kind of object: use row, attachment, comment, schema, status or write", terminal.Clean(tokens[1], 32))
	}
	return nil
}

// readCreds reads a credentials file.
func readCreds(path string) (seal.Secret, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer file.Close() // only read
	text, err := io.ReadAll(io.LimitReader(file, maxCreds))
	return seal.Secret(text), err
}
