package broker

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/sheetbridge/sheetbridge/events/seal"
)

// rotationFile is in Dir while the master key is changed, and says which takes the
// place of which.
const rotationFile = "rotation.json"

type rotation struct {
	From string `json:"from"`
	To   string `json:"to"`
}

// rotateMaster brings the store and the keys in the directory under Master, if they
// are under OldMaster, and goes on where it was interrupted. The store is encrypted
// with keys of its own, of which each lies beside what it is for, encrypted under
// the master key: they are encrypted with the new one, file by file. In between some
// are under either key, and the server is started with neither.
//
// The server's own way, JetStreamOldKey, loses the consumers' state (2.15.2), and
// what it rewrites when it is killed.
func rotateMaster(o Options) error {
	under, err := readRotation(o.Dir)
	if err != nil {
		return err
	}
	now := rotation{From: o.OldMaster.ID(), To: o.Master.ID()}
	switch {
	case under == nil && (o.OldMaster.IsZero() || opensKeys(o.Dir, o.Master) || !opensKeys(o.Dir, o.OldMaster)):
		return nil // nothing to do, done before, or neither is the key
	case under == nil, *under == now, *under == rotation{From: now.To, To: now.From}:
	default:
		return errors.New("it was interrupted: start with both keys, the new one as MASTER_KEY and the one before it as MASTER_KEY_OLD")
	}
	files, err := storeKeys(o.Dir)
	if err != nil {
		return err
	}
	for _, f := range files { // before any is changed
		if _, err := f.rewrapped(o); err != nil {
			return err
		}
	}
	if err := writeRotation(o.Dir, now); err != nil {
		return err
	}
	for _, f := range files {
		if err := f.rewrap(o); err != nil {
			return err
		}
	}
	if err := resealKeys(o); err != nil {
		return err
	}
	return os.Remove(filepath.Join(o.Dir, rotationFile))
}

// opensKeys tells whether the keys in the directory are sealed under the master
// key.
func opensKeys(dir string, master seal.MasterKey) bool {
	var k keys
	text, err := os.ReadFile(filepath.Join(dir, keysFile))
	return err == nil && openSeeds(text, master, keysName, &k) == nil
}

// resealKeys brings the seeds under Master.
func resealKeys(o Options) error {
	if opensKeys(o.Dir, o.Master) {
		return nil
	}
	k, err := loadKeys(o.Dir, o.OldMaster)
	if err != nil {
		return err
	}
	text, err := sealSeeds(k, o.Master, keysName)
	if err != nil {
		return fmt.Errorf("seal keys: %w", err)
	}
	if err := writeFile(filepath.Join(o.Dir, keysFile), text); err != nil {
		return fmt.Errorf("write keys: %w", err)
	}
	return nil
}

// readRotation returns the change that is under way, nil for none.
func readRotation(dir string) (*rotation, error) {
	text, err := os.ReadFile(filepath.Join(dir, rotationFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	r := &rotation{}
	if err == nil {
		err = json.Unmarshal(text, r)
	}
	if err != nil {
		return nil, fmt.Errorf("read how far it came: %w", err)
	}
	return r, nil
}

func writeRotation(dir string, r rotation) error {
	text, err := json.Marshal(r)
	if err == nil {
		err = writeFile(filepath.Join(dir, rotationFile), text)
	}
	if err != nil {
		return fmt.Errorf("note that it begins: %w", err)
	}
	return nil
}

// storeKeyFile is a file of the store that holds a key.
type storeKeyFile struct {
	path    string
	account string
	use     string // what the key is for, as the server names it
}

// storeKeys lists the keys of the store: of each stream, of each block of its
// messages and of each of its consumers.
func storeKeys(dir string) ([]storeKeyFile, error) {
	root := filepath.Join(dir, storeDir)
	var files []storeKeyFile
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Ext(path) != ".key" {
			return err
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		f := storeKeyFile{path: path}
		parts := strings.Split(filepath.ToSlash(rel), "/") // account/streams/NAME/…
		switch {
		case len(parts) < 4 || parts[1] != "streams":
			return fmt.Errorf("%s is a key that is not known here", path)
		case len(parts) == 4 && parts[3] == "meta.key":
			f.use = parts[2]
		case len(parts) == 5 && parts[3] == "msgs":
			f.use = parts[2] + ":" + strings.TrimSuffix(parts[4], ".key")
		case len(parts) == 6 && parts[3] == "obs" && parts[5] == "meta.key":
			f.use = parts[2] + "." + parts[4]
		default:
			return fmt.Errorf("%s is a key that is not known here", path)
		}
		f.account = parts[0]
		files = append(files, f)
		return nil
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) { // nothing was stored yet
		return nil, fmt.Errorf("list the store's keys: %w", err)
	}
	return files, nil
}

// errOtherKey says that a key of the store is under neither master key.
var errOtherKey = errors.New("is under neither of both keys")

// rewrapped returns the file's key under Master, nil where it is already.
func (f storeKeyFile) rewrapped(o Options) ([]byte, error) {
	text, err := os.ReadFile(f.path)
	if err != nil {
		return nil, fmt.Errorf("read a key of the store: %w", err)
	}
	to, err := f.cipher(o.Master)
	if err != nil {
		return nil, err
	}
	from, err := f.cipher(o.OldMaster)
	if err != nil {
		return nil, err
	}
	n := to.NonceSize()
	if len(text) < n {
		return nil, fmt.Errorf("%s: %w", f.path, errOtherKey)
	}
	nonce := text[:n:n]
	if _, err := to.Open(nil, nonce, text[n:], nil); err == nil {
		return nil, nil
	}
	key, err := from.Open(nil, nonce, text[n:], nil)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.path, errOtherKey)
	}
	// The nonce stays, for the block is encrypted with it as well. Under another key
	// it was never used.
	return to.Seal(nonce, nonce, key, nil), nil
}

func (f storeKeyFile) rewrap(o Options) error {
	text, err := f.rewrapped(o)
	if err != nil || text == nil {
		return err
	}
	if err := writeFile(f.path, text); err != nil {
		return fmt.Errorf("write a key of the store: %w", err)
	}
	return nil
}

// cipher is what the server encrypts the key with under a master key.
func (f storeKeyFile) cipher(master seal.MasterKey) (cipher.AEAD, error) {
	h := hmac.New(sha256.New, []byte(storeKey(master)))
	h.Write([]byte(f.account))
	h.Write([]byte(f.use))
	block, err := aes.NewCipher(h.Sum(nil))
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithNonceSize(block, block.BlockSize())
}
