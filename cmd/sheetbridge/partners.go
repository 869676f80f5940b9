package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/spf13/cobra"

	"github.com/sheetbridge/sheetbridge/webhook/admin"
)

const partnersPath = "/v1/partners"

func partnersCommand() *cobra.Command {
	cmd := partnerList("partners")
	cmd.AddCommand(partnerList("list"), partnerShow(), partnerAdd(), partnerChange(), partnerRemove(), credentialsCommand())
	return cmd
}

// partnerCommand is a command about one partner that is there.
func partnerCommand(use, short string, do func(q *asking, name string) error) *cobra.Command {
	cmd := &cobra.Command{Use: use + " PARTNER", Short: short, Args: exactly("PARTNER"), ValidArgsFunction: complete(partnersPath, "name")}
	return asks(cmd, func(q *asking, args []string) error {
		if err := named("partner", args[0]); err != nil {
			return err
		}
		return do(q, args[0])
	})
}

func partnerList(use string) *cobra.Command {
	cmd := &cobra.Command{
		Use: use, Short: "List the partners, who receive events, or see to them", Args: listArgs,
		Long: "List the partners: who receives events, and where.\n" + askingHelp,
	}
	return asks(cmd, func(q *asking, _ []string) error {
		return ask(q, http.MethodGet, partnersPath, nil, func(w io.Writer, list *itemsOf[admin.Partner]) error {
			t := tableOf("NAME", "NATS", "SUBJECTS", "EXTERNAL", "STORAGE", "HISTORY", "ADDED")
			for _, p := range list.Items {
				storage := ""
				if p.Limits != nil {
					storage = p.Limits.Storage
				}
				t.add(p.Name, p.URL, p.Subjects, yes(p.External), storage, fmt.Sprint(p.History), moment(&p.CreatedAt))
			}
			return t.write(w, "There is no partner yet: sheetbridge partners add NAME")
		})
	})
}

func partnerShow() *cobra.Command {
	return partnerCommand("show", "Show a partner", func(q *asking, name string) error {
		return ask(q, http.MethodGet, partnersPath+"/"+name, nil, showPartner)
	})
}

func showPartner(w io.Writer, p *admin.Partner) error {
	var f facts
	f.add("partner", p.Name)
	f.add("nats", p.URL)
	f.add("stream", p.Stream)
	f.add("subjects", p.Subjects)
	f.add("external", yes(p.External))
	f.add("added", moment(&p.CreatedAt))
	f.add("history", fmt.Sprintf("%d messages of each subject", p.History))
	f.add("tombstones", p.Tombstones)
	if l := p.Limits; l != nil {
		f.add("storage", l.Storage)
		f.add("consumers", fmt.Sprint(l.Consumers))
		f.add("connections", fmt.Sprint(l.Connections))
		f.add("payload", l.Payload)
	}
	return f.write(w)
}

func partnerAdd() *cobra.Command {
	var creds, keyFile string
	var nats admin.NATS
	var path string
	cmd := &cobra.Command{
		Use: "add NAME", Short: "Add a partner, and write its first credentials to a file", Args: exactly("NAME"),
		Long: "Add a partner: its NATS account, its stream and its first credentials, which are shown this once and written to a\n" +
			"file that only you can read. With --nats-url the partner's account is at another NATS.",
		Example: "  sheetbridge partners add acme --creds acme.creds\n  sheetbridge partners add globex --nats-url tls://nats.b.example:4222 --nats-creds bridge.creds",
	}
	terms := termFlags(cmd)
	asks(cmd, func(q *asking, args []string) error {
		n := admin.NewPartner{Name: args[0]}
		if err := named("partner", n.Name); err != nil {
			return err
		}
		n.NewTerms = terms()
		if nats.URL != "" || path != "" || keyFile != "" {
			if err := readNATS(cmd, &nats, path, keyFile); err != nil {
				return err
			}
			n.NATS = &nats
		}
		if creds == "" {
			creds = n.Name + ".creds"
		}
		return addWithCreds(q, creds, partnersPath, n, func(w io.Writer, p *admin.MadePartner) error { return showPartner(w, &p.Partner) })
	})
	cmd.Flags().StringVar(&creds, "creds", "", "`file` to write the credentials to, which must not exist; NAME.creds unless told")
	cmd.Flags().StringVar(&nats.URL, "nats-url", "", "`address` of another NATS at which the partner has an account")
	cmd.Flags().StringVar(&path, "nats-creds", "", "`file` with the credentials by which the bridge publishes there")
	cmd.Flags().StringVar(&keyFile, "nats-signing-key-file", "", "`file` with a signing key of that account, to mint the partner's credentials with")
	return cmd
}

// readNATS reads what is needed to use an account at another NATS.
func readNATS(cmd *cobra.Command, nats *admin.NATS, creds, key string) (err error) {
	if nats.URL == "" || creds == "" {
		return &usageError{errors.New("an account at another NATS wants --nats-url and --nats-creds")}
	}
	if nats.Credentials, err = readText(cmd, "--nats-creds", creds); err != nil || key == "" {
		return err
	}
	nats.SigningKey, err = readSecret(cmd, "--nats-signing-key-file", key)
	return err
}

// termFlags are the flags of a partner's terms, and what they say: nothing of
// those that are not given.
func termFlags(cmd *cobra.Command) func() admin.NewTerms {
	var storage, payload, tombstones string
	var consumers, connections, history int
	flags := cmd.Flags()
	flags.StringVar(&storage, "storage", "", "`size` of its stream on disk, such as 1GiB")
	flags.StringVar(&payload, "payload", "", "`size` of the largest request that it may send, such as 512KiB")
	flags.IntVar(&consumers, "consumers", 0, "how many consumers it may have")
	flags.IntVar(&connections, "connections", 0, "how many connections it may have open at once")
	flags.IntVar(&history, "history", 0, "how many messages of each subject are kept")
	flags.StringVar(&tombstones, "tombstones", "", "how `long` it is kept that an object was deleted, such as 720h")
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
			"tombstones":  func() { n.Tombstones = &tombstones },
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

func partnerChange() *cobra.Command {
	var terms func() admin.NewTerms
	cmd := partnerCommand("change", "Change a partner's limits, history or tombstones", func(q *asking, name string) error {
		n := terms()
		if n.Limits == nil && n.History == nil && n.Tombstones == nil {
			return &usageError{errors.New("nothing is to be changed: give --storage, --payload, --consumers, --connections, --history or --tombstones")}
		}
		return ask(q, http.MethodPatch, partnersPath+"/"+name, n, showPartner)
	})
	terms = termFlags(cmd)
	return cmd
}

func partnerRemove() *cobra.Command {
	var yes bool
	cmd := partnerCommand("remove", "Remove a partner with its shares, its account and its stream", func(q *asking, name string) error {
		if err := sure(q.cmd, yes, "the shares, the stream and all credentials of partner "+name+" will be gone"); err != nil {
			return err
		}
		return q.do(http.MethodDelete, partnersPath+"/"+name, "partner %s is removed", name)
	})
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask")
	return cmd
}
