package broker

import (
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nkeys"
)

// domainAPI begins JetStream's requests from a partner's own server.
const domainAPI = "$JS." + Domain + ".API."

// A server that copies the stream subscribes to a handful of subjects, and asks for
// consumers.
const (
	leafSubscriptions = 64
	leafPayload       = 64 << 10 // bytes
)

// MintLeaf makes a user of the partner's account for a server of the partner's
// own, and returns its credentials and its public key as MintUser does. Over a
// leaf node connection, and no other, that server may copy the stream EVENTS
// into one of its own, by mirror or source, and nothing else.
func (a Account) MintLeaf(name string, expires time.Time) (creds string, userPublicKey string, err error) {
	return mint(name, expires, a.SignLeaf)
}

// SignLeaf makes the owner of a user key a user as MintLeaf does, and returns the
// user's JWT.
func (a Account) SignLeaf(name, userPublicKey string, expires time.Time) (token string, err error) {
	signer, err := leafSigner(a.Seed)
	if err != nil {
		return "", fmt.Errorf("sign leaf credentials %q: %w", name, err)
	}
	defer signer.Wipe()
	if token, err = a.sign(signer, name, userPublicKey, expires); err != nil {
		return "", fmt.Errorf("sign leaf credentials %q: %w", name, err)
	}
	return token, nil
}

// leafSigner is the key that signs an account's leaf users. It follows from the
// account's own seed, so that there is nothing more to keep.
func leafSigner(account seed) (nkeys.KeyPair, error) {
	kp, err := nkeys.FromSeed([]byte(account))
	if err != nil {
		return nil, errors.New("account has no readable seed")
	}
	kp.Wipe()
	mac := hmac.New(sha256.New, []byte(account))
	mac.Write([]byte("sheetbridge leaf signing key v1"))
	return nkeys.FromRawSeed(nkeys.PrefixByteAccount, mac.Sum(nil))
}

// leafScope is what a partner's own server may do through its leaf node
// connection: have a consumer of EVENTS made and removed for its copy, and take
// what that delivers.
func leafScope(account seed, sources []string) (*jwt.UserScope, error) {
	signer, err := leafSigner(account)
	if err != nil {
		return nil, err
	}
	defer signer.Wipe()
	public, err := signer.PublicKey()
	if err != nil {
		return nil, err
	}
	s := jwt.NewUserScope()
	s.Key = public
	s.Role = "leaf"
	s.Template.Src.Add(sources...)
	s.Template.Subs = leafSubscriptions
	s.Template.Payload = leafPayload
	s.Template.AllowedConnectionTypes.Add(jwt.ConnectionTypeLeafnode, jwt.ConnectionTypeLeafnodeWS)
	s.Template.Pub.Allow.Add(
		domainAPI+"CONSUMER.CREATE."+stream,
		domainAPI+"CONSUMER.CREATE."+stream+".>",
		domainAPI+"CONSUMER.DELETE."+stream+".*",
		"$JS.FC."+stream+".>",
		"$JS.FC.*.*."+stream+".>", // the newer form of it
	)
	s.Template.Sub.Allow.Add(
		"$JS.S.>", "$JS.M.>", // what consumers of sources and of mirrors deliver to
		"$JSC.R.>", // answers to the server itself
	)
	return s, nil
}
