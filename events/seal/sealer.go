package seal

import (
	"bytes"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/aead/subtle"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/tink"
)

var (
	// ErrWrongKey: sealed under another key than the one at hand.
	ErrWrongKey = errors.New("sealed under another key")
	// ErrTampered: the key is right, but the sealed value was changed, cut, or
	// belongs to a record of another name.
	ErrTampered = errors.New("changed, or of another record")
)

const (
	keysetPurpose = "sheetbridge keyset v1"
	keysetName    = "keyset"
	prefixSize    = 5 // of a sealed value: a version byte and the key's id
)

// NewKeyset makes a keyset with one random XAES-256-GCM key, sealed under the
// master key. It is stored as it is and opened with Open.
func NewKeyset(k MasterKey) ([]byte, error) {
	h, err := keyset.NewHandle(aead.XAES256GCM192BitNonceKeyTemplate())
	if err != nil {
		return nil, fmt.Errorf("make keyset: %w", err)
	}
	return sealKeyset(k, h)
}

// Sealer seals and opens values. It is safe for concurrent use, while its
// keyset is replaced too.
type Sealer struct {
	// Missing is asked when a value was sealed under a key that is not in the
	// keyset: another process may have replaced that. It loads the newer one,
	// and the value is tried once more. Nil: nobody is asked.
	Missing func() error

	keys atomic.Pointer[keys]
}

// keys are one keyset, opened.
type keys struct {
	aead tink.AEAD
	list []Key
}

// Open opens a keyset that NewKeyset made. Its error is ErrWrongKey if the
// master key is another one (or the keyset is damaged: it cannot be told apart).
func Open(k MasterKey, sealedKeyset []byte) (*Sealer, error) {
	s := &Sealer{}
	return s, s.Load(k, sealedKeyset)
}

// Load replaces the keyset. Its errors are those of Open; the keyset stays as it
// was then.
func (s *Sealer) Load(k MasterKey, sealedKeyset []byte) error {
	h, err := openKeyset(k, sealedKeyset)
	if err != nil {
		return err
	}
	a, err := aead.New(h)
	if err != nil {
		return fmt.Errorf("open keyset: %w", err)
	}
	s.keys.Store(&keys{aead: a, list: keysOf(h)})
	return nil
}

// Seal seals a value for the record with the name; it opens under that name
// only. The same value sealed twice gives different bytes, some 45 longer
// than the value.
func (s *Sealer) Seal(plaintext []byte, name string) (Sealed, error) {
	if name == "" {
		return nil, errors.New("seal a value: no record name")
	}
	b, err := s.keys.Load().aead.Encrypt(plaintext, []byte(name))
	if err != nil {
		return nil, fmt.Errorf("seal %s: %w", name, err)
	}
	return b, nil
}

// Open opens what Seal sealed under the same name. Its error is ErrWrongKey or
// ErrTampered.
func (s *Sealer) Open(sealed []byte, name string) ([]byte, error) {
	if len(sealed) < prefixSize {
		return nil, fmt.Errorf("open %s: %w", name, ErrTampered)
	}
	now := s.keys.Load()
	if !now.opens(sealed) && s.Missing != nil {
		if err := s.Missing(); err != nil {
			return nil, fmt.Errorf("open %s: %w: and the keyset cannot be read again: %w", name, ErrWrongKey, err)
		}
		now = s.keys.Load()
	}
	if !now.opens(sealed) {
		return nil, fmt.Errorf("open %s: %w", name, ErrWrongKey)
	}
	b, err := now.aead.Decrypt(sealed, []byte(name))
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", name, ErrTampered)
	}
	return b, nil
}

// SealString is Seal for a string.
func (s *Sealer) SealString(plaintext, name string) (Sealed, error) {
	return s.Seal([]byte(plaintext), name)
}

// OpenString is Open for a string.
func (s *Sealer) OpenString(sealed []byte, name string) (string, error) {
	b, err := s.Open(sealed, name)
	return string(b), err
}

func masterAEAD(k MasterKey) (tink.AEAD, error) {
	if k.IsZero() {
		return nil, errors.New("no master key")
	}
	return subtle.NewXChaCha20Poly1305(k.Derive(keysetPurpose, 32))
}

func sealKeyset(k MasterKey, h *keyset.Handle) ([]byte, error) {
	a, err := masterAEAD(k)
	if err != nil {
		return nil, fmt.Errorf("seal keyset: %w", err)
	}
	var b bytes.Buffer
	if err := h.WriteWithAssociatedData(keyset.NewBinaryWriter(&b), a, []byte(keysetName)); err != nil {
		return nil, fmt.Errorf("seal keyset: %w", err)
	}
	return b.Bytes(), nil
}

func openKeyset(k MasterKey, sealed []byte) (*keyset.Handle, error) {
	a, err := masterAEAD(k)
	if err != nil {
		return nil, fmt.Errorf("open keyset: %w", err)
	}
	h, err := keyset.ReadWithAssociatedData(keyset.NewBinaryReader(bytes.NewReader(sealed)), a, []byte(keysetName))
	if err != nil {
		// The cause says no more than that: authenticated decryption failed.
		return nil, fmt.Errorf("open keyset: %w", ErrWrongKey)
	}
	return h, nil
}
