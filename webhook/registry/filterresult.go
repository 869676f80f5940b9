package registry

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// filterKey begins the keys of filter results: filter.<partner>.<sheet>.
const filterKey = "filter."

// FilterResult is what a share's filter said of the rows of its sheet when all of
// them were last read. It holds numbers and no values.
type FilterResult struct {
	Revision int64     `json:"revision"` // of the share
	Rows     int       `json:"rows"`     // of the sheet
	Shown    int       `json:"shown"`
	Failed   int       `json:"failed"` // on which the filter cannot be evaluated
	At       time.Time `json:"at"`
}

// same tells whether two results differ in nothing but when they were found.
func (f FilterResult) same(g FilterResult) bool {
	f.At, g.At = time.Time{}, time.Time{}
	return f == g
}

// Warning says what is wrong with the filter, empty for nothing: it passes none of
// the rows that there are, or cannot be evaluated on some.
func (f *FilterResult) Warning() string {
	switch {
	case f == nil || f.Rows == 0:
		return ""
	case f.Failed == f.Rows:
		return fmt.Sprintf("the filter cannot be evaluated on any of the %d rows: none is shown", f.Rows)
	case f.Failed > 0:
		return fmt.Sprintf("the filter cannot be evaluated on %d of %d rows, which are hidden", f.Failed, f.Rows)
	case f.Shown == 0:
		return fmt.Sprintf("the filter passes none of the %d rows", f.Rows)
	}
	return ""
}

// FilterResult returns what the share's filter said of the rows last, nil where
// that is not known of the definition that the share has.
func (r *Registry) FilterResult(s *Share) *FilterResult {
	found := lookup(r, r.filterResults, recordName(s.Partner, s.Sheet))
	if found == nil || found.Revision != s.Revision {
		return nil
	}
	return found
}

// PutFilterResult stores what a share's filter said of the rows, where it differs
// from what is known.
func (r *Registry) PutFilterResult(ctx context.Context, s *Share, now FilterResult) error {
	if known := r.FilterResult(s); known != nil && known.same(now) {
		return nil
	}
	value, err := encode(&now, nil)
	if err != nil {
		return fmt.Errorf("storing what the filter of share %s shows: %w", s.Key(), err)
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	key := filterKey + recordName(s.Partner, s.Sheet)
	revision, err := r.kv.Put(ctx, key, value)
	if err != nil {
		return fmt.Errorf("storing what the filter of share %s shows: %w", s.Key(), err)
	}
	return r.apply(key, value, revision, false)
}

// forgetFilterResult removes the result of a share that is gone.
func (r *Registry) forgetFilterResult(ctx context.Context, s *Share) error {
	if lookup(r, r.filterResults, recordName(s.Partner, s.Sheet)) == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	err := r.kv.Delete(ctx, filterKey+recordName(s.Partner, s.Sheet))
	if err != nil && !errors.Is(err, jetstream.ErrKeyNotFound) {
		return fmt.Errorf("removing what the filter of share %s showed: %w", s.Key(), err)
	}
	return nil
}
