package partner

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/webhook/problem"
	"github.com/sheetbridge/sheetbridge/webhook/registry"
)

const (
	// JoinPath is where invitations are opened, with the token behind it.
	JoinPath = "/join/"
	// InvitationLife is how long an invitation is good by default, and
	// maxInvitationLife the longest.
	InvitationLife    = 7 * 24 * time.Hour
	maxInvitationLife = 90 * 24 * time.Hour
	// joinOverlap is how long credentials go on that an invitation replaces: who
	// opens it has to put the new ones where the old ones are.
	joinOverlap = 24 * time.Hour

	maxInvitations = 50 // of one partner that are listed, open or not
	tokenRandom    = 32 // bytes
)

// errNoInvitation says that a token is of no open invitation: one that was used,
// has expired or was withdrawn, or of none at all. Nobody is told which.
var errNoInvitation = errors.New("there is no open invitation with this token")

// States of an invitation.
const (
	StateOpen    = "open"
	StateUsed    = "used"
	StateExpired = "expired"
)

// StateOf is how an invitation stands.
func StateOf(v registry.Invitation) string {
	switch {
	case v.UsedAt != nil:
		return StateUsed
	case !time.Now().Before(v.ExpiresAt):
		return StateExpired
	}
	return StateOpen
}

// Invitations are links that a partner uses once to get credentials.
type Invitations struct {
	Accounts  *Accounts
	PublicURL string // whose JoinPath leads to Handler; empty: there are none
}

// Invite makes an invitation to credentials with the name. It returns its address,
// which is a secret and nowhere else. A zero expires is InvitationLife from now.
func (v *Invitations) Invite(ctx context.Context, partner, name string, expires time.Time) (*registry.Invitation, string, error) {
	p, err := v.Accounts.Find(partner)
	if err != nil {
		return nil, "", err
	}
	if v.PublicURL == "" {
		return nil, "", problem.New(problem.Conflict, "", "an invitation needs an address that the partner reaches: set SHEETBRIDGE_PUBLIC_URL; or make credentials with POST /v1/partners/%s/credentials and pass them on", p.Name).
			Next(problem.MakeCredentials.For(p.Name))
	}
	if _, err := v.Accounts.withAccount(partner); err != nil {
		return nil, "", err
	}
	made := now()
	if expires.IsZero() {
		expires = made.Add(InvitationLife)
	}
	if expires = expires.UTC().Truncate(time.Second); !expires.After(made) || expires.After(made.Add(maxInvitationLife)) {
		return nil, "", problem.New(problem.Invalid, "expiresAt", "want a time within the next 90 days, or leave it out for 7 days")
	}
	random := make([]byte, tokenRandom)
	rand.Read(random)
	token := base64.RawURLEncoding.EncodeToString(random)
	hash := sha256.Sum256([]byte(token))
	invitation := registry.Invitation{ID: uuid.NewString(), Credentials: name, TokenHash: hash[:], CreatedAt: made, ExpiresAt: expires}
	err = v.Accounts.Registry.UpdatePartner(ctx, partner, func(p *registry.Partner) error {
		p.Invitations = slices.DeleteFunc(p.Invitations, func(old registry.Invitation) bool { return old.ExpiresAt.Add(forgetAfter).Before(made) })
		if len(p.Invitations) >= maxInvitations {
			return problem.New(problem.Conflict, "", "partner %q has %d invitations: delete some that are used or not needed", p.Name, maxInvitations).Next(problem.ListInvitations.For(p.Name))
		}
		p.Invitations = append(p.Invitations, invitation)
		return nil
	})
	if err != nil {
		return nil, "", err
	}
	return &invitation, strings.TrimSuffix(v.PublicURL, "/") + JoinPath + token, nil
}

// Withdraw removes an invitation; nobody can use it any more.
func (v *Invitations) Withdraw(ctx context.Context, partner, id string) error {
	p, err := v.Accounts.Find(partner)
	if err != nil {
		return err
	}
	return v.Accounts.Registry.UpdatePartner(ctx, p.Name, func(p *registry.Partner) error {
		before := len(p.Invitations)
		p.Invitations = slices.DeleteFunc(p.Invitations, func(old registry.Invitation) bool { return old.ID == id })
		if len(p.Invitations) == before {
			return problem.New(problem.NotFound, "", "partner %q has no invitation %q: GET /v1/partners/%s/invitations lists them", p.Name, clip(id), p.Name).Next(problem.ListInvitations.For(p.Name))
		}
		return nil
	})
}

// find returns the open invitation with the token, and whose it is; errNoInvitation
// for none. All are compared, whichever it is.
func (v *Invitations) find(token string) (*registry.Partner, *registry.Invitation, error) {
	hash := sha256.Sum256([]byte(token))
	var whose *registry.Partner
	var found *registry.Invitation
	for _, p := range v.Accounts.Registry.Partners() {
		for i := range p.Invitations {
			if subtle.ConstantTimeCompare(p.Invitations[i].TokenHash, hash[:]) == 1 {
				whose, found = p, &p.Invitations[i]
			}
		}
	}
	if found == nil || StateOf(*found) != StateOpen {
		return nil, nil, errNoInvitation
	}
	return whose, found, nil
}

// openInvitation is what a program is told of an invitation that can be used.
type openInvitation struct {
	Partner   string    `json:"partner"`
	Name      string    `json:"name"` // of the credentials
	OpenUntil time.Time `json:"openUntil"`
}

// Joined is what the user of an invitation gets.
type Joined struct {
	Partner   string     `json:"partner"`
	Name      string     `json:"name"` // of the credentials
	JWT       string     `json:"jwt"`
	URL       string     `json:"url"`
	Stream    string     `json:"stream"`
	Subjects  string     `json:"subjects"`
	ExpiresAt *time.Time `json:"expiresAt"` // of the credentials; null: never

	creds string // text of a .creds file, where no public key was given
}

// take uses the invitation up: of all that bring its token one gets credentials,
// for the key whose public half is given, or with one that is made here.
func (v *Invitations) take(ctx context.Context, p *registry.Partner, invitation *registry.Invitation, publicKey string) (*Joined, error) {
	n := NewCredentials{Name: invitation.Credentials, PublicKey: publicKey}
	if p.External == nil {
		n.Overlap = joinOverlap
	}
	made, err := v.Accounts.make(ctx, p.Name, n, func(p *registry.Partner) error {
		i := slices.IndexFunc(p.Invitations, func(now registry.Invitation) bool { return now.ID == invitation.ID })
		if i < 0 || StateOf(p.Invitations[i]) != StateOpen {
			return errNoInvitation
		}
		used := now()
		p.Invitations[i].UsedAt = &used
		return nil
	})
	if errors.Is(err, registry.ErrNotFound) { // the partner was removed
		return nil, errNoInvitation
	}
	if err != nil {
		return nil, err
	}
	return &Joined{
		Partner: p.Name, Name: made.Name, JWT: made.JWT, URL: v.Accounts.URL(p), Stream: events.StreamName,
		Subjects: "smartsheet." + p.Name + ".>", ExpiresAt: made.ExpiresAt, creds: made.Creds,
	}, nil
}

// URL is where the partner is told that its NATS is.
func (a *Accounts) URL(p *registry.Partner) string {
	switch {
	case p.External != nil:
		return p.External.URL
	case a.Broker != nil:
		return a.Broker.URL()
	}
	return ""
}
