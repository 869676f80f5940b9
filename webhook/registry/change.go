package registry

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

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
// its id follows from both, so that of two who make it at once one gets
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
	if err := r.notes(ctx, ownerKey+o.Name, nil, o); err != nil {
		return err
	}
	_, err := r.put(ctx, ownerKey+o.Name, o, 0)
	return err
}

// CreatePartner stores a new partner; ErrExists if the name is taken.
func (r *Registry) CreatePartner(ctx context.Context, p *Partner) error {
	if err := r.notes(ctx, partnerKey+p.Name, nil, p); err != nil {
		return err
	}
	_, err := r.put(ctx, partnerKey+p.Name, p, 0)
	return err
}

// CreateRegistration stores a new registration; ErrExists if the sheet is
// registered, a TakenError if a partner gets another sheet under one of the
// names. An error of another kind may leave it stored.
func (r *Registry) CreateRegistration(ctx context.Context, reg *Registration) error {
	// Names claimed before an earlier registration of the sheet has gone would go
	// with it.
	if _, err := r.FreshRegistration(ctx, reg.ID); err == nil {
		return ErrExists
	} else if !errors.Is(err, ErrNotFound) {
		return err
	}
	reg.claimed = r.namesFor(reg.ID)
	err := reg.claimed.change(ctx, nil, reg.Shares)
	if err == nil {
		err = r.notes(ctx, webhookKey+reg.ID, nil, reg)
	}
	if err == nil {
		_, err = r.put(ctx, webhookKey+reg.ID, reg, 0)
	}
	reg.claimed.settle(ctx, err)
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
// as it was stored. Shares that it adds claim their names, TakenError if they
// are another registration's; those of shares that it drops are given back.
func (r *Registry) UpdateRegistration(ctx context.Context, id string, change func(*Registration) error) (*Registration, error) {
	var now *Registration
	names := r.namesFor(id)
	revision, err := stored(ctx, r, webhookKey+id, func(reg *Registration, revision uint64) error {
		now, reg.Revision = reg, revision
		if err := r.open(reg); err != nil {
			return err
		}
		before := slices.Clone(reg.Shares)
		if err := change(reg); err != nil {
			return err
		}
		return names.change(ctx, before, reg.Shares)
	})
	names.settle(ctx, err)
	if err != nil {
		return nil, err
	}
	now.Revision = revision
	return now, r.open(now)
}

// update changes a record as the bucket has it.
func update[T any](ctx context.Context, r *Registry, key string, change func(*T, uint64) error) error {
	_, err := stored(ctx, r, key, change)
	return err
}

// stored changes a record and returns the revision that it has then.
func stored[T any](ctx context.Context, r *Registry, key string, change func(*T, uint64) error) (uint64, error) {
	for range attempts {
		value, revision, err := r.fresh(ctx, key)
		if err != nil {
			return 0, err
		}
		record := new(T)
		if err := json.Unmarshal(value, record); err != nil {
			return 0, fmt.Errorf("reading record %s: %w", key, err)
		}
		if err := change(record, revision); err != nil {
			return 0, err
		}
		if err := r.notes(ctx, key, value, record); err != nil {
			return 0, err
		}
		now, err := r.put(ctx, key, record, revision)
		if !errors.Is(err, ErrConflict) {
			return now, err
		}
	}
	return 0, fmt.Errorf("changing record %s: %w", key, ErrConflict)
}

// DeleteOwner removes an owner as it was read.
func (r *Registry) DeleteOwner(ctx context.Context, o *Owner) error {
	if err := r.notes(ctx, ownerKey+o.Name, o, nil); err != nil {
		return err
	}
	return r.remove(ctx, ownerKey+o.Name, o.Revision)
}

// DeletePartner removes a partner as it was read.
func (r *Registry) DeletePartner(ctx context.Context, p *Partner) error {
	if err := r.notes(ctx, partnerKey+p.Name, p, nil); err != nil {
		return err
	}
	return r.remove(ctx, partnerKey+p.Name, p.Revision)
}

// DeleteRegistration removes a registration as it was read, and gives the names
// of its shares back.
func (r *Registry) DeleteRegistration(ctx context.Context, reg *Registration) error {
	if err := r.notes(ctx, webhookKey+reg.ID, reg, nil); err != nil {
		return err
	}
	names := r.namesFor(reg.ID)
	err := names.change(ctx, reg.Shares, nil)
	if err == nil {
		err = r.remove(ctx, webhookKey+reg.ID, reg.Revision)
	}
	names.settle(ctx, err)
	return err
}
