package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// ClaimTime is how long a name may be claimed before the share is stored that it
// is for. What takes longer was given up by the process that began it.
const ClaimTime = 4 * time.Minute

// TakenError says that a partner's name for a sheet is another registration's.
type TakenError struct {
	Partner, Sheet string
	Passing        bool // no share has it at this moment: it is coming or going
}

func (e *TakenError) Error() string {
	if e.Passing {
		return fmt.Sprintf("partner %s's name %s is being given to another sheet, or back, at this moment", e.Partner, e.Sheet)
	}
	return fmt.Sprintf("partner %s gets another sheet under the name %s", e.Partner, e.Sheet)
}

// claim says whose share a partner's name for a sheet is. There is one record of
// each name, so that of two replicas who want it one gets it. It is claimed
// before the share is stored and given back after the share is gone.
type claim struct {
	Registration string    `json:"registration"`
	At           time.Time `json:"at"` // of the last who claimed it, by its clock

	revision uint64
}

// nameOf is the key of the claim of a share's name.
func nameOf(partner, sheet string) string { return nameKey + partner + "." + sheet }

func decodeClaim(key string, value []byte, revision uint64, deleted bool) (*claim, error) {
	if deleted || !strings.HasPrefix(key, nameKey) {
		return nil, nil
	}
	c := &claim{revision: revision}
	if err := json.Unmarshal(value, c); err != nil {
		return nil, fmt.Errorf("reading record %s: %w", key, err)
	}
	return c, nil
}

// hasName tells whether the name is that of a share of the registration.
func hasName(reg *Registration, key string) bool {
	return reg != nil && slices.ContainsFunc(reg.Shares, func(s Share) bool { return nameOf(s.Partner, s.Sheet) == key })
}

// names are those that a change of one registration claims and gives back.
type names struct {
	registry     *Registry
	registration string
	made         map[string]uint64 // revisions by key: what nobody held before
	gone         map[string]uint64 // what is to be given back when the change is stored
}

func (r *Registry) namesFor(registration string) *names {
	return &names{registry: r, registration: registration, made: map[string]uint64{}}
}

// change claims the names of shares that were not there before, and notes those
// of shares that go. It is called after the registration was read and before it
// is stored: who claims a name for it again does that after it was read without
// the share, and the claim has another revision then than the one noted here.
func (n *names) change(ctx context.Context, before, after []Share) error {
	n.gone = map[string]uint64{}
	was, is := (&Registration{Shares: before}), (&Registration{Shares: after})
	for _, s := range after {
		if was.Share(s.Partner, s.Sheet) != nil {
			continue
		}
		if err := n.claim(ctx, s.Partner, s.Sheet); err != nil {
			return err
		}
	}
	for _, s := range before {
		key := nameOf(s.Partner, s.Sheet)
		if c := lookup(n.registry, n.registry.names, key); c != nil && c.Registration == n.registration && is.Share(s.Partner, s.Sheet) == nil {
			n.gone[key] = c.revision
		}
	}
	return nil
}

// claim claims one name. One that the registration has already is claimed anew.
func (n *names) claim(ctx context.Context, partner, sheet string) error {
	key := nameOf(partner, sheet)
	for range attempts {
		value, revision, err := n.registry.fresh(ctx, key)
		var held *claim
		switch {
		case errors.Is(err, ErrNotFound):
			revision = 0
		case err != nil:
			return err
		default:
			if held, err = decodeClaim(key, value, revision, false); err != nil {
				return err
			}
		}
		if err := n.mayClaim(ctx, held, partner, sheet); err != nil {
			return err
		}
		now, err := n.registry.put(ctx, key, claim{Registration: n.registration, At: time.Now().UTC()}, revision)
		if errors.Is(err, ErrConflict) || errors.Is(err, ErrExists) {
			continue
		}
		if err != nil {
			return err
		}
		if held == nil || held.Registration != n.registration || n.made[key] == revision {
			n.made[key] = now
		} else {
			delete(n.made, key) // somebody else's, for the same registration
		}
		return nil
	}
	return fmt.Errorf("claiming %s: %w", key, ErrConflict)
}

// mayClaim tells whether a name that is held may be taken over: no share has it,
// nor will have. Who claimed it has died before the share was stored, or before
// the name was given back.
func (n *names) mayClaim(ctx context.Context, held *claim, partner, sheet string) error {
	if held == nil || held.Registration == n.registration {
		return nil
	}
	reg, err := n.registry.FreshRegistration(ctx, held.Registration)
	switch {
	case err != nil && !errors.Is(err, ErrNotFound):
		return err
	case hasName(reg, nameOf(partner, sheet)):
		return &TakenError{Partner: partner, Sheet: sheet}
	case time.Since(held.At) < ClaimTime:
		return &TakenError{Partner: partner, Sheet: sheet, Passing: true}
	}
	return nil
}

// settle gives names back after a change: of shares that are gone, or, where it
// was not stored, those that it claimed. What may have been stored keeps them.
func (n *names) settle(ctx context.Context, err error) {
	unsure := unsureError{}
	switch {
	case err == nil:
		n.registry.giveBack(ctx, n.gone)
	case !errors.As(err, &unsure):
		n.registry.giveBack(ctx, n.made)
	}
}

// giveBack removes claims that nobody has claimed again. What cannot be removed
// is found by TidyNames.
func (r *Registry) giveBack(ctx context.Context, claims map[string]uint64) {
	ctx = context.WithoutCancel(ctx) // each request is bounded
	for key, revision := range claims {
		if err := r.remove(ctx, key, revision); err != nil && !errors.Is(err, ErrConflict) {
			r.log.Warn("registry: a name could not be given back yet", "key", key, "err", err)
		}
	}
}

// GiveBack gives the names back that CreateRegistration claimed for a
// registration that is not stored.
func (r *Registry) GiveBack(ctx context.Context, reg *Registration) {
	if reg.claimed != nil {
		r.giveBack(ctx, reg.claimed.made)
	}
}

// TidyNames sees that every share has claimed its name, as those have not that
// are older than claims, and that no name is held for nothing; alone says that
// no other process works on the bucket. It returns the names that are two
// registrations'.
func (r *Registry) TidyNames(ctx context.Context, alone bool) (twice []*TakenError, err error) {
	for _, reg := range r.Registrations() {
		for _, s := range reg.Shares {
			if c := lookup(r, r.names, nameOf(s.Partner, s.Sheet)); c != nil && c.Registration == reg.ID {
				continue
			}
			now, err := r.FreshRegistration(ctx, reg.ID)
			switch {
			case errors.Is(err, ErrNotFound) || err == nil && !hasName(now, nameOf(s.Partner, s.Sheet)):
				continue // it is gone meanwhile
			case err != nil:
				return twice, err
			}
			var taken *TakenError
			switch err := r.namesFor(reg.ID).claim(ctx, s.Partner, s.Sheet); {
			case errors.As(err, &taken):
				if !taken.Passing {
					twice = append(twice, taken)
				}
			case err != nil:
				return twice, err
			}
		}
	}
	return twice, r.dropClaims(ctx, alone)
}

// dropClaims removes claims whose shares have not come, or are gone.
func (r *Registry) dropClaims(ctx context.Context, alone bool) error {
	r.mu.RLock()
	all := maps.Clone(r.names)
	r.mu.RUnlock()
	for key, c := range all {
		old := time.Since(c.At) >= ClaimTime || alone && c.At.Before(r.begun)
		if !old || hasName(r.Registration(c.Registration), key) {
			continue
		}
		reg, err := r.FreshRegistration(ctx, c.Registration)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
		if hasName(reg, key) {
			continue
		}
		if err := r.remove(ctx, key, c.revision); err != nil && !errors.Is(err, ErrConflict) {
			return err
		}
	}
	return nil
}
