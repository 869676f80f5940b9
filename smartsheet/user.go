package smartsheet

import "context"

// User is who a token speaks for.
type User struct {
	ID                   int64  `json:"id"`
	Email                string `json:"email"`
	FirstName            string `json:"firstName,omitempty"`
	LastName             string `json:"lastName,omitempty"`
	Admin                bool   `json:"admin"`                // a System Admin: may assume other users
	LicensedSheetCreator bool   `json:"licensedSheetCreator"` // may own sheets
}

// Me asks whom the token speaks for. Any valid token may, whatever its scopes.
func (c *Client) Me(ctx context.Context) (*User, error) {
	return get(ctx, c, request{route: "/users/me"}, func(u *User) bool { return u.ID != 0 })
}
