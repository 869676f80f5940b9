package broker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"

	"github.com/sheetbridge/sheetbridge/events/seal"
)

// Limits bound what a partner can take. 0 is the default, -1 no limit.
type Limits struct {
	Connections   int   `json:"connections,omitempty"`   // open at once; default 16
	Subscriptions int   `json:"subscriptions,omitempty"` // of one connection; default 256
	Payload       int64 `json:"payload,omitempty"`       // bytes of a request a partner sends; default 512 KiB. What it receives is up to 8 MiB
	Storage       int64 `json:"storage,omitempty"`       // bytes of its stream on disk, set aside for it; nothing is stored once they are used up; default 1 GiB
	Consumers     int   `json:"consumers,omitempty"`     // of its stream; default 64
}

// Effective returns the limits with the defaults filled in; -1 is no limit.
func (l Limits) Effective() Limits {
	return Limits{
		Connections:   int(orDefault(int64(l.Connections), defaultConnections)),
		Subscriptions: int(orDefault(int64(l.Subscriptions), defaultSubscriptions)),
		Payload:       orDefault(l.Payload, defaultPayload),
		Storage:       orDefault(l.Storage, defaultStorage),
		Consumers:     int(orDefault(int64(l.Consumers), defaultConsumers)),
	}
}

const (
	defaultConnections   = 16
	defaultSubscriptions = 256
	defaultPayload       = 512 << 10
	defaultStorage       = 1 << 30
	defaultConsumers     = 64
	// ownConnections are the bridge's in a partner's account, beside the
	// partner's: one, and another while a lost one is still to be noticed.
	ownConnections = 2
)

// seed is the secret half of a key, in NATS's text form.
type seed = seal.Secret

// Account is one partner's account: its keys, which the caller seals and
// stores, and what holds in it. The zero value is none; NewAccount makes one.
type Account struct {
	PublicKey   string // of the account, "A…"
	Seed        seed   // of the account: the bridge's own user there is signed with it
	SigningSeed seed   // of the key that signs the partner's users
	Limits      Limits
	Revocations map[string]bool // public keys of users that were revoked
}

// NewAccount makes the keys of an account for the partner. The account exists
// once it is put.
func NewAccount(partner string) (Account, error) {
	if err := checkPartner(partner); err != nil {
		return Account{}, err
	}
	public, own, err := newSeed(nkeys.PrefixByteAccount)
	if err != nil {
		return Account{}, fmt.Errorf("make account of partner %s: %w", partner, err)
	}
	_, signing, err := newSeed(nkeys.PrefixByteAccount)
	if err != nil {
		return Account{}, fmt.Errorf("make account of partner %s: %w", partner, err)
	}
	return Account{PublicKey: public, Seed: seed(own), SigningSeed: seed(signing)}, nil
}

// partnerName is the contract's; anything else could widen a subject.
var partnerName = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$`)

func checkPartner(partner string) error {
	if !partnerName.MatchString(partner) {
		return fmt.Errorf("partner name %q: want %s", partner, partnerName)
	}
	return nil
}

// PutAccount makes the account, or makes it what a says: limits hold from then
// on, connections of revoked users are closed. Putting the same again changes
// nothing. Where the store has not the room that the limits set aside, it fails.
func (b *Broker) PutAccount(ctx context.Context, partner string, a Account) error {
	if err := b.putAccount(ctx, partner, a); err != nil {
		return fmt.Errorf("put account of partner %s: %w", partner, err)
	}
	return nil
}

func (b *Broker) putAccount(ctx context.Context, partner string, a Account) error {
	claims, err := a.claims(partner)
	if err != nil {
		return err
	}
	text, err := claims.Encode(b.operator)
	if err != nil {
		return err
	}
	if err := b.request(ctx, "$SYS.REQ.CLAIMS.UPDATE", text); err != nil {
		return err
	}
	acc, err := b.srv.LookupAccount(a.PublicKey)
	if err != nil {
		return err
	}
	// The answer said that the claims are stored, not that they could be
	// applied: where room lacks the server only logs it, and claims just like
	// those it has it does not try again.
	if !hasRoom(acc, claims) {
		b.srv.UpdateAccountClaims(acc, claims)
	}
	if !hasRoom(acc, claims) {
		return fmt.Errorf("the store has not the %d bytes left that the account sets aside", claims.Limits.DiskStorage)
	}
	return nil
}

// hasRoom tells whether the account has the storage that the claims give it.
func hasRoom(acc *server.Account, c *jwt.AccountClaims) bool {
	return acc.JetStreamEnabled() && acc.JetStreamUsage().Limits.MaxStore == c.Limits.DiskStorage
}

// claims are what the server is told of the account.
func (a Account) claims(partner string) (*jwt.AccountClaims, error) {
	if err := checkPartner(partner); err != nil {
		return nil, err
	}
	if public, err := publicKey(a.Seed); err != nil {
		return nil, err
	} else if public != a.PublicKey {
		return nil, errors.New("account's seed is of another account")
	}
	signing, err := publicKey(a.SigningSeed)
	if err != nil {
		return nil, err
	}
	c := jwt.NewAccountClaims(a.PublicKey)
	c.Name = partner
	c.Limits.AccountLimits = jwt.AccountLimits{Conn: a.Limits.connections(), LeafNodeConn: leafConnections, DisallowBearer: true}
	c.Limits.JetStreamLimits = jwt.JetStreamLimits{
		DiskStorage: orDefault(a.Limits.Storage, defaultStorage),
		Consumer:    orDefault(int64(a.Limits.Consumers), defaultConsumers),
		Streams:     1,
	}
	c.SigningKeys.AddScopedSigner(partnerScope(partner, signing, a.Limits))
	leaf, err := leafScope(a.Seed)
	if err != nil {
		return nil, err
	}
	c.SigningKeys.AddScopedSigner(leaf)
	for user := range a.Revocations {
		// For ever, whatever the clock was when it was made: a key is of one user.
		c.RevokeAt(user, time.Unix(1<<40, 0))
	}
	return c, nil
}

// Revoke takes away a user's access; it holds once the account is put.
func (a *Account) Revoke(userPublicKey string) {
	revoked := maps.Clone(a.Revocations) // a copy of a may be in use
	if revoked == nil {
		revoked = map[string]bool{}
	}
	revoked[userPublicKey] = true
	a.Revocations = revoked
}

// DeleteAccount closes all connections of the account, the bridge's too, and
// removes it with its stream. An account that is not there is no error.
func (b *Broker) DeleteAccount(ctx context.Context, a Account) error {
	if err := b.deleteAccount(ctx, a.PublicKey); err != nil {
		return fmt.Errorf("delete account %s: %w", a.PublicKey, err)
	}
	return nil
}

func (b *Broker) deleteAccount(ctx context.Context, public string) error {
	if !nkeys.IsValidPublicAccountKey(public) {
		return errors.New("no account's public key")
	}
	b.mu.Lock()
	var own []*nats.Conn
	for nc, account := range b.conns {
		if account == public {
			own = append(own, nc)
		}
	}
	b.mu.Unlock()
	for _, nc := range own {
		nc.Close()
	}
	operator, err := b.operator.PublicKey()
	if err != nil {
		return err
	}
	claims := jwt.NewGenericClaims(operator)
	claims.Data["accounts"] = []string{public}
	text, err := claims.Encode(b.operator)
	if err != nil {
		return err
	}
	if err := b.request(ctx, "$SYS.REQ.CLAIMS.DELETE", text); err != nil {
		return err
	}
	// The server lets go of the account's streams and leaves their files.
	err = os.RemoveAll(filepath.Join(b.dir, storeDir, public))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// request asks the server to change claims and waits for its answer.
func (b *Broker) request(ctx context.Context, subject, claims string) error {
	ctx, cancel := context.WithTimeout(ctx, connectWait)
	defer cancel()
	msg, err := b.sys.RequestWithContext(ctx, subject, []byte(claims))
	if err != nil {
		return err
	}
	var answer struct {
		Error *struct {
			Description string `json:"description"`
		} `json:"error"`
	}
	if err := json.Unmarshal(msg.Data, &answer); err != nil {
		return fmt.Errorf("read the server's answer: %w", err)
	}
	if answer.Error != nil {
		return fmt.Errorf("server: %s", answer.Error.Description)
	}
	return nil
}

// ownAccount is one of the bridge's own two accounts, where only it connects.
func ownAccount(s string, name string, js jwt.JetStreamLimits) (*jwt.AccountClaims, error) {
	public, err := publicKey(seed(s))
	if err != nil {
		return nil, fmt.Errorf("account %s: %w", name, err)
	}
	c := jwt.NewAccountClaims(public)
	c.Name = name
	c.Limits.JetStreamLimits = js
	return c, nil
}
