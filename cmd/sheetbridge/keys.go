package main

import (
	"fmt"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"github.com/sheetbridge/sheetbridge/webhook/admin"
)

// rotateTime is how long a rotation of the keys may take.
const rotateTime = 4 * time.Minute

func keysCommand() *cobra.Command {
	ask := func(use, short, long, method, path string) *cobra.Command {
		return &cobra.Command{
			Use: use, Short: short, Long: long, Args: noArguments,
			RunE: func(cmd *cobra.Command, _ []string) error {
				client, err := adminFromEnv()
				if err != nil {
					return &usageError{err}
				}
				defer client.close()
				client.http.Timeout = rotateTime
				var keys admin.Keys
				if err := client.call(cmd.Context(), method, path, nil, &keys); err != nil {
					return err
				}
				for _, k := range keys.Items {
					fmt.Fprintf(cmd.OutOrStdout(), "key %s  %-8s  %d values\n", clean(k.ID, 20), clean(k.State, 20), k.Sealed)
				}
				if method == http.MethodPost {
					fmt.Fprintf(cmd.OutOrStdout(), "rotated: %d records sealed anew, %d replicas use the new key\n", keys.Resealed, keys.Replicas)
				}
				return nil
			},
		}
	}
	cmd := ask("keys", "List the keys that stored secrets are sealed under, or replace them",
		"List the keys that the stored tokens, secrets and seeds are sealed under. It asks a running service, at "+prefix+"_ADMIN_URL\n"+
			"(http://127.0.0.1:8081 unless set) with "+prefix+"_ADMIN_TOKEN.",
		http.MethodGet, "/v1/keys")
	cmd.AddCommand(ask("rotate", "Replace the key while the service works",
		"Add a key, wait until every replica has it, make it the primary one, seal everything anew and disable the old one.\n"+
			"Nothing stands still meanwhile; after a failure the same again goes on where it stopped. The master key stays as it is.",
		http.MethodPost, "/v1/keys/rotate"))
	return cmd
}

// noArguments refuses arguments, of commands below others too.
func noArguments(cmd *cobra.Command, args []string) error {
	if err := cobra.NoArgs(cmd, args); err != nil {
		return &usageError{fmt.Errorf("%w (see %s --help)", err, cmd.CommandPath())}
	}
	return nil
}
