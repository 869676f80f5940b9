package relay

import (
	"context"
	"iter"
	"maps"
	"slices"
	"time"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/smartsheet"
	"github.com/sheetbridge/sheetbridge/webhook/inbox"
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
	began       moment         // when the pass began to read
	whole       bool           // of the whole sheet
	rows        map[int64]bool // else: of these rows
	attachments map[int64]child
	comments    map[int64]child
	gone        map[int64]bool // ids that Smartsheet says are no more
}

// readChildren reads the attachments and comments that the hint names, and those
// of rows that came into view, and publishes what differs; where rows are nil, all of
// the sheet.
func (r *Relay) readChildren(ctx context.Context, p *plan, rd *reader, shares []*shareSync, rows map[int64]bool) (outcomes, error) {
	attachments, comments := anyHas(shares, events.KindAttachment), anyHas(shares, events.KindComment)
	if !attachments && !comments {
		return nil, nil
	}
	c, err := rd.children(ctx, p.hint, rows, attachments)
	if c == nil || err != nil {
		return nil, err
	}
	shown, all := each(ctx, shares, pagePatience, func(ctx context.Context, s *shareSync) (findings, error) { return s.applyChildren(ctx, c) })
	all.addFindings(shown)
	return all, nil
}

// anyHas tells whether any of the shares shows objects of the kind.
func anyHas(shares []*shareSync, kind events.Kind) bool {
	return slices.ContainsFunc(shares, func(s *shareSync) bool { return s.share.Has(kind) })
}

// children reads attachments and comments: of the objects that a hint names, of
// rows, or, where rows are nil, of the whole sheet. It is nil where there is nothing to
// read.
func (rd *reader) children(ctx context.Context, h *inbox.Hint, rows map[int64]bool, attachments bool) (*children, error) {
	whole := rows == nil
	lookups := len(rows) + len(h.Attachments) + len(h.Comments) + len(h.Discussions)
	if !whole && lookups == 0 {
		return nil, nil
	}
	c := &children{
		whole: whole || lookups > maxLookups, rows: rows, gone: map[int64]bool{},
		attachments: map[int64]child{}, comments: map[int64]child{}, at: time.Now(), began: rd.began,
	}
	// The version comes first: what is read after it is at least as new.
	var err error
	if c.version, err = rd.sheetVersion(ctx); err != nil {
		return nil, err
	}
	if !c.whole {
		if err := rd.findParents(ctx, h, c); err != nil {
			return nil, err
		}
	}
	return c, rd.list(ctx, c, attachments)
}

// findParents asks on which rows the hinted objects hang: callbacks do not say.
func (rd *reader) findParents(ctx context.Context, h *inbox.Hint, c *children) error {
	for _, id := range h.Attachments {
		a, err := rd.client.Attachment(ctx, rd.sheetID, id)
		if gone, err := isGone(err); err != nil {
			return err
		} else if gone {
			c.gone[id] = true
			continue
		}
		row, err := rd.rowOf(ctx, a.ParentType, a.ParentID)
		if err != nil {
			return err
		}
		c.rows[row] = true
	}
	discussions := slices.Clone(h.Discussions)
	for _, id := range h.Comments {
		m, err := rd.client.Comment(ctx, rd.sheetID, id)
		if gone, err := isGone(err); err != nil {
			return err
		} else if gone {
			c.gone[id] = true
			continue
		}
		discussions = append(discussions, m.DiscussionID)
	}
	slices.Sort(discussions)
	for _, id := range slices.Compact(discussions) {
		d, err := rd.client.Discussion(ctx, rd.sheetID, id)
		if gone, err := isGone(err); err != nil {
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
func isGone(err error) (bool, error) {
	if smartsheet.Classify(err) == smartsheet.NotFound {
		return true, nil
	}
	return false, err
}

// rowOf returns the row that a parent is or hangs on, 0 for the sheet itself or
// what is gone.
func (rd *reader) rowOf(ctx context.Context, parentType string, parent int64) (int64, error) {
	switch parentType {
	case smartsheet.ParentRow:
		return parent, nil
	case smartsheet.ParentComment:
		m, err := rd.client.Comment(ctx, rd.sheetID, parent)
		if gone, err := isGone(err); gone || err != nil {
			return 0, err
		}
		d, err := rd.client.Discussion(ctx, rd.sheetID, m.DiscussionID)
		if gone, err := isGone(err); gone || err != nil {
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
func (rd *reader) list(ctx context.Context, c *children, attachments bool) error {
	if c.whole {
		return rd.collect(c, 0, rd.client.Discussions(ctx, rd.sheetID), rd.client.Attachments(ctx, rd.sheetID), attachments)
	}
	for _, row := range slices.Sorted(maps.Keys(c.rows)) {
		err := rd.collect(c, row, rd.client.RowDiscussions(ctx, rd.sheetID, row), rd.client.RowAttachments(ctx, rd.sheetID, row), attachments)
		if _, err := isGone(err); err != nil { // a row that is gone has none
			return err
		}
	}
	return nil
}

// collect takes over discussions and then attachments, which may hang on their
// comments. Row is the one whose lists these are, 0 for the sheet's.
func (rd *reader) collect(c *children, row int64, discussions iter.Seq2[smartsheet.Discussion, error], attachments iter.Seq2[smartsheet.Attachment, error], withAttachments bool) error {
	rowOfComment := map[int64]int64{}
	for d, err := range discussions {
		if err != nil {
			return err
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
	if !withAttachments {
		return nil
	}
	for a, err := range attachments {
		if err != nil {
			return err
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
