package registry

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/sheetbridge/sheetbridge/events/seal"
)

// Prefixes of the bucket's keys.
const (
	ownerKey   = "owner."
	partnerKey = "partner."
	webhookKey = "webhook."
	shareKey   = "share." // <partner>.<sheet>
	noticeKey  = "notice."
)

// apply takes over one change of the bucket, from the watch or from our own
// write, whichever comes first. Records in memory are never changed, only
// replaced: callers may read it without a lock.
func (r *Registry) apply(key string, value []byte, revision uint64, deleted bool) error {
	if key == keysetKey && !deleted {
		return r.keys.load(value, revision)
	}
	var record any
	if !deleted {
		var err error
		if record, err = r.decode(key, value, revision); err != nil {
			return err
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if revision <= r.revisions[key] {
		return nil
	}
	r.revisions[key] = revision
	kind, name, _ := strings.Cut(key, ".")
	switch kind + "." {
	case ownerKey:
		replace(r.owners, name, record)
	case partnerKey:
		replace(r.partners, name, record)
	case webhookKey:
		replace(r.webhooks, name, record)
	case shareKey:
		now, _ := record.(*Share)
		r.indexShare(r.shares[name], now)
		replace(r.shares, name, record)
	case filterKey:
		replace(r.filterResults, name, record)
	case noticeKey:
		replace(r.notices, name, record)
	case readingKey:
		replace(r.readings, name, record)
	}
	close(r.changed)
	r.changed = make(chan struct{})
	return nil
}

// replace puts a record, which is a *T or nil for none, in the place of the one
// with its name.
func replace[T any](records map[string]*T, name string, record any) {
	if record == nil {
		delete(records, name)
		return
	}
	records[name] = record.(*T)
}

// decode reads a record; nil for a key of another kind.
func (r *Registry) decode(key string, value []byte, revision uint64) (record any, err error) {
	kind, _, _ := strings.Cut(key, ".")
	switch kind + "." {
	case ownerKey:
		record = &Owner{Revision: revision}
		err = json.Unmarshal(value, record)
	case partnerKey:
		record = &Partner{Revision: revision}
		err = json.Unmarshal(value, record)
	case shareKey:
		record = &Share{RecordRevision: revision}
		err = json.Unmarshal(value, record)
	case filterKey:
		record = &FilterResult{}
		err = json.Unmarshal(value, record)
	case readingKey:
		record = &Reading{}
		err = json.Unmarshal(value, record)
	case noticeKey:
		record = &Notice{Revision: revision}
		err = json.Unmarshal(value, record)
	case webhookKey:
		reg := &Registration{Revision: revision}
		record = reg
		if err = json.Unmarshal(value, reg); err == nil {
			err = r.open(reg)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("reading record %s: %w", key, err)
	}
	return record, nil
}

// open unseals what the receiver needs of a registration at every callback.
func (r *Registry) open(reg *Registration) error {
	o := &opened{}
	for _, f := range []struct {
		sealed seal.Sealed
		name   string
		into   *seal.Secret
	}{
		{reg.Key, reg.SealName("key"), &o.key},
		{reg.Secret, reg.SealName("secret"), &o.secret},
		{reg.OldSecret, reg.SealName("secret"), &o.oldSecret},
	} {
		if len(f.sealed) == 0 {
			continue
		}
		text, err := r.Sealer().OpenString(f.sealed, f.name)
		if err != nil {
			return err
		}
		*f.into = seal.Secret(text)
	}
	reg.opened = o
	return nil
}

// SealName is the name under which a field of the registration is sealed.
func (r *Registration) SealName(field string) string { return "webhook/" + r.ID + "/" + field }

// SealName is the name under which a field of the owner is sealed.
func (o *Owner) SealName(field string) string { return "owner/" + o.Name + "/" + field }

// SealName is the name under which a field of the partner is sealed.
func (p *Partner) SealName(field string) string { return "partner/" + p.Name + "/" + field }

// Owner returns the owner with the name, nil if there is none.
func (r *Registry) Owner(name string) *Owner { return lookup(r, r.owners, name) }

// Partner returns the partner with the name, nil if there is none.
func (r *Registry) Partner(name string) *Partner { return lookup(r, r.partners, name) }

// Registration returns the registration with the id, nil if there is none.
func (r *Registry) Registration(id string) *Registration { return lookup(r, r.webhooks, id) }

func lookup[T any](r *Registry, records map[string]*T, name string) *T {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return records[name]
}

// Owners returns all owners by name.
func (r *Registry) Owners() []*Owner { return list(r, r.owners) }

// Partners returns all partners by name.
func (r *Registry) Partners() []*Partner { return list(r, r.partners) }

// Registrations returns all registrations by id.
func (r *Registry) Registrations() []*Registration { return list(r, r.webhooks) }

func list[T any](r *Registry, records map[string]*T) []*T {
	r.mu.RLock()
	defer r.mu.RUnlock()
	items := make([]*T, 0, len(records))
	for _, name := range slices.Sorted(maps.Keys(records)) {
		items = append(items, records[name])
	}
	return items
}

// Knows tells whether ByCallbackKey needs no look into the bucket for the key.
func (r *Registry) Knows(key string) bool {
	id, _, _ := strings.Cut(key, ".")
	return r.Registration(id) != nil
}

// ByCallbackKey returns the registration that a callback with this key in its
// path is for. The key names the registration and proves it: `<id>.<random>`.
// What is not in memory is looked up in the bucket once, since a replica may
// have made it a moment ago. It returns ErrNotFound for a wrong key.
func (r *Registry) ByCallbackKey(ctx context.Context, key string) (*Registration, error) {
	id, random, ok := strings.Cut(key, ".")
	if !ok || len(id) != idLength || len(random) != randomLength || strings.Trim(id, "0123456789abcdef-") != "" {
		return nil, ErrNotFound
	}
	reg := r.Registration(id)
	if reg == nil {
		var err error
		if reg, err = r.FreshRegistration(ctx, id); err != nil {
			return nil, err
		}
	}
	if subtle.ConstantTimeCompare([]byte(reg.CallbackKey()), []byte(key)) != 1 {
		return nil, ErrNotFound
	}
	return reg, nil
}

// FreshOwner returns the owner with the name: from memory, and where it is not
// there, as the bucket's leader has it, since a replica may have made it a
// moment ago. It returns ErrNotFound for none.
func (r *Registry) FreshOwner(ctx context.Context, name string) (*Owner, error) {
	if o := r.Owner(name); o != nil {
		return o, nil
	}
	return freshRecord[Owner](ctx, r, ownerKey+name)
}

// FreshPartner returns the partner with the name as FreshOwner does an owner.
func (r *Registry) FreshPartner(ctx context.Context, name string) (*Partner, error) {
	if p := r.Partner(name); p != nil {
		return p, nil
	}
	return freshRecord[Partner](ctx, r, partnerKey+name)
}

// FreshRegistration reads a registration as the bucket's leader has it, and
// takes it into memory. It returns ErrNotFound for none.
func (r *Registry) FreshRegistration(ctx context.Context, id string) (*Registration, error) {
	return freshRecord[Registration](ctx, r, webhookKey+id)
}

// freshRecord reads a record as the bucket's leader has it, and takes it, or
// that it is gone, into memory. It returns ErrNotFound for none.
func freshRecord[T any](ctx context.Context, r *Registry, key string) (*T, error) {
	value, revision, err := r.fresh(ctx, key)
	if errors.Is(err, ErrNotFound) && revision > 0 {
		return nil, errors.Join(err, r.apply(key, nil, revision, true))
	}
	if err != nil {
		return nil, err
	}
	if err := r.apply(key, value, revision, false); err != nil {
		return nil, err
	}
	record, err := r.decode(key, value, revision)
	if err != nil {
		return nil, err
	}
	return record.(*T), nil
}
