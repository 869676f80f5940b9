package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/sheetbridge/sheetbridge/events/seal"
)

// field is one sealed field of a record, with the name that it is sealed under.
type field struct {
	value *seal.Sealed
	name  string
}

func (o *Owner) fields() []field {
	list := []field{{&o.Token, o.SealName("token")}}
	if o.OAuth != nil {
		list = append(list, field{&o.OAuth.Refresh, o.SealName("refresh")})
	}
	return list
}

func (p *Partner) fields() []field {
	list := []field{{&p.MaskKey, p.SealName("maskKey")}}
	if p.Account != nil {
		list = append(list, field{&p.Account.Seed, p.SealName("seed")}, field{&p.Account.SigningSeed, p.SealName("signingSeed")},
			field{&p.Account.StorageSeed, p.SealName("storageSeed")})
	}
	if p.External != nil {
		list = append(list, field{&p.External.Credentials, p.SealName("credentials")})
	}
	if p.Contact != nil {
		list = append(list, field{&p.Contact.URL, p.SealName("contactURL")}, field{&p.Contact.Secret, p.SealName("contactSecret")})
	}
	return list
}

func (r *Registration) fields() []field {
	return []field{
		{&r.Key, r.SealName("key")}, {&r.Secret, r.SealName("secret")}, {&r.OldSecret, r.SealName("secret")},
	}
}

// errCurrent says that nothing of a record has to be sealed again.
var errCurrent = errors.New("sealed under the current key")

// reseal seals all that is sealed under another key than the primary one under
// that, until a look at all records finds nothing more.
func (r *Registry) reseal(ctx context.Context, out *Rotation) error {
	for range resealTries {
		n, err := r.resealAll(ctx)
		out.Resealed += n
		if err != nil || n == 0 {
			return err
		}
	}
	return errors.New("records come back sealed under the old key: a replica does not use the new one")
}

// resealAll looks at all records once, as the bucket has them.
func (r *Registry) resealAll(ctx context.Context) (int, error) {
	keys, err := r.kv.ListKeys(ctx)
	if err != nil {
		return 0, err
	}
	defer func() { _ = keys.Stop() }() // it has ended by itself
	n := 0
	for key := range keys.Keys() {
		switch err := r.resealRecord(ctx, key); {
		case err == nil:
			n++
		case errors.Is(err, errCurrent), errors.Is(err, ErrNotFound):
		default:
			return n, err
		}
	}
	return n, nil
}

func (r *Registry) resealRecord(ctx context.Context, key string) error {
	kind, _, _ := strings.Cut(key, ".")
	switch kind + "." {
	case ownerKey:
		return update(ctx, r, key, func(o *Owner, _ uint64) error { return r.resealFields(o.fields()) })
	case partnerKey:
		return update(ctx, r, key, func(p *Partner, _ uint64) error { return r.resealFields(p.fields()) })
	case secretKey:
		return update(ctx, r, key, func(s *secret, _ uint64) error { return r.resealFields(s.fields()) })
	case webhookKey:
		return update(ctx, r, key, func(reg *Registration, _ uint64) error { return r.resealFields(reg.fields()) })
	}
	return errCurrent
}

func (r *Registry) resealFields(fields []field) error {
	changed := false
	for _, f := range fields {
		if len(*f.value) == 0 || r.Sealer().Current(*f.value) {
			continue
		}
		plain, err := r.Sealer().Open(*f.value, f.name)
		if err != nil {
			return err
		}
		if *f.value, err = r.Sealer().Seal(plain, f.name); err != nil {
			return err
		}
		changed = true
	}
	if !changed {
		return errCurrent
	}
	return nil
}

// SealedUnder counts the sealed values of all records in the bucket by the id of
// the key that they are sealed under.
func (r *Registry) SealedUnder(ctx context.Context) (map[uint32]int, error) {
	keys, err := r.kv.ListKeys(ctx)
	if err != nil {
		return nil, fmt.Errorf("listing the records: %w", err)
	}
	defer func() { _ = keys.Stop() }() // it has ended by itself
	count := map[uint32]int{}
	for key := range keys.Keys() {
		fields, err := r.fieldsOf(ctx, key)
		if err != nil {
			return nil, err
		}
		for _, f := range fields {
			if id, ok := seal.KeyID(*f.value); ok {
				count[id]++
			}
		}
	}
	return count, nil
}

func (r *Registry) fieldsOf(ctx context.Context, key string) ([]field, error) {
	value, _, err := r.fresh(ctx, key)
	if errors.Is(err, ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var record interface{ fields() []field }
	kind, _, _ := strings.Cut(key, ".")
	switch kind + "." {
	case ownerKey:
		record = &Owner{}
	case partnerKey:
		record = &Partner{}
	case secretKey:
		record = &secret{}
	case webhookKey:
		record = &Registration{}
	default:
		return nil, nil
	}
	if err := json.Unmarshal(value, record); err != nil {
		return nil, fmt.Errorf("reading record %s: %w", key, err)
	}
	return record.fields(), nil
}
