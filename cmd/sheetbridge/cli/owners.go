package cli

import (
	"errors"
	"time"

	"github.com/spf13/cobra"

	"github.com/sheetbridge/sheetbridge/cmd/sheetbridge/terminal"
	"github.com/sheetbridge/sheetbridge/webhook/admin"
)

// tokenFlag defines the flag for a file with a token.
func tokenFlag(cmd *cobra.Command) *string {
	return cmd.Flags().String("token-file", "-", "`file` with the token; - is standard input")
}

// tokenEndFlag defines the flag for how long a token is good, and returns what tells when
// it runs out: nil where that is not known.
func tokenEndFlag(cmd *cobra.Command) func() (*time.Time, error) {
	var expires time.Duration
	terminal.DurationVar(cmd.Flags(), &expires, "expires", 0, "the `time` after which the token runs out, such as 90d, to be warned before (default not known)")
	return func() (*time.Time, error) {
		switch {
		case expires < 0:
			return nil, Usagef("--expires must not be negative: use a duration such as 90d")
		case expires == 0:
			return nil, nil
		}
		at := time.Now().Add(expires).UTC().Truncate(time.Second)
		return &at, nil
	}
}

func newOwner(cmd *cobra.Command) bodyFunc {
	var o admin.NewOwner
	var consent bool
	file := tokenFlag(cmd)
	cmd.Flags().StringVar(&o.Region, "region", "us", "where the user's account is: us, eu, au or gov")
	cmd.Flags().StringVar(&o.AssumeUser, "assume-user", "", "act as the `user` with this address; the token must be a System Admin's")
	cmd.Flags().BoolVar(&consent, "oauth", false, "ask the user to consent instead of using a token")
	cmd.Flags().StringVar(&o.Email, "email", "", "with --oauth: the `address` of the user who has to consent")
	end := tokenEndFlag(cmd)
	return func(c *call, n names) (_ any, err error) {
		o.Name = n["NAME"]
		switch {
		case consent && (cmd.Flags().Changed("token-file") || cmd.Flags().Changed("expires") || o.AssumeUser != ""):
			return nil, &UsageError{errors.New("--oauth uses no token: leave out --token-file, --expires and --assume-user")}
		case o.Email != "" && !consent:
			return nil, &UsageError{errors.New("--email says who has to consent: add --oauth, or leave it out")}
		case consent:
			o.Kind = "oauth"
			return o, nil
		}
		if o.ExpiresAt, err = end(); err != nil {
			return nil, err
		}
		o.Token, err = c.readSecret("access token", *file)
		return o, err
	}
}

func newToken(cmd *cobra.Command) bodyFunc {
	file, end := tokenFlag(cmd), tokenEndFlag(cmd)
	return func(c *call, _ names) (any, error) {
		at, err := end()
		if err != nil {
			return nil, err
		}
		token, err := c.readSecret("access token", *file)
		return admin.NewToken{Token: token, ExpiresAt: at}, err
	}
}

// consent writes an address at which an owner consents, with what to do with it.
func consent(value any, _ bool) string {
	if url := plain(value, true); url != "" {
		return url + " (send it to the sheet's owner; it works once, for ten minutes)"
	}
	return ""
}
