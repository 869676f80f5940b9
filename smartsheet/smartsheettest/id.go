package smartsheettest

import (
	"crypto/rand"
	"math/big"
	mrand "math/rand/v2"
	"strconv"
	"strings"
)

// id is one in the body of a request: a number, or text of digits, which the
// service takes as well.
type id int64

// UnmarshalJSON reads both forms.
func (to *id) UnmarshalJSON(data []byte) error {
	text := strings.Trim(string(data), `"`)
	if text == "null" {
		return nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return errUnparsable("an id is not a whole number")
	}
	*to = id(n)
	return nil
}

// maxSafe is the largest integer that JavaScript holds exactly, plus one.
const maxSafe = int64(1) << 53

// idSource makes ids that nobody can guess or hard-code, of sixteen digits. If
// they shall be large, one in four is above 2^53 and odd, so that a client which
// takes ids for floating point numbers loses its way here.
type idSource struct {
	large bool
	made  map[int64]bool
	n     int
}

func newIDSource(large bool) idSource {
	return idSource{large: large, made: map[int64]bool{}}
}

func (src *idSource) next() int64 {
	for {
		src.n++
		id := int64(1e15) + mrand.Int64N(maxSafe-int64(1e15))
		if src.large && src.n%4 == 0 {
			id = (maxSafe + mrand.Int64N(int64(1)<<62)) | 1
		}
		if !src.made[id] {
			src.made[id] = true
			return id
		}
	}
}

// randomText returns n random characters of the alphabet, fit for a secret.
func randomText(n int, alphabet string) string {
	out := make([]byte, n)
	for i := range out {
		// rand.Int fails only if the system has no randomness, and then
		// crypto/rand ends the program itself.
		k, err := rand.Int(rand.Reader, big.NewInt(int64(len(alphabet))))
		if err == nil {
			out[i] = alphabet[k.Int64()]
		}
	}
	return string(out)
}

const (
	lowerAlphanumeric = "abcdefghijklmnopqrstuvwxyz0123456789"
	alphanumeric      = lowerAlphanumeric + "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
)
