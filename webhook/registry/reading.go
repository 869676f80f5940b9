package registry

import (
	"context"
	"errors"
	"slices"
	"time"
)

// readingKey begins the keys of what partners have read: reading.<partner>.
const readingKey = "reading."

// Reading is what is remembered of how far a partner has read.
type Reading struct {
	Begun   time.Time `json:"begun"` // when it was first looked
	At      time.Time `json:"at"`    // when it was last looked
	Readers []Reader  `json:"readers"`
}

// Reader is one way in which a partner reads: a durable consumer, or all that one set
// of credentials reads without one.
type Reader struct {
	Credentials string    `json:"credentials,omitempty"` // empty: not known
	Consumer    string    `json:"consumer,omitempty"`    // empty: none that is durable
	Delivered   uint64    `json:"delivered,omitempty"`   // sequence; 0: nothing was
	DeliveredAt time.Time `json:"deliveredAt,omitzero"`
	SeenAt      time.Time `json:"seenAt,omitzero"` // when it last read, or waited for something to read
}

// Reading returns what is remembered of how far a partner has read; nil: nothing.
func (r *Registry) Reading(partner string) *Reading { return lookup(r, r.readings, partner) }

// UpdateReading changes what is remembered of how far a partner has read.
func (r *Registry) UpdateReading(ctx context.Context, partner string, change func(*Reading)) error {
	changed := func(rd *Reading, _ uint64) error {
		rd.Readers = slices.Clone(rd.Readers)
		change(rd)
		return nil
	}
	err := update(ctx, r, readingKey+partner, changed)
	if !errors.Is(err, ErrNotFound) {
		return err
	}
	first := &Reading{}
	change(first)
	if err = create(ctx, r, readingKey+partner, first); errors.Is(err, ErrExists) { // another replica was faster
		return update(ctx, r, readingKey+partner, changed)
	}
	return err
}

// ForgetReading forgets how far a partner has read.
func (r *Registry) ForgetReading(ctx context.Context, partner string) error {
	_, revision, err := r.fresh(ctx, readingKey+partner)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	return r.remove(ctx, readingKey+partner, revision)
}
