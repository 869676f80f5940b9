package webhook

import (
	"context"
	"maps"
	"slices"
	"strconv"

	"github.com/sheetbridge/sheetbridge/events"
)

// childrenOf returns the events that take away what hangs on rows that leave.
func (r *run) childrenOf(ctx context.Context, leaving map[int64]events.Reading) (map[int64][]events.Event, error) {
	gone := map[int64][]events.Event{}
	if len(leaving) == 0 {
		return gone, nil
	}
	for _, kind := range []events.Kind{events.KindComment, events.KindAttachment} {
		if !r.share.Has(kind) {
			continue
		}
		hanging, err := r.hangingOn(ctx, kind)
		if err != nil {
			return nil, err
		}
		var subjects []string
		for row := range leaving {
			for _, id := range hanging[row] {
				subjects = append(subjects, r.share.SubjectOf(kind, id))
			}
		}
		last, err := r.last(ctx, subjects)
		if err != nil {
			return nil, err
		}
		for row, left := range leaving {
			for _, id := range hanging[row] {
				seen := last[r.share.SubjectOf(kind, id)]
				if !seen.Living() {
					continue
				}
				evs, err := r.share.Compare(seen, events.Reading{
					Kind: kind, ID: id, Version: max(left.Version, seen.Version), Time: left.Time, Reason: left.Reason, Origin: left.Origin,
				})
				if err != nil {
					return nil, err
				}
				gone[row] = append(gone[row], evs...)
			}
		}
	}
	return gone, nil
}

// hangingOn returns the ids of what the partner sees on each row. They are looked
// for once in a pass, when the first row leaves: all rows are published before
// anything comes to hang on one.
func (r *run) hangingOn(ctx context.Context, kind events.Kind) (map[int64][]int64, error) {
	if known, ok := r.hanging[kind]; ok {
		return known, nil
	}
	on := map[int64][]int64{}
	err := r.living(ctx, kind, ^uint64(0), func(chunk map[string]*events.Seen) error {
		for _, subject := range slices.Sorted(maps.Keys(chunk)) {
			row, _ := strconv.ParseInt(chunk[subject].RowID, 10, 64)
			if _, id, ok := events.ParseSubject(subject); ok {
				on[row] = append(on[row], id)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if r.hanging == nil {
		r.hanging = map[events.Kind]map[int64][]int64{}
	}
	r.hanging[kind] = on
	return on, nil
}
