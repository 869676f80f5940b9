package events

import (
	"bytes"
	"strings"
	"unicode/utf8"
)

// maxCanonicalDepth is how deep a value may be nested for canonicalEnd to see
// that it is canonical.
const maxCanonicalDepth = 50

// canonicalEnd returns where the JSON value ends that begins at the index, if it
// is canonical already (see Canonical) in one of the usual forms. Otherwise it
// returns -1: the value may be canonical all the same, or no JSON at all.
func canonicalEnd(b []byte, at int) int { return canonicalValueEnd(b, at, 0) }

func canonicalValueEnd(b []byte, at, depth int) int {
	if at >= len(b) {
		return -1
	}
	switch c := b[at]; {
	case c == '"':
		return canonicalStringEnd(b, at)
	case c == '{' || c == '[':
		return canonicalNestedEnd(b, at, depth+1)
	case c == '-' || '0' <= c && c <= '9':
		return canonicalNumberEnd(b, at)
	}
	for _, word := range [...]string{"null", "true", "false"} {
		if len(b)-at >= len(word) && string(b[at:at+len(word)]) == word {
			return at + len(word)
		}
	}
	return -1
}

// canonicalStringEnd wants UTF-8 in which only what has a short escape is escaped.
func canonicalStringEnd(b []byte, at int) int {
	ascii := true
	for i := at + 1; i < len(b); i++ {
		switch c := b[i]; {
		case ' ' <= c && c < utf8.RuneSelf && c != '"' && c != '\\':
		case c == '"':
			if !ascii && !plainUnicode(b[at+1:i]) {
				return -1
			}
			return i + 1
		case c >= utf8.RuneSelf:
			ascii = false
		case c == '\\' && i+1 < len(b) && strings.IndexByte(`"\bfnrt`, b[i+1]) >= 0:
			i++
		default:
			return -1
		}
	}
	return -1
}

// plainUnicode reports whether a text is UTF-8 without the two line separators
// that JSON's encoder escapes.
func plainUnicode(text []byte) bool {
	return utf8.Valid(text) && !bytes.Contains(text, []byte("\u2028")) && !bytes.Contains(text, []byte("\u2029"))
}

// canonicalNumberEnd wants at most 20 bytes without an exponent, and no fraction
// that begins with zeros where the whole part is zero: beyond those bounds the
// canonical form has an exponent.
func canonicalNumberEnd(b []byte, at int) int {
	start := at
	if b[at] == '-' {
		at++
	}
	whole := at
	at = digitsEnd(b, at)
	zero := at == whole+1 && b[whole] == '0'
	if at == whole || b[whole] == '0' && !zero {
		return -1
	}
	if at < len(b) && b[at] == '.' {
		fraction := at + 1
		at = digitsEnd(b, fraction)
		if at == fraction || b[at-1] == '0' || zero && b[fraction] == '0' {
			return -1
		}
	} else if zero && whole > start {
		return -1
	}
	if at-start > 20 || at < len(b) && (b[at] == 'e' || b[at] == 'E') {
		return -1
	}
	return at
}

func digitsEnd(b []byte, at int) int {
	for at < len(b) && '0' <= b[at] && b[at] <= '9' {
		at++
	}
	return at
}

func canonicalNestedEnd(b []byte, at, depth int) int {
	open := b[at]
	end := open + 2 // '}' is two after '{', as ']' is after '['
	at++
	if at < len(b) && b[at] == end {
		return at + 1
	}
	for depth <= maxCanonicalDepth && at < len(b) {
		if open == '{' {
			if b[at] != '"' {
				return -1
			}
			if at = canonicalStringEnd(b, at); at < 0 || at >= len(b) || b[at] != ':' {
				return -1
			}
			at++
		}
		if at = canonicalValueEnd(b, at, depth); at < 0 || at >= len(b) {
			return -1
		}
		switch b[at] {
		case end:
			return at + 1
		case ',':
			at++
		default:
			return -1
		}
	}
	return -1
}

// isCanonical reports whether a value is canonical in one of the usual forms.
func isCanonical(v []byte) bool { return canonicalEnd(v, 0) == len(v) && len(v) > 0 }

// members reads an object without spaces, up to where it ends: read is called for
// each member that is named, with the name's index and where its value begins,
// and returns where that ends. It returns -1 for what it leaves to encoding/json:
// another form, a known name twice or in another case.
func members(b []byte, at int, names []string, read func(name, at int) int) int {
	if at >= len(b) || b[at] != '{' {
		return -1
	}
	seen := 0
	for first := true; ; first = false {
		at++
		if first && at < len(b) && b[at] == '}' {
			return at + 1
		}
		key, value := memberName(b, at)
		if value < 0 {
			return -1
		}
		name := -1
		for i, n := range names {
			if len(n) == len(key) && strings.EqualFold(n, string(key)) {
				name = i
				break
			}
		}
		switch {
		case name < 0:
			at = canonicalEnd(b, value)
		case seen&(1<<name) != 0 || names[name] != string(key):
			return -1
		default:
			seen |= 1 << name
			at = read(name, value)
		}
		if at < 0 || at >= len(b) || b[at] != ',' && b[at] != '}' {
			return -1
		}
		if b[at] == '}' {
			return at + 1
		}
	}
}

// memberName returns the name of a member, which is ASCII without escapes, and
// where its value begins, -1 for any other name.
func memberName(b []byte, at int) (name []byte, value int) {
	if at >= len(b) || b[at] != '"' {
		return nil, -1
	}
	for i := at + 1; i < len(b); i++ {
		switch c := b[i]; {
		case c == '"':
			if i+1 >= len(b) || b[i+1] != ':' {
				return nil, -1
			}
			return b[at+1 : i], i + 2
		case c < ' ' || c == '\\' || c >= utf8.RuneSelf:
			return nil, -1
		}
	}
	return nil, -1
}

// plainText returns the text of a JSON string that begins at the index and has
// no escapes, and where it ends, -1 if it is none.
func plainText(b []byte, at int) (text []byte, end int) {
	if at >= len(b) || b[at] != '"' {
		return nil, -1
	}
	end = canonicalStringEnd(b, at)
	if end < 0 || bytes.IndexByte(b[at:end], '\\') >= 0 {
		return nil, -1
	}
	return b[at+1 : end-1], end
}

// isNull reports whether null stands at the index.
func isNull(b []byte, at int) bool {
	return len(b)-at >= 4 && string(b[at:at+4]) == "null"
}
