package relay

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"

	"github.com/sheetbridge/sheetbridge/events/stream"
)

// errMissed says that it cannot be known what was compared by others since a
// reading began, so that the reading may be older.
var errMissed = errors.New("others have compared the share with newer readings, perhaps")

// comparedRows are rows of a share that were compared since passes of this process
// began which are still at work: by which version of the sheet. What such a pass
// read of the same rows may be older though nothing newer was published, because a
// row was changed and changed back. Other processes tell of theirs in the statuses
// that they publish.
type comparedRows struct {
	mu     sync.Mutex
	passes int                   // that are at work
	rows   map[int64]comparedRow // nil: no pass is
	count  int                   // of comparisons
	missed int                   // how often it could not be known what others compared
}

type comparedRow struct {
	version int64 // highest of the sheet
	at      int   // count of the last comparison
}

// moment is when a pass began to read, as comparedRows counts.
type moment struct{ count, missed int }

// begin has comparisons noted until end.
func (c *comparedRows) begin() moment {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.passes++; c.rows == nil {
		c.rows = map[int64]comparedRow{}
	}
	return moment{c.count, c.missed}
}

func (c *comparedRows) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.passes--; c.passes == 0 {
		c.rows = nil
	}
}

// add notes that rows were compared as they were at a version.
func (c *comparedRows) add(version int64, rows []int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.rows == nil {
		return
	}
	c.count++
	for _, id := range rows {
		c.rows[id] = comparedRow{max(c.rows[id].version, version), c.count}
	}
}

// miss notes that others compared rows of which nothing is known.
func (c *comparedRows) miss() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.missed++
}

// version is the highest at which a row was compared, 0 where that is not known.
func (c *comparedRows) version(row int64) int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.rows[row].version
}

// missedSince tells whether miss was called since a moment.
func (c *comparedRows) missedSince(m moment) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.missed != m.missed
}

// older are the rows that were compared since a moment as they were before a
// version, and not at it or later.
func (c *comparedRows) older(version int64, since moment) []int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	var rows []int64
	for id, row := range c.rows {
		if row.at > since.count && row.version < version {
			rows = append(rows, id)
		}
	}
	return rows
}

// olderThan are the rows that were compared since the pass began to read, as they
// were before a version.
func (s *shareSync) olderThan(ctx context.Context, version int64) ([]int64, error) {
	t := s.target
	if err := t.enter(ctx); err != nil {
		return nil, err
	}
	defer t.leave()
	if err := s.use(ctx, t.stream); err != nil {
		return nil, err
	}
	return t.compared.older(version, s.reading), nil
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
	if t.state.Lock == before || !t.compared.wanted() {
		return nil
	}
	err := s.takeCompared(ctx, before)
	if errors.Is(err, stream.ErrDropped) {
		t.compared.miss()
		return nil
	}
	return err
}

// wanted tells whether a pass is at work.
func (c *comparedRows) wanted() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.rows != nil
}

// takeCompared reads what others compared since a lock was the share's.
func (s *shareSync) takeCompared(ctx context.Context, since uint64) error {
	t := s.target
	if since == 0 || since > t.state.Lock {
		return stream.ErrDropped
	}
	texts, err := t.stream.Compared(ctx, &s.share.Share, since, t.state.Lock)
	if err != nil {
		return err
	}
	for _, text := range texts {
		version, rows, err := s.openCompared(text)
		if err != nil {
			t.compared.miss() // somebody else's, or damaged
			continue
		}
		t.compared.add(version, rows)
	}
	return nil
}

// comparedPadding is to how many rows the list in a status is filled up: how many
// were changed that a partner does not see is not the partner's business.
const comparedPadding = 32

// sealCompared is what a status says of rows that were compared, which only the
// bridge can read: rows that the partner must not know of are among them.
func (s *shareSync) sealCompared(version int64, rows []int64) (string, error) {
	size := (len(rows) + comparedPadding - 1) / comparedPadding * comparedPadding
	list := make([]byte, 8*(1+size))
	binary.BigEndian.PutUint64(list, uint64(version))
	for i, id := range rows {
		binary.BigEndian.PutUint64(list[8*(i+1):], uint64(id))
	}
	sealed, err := s.relay.Registry.Sealer().Seal(list, s.comparedName())
	if err != nil {
		return "", fmt.Errorf("sealing what was compared of share %s: %w", s.share.Key(), err)
	}
	return base64.RawStdEncoding.EncodeToString(sealed), nil
}

func (s *shareSync) openCompared(text string) (version int64, rows []int64, err error) {
	sealed, err := base64.RawStdEncoding.DecodeString(text)
	if err != nil {
		return 0, nil, err
	}
	list, err := s.relay.Registry.Sealer().Open(sealed, s.comparedName())
	if err != nil {
		return 0, nil, err
	}
	if len(list) == 0 || len(list)%8 != 0 {
		return 0, nil, errMissed
	}
	version = int64(binary.BigEndian.Uint64(list))
	for list = list[8:]; len(list) > 0; list = list[8:] {
		if id := int64(binary.BigEndian.Uint64(list)); id != 0 {
			rows = append(rows, id)
		}
	}
	return version, rows, nil
}

func (s *shareSync) comparedName() string { return "compared/" + s.share.Key() }
