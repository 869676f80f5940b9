package seal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/keyset"
	tinkpb "github.com/tink-crypto/tink-go/v2/proto/tink_go_proto"
)

// Key is one key of a keyset, without what is secret of it. A keyset has its
// keys in the order in which they were made: those before the primary one are
// old, those after it are to come.
type Key struct {
	ID      uint32 `json:"id"`
	Primary bool   `json:"primary"` // seals; the others only open
	Enabled bool   `json:"enabled"` // opens what it sealed
}

// Keys are the keys of the keyset, oldest first.
func (s *Sealer) Keys() []Key { return slices.Clone(s.keys.Load().list) }

// Current tells whether a value is sealed under the primary key.
func (s *Sealer) Current(sealed []byte) bool {
	id, ok := KeyID(sealed)
	return ok && slices.ContainsFunc(s.keys.Load().list, func(k Key) bool { return k.ID == id && k.Primary })
}

func (k *keys) opens(sealed []byte) bool {
	id, ok := KeyID(sealed)
	return ok && slices.ContainsFunc(k.list, func(k Key) bool { return k.ID == id && k.Enabled })
}

// KeyID is the id of the key that a value is sealed under; false for none.
func KeyID(sealed []byte) (uint32, bool) {
	if len(sealed) < prefixSize {
		return 0, false
	}
	return binary.BigEndian.Uint32(sealed[1:prefixSize]), true
}

func keysOf(h *keyset.Handle) []Key {
	info := h.KeysetInfo()
	var list []Key
	for _, key := range info.GetKeyInfo() {
		list = append(list, Key{
			ID: key.GetKeyId(), Primary: key.GetKeyId() == info.GetPrimaryKeyId(),
			Enabled: key.GetStatus() == tinkpb.KeyStatusType_ENABLED,
		})
	}
	return list
}

// AddKey returns the keyset with one more key, which seals nothing yet: all who
// use the keyset must have it before Promote.
func AddKey(k MasterKey, sealedKeyset []byte) ([]byte, error) {
	return change(k, sealedKeyset, func(m *keyset.Manager, _ []Key) error {
		_, err := m.Add(aead.XAES256GCM192BitNonceKeyTemplate())
		return err
	})
}

// Promote returns the keyset with its newest key as the primary one. All who use
// the keyset must have that before DisableOld.
func Promote(k MasterKey, sealedKeyset []byte) ([]byte, error) {
	return change(k, sealedKeyset, func(m *keyset.Manager, list []Key) error {
		return m.SetPrimary(list[len(list)-1].ID)
	})
}

// DisableOld returns the keyset with all keys disabled that are older than the
// primary one. What is sealed under them does not open any more.
func DisableOld(k MasterKey, sealedKeyset []byte) ([]byte, error) {
	return change(k, sealedKeyset, func(m *keyset.Manager, list []Key) error {
		for _, key := range list {
			if key.Primary {
				return nil
			}
			if !key.Enabled {
				continue
			}
			if err := m.Disable(key.ID); err != nil {
				return err
			}
		}
		return errors.New("no primary key")
	})
}

func change(k MasterKey, sealedKeyset []byte, do func(*keyset.Manager, []Key) error) ([]byte, error) {
	h, err := openKeyset(k, sealedKeyset)
	if err != nil {
		return nil, err
	}
	m := keyset.NewManagerFromHandle(h)
	if err := do(m, keysOf(h)); err != nil {
		return nil, fmt.Errorf("change keyset: %w", err)
	}
	if h, err = m.Handle(); err != nil {
		return nil, fmt.Errorf("change keyset: %w", err)
	}
	return sealKeyset(k, h)
}

// Rewrap returns the keyset sealed under another master key. What is sealed under
// its keys stays as it is.
func Rewrap(from, to MasterKey, sealedKeyset []byte) ([]byte, error) {
	h, err := openKeyset(from, sealedKeyset)
	if err != nil {
		return nil, err
	}
	return sealKeyset(to, h)
}
