package cli

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/sheetbridge/sheetbridge/webhook/admin"
)

// tokenFlag defines the flag for a file with a token.
func tokenFlag(cmd *cobra.Command) *string {
	return cmd.Flags().String("token-file", "-", "`file` with the token; - is standard input")
}

func newOwner(cmd *cobra.Command) bodyFunc {
	var o admin.NewOwner
	var consent bool
	file := tokenFlag(cmd)
	cmd.Flags().StringVar(&o.Region, "region", "us", "where the user's account is: us, eu, au or gov")
	cmd.Flags().StringVar(&o.AssumeUser, "assume-user", "", "act as the `user` with this address; the token must be a System Admin's")
	cmd.Flags().BoolVar(&consent, "oauth", false, "ask the user to consent instead of using a token")
	cmd.Flags().StringVar(&o.Email, "email", "", "with --oauth: the `address` of the user who has to consent")
	return func(c *call, n names) (_ any, err error) {
		o.Name = n["NAME"]
		switch {
		case consent && (cmd.Flags().Changed("token-file") || o.AssumeUser != ""):
			return nil, &UsageError{errors.New("--oauth uses no token: leave out --token-file and --assume-user")}
		case o.Email != "" && !consent:
			return nil, &UsageError{errors.New("--email says who has to consent: add --oauth, or leave it out")}
		case consent:
			o.Kind = "oauth"
			return o, nil
		}
		o.Token, err = c.readSecret("access token", *file)
		return o, err
	}
}

func newToken(cmd *cobra.Command) bodyFunc {
	file := tokenFlag(cmd)
	return func(c *call, _ names) (any, error) {
		token, err := c.readSecret("access token", *file)
		return admin.NewToken{Token: token}, err
	}
}

// consent writes an address at which an owner consents, with what to do with it.
func consent(value any, _ bool) string {
	if url := plain(value, true); url != "" {
		return url + " (send it to the sheet's owner; it works once, for ten minutes)"
	}
	return ""
}
