package registry

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/sheetbridge/sheetbridge/events/seal"
)

// attempts bounds how often a change is tried again after somebody else
// changed the same record.
const attempts = 20

const (
	idLength     = 36 // a UUID
	randomLength = 43 // 32 random bytes in base64url
)

// NewRegistration returns the registration of a sheet for an owner, with a
// callback key of its own, not stored yet. There is one per owner and sheet:
// its id follows from both, so that if two make it at once, one of them gets
// ErrExists.
func (r *Registry) NewRegistration(owner string, sheetID int64) (*Registration, error) {
	random := make([]byte, 32)
	rand.Read(random)
	reg := &Registration{ID: RegistrationID(owner, sheetID), Owner: owner, SheetID: sheetID, Phase: PhaseCreating}
	reg.opened = &opened{key: seal.Secret(reg.ID + "." + base64.RawURLEncoding.EncodeToString(random))}
	var err error
	if reg.Key, err = r.Sealer().SealString(string(reg.opened.key), reg.SealName("key")); err != nil {
		return nil, err
	}
	return reg, nil
}

// RegistrationID is the id of the registration of a sheet for an owner.
func RegistrationID(owner string, sheetID int64) string {
	space := uuid.NewSHA1(uuid.NameSpaceURL, []byte("https://github.com/sheetbridge/sheetbridge/registration"))
	return uuid.NewSHA1(space, fmt.Appendf(nil, "%s/%d", owner, sheetID)).String()
}

// CreateOwner stores a new owner; ErrExists if the name is taken.
func (r *Registry) CreateOwner(ctx context.Context, o *Owner) error {
	return create(ctx, r, ownerKey+o.Name, o)
}

// CreatePartner stores a new partner; ErrExists if the name is taken.
func (r *Registry) CreatePartner(ctx context.Context, p *Partner) error {
	return create(ctx, r, partnerKey+p.Name, p)
}

// CreateRegistration stores a new registration; ErrExists if the sheet is
// registered. An error of another kind may leave it stored.
func (r *Registry) CreateRegistration(ctx context.Context, reg *Registration) error {
	return create(ctx, r, webhookKey+reg.ID, reg)
}

// create stores a new record.
func create[T any](ctx context.Context, r *Registry, key string, record *T) error {
	if err := r.announceChange(ctx, key, nil, record); err != nil {
		return err
	}
	value, err := encode(record, nil)
	if err != nil {
		return fmt.Errorf("storing record %s: %w", key, err)
	}
	_, err = r.put(ctx, key, value, 0)
	return err
}

// UpdateOwner changes an owner as the bucket has it. The function may run more
// than once; its error ends the change and is returned as it is.
func (r *Registry) UpdateOwner(ctx context.Context, name string, change func(*Owner) error) error {
	return update(ctx, r, ownerKey+name, func(o *Owner, revision uint64) error {
		o.Revision = revision
		return change(o)
	})
}

// UpdatePartner changes a partner as the bucket has it.
func (r *Registry) UpdatePartner(ctx context.Context, name string, change func(*Partner) error) error {
	return update(ctx, r, partnerKey+name, func(p *Partner, revision uint64) error {
		p.Revision = revision
		return change(p)
	})
}

// UpdateRegistration changes a registration as the bucket has it and returns it
// as it was stored.
func (r *Registry) UpdateRegistration(ctx context.Context, id string, change func(*Registration) error) (*Registration, error) {
	now, revision, err := stored(ctx, r, webhookKey+id, func(reg *Registration, revision uint64) error {
		reg.Revision = revision
		if err := r.open(reg); err != nil {
			return err
		}
		return change(reg)
	})
	if err != nil {
		return nil, err
	}
	now.Revision = revision
	return now, r.open(now)
}

// update changes a record as the bucket has it.
func update[T any](ctx context.Context, r *Registry, key string, change func(*T, uint64) error) error {
	_, _, err := stored(ctx, r, key, change)
	return err
}

// stored changes a record as the bucket has it and returns it with the revision
// that it has then.
func stored[T any](ctx context.Context, r *Registry, key string, change func(*T, uint64) error) (*T, uint64, error) {
	for range attempts {
		before, revision, err := r.fresh(ctx, key)
		if err != nil {
			return nil, 0, err
		}
		record := new(T)
		if err := json.Unmarshal(before, record); err != nil {
			return nil, 0, fmt.Errorf("reading record %s: %w", key, err)
		}
		if err := change(record, revision); err != nil {
			return nil, 0, err
		}
		if err := r.announceChange(ctx, key, before, record); err != nil {
			return nil, 0, err
		}
		value, err := encode(record, before)
		if err != nil {
			return nil, 0, fmt.Errorf("storing record %s: %w", key, err)
		}
		now, err := r.put(ctx, key, value, revision)
		if !errors.Is(err, ErrConflict) {
			return record, now, err
		}
	}
	return nil, 0, fmt.Errorf("changing record %s: %w", key, ErrConflict)
}

// DeleteOwner removes an owner as it was read.
func (r *Registry) DeleteOwner(ctx context.Context, o *Owner) error {
	if err := r.announceChange(ctx, ownerKey+o.Name, o, nil); err != nil {
		return err
	}
	return r.remove(ctx, ownerKey+o.Name, o.Revision)
}

// DeletePartner removes a partner as it was read.
func (r *Registry) DeletePartner(ctx context.Context, p *Partner) error {
	if err := r.announceChange(ctx, partnerKey+p.Name, p, nil); err != nil {
		return err
	}
	return r.remove(ctx, partnerKey+p.Name, p.Revision)
}

// DeleteRegistration removes a registration as it was read. Its shares stay:
// those that are still being ended outlive it.
func (r *Registry) DeleteRegistration(ctx context.Context, reg *Registration) error {
	return r.remove(ctx, webhookKey+reg.ID, reg.Revision)
}
