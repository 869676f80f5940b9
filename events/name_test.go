package events

import (
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestSlugs(t *testing.T) {
	for in, want := range map[string][2]string{
		"Due Date":                {"due_date", "due-date"},
		"  Orders (EU) / 2026 ":   {"orders_eu_2026", "orders-eu-2026"},
		"Größe":                   {"grosse", "grosse"},
		"Café № 5":                {"cafe_no_5", "cafe-no-5"},
		"Ærø Þing":                {"aero_thing", "aero-thing"},
		"2nd":                     {"field_2nd", "2nd"},
		"数量":                      {"field", "sheet"},
		"":                        {"field", "sheet"},
		"🚀":                       {"field", "sheet"},
		"% done":                  {"done", "done"},
		"in":                      {"in", "in"},
		strings.Repeat("ab ", 40): {strings.Repeat("ab_", 21) + "a", strings.TrimSuffix(strings.Repeat("ab-", 11), "-")},
	} {
		if got := SlugField(in); got != want[0] {
			t.Errorf("SlugField(%q): got %q, want %q", in, got, want[0])
		}
		if got := SlugSheet(in); got != want[1] {
			t.Errorf("SlugSheet(%q): got %q, want %q", in, got, want[1])
		}
	}
}

func TestSlugsAreValid(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		title := rapid.String().Draw(t, "title")
		if s := SlugField(title); !ValidFieldName(s) && !filterWord(s) {
			t.Fatalf("SlugField(%q): got %q", title, s)
		}
		if s := SlugSheet(title); !ValidName(s) {
			t.Fatalf("SlugSheet(%q): got %q", title, s)
		}
	})
}

func TestValidName(t *testing.T) {
	contract := regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$`)
	name := rapid.OneOf(rapid.StringMatching(`[a-z0-9-]{0,34}`), rapid.StringMatching(`[a-zA-Z0-9_.\n-]{0,4}`), rapid.String())
	rapid.Check(t, func(t *rapid.T) {
		// $ also matches before a newline at the end in some languages; not in Go.
		if s := name.Draw(t, "name"); ValidName(s) != contract.MatchString(s) {
			t.Fatalf("%q: got %v", s, ValidName(s))
		}
	})
}

func TestValidFieldName(t *testing.T) {
	for in, want := range map[string]bool{
		"a": true, "due_date": true, "a_": true, "q2": true, "type": true, "duration": true, strings.Repeat("a", 64): true,
		"": false, "2q": false, "_a": false, "Due": false, "due-date": false, "a\n": false, "ä": false, strings.Repeat("a", 65): false,
		"in": false, "true": false, "null": false, "as": false, "while": false, "cells": false,
	} {
		if got := ValidFieldName(in); got != want {
			t.Errorf("%q: got %v, want %v", in, got, want)
		}
	}
}
