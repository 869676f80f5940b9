package smartsheet

import (
	"errors"
	"math/big"
	"strconv"
	"strings"
	"testing"
)

func TestSign(t *testing.T) {
	// RFC 4231, test case 2, and the empty message.
	tests := map[string]struct{ secret, body, want string }{
		"rfc4231": {"Jefe", "what do ya want for nothing?", "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
		"empty":   {"key", "", "5d5d139563c95b5967b9bd9a8c9b233a9dedb45072794cd232dc1b74832607d0"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := Sign(tt.secret, []byte(tt.body)); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

// bodyWithZeros finds a body whose signature begins with n zero digits.
func bodyWithZeros(secret string, n int) (body []byte, signature string) {
	for i := 0; ; i++ {
		body = []byte(`{"nonce":"` + strconv.Itoa(i) + `"}`)
		if signature = Sign(secret, body); strings.HasPrefix(signature, strings.Repeat("0", n)) {
			return body, signature
		}
	}
}

func TestVerifySignature(t *testing.T) {
	const secret = "216ejjzdnq17mq1q8xs7d4hu8b"
	body, signature := bodyWithZeros(secret, 3)
	asBigInteger, _ := new(big.Int).SetString(signature, 16)
	flipped := "f" + signature[1:]
	tests := map[string]struct {
		secret, body, signature string
		want                    error
	}{
		"as hex":                  {secret, string(body), signature, nil},
		"upper case":              {secret, string(body), strings.ToUpper(signature), nil},
		"leading zeros lost":      {secret, string(body), asBigInteger.Text(16), nil},
		"one leading zero lost":   {secret, string(body), signature[1:], nil},
		"spaces around":           {secret, string(body), " " + signature + " ", nil},
		"none":                    {secret, string(body), "", ErrNoSignature},
		"blank":                   {secret, string(body), "  ", ErrNoSignature},
		"another digit":           {secret, string(body), flipped, ErrBadSignature},
		"a last digit lost":       {secret, string(body), signature[:63], ErrBadSignature},
		"a zero too many":         {secret, string(body), "0" + signature, ErrBadSignature},
		"not hex":                 {secret, string(body), "x" + signature[1:], ErrBadSignature},
		"base64":                  {secret, string(body), "W9zBRr9gdU5qBCQmCJV1x1oAPwidJzmDnexYuWTsOEM=", ErrBadSignature},
		"another body":            {secret, string(body) + " ", signature, ErrBadSignature},
		"another secret":          {secret + "x", string(body), signature, ErrBadSignature},
		"empty secret":            {"", string(body), Sign("", body), ErrBadSignature},
		"zero for an empty one":   {"", "", "0", ErrBadSignature},
		"prefix of the signature": {secret, string(body), signature[:10], ErrBadSignature},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			err := VerifySignature(tt.secret, []byte(tt.body), tt.signature)
			if !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
		})
	}
}

func FuzzVerifySignature(f *testing.F) {
	f.Add("secret", []byte(`{"nonce":"1"}`), "00ff")
	f.Add("", []byte{}, "")
	f.Add("s", []byte{0xff}, strings.Repeat("0", 64))
	f.Add("s", []byte("x"), strings.Repeat("F", 65))
	f.Fuzz(func(t *testing.T, secret string, body []byte, signature string) {
		own := Sign(secret, body)
		err := VerifySignature(secret, body, signature)
		same := strings.TrimLeft(strings.ToLower(strings.TrimSpace(signature)), "0") == strings.TrimLeft(own, "0")
		if err == nil && (secret == "" || !same) {
			t.Errorf("%q accepted for %q", signature, own)
		}
		if secret == "" {
			return
		}
		for _, good := range []string{own, strings.ToUpper(own), strings.TrimLeft(own, "0")} {
			if err := VerifySignature(secret, body, good); err != nil {
				t.Errorf("own signature %s: %v", good, err)
			}
		}
	})
}
