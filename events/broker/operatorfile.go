package broker

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/sheetbridge/sheetbridge/events/seal"
)

const operatorName = "broker/operator" // what an operator is sealed as

// operatorRecord is an operator as it is sealed.
type operatorRecord struct {
	Operator, System, Bridge string
	Partners                 map[string]partnerRecord
}

type partnerRecord struct {
	PublicKey, Seed, SigningSeed string
	StorageKey, StorageSeed      string
	Limits                       Limits
	Writes                       bool
}

// LoadOperator reads an operator from a file, sealed under the master key, or
// makes one where the file is not there.
func LoadOperator(path string, master seal.MasterKey) (*Operator, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return NewOperator()
	}
	if err != nil {
		return nil, fmt.Errorf("read operator: %w", err)
	}
	var r operatorRecord
	if err := openSeeds(text, master, operatorName, &r); err != nil {
		return nil, fmt.Errorf("read operator in %s: %w", path, err)
	}
	o := &Operator{Seed: seed(r.Operator), System: seed(r.System), Bridge: seed(r.Bridge), Partners: map[string]Account{}}
	for name, p := range r.Partners {
		o.Partners[name] = Account{
			PublicKey: p.PublicKey, Seed: seed(p.Seed), SigningSeed: seed(p.SigningSeed),
			StorageKey: p.StorageKey, StorageSeed: seed(p.StorageSeed), Limits: p.Limits, Writes: p.Writes,
		}
	}
	return o, nil
}

// Save writes the operator to a file, sealed under the master key.
func (o *Operator) Save(path string, master seal.MasterKey) error {
	if err := o.save(path, master); err != nil {
		return fmt.Errorf("write operator: %w", err)
	}
	return nil
}

func (o *Operator) save(path string, master seal.MasterKey) error {
	r := operatorRecord{string(o.Seed), string(o.System), string(o.Bridge), map[string]partnerRecord{}}
	for name, a := range o.Partners {
		r.Partners[name] = partnerRecord{a.PublicKey, string(a.Seed), string(a.SigningSeed), a.StorageKey, string(a.StorageSeed), a.Limits, a.Writes}
	}
	text, err := sealSeeds(r, master, operatorName)
	if err != nil {
		return err
	}
	return writeFile(path, text)
}
