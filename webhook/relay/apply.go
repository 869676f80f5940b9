package relay

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/events/stream"
	"github.com/sheetbridge/sheetbridge/smartsheet"
	"github.com/sheetbridge/sheetbridge/webhook/registry"
)

const (
	// rowsAtOnce is how many rows are compared together: their events and a status
	// make one batch. So much of what the partner saw is held beside the page that was
	// read, however large that is.
	rowsAtOnce = stream.MaxBatch - 1
	// maxRaces is how often in a row somebody else may publish to a share before it
	// is tried later.
	maxRaces  = 5
	racePause = 20 * time.Millisecond
)

// applyPage compares the page's rows with what the partner last saw of them, and
// publishes what differs. What it found counts after an error too.
func (s *shareSync) applyPage(ctx context.Context, pg *page) (found findings, err error) {
	types := typesOf(pg.columns)
	done := pg.before
	s.showProgress(done, pg)
	for rows := range slices.Chunk(pg.rows, rowsAtOnce) {
		readings := make([]events.Reading, 0, len(rows))
		for i := range rows {
			now, filter := s.rowReading(&rows[i], pg, types)
			found.add(findings{filter: filter})
			if now.Now != nil && s.erased(&rows[i], now.Now) {
				continue // as if it were not there, and nobody is told
			}
			readings = append(readings, now)
		}
		of, err := s.apply(ctx, pg, readings)
		if found.add(of); err != nil {
			return found, err
		}
		done += len(rows)
		s.showProgress(done, pg)
	}
	for ids := range slices.Chunk(pg.gone, rowsAtOnce) {
		readings := make([]events.Reading, len(ids))
		for i, id := range ids {
			readings[i] = events.Reading{
				Kind: events.KindRow, ID: id, Version: pg.version, Time: pg.at,
				Reason: events.ReasonDeleted, Origin: s.origin(), ChangeAgent: s.agents(id),
			}
			s.attribute(&readings[i])
		}
		of, err := s.apply(ctx, pg, readings)
		if found.add(of); err != nil {
			return found, err
		}
	}
	return found, nil
}

// rowReading is what the share shows of a row, and what its filter says of it.
func (s *shareSync) rowReading(row *smartsheet.Row, pg *page, types map[int64]smartsheet.ColumnType) (now events.Reading, filter registry.FilterResult) {
	now = events.Reading{
		Kind: events.KindRow, ID: row.ID, Version: pg.version, Time: pg.at,
		Row: events.RefOf(row), Origin: s.origin(), ChangeAgent: s.agents(row.ID),
	}
	s.attribute(&now)
	visible, err := s.view.Passes(row, types)
	filter.Rows = 1
	if visible {
		filter.Shown = 1
	}
	if err != nil { // its text may hold values: only that it fails is kept
		filter.Failed = 1
	}
	if visible && s.share.Has(events.KindRow) {
		now.Now = s.view.Fields(row, types)
	} else {
		now.Reason = events.ReasonLeftView
	}
	return now, filter
}

// apply publishes what differs between readings of a page and what the partner last
// saw. Rows that were asked for by their ids were compared, whether they differ or
// not, for all who have older readings of them; the hint for them is done with then.
func (s *shareSync) apply(ctx context.Context, pg *page, readings []events.Reading) (found findings, err error) {
	t := s.target
	if err := t.enter(ctx); err != nil {
		return found, err
	}
	defer t.leave()
	compare := func() (comparison, error) { return s.compare(ctx, pg.began, readings) }
	if !pg.named {
		if s.shared() && t.compared.wanted() {
			if err := s.use(ctx, t.stream); err != nil {
				return found, err
			}
		}
		found, published, err := s.publishDifference(ctx, compare, pg.version, unnamedRows)
		if published {
			t.compared.add(pg.version, unnamedRows)
		}
		return found, err
	}
	rows := make([]int64, len(readings))
	for i, now := range readings {
		rows[i] = now.ID
	}
	if s.shared() {
		found, err = s.publishComparison(ctx, compare, pg.version, rows...)
	} else {
		found, _, err = s.publishDifference(ctx, compare, pg.version, rows...)
	}
	if err == nil {
		t.compared.add(pg.version, rows...)
	}
	return found, err
}

// publishDifference publishes what a comparison finds, and returns whether there was
// anything to publish, even where that failed. It compares under the lock, for which
// nobody is asked as long as nothing differs. Other processes learn of the objects. It
// must be the share's turn.
func (s *shareSync) publishDifference(ctx context.Context, compare func() (comparison, error), version int64, objects ...int64) (found findings, published bool, err error) {
	if !s.target.writer.Held() && !s.target.unknown {
		c, err := compare()
		if err == nil && len(c.events) == 0 {
			return c.findings, false, nil
		}
		if err != nil && !lostRace(err) {
			return found, false, err
		}
	}
	err = s.underLock(ctx, func() error {
		c, err := compare()
		if err == nil && len(c.events) == 0 {
			found = c.findings
			return nil
		}
		if err == nil {
			published = true
			found, err = s.publish(ctx, c, version, objects)
		}
		return err
	})
	return found, published, err
}

// publishComparison publishes what a comparison finds and, even if that is nothing,
// that the objects were compared. Another process that has an older reading of them
// loses the lock by it, and learns that its reading is older. It must be the share's
// turn.
func (s *shareSync) publishComparison(ctx context.Context, compare func() (comparison, error), version int64, objects ...int64) (found findings, err error) {
	err = s.underLock(ctx, func() error {
		c, err := compare()
		if err == nil {
			found, err = s.publish(ctx, c, version, objects)
		}
		return err
	})
	return found, err
}

// publish publishes the events of a comparison. What was found counts once they are
// stored.
func (s *shareSync) publish(ctx context.Context, c comparison, version int64, objects []int64) (found findings, err error) {
	if err := s.carryCompared(version, objects...); err != nil {
		return found, err
	}
	tooLarge, err := s.flush(ctx, c.events, s.keptStatus())
	if err != nil {
		return found, err
	}
	found = c.findings
	found.tooLarge = tooLarge
	return found, nil
}

// flush publishes events and then the status. Events that are too large for the
// partner's NATS are left out, and how many is returned: they must keep no other row
// waiting. The lock must be held, in the share's turn.
func (s *shareSync) flush(ctx context.Context, evs []events.Event, status events.StatusData) (tooLarge int, err error) {
	t := s.target
	defer func() {
		if err != nil { // what the status was to tell other processes is not so
			t.writer.Carry(t.state.Carried)
		}
	}()
	if err := s.current(); err != nil {
		return 0, err
	}
	for _, e := range evs {
		err := t.writer.Add(e)
		if errors.Is(err, stream.ErrTooLarge) {
			tooLarge++
			continue
		}
		if err != nil {
			t.writer.Discard()
			return 0, err
		}
	}
	startedAt := time.Now()
	published, err := t.writer.Flush(ctx, startedAt, status)
	s.relay.publishSpan(ctx, s.share, len(evs), time.Since(startedAt), err)
	if err != nil {
		t.unknown = true
		return 0, err
	}
	t.published(status)
	s.count(published)
	s.count(stream.Published{events.StatusChanged: 1})
	return tooLarge, nil
}

func (s *shareSync) flushStatus(ctx context.Context, status events.StatusData) error {
	_, err := s.flush(ctx, nil, status)
	return err
}

// underLock does something that publishes, with the lock held; from its beginning
// again, a few times, where somebody else published to the share. It ends with
// errDefinition where that was a new definition of the share.
func (s *shareSync) underLock(ctx context.Context, do func() error) (err error) {
	t := s.target
	for range maxRaces {
		if err = s.current(); err != nil {
			return err
		}
		if !t.writer.Held() {
			err = s.acquire(ctx)
		}
		if err == nil {
			err = do()
		}
		if !lostRace(err) {
			return err
		}
		pause(ctx, racePause)
		if err := s.use(ctx, t.stream); err != nil {
			return err
		}
		if err := s.unchanged(); err != nil {
			return err
		}
	}
	return err
}

// acquire takes the lock of the share.
func (s *shareSync) acquire(ctx context.Context) error {
	if err := s.current(); err != nil {
		return err
	}
	status := s.keptStatus()
	if err := s.target.writer.Acquire(ctx, time.Now(), status); err != nil {
		return err
	}
	s.target.unknown = false
	s.target.published(status)
	s.count(stream.Published{events.StatusChanged: 1})
	return nil
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// lostRace tells whether an error may mean that somebody else is at work on the
// share, so that its state is to be read again.
func lostRace(err error) bool {
	return errors.Is(err, stream.ErrLostRace) || errors.Is(err, stream.ErrLag)
}

// comparison is what follows from some readings.
type comparison struct {
	events []events.Event
	findings
}

// last is what the partner last saw of objects, without what was purged: a copy of
// the stream that answers may have come to the lock and not to the purge, which
// has no sequence of its own.
func (s *shareSync) last(ctx context.Context, subjects []string) (map[string]*events.Seen, error) {
	t := s.target
	seen, err := t.stream.Last(ctx, &s.share.Share, subjects, t.writer.Since())
	purged := min(t.purged, t.state.SchemaSeq) // a stream that was restored counts from less
	maps.DeleteFunc(seen, func(subject string, o *events.Seen) bool { return o.Sequence < purged || s.purgedByErasing(subject, o) })
	return seen, err
}

// compare finds what differs between readings and what the partner last saw. Began is
// when the pass began to read. It must be the share's turn.
func (s *shareSync) compare(ctx context.Context, began moment, readings []events.Reading) (comparison, error) {
	subjects := make([]string, len(readings))
	for i, now := range readings {
		subjects[i] = s.share.SubjectOf(now.Kind, now.ID)
	}
	last, err := s.last(ctx, subjects)
	if err != nil {
		return comparison{}, err
	}
	return s.compareWith(ctx, began, readings, last, nil)
}

// compareWith compares readings with what was last seen. What hangs on a row goes
// before the row does. rowOf are the rows on which attachments and comments hang.
func (s *shareSync) compareWith(ctx context.Context, began moment, readings []events.Reading, last map[string]*events.Seen, rowOf map[int64]int64) (comparison, error) {
	var c comparison
	if s.target.compared.missedSince(began) {
		return c, errOutdated
	}
	removed := map[int64]events.Reading{}
	differing := make([]events.Reading, 0, len(readings))
	for _, now := range readings {
		seen := last[s.share.SubjectOf(now.Kind, now.ID)]
		if s.overtaken(seen, now, rowOf[now.ID]) {
			differs, err := s.differs(seen, now)
			if err != nil {
				return c, err
			}
			c.oldReading = c.oldReading || differs && s.wasOld(seen, now)
			continue
		}
		if now.Kind == events.KindRow && now.Now == nil && seen.Living() {
			removed[now.ID] = now
		}
		differing = append(differing, now)
	}
	children, err := s.childrenOf(ctx, removed)
	if err != nil {
		return c, err
	}
	for _, now := range differing {
		seen := last[s.share.SubjectOf(now.Kind, now.ID)]
		evs, err := s.difference(seen, now)
		if err != nil {
			return c, err
		}
		if len(evs) > 0 && now.Now != nil {
			if now.Kind == events.KindRow && !seen.Living() {
				c.appeared = append(c.appeared, now.ID)
			}
			c.changedAt = earliest(c.changedAt, s.missedChange(now))
		}
		c.events = append(append(c.events, children[now.ID]...), evs...)
	}
	if s.origin() == events.OriginReconcile {
		c.unreported = len(c.events)
	}
	return c, nil
}

// difference returns the events that lead from what was last seen to a reading.
func (s *shareSync) difference(seen *events.Seen, now events.Reading) ([]events.Event, error) {
	if seen == nil || seen.Sequence >= s.resetBelow {
		return s.share.Compare(seen, now)
	}
	// It shows an older definition, and goes when all has been read.
	if !seen.Living() {
		return s.share.Compare(nil, now)
	}
	if now.Now == nil { // whyever it is gone: nothing of what it was may be told
		now.Reason = events.ReasonShare
	}
	if now.Row == nil {
		now.Row = seen.Row
	}
	e, err := s.redefined(now)
	return []events.Event{e}, err
}
