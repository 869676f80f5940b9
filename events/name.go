package events

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// Longest names. A field's is bounded so that no title or request makes
// events grow without end.
const (
	maxName      = 32
	maxFieldName = 64
)

// ValidName tells whether a name is allowed for an owner, a partner or a sheet:
// 1 to 32 of a-z, 0-9 and "-", with no "-" at either end.
func ValidName(name string) bool {
	if len(name) == 0 || len(name) > maxName || name[0] == '-' || name[len(name)-1] == '-' {
		return false
	}
	return onlyNameBytes(name, '-')
}

// ValidFieldName tells whether a name is allowed for a field: a letter a-z,
// then letters, digits and "_", at most 64 in all, and not a word that means
// something in a filter.
func ValidFieldName(name string) bool {
	if len(name) == 0 || len(name) > maxFieldName || name[0] < 'a' || name[0] > 'z' {
		return false
	}
	return onlyNameBytes(name, '_') && !filterWord(name)
}

func onlyNameBytes(name string, joint byte) bool {
	for i := range len(name) {
		c := name[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != joint {
			return false
		}
	}
	return true
}

// filterWord tells whether CEL keeps the word for itself, or we do.
func filterWord(name string) bool {
	switch name {
	case "as", "break", "cells", "const", "continue", "else", "false", "for", "function", "if", "import",
		"in", "let", "loop", "namespace", "null", "package", "return", "true", "var", "void", "while":
		return true
	}
	return false
}

// SlugField makes a field's name of a column's title: "Due Date" becomes
// due_date. What has no Latin letter or digit at all becomes "field". The
// result may be a word of CEL; Resolve numbers it as it numbers duplicates.
func SlugField(title string) string {
	s := slug(title, '_', maxFieldName)
	switch {
	case s == "":
		return "field"
	case s[0] < 'a':
		return strings.TrimRight(clip("field_"+s, maxFieldName), "_")
	}
	return s
}

// SlugSheet makes a sheet's name for partners of its name at Smartsheet:
// "Orders (EU)" becomes orders-eu. What has no Latin letter or digit at all
// becomes "sheet".
func SlugSheet(name string) string {
	if s := slug(name, '-', maxName); s != "" {
		return s
	}
	return "sheet"
}

// slug keeps the Latin letters, in lower case and without marks, and the
// digits of s, puts one joint for whatever stands between them, and cuts the
// result to limit bytes.
func slug(s string, joint byte, limit int) string {
	var b strings.Builder
	gap := false
	for _, r := range norm.NFKD.String(clip(s, 8*limit)) {
		part := latin(unicode.ToLower(r))
		if part == "" {
			gap = gap || !unicode.Is(unicode.Mn, r)
			continue
		}
		if gap && b.Len() > 0 {
			b.WriteByte(joint)
		}
		gap = false
		b.WriteString(part)
	}
	return strings.TrimRight(clip(b.String(), limit), string(joint))
}

// latin returns the ASCII spelling of a letter or digit in lower case, "" for
// all else.
func latin(r rune) string {
	switch {
	case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
		return string(r)
	}
	switch r {
	case 'ß':
		return "ss"
	case 'æ':
		return "ae"
	case 'œ':
		return "oe"
	case 'ø':
		return "o"
	case 'đ', 'ð':
		return "d"
	case 'ł':
		return "l"
	case 'þ':
		return "th"
	case 'ı':
		return "i"
	}
	return ""
}

// clip cuts s to at most limit bytes.
func clip(s string, limit int) string {
	if len(s) > limit {
		return s[:limit]
	}
	return s
}
