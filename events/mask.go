package events

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
)

// maskDigits is how many hex digits of a hash a partner gets.
const maskDigits = 32

// apply masks a field's canonical JSON; null stays null. The same value under
// the same key always has the same hash.
func (m Mask) apply(key []byte, value json.RawMessage) json.RawMessage {
	switch {
	case m == MaskNone || string(value) == "null":
		return value
	case m == MaskHash:
		mac := hmac.New(sha256.New, key)
		mac.Write(value)
		return jsonString(hex.EncodeToString(mac.Sum(nil))[:maskDigits])
	default:
		return jsonString("redacted")
	}
}

// word says what a mask makes of a field.
func (m Mask) word() string {
	switch m {
	case MaskNone:
		return "unmasked"
	case MaskHash:
		return "hashed"
	default:
		return "redacted"
	}
}
