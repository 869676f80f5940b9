package relay

import (
	"context"
	"maps"
	"slices"
	"strconv"

	"github.com/sheetbridge/sheetbridge/events"
)

// applyChildren publishes what differs of what was read.
func (s *shareSync) applyChildren(ctx context.Context, c *children) (found findings, err error) {
	if !s.share.Has(events.KindAttachment) && !s.share.Has(events.KindComment) {
		return found, nil
	}
	if s.shared() { // before it is looked at what the partner sees
		if err := s.fence(ctx, c.version, c.compared()...); err != nil {
			return found, err
		}
	}
	for _, k := range []struct {
		kind events.Kind
		read map[int64]child
	}{{events.KindAttachment, c.attachments}, {events.KindComment, c.comments}} {
		if !s.share.Has(k.kind) {
			continue
		}
		of, err := s.applyKind(ctx, k.kind, k.read, c)
		if found.add(of); err != nil {
			return found, err
		}
	}
	return found, nil
}

func (s *shareSync) applyKind(ctx context.Context, kind events.Kind, read map[int64]child, c *children) (found findings, err error) {
	if err := s.target.enter(ctx); err != nil {
		return found, err
	}
	defer s.target.leave()
	ids := slices.Collect(maps.Keys(read))
	err = s.living(ctx, kind, everywhere, func(chunk map[string]*events.Seen) error {
		for subject, seen := range chunk {
			_, id, ok := events.ParseSubject(subject)
			if _, exists := read[id]; !ok || exists {
				continue
			}
			if c.whole || c.gone[id] || c.rows[parseID(seen.RowID)] {
				ids = append(ids, id)
			}
		}
		return nil
	})
	if err != nil {
		return found, err
	}
	slices.Sort(ids)
	for chunk := range slices.Chunk(ids, rowsAtOnce/2) {
		compare := func() (comparison, error) { return s.compareChildren(ctx, kind, chunk, read, c) }
		of, _, err := s.publishDifference(ctx, compare, c.version)
		if found.add(of); err != nil {
			return found, err
		}
	}
	s.target.compared.add(c.version, c.compared()...)
	return found, nil
}

// compared is what is compared with what was read.
func (c *children) compared() []int64 {
	if c.whole {
		return []int64{everyChild}
	}
	objects := slices.Collect(maps.Keys(c.gone))
	for row := range c.rows {
		objects = append(objects, childrenOf(row))
	}
	return objects
}

// compareChildren compares some children. They are seen only while their row is.
func (s *shareSync) compareChildren(ctx context.Context, kind events.Kind, ids []int64, read map[int64]child, c *children) (comparison, error) {
	sh := &s.share.Share
	var subjects []string
	for _, id := range ids {
		subjects = append(subjects, sh.SubjectOf(kind, id))
		if ch, ok := read[id]; ok {
			subjects = append(subjects, sh.SubjectOf(events.KindRow, ch.row))
		}
	}
	slices.Sort(subjects)
	last, err := s.last(ctx, slices.Compact(subjects))
	if err != nil {
		return comparison{}, err
	}
	readings, rowOf := make([]events.Reading, 0, len(ids)), make(map[int64]int64, len(ids))
	for _, id := range ids {
		now := events.Reading{Kind: kind, ID: id, Version: c.version, Time: c.at, Reason: events.ReasonDeleted, Origin: s.origin()}
		if seen := last[sh.SubjectOf(kind, id)]; seen != nil {
			rowOf[id] = parseID(seen.RowID)
		}
		if ch, ok := read[id]; ok {
			rowOf[id] = ch.row
			row := last[sh.SubjectOf(events.KindRow, ch.row)]
			if row.Living() && row.Sequence >= s.resetBelow { // else it may be one that the share does not show any more
				now.Now = s.childObject(ch)
			} else {
				now.Reason = events.ReasonLeftView
			}
		}
		readings = append(readings, now)
	}
	return s.compareWith(ctx, c.began, readings, last, rowOf)
}

func (s *shareSync) childObject(ch child) events.Object {
	if ch.attachment != nil {
		return s.view.Attachment(ch.attachment, ch.row)
	}
	return s.view.Comment(ch.comment, ch.row)
}

// parseID is an id as a number, 0 for what is none.
func parseID(id string) int64 {
	n, _ := strconv.ParseInt(id, 10, 64)
	return n
}

// childrenOf returns the events that take away what hangs on rows that leave.
func (s *shareSync) childrenOf(ctx context.Context, removed map[int64]events.Reading) (map[int64][]events.Event, error) {
	gone := map[int64][]events.Event{}
	if len(removed) == 0 {
		return gone, nil
	}
	for _, kind := range []events.Kind{events.KindComment, events.KindAttachment} {
		if !s.share.Has(kind) {
			continue
		}
		byRow, err := s.childrenByRow(ctx, kind)
		if err != nil {
			return nil, err
		}
		if err := s.removeChildren(ctx, kind, byRow, removed, gone); err != nil {
			return nil, err
		}
	}
	return gone, nil
}

func (s *shareSync) removeChildren(ctx context.Context, kind events.Kind, byRow map[int64][]int64, removed map[int64]events.Reading, gone map[int64][]events.Event) error {
	var subjects []string
	for row := range removed {
		for _, id := range byRow[row] {
			subjects = append(subjects, s.share.SubjectOf(kind, id))
		}
	}
	if len(subjects) == 0 {
		return nil
	}
	last, err := s.last(ctx, subjects)
	if err != nil {
		return err
	}
	for row, left := range removed {
		for _, id := range byRow[row] {
			seen := last[s.share.SubjectOf(kind, id)]
			if !seen.Living() {
				continue
			}
			evs, err := s.difference(seen, events.Reading{
				Kind: kind, ID: id, Version: max(left.Version, seen.Version), Time: left.Time, Reason: left.Reason, Origin: left.Origin,
			})
			if err != nil {
				return err
			}
			gone[row] = append(gone[row], evs...)
		}
	}
	return nil
}

// childrenByRow returns the ids of what the partner sees on each row. They are
// looked for once in a pass, when the first row leaves: all rows are published
// before anything comes to hang on one.
func (s *shareSync) childrenByRow(ctx context.Context, kind events.Kind) (map[int64][]int64, error) {
	if known, ok := s.children[kind]; ok {
		return known, nil
	}
	byRow := map[int64][]int64{}
	err := s.living(ctx, kind, everywhere, func(chunk map[string]*events.Seen) error {
		for _, subject := range slices.Sorted(maps.Keys(chunk)) {
			if _, id, ok := events.ParseSubject(subject); ok {
				row := parseID(chunk[subject].RowID)
				byRow[row] = append(byRow[row], id)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if s.children == nil {
		s.children = map[events.Kind]map[int64][]int64{}
	}
	s.children[kind] = byRow
	return byRow, nil
}
