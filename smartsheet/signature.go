package smartsheet

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strings"
)

// HeaderSignature carries the signature of a callback.
const HeaderSignature = "Smartsheet-Hmac-SHA256"

// Reasons why a callback is not believed.
var (
	ErrNoSignature  = errors.New("smartsheet: callback is not signed")
	ErrBadSignature = errors.New("smartsheet: callback signature does not match")
)

// Sign returns the signature of a callback's body as Smartsheet makes it: the
// HMAC-SHA256 under the webhook's shared secret, 64 hex digits.
func Sign(secret string, body []byte) string {
	return hex.EncodeToString(sum(secret, body))
}

// VerifySignature returns nil if signature, the value of [HeaderSignature], is
// the signature of body under secret. body is what came over the wire, before any
// decoding. Case does not matter, nor do missing leading zeros: Smartsheet's own
// sample drops them. With an empty secret nothing verifies. The time it takes does
// not depend on the secret.
func VerifySignature(secret string, body []byte, signature string) error {
	signature = strings.TrimSpace(signature)
	if signature == "" {
		return ErrNoSignature
	}
	if secret == "" || len(signature) > hex.EncodedLen(sha256.Size) {
		return ErrBadSignature
	}
	padded := strings.Repeat("0", hex.EncodedLen(sha256.Size)-len(signature)) + signature
	got, err := hex.DecodeString(padded)
	if err != nil || !hmac.Equal(got, sum(secret, body)) {
		return ErrBadSignature
	}
	return nil
}

func sum(secret string, body []byte) []byte {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(body)
	return mac.Sum(nil)
}
