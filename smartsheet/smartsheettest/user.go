package smartsheettest

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"time"
)

// User is a person with a Smartsheet account.
type User struct {
	ID    int64 // given by AddUser if zero
	Email string
	Name  string // full name; empty means the e-mail address
	Admin bool   // System Admin: may list users and assume others
	Free  bool   // has no licence: cannot create sheets

	inactive, unlicensed bool
}

type tokenKey [sha256.Size]byte

type token struct {
	user    int64
	expires time.Time // zero: never
	consent *consent  // nil: the user's own token
	revoked bool
	spent   spending
}

// AddUser adds a user and returns it with its id.
func (s *Server) AddUser(u User) *User {
	s.lock()
	defer s.mu.Unlock()
	if u.ID == 0 {
		u.ID = s.ids.next()
	}
	if u.Name == "" {
		u.Name = u.Email
	}
	s.users[u.ID] = &u
	handle := u
	return &handle
}

// AddToken makes a new access token for the user, who may have many.
func (s *Server) AddToken(u *User) string {
	return s.AddTokenUntil(u, time.Time{})
}

// AddTokenUntil makes a token that is refused with 401/1003 from then on.
func (s *Server) AddTokenUntil(u *User, expires time.Time) string {
	s.lock()
	defer s.mu.Unlock()
	text := randomText(37, alphanumeric)
	s.tokens[sha256.Sum256([]byte(text))] = &token{user: u.ID, expires: expires}
	return text
}

// RevokeToken lets the token be refused with 401/1002. Webhooks that were made
// with it go on, as the service's do.
func (s *Server) RevokeToken(text string) {
	s.lock()
	defer s.mu.Unlock()
	if t := s.tokens[sha256.Sum256([]byte(text))]; t != nil {
		t.revoked = true
	}
}

// DeactivateUser refuses all tokens of the user and disables the user's
// webhooks for good, without a word to their receivers.
func (s *Server) DeactivateUser(u *User) {
	s.lock()
	defer s.mu.Unlock()
	user := s.users[u.ID]
	if user == nil {
		return
	}
	user.inactive = true
	for _, w := range s.webhookOrder {
		if w.owner == user.ID {
			s.disable(w, statusAdministrative)
		}
	}
}

// SetLicence takes the user's licence away or gives it back. Without one all
// tokens of the user are refused with 403/1013, and none can be had by consent.
func (s *Server) SetLicence(u *User, licensed bool) {
	s.lock()
	defer s.mu.Unlock()
	if user := s.users[u.ID]; user != nil {
		user.Free, user.unlicensed = !licensed, !licensed
	}
}

func (s *Server) userByEmail(email string) *User {
	for _, u := range s.users {
		if strings.EqualFold(u.Email, email) {
			return u
		}
	}
	return nil
}

// person is how rows, comments and attachments name a user.
func (s *Server) person(id int64) map[string]any {
	u := s.users[id]
	if u == nil {
		return map[string]any{}
	}
	return map[string]any{"email": u.Email, "name": u.Name}
}

func (u *User) json() map[string]any {
	first, last, _ := strings.Cut(u.Name, " ")
	return map[string]any{
		"id": u.ID, "email": u.Email, "firstName": first, "lastName": last,
		"admin": u.Admin, "licensedSheetCreator": !u.Free, "groupAdmin": false, "resourceViewer": !u.Free,
	}
}

func (s *Server) getMe(c *call) (any, error) {
	me := c.user.json()
	me["locale"], me["timeZone"] = "en_US", "US/Pacific"
	me["account"] = map[string]any{"id": 4212345678901124, "name": "Smartsheet in memory"}
	me["alternateEmails"], me["sheetCount"] = []any{}, len(s.visibleSheets(c.user.ID))
	if c.includes("groups") {
		me["groups"] = []any{}
	}
	return me, nil
}

func (s *Server) listUsers(c *call) (any, error) {
	if !c.user.Admin {
		return nil, errForbidden()
	}
	wanted := splitList(c.query.Get("email"))
	var list []map[string]any
	for _, u := range s.users {
		if len(wanted) > 0 && !slices.Contains(wanted, u.Email) {
			continue
		}
		item := u.json()
		item["name"], item["status"], item["sheetCount"] = u.Name, "ACTIVE", -1
		if u.inactive {
			item["status"] = "DEACTIVATED"
		}
		list = append(list, item)
	}
	slices.SortFunc(list, func(a, b map[string]any) int {
		return strings.Compare(fmt.Sprint(a["email"]), fmt.Sprint(b["email"]))
	})
	return paged(c, list)
}
