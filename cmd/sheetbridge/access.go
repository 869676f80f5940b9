package main

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/webhook/admin"
)

// maxName bounds a name out of Smartsheet on a terminal.
const maxName = 80

func accessCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "access OWNER",
		Short: "Compare what an owner's token can reach with what is shared",
		Long: "Compare what an owner's token can reach in Smartsheet with what is shared through the bridge, and say how to have less.\n" +
			"It asks a running service, at " + prefix + "_ADMIN_URL (http://127.0.0.1:8081 unless set) with " + prefix + "_ADMIN_TOKEN;\n" +
			"a read-only token will do. The owner's token is not shown.",
		Example: "  sheetbridge access ops",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if !events.ValidName(args[0]) {
				return &usageError{fmt.Errorf("%q is no owner's name", args[0])}
			}
			client, err := adminFromEnv()
			if err != nil {
				return &usageError{err}
			}
			defer client.close()
			var report admin.Access
			if err := client.call(cmd.Context(), http.MethodGet, "/v1/owners/"+args[0]+"/access", nil, &report); err != nil {
				return err
			}
			_, err = fmt.Fprint(cmd.OutOrStdout(), accessText(&report))
			return err
		},
	}
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
