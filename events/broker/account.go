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
	"reflect"
	"regexp"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"

	"github.com/sheetbridge/sheetbridge/events/seal"
)

// seed is the secret half of a key, in NATS's text form.
type seed = seal.Secret

// Account is one partner's account with the account beside it that holds the
// stream: their keys, which the caller seals and stores, and what holds in them.
// The zero value is none; NewAccount makes one.
type Account struct {
	PublicKey   string // of the account that the partner's users are in, "A…"
	Seed        seed   // of that account
	SigningSeed seed   // of the key that signs the partner's users
	StorageKey  string // public key of the account with the stream, where only the bridge has users
	StorageSeed seed   // of the account with the stream
	Limits      Limits
	Sources     []string        // networks, as CIDR, from which the partner's users may connect; none: all
	Writes      bool            // its users may publish writes, each under its own name
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
	storage, stored, err := newSeed(nkeys.PrefixByteAccount)
	if err != nil {
		return Account{}, fmt.Errorf("make account of partner %s: %w", partner, err)
	}
	return Account{
		PublicKey: public, Seed: seed(own), SigningSeed: seed(signing), StorageKey: storage, StorageSeed: seed(stored),
	}, nil
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
	if err := checkPartner(partner); err != nil {
		return err
	}
	gateKey, err := b.gateKey(a.StorageKey)
	if err != nil {
		return err
	}
	claims, err := a.claims(partner, gateKey)
	if err != nil {
		return err
	}
	for _, c := range claims {
		text, err := c.Encode(b.operator)
		if err != nil {
			return err
		}
		if b.hasClaims(c.Subject, text) {
			continue
		}
		if err := b.request(ctx, "$SYS.REQ.CLAIMS.UPDATE", text); err != nil {
			return err
		}
	}
	// The server applies claims to accounts that it has loaded. One that is being
	// loaded, for a client that connects, may be with those from before. All are
	// stored by now, since each imports from another one.
	for _, c := range claims {
		if _, err := b.srv.LookupAccount(c.Subject); err != nil {
			return err
		}
	}
	if err := b.checkRoom(a, claims[0]); err != nil {
		return err
	}
	return b.openGate(ctx, partner, a.StorageKey, gateRecord{a.PublicKey, a.Limits})
}

// hasClaims tells whether the server has an account's claims already, but for when
// they were made. It would apply others, and what clients ask for at that moment might
// be lost.
func (b *Broker) hasClaims(public, text string) bool {
	stored, err := b.resolver.Fetch(public)
	if err != nil { // the account is new
		return false
	}
	before, err := jwt.DecodeAccountClaims(stored)
	if err != nil {
		return false
	}
	now, err := jwt.DecodeAccountClaims(text)
	if err != nil {
		return false
	}
	before.ID, before.IssuedAt = now.ID, now.IssuedAt
	return reflect.DeepEqual(before, now)
}

// checkRoom has the server set the account's storage aside, or returns that it
// cannot.
func (b *Broker) checkRoom(a Account, claims *jwt.AccountClaims) error {
	acc, err := b.srv.LookupAccount(a.StorageKey)
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

// Revoke takes away a user's access; it holds once the account is put.
func (a *Account) Revoke(userPublicKey string) {
	revoked := maps.Clone(a.Revocations) // a copy of a may be in use
	if revoked == nil {
		revoked = map[string]bool{}
	}
	revoked[userPublicKey] = true
	a.Revocations = revoked
}

// DeleteAccount closes all connections of the partner's two accounts, the
// bridge's too, and removes them with the stream. Only their public keys are
// needed. Accounts that are not there are no error.
func (b *Broker) DeleteAccount(ctx context.Context, a Account) error {
	b.closeGate(a.StorageKey)
	for _, public := range []string{a.PublicKey, a.StorageKey} { // who reads first: their account refers to the other
		if public == "" { // made before there were two
			continue
		}
		if err := b.deleteAccount(ctx, public); err != nil {
			return fmt.Errorf("delete account %s: %w", public, err)
		}
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
