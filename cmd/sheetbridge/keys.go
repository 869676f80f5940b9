package main

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sheetbridge/sheetbridge/webhook/admin"
)

// rotateTime is how long a rotation of the keys may take.
const rotateTime = 4 * time.Minute

func keysCommand() *cobra.Command {
	aboutKeys := func(use, short, long, method, path string) *cobra.Command {
		cmd := &cobra.Command{Use: use, Short: short, Long: long, Args: noArguments}
		return asks(cmd, func(q *asking, _ []string) error {
			q.client.http.Timeout = rotateTime
			return ask(q, method, path, nil, func(w io.Writer, keys *admin.Keys) error {
				var b strings.Builder
				for _, k := range keys.Items {
					fmt.Fprintf(&b, "key %s  %-8s  %d values\n", clean(k.ID, 20), clean(k.State, 20), k.Sealed)
				}
				if method == http.MethodPost {
					fmt.Fprintf(&b, "rotated: %d records sealed anew, %d replicas use the new key\n", keys.Resealed, keys.Replicas)
				}
				_, err := io.WriteString(w, b.String())
				return err
			})
		})
	}
	cmd := aboutKeys("keys", "List the keys that stored secrets are sealed under, or replace them",
		"List the keys that the stored tokens, secrets and seeds are sealed under.\n"+askingHelp,
		http.MethodGet, "/v1/keys")
	cmd.AddCommand(aboutKeys("rotate", "Replace the key while the service works",
		"Add a key, wait until every replica has it, make it the primary one, seal everything anew and disable the old one.\n"+
			"Nothing stands still meanwhile; after a failure the same again goes on where it stopped. The master key stays as it is.",
		http.MethodPost, "/v1/keys/rotate"))
	cmd.AddCommand(rotateMasterCommand())
	return cmd
}

func rotateMasterCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "rotate-master", Short: "Bring everything under a new master key", Args: noArguments,
		Long: "Bring everything under a new master key. First start every replica with the new key as " + prefix + "_MASTER_KEY (or …_FILE)\n" +
			"and the one before it as " + prefix + "_MASTER_KEY_OLD (or …_FILE): with NATS embedded the store comes under the new key then.\n" +
			"This waits until every replica has both keys, and seals the keyset under the new one. Killed at any moment, the same again\n" +
			"goes on where it stopped; until it is done both keys are needed.\n" + askingHelp,
	}
	return asks(cmd, func(q *asking, _ []string) error {
		q.client.http.Timeout = rotateTime
		return ask(q, http.MethodPost, "/v1/keys/rotate-master", nil, func(w io.Writer, key *admin.MasterKey) error {
			_, err := fmt.Fprintf(w, "everything is under the new master key, which %d replicas have\n%s\n", key.Replicas, clean(key.Next, 500))
			return err
		})
	})
}

// noArguments refuses arguments, of commands below others too.
func noArguments(cmd *cobra.Command, args []string) error {
	if err := cobra.NoArgs(cmd, args); err != nil {
		return &usageError{fmt.Errorf("%w (see %s --help)", err, cmd.CommandPath())}
	}
	return nil
}
