package broker

import (
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nkeys"

	"github.com/sheetbridge/sheetbridge/events/seal"
)

// MintUser makes a user of the partner's account and returns its credentials,
// the text of a NATS .creds file with a secret in it, and its public key, by
// which it can be revoked. What the user may do is the account's to say, also
// later on. A zero expires is never. The server need not be told.
func (a Account) MintUser(name string, expires time.Time) (creds string, userPublicKey string, err error) {
	return mint(name, expires, a.SignUser)
}

// ErrUserKey says that a public key is none of a NATS user.
var ErrUserKey = errors.New("that is not the public key of a NATS user, which begins with U")

// SignUser makes the owner of a user key a user of the partner's account, as
// MintUser does, and returns the user's JWT. The secret half of the key stays where
// it was made.
func (a Account) SignUser(name, userPublicKey string, expires time.Time) (token string, err error) {
	signer, err := nkeys.FromSeed([]byte(a.SigningSeed))
	if err != nil {
		return "", fmt.Errorf("sign credentials %q: the account has no signing key", name)
	}
	defer signer.Wipe()
	if token, err = a.sign(signer, name, userPublicKey, expires); err != nil {
		return "", fmt.Errorf("sign credentials %q: %w", name, err)
	}
	return token, nil
}

// mint makes a user key and has it signed.
func mint(name string, expires time.Time, sign func(name, public string, expires time.Time) (string, error)) (creds, userPublicKey string, err error) {
	public, seed, err := newSeed(nkeys.PrefixByteUser)
	if err != nil {
		return "", "", fmt.Errorf("mint credentials %q: %w", name, err)
	}
	token, err := sign(name, public, expires)
	if err != nil {
		return "", "", err
	}
	text, err := jwt.FormatUserConfig(token, []byte(seed))
	if err != nil {
		return "", "", fmt.Errorf("mint credentials %q: %w", name, err)
	}
	return string(text), public, nil
}

// sign makes the JWT of a user that may do what the scope of the key that signs it
// says.
func (a Account) sign(signer nkeys.KeyPair, name, public string, expires time.Time) (string, error) {
	if !nkeys.IsValidPublicUserKey(public) {
		return "", ErrUserKey
	}
	claims := jwt.NewUserClaims(public)
	claims.Name = name
	claims.IssuerAccount = a.PublicKey
	claims.SetScoped(true)
	if !expires.IsZero() {
		claims.Expires = expires.Unix()
	}
	return claims.Encode(signer)
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

// NewUserKey makes the key of a NATS user: the public half goes to those who sign
// it, the seed stays.
func NewUserKey() (public string, secret seal.Secret, err error) {
	public, text, err := newSeed(nkeys.PrefixByteUser)
	if err != nil {
		return "", "", fmt.Errorf("make a user key: %w", err)
	}
	return public, seal.Secret(text), nil
}

// UserCreds is the text of a .creds file of a user key and the JWT that was made for
// it. It fails where the JWT is of another key.
func UserCreds(token string, secret seal.Secret) (seal.Secret, error) {
	public, err := publicKey(secret)
	if err != nil {
		return "", err
	}
	claims, err := jwt.DecodeUserClaims(token)
	if err != nil {
		return "", errors.New("the answer has no user's JWT")
	}
	if claims.Subject != public {
		return "", errors.New("the JWT is for another key than the one that was sent")
	}
	creds, err := jwt.FormatUserConfig(token, []byte(secret))
	if err != nil {
		return "", errors.New("the answer has no user's JWT")
	}
	return seal.Secret(creds), nil
}
