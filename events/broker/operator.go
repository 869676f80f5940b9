package broker

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nkeys"
)

// Operator makes the accounts of a NATS cluster that is not embedded: its own
// system account, the bridge's and two for each partner, walled off as in the
// embedded server. It holds all keys of that cluster; those who run the cluster
// keep it, the bridge never sees it.
type Operator struct {
	Seed     seed
	System   seed               // of the system account
	Bridge   seed               // of the bridge's account
	Partners map[string]Account // by name
}

// NewOperator makes an operator without partners.
func NewOperator() (*Operator, error) {
	o := &Operator{Partners: map[string]Account{}}
	for _, k := range []struct {
		into *seed
		kind nkeys.PrefixByte
	}{{&o.Seed, nkeys.PrefixByteOperator}, {&o.System, nkeys.PrefixByteAccount}, {&o.Bridge, nkeys.PrefixByteAccount}} {
		_, text, err := newSeed(k.kind)
		if err != nil {
			return nil, fmt.Errorf("make operator: %w", err)
		}
		*k.into = seed(text)
	}
	return o, nil
}

// AddPartner makes the partner's account; one that is there stays as it is.
// Limits count every replica: R copies take R times the storage.
func (o *Operator) AddPartner(name string, l Limits) error {
	if _, ok := o.Partners[name]; ok {
		return nil
	}
	a, err := NewAccount(name)
	if err != nil {
		return err
	}
	a.Limits = l
	o.Partners[name] = a
	return nil
}

// AllowWrites lets the partner's users publish writes, each under its own name, and
// makes room for their queue with as many copies as a cluster keeps.
func (o *Operator) AllowWrites(name string) error {
	a, ok := o.Partners[name]
	if !ok {
		return fmt.Errorf("there is no partner %q", name)
	}
	if a.Writes {
		return nil
	}
	a.Writes = true
	if a.Limits.Storage > 0 {
		a.Limits.Storage += (maxCopies - 1) * writesRoom // one copy's is the account's own
	}
	o.Partners[name] = a
	return nil
}

// maxCopies is how many copies of a stream JetStream keeps at most.
const maxCopies = 5

// ServerConfig returns the part of a server's configuration that says who may
// connect. It holds no secret. It is the same for every server of the cluster.
func (o *Operator) ServerConfig() (string, error) {
	key, err := nkeys.FromSeed([]byte(o.Seed))
	if err != nil {
		return "", errors.New("operator has no readable seed")
	}
	defer key.Wipe()
	public, err := key.PublicKey()
	if err != nil {
		return "", fmt.Errorf("read operator's key: %w", err)
	}
	accounts, system, err := o.claims()
	if err != nil {
		return "", err
	}
	claims := jwt.NewOperatorClaims(public)
	claims.Name = "sheetbridge"
	claims.SystemAccount = system
	text, err := claims.Encode(key)
	if err != nil {
		return "", fmt.Errorf("write operator: %w", err)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "operator: %s\nsystem_account: %s\nresolver: MEMORY\nresolver_preload: {\n", text, system)
	for _, c := range accounts {
		if text, err = c.Encode(key); err != nil {
			return "", fmt.Errorf("write account %s: %w", c.Name, err)
		}
		fmt.Fprintf(&b, "  # %s\n  %s: %s\n", c.Name, c.Subject, text)
	}
	b.WriteString("}\n")
	return b.String(), nil
}

// claims are those of all accounts, and the public key of the system's.
func (o *Operator) claims() (list []*jwt.AccountClaims, system string, err error) {
	sys, err := ownAccount(string(o.System), "system", jwt.JetStreamLimits{})
	if err != nil {
		return nil, "", err
	}
	bridge, err := ownAccount(string(o.Bridge), "sheetbridge", jwt.JetStreamLimits{
		MemoryStorage: jwt.NoLimit, DiskStorage: jwt.NoLimit, Streams: jwt.NoLimit, Consumer: jwt.NoLimit,
	})
	if err != nil {
		return nil, "", err
	}
	list = append(list, sys, bridge)
	for _, name := range o.names() {
		claims, err := o.Partners[name].claims(name, "") // who reads must not need the bridge
		if err != nil {
			return nil, "", fmt.Errorf("account of partner %s: %w", name, err)
		}
		list = append(list, claims...)
	}
	return list, sys.Subject, nil
}

func (o *Operator) names() []string {
	names := make([]string, 0, len(o.Partners))
	for name := range o.Partners {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// BridgeCredentials returns credentials of the bridge in its own account.
func (o *Operator) BridgeCredentials() (string, error) { return mintFull(o.Bridge, "sheetbridge") }

// SystemCredentials returns credentials of an administrator of the servers.
func (o *Operator) SystemCredentials() (string, error) { return mintFull(o.System, "operator") }

// WriterCredentials returns credentials of the bridge in the account of a
// partner's stream: what POST /v1/partners takes as nats.credentials.
func (o *Operator) WriterCredentials(partner string) (string, error) {
	a, ok := o.Partners[partner]
	if !ok {
		return "", fmt.Errorf("there is no partner %q", partner)
	}
	return mintFull(a.StorageSeed, "sheetbridge for "+partner)
}

// ReaderCredentials returns credentials for the partner itself, with a name:
// they read the stream and do nothing else.
func (o *Operator) ReaderCredentials(partner, name string) (string, error) {
	a, ok := o.Partners[partner]
	if !ok {
		return "", fmt.Errorf("there is no partner %q", partner)
	}
	creds, _, err := a.MintUser(name, time.Time{})
	return creds, err
}

// mintFull makes a user that may do everything in the account.
func mintFull(account seed, name string) (string, error) {
	signer, err := nkeys.FromSeed([]byte(account))
	if err != nil {
		return "", errors.New("account has no readable seed")
	}
	defer signer.Wipe()
	public, text, err := newSeed(nkeys.PrefixByteUser)
	if err != nil {
		return "", fmt.Errorf("make user: %w", err)
	}
	claims := jwt.NewUserClaims(public)
	claims.Name = name
	encoded, err := claims.Encode(signer)
	if err != nil {
		return "", fmt.Errorf("make user: %w", err)
	}
	creds, err := jwt.FormatUserConfig(encoded, []byte(text))
	return string(creds), err
}
