package seal

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
)

const redacted = "[redacted]"

// Secret is a string that does not show itself: printed or logged it is
// "[redacted]", and writing it as JSON is an error, so that it is neither shown
// by mistake nor stored in the clear. Reading it from a JSON string works;
// string(s) reveals it.
type Secret string

// Format writes "[redacted]" for every verb, and nothing for an empty secret.
func (s Secret) Format(f fmt.State, _ rune) { io.WriteString(f, s.String()) }

// String returns "[redacted]", and "" for an empty secret.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return redacted
}

// LogValue is what String returns.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalJSON always fails: what must be stored is sealed first.
func (Secret) MarshalJSON() ([]byte, error) {
	return nil, errors.New("a secret is not written as JSON: seal it first")
}

// MarshalText fails as MarshalJSON does.
func (s Secret) MarshalText() ([]byte, error) { return s.MarshalJSON() }

// UnmarshalText takes the secret as it is.
func (s *Secret) UnmarshalText(text []byte) error {
	*s = Secret(text)
	return nil
}

// Sealed is a sealed value; its JSON is base64. Nothing can be read from it
// without the key, but it is noise in a log and so is left out there.
type Sealed []byte

// LogValue is "[sealed]".
func (Sealed) LogValue() slog.Value { return slog.StringValue("[sealed]") }
