package cli

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/sheetbridge/sheetbridge/cmd/sheetbridge/join"
	"github.com/sheetbridge/sheetbridge/cmd/sheetbridge/terminal"
)

func joinCommand() *cobra.Command {
	var path string
	var dryRun bool
	cmd := &cobra.Command{
		Use:   "join URL -o FILE",
		Short: "Use an invitation: make a key on this machine, and write credentials for it to a file",
		Long: "Use an invitation, which the company that shares its sheets sent you. The secret key is made on this machine and\n" +
			"never leaves it; only its public half is sent. The credentials are written to a file that only you can read.\n" +
			"With --dry-run the command only says whether the invitation is open and the file can be made, which does not use it.",
		Example: "  sheetbridge join https://bridge.example.com/join/… -o acme.creds",
		Args:    exactly("URL"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if path == "" {
				return &UsageError{errors.New("-o is required: a file for the credentials, which must not exist")}
			}
			if err := join.CheckURL(args[0]); err != nil {
				return &UsageError{err}
			}
			if dryRun {
				return checkJoin(cmd, args[0], path)
			}
			joined, err := join.Join(cmd.Context(), args[0], path)
			if err != nil && joined == nil {
				return noFile(path, err)
			}
			if err != nil {
				return err
			}
			return showJoined(cmd, joined, path)
		},
	}
	cmd.Flags().StringVarP(&path, "output", "o", "", "`file` to write the credentials to, which must not exist")
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "change nothing: say what would be done")
	return cmd
}

// noFile is the error of a wrong -o where the file could not be made, else the error as
// it is.
func noFile(path string, err error) error {
	var file *os.PathError
	switch {
	case errors.Is(err, os.ErrExist):
		return Usagef("%s exists: name another file with -o, or move it away", path)
	case errors.As(err, &file):
		return Usagef("-o: %w", err)
	}
	return err
}

// checkJoin says what join would do, without using the invitation.
func checkJoin(cmd *cobra.Command, address, path string) error {
	open, err := join.Check(cmd.Context(), address, path)
	if err != nil {
		return noFile(path, err)
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "The invitation of partner %s to credentials %s is open until %s. sheetbridge join would make a key, use the invitation and write the credentials to %s.\n",
		terminal.Clean(open.Partner, terminal.MaxName), terminal.Clean(open.Name, terminal.MaxName), terminal.Moment(open.OpenUntil), path)
	return err
}

func showJoined(cmd *cobra.Command, joined *join.Joined, path string) error {
	valid := "until they are revoked"
	if joined.ExpiresAt != nil {
		valid = "until " + terminal.Moment(*joined.ExpiresAt)
	}
	var f terminal.Facts
	f.Add("partner", terminal.Clean(joined.Partner, terminal.MaxName))
	f.Add("credentials", terminal.Clean(joined.Name, terminal.MaxName)+", in "+path+", valid "+valid)
	f.Add("nats", terminal.Clean(joined.URL, terminal.MaxName*8))
	f.Add("stream", terminal.Clean(joined.Stream, terminal.MaxName))
	f.Add("subjects", terminal.Clean(joined.Subjects, terminal.MaxName*2))
	if err := f.Write(cmd.OutOrStdout(), terminal.Width(cmd.OutOrStdout())); err != nil {
		return err
	}
	_, err := fmt.Fprintf(cmd.OutOrStdout(), "\nRead the events: sheetbridge tail --creds %s --server %s\n", path, terminal.Clean(joined.URL, terminal.MaxName*8))
	return err
}
