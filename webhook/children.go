package webhook

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/smartsheet"
)

// maxLookups is how many rows, attachments and discussions are asked for one by
// one. Beyond that the sheet's lists are read.
const maxLookups = 20

// child is an attachment or a comment and the row it hangs on.
type child struct {
	row        int64
	attachment *smartsheet.Attachment
	comment    *smartsheet.Comment
}

// children is what was read of attachments and comments.
type children struct {
	version     int64
	at          time.Time
	whole       bool           // of the whole sheet
	rows        map[int64]bool // else: of these rows
	attachments map[int64]child
	comments    map[int64]child
	gone        map[int64]bool // ids that Smartsheet says are no more
}

// shared tells whether any share shows objects of the kind.
func (p *pass) shared(kind events.Kind) bool {
	return slices.ContainsFunc(p.runs, func(r *run) bool { return r.active() && r.share.Has(kind) })
}

// readChildren reads the attachments and comments that the hint tells of, and
// those of rows that came into view; with whole, all of the sheet.
func (p *pass) readChildren(ctx context.Context, whole bool) error {
	if !p.shared(events.KindAttachment) && !p.shared(events.KindComment) {
		return nil
	}
	c := &children{
		whole: whole, rows: map[int64]bool{}, gone: map[int64]bool{},
		attachments: map[int64]child{}, comments: map[int64]child{},
	}
	for _, r := range p.runs {
		maps.Copy(c.rows, r.appeared)
	}
	h := p.hint
	if !whole && len(c.rows)+len(h.Attachments)+len(h.Comments)+len(h.Discussions) == 0 {
		return nil
	}
	if len(c.rows)+len(h.Attachments)+len(h.Comments)+len(h.Discussions) > maxLookups {
		c.whole = true
	}
	// The version comes first: what is read after it is at least as new.
	var err error
	if c.version, err = p.client.SheetVersion(ctx, p.reg.SheetID); err != nil {
		return p.failed(err)
	}
	c.at = time.Now()
	if !c.whole {
		if err := p.findParents(ctx, c); err != nil {
			return err
		}
	}
	if err := p.list(ctx, c); err != nil {
		return err
	}
	p.each(func(r *run) error { return r.publishChildren(ctx, c) })
	return nil
}

// findParents asks on which rows the hinted objects hang: callbacks do not say.
func (p *pass) findParents(ctx context.Context, c *children) error {
	for _, id := range p.hint.Attachments {
		a, err := p.client.Attachment(ctx, p.reg.SheetID, id)
		if gone, err := p.isGone(err); err != nil {
			return err
		} else if gone {
			c.gone[id] = true
			continue
		}
		row, err := p.rowOf(ctx, a.ParentType, a.ParentID)
		if err != nil {
			return err
		}
		c.rows[row] = true
	}
	discussions := slices.Clone(p.hint.Discussions)
	for _, id := range p.hint.Comments {
		m, err := p.client.Comment(ctx, p.reg.SheetID, id)
		if gone, err := p.isGone(err); err != nil {
			return err
		} else if gone {
			c.gone[id] = true
			continue
		}
		discussions = append(discussions, m.DiscussionID)
	}
	slices.Sort(discussions)
	for _, id := range slices.Compact(discussions) {
		d, err := p.client.Discussion(ctx, p.reg.SheetID, id)
		if gone, err := p.isGone(err); err != nil {
			return err
		} else if gone { // with comments that nobody names
			c.whole = true
			return nil
		}
		if d.ParentType == smartsheet.ParentRow {
			c.rows[d.ParentID] = true
		}
	}
	delete(c.rows, 0)
	return nil
}

// isGone tells whether Smartsheet says that an object is no more.
func (p *pass) isGone(err error) (bool, error) {
	switch {
	case err == nil:
		return false, nil
	case smartsheet.Classify(err) == smartsheet.NotFound:
		return true, nil
	}
	return false, p.failed(err)
}

// rowOf returns the row that a parent is or hangs on, 0 for the sheet itself or
// what is gone.
func (p *pass) rowOf(ctx context.Context, parentType string, parent int64) (int64, error) {
	switch parentType {
	case smartsheet.ParentRow:
		return parent, nil
	case smartsheet.ParentComment:
		m, err := p.client.Comment(ctx, p.reg.SheetID, parent)
		if gone, err := p.isGone(err); gone || err != nil {
			return 0, err
		}
		d, err := p.client.Discussion(ctx, p.reg.SheetID, m.DiscussionID)
		if gone, err := p.isGone(err); gone || err != nil {
			return 0, err
		}
		if d.ParentType == smartsheet.ParentRow {
			return d.ParentID, nil
		}
	}
	return 0, nil
}

// list reads the lists of attachments and discussions: of the sheet, or of the
// rows.
func (p *pass) list(ctx context.Context, c *children) error {
	if c.whole {
		return p.collect(c, p.client.Discussions(ctx, p.reg.SheetID), p.client.Attachments(ctx, p.reg.SheetID), 0)
	}
	for _, row := range slices.Sorted(maps.Keys(c.rows)) {
		err := p.collect(c, p.client.RowDiscussions(ctx, p.reg.SheetID, row), p.client.RowAttachments(ctx, p.reg.SheetID, row), row)
		if smartsheet.Classify(err) == smartsheet.NotFound {
			p.readErr = nil // a row that is gone has none
		} else if err != nil {
			return err
		}
	}
	return nil
}

// collect takes over discussions and then attachments, which may hang on their
// comments. Row is the one whose lists these are, 0 for the sheet's.
func (p *pass) collect(c *children, discussions seq[smartsheet.Discussion], attachments seq[smartsheet.Attachment], row int64) error {
	rowOfComment := map[int64]int64{}
	for d, err := range discussions {
		if err != nil {
			return p.failed(err)
		}
		if d.ParentType != smartsheet.ParentRow && row == 0 {
			continue
		}
		on := d.ParentID
		if row != 0 {
			on = row
		}
		for _, m := range d.Comments {
			rowOfComment[m.ID] = on
			c.comments[m.ID] = child{row: on, comment: &m}
		}
	}
	if !p.shared(events.KindAttachment) {
		return nil
	}
	for a, err := range attachments {
		if err != nil {
			return p.failed(err)
		}
		on := row
		if row == 0 {
			switch a.ParentType {
			case smartsheet.ParentRow:
				on = a.ParentID
			case smartsheet.ParentComment:
				on = rowOfComment[a.ParentID]
			}
		}
		if on != 0 {
			c.attachments[a.ID] = child{row: on, attachment: &a}
		}
	}
	return nil
}

type seq[T any] = func(yield func(T, error) bool)

// publishChildren publishes what differs of what was read.
func (r *run) publishChildren(ctx context.Context, c *children) error {
	for _, k := range []struct {
		kind events.Kind
		read map[int64]child
	}{{events.KindAttachment, c.attachments}, {events.KindComment, c.comments}} {
		if !r.share.Has(k.kind) {
			continue
		}
		if err := r.publishKind(ctx, k.kind, k.read, c); err != nil {
			return err
		}
	}
	return r.writer.Flush(ctx)
}

func (r *run) publishKind(ctx context.Context, kind events.Kind, read map[int64]child, c *children) error {
	living, err := r.livingChildren(ctx, kind)
	if err != nil {
		return err
	}
	ids := slices.Collect(maps.Keys(read))
	for id, seen := range living {
		if _, found := read[id]; found {
			continue
		}
		row, _ := strconv.ParseInt(seen.RowID, 10, 64)
		if c.whole || c.gone[id] || c.rows[row] {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	for chunk := range slices.Chunk(ids, events.MaxBatch/2) {
		if err := r.publishChunk(ctx, kind, chunk, read, c); err != nil {
			return err
		}
	}
	return nil
}

// publishChunk compares some children. They are seen only while their row is.
func (r *run) publishChunk(ctx context.Context, kind events.Kind, ids []int64, read map[int64]child, c *children) error {
	sh := &r.share.Share
	var subjects []string
	for _, id := range ids {
		subjects = append(subjects, sh.SubjectOf(kind, id))
		if ch, ok := read[id]; ok {
			subjects = append(subjects, sh.SubjectOf(events.KindRow, ch.row))
		}
	}
	slices.Sort(subjects)
	last, err := r.last(ctx, slices.Compact(subjects))
	if err != nil {
		return err
	}
	readings := make([]events.Reading, 0, len(ids))
	for _, id := range ids {
		now := events.Reading{Kind: kind, ID: id, Version: c.version, Time: c.at, Reason: events.ReasonDeleted, Origin: r.origin}
		if ch, ok := read[id]; ok {
			if last[sh.SubjectOf(events.KindRow, ch.row)].Living() {
				now.Now = r.childObject(ch)
			} else {
				now.Reason = events.ReasonLeftView
			}
		}
		readings = append(readings, now)
	}
	if err := r.publishReadings(ctx, readings, last); err != nil {
		return err
	}
	return r.writer.Flush(ctx)
}

func (r *run) childObject(ch child) events.Object {
	if ch.attachment != nil {
		return r.view.Attachment(ch.attachment, ch.row)
	}
	return r.view.Comment(ch.comment, ch.row)
}

// livingChildren returns the attachments or comments that the partner sees.
func (r *run) livingChildren(ctx context.Context, kind events.Kind) (map[int64]*events.Seen, error) {
	all := map[int64]*events.Seen{}
	err := r.living(ctx, kind, ^uint64(0), func(chunk map[string]*events.Seen) error {
		for subject, seen := range chunk {
			if _, id, ok := events.ParseSubject(subject); ok {
				all[id] = seen
			}
		}
		return nil
	})
	return all, err
}
