package registry

import (
	"time"

	"github.com/sheetbridge/sheetbridge/events/seal"
	"github.com/sheetbridge/sheetbridge/smartsheet"
)

// OwnerState says whether an owner's access works.
type OwnerState string

// States of an owner.
const (
	OwnerOK        OwnerState = "ok"
	OwnerAuthorize OwnerState = "authorize" // OAuth consent is awaited
	OwnerRefused   OwnerState = "refused"   // Smartsheet refuses the token
	OwnerSuspended OwnerState = "suspended" // consent was revoked or an administrator blocks it
)

// Owner is a Smartsheet user whose access the bridge uses.
type Owner struct {
	Name       string            `json:"name"`
	Region     smartsheet.Region `json:"region"`
	Kind       string            `json:"kind"` // token, assume or oauth
	UserID     int64             `json:"userId,string"`
	Email      string            `json:"email"`
	AssumeUser string            `json:"assumeUser,omitempty"`
	Token      seal.Sealed       `json:"token"`
	TokenID    string            `json:"tokenId"` // keyed hash of region and token: what a budget counts by
	State      OwnerState        `json:"state"`
	Reason     string            `json:"reason,omitempty"`
	CreatedAt  time.Time         `json:"createdAt"`
	ExpiresAt  *time.Time        `json:"expiresAt,omitempty"` // when a token runs out that somebody gave; nil: nobody said
	OAuth      *OAuth            `json:"oauth,omitempty"`     // of kind oauth: what keeps the token alive

	Revision uint64 `json:"-"` // of the record, for optimistic locking
}

// OAuth is how an owner's token came from a consent and how it is renewed. A
// refresh token works once: who uses it holds the lease.
type OAuth struct {
	Refresh    seal.Sealed           `json:"refresh,omitempty"`
	ExpiresAt  time.Time             `json:"expiresAt,omitzero"` // of the access token
	RenewedAt  time.Time             `json:"renewedAt,omitzero"`
	Generation int64                 `json:"generation"`       // counts the pairs of tokens
	Lease      *Lease                `json:"lease,omitempty"`  // who makes the next pair at the moment
	Pending    *PendingAuthorization `json:"asking,omitempty"` // the consent that is waited for
}

// Lease is the right of one process to use a refresh token until then.
type Lease struct {
	Holder string    `json:"holder"`
	Until  time.Time `json:"until"`
}

// PendingAuthorization is a consent that somebody was sent to give.
type PendingAuthorization struct {
	State []byte    `json:"state"` // SHA-256 of what comes back with the browser
	Until time.Time `json:"until"`
}

// Credential is one set of credentials of a partner.
type Credential struct {
	Name      string     `json:"name"`
	PublicKey string     `json:"publicKey"`
	CreatedAt time.Time  `json:"createdAt"`
	ExpiresAt *time.Time `json:"expiresAt,omitempty"`
	Leaf      bool       `json:"leaf,omitempty"` // of a server of the partner's own
	// OverlapUntil is when they are refused, since others took their name; nil: they
	// have it still.
	OverlapUntil *time.Time `json:"overlapUntil,omitempty"`
}

// Invitation is a link that a partner uses once to get credentials. Its token is
// kept as a hash alone.
type Invitation struct {
	ID          string     `json:"id"`
	Credentials string     `json:"credentials"` // name of those that it gives
	TokenHash   []byte     `json:"tokenHash"`   // SHA-256
	CreatedAt   time.Time  `json:"createdAt"`
	ExpiresAt   time.Time  `json:"expiresAt"`
	UsedAt      *time.Time `json:"usedAt,omitempty"`
}

// Partner is a company that receives events.
type Partner struct {
	Name        string           `json:"name"`
	Account     *Account         `json:"account,omitempty"`  // where we mint credentials
	External    *External        `json:"external,omitempty"` // where the account is somewhere else
	MaskKey     seal.Sealed      `json:"maskKey"`
	Credentials []Credential     `json:"credentials"`
	Invitations []Invitation     `json:"invitations,omitempty"`
	Revoked     map[string]int64 `json:"revoked,omitempty"` // user public key → Unix second
	CreatedAt   time.Time        `json:"createdAt"`
	Contact     *Contact         `json:"contact,omitempty"` // where it is told what concerns it; nil: nowhere
	Terms

	Revision uint64 `json:"-"`
}

// Contact is where a partner is told what concerns it.
type Contact struct {
	Host   string      `json:"host"` // of the address, which may have a secret in it
	URL    seal.Sealed `json:"url"`
	Secret seal.Sealed `json:"secret"` // that signs what is sent
}

// Account is a partner's NATS account, and the account of its stream, that the
// bridge holds the keys of.
type Account struct {
	PublicKey   string      `json:"publicKey"`
	Seed        seal.Sealed `json:"seed"`
	SigningSeed seal.Sealed `json:"signingSeed"`
	StorageKey  string      `json:"storageKey"` // public key of the account of the stream
	StorageSeed seal.Sealed `json:"storageSeed"`
}

// ID tells one account from another.
func (a *Account) ID() string {
	if a == nil {
		return ""
	}
	return a.PublicKey
}

// ID tells one place and its credentials from another.
func (e *External) ID() string {
	if e == nil {
		return ""
	}
	return e.URL + string(e.Credentials)
}

// External is an account at another NATS, and how the bridge gets there.
type External struct {
	URL         string      `json:"url"`
	Credentials seal.Sealed `json:"credentials"`
}

// Phase is how far a registration has come.
type Phase string

// Phases of a registration. One that stays in PhaseCreating was given up by the
// process that made it.
const (
	PhaseCreating Phase = "creating"
	PhaseActive   Phase = "active"
	PhaseDeleting Phase = "deleting"
)

// Registration is our record of one webhook: whose it is and for which sheet.
// Who may see what of the sheet are its shares, which are records of their own.
type Registration struct {
	ID        string      `json:"id"`
	Owner     string      `json:"owner"`
	SheetID   int64       `json:"sheetId,string"`
	SheetName string      `json:"sheetName"`
	WebhookID int64       `json:"webhookId,string"` // 0: none yet, or polling
	Key       seal.Sealed `json:"key"`              // the unguessable end of its callbackUrl
	Secret    seal.Sealed `json:"secret,omitempty"`
	OldSecret seal.Sealed `json:"oldSecret,omitempty"` // accepted until OldUntil
	OldUntil  time.Time   `json:"oldUntil,omitzero"`
	Phase     Phase       `json:"phase"`
	Status    string      `json:"status"` // of the webhook at Smartsheet, or POLLING
	Reason    string      `json:"reason,omitempty"`
	CreatedAt time.Time   `json:"createdAt"`
	Until     time.Time   `json:"until,omitzero"` // PhaseCreating beyond this is abandoned

	Revision uint64  `json:"-"`
	opened   *opened // secrets, unsealed once when the record came; behind a pointer nothing prints them
}

// opened holds what a registration's sealed fields say.
type opened struct {
	key, secret, oldSecret seal.Secret
}

// CallbackKey is the last part of the registration's callbackUrl.
func (r *Registration) CallbackKey() seal.Secret {
	if r.opened == nil {
		return ""
	}
	return r.opened.key
}

// Secrets returns the shared secrets that sign its callbacks at the moment, the
// current one first.
func (r *Registration) Secrets(now time.Time) []seal.Secret {
	if r.opened == nil {
		return nil
	}
	secrets := make([]seal.Secret, 0, 2)
	if r.opened.secret != "" {
		secrets = append(secrets, r.opened.secret)
	}
	if r.opened.oldSecret != "" && now.Before(r.OldUntil) {
		secrets = append(secrets, r.opened.oldSecret)
	}
	return secrets
}
