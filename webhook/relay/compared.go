package relay

import (
	"context"
	"errors"
	"math"
	"sync"
	"sync/atomic"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/events/stream"
)

// errOutdated says that others have compared what a pass has read, with newer
// readings or with readings of which nothing is known.
var errOutdated = errors.New("others compare the share at the same time")

// What is recorded as compared, beside the ids of objects.
const (
	unnamedRows = int64(0)             // rows of a page of the whole sheet that were published
	everyChild  = int64(math.MinInt64) // attachments and comments of all rows
)

// childrenOf is what is recorded for the attachments and comments of a row.
func childrenOf(row int64) int64 { return -row }

// comparedObjects are the objects of a share that were compared since passes of
// this process began which are still at work: by which version of the sheet. What
// such a pass read of the same objects may be older though nothing newer was
// published, because an object was changed and changed back. Other processes tell
// of theirs in the statuses that they publish.
type comparedObjects struct {
	moments *moments

	mu       sync.Mutex
	passes   int                       // that are at work
	objects  map[int64]comparedVersion // nil: no pass is
	unnamed  map[int64]moment          // of the last comparison of rows that are not named, by version
	missedAt moment                    // when it could not be known last what others compared
}

type comparedVersion struct {
	version int64  // highest of the sheet
	at      moment // of the last comparison
}

// moment tells what comes before what in a process: when something was compared, when a
// pass began to read.
type moment int64

// moments counts them.
type moments struct{ last atomic.Int64 }

func (m *moments) next() moment { return moment(m.last.Add(1)) }

// begin has comparisons recorded until end.
func (c *comparedObjects) begin() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.passes++; c.objects == nil {
		c.objects, c.unnamed = map[int64]comparedVersion{}, map[int64]moment{}
	}
}

func (c *comparedObjects) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.passes--; c.passes == 0 {
		c.objects, c.unnamed = nil, nil
	}
}

// wanted tells whether a pass is at work.
func (c *comparedObjects) wanted() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.passes > 0
}

// add records that objects were compared as they were at a version.
func (c *comparedObjects) add(version int64, objects ...int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.objects == nil {
		return
	}
	at := c.moments.next()
	for _, id := range objects {
		if id == unnamedRows {
			c.unnamed[version] = at
			continue
		}
		c.objects[id] = comparedVersion{max(c.objects[id].version, version), at}
	}
}

// miss records that others compared objects of which nothing is known.
func (c *comparedObjects) miss() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.missedAt = c.moments.next()
}

// missedSince tells whether miss was called since a moment.
func (c *comparedObjects) missedSince(m moment) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.missedAt > m
}

// version is the highest at which any of the objects was compared, 0 where that is
// not known.
func (c *comparedObjects) version(objects ...int64) int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	version := int64(0)
	for _, id := range objects {
		version = max(version, c.objects[id].version)
	}
	return version
}

// older are the rows that were compared since a moment as they were before a
// version, and not at it or later; and whether other objects were.
func (c *comparedObjects) older(version int64, since moment) (rows []int64, others bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for id, was := range c.objects {
		switch {
		case was.at <= since || was.version >= version:
		case id > 0:
			rows = append(rows, id)
		default:
			others = true
		}
	}
	for was, at := range c.unnamed {
		others = others || at > since && was < version
	}
	return rows, others
}

// use has the target work on the stream, reads how the share stands there, and
// takes over what others have compared since it was last read. It must be the
// share's turn.
func (s *shareSync) use(ctx context.Context, st *stream.Stream) error {
	t := s.target
	var before uint64
	if t.stream == st && t.state != nil {
		before = t.state.Lock
	}
	if err := t.use(ctx, st, &s.share.Share); err != nil {
		return err
	}
	if !s.shared() || t.state.Lock == before || !t.compared.wanted() {
		return nil // what was published late by this process moves the lock too
	}
	log, err := s.openLog(t.state.Carried)
	if err != nil || before == 0 || before < log.from || before > t.state.Lock {
		t.compared.miss()
		return nil
	}
	for _, g := range log.groups {
		if g.lock >= before {
			t.compared.add(g.version, g.objects...)
		}
	}
	return nil
}

// olderThan are the rows that others compared since the pass began to read, as they
// were before a version.
func (s *shareSync) olderThan(ctx context.Context, version int64, began moment) ([]int64, error) {
	t := s.target
	if err := t.enter(ctx); err != nil {
		return nil, err
	}
	defer t.leave()
	if err := s.use(ctx, t.stream); err != nil {
		return nil, err
	}
	rows, _ := t.compared.older(version, began)
	return rows, nil
}

// checkOlder returns errOutdated where what others published since the pass began to
// read is older than a version, or may be.
func (s *shareSync) checkOlder(version int64, began moment) error {
	rows, others := s.target.compared.older(version, began)
	if len(rows) > 0 || others || s.target.compared.missedSince(began) {
		return errOutdated
	}
	return nil
}

// shared tells whether other processes may be at work on the share.
func (s *shareSync) shared() bool { return s.relay.Inbox.Shared() }

// carryCompared has the next status tell other processes that objects were compared
// as they were at a version. It must be the share's turn.
func (s *shareSync) carryCompared(version int64, objects ...int64) error {
	if !s.shared() || len(objects) == 0 {
		return nil
	}
	t := s.target
	log, err := s.openLog(t.state.Carried)
	if err != nil { // there was none, or it is not ours
		log = comparedLog{from: t.writer.Lock()}
	}
	text, err := s.sealLog(log.with(comparedGroup{t.writer.Lock(), version, objects}))
	if err == nil {
		t.writer.Carry(text)
	}
	return err
}

// fence publishes a status that tells other processes that objects are compared as
// they are at a version. What those publish of older readings stands below it, or
// is refused.
func (s *shareSync) fence(ctx context.Context, version int64, objects ...int64) error {
	if err := s.target.enter(ctx); err != nil {
		return err
	}
	defer s.target.leave()
	return s.underLock(ctx, func() error {
		if err := s.carryCompared(version, objects...); err != nil {
			return err
		}
		return s.flushStatus(ctx, s.keptStatus())
	})
}

// overtaken tells whether something newer than a reading was published or compared:
// of the object, or of the whole sheet. Row is the one on which the object hangs, 0
// for a row.
func (s *shareSync) overtaken(seen *events.Seen, now events.Reading, row int64) bool {
	t := s.target
	compared := t.compared.version(now.ID)
	if now.Kind != events.KindRow {
		compared = t.compared.version(now.ID, childrenOf(row), everyChild)
	}
	return seen != nil && seen.Version > now.Version || t.state.CompleteTo() > now.Version || compared > now.Version
}

// wasOld tells whether a reading that is overtaken was so before the pass began:
// then Smartsheet gave an old answer. Else another pass was faster.
func (s *shareSync) wasOld(seen *events.Seen, now events.Reading) bool {
	return s.opened.CompleteTo() > now.Version || seen != nil && seen.Version > now.Version && seen.Sequence <= s.opened.Lock
}

// differs tells whether a reading shows something else than was last seen,
// whichever is newer.
func (s *shareSync) differs(seen *events.Seen, now events.Reading) (bool, error) {
	if seen != nil {
		now.Version = max(now.Version, seen.Version)
	}
	evs, err := s.share.Compare(seen, now)
	return len(evs) > 0, err
}
