// Package seal keeps secrets at rest: owners' tokens, webhook secrets and the
// seeds of NATS accounts are sealed before they are stored anywhere.
//
// There are two layers. The MasterKey, 32 bytes that the operator holds, seals
// one keyset; the keyset seals the values. So a value costs no derivation, and
// keys of the keyset can be replaced without touching the master key. Every
// value is bound to the name of the record that it belongs to: moved to another
// record, it does not open.
//
//	key, _, err := seal.LoadOrCreate("data/master.key")
//	keyset, err := seal.NewKeyset(key)       // stored, sealed as it is
//	sealer, err := seal.Open(key, keyset)
//	sealed, err := sealer.SealString(token, "owner/ops/token")
//	token, err := sealer.OpenString(sealed, "owner/ops/token")
//
// No error of this package contains a key or a value.
package seal
