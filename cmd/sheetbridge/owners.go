package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sheetbridge/sheetbridge/webhook/admin"
)

const ownersPath = "/v1/owners"

// askingHelp says what commands need that ask the admin API.
const askingHelp = "It asks a running service, at " + prefix + "_ADMIN_URL (http://127.0.0.1:8081 unless set) with " + prefix + "_ADMIN_TOKEN;\n" +
	"a read-only token will do to look at things."

func ownersCommand() *cobra.Command {
	cmd := ownerList("owners")
	cmd.AddCommand(ownerList("list"), ownerShow(), ownerAdd(), ownerToken(), ownerSheets(), ownerAuthorize(), ownerRemove())
	return cmd
}

// ownerCommand is a command about one owner that is there.
func ownerCommand(use, short, example string, do func(q *asking, name string) error) *cobra.Command {
	cmd := &cobra.Command{Use: use + " OWNER", Short: short, Example: example, Args: exactly("OWNER"), ValidArgsFunction: complete(ownersPath, "name")}
	return asks(cmd, func(q *asking, args []string) error {
		if err := named("owner", args[0]); err != nil {
			return err
		}
		return do(q, args[0])
	})
}

func ownerList(use string) *cobra.Command {
	cmd := &cobra.Command{
		Use: use, Short: "List the owners, in whose name sheets are read, or see to them", Args: listArgs,
		Long: "List the owners: the Smartsheet users in whose name sheets are read. Their tokens are never shown.\n" + askingHelp,
	}
	return asks(cmd, func(q *asking, _ []string) error {
		return ask(q, http.MethodGet, ownersPath, nil, func(w io.Writer, list *itemsOf[admin.Owner]) error {
			t := tableOf("NAME", "USER", "REGION", "KIND", "STATE", "LAST USED", "REASON")
			for _, o := range list.Items {
				t.add(o.Name, o.Email, o.Region, o.Kind, o.State, moment(o.LastUsed), o.Reason)
			}
			return t.write(w, "There is no owner yet: sheetbridge owners add NAME --region us")
		})
	})
}

func ownerShow() *cobra.Command {
	return ownerCommand("show", "Show an owner", "", func(q *asking, name string) error {
		return ask(q, http.MethodGet, ownersPath+"/"+name, nil, showOwner)
	})
}

func showOwner(w io.Writer, o *admin.Owner) error {
	var f facts
	f.add("owner", o.Name)
	f.add("user", o.Email)
	f.add("acts for", o.AssumeUser)
	f.add("region", o.Region)
	f.add("kind", o.Kind)
	f.add("state", o.State)
	f.add("reason", o.Reason)
	f.add("added", moment(&o.CreatedAt))
	f.add("last used", moment(o.LastUsed))
	f.add("requests this minute", countOf(o.RequestsThisMinute))
	f.add("token runs out", moment(o.ExpiresAt))
	for _, warning := range o.Warnings {
		f.add("warning", warning)
	}
	if err := f.write(w); err != nil || o.AuthorizeURL == "" {
		return err
	}
	_, err := fmt.Fprintf(w, "\nSend this address to the sheet's owner, who consents there; it works for ten minutes and once:\n%s\n", clean(o.AuthorizeURL, 2000))
	return err
}

func ownerAdd() *cobra.Command {
	var n admin.NewOwner
	var file string
	var consent bool
	cmd := &cobra.Command{
		Use: "add NAME", Short: "Add an owner, by a token or by a consent", Args: exactly("NAME"),
		Long: "Add a Smartsheet user in whose name sheets are read. The token is read from standard input or a file, never from an\n" +
			"argument; it is tried first, and what Smartsheet refuses is not kept. With --oauth no key changes hands: the answer is\n" +
			"an address at which the sheet's owner consents.",
		Example: "  sheetbridge owners add ops --region eu < token.txt\n  sheetbridge owners add jane --region us --oauth --email jane@a.example",
	}
	asks(cmd, func(q *asking, args []string) error {
		if n.Name = args[0]; consent && (cmd.Flags().Changed("token-file") || n.AssumeUser != "") {
			return &usageError{errors.New("--oauth goes with neither --token-file nor --assume-user")}
		}
		if n.Email != "" && !consent {
			return &usageError{errors.New("--email goes with --oauth: it is who has to consent")}
		}
		if err := named("owner", n.Name); err != nil {
			return err
		}
		if consent {
			n.Kind = "oauth"
		} else {
			token, err := readSecret(cmd, "access token", file)
			if err != nil {
				return err
			}
			n.Token = token
		}
		return ask(q, http.MethodPost, ownersPath, n, showOwner)
	})
	cmd.Flags().StringVar(&n.Region, "region", "us", "where the user's account lives: us, eu, au or gov")
	cmd.Flags().StringVar(&file, "token-file", "-", "`file` with the token; - is standard input")
	cmd.Flags().StringVar(&n.AssumeUser, "assume-user", "", "act as this `user`; the token must be a System Admin's")
	cmd.Flags().BoolVar(&consent, "oauth", false, "ask the user to consent instead of giving a token")
	cmd.Flags().StringVar(&n.Email, "email", "", "with --oauth: the `address` of the user who has to consent")
	return cmd
}

func ownerToken() *cobra.Command {
	var file string
	cmd := ownerCommand("token", "Replace an owner's token", "  sheetbridge owners token ops < new-token.txt", func(q *asking, name string) error {
		token, err := readSecret(q.cmd, "access token", file)
		if err != nil {
			return err
		}
		return ask(q, http.MethodPut, ownersPath+"/"+name+"/token", admin.NewToken{Token: token}, showOwner)
	})
	cmd.Long = "Replace an owner's token by another one of the same user, read from standard input or a file, never from an argument.\n" +
		"What was suspended for the old one goes on at once."
	cmd.Flags().StringVar(&file, "token-file", "-", "`file` with the token; - is standard input")
	return cmd
}

func ownerSheets() *cobra.Command {
	return ownerCommand("sheets", "List the sheets that an owner can read", "", func(q *asking, name string) error {
		return ask(q, http.MethodGet, ownersPath+"/"+name+"/sheets", nil, func(w io.Writer, list *itemsOf[admin.Sheet]) error {
			t := tableOf("ID", "NAME", "PERMISSION")
			for _, s := range list.Items {
				t.add(s.ID, s.Name, strings.ToLower(s.Permission))
			}
			return t.write(w, "It can read no sheet: share one with its user in Smartsheet.")
		})
	})
}

func ownerAuthorize() *cobra.Command {
	return ownerCommand("authorize", "Make an address at which an owner consents (again)", "", func(q *asking, name string) error {
		return ask(q, http.MethodPost, ownersPath+"/"+name+"/authorize", nil, showOwner)
	})
}

func ownerRemove() *cobra.Command {
	var yes bool
	cmd := ownerCommand("remove", "Remove an owner that no sheet uses", "", func(q *asking, name string) error {
		if err := sure(q.cmd, yes, "the token of owner "+name+" will be forgotten"); err != nil {
			return err
		}
		return q.do(http.MethodDelete, ownersPath+"/"+name, "owner %s is removed", name)
	})
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask")
	return cmd
}
