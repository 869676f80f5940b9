package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/sheetbridge/sheetbridge/cmd/sheetbridge/join"
)

func joinCommand() *cobra.Command {
	var path string
	cmd := &cobra.Command{
		Use:   "join URL -o FILE",
		Short: "Use an invitation: make a key here, and get credentials for it into a file",
		Long: "Use an invitation that the company which shares its sheets has sent. The secret key is made on this machine and\n" +
			"never leaves it; only its public half is sent. The credentials are written to a file that only you can read.",
		Example: "  sheetbridge join https://bridge.example.com/join/… -o acme.creds",
		Args:    exactly("URL"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if path == "" {
				return &usageError{errors.New("-o is required: a file for the credentials, which must not exist")}
			}
			if err := join.CheckURL(args[0]); err != nil {
				return &usageError{err}
			}
			joined, err := join.Join(cmd.Context(), args[0], path)
			var file *os.PathError
			switch {
			case errors.Is(err, os.ErrExist):
				return &usageError{fmt.Errorf("%s exists: name another file with -o, or move it away", path)}
			case errors.As(err, &file) && joined == nil:
				return &usageError{fmt.Errorf("-o: %w", err)}
			case err != nil:
				return err
			}
			return showJoined(cmd, joined, path)
		},
	}
	cmd.Flags().StringVarP(&path, "output", "o", "", "`file` to write the credentials to, which must not exist")
	return cmd
}

func showJoined(cmd *cobra.Command, joined *join.Joined, path string) error {
	good := "until they are revoked"
	if joined.ExpiresAt != nil {
		good = "until " + moment(joined.ExpiresAt)
	}
	var f facts
	f.add("partner", clean(joined.Partner, maxName))
	f.add("credentials", clean(joined.Name, maxName)+", in "+path+", good "+good)
	f.add("nats", clean(joined.URL, maxName*8))
	f.add("stream", clean(joined.Stream, maxName))
	f.add("subjects", clean(joined.Subjects, maxName*2))
	if err := f.write(cmd.OutOrStdout()); err != nil {
		return err
	}
	_, err := fmt.Fprintf(cmd.OutOrStdout(), "read it:     sheetbridge tail --creds %s --server %s\n", path, clean(joined.URL, maxName*8))
	return err
}
