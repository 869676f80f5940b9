package seal

import (
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
)

// maxDerived is what HKDF-SHA256 can give for one purpose, in bytes.
const maxDerived = 255 * sha256.Size

// MasterKey is the one key that everything at rest hangs on. It is never
// printed: every format, log and JSON of it is redacted or refused.
type MasterKey [32]byte

// ParseMasterKey reads a key written as base64 of 32 bytes, in the standard or
// the URL alphabet, padded or not, surrounded by white space or not.
func ParseMasterKey(text string) (MasterKey, error) {
	var k MasterKey
	text = strings.TrimRight(strings.TrimSpace(text), "=")
	text = strings.NewReplacer("-", "+", "_", "/").Replace(text)
	b, err := base64.RawStdEncoding.Strict().DecodeString(text)
	if err != nil {
		return k, errors.New("read master key: not base64")
	}
	if len(b) != len(k) {
		return k, fmt.Errorf("read master key: got %d bytes, want %d (make one with: openssl rand -base64 32)", len(b), len(k))
	}
	copy(k[:], b)
	if k.IsZero() {
		return k, errors.New("read master key: all bytes are zero")
	}
	return k, nil
}

// NewMasterKey makes a random key.
func NewMasterKey() MasterKey {
	var k MasterKey
	rand.Read(k[:]) // never fails: the program ends where there is no randomness
	return k
}

// IsZero tells whether the key was never set.
func (k MasterKey) IsZero() bool {
	return subtle.ConstantTimeCompare(k[:], make([]byte, len(k))) == 1
}

// ID names the key without telling of it, for those who have to know whether two
// are the same.
func (k MasterKey) ID() string {
	return hex.EncodeToString(k.Derive("sheetbridge master key id v1", 8))
}

// Derive returns n bytes (at most 8160, nil beyond) that only holders of the
// master key can compute, by HKDF-SHA256. Other purposes give unrelated bytes;
// a purpose is for one use alone.
func (k MasterKey) Derive(purpose string, n int) []byte {
	if n < 0 || n > maxDerived {
		return nil
	}
	b, err := hkdf.Key(sha256.New, k[:], nil, purpose, n)
	if err != nil {
		return nil
	}
	return b
}

// LoadMasterKey reads the key in a file, as ReadFile does. A file that holds
// anything else than a key is refused.
func LoadMasterKey(path string) (MasterKey, error) {
	text, err := ReadFile(path)
	if err != nil {
		return MasterKey{}, fmt.Errorf("read master key: %w", err)
	}
	k, err := ParseMasterKey(string(text))
	if err != nil {
		return MasterKey{}, fmt.Errorf("%w, in %s", err, path)
	}
	return k, nil
}

// LoadOrCreate reads the key in a file as LoadMasterKey does. Where there is no
// file it makes a random key and writes it (mode 0600, its directory must
// exist); created is true then. The file appears whole or not at all, and two
// processes that create it at once get the same key.
func LoadOrCreate(path string) (k MasterKey, created bool, err error) {
	k, err = LoadMasterKey(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return k, false, err
	}
	made := NewMasterKey()
	err = createFile(path, []byte(base64.StdEncoding.EncodeToString(made[:])+"\n"))
	if errors.Is(err, fs.ErrExist) {
		k, err = LoadMasterKey(path)
		return k, false, err
	}
	if err != nil {
		return MasterKey{}, false, fmt.Errorf("create master key %s: %w", path, err)
	}
	return made, true, nil
}

// createFile writes a file that must not exist yet: under another name first,
// synced, then linked, which, unlike a rename, never replaces another's.
func createFile(path string, content []byte) (err error) {
	dir := filepath.Dir(path)
	tmp, err := os.CreateTemp(dir, filepath.Base(path)+".*.tmp") // mode 0600
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.Remove(tmp.Name())) }()
	_, err = tmp.Write(content)
	if err = errors.Join(err, tmp.Sync(), tmp.Close()); err != nil {
		return err
	}
	if err := os.Link(tmp.Name(), path); err != nil {
		return err
	}
	return syncDir(dir)
}

// syncDir makes a new name in the directory survive a power cut.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Format writes "[redacted]" for every verb.
func (MasterKey) Format(s fmt.State, _ rune) { io.WriteString(s, redacted) }

// String returns "[redacted]".
func (MasterKey) String() string { return redacted }

// LogValue is "[redacted]".
func (MasterKey) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalJSON always fails: a master key is not stored beside what it seals.
func (MasterKey) MarshalJSON() ([]byte, error) {
	return nil, errors.New("a master key is not written as JSON")
}
