package webhooktest

import (
	"encoding/json"
	"time"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/smartsheet"
	"github.com/sheetbridge/sheetbridge/smartsheet/smartsheettest"
)

// restRow is a row of a snapshot as the API gives it, with the types of its
// columns. Plain values and the types of the tests are enough.
func restRow(snap smartsheettest.Snapshot, r smartsheettest.SnapshotRow) (smartsheet.Row, map[int64]smartsheet.ColumnType) {
	row := smartsheet.Row{ID: r.ID, RowNumber: r.Number, ParentID: r.ParentID}
	types := map[int64]smartsheet.ColumnType{}
	for _, col := range snap.Columns {
		types[col.ID] = smartsheet.ColumnType(col.Type)
		if col.Type == "" {
			types[col.ID] = smartsheet.TextNumber
		}
		cell := smartsheet.Cell{ColumnID: col.ID}
		if v, ok := r.Cells[col.ID]; ok {
			cell.Value, cell.ObjectValue = restValue(v)
		}
		row.Cells = append(row.Cells, cell)
	}
	return row, types
}

func restValue(v any) (value, object json.RawMessage) {
	switch v := v.(type) {
	case smartsheettest.Contact:
		value, _ = json.Marshal(v.Email)
		object, _ = json.Marshal(map[string]string{"objectType": "CONTACT", "email": v.Email, "name": v.Name})
		return value, object
	case []string:
		object, _ = json.Marshal(map[string]any{"objectType": "MULTI_PICKLIST", "values": v})
		return nil, object
	case smartsheettest.DateTime:
		v2 := time.Time(v).UTC().Format("2006-01-02T15:04:05Z")
		value, _ = json.Marshal(v2)
		return value, nil
	}
	value, _ = json.Marshal(v)
	return value, nil
}

// wantChildren is what a share must show of attachments and comments on the
// rows that it shows.
func wantChildren(s *events.Share, view *events.View, snap smartsheettest.Snapshot, rows map[int64]bool) map[string]string {
	want := map[string]string{}
	for _, a := range snap.Attachments {
		if s.Has(events.KindAttachment) && rows[a.RowID] {
			object := view.Attachment(&smartsheet.Attachment{Name: a.Name, AttachmentType: a.Kind, CreatedAt: second(a.CreatedAt)}, a.RowID)
			want[s.SubjectOf(events.KindAttachment, a.ID)] = describe(events.KindAttachment, object, "")
		}
	}
	for _, c := range snap.Comments {
		if s.Has(events.KindComment) && rows[c.RowID] {
			author := smartsheet.Actor{Email: c.CreatedBy, Name: nameOf[c.CreatedBy]}
			object := view.Comment(&smartsheet.Comment{Text: c.Text, CreatedAt: second(c.CreatedAt), CreatedBy: &author}, c.RowID)
			want[s.SubjectOf(events.KindComment, c.ID)] = describe(events.KindComment, object, "")
		}
	}
	return want
}

// nameOf are the names of the users in these tests, which snapshots leave out.
var nameOf = map[string]string{"jane@a.example": "Jane Doe", "joe@a.example": "Joe Roe"}

func second(t time.Time) smartsheet.Time { return smartsheet.Time{Time: t.Truncate(time.Second)} }
