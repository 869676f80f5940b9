package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/sheetbridge/sheetbridge/cmd/sheetbridge/terminal"
	"github.com/sheetbridge/sheetbridge/webhook/admin"
)

func addPartner(p *program, r *resource, a *action) *cobra.Command {
	var creds, bridgeCreds string
	var nats admin.NATS
	cmd := p.commandOf(r, a)
	cmd.Long = "Add a partner: its NATS account, its stream and its first credentials. These are shown only now; they are written to a\n" +
		"file that only you can read. With --nats-url the partner's account is at another NATS."
	cmd.Example = "  sheetbridge partners add acme --creds acme.creds\n  sheetbridge partners add globex --nats-url tls://nats.b.example:4222 --nats-creds bridge.creds"
	terms := termFlags(cmd)
	cmd.Flags().StringVar(&creds, "creds", "", "`file` to write the credentials to, which must not exist (default NAME.creds)")
	cmd.Flags().StringVar(&nats.URL, "nats-url", "", "`address` of another NATS where the partner has an account")
	cmd.Flags().StringVar(&bridgeCreds, "nats-creds", "", "`file` with the credentials with which the bridge publishes there")
	return p.changes(cmd, []string{formatText, formatJSON}, false, func(c *call, args []string) error {
		n, err := r.names(a.args, args)
		if err != nil {
			return err
		}
		partner := admin.NewPartner{Name: n["NAME"], NewTerms: terms()}
		if nats.URL != "" || bridgeCreds != "" {
			if err := c.readNATS(&nats, bridgeCreds); err != nil {
				return err
			}
			partner.NATS = &nats
		}
		if creds == "" {
			creds = partner.Name + ".creds"
		}
		return c.addWithCreds(creds, r.path, partner, r.facts)
	})
}

// readNATS reads what is needed to use an account at another NATS.
func (c *call) readNATS(nats *admin.NATS, creds string) (err error) {
	if nats.URL == "" || creds == "" {
		return &UsageError{errors.New("an account at another NATS needs both --nats-url and --nats-creds")}
	}
	nats.Credentials, err = c.readText("--nats-creds", creds)
	return err
}

// termFlags defines the flags for a partner's terms, and returns what they say:
// nothing about those that are not given.
func termFlags(cmd *cobra.Command) func() admin.NewTerms {
	var storage, payload string
	var tombstones time.Duration
	var consumers, connections, history int
	var sources []string
	var attributes map[string]string
	flags := cmd.Flags()
	flags.StringToStringVar(&attributes, "attributes", nil, "`texts` that the filters of its shares may name, such as region=EMEA for partner.region, separated by commas; these\nare all that it has then, and \"\" is none")
	flags.StringSliceVar(&sources, "sources", nil, "`networks` from which its credentials work, separated by commas; \"\" is everywhere")
	flags.StringVar(&storage, "storage", "", "`size` of its stream on disk, such as 1GiB")
	flags.StringVar(&payload, "payload", "", "`size` of the largest request that it may send, such as 512KiB")
	flags.IntVar(&consumers, "consumers", 0, "how many consumers it may have")
	flags.IntVar(&connections, "connections", 0, "how many connections it may have at once")
	flags.IntVar(&history, "history", 0, "how many messages of each subject are kept")
	terminal.DurationVar(flags, &tombstones, "tombstones", 0, "the `time` for which the deletion of an object is kept, such as 30d")
	return func() admin.NewTerms {
		var n admin.NewTerms
		var l admin.NewLimits
		limited := false
		for flag, set := range map[string]func(){
			"storage":     func() { l.Storage, limited = &storage, true },
			"payload":     func() { l.Payload, limited = &payload, true },
			"consumers":   func() { l.Consumers, limited = &consumers, true },
			"connections": func() { l.Connections, limited = &connections, true },
			"history":     func() { n.History = &history },
			"sources":     func() { n.Sources = &sources },
			"attributes":  func() { n.Attributes = &attributes },
			"tombstones":  func() { text := tombstones.String(); n.Tombstones = &text },
		} {
			if flags.Changed(flag) {
				set()
			}
		}
		if limited {
			n.Limits = &l
		}
		return n
	}
}

func newTerms(cmd *cobra.Command) bodyFunc {
	terms := termFlags(cmd)
	return func(*call, names) (any, error) {
		n := terms()
		if n.Limits == nil && n.History == nil && n.Tombstones == nil && n.Sources == nil && n.Attributes == nil {
			return nil, &UsageError{errors.New("there is nothing to change: give --storage, --payload, --consumers, --connections, --history, --tombstones, --sources or --attributes")}
		}
		return n, nil
	}
}

func newInvitation(cmd *cobra.Command) bodyFunc {
	var expires time.Duration
	terminal.DurationVar(cmd.Flags(), &expires, "expires", 0, "the `time` for which the link works, such as 30d (default 7d)")
	return func(_ *call, n names) (any, error) {
		body := admin.NewInvitation{Name: n["NAME"]}
		if expires < 0 {
			return nil, Usagef("--expires must not be negative: use a duration such as 7d")
		}
		if expires > 0 {
			at := time.Now().Add(expires).UTC().Truncate(time.Second)
			body.ExpiresAt = &at
		}
		return body, nil
	}
}

// contact is a NewContact that a dry run shows without its address, which may have a
// secret in it.
type contact struct{ admin.NewContact }

func (c contact) withoutSecrets() any {
	c.URL = "(secret)"
	return c.NewContact
}

func newContact(cmd *cobra.Command) bodyFunc {
	var file string
	cmd.Flags().StringVar(&file, "url-file", "-", "`file` to read the address from; - is standard input")
	return func(c *call, _ names) (any, error) {
		address, err := c.readSecret("address", file)
		return contact{admin.NewContact{URL: address}}, err
	}
}

func addCredentials(p *program, r *resource, a *action) *cobra.Command {
	var creds string
	var expires, overlap time.Duration
	var leaf, never bool
	cmd := p.commandOf(r, a)
	cmd.Long = "Make credentials for a partner. They are shown only now; they are written to a file that only you can read. Credentials\n" +
		"of the same name are replaced: the old ones are refused from then on and their connections closed, or after --overlap."
	cmd.Example = "  sheetbridge partners credentials add acme erp --creds erp.creds --expires 90d"
	cmd.Flags().StringVar(&creds, "creds", "", "`file` to write them to, which must not exist (default PARTNER-NAME.creds)")
	terminal.DurationVar(cmd.Flags(), &expires, "expires", 0, "the `time` for which they are valid, such as 90d (default a year)")
	cmd.Flags().BoolVar(&never, "never", false, "they do not expire")
	terminal.DurationVar(cmd.Flags(), &overlap, "overlap", 0, "the `time` for which credentials that they replace stay valid, such as 24h (default none)")
	cmd.Flags().BoolVar(&leaf, "leaf", false, "for a NATS server of the partner that copies the stream")
	return p.changes(cmd, []string{formatText, formatJSON}, false, func(c *call, args []string) error {
		n, err := r.names(r.args, args)
		if err != nil {
			return err
		}
		body := admin.NewCredentials{Name: n["NAME"], Leaf: leaf}
		switch {
		case expires < 0 || overlap < 0:
			return Usagef("--expires and --overlap must not be negative: use a duration such as 90d")
		case never && expires > 0:
			return Usagef("--never and --expires contradict each other: give one of them")
		case expires > 0:
			body.ExpiresAt.At = time.Now().Add(expires).UTC().Truncate(time.Second)
		}
		if body.ExpiresAt.Null = never; overlap > 0 {
			body.Overlap = overlap.String()
		}
		if creds == "" {
			creds = n["PARTNER"] + "-" + n["NAME"] + ".creds"
		}
		return c.addWithCreds(creds, n.in(r.path), body, []column{{name: "credentials", field: "name"}, {name: "expire", field: "expiresAt", format: orNever}})
	})
}

// orNever writes a time, or that there is none.
func orNever(value any, full bool) string {
	if value == nil {
		return "never"
	}
	return when(value, full)
}

// addWithCreds makes something whose answer has credentials, and writes these to a
// file and nowhere else. The file is made first: credentials are shown once, so
// nothing may be made that could not be stored.
func (c *call) addWithCreds(path, api string, body any, facts []column) (err error) {
	if _, err := os.Stat(path); err == nil {
		return Usagef("%s exists: name another file with --creds, or move it away", path)
	}
	if c.dryRun {
		return c.wouldCall(http.MethodPost, api, body, "")
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return Usagef("--creds: %w", err)
	}
	written := false
	defer func() {
		err = errors.Join(err, file.Close())
		if !written {
			err = errors.Join(err, os.Remove(path))
		}
	}()
	var answer item
	if err := c.send(http.MethodPost, api, body, &answer, ""); err != nil {
		return err
	}
	if written, err = writeCreds(file, answer); err != nil {
		return err
	}
	return c.showMade(answer, path, written, facts)
}

// writeCreds moves the credentials of an answer into a file. Where the account is at
// another NATS the answer has none.
func writeCreds(file *os.File, answer item) (bool, error) {
	text := answer.text("credentials")
	delete(answer, "credentials")
	if text == "" {
		return false, nil
	}
	_, err := file.WriteString(text)
	if err = errors.Join(err, file.Sync()); err != nil {
		return true, fmt.Errorf("writing the credentials: %w", err)
	}
	return true, nil
}

// showMade shows an answer whose credentials are in the file now, if it had any.
func (c *call) showMade(answer item, path string, written bool, facts []column) error {
	if c.json() {
		if written {
			answer["credentialsFile"] = path
		}
		text, err := json.Marshal(answer)
		if err != nil {
			return err
		}
		return c.print(json.RawMessage(text))
	}
	if err := c.show(facts, nil, answer); err != nil || !written {
		return err
	}
	_, err := fmt.Fprintf(c.out, "\nThe credentials are in %s, which only you can read. Send it to the partner over a safe\nchannel, then delete it.\n", path)
	return err
}
