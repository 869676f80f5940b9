package relay

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/webhook/inbox"
)

// everywhere is a sequence that everything stands below.
const everywhere = uint64(math.MaxUint64)

// narrowing returns what may still be shown of a stored object, false for
// nothing.
type narrowing func(events.Object) (events.Object, bool)

func nothing(events.Object) (events.Object, bool) { return nil, false }

// narrow takes back what the share no longer shows by the values that the stream
// has: every living object below the schema is published again without it, or as
// deleted, and then all below the schema goes. It may be repeated. The lock must be held, in
// the share's turn.
func (s *shareSync) narrow(ctx context.Context) error {
	left := nothing
	if change, known := s.change(); known {
		left = func(after events.Object) (events.Object, bool) { return change.Narrow(s.view, after) }
	}
	return s.narrowTo(ctx, left)
}

func (s *shareSync) narrowTo(ctx context.Context, left narrowing) error {
	below := s.target.state.SchemaSeq
	if err := s.narrowAll(ctx, below, left); err != nil {
		return err
	}
	if err := s.purge(ctx, below); err != nil {
		return err
	}
	return s.recordPublished(ctx)
}

// narrowAll publishes what is left of the living objects: first what goes from
// below hidden rows, then the rows, then what hangs on those that stay.
func (s *shareSync) narrowAll(ctx context.Context, below uint64, left narrowing) error {
	if !s.share.Has(events.KindRow) {
		left = nothing
	}
	for _, step := range []struct {
		kind events.Kind
		kept bool // publish what stays, else what goes
	}{
		{events.KindComment, false}, {events.KindAttachment, false},
		{events.KindRow, false}, {events.KindRow, true},
		{events.KindAttachment, true}, {events.KindComment, true},
	} {
		err := s.living(ctx, step.kind, below, func(chunk map[string]*events.Seen) error {
			evs, err := s.narrowChunk(ctx, step.kind, step.kept, chunk, left)
			if err != nil {
				return err
			}
			// What is too large, as a mask can make it, is left out and goes with the
			// purge. The reading that completes the share finds that the partner does
			// not have it, tries once more, and counts it then.
			_, err = s.flush(ctx, evs, s.keptStatus())
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *shareSync) narrowChunk(ctx context.Context, kind events.Kind, kept bool, chunk map[string]*events.Seen, left narrowing) ([]events.Event, error) {
	rows := chunk
	if kind != events.KindRow {
		subjects := make([]string, 0, len(chunk))
		for _, seen := range chunk {
			subjects = append(subjects, s.share.SubjectRow(seen.RowID))
		}
		var err error
		if rows, err = s.last(ctx, subjects); err != nil {
			return nil, err
		}
	}
	var evs []events.Event
	for _, subject := range slices.Sorted(maps.Keys(chunk)) {
		seen := chunk[subject]
		after, stays := seen.After, s.share.Has(kind)
		switch {
		case kind == events.KindRow:
			after, stays = left(seen.After)
		case stays:
			row := rows[s.share.SubjectRow(seen.RowID)]
			if stays = row.Living(); stays && row.Sequence < s.target.state.SchemaSeq {
				_, stays = left(row.After)
			}
		}
		if stays != kept {
			continue
		}
		e, err := s.narrowed(kind, subject, seen, after, stays)
		if err != nil {
			return nil, err
		}
		evs = append(evs, e)
	}
	return evs, nil
}

// narrowed is the event that leaves of an object what may still be shown.
func (s *shareSync) narrowed(kind events.Kind, subject string, seen *events.Seen, after events.Object, stays bool) (events.Event, error) {
	_, id, ok := events.ParseSubject(subject)
	if !ok {
		return events.Event{}, fmt.Errorf("subject %s is no object's", subject)
	}
	now := events.Reading{Kind: kind, ID: id, Version: seen.Version, Time: time.Now(), Row: seen.Row, Origin: events.OriginShare, Reason: events.ReasonShare}
	if stays {
		now.Now = after
	}
	return s.redefined(now)
}

// redefined is the event of an object whose last message shows an older
// definition of the share: it says what is shown now, and not what was.
func (s *shareSync) redefined(now events.Reading) (events.Event, error) {
	d := events.ObjectData{
		Sheet: events.SheetRef{ID: s.share.SheetID, Name: s.share.Sheet, Version: now.Version},
		Row:   now.Row, After: now.Now, Changed: []string{}, Origin: events.OriginShare,
	}
	action := "updated"
	switch {
	case now.Now == nil:
		action, d.Reason = "deleted", now.Reason
	case now.Kind == events.KindAttachment:
		action = "created" // there is no attachment.updated
	}
	return s.share.ObjectEvent(now.Kind, now.ID, action, now.Time, d)
}

// living calls the function with the objects of a kind that the partner sees and
// whose last message stands below the sequence, some hundreds at a time.
func (s *shareSync) living(ctx context.Context, kind events.Kind, below uint64, f func(map[string]*events.Seen) error) error {
	subjects, err := s.target.stream.Subjects(ctx, s.share.SubjectKind(kind))
	if err != nil {
		return err
	}
	slices.Sort(subjects)
	for chunk := range slices.Chunk(subjects, rowsAtOnce) {
		seen, err := s.last(ctx, chunk)
		if err != nil {
			return err
		}
		maps.DeleteFunc(seen, func(_ string, o *events.Seen) bool { return !o.Living() || o.Sequence >= below })
		if err := f(seen); err != nil {
			return err
		}
	}
	return nil
}

// notAmong are the rows that the partner sees and that are not among the ids.
func (s *shareSync) notAmong(ctx context.Context, ids map[int64]bool) ([]int64, error) {
	subjects, err := s.stream.Subjects(ctx, s.share.SubjectKind(events.KindRow))
	if err != nil {
		return nil, err
	}
	suspects := make([]string, 0, len(subjects))
	for _, subject := range subjects {
		if _, id, ok := events.ParseSubject(subject); ok && !ids[id] {
			suspects = append(suspects, subject)
		}
	}
	slices.Sort(suspects)
	var missing []int64
	for chunk := range slices.Chunk(suspects, rowsAtOnce) {
		seen, err := s.stream.Last(ctx, &s.share.Share, chunk, s.opened.Lock)
		if err != nil {
			return nil, err
		}
		for subject, o := range seen {
			if _, id, ok := events.ParseSubject(subject); ok && o.Living() {
				missing = append(missing, id)
			}
		}
	}
	return missing, nil
}

// narrowWithout takes back what shares no longer show where the sheet cannot be
// read at all.
func (r *Relay) narrowWithout(ctx context.Context, shares []*shareSync) outcomes {
	return eachDoes(ctx, shares, pagePatience, func(ctx context.Context, s *shareSync) error {
		if s.resetBelow == 0 {
			return nil
		}
		if err := s.target.enter(ctx); err != nil {
			return err
		}
		defer s.target.leave()
		return s.underLock(ctx, func() error { return s.narrow(ctx) })
	})
}

// narrowLate does so where a reading was waited for long enough, or none will come
// soon; else it has the shares looked at again then.
func (r *Relay) narrowLate(ctx context.Context, p *plan, shares []*shareSync, v verdict) (outcomes, error) {
	var late []*shareSync
	patience := cmp.Or(r.StoredAfter, defaultStoredAfter)
	for _, s := range shares {
		if s.resetBelow == 0 {
			continue
		}
		changedAt := s.opened.SchemaAt
		if time.Since(changedAt) >= patience || v == unreadable || v == unacceptable {
			late = append(late, s)
			continue
		}
		again := &inbox.Hint{Registration: p.reg.ID, Shares: []string{s.share.Key()}, Why: inbox.WhyShare, Whole: true, ReceivedAt: time.Now()}
		if err := r.Inbox.Defer(ctx, again, changedAt.Add(patience+time.Second)); err != nil {
			return nil, err
		}
	}
	return r.narrowWithout(ctx, late), nil
}
