package admin

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/events/seal"
)

// Token lets somebody in. It has either its secret or the hash of that.
type Token struct {
	Name     string // who it is, in logs
	Secret   seal.Secret
	SHA256   string // of the secret, 64 hex digits
	ReadOnly bool   // may look, and change nothing
}

// hash is the SHA-256 of the secret.
func (t Token) hash() (sum [sha256.Size]byte) {
	if t.SHA256 == "" {
		return sha256.Sum256([]byte(t.Secret))
	}
	// ParseTokens has read it; what is no hash is nobody's.
	if n, err := hex.Decode(sum[:], []byte(t.SHA256[:min(len(t.SHA256), 2*len(sum))])); err != nil || n != len(sum) {
		rand.Read(sum[:])
	}
	return sum
}

var (
	secretPattern = regexp.MustCompile(`^[A-Za-z0-9_-]{16,}$`)
	hashPattern   = regexp.MustCompile(`^[0-9A-Fa-f]{64}$`)
)

// defaultName is who comes with a token that has no name.
const defaultName = "admin"

// hashMark stands before the hash of a secret.
const hashMark = "sha256"

// ParseTokens reads a list of tokens separated by commas: `secret`,
// `name:secret` or `name:ro:secret`, where `sha256:` and the SHA-256 of the secret
// in hex can stand for the secret. Its error names everything that is wrong, by
// the place in the list, for any part of it may be a secret.
func ParseTokens(text string) ([]Token, error) {
	if strings.TrimSpace(text) == "" {
		return nil, errors.New("no token: give at least one of 16 or more letters, digits, - and _")
	}
	var tokens []Token
	var errs []error
	seen := map[[sha256.Size]byte]int{}
	for i, entry := range strings.Split(text, ",") {
		t, err := parseToken(strings.TrimSpace(entry))
		if first := seen[t.hash()]; err == nil && first > 0 {
			err = fmt.Errorf("it has the secret of token %d: give each its own", first)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("token %d: %w", i+1, err))
			continue
		}
		seen[t.hash()] = i + 1
		tokens = append(tokens, t)
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return tokens, nil
}

func parseToken(entry string) (Token, error) {
	t := Token{Name: defaultName}
	parts := strings.Split(entry, ":")
	secret := parts[len(parts)-1]
	parts = parts[:len(parts)-1]
	hashed := len(parts) > 0 && parts[len(parts)-1] == hashMark
	if hashed {
		parts = parts[:len(parts)-1]
	}
	switch {
	case len(parts) == 1:
		t.Name = parts[0]
	case len(parts) == 2 && parts[1] == "ro":
		t.Name, t.ReadOnly = parts[0], true
	case len(parts) != 0:
		return Token{}, errors.New("want secret, name:secret or name:ro:secret, or sha256: and a hash for the secret")
	}
	switch {
	case !events.ValidName(t.Name):
		return Token{}, errors.New(`the name before the colon is no name: use 1 to 32 of a-z, 0-9 and "-"`)
	case len(parts) == 1 && t.Name == "ro":
		// This is not meant to be a person called ro who may do everything.
		return Token{}, errors.New("a read-only token needs a name: name:ro:secret")
	case hashed && !hashPattern.MatchString(secret):
		return Token{}, errors.New("after sha256: come 64 hex digits: printf %s \"$TOKEN\" | sha256sum")
	case !hashed && !secretPattern.MatchString(secret):
		return Token{}, errors.New("the secret must be 16 or more letters, digits, - and _")
	}
	if hashed {
		t.SHA256 = strings.ToLower(secret)
	} else {
		t.Secret = seal.Secret(secret)
	}
	return t, nil
}
