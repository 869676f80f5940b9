package admin

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/events/seal"
)

// Token lets somebody in.
type Token struct {
	Name     string // who it is, in logs
	Secret   seal.Secret
	ReadOnly bool // may look, and change nothing
}

var secretPattern = regexp.MustCompile(`^[A-Za-z0-9_-]{16,}$`)

// defaultName is who comes with a token that has no name.
const defaultName = "admin"

// ParseTokens reads a list of tokens separated by commas: `secret`,
// `name:secret` or `name:ro:secret`. Its error names everything that is wrong,
// by the place in the list, for any part of it may be a secret.
func ParseTokens(text string) ([]Token, error) {
	if strings.TrimSpace(text) == "" {
		return nil, errors.New("no token: give at least one of 16 or more letters, digits, - and _")
	}
	var tokens []Token
	var errs []error
	seen := map[seal.Secret]int{}
	for i, entry := range strings.Split(text, ",") {
		t, err := parseToken(strings.TrimSpace(entry))
		if first := seen[t.Secret]; err == nil && first > 0 {
			err = fmt.Errorf("it has the secret of token %d: give each its own", first)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("token %d: %w", i+1, err))
			continue
		}
		seen[t.Secret] = i + 1
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
	switch {
	case len(parts) == 2:
		t.Name = parts[0]
	case len(parts) == 3 && parts[1] == "ro":
		t.Name, t.ReadOnly = parts[0], true
	case len(parts) != 1:
		return Token{}, errors.New("want secret, name:secret or name:ro:secret")
	}
	t.Secret = seal.Secret(parts[len(parts)-1])
	switch {
	case !events.ValidName(t.Name):
		return Token{}, errors.New(`the name before the colon is no name: use 1 to 32 of a-z, 0-9 and "-"`)
	case len(parts) == 2 && t.Name == "ro":
		// Whoever wrote it did not mean somebody called ro who may do all.
		return Token{}, errors.New("a read-only token needs a name: name:ro:secret")
	case !secretPattern.MatchString(string(t.Secret)):
		return Token{}, errors.New("the secret must be 16 or more letters, digits, - and _")
	}
	return t, nil
}
