package events

import (
	"encoding/json"
	"math/big"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestCanonical(t *testing.T) {
	for in, want := range map[string]string{
		`3303.0`:                    `3303`,
		`3.303e3`:                   `3303`,
		`3303`:                      `3303`,
		`330300e-2`:                 `3303`,
		`-0`:                        `0`,
		`0.000e999999999999999999`:  `0`,
		`9007199254740993`:          `9007199254740993`,
		`0.1`:                       `0.1`,
		`1E2`:                       `100`,
		`1e20`:                      `100000000000000000000`,
		`1e21`:                      `1e21`,
		`12e20`:                     `1200000000000000000000`,
		`0.0000001`:                 `0.0000001`,
		`0.00000001`:                `1e-8`,
		`-12.5e-30`:                 `-1.25e-29`,
		`1e999999999`:               `1e999999999`,
		`10e-99999999999999999999`:  `1e-99999999999999999998`,
		`1e099999999999999999999`:   `1e99999999999999999999`,
		`"a"`:                       `"a"`,
		`"<&>"`:                     `"<&>"`,
		`"\u003c\u00e4\/\n"`:        `"<ä/\n"`,
		`"\ud800"`:                  `"` + "\ufffd" + `"`,
		` [ 1.0 , "x" , null ] `:    `[1,"x",null]`,
		`{ "b":1.0, "a":{"c":[ ]}}`: `{"b":1,"a":{"c":[]}}`,
		`{}`:                        `{}`,
		`true`:                      `true`,
		``:                          `null`,
		`{"a":`:                     `null`,
		`1 2`:                       `null`,
		`01`:                        `null`,
	} {
		if got := string(Canonical(json.RawMessage(in))); got != want {
			t.Errorf("%s: got %s, want %s", in, got, want)
		}
	}
}

// checkCanonical checks that the canonical form is a fixed point, is valid, and
// has the value of what it was made of.
func checkCanonical(t interface{ Fatalf(string, ...any) }, in []byte) {
	once := Canonical(in)
	if !json.Valid(once) {
		t.Fatalf("%s: got %s, want JSON", in, once)
	}
	if twice := Canonical(once); string(twice) != string(once) {
		t.Fatalf("%s: got %s at once and %s after that", in, once, twice)
	}
	if !json.Valid(in) {
		return
	}
	was, exact := valueOf(in)
	is, stillExact := valueOf(once)
	if exact && stillExact && was != is {
		t.Fatalf("%s: got the value %s, want %s", once, is, was)
	}
}

// valueOf is a JSON value written by the standard library, its numbers as
// fractions of whole numbers; exact is false if one is too far from zero, or too
// near, to do that with.
func valueOf(raw []byte) (value string, exact bool) {
	exact = true
	d := json.NewDecoder(strings.NewReader(string(raw)))
	d.UseNumber()
	var b strings.Builder
	for {
		token, err := d.Token()
		if err != nil {
			return b.String(), exact
		}
		if n, ok := token.(json.Number); ok {
			_, power, _ := strings.Cut(strings.ToLower(n.String()), "e")
			if len(strings.TrimLeft(power, "+-0")) > 4 {
				exact = false
				continue
			}
			r, ok := new(big.Rat).SetString(n.String())
			if !ok {
				return "", false
			}
			token = r.String()
		}
		text, err := json.Marshal(token)
		if err != nil {
			return "", false
		}
		b.Write(text)
		b.WriteByte(' ')
	}
}

func TestCanonicalKeepsValues(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.StringMatching(`-?(0|[1-9][0-9]{0,30})(\.[0-9]{1,30})?([eE][+-]?[0-9]{1,3})?`).Draw(t, "number")
		s, err := json.Marshal(rapid.String().Draw(t, "string"))
		if err != nil {
			t.Fatal(err)
		}
		checkCanonical(t, []byte(n))
		checkCanonical(t, []byte(`{`+string(s)+`:[`+n+`,`+string(s)+`,{}]}`))
	})
}

// A string that needs no escape is written as the encoder would write it, and so
// is every other.
func TestCanonicalStrings(t *testing.T) {
	same := func(t interface{ Fatalf(string, ...any) }, text string) {
		var want strings.Builder
		e := json.NewEncoder(&want)
		e.SetEscapeHTML(false)
		if err := e.Encode(text); err != nil {
			t.Fatalf("%v", err)
		}
		escaped, err := json.Marshal(text)
		if err != nil {
			t.Fatalf("%v", err)
		}
		for _, got := range []json.RawMessage{Canonical(json.RawMessage(want.String())), Canonical(escaped), jsonString(text)} {
			if string(got) != strings.TrimSuffix(want.String(), "\n") {
				t.Fatalf("%q: got %s, want %s", text, got, want.String())
			}
		}
	}
	for _, text := range []string{"", "a", `"`, `\`, "\n", "\x00", "\x7f", "<&>", "ä", "\u2028", "a\u2029", "\ufffd", "😀"} {
		same(t, text)
	}
	if got, want := string(jsonString("a\xff")), `"a`+"\ufffd"+`"`; got != want {
		t.Errorf("a text that is no UTF-8: got %s, want %s", got, want)
	}
	rapid.Check(t, func(t *rapid.T) { same(t, rapid.String().Draw(t, "text")) })
}

// Two spellings of one number are one; another number is another.
func TestCanonicalNumbersCompareByValue(t *testing.T) {
	number := rapid.Custom(func(t *rapid.T) string {
		return rapid.StringMatching(`-?(0|[1-9][0-9]{0,3})(\.[0-9]{1,4})?(e[+-]?[0-9])?`).Draw(t, "n")
	})
	rapid.Check(t, func(t *rapid.T) {
		a, b := number.Draw(t, "a"), number.Draw(t, "b")
		x, _ := new(big.Rat).SetString(a)
		y, _ := new(big.Rat).SetString(b)
		same := string(Canonical([]byte(a))) == string(Canonical([]byte(b)))
		if same != (x.Cmp(y) == 0) {
			t.Fatalf("%s and %s: got same %v", a, b, same)
		}
	})
}

func FuzzCanonical(f *testing.F) {
	for _, seed := range []string{`1e999999999`, `-0.0`, `"\ud800<"`, `{"a":[1.0,{"b":null}],"a":2}`, `[[[[]]]]`, `1e-99999999999999999999`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		checkCanonical(t, in)
		if out := Canonical(in); len(out) > 8*len(in)+64 {
			t.Fatalf("got %d bytes of %d", len(out), len(in))
		}
	})
}
