package admin_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sheetbridge/sheetbridge/webhook/admin"
)

func TestParseTokens(t *testing.T) {
	t.Parallel()
	const a, b, c = "aaaaaaaaaaaaaaaa", "bbbb-BBBB_bbbb-00", "cccccccccccccccccccc"
	const hash = "7b3ca4e0f1f1a7bd4fe4b4ad2d6b6e8d1c9c8c1f8ad7c0a6b6a3bfa2a1a0f9e8"
	for text, want := range map[string][]admin.Token{
		a:                                       {{Name: "admin", Secret: a}},
		"alice:" + a:                            {{Name: "alice", Secret: a}},
		"alice:ro:" + a:                         {{Name: "alice", Secret: a, ReadOnly: true}},
		a + ", bob:" + b + " ,grafana:ro:" + c:  {{Name: "admin", Secret: a}, {Name: "bob", Secret: b}, {Name: "grafana", Secret: c, ReadOnly: true}},
		"alice:" + a + ",alice:" + b:            {{Name: "alice", Secret: a}, {Name: "alice", Secret: b}},
		"sha256:" + hash:                        {{Name: "admin", SHA256: hash}},
		"alice:sha256:" + strings.ToUpper(hash): {{Name: "alice", SHA256: hash}},
		"alice:ro:sha256:" + hash + "," + b:     {{Name: "alice", SHA256: hash, ReadOnly: true}, {Name: "admin", Secret: b}},
	} {
		got, err := admin.ParseTokens(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", text, diff)
		}
	}
}

func TestParseTokensRefused(t *testing.T) {
	t.Parallel()
	const secret = "planted-secret-00"
	for text, words := range map[string]string{
		"":                                  "no token",
		" ":                                 "no token",
		"planted":                           "16 or more",
		"alice:planted":                     "16 or more",
		secret + "!":                        "16 or more",
		secret + ",":                        "token 2: ",
		"alice:ro:" + secret + ":planted":   "name:ro:secret",
		"alice:rw:" + secret:                "name:ro:secret",
		"ro:" + secret:                      "needs a name",
		"Planted_Name:" + secret:            "no name",
		":" + secret:                        "no name",
		"a:" + secret + ",b:ro:" + secret:   "token 2: it has the secret of token 1",
		"planted,alice:" + secret + ",also": "token 3",
		"alice:sha256:planted":              "64 hex digits",
		"alice:sha256:" + strings.Repeat("ab", 32) + "," + "bob:sha256:" + strings.Repeat("AB", 32): "token 2: it has the secret of token 1",
		"alice:sha512:" + secret:                "name:ro:secret",
		"ro:sha256:" + strings.Repeat("ab", 32): "needs a name",
	} {
		got, err := admin.ParseTokens(text)
		if err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("%q: got %v, want %q in it", text, err, words)
		}
		if got != nil || err != nil && strings.Contains(strings.ToLower(err.Error()), "planted") {
			t.Errorf("%q: got %v and %v, want nothing of the secret", text, got, err)
		}
	}
}

func TestTokenDoesNotShow(t *testing.T) {
	t.Parallel()
	token := admin.Token{Name: "alice", Secret: "planted-secret-00"}
	for _, format := range []string{"%v", "%+v", "%#v", "%s"} {
		if got := fmt.Sprintf(format, token); strings.Contains(got, "planted") {
			t.Errorf("%s: got %s", format, got)
		}
	}
}
