package cli

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sheetbridge/sheetbridge/cmd/sheetbridge/terminal"
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
		Short: "Print a partner's events as they come, from credentials and a server address alone",
		Long: "Print a partner's events as they come. It needs nothing but what the partner has: the credentials file and the server's address.\n" +
			"A server that goes away is waited for; nothing is left out and nothing comes twice.\n" +
			"A status goes with whatever is published: as text, one that says the same as the one before it is not printed.",
		Example: "  sheetbridge tail --creds acme.creds\n" +
			"  sheetbridge tail --creds acme.creds --server tls://nats.example.com:4222 --from all -o json\n" +
			"  sheetbridge tail --creds acme.creds --subject 'orders.row.*'",
		Args: NoArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			print, err := printer(cmd.OutOrStdout(), output)
			if err != nil {
				return &UsageError{err}
			}
			switch o.From {
			case stream.FromLastPerSubject, stream.FromAll, stream.FromNew:
			default:
				return Usagef("--from %q: use %s, %s or %s", o.From, stream.FromLastPerSubject, stream.FromAll, stream.FromNew)
			}
			if creds == "" {
				return Usagef("--creds is required: the partner's .creds file (see %s --help)", cmd.CommandPath())
			}
			if o.Creds, err = readCreds(creds); err != nil {
				return Usagef("--creds: %w", err)
			}
			return stream.Tail(cmd.Context(), o, print)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&creds, "creds", "", "`file` with the partner's NATS credentials")
	flags.StringVar(&o.URL, "server", "nats://127.0.0.1:4222", "`address` of the NATS server")
	flags.StringVar(&o.From, "from", stream.FromLastPerSubject, "begin with `what`: last-per-subject (the sheets as they are), all (the history kept) or new")
	flags.StringVarP(&output, "output", "o", "text", "`format`: text, or json with one CloudEvent on each line as received")
	flags.StringVar(&o.Subject, "subject", "", "only these subjects: a NATS `filter` such as orders.> or orders.row.*")
	return cmd
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

// printer returns what prints a message in a format.
func printer(w io.Writer, format string) (func(stream.Message) error, error) {
	colours := terminal.Colours(w)
	switch format {
	case "json":
		return func(m stream.Message) error {
			_, err := fmt.Fprintf(w, "%s\n", m.Data)
			return err
		}, nil
	case "text":
		printed := terminal.Statuses{}
		return func(m stream.Message) error {
			e, err := terminal.ParseEvent(m.Data)
			if err != nil {
				return fmt.Errorf("message %d: %w", m.Sequence, err)
			}
			if printed.Repeats(e) {
				return nil
			}
			_, err = fmt.Fprintf(w, "%s  %s\n", colours.Paint(terminal.Dim, e.Time.Local().Format(time.TimeOnly)), e.Line(colours))
			return err
		}, nil
	}
	return nil, fmt.Errorf("-o %s is not a format of this command: use text or json", strings.TrimSpace(format))
}
