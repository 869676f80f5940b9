package relay

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/events/stream"
	"github.com/sheetbridge/sheetbridge/webhook/registry"
)

// defaultStoredAfter is for [Relay.StoredAfter].
const defaultStoredAfter = time.Minute

// define brings the partner's stream to the share as it is defined now. It
// must be the share's turn.
func (s *shareSync) define(ctx context.Context) (err error) {
	t := s.target
	for range maxRaces {
		if err = s.defineOnce(ctx); !lostRace(err) {
			return err
		}
		pause(ctx, racePause)
		if err := s.use(ctx, t.stream); err != nil {
			return err
		}
	}
	return err
}

func (s *shareSync) defineOnce(ctx context.Context) error {
	schema := s.target.state.Schema
	switch {
	case s.share.Ending || s.plan.reg.Phase == registry.PhaseDeleting:
		return s.end(ctx)
	case schema == nil:
		return s.begin(ctx)
	case schema.Revision < s.share.Revision:
		return s.revise(ctx)
	case schema.Revision > s.share.Revision:
		return s.overtake(ctx)
	case schema.Reset:
		if err := s.resume(ctx); err != nil {
			return err
		}
	}
	return s.recordPublished(ctx)
}

// begin publishes the share's first schema. What stands below it is of an earlier
// share of that name.
func (s *shareSync) begin(ctx context.Context) error {
	if err := s.startRevision(ctx, false); err != nil {
		return err
	}
	if err := s.purge(ctx, s.target.state.SchemaSeq); err != nil {
		return err
	}
	return s.recordPublished(ctx)
}

// revise publishes the schema of a new revision; from then on the lock refuses
// what passes with an older definition publish. A share that shows less than
// before is reset.
func (s *shareSync) revise(ctx context.Context) error {
	change, known := s.change()
	if !known {
		if err := s.forgetPublished(ctx); err != nil {
			return err
		}
	}
	reset := !known || change.Narrower || s.resent()
	err := s.startRevision(ctx, reset)
	if errors.Is(err, stream.ErrFull) && reset { // there is room when what must go has gone
		if err := s.purgeAll(ctx); err != nil {
			return err
		}
		err = s.startRevision(ctx, reset)
	}
	if err != nil {
		return err
	}
	if reset {
		if err := s.takeBack(ctx); err != nil {
			return err
		}
	}
	return s.recordPublished(ctx)
}

// resume goes on with a reset that has not come to its end: older messages still
// stand below its schema.
func (s *shareSync) resume(ctx context.Context) error {
	t := s.target
	if t.reset == t.state.SchemaSeq {
		return nil
	}
	first, err := t.stream.FirstSequence(ctx, s.share.SubjectAll())
	if err != nil {
		return err
	}
	if first == 0 || first >= t.state.SchemaSeq {
		t.reset, t.purged = t.state.SchemaSeq, t.state.SchemaSeq
		return nil
	}
	if !t.writer.Held() {
		if err := s.acquire(ctx); err != nil {
			return err
		}
	}
	return s.takeBack(ctx)
}

// takeBack removes what the share no longer shows. Where the stored values tell
// all that the share shows now, every living object is published again from them
// and then all below the schema goes. Else that is left for a reading, which shows
// the values as they are; [shareSync.narrow] does it without one.
func (s *shareSync) takeBack(ctx context.Context) error {
	below := s.target.state.SchemaSeq
	if s.resent() {
		return s.purge(ctx, below)
	}
	change, known := s.change()
	if !known || !change.Derivable(s.share.Share) {
		s.resetBelow = below
		return nil
	}
	err := s.narrow(ctx)
	if errors.Is(err, stream.ErrFull) {
		return s.purge(ctx, below) // what must go goes first; a reading brings the rest again
	}
	return err
}

// takeBackFull removes what a reset left of a share whose stream takes no more:
// what would replace it cannot be published.
func (s *shareSync) takeBackFull(ctx context.Context) error {
	if err := s.target.enter(ctx); err != nil {
		return err
	}
	defer s.target.leave()
	if s.resetBelow == 0 {
		return nil
	}
	return s.purge(ctx, s.resetBelow)
}

// overtake makes a revision newer than the one in the stream, which our records
// do not know: they were restored from an older copy.
func (s *shareSync) overtake(ctx context.Context) error {
	stands := s.target.state.Schema.Revision
	fresh, err := s.relay.Registry.FreshShare(ctx, s.share.Partner, s.share.Sheet)
	if err != nil && !errors.Is(err, registry.ErrNotFound) {
		return err
	}
	if err != nil || fresh.Revision >= stands {
		return errDefinition // this process had not heard of it yet
	}
	_, err = s.relay.Registry.UpdateShare(ctx, s.share.Partner, s.share.Sheet, func(now *registry.Share) error {
		if now.Revision < stands {
			now.Revision, now.Published = stands+1, nil
		}
		return nil
	})
	if err != nil {
		return err
	}
	return fmt.Errorf("the stream has revision %d, the records %d: %w", stands, s.share.Revision, errDefinition)
}

// startRevision publishes the schema and a status.
func (s *shareSync) startRevision(ctx context.Context, reset bool) error {
	t, now := s.target, time.Now()
	if err := s.unchanged(); err != nil {
		return err
	}
	schema := events.SchemaData{Revision: s.share.Revision, Reset: reset, Schema: s.share.Schema()}
	status := s.status(events.StateLoading, "")
	status.CompleteTo, status.ReadAt = nil, nil
	if err := t.writer.Begin(ctx, now, schema, status); err != nil {
		return err
	}
	t.startedRevision(schema, status, now)
	s.count(stream.Published{events.SchemaChanged: 1, events.StatusChanged: 1})
	return nil
}

// recordPublished notes in the share's record which definition the stream has. As
// long as a reset is to be finished that is the one before.
func (s *shareSync) recordPublished(ctx context.Context) error {
	if was := s.share.Published; s.resetBelow > 0 || was != nil && was.Revision == s.share.Revision {
		return nil
	}
	if err := s.purgeErased(ctx); err != nil {
		return err
	}
	definition := s.share.Share
	return s.setPublished(ctx, &definition)
}

// forgetPublished notes that the stream has values of several definitions, so that
// none of them says what may be left of a value.
func (s *shareSync) forgetPublished(ctx context.Context) error {
	if s.share.Published == nil {
		return nil
	}
	return s.setPublished(ctx, nil)
}

func (s *shareSync) setPublished(ctx context.Context, definition *events.Share) error {
	stored, err := s.relay.Registry.UpdateShare(ctx, s.share.Partner, s.share.Sheet, func(now *registry.Share) error {
		if now.Revision != s.share.Revision || now.Ending != s.share.Ending || !now.CreatedAt.Equal(s.share.CreatedAt) {
			return errDefinition
		}
		now.Published = definition
		return nil
	})
	if errors.Is(err, registry.ErrNotFound) {
		return errDefinition
	}
	if err == nil {
		s.share = stored
	}
	return err
}

// change is what the share's definition means for what the stream has. It is not
// known after the stream or our records were restored from an older copy: they do
// not fit together any more.
func (s *shareSync) change() (events.Change, bool) {
	old, schema := s.share.Published, s.target.state.Schema
	switch {
	case old == nil:
		return events.Change{}, false
	case schema.Revision == s.share.Revision: // a reset to be finished
		if old.Revision >= s.share.Revision {
			return events.Change{}, false
		}
	case old.Revision != schema.Revision:
		return events.Change{}, false
	}
	return events.DiffShares(*old, s.share.Share), true
}

// resent tells whether the partner is to get everything again.
func (s *shareSync) resent() bool {
	return s.share.Resend == s.share.Revision || s.share.Published != nil && s.share.Resend > s.share.Published.Revision
}

// purge removes all of the share that stands below the sequence.
func (s *shareSync) purge(ctx context.Context, below uint64) error {
	t := s.target
	if err := t.stream.PurgeBelow(ctx, s.share.SubjectAll(), below); err != nil {
		return err
	}
	t.purged, t.reset, s.resetBelow = below, below, 0 // of the schema at below: another pass may have begun a later one
	return nil
}

// purgeAll removes all of the share, its status too.
func (s *shareSync) purgeAll(ctx context.Context) error {
	t := s.target
	last, err := t.stream.LastSequence(ctx)
	if err != nil {
		return err
	}
	if err := t.stream.PurgeBelow(ctx, s.share.SubjectAll(), last+1); err != nil {
		return err
	}
	t.purged = last + 1
	return s.use(ctx, t.stream)
}

// end says that the share has ended, removes what was published of it, and then
// its record. Where the stream takes no status, what was published goes first.
func (s *shareSync) end(ctx context.Context) error {
	fresh, err := s.relay.Registry.FreshShare(ctx, s.share.Partner, s.share.Sheet)
	if errors.Is(err, registry.ErrNotFound) {
		return s.forget(ctx)
	}
	if err != nil {
		return err
	}
	if !fresh.CreatedAt.Equal(s.share.CreatedAt) || fresh.Revision != s.share.Revision || fresh.Ending != s.share.Ending {
		return errDefinition // it was made again, or changed
	}
	first, err := s.target.stream.FirstSequence(ctx, s.share.SubjectAll())
	if err != nil {
		return err
	}
	if first > 0 {
		if err := s.publishEnd(ctx); err != nil {
			return err
		}
	}
	return s.forget(ctx)
}

func (s *shareSync) publishEnd(ctx context.Context) error {
	t := s.target
	status := s.status(events.StateEnded, "the share was ended")
	status.NextBefore, status.CompleteTo, status.ReadAt = nil, nil, nil
	err := t.writer.Acquire(ctx, time.Now(), status)
	if errors.Is(err, stream.ErrFull) {
		if err := s.purgeAll(ctx); err != nil {
			return err
		}
		err = t.writer.Acquire(ctx, time.Now(), status)
	}
	if err != nil {
		return err
	}
	t.published(status)
	s.count(stream.Published{events.StatusChanged: 1})
	return s.purge(ctx, t.writer.Lock())
}
