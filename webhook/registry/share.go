package registry

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/sheetbridge/sheetbridge/events"
)

// sharesAtOnce bounds how many records CreateShares stores side by side.
const sharesAtOnce = 16

// Share is what one partner may see of one registered sheet. Its record is made
// only where there is none of that partner and name, which makes the name
// unique over all replicas.
type Share struct {
	events.Share
	Registration string        `json:"registration"`           // the id of the one that it belongs to
	Published    *events.Share `json:"published,omitempty"`    // the definition that the partner's stream has
	SheetColumns int           `json:"sheetColumns,omitempty"` // that the sheet had when the share was made or changed
	Resend       int64         `json:"resend,omitempty"`       // the revision by which the partner gets all of it again
	Ending       bool          `json:"ending,omitempty"`       // the partner is still to be told, and the stream to be purged
	CreatedAt    time.Time     `json:"createdAt"`
	Until        *time.Time    `json:"until,omitempty"` // when it ends by itself; nil: never
	// FilterMayFail is that an admin takes a filter that cannot be evaluated on any row.
	FilterMayFail bool `json:"filterMayFail,omitempty"`
	// Erased are rows that were taken out of the partner's stream and stay away until
	// they change at Smartsheet, by id.
	Erased map[string]Erasure `json:"erased,omitempty"`

	RecordRevision uint64 `json:"-"` // of the record, for optimistic locking
}

// Erasure is how a row was when it was erased. None of it tells a value.
type Erasure struct {
	Revision   int64      `json:"revision"`             // of the share by which the stream has it no more
	ModifiedAt *time.Time `json:"modifiedAt,omitempty"` // of the row at Smartsheet; nil: unknown
	Definition []byte     `json:"definition"`           // hash of what the share showed
	Values     []byte     `json:"values"`               // keyed hash of what it showed of the row
}

// Key names the share in logs and hints: "<partner>/<sheet>".
func (s *Share) Key() string { return s.Partner + "/" + s.Sheet }

// SameAs tells whether two records are of one share, as it was at different
// times: a share that was ended and made again under its name is another.
func (s *Share) SameAs(other *Share) bool {
	return s.Key() == other.Key() && s.Registration == other.Registration && s.CreatedAt.Equal(other.CreatedAt)
}

// RebindShare brings a share to its partner's attributes as they are now, as another
// revision where its filter names one that has changed. ErrNotFound: it has ended, or
// another one has its name.
func (r *Registry) RebindShare(ctx context.Context, was *Share, p *Partner) (*Share, error) {
	return r.UpdateShare(ctx, was.Partner, was.Sheet, func(s *Share) error {
		if !s.SameAs(was) || s.Ending {
			return ErrNotFound
		}
		if now, same := s.WithAttributes(p.Attributes); !same {
			s.Share = now
			s.Revision++
		}
		return nil
	})
}

// TakenError says that there is a share under the name that a new one was to get.
type TakenError struct {
	Partner, Sheet string
	By             *Share // which has the name
}

func (e *TakenError) Error() string {
	if e.By.Ending {
		return fmt.Sprintf("an earlier share %s/%s is still being ended", e.Partner, e.Sheet)
	}
	return fmt.Sprintf("partner %s has a share under the name %s", e.Partner, e.Sheet)
}

// recordName is the key of a share's record without its kind.
func recordName(partner, sheet string) string { return partner + "." + sheet }

// Share returns the partner's share with the name, nil if there is none.
func (r *Registry) Share(partner, sheet string) *Share {
	return lookup(r, r.shares, recordName(partner, sheet))
}

// Shares returns the shares of a registration, by partner and sheet, also those
// that are ending, and also where the registration itself is gone. The slice is
// shared by all callers and must not be changed.
func (r *Registry) Shares(registration string) []*Share {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.sharesOf[registration]
}

// AllShares returns all shares, by partner and sheet.
func (r *Registry) AllShares() []*Share {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return slices.SortedFunc(maps.Values(r.shares), byName)
}

func byName(a, b *Share) int {
	return cmp.Or(cmp.Compare(a.Partner, b.Partner), cmp.Compare(a.Sheet, b.Sheet))
}

// indexShare enters that a share was replaced, nil for none, by which it is found
// by its registration. r.mu is held.
func (r *Registry) indexShare(was, now *Share) {
	if was != nil {
		list := slices.DeleteFunc(slices.Clone(r.sharesOf[was.Registration]), func(s *Share) bool { return s == was })
		if r.sharesOf[was.Registration] = list; len(list) == 0 {
			delete(r.sharesOf, was.Registration)
		}
	}
	if now == nil {
		return
	}
	list := r.sharesOf[now.Registration]
	i, _ := slices.BinarySearchFunc(list, now, byName)
	r.sharesOf[now.Registration] = slices.Insert(slices.Clip(list), i, now)
}

// FreshShare reads a share as the bucket's leader has it, and takes it into
// memory. It returns ErrNotFound for none.
func (r *Registry) FreshShare(ctx context.Context, partner, sheet string) (*Share, error) {
	return freshRecord[Share](ctx, r, shareKey+recordName(partner, sheet))
}

// UpdateShare changes a share as the bucket has it and returns it as it was
// stored. The function may run more than once; its error ends the change and is
// returned as it is.
func (r *Registry) UpdateShare(ctx context.Context, partner, sheet string, change func(*Share) error) (*Share, error) {
	now, revision, err := stored(ctx, r, shareKey+recordName(partner, sheet), func(s *Share, revision uint64) error {
		s.RecordRevision = revision
		return change(s)
	})
	if err != nil {
		return nil, err
	}
	now.RecordRevision = revision
	return now, nil
}

// DeleteShare removes a share's record as it was read; ErrConflict if it has
// changed since.
func (r *Registry) DeleteShare(ctx context.Context, s *Share) error {
	key := shareKey + recordName(s.Partner, s.Sheet)
	if err := r.announceChange(ctx, key, s, nil); err != nil {
		return err
	}
	if err := r.remove(ctx, key, s.RecordRevision); err != nil {
		return err
	}
	return r.forgetFilterResult(ctx, s)
}

// CreateShares stores new shares, all or none: what was made is removed again
// when one of them fails. A TakenError is about the first one whose name a share
// has. What cannot be removed again stays, and the error says so.
func (r *Registry) CreateShares(ctx context.Context, shares []*Share) error {
	for _, s := range shares {
		if err := r.nameFree(ctx, s); err != nil {
			return err
		}
	}
	errs := r.storeShares(ctx, shares, func(err error) bool { return err != nil })
	if err := firstCause(errs); err != nil {
		return errors.Join(err, r.uncreate(context.WithoutCancel(ctx), shares, errs)) // each request is bounded
	}
	return nil
}

// AddShares stores those of the shares of one registration that it does not have
// yet, and returns them. Requests that add the same shares at once share the work:
// none of them removes what another one has found. A share under the name that is
// ending or belongs to another registration is a TakenError, and what was made is
// removed again then.
func (r *Registry) AddShares(ctx context.Context, shares []*Share) (made []*Share, err error) {
	failed := make([]error, len(shares))
	errs := r.storeShares(ctx, shares, func(err error) bool { return err != nil && !isAdded(shares[0].Registration, err) })
	for i, err := range errs {
		switch {
		case err == nil:
			made = append(made, shares[i])
		case !isAdded(shares[0].Registration, err):
			failed[i] = err
		default:
			errs[i] = errNotTried // another request's: not ours to remove
		}
	}
	if err := firstCause(failed); err != nil {
		return nil, errors.Join(err, r.uncreate(context.WithoutCancel(ctx), shares, errs))
	}
	return made, nil
}

// isAdded tells whether a share was not stored since the registration has one of
// the name.
func isAdded(registration string, err error) bool {
	var taken *TakenError
	return errors.As(err, &taken) && taken.By.Registration == registration && !taken.By.Ending
}

// storeShares stores shares side by side until one of them fails, and returns the
// error of each.
func (r *Registry) storeShares(ctx context.Context, shares []*Share, fails func(error) bool) []error {
	var failed atomic.Bool
	errs := make([]error, len(shares))
	var g errgroup.Group
	g.SetLimit(sharesAtOnce)
	for i, s := range shares {
		g.Go(func() error {
			if failed.Load() {
				errs[i] = errNotTried
				return nil
			}
			if errs[i] = r.createShare(ctx, s); fails(errs[i]) {
				failed.Store(true)
			}
			return nil
		})
	}
	_ = g.Wait() // they return none
	return errs
}

// errNotTried is of a share that was not stored since another one had failed.
var errNotTried = errors.New("not tried")

// firstCause is the error of the first share that failed, one that is taken
// before all others.
func firstCause(errs []error) (first error) {
	for _, err := range errs {
		switch {
		case errors.As(err, new(*TakenError)):
			return err
		case first == nil && !errors.Is(err, errNotTried):
			first = err
		}
	}
	return first
}

// nameFree returns a TakenError if there is a share with the name: one in memory
// may be gone, and the bucket is asked then.
func (r *Registry) nameFree(ctx context.Context, s *Share) error {
	if r.Share(s.Partner, s.Sheet) == nil {
		return nil
	}
	by, err := r.FreshShare(ctx, s.Partner, s.Sheet)
	switch {
	case errors.Is(err, ErrNotFound):
		return nil
	case err != nil:
		return err
	}
	return &TakenError{Partner: s.Partner, Sheet: s.Sheet, By: by}
}

// createShare stores one new share.
func (r *Registry) createShare(ctx context.Context, s *Share) error {
	for range attempts {
		err := create(ctx, r, shareKey+recordName(s.Partner, s.Sheet), s)
		if !errors.Is(err, ErrExists) {
			return err
		}
		// Nobody may have it any more, or not yet: another write to it is under way.
		if by, err := r.FreshShare(ctx, s.Partner, s.Sheet); err == nil {
			return &TakenError{Partner: s.Partner, Sheet: s.Sheet, By: by}
		} else if !errors.Is(err, ErrNotFound) {
			return err
		}
	}
	return fmt.Errorf("storing share %s: %w", s.Key(), ErrConflict)
}

// uncreate removes the shares that CreateShares has stored, also those of which
// it is not known whether they were. One that was changed since, by somebody who
// found it, is ended.
func (r *Registry) uncreate(ctx context.Context, shares []*Share, errs []error) error {
	var mu sync.Mutex
	var left []error
	var g errgroup.Group
	g.SetLimit(sharesAtOnce)
	for i, s := range shares {
		if errors.Is(errs[i], errNotTried) {
			continue
		}
		g.Go(func() error {
			if err := r.uncreateShare(ctx, s); err != nil {
				mu.Lock()
				defer mu.Unlock()
				left = append(left, fmt.Errorf("removing share %s again: %w", s.Key(), err))
			}
			return nil
		})
	}
	_ = g.Wait() // they return none
	return errors.Join(left...)
}

func (r *Registry) uncreateShare(ctx context.Context, s *Share) error {
	now, err := r.FreshShare(ctx, s.Partner, s.Sheet)
	switch {
	case errors.Is(err, ErrNotFound):
		return nil
	case err != nil:
		return err
	case !now.SameAs(s):
		return nil
	case now.Published == nil:
		if err := r.DeleteShare(ctx, now); !errors.Is(err, ErrConflict) {
			return err
		}
	}
	_, err = r.UpdateShare(ctx, s.Partner, s.Sheet, func(now *Share) error {
		if !now.SameAs(s) {
			return ErrNotFound
		}
		now.Ending = true
		return nil
	})
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}
