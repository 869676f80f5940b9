package broker

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/nats-io/nkeys"

	"github.com/sheetbridge/sheetbridge/events/seal"
)

const (
	keysFile = "keys.json"     // in Dir: the seeds, sealed
	keysName = "broker/keys"   // what they are sealed as
	storeDir = "jetstream"     // in Dir; the server chooses the name
	storeUse = "nats store v1" // purpose of the store's key
)

// keys are the seeds of the operator and of its own two accounts. The file that
// holds them is the sentinel of the store as well: given another master key the
// server would start and find every stream gone.
type keys struct {
	Operator, System, Bridge string
}

// keyFile is what is written: a keyset under the master key, and the seeds
// under the keyset.
type keyFile struct {
	Keyset seal.Sealed `json:"keyset"`
	Seeds  seal.Sealed `json:"seeds"`
}

// Made tells whether a store was made in the directory, which opens with the
// master key of that time alone.
func Made(dir string) bool {
	for _, name := range []string{keysFile, storeDir} {
		if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
			return true
		}
	}
	return false
}

// loadKeys opens the keys in the directory, or makes them where neither keys
// nor a store are. Its error is seal.ErrWrongKey under another master key.
func loadKeys(dir string, master seal.MasterKey) (keys, error) {
	path := filepath.Join(dir, keysFile)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		if _, err := os.Stat(filepath.Join(dir, storeDir)); err == nil {
			return keys{}, fmt.Errorf("%s is missing beside its store: restore it from the backup, without it nobody can connect", path)
		}
		return makeKeys(path, master)
	}
	if err != nil {
		return keys{}, fmt.Errorf("read keys: %w", err)
	}
	var k keys
	err = openSeeds(text, master, keysName, &k)
	if errors.Is(err, seal.ErrWrongKey) {
		return keys{}, fmt.Errorf("the master key is not the one that %s was made with: give that one, "+
			"or, to start with nothing, a new directory: %w", dir, err)
	}
	if err != nil {
		return keys{}, fmt.Errorf("read keys in %s: %w", path, err)
	}
	return k, nil
}

// openSeeds reads what sealSeeds wrote under the name.
func openSeeds(text []byte, master seal.MasterKey, name string, seeds any) error {
	var file keyFile
	if err := json.Unmarshal(text, &file); err != nil {
		return err
	}
	sealer, err := seal.Open(master, file.Keyset)
	if err != nil {
		return err
	}
	plain, err := sealer.Open(file.Seeds, name)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(plain, seeds); err != nil {
		return errors.New("not what was written") // the cause would tell of the seeds
	}
	return nil
}

func makeKeys(path string, master seal.MasterKey) (keys, error) {
	var k keys
	var err error
	for _, s := range []struct {
		seed *string
		kind nkeys.PrefixByte
	}{
		{&k.Operator, nkeys.PrefixByteOperator},
		{&k.System, nkeys.PrefixByteAccount},
		{&k.Bridge, nkeys.PrefixByteAccount},
	} {
		if _, *s.seed, err = newSeed(s.kind); err != nil {
			return keys{}, fmt.Errorf("make keys: %w", err)
		}
	}
	text, err := sealSeeds(k, master, keysName)
	if err != nil {
		return keys{}, fmt.Errorf("make keys: %w", err)
	}
	if err := writeFile(path, text); err != nil {
		return keys{}, fmt.Errorf("write keys: %w", err)
	}
	return k, nil
}

// sealSeeds writes seeds as JSON, sealed under a name and a keyset of their own.
func sealSeeds(seeds any, master seal.MasterKey, name string) ([]byte, error) {
	plain, err := json.Marshal(seeds)
	if err != nil {
		return nil, err
	}
	keyset, err := seal.NewKeyset(master)
	if err != nil {
		return nil, err
	}
	sealer, err := seal.Open(master, keyset)
	if err != nil {
		return nil, err
	}
	sealed, err := sealer.Seal(plain, name)
	if err != nil {
		return nil, err
	}
	return json.Marshal(keyFile{Keyset: keyset, Seeds: sealed})
}

// writeFile writes the file whole or not at all, also through a power cut.
func writeFile(path string, content []byte) error {
	tmp, err := os.OpenFile(path+".tmp", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = tmp.Write(content)
	if err = errors.Join(err, tmp.Sync(), tmp.Close()); err != nil {
		return err
	}
	if err := os.Rename(path+".tmp", path); err != nil {
		return err
	}
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// newSeed makes a key pair of the kind and returns its public key and seed.
func newSeed(kind nkeys.PrefixByte) (public, seed string, err error) {
	kp, err := nkeys.CreatePair(kind)
	if err != nil {
		return "", "", err
	}
	defer kp.Wipe()
	if public, err = kp.PublicKey(); err != nil {
		return "", "", err
	}
	b, err := kp.Seed()
	return public, string(b), err
}
