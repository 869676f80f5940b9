package main

import (
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sheetbridge/sheetbridge/webhook/admin"
)

// maxName bounds a name out of Smartsheet on a terminal.
const maxName = 80

func accessCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "access OWNER",
		Short: "Compare what an owner's token can reach with what is shared",
		Long: "Compare what an owner's token can reach in Smartsheet with what is shared through the bridge, and say how to have less.\n" +
			"The owner's token is not shown.\n" + askingHelp,
		Example: "  sheetbridge access ops",
		Args:    cobra.ExactArgs(1), ValidArgsFunction: complete(ownersPath, "name"),
	}
	return asks(cmd, func(q *asking, args []string) error {
		if err := named("owner", args[0]); err != nil {
			return err
		}
		return ask(q, http.MethodGet, ownersPath+"/"+args[0]+"/access", nil, func(w io.Writer, report *admin.Access) error {
			_, err := fmt.Fprint(w, accessText(report))
			return err
		})
	})
}

// accessText is the report for people.
func accessText(r *admin.Access) string {
	var b strings.Builder
	role := "no administrator"
	if r.User.Admin {
		role = "a System Admin's token"
	}
	if !r.User.Licensed {
		role += ", not licensed"
	}
	fmt.Fprintf(&b, "owner %s acts for %s (%s), region %s, kind %s, %s\n", r.Owner, clean(r.User.Email, maxName), clean(r.User.Name, maxName), r.Region, r.Kind, role)
	for _, s := range r.Shared {
		permission := s.Permission
		if permission == "" {
			permission = "cannot be read"
		}
		fmt.Fprintf(&b, "  shares %s %q with %s (%s)\n", clean(s.SheetID, 20), clean(s.Name, maxName), strings.Join(s.With, ", "), clean(permission, 20))
	}
	fmt.Fprintf(&b, "%s\n", clean(r.Verdict, 400))
	for _, w := range r.Warnings {
		fmt.Fprintf(&b, "warning: %s\n", clean(w, 400))
	}
	for i, step := range r.Steps {
		fmt.Fprintf(&b, "%d. %s\n", i+1, clean(step, 2000))
	}
	return b.String()
}
