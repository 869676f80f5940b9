package smartsheettest

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// Snapshot is a sheet at one moment.
type Snapshot struct {
	ID          int64
	Name        string
	Version     int64
	Columns     []Column
	Rows        []SnapshotRow // in the order shown
	Attachments []SnapshotAttachment
	Comments    []SnapshotComment
}

// SnapshotRow is a row of a Snapshot.
type SnapshotRow struct {
	ID, ParentID          int64
	Number                int
	CreatedAt, ModifiedAt time.Time
	Cells                 map[int64]any // by column id; empty cells are left out
}

// SnapshotAttachment is an attachment of a Snapshot. RowID is the id of the row
// it hangs on, be it by a comment; zero for the sheet itself.
type SnapshotAttachment struct {
	ID, RowID int64
	Name      string
	Kind      string // attachmentType
	CreatedAt time.Time
}

// SnapshotComment is a comment of a Snapshot. RowID is zero on the sheet itself.
type SnapshotComment struct {
	ID, DiscussionID, RowID int64
	Text                    string
	CreatedAt               time.Time
	CreatedBy               string // e-mail address
}

// Snapshot returns a sheet as it is, all of it; ok is false if there
// is none such or it is deleted.
func (s *Server) Snapshot(sheetID int64) (snap Snapshot, ok bool) {
	s.lock()
	defer s.mu.Unlock()
	sh := s.sheets[sheetID]
	if sh == nil || sh.deleted {
		return Snapshot{}, false
	}
	snap = Snapshot{ID: sh.id, Name: sh.name, Version: sh.version}
	for _, col := range sh.columns {
		c := *col
		c.Options = slices.Clone(col.Options)
		snap.Columns = append(snap.Columns, c)
	}
	for _, r := range sh.rows {
		snap.Rows = append(snap.Rows, s.snapshotRow(sh, r))
	}
	for _, a := range sh.attachments {
		out := SnapshotAttachment{ID: a.id, Name: a.name, Kind: a.kind, CreatedAt: a.created}
		if a.parentType == "ROW" {
			out.RowID = a.parentID
		} else if d := sh.discussionOfComment(a); d != nil {
			out.RowID = d.row
		}
		snap.Attachments = append(snap.Attachments, out)
	}
	for _, d := range sh.discussions {
		for _, on := range d.comments {
			snap.Comments = append(snap.Comments, SnapshotComment{
				ID: on.id, DiscussionID: d.id, RowID: d.row, Text: on.text, CreatedAt: on.created, CreatedBy: s.users[on.by].Email,
			})
		}
	}
	return snap, true
}

func (s *Server) snapshotRow(sh *sheet, r *row) SnapshotRow {
	out := SnapshotRow{ID: r.id, Number: r.index + 1, CreatedAt: r.created, ModifiedAt: r.modified, Cells: map[int64]any{}}
	if r.parent != nil {
		out.ParentID = r.parent.id
	}
	for _, col := range sh.columns {
		if value := s.content(r, col); value != nil {
			out.Cells[col.ID] = value
		}
	}
	return out
}

// SetCellSilently changes a cell as a recalculation does: no event, no new
// version of the sheet, no new modifiedAt of the row. The value is one that
// cells hold, taken as it is.
func (s *Server) SetCellSilently(sheetID, rowID int64, title string, value any) error {
	s.lock()
	defer s.mu.Unlock()
	sh := s.sheets[sheetID]
	if sh == nil || sh.byID[rowID] == nil || sh.columnByTitle(title) == nil {
		return fmt.Errorf("setting a cell of sheet %d: %w", sheetID, errNotFound())
	}
	r, id := sh.byID[rowID], sh.columnByTitle(title).ID
	if r.cells[id] == nil {
		r.cells[id] = &cell{}
	}
	switch v := value.(type) {
	case int, int32, int64, float32, float64:
		value = json.Number(jsonText(v))
	case string:
		if v == "" {
			value = nil
		}
	}
	r.cells[id].value = value
	return nil
}
