package seal_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sheetbridge/sheetbridge/events/seal"
)

func TestParseMasterKey(t *testing.T) {
	raw := bytes.Repeat([]byte{0xfb, 0xef}, 16)
	var want seal.MasterKey
	copy(want[:], raw)
	for name, test := range map[string]struct {
		text string
		ok   bool
	}{
		"padded":       {base64.StdEncoding.EncodeToString(raw), true},
		"raw":          {base64.RawStdEncoding.EncodeToString(raw), true},
		"URL alphabet": {base64.RawURLEncoding.EncodeToString(raw), true},
		"white space":  {"\n " + base64.StdEncoding.EncodeToString(raw) + "\r\n", true},
		"empty":        {"", false},
		"31 bytes":     {base64.StdEncoding.EncodeToString(raw[1:]), false},
		"33 bytes":     {base64.StdEncoding.EncodeToString(append(raw, 1)), false},
		"hex":          {strings.Repeat("ab", 32), false},
		"not base64":   {strings.Repeat("s3cr&t", 8), false},
		"zero":         {base64.StdEncoding.EncodeToString(make([]byte, 32)), false},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := seal.ParseMasterKey(test.text)
			if (err == nil) != test.ok {
				t.Fatalf("got error %v, want ok %v", err, test.ok)
			}
			if test.ok && got != want {
				t.Error("got another key than was written")
			}
			if err != nil && len(test.text) > 8 && strings.Contains(err.Error(), test.text[:8]) {
				t.Errorf("error shows the key: %v", err)
			}
		})
	}
}

func TestLoadOrCreate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "master.key")
	made, created, err := seal.LoadOrCreate(path)
	if err != nil || !created {
		t.Fatalf("got created %v, error %v, want a new key", created, err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := info.Mode().Perm(), os.FileMode(0o600); got != want {
		t.Errorf("got mode %o, want %o", got, want)
	}
	again, created, err := seal.LoadOrCreate(path)
	if err != nil || created || again != made {
		t.Errorf("got created %v, error %v, same key %v, want the key again", created, err, again == made)
	}
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(entries) != 1 {
		t.Errorf("got %d files (error %v), want the key alone", len(entries), err)
	}
}

func TestLoadOrCreateRefuses(t *testing.T) {
	key := base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{7}, 32))
	for name, test := range map[string]struct {
		content string
		mode    os.FileMode
	}{
		"group may read": {key, 0o640},
		"world may read": {key, 0o604},
		"empty":          {"", 0o600},
		"cut":            {key[:20], 0o600},
		"too long":       {strings.Repeat(key, 1000), 0o600},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "master.key")
			if err := os.WriteFile(path, []byte(test.content), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(path, test.mode); err != nil {
				t.Fatal(err)
			}
			_, created, err := seal.LoadOrCreate(path)
			if err == nil || created || !strings.Contains(err.Error(), path) {
				t.Errorf("got created %v, error %v, want an error naming the file", created, err)
			}
			if got, err := os.ReadFile(path); err != nil || string(got) != test.content {
				t.Errorf("the file was touched (error %v)", err)
			}
		})
	}
}

func TestLoadOrCreateAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "master.key")
	keys := make([]seal.MasterKey, 8)
	errs := make([]error, len(keys))
	var wg sync.WaitGroup
	for i := range keys {
		wg.Go(func() { keys[i], _, errs[i] = seal.LoadOrCreate(path) })
	}
	wg.Wait()
	for i := range keys {
		if errs[i] != nil || keys[i] != keys[0] {
			t.Fatalf("process %d: error %v, same key %v", i, errs[i], keys[i] == keys[0])
		}
	}
}

func TestDerive(t *testing.T) {
	k, other := seal.NewMasterKey(), seal.NewMasterKey()
	a := k.Derive("a", 32)
	if len(a) != 32 || !bytes.Equal(a, k.Derive("a", 32)) {
		t.Error("the same purpose does not give the same 32 bytes")
	}
	for name, b := range map[string][]byte{"other purpose": k.Derive("b", 32), "other key": other.Derive("a", 32), "the key": k[:]} {
		if bytes.Equal(a, b) {
			t.Errorf("%s gives the same bytes", name)
		}
	}
	if got := k.Derive("a", 8161); got != nil {
		t.Errorf("got %d bytes, want nil beyond what can be derived", len(got))
	}
}

func newSealer(t *testing.T) *seal.Sealer {
	t.Helper()
	k := seal.NewMasterKey()
	keyset, err := seal.NewKeyset(k)
	if err != nil {
		t.Fatal(err)
	}
	s, err := seal.Open(k, keyset)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSealer(t *testing.T) {
	const token, name = "a-token-of-an-owner", "owner/ops/token"
	s, other := newSealer(t), newSealer(t)
	sealed, err := s.SealString(token, name)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := s.OpenString(sealed, name); err != nil || got != token {
		t.Errorf("got %q, error %v, want it back", got, err)
	}
	if again, err := s.SealString(token, name); err != nil || bytes.Equal(again, sealed) {
		t.Errorf("sealed twice alike (error %v)", err)
	}
	for i := range sealed {
		if bytes.Contains(sealed, []byte(token[:4])) {
			t.Fatalf("sealed value shows the token")
		}
		changed := bytes.Clone(sealed)
		changed[i] ^= 1
		if _, err := s.Open(changed, name); err == nil {
			t.Errorf("opened with byte %d changed", i)
		}
	}
	for name, test := range map[string]struct {
		sealer *seal.Sealer
		sealed []byte
		name   string
		want   error
	}{
		"another record": {s, sealed, "owner/eve/token", seal.ErrTampered},
		"no name":        {s, sealed, "", seal.ErrTampered},
		"cut":            {s, sealed[:len(sealed)-1], name, seal.ErrTampered},
		"cut to nothing": {s, nil, name, seal.ErrTampered},
		"in the clear":   {s, []byte(token), name, seal.ErrWrongKey},
		"another keyset": {other, sealed, name, seal.ErrWrongKey},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := test.sealer.Open(test.sealed, test.name)
			if !errors.Is(err, test.want) || len(got) != 0 {
				t.Fatalf("got %q, error %v, want %v", got, err, test.want)
			}
			if strings.Contains(err.Error(), token) {
				t.Errorf("error shows the token: %v", err)
			}
		})
	}
	if _, err := s.Seal([]byte(token), ""); err == nil {
		t.Error("sealed for no record")
	}
}

func TestOpenKeyset(t *testing.T) {
	k, other := seal.NewMasterKey(), seal.NewMasterKey()
	keyset, err := seal.NewKeyset(k)
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		key    seal.MasterKey
		keyset []byte
	}{
		"another master key": {other, keyset},
		"no master key":      {seal.MasterKey{}, keyset},
		"damaged":            {k, append(bytes.Clone(keyset[:len(keyset)-1]), 'x')},
		"empty":              {k, nil},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := seal.Open(test.key, test.keyset); err == nil {
				t.Error("opened")
			} else if !test.key.IsZero() && !errors.Is(err, seal.ErrWrongKey) {
				t.Errorf("got %v, want ErrWrongKey", err)
			}
		})
	}
	if _, err := seal.NewKeyset(seal.MasterKey{}); err == nil {
		t.Error("sealed a keyset under no master key")
	}
}

func TestNothingShows(t *testing.T) {
	const token = "a-token-of-an-owner"
	key, err := seal.ParseMasterKey(base64.StdEncoding.EncodeToString([]byte("0123456789abcdefghijklmnopqrstuv")))
	if err != nil {
		t.Fatal(err)
	}
	type record struct {
		Token seal.Secret
		Key   seal.MasterKey
	}
	r := record{token, key}
	var b bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
		for _, v := range []any{r, &r, r.Token, r.Key, []seal.Secret{r.Token}, map[string]seal.MasterKey{"k": key}} {
			fmt.Fprintf(&b, verb+"\n", v)
		}
	}
	for _, h := range []slog.Handler{slog.NewTextHandler(&b, nil), slog.NewJSONHandler(&b, nil)} {
		slog.New(h).Info("shown", "record", r, "token", r.Token, "key", r.Key)
	}
	for _, v := range []any{r, r.Token, r.Key, []seal.Secret{r.Token}} {
		if text, err := json.Marshal(v); err == nil {
			t.Errorf("%T written as JSON: %s", v, text)
		} else {
			fmt.Fprintln(&b, err)
		}
	}
	for _, shown := range []string{token, fmt.Sprintf("%x", token), fmt.Sprintf("%X", token), "0123", "30313233", "48 49 50"} {
		if strings.Contains(b.String(), shown) {
			t.Errorf("%q shows in:\n%s", shown, b.String())
		}
	}
}

func TestJSON(t *testing.T) {
	var got struct {
		Token  seal.Secret
		Sealed seal.Sealed
	}
	if err := json.Unmarshal([]byte(`{"Token":"abc","Sealed":"AQID"}`), &got); err != nil {
		t.Fatal(err)
	}
	if string(got.Token) != "abc" {
		t.Error("a secret is not read from JSON")
	}
	if diff := cmp.Diff(seal.Sealed{1, 2, 3}, got.Sealed); diff != "" {
		t.Errorf("sealed value (-want +got):\n%s", diff)
	}
	text, err := json.Marshal(got.Sealed)
	if err != nil || string(text) != `"AQID"` {
		t.Errorf("got %s, error %v, want base64", text, err)
	}
}
