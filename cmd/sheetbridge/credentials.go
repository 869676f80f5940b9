package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/sheetbridge/sheetbridge/webhook/admin"
)

func credentialsCommand() *cobra.Command {
	cmd := credentialList("credentials")
	cmd.AddCommand(credentialList("list"), credentialAdd(), credentialRemove())
	return cmd
}

func credentialList(use string) *cobra.Command {
	return partnerCommand(use, "List a partner's credentials, or see to them", func(q *asking, name string) error {
		return ask(q, http.MethodGet, partnersPath+"/"+name+"/credentials", nil, func(w io.Writer, list *itemsOf[admin.Credentials]) error {
			t := tableOf("NAME", "USER", "ADDED", "EXPIRES", "REFUSED FROM", "LEAF")
			for _, c := range list.Items {
				t.add(c.Name, c.PublicKey, moment(&c.CreatedAt), moment(c.ExpiresAt), moment(c.OverlapUntil), yes(c.Leaf))
			}
			return t.write(w, "It has none: sheetbridge partners credentials add "+name+" NAME")
		})
	})
}

// credentialCommand is a command about credentials of a partner.
func credentialCommand(use, short string, do func(q *asking, partner, name string) error) *cobra.Command {
	cmd := &cobra.Command{Use: use + " PARTNER NAME", Short: short, Args: exactly("PARTNER", "NAME"), ValidArgsFunction: complete(partnersPath, "name")}
	return asks(cmd, func(q *asking, args []string) error {
		if err := errors.Join(named("partner", args[0]), named("set of credentials", args[1])); err != nil {
			return &usageError{err}
		}
		return do(q, args[0], args[1])
	})
}

func credentialAdd() *cobra.Command {
	var creds string
	var expires, overlap time.Duration
	var leaf, never bool
	cmd := credentialCommand("add", "Make credentials for a partner, and write them to a file", func(q *asking, partner, name string) error {
		n := admin.NewCredentials{Name: name, Leaf: leaf}
		switch {
		case expires < 0 || overlap < 0:
			return &usageError{errors.New("--expires and --overlap: want a time to come")}
		case never && expires > 0:
			return &usageError{errors.New("--never and --expires: give one of them")}
		case expires > 0:
			n.ExpiresAt.At = time.Now().Add(expires).UTC().Truncate(time.Second)
		}
		n.ExpiresAt.Null = never
		if overlap > 0 {
			n.Overlap = overlap.String()
		}
		if creds == "" {
			creds = partner + "-" + name + ".creds"
		}
		return addWithCreds(q, creds, partnersPath+"/"+partner+"/credentials", n, func(w io.Writer, c *admin.MadeCredentials) error {
			until := "until they are revoked"
			if c.ExpiresAt != nil {
				until = "until " + moment(c.ExpiresAt)
			}
			_, err := fmt.Fprintf(w, "credentials %s of %s are good %s\n", clean(c.Name, maxName), partner, until)
			return err
		})
	})
	cmd.Long = "Make credentials for a partner. They are shown this once, and written to a file that only you can read. Credentials of\n" +
		"that name are replaced: the old ones are refused from then on and their connections closed, or after --overlap."
	cmd.Example = "  sheetbridge partners credentials add acme erp --creds erp.creds --expires 2160h"
	cmd.Flags().StringVar(&creds, "creds", "", "`file` to write them to, which must not exist; PARTNER-NAME.creds unless told")
	cmd.Flags().DurationVar(&expires, "expires", 0, "how `long` they are good, such as 2160h; a year unless told")
	cmd.Flags().BoolVar(&never, "never", false, "they never expire")
	cmd.Flags().DurationVar(&overlap, "overlap", 0, "how `long` those that have the name go on beside them, such as 24h; they are refused at once unless told")
	cmd.Flags().BoolVar(&leaf, "leaf", false, "for a server of the partner's own that copies the stream")
	return cmd
}

func credentialRemove() *cobra.Command {
	var yes bool
	cmd := credentialCommand("remove", "Revoke credentials of a partner; their connections close at once", func(q *asking, partner, name string) error {
		if err := sure(q.cmd, yes, "credentials "+name+" of "+partner+" will be refused from now on"); err != nil {
			return err
		}
		return q.do(http.MethodDelete, partnersPath+"/"+partner+"/credentials/"+name, "credentials %s of %s are revoked", name, partner)
	})
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask")
	return cmd
}

// addWithCreds asks for something that is answered with credentials, and puts
// these into a file and nowhere else. The file is made first: what could not be
// kept must not be made, since it is shown once.
func addWithCreds[T any](q *asking, path, api string, body any, show func(io.Writer, *T) error) (err error) {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, os.ErrExist) {
		return &usageError{fmt.Errorf("%s exists: name another file with --creds, or move it away", path)}
	}
	if err != nil {
		return &usageError{fmt.Errorf("--creds: %w", err)}
	}
	written := false
	defer func() {
		err = errors.Join(err, file.Close())
		if !written {
			err = errors.Join(err, os.Remove(path))
		}
	}()
	var answer map[string]json.RawMessage
	if err := q.client.call(q.cmd.Context(), http.MethodPost, api, body, &answer); err != nil {
		return err
	}
	if written, err = writeCredsOf(file, answer); err != nil {
		return err
	}
	return showMade(q, answer, path, written, show)
}

// writeCredsOf moves the credentials of an answer into a file. An account that
// lends no signing key has none.
func writeCredsOf(file *os.File, answer map[string]json.RawMessage) (bool, error) {
	raw, ok := answer["credentials"]
	if !ok {
		return false, nil
	}
	delete(answer, "credentials")
	var text string
	if err := json.Unmarshal(raw, &text); err != nil {
		return false, errors.New("reading the credentials: the answer has none")
	}
	if _, err := file.WriteString(text); err != nil {
		return true, fmt.Errorf("writing the credentials: %w", err)
	}
	if err := file.Sync(); err != nil {
		return true, fmt.Errorf("writing the credentials: %w", err)
	}
	return true, nil
}

// showMade shows an answer whose credentials are in the file now, if it had any.
func showMade[T any](q *asking, answer map[string]json.RawMessage, path string, written bool, show func(io.Writer, *T) error) error {
	if q.json && written {
		name, err := json.Marshal(path)
		if err != nil {
			return err
		}
		answer["credentialsFile"] = name
	}
	raw, err := json.Marshal(answer)
	if err != nil {
		return err
	}
	if q.json {
		return q.print(raw)
	}
	var made T
	if err := json.Unmarshal(raw, &made); err != nil {
		return fmt.Errorf("reading the answer: %w", err)
	}
	out := q.cmd.OutOrStdout()
	if err := show(out, &made); err != nil || !written {
		return err
	}
	_, err = fmt.Fprintf(out, "its credentials are in %s, for you alone to read: pass them on by a safe way and delete the file\n", path)
	return err
}
