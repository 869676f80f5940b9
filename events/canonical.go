package events

import (
	"bytes"
	"encoding/json"
	"math/big"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Canonical rewrites a JSON value so that equal values have equal bytes: numbers
// by their exact decimal value (3303, 3303.0 and 3.303e3 are all 3303, and no
// digit is lost), strings escaped in one way, without HTML escaping, no spaces,
// object keys as given. What is not JSON becomes null.
func Canonical(v json.RawMessage) json.RawMessage {
	if isCanonical(v) {
		return bytes.Clone(v)
	}
	return canonicalOfAny(v)
}

// canonicalOfAny is Canonical for what may have to be rewritten.
func canonicalOfAny(v json.RawMessage) json.RawMessage {
	if len(v) == 0 || !json.Valid(v) {
		return json.RawMessage("null")
	}
	v = bytes.TrimSpace(v)
	switch c := v[0]; {
	case c == 't' || c == 'f' || c == 'n':
		return bytes.Clone(v)
	case c == '"' && asItIs(v[1:len(v)-1]):
		return bytes.Clone(v)
	case c == '-' || '0' <= c && c <= '9':
		return appendNumber(make([]byte, 0, len(v)), string(v))
	}
	d := json.NewDecoder(bytes.NewReader(v))
	d.UseNumber()
	return canonicalNext(d, make([]byte, 0, len(v)))
}

// asItIs tells whether a text stands between the quotes of a canonical string as
// it is: nothing in it has to be escaped, nor is. Nearly every cell is such a
// text, and a decoder for each would be most of the work of a comparison.
func asItIs[T ~string | ~[]byte](text T) bool {
	ascii := true
	for i := range len(text) {
		c := text[i]
		if c < ' ' || c == '"' || c == '\\' {
			return false
		}
		ascii = ascii && c < utf8.RuneSelf
	}
	return ascii || utf8.ValidString(string(text)) && !strings.ContainsAny(string(text), "\u2028\u2029")
}

// canonicalNext appends the canonical form of the next value of a decoder that
// reads valid JSON, so that its tokens cannot fail.
func canonicalNext(d *json.Decoder, b []byte) []byte {
	t, err := d.Token()
	if err != nil {
		return append(b, "null"...)
	}
	switch t := t.(type) {
	case json.Delim:
		return canonicalNested(d, b, t)
	case json.Number:
		return appendNumber(b, t.String())
	case string:
		return appendString(b, t)
	case bool:
		return strconv.AppendBool(b, t)
	default:
		return append(b, "null"...)
	}
}

func canonicalNested(d *json.Decoder, b []byte, open json.Delim) []byte {
	b = append(b, byte(open))
	for i := 0; d.More(); i++ {
		if i > 0 {
			b = append(b, ',')
		}
		if open == '{' {
			b = append(canonicalNext(d, b), ':')
		}
		b = canonicalNext(d, b)
	}
	_, _ = d.Token()               // the closing delimiter: d reads valid JSON
	return append(b, byte(open)+2) // '}' is two after '{', as ']' is after '['
}

// appendString appends s as a JSON string; what is no UTF-8 in it is replaced
// first, for the encoder would escape the replacement.
func appendString(b []byte, s string) []byte {
	if asItIs(s) {
		return append(append(append(b, '"'), s...), '"')
	}
	var buf bytes.Buffer
	e := json.NewEncoder(&buf)
	e.SetEscapeHTML(false)
	_ = e.Encode(strings.ToValidUTF8(s, "\ufffd")) // a string into memory cannot fail
	return append(b, bytes.TrimSuffix(buf.Bytes(), []byte("\n"))...)
}

// jsonString is s as a canonical JSON string.
func jsonString(s string) json.RawMessage { return appendString(nil, s) }

// Bounds of the plain form of a number. Beyond them it is written with an
// exponent, so that a short input cannot grow into a long output.
const (
	maxTrailingZeros = 20
	maxLeadingZeros  = 6
)

// appendNumber appends a JSON number in the one form that its value has: no
// exponent where few zeros do, else one digit before the point; no plus, no
// needless zero, no minus zero.
func appendNumber(b []byte, s string) []byte {
	digits, exp, negative := decimal(s)
	if negative {
		b = append(b, '-')
	}
	n := int64(len(digits))
	if !exp.IsInt64() || exp.Int64() > maxTrailingZeros || exp.Int64() < -(n+maxLeadingZeros) {
		b = append(b, digits[0])
		if n > 1 {
			b = append(append(b, '.'), digits[1:]...)
		}
		return exp.Add(exp, big.NewInt(n-1)).Append(append(b, 'e'), 10)
	}
	switch e := exp.Int64(); {
	case e >= 0:
		b = append(b, digits...)
		return append(b, strings.Repeat("0", int(e))...)
	case -e < n:
		b = append(b, digits[:n+e]...)
		return append(append(b, '.'), digits[n+e:]...)
	default:
		b = append(b, "0."...)
		b = append(b, strings.Repeat("0", int(-e-n))...)
		return append(b, digits...)
	}
}

// decimal takes a JSON number apart: its value is digits × 10^exp, where digits
// neither begins nor ends with a zero, except for "0" itself.
func decimal(s string) (digits string, exp *big.Int, negative bool) {
	s, negative = strings.CutPrefix(s, "-")
	mantissa, power := s, ""
	if i := strings.IndexAny(s, "eE"); i >= 0 {
		mantissa, power = s[:i], s[i+1:]
	}
	whole, fraction, _ := strings.Cut(mantissa, ".")
	digits = strings.TrimLeft(whole+fraction, "0")
	short := strings.TrimRight(digits, "0")
	if short == "" {
		return "0", new(big.Int), false
	}
	exp = new(big.Int)
	if power != "" {
		exp.SetString(strings.TrimPrefix(power, "+"), 10)
	}
	exp.Add(exp, big.NewInt(int64(len(digits)-len(short)-len(fraction))))
	return short, exp, negative
}
