package smartsheet

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxSkipDepth is how deep lists and objects in a value that is skipped may be;
// encoding/json allows more.
const maxSkipDepth = 100

// scanner steps through JSON. Its methods return false at what is no JSON, and
// at what they leave to encoding/json.
type scanner struct {
	data []byte
	at   int
}

func (s *scanner) space() {
	for s.at < len(s.data) {
		switch s.data[s.at] {
		case ' ', '\t', '\n', '\r':
			s.at++
		default:
			return
		}
	}
}

// peek is the next byte that is no space, 0 at the end.
func (s *scanner) peek() byte {
	s.space()
	if s.at == len(s.data) {
		return 0
	}
	return s.data[s.at]
}

// take steps over the byte c, and reports whether that is the next one.
func (s *scanner) take(c byte) bool {
	if s.at < len(s.data) && s.data[s.at] == c {
		s.at++
		return true
	}
	if s.peek() != c {
		return false
	}
	s.at++
	return true
}

// end reports whether nothing follows.
func (s *scanner) end() bool {
	s.space()
	return s.at == len(s.data)
}

// null steps over null, and reports whether that is next.
func (s *scanner) null() bool { return s.peek() == 'n' && s.literal("null") }

func (s *scanner) literal(text string) bool {
	if len(s.data)-s.at < len(text) || string(s.data[s.at:s.at+len(text)]) != text {
		return false
	}
	s.at += len(text)
	return true
}

// key reads a name of ASCII without escapes, and the colon after it.
func (s *scanner) key() ([]byte, bool) {
	if !s.take('"') {
		return nil, false
	}
	start := s.at
	for s.at < len(s.data) {
		c := s.data[s.at]
		s.at++
		if c == '"' {
			return s.data[start : s.at-1], s.take(':')
		}
		if c < ' ' || c == '\\' || c >= utf8.RuneSelf {
			break
		}
	}
	return nil, false
}

// indexOf finds the name that the key is, -1 for none, and first where it most
// likely is. It does not fit if it is a name in another case, which encoding/json
// takes for the name where the name itself is missing.
func indexOf(names []string, key []byte, likely int) (index int, fits bool) {
	if likely < len(names) && string(key) == names[likely] {
		return likely, true
	}
	for i, name := range names {
		if len(name) == len(key) && strings.EqualFold(name, string(key)) {
			return i, name == string(key)
		}
	}
	return -1, true
}

// raw steps over a value and returns its bytes.
func (s *scanner) raw(out *[]byte) bool {
	s.space()
	start := s.at
	if !s.skip(0) {
		return false
	}
	*out = s.data[start:s.at:s.at]
	return true
}

// stringOrNull steps over a string and returns the text between its quotes if it
// stands there plain, else the string as it is, or null.
func (s *scanner) stringOrNull() (raw []byte, plain, ok bool) {
	if s.null() {
		return s.data[s.at-4 : s.at], false, true
	}
	if !s.take('"') {
		return nil, false, false
	}
	start := s.at
	escapes, ascii, ok := s.rest()
	if !ok {
		return nil, false, false
	}
	text := s.data[start : s.at-1]
	if escapes || !ascii && !utf8.Valid(text) {
		return s.data[start-1 : s.at], false, true
	}
	return text, true, true
}

// plainString is the text of a JSON string, if that is all ASCII without escapes.
func plainString(raw []byte) (text string, ok bool) {
	s := scanner{data: raw, at: 1}
	escapes, ascii, ok := s.rest()
	if !ok || escapes || !ascii || s.at != len(raw) {
		return "", false
	}
	return string(raw[1 : len(raw)-1]), true
}

// rest steps over what follows the opening quote of a string.
func (s *scanner) rest() (escapes, ascii, ok bool) {
	data, i := s.data, s.at
	for ascii = true; i < len(data); i++ {
		switch c := data[i]; {
		case ' ' <= c && c < utf8.RuneSelf && c != '"' && c != '\\':
		case c == '"':
			s.at = i + 1
			return escapes, ascii, true
		case c >= utf8.RuneSelf:
			ascii = false
		case c == '\\' && escape(data[i+1:]) > 0:
			escapes = true
			i += escape(data[i+1:])
		default:
			return false, false, false
		}
	}
	return false, false, false
}

// escape is the length of what follows a backslash, 0 if that is no escape.
func escape(b []byte) int {
	if len(b) == 0 {
		return 0
	}
	switch b[0] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 1
	case 'u':
		if len(b) < 5 {
			return 0
		}
		for _, c := range b[1:5] {
			if !('0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F') {
				return 0
			}
		}
		return 5
	}
	return 0
}

// skip steps over a value.
func (s *scanner) skip(depth int) bool {
	switch c := s.peek(); c {
	case '"':
		s.at++
		_, _, ok := s.rest()
		return ok
	case '{', '[':
		return depth < maxSkipDepth && s.skipNested(c, depth+1)
	case 't':
		return s.literal("true")
	case 'f':
		return s.literal("false")
	case 'n':
		return s.literal("null")
	}
	_, ok := s.number()
	return ok
}

func (s *scanner) skipNested(open byte, depth int) bool {
	s.at++
	end := open + 2 // '}' is two after '{', as ']' is after '['
	if s.take(end) {
		return true
	}
	for {
		if open == '{' {
			if !s.take('"') {
				return false
			}
			if _, _, ok := s.rest(); !ok || !s.take(':') {
				return false
			}
		}
		if !s.skip(depth) {
			return false
		}
		if !s.take(',') {
			return s.take(end)
		}
	}
}

// number steps over a number and returns it.
func (s *scanner) number() (text []byte, ok bool) {
	start := s.at
	s.optional('-')
	if !s.optional('0') && !s.digits() {
		return nil, false
	}
	if s.optional('.') && !s.digits() {
		return nil, false
	}
	if s.optional('e') || s.optional('E') {
		if !s.optional('+') {
			s.optional('-')
		}
		if !s.digits() {
			return nil, false
		}
	}
	return s.data[start:s.at], true
}

func (s *scanner) optional(c byte) bool {
	if s.at < len(s.data) && s.data[s.at] == c {
		s.at++
		return true
	}
	return false
}

func (s *scanner) digits() bool {
	start := s.at
	for s.at < len(s.data) && '0' <= s.data[s.at] && s.data[s.at] <= '9' {
		s.at++
	}
	return s.at > start
}

// int reads a whole number in 64 bits, or null, which leaves out as it is.
func (s *scanner) int(out *int64) bool {
	if s.null() {
		return true
	}
	text, ok := s.number()
	if !ok {
		return false
	}
	n, err := strconv.ParseInt(string(text), 10, 64)
	if err != nil {
		return false
	}
	*out = n
	return true
}
