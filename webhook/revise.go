package webhook

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/webhook/inbox"
	"github.com/sheetbridge/sheetbridge/webhook/registry"
)

// prepare brings the partner's stream to the share as it is defined now. It
// needs no Smartsheet: a share that shows less is narrowed even while the
// owner's token is dead.
func (r *run) prepare(ctx context.Context) error {
	published := r.state.Schema
	switch {
	case r.share.Ending || r.pass.reg.Phase == registry.PhaseDeleting:
		return r.end(ctx)
	case published == nil:
		return r.begin(ctx)
	case published.Revision < r.share.Revision:
		return r.revise(ctx)
	case published.Revision > r.share.Revision:
		return r.overtake(ctx)
	case published.Reset:
		return r.resume(ctx)
	}
	return r.published(ctx)
}

// originNow says what the events of the pass come from. Until a share is loaded
// it is what made it load.
func (r *run) originNow() events.Origin {
	switch {
	case !r.state.Loaded() && (r.share.Revision == 1 || r.share.Resend == r.share.Revision):
		return events.OriginSnapshot
	case !r.state.Loaded():
		return events.OriginShare
	case r.pass.hint.Why == inbox.WhyCallback:
		return events.OriginCallback
	}
	return events.OriginReconcile
}

// begin publishes the share's first schema. Whatever stands below is of an
// earlier share of that name.
func (r *run) begin(ctx context.Context) error {
	return r.startRevision(ctx, false, func(at uint64) error { return r.purge(ctx, at) })
}

// revise publishes the schema of a new revision; from then on the lock refuses
// what passes with an older definition publish. A share that shows less than
// before is reset.
func (r *run) revise(ctx context.Context) error {
	narrow, narrower := r.narrowing()
	reset := narrower || r.resent()
	return r.startRevision(ctx, reset, func(at uint64) error {
		if !reset {
			return nil
		}
		return r.reset(ctx, at, narrow)
	})
}

// resume finishes a reset that was cut off: older messages still stand below
// its schema.
func (r *run) resume(ctx context.Context) error {
	first, err := r.stream.FirstSequence(ctx, r.share.SubjectAll())
	if err != nil {
		return err
	}
	if first > 0 && first < r.state.SchemaSeq {
		narrow, _ := r.narrowing()
		if err := r.reset(ctx, r.state.SchemaSeq, narrow); err != nil {
			return err
		}
	}
	r.purged = r.state.SchemaSeq
	return r.published(ctx)
}

// overtake makes a revision newer than the one in the stream, which our records
// do not know: they were restored from an older copy.
func (r *run) overtake(ctx context.Context) error {
	err := r.updateShare(ctx, func(s *registry.Share) {
		if s.Revision < r.state.Schema.Revision {
			s.Revision, s.Published = r.state.Schema.Revision+1, nil
		}
	})
	if err != nil {
		return err
	}
	return fmt.Errorf("the stream has revision %d, the records %d: %w", r.state.Schema.Revision, r.share.Revision, events.ErrLostRace)
}

// startRevision publishes schema and status, does what follows from the schema,
// and notes which definition the stream has now.
func (r *run) startRevision(ctx context.Context, reset bool, then func(schemaAt uint64) error) error {
	now := time.Now()
	if err := r.writer.PublishSchema(ctx, now, reset); err != nil {
		return err
	}
	if err := r.writer.Flush(ctx); err != nil {
		return err
	}
	at := r.writer.Lock()
	r.state.SchemaSeq = at
	r.state.Schema = &events.SchemaData{Revision: r.share.Revision, Reset: reset, Schema: r.share.Schema()}
	if err := r.publishStatus(ctx, r.status(events.StateLoading, "")); err != nil {
		return err
	}
	if err := then(at); err != nil {
		return err
	}
	return r.published(ctx)
}

// published notes in the share's record which definition the stream has.
func (r *run) published(ctx context.Context) error {
	if was := r.share.Published; was != nil && was.Revision == r.share.Revision {
		return nil
	}
	return r.updateShare(ctx, func(s *registry.Share) {
		if s.Revision == r.share.Revision {
			definition := r.share.Share
			s.Published = &definition
		}
	})
}

// updateShare changes the record of the share, if it is still there.
func (r *run) updateShare(ctx context.Context, change func(*registry.Share)) error {
	_, err := r.pass.relay.Registry.UpdateShare(ctx, r.share.Partner, r.share.Sheet, func(s *registry.Share) error {
		if !s.SameAs(r.share) {
			return registry.ErrNotFound
		}
		change(s)
		return nil
	})
	if errors.Is(err, registry.ErrNotFound) {
		return nil
	}
	return err
}

// change is what the share's definition means for what the stream has. It is
// not known after the stream or our records were restored from an older copy:
// they do not fit together any more.
func (r *run) change() (events.Change, bool) {
	old, schema := r.share.Published, r.state.Schema
	switch {
	case old == nil:
		return events.Change{}, false
	case schema.Revision == r.share.Revision: // a reset to be finished
		if old.Revision >= r.share.Revision {
			return events.Change{}, false
		}
	case old.Revision != schema.Revision:
		return events.Change{}, false
	}
	return events.DiffShares(*old, r.share.Share), true
}

// resent tells whether the partner is to get everything again.
func (r *run) resent() bool {
	return r.share.Resend == r.share.Revision || (r.share.Published != nil && r.share.Resend > r.share.Published.Revision)
}

// reset takes back what the share no longer shows: every living object below
// the schema is published again without it, or as deleted, and then all below
// the schema goes. It may be repeated.
func (r *run) reset(ctx context.Context, below uint64, narrow narrowing) error {
	if !r.resent() {
		if err := r.narrowAll(ctx, below, narrow); err != nil {
			return err
		}
	}
	return r.purge(ctx, below)
}

// purge removes all of the share that stands below the sequence.
func (r *run) purge(ctx context.Context, below uint64) error {
	if err := r.stream.PurgeBelow(ctx, r.share.SubjectAll(), below); err != nil {
		return err
	}
	r.purged = below
	return nil
}

// narrowing returns what may still be shown of an object, and whether that is
// less than before. Where it cannot be known it is nothing.
func (r *run) narrowing() (narrowing, bool) {
	change, known := r.change()
	if !known {
		return func(events.Object) (events.Object, bool) { return nil, false }, true
	}
	return func(after events.Object) (events.Object, bool) { return change.Narrow(r.view, after) }, change.Narrower
}

type narrowing func(events.Object) (events.Object, bool)

// narrowAll publishes what is left of the living objects: first what goes from
// below hidden rows, then the rows, then what hangs on those that stay.
func (r *run) narrowAll(ctx context.Context, below uint64, narrow narrowing) error {
	if !r.share.Has(events.KindRow) {
		narrow = func(events.Object) (events.Object, bool) { return nil, false }
	}
	for _, step := range []struct {
		kind events.Kind
		kept bool // publish what stays, else what goes
	}{
		{events.KindComment, false}, {events.KindAttachment, false},
		{events.KindRow, false}, {events.KindRow, true},
		{events.KindAttachment, true}, {events.KindComment, true},
	} {
		err := r.living(ctx, step.kind, below, func(chunk map[string]*events.Seen) error {
			return r.narrowChunk(ctx, step.kind, step.kept, chunk, narrow)
		})
		if err != nil {
			return err
		}
		if err := r.writer.Flush(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) narrowChunk(ctx context.Context, kind events.Kind, kept bool, chunk map[string]*events.Seen, narrow narrowing) error {
	rows := chunk
	if kind != events.KindRow {
		subjects := make([]string, 0, len(chunk))
		for _, seen := range chunk {
			subjects = append(subjects, r.share.SubjectRow(seen.RowID))
		}
		var err error
		if rows, err = r.last(ctx, subjects); err != nil {
			return err
		}
	}
	for _, subject := range slices.Sorted(maps.Keys(chunk)) {
		seen := chunk[subject]
		after, stays := seen.After, r.share.Has(kind)
		switch {
		case kind == events.KindRow:
			after, stays = narrow(seen.After)
		case stays:
			row := rows[r.share.SubjectRow(seen.RowID)]
			if stays = row.Living(); stays && row.Sequence < r.state.SchemaSeq {
				_, stays = narrow(row.After)
			}
		}
		if stays != kept {
			continue
		}
		e, err := r.narrowed(kind, subject, seen, after, stays)
		if err != nil {
			return err
		}
		if err := r.add(ctx, e); err != nil {
			return err
		}
	}
	return nil
}

// narrowed is the event that leaves of an object what may still be shown.
func (r *run) narrowed(kind events.Kind, subject string, seen *events.Seen, after events.Object, stays bool) (events.Event, error) {
	_, id, ok := events.ParseSubject(subject)
	if !ok {
		return events.Event{}, fmt.Errorf("subject %s is no object's", subject)
	}
	d := events.ObjectData{
		Sheet: events.SheetRef{ID: r.share.SheetID, Name: r.share.Sheet, Version: seen.Version},
		Row:   seen.Row, After: after, Changed: []string{}, Origin: events.OriginShare,
	}
	action := "updated"
	switch {
	case !stays:
		action, d.After, d.Reason = "deleted", nil, events.ReasonShare
	case kind == events.KindAttachment:
		action = "created" // there is no attachment.updated
	}
	return r.share.ObjectEvent(kind, id, action, time.Now(), d)
}

// living calls the function with the objects of a kind that the partner sees
// and whose last message stands below the sequence, some hundreds at a time.
func (r *run) living(ctx context.Context, kind events.Kind, below uint64, f func(map[string]*events.Seen) error) error {
	subjects, err := r.stream.Subjects(ctx, r.share.SubjectKind(kind))
	if err != nil {
		return err
	}
	slices.Sort(subjects)
	for chunk := range slices.Chunk(subjects, events.MaxBatch/2) {
		seen, err := r.last(ctx, chunk)
		if err != nil {
			return err
		}
		for subject, s := range seen {
			if !s.Living() || s.Sequence >= below {
				delete(seen, subject)
			}
		}
		if err := f(seen); err != nil {
			return err
		}
	}
	return nil
}

// end says that the share has ended and removes what was published of it.
func (r *run) end(ctx context.Context) error {
	now, err := r.pass.relay.Registry.FreshShare(ctx, r.share.Partner, r.share.Sheet)
	switch {
	case errors.Is(err, registry.ErrNotFound), err == nil && !now.SameAs(r.share): // a stale hint: another share has the name
		r.gone = true
		return nil
	case err != nil:
		return err
	case now.Revision != r.share.Revision || now.Ending != r.share.Ending:
		return fmt.Errorf("share %s changed before it was ended: %w", r.share.Key(), events.ErrLostRace)
	}
	if r.state.Lock > 0 {
		s := r.status(events.StateEnded, "the share was ended")
		s.NextBefore, s.CompleteTo, s.ReadAt = nil, nil, nil
		if err := r.publishStatus(ctx, s); err != nil {
			return err
		}
		if err := r.purge(ctx, r.writer.Lock()); err != nil {
			return err
		}
	}
	r.over = true
	return nil
}

// dropEnded removes the records of the shares that have ended. One that has
// changed since it was read is looked at again.
func (p *pass) dropEnded(ctx context.Context) error {
	for _, r := range p.runs {
		if !r.over {
			continue
		}
		err := p.relay.Registry.DeleteShare(ctx, r.share)
		if errors.Is(err, registry.ErrConflict) {
			err = r.changedSince(ctx)
		}
		if err != nil {
			return fmt.Errorf("removing share %s, which has ended: %w", r.share.Key(), err)
		}
	}
	return nil
}

// changedSince returns errAgain if the share is still there, in another form than
// it was read in.
func (r *run) changedSince(ctx context.Context) error {
	now, err := r.pass.relay.Registry.FreshShare(ctx, r.share.Partner, r.share.Sheet)
	switch {
	case errors.Is(err, registry.ErrNotFound), err == nil && !now.SameAs(r.share):
		return nil
	case err != nil:
		return err
	}
	return errAgain
}
