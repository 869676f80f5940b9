package broker

import (
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nkeys"
)

// MintUser makes a user of the partner's account and returns its credentials,
// the text of a NATS .creds file with a secret in it, and its public key, by
// which it can be revoked. What the user may do is the account's to say, also
// later on. A zero expires is never. The server need not be told.
func (a Account) MintUser(name string, expires time.Time) (creds string, userPublicKey string, err error) {
	creds, userPublicKey, err = a.mintUser(name, expires)
	if err != nil {
		return "", "", fmt.Errorf("mint credentials %q: %w", name, err)
	}
	return creds, userPublicKey, nil
}

func (a Account) mintUser(name string, expires time.Time) (string, string, error) {
	signer, err := nkeys.FromSeed([]byte(a.SigningSeed))
	if err != nil {
		return "", "", errors.New("account has no signing key")
	}
	defer signer.Wipe()
	return a.mint(signer, name, expires)
}

// mint makes a user that may do what the scope of the key that signs it says.
func (a Account) mint(signer nkeys.KeyPair, name string, expires time.Time) (string, string, error) {
	public, seed, err := newSeed(nkeys.PrefixByteUser)
	if err != nil {
		return "", "", err
	}
	claims := jwt.NewUserClaims(public)
	claims.Name = name
	claims.IssuerAccount = a.PublicKey
	claims.SetScoped(true)
	if !expires.IsZero() {
		claims.Expires = expires.Unix()
	}
	text, err := claims.Encode(signer)
	if err != nil {
		return "", "", err
	}
	creds, err := jwt.FormatUserConfig(text, []byte(seed))
	if err != nil {
		return "", "", err
	}
	return string(creds), public, nil
}

// stream is the one stream that a partner may read.
const stream = "EVENTS"

// partnerScope is what users signed with the key may do: read the partner's
// subjects and the stream, by consumers of their own too, and nothing else.
// Nobody else lives in the account, so their consumers bother only themselves.
func partnerScope(partner, key string, l Limits) *jwt.UserScope {
	s := jwt.NewUserScope()
	s.Key = key
	s.Role = "partner"
	s.Template.Subs = orDefault(int64(l.Subscriptions), defaultSubscriptions)
	s.Template.Payload = orDefault(l.Payload, defaultPayload)
	s.Template.AllowedConnectionTypes.Add(jwt.ConnectionTypeStandard, jwt.ConnectionTypeWebsocket)
	s.Template.Sub.Allow.Add("smartsheet."+partner+".>", "_INBOX.>")
	s.Template.Pub.Allow.Add(
		"$JS.API.INFO",
		"$JS.API.STREAM.NAMES",
		"$JS.API.STREAM.LIST",
		"$JS.API.STREAM.INFO."+stream,
		"$JS.API.STREAM.MSG.GET."+stream,
		"$JS.API.DIRECT.GET."+stream,
		"$JS.API.DIRECT.GET."+stream+".>",
		"$JS.API.CONSUMER.NAMES."+stream,
		"$JS.API.CONSUMER.LIST."+stream,
		"$JS.API.CONSUMER.CREATE."+stream,
		"$JS.API.CONSUMER.CREATE."+stream+".>",
		"$JS.API.CONSUMER.DURABLE.CREATE."+stream+".>",
		"$JS.API.CONSUMER.INFO."+stream+".>",
		"$JS.API.CONSUMER.DELETE."+stream+".>",
		"$JS.API.CONSUMER.MSG.NEXT."+stream+".>",
		"$JS.ACK."+stream+".>",
		"$JS.ACK.*.*."+stream+".>", // the newer form of it
		"$JS.FC."+stream+".>",
	)
	return s
}

// connections is the account's limit; the bridge connects there too.
func (l Limits) connections() int64 {
	n := orDefault(int64(l.Connections), defaultConnections)
	if n == jwt.NoLimit {
		return n
	}
	return n + ownConnections
}

// orDefault reads a limit: 0 is the default, anything below is no limit.
func orDefault(limit, def int64) int64 {
	switch {
	case limit == 0:
		return def
	case limit < 0:
		return jwt.NoLimit
	}
	return limit
}

func publicKey(s seed) (string, error) {
	kp, err := nkeys.FromSeed([]byte(s))
	if err != nil {
		return "", errors.New("account has no readable seed")
	}
	defer kp.Wipe()
	return kp.PublicKey()
}
