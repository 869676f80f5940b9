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

func publicKey(s seed) (string, error) {
	kp, err := nkeys.FromSeed([]byte(s))
	if err != nil {
		return "", errors.New("account has no readable seed")
	}
	defer kp.Wipe()
	return kp.PublicKey()
}
