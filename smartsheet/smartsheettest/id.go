package smartsheettest

import (
	"crypto/rand"
	"math/big"
	mrand "math/rand/v2"
)

// maxSafe is the largest integer that JavaScript holds exactly, plus one.
const maxSafe = int64(1) << 53

// idSource makes ids that nobody can guess or hard-code: sixteen digits for
// the most part, and one in four above 2^53 and odd, so that a client which
// takes ids for floating point numbers loses its way here.
type idSource struct {
	safe bool
	made map[int64]bool
	n    int
}

func newIDSource(safe bool) idSource {
	return idSource{safe: safe, made: map[int64]bool{}}
}

func (src *idSource) next() int64 {
	for {
		src.n++
		id := int64(1e15) + mrand.Int64N(maxSafe-int64(1e15))
		if !src.safe && src.n%4 == 0 {
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
