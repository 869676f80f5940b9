package stream

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/sheetbridge/sheetbridge/events"
)

// ChildSubjects returns the subjects of the share whose last message is about a row
// without being the row's own: attachments and comments that hang on it, or did, and
// answers to writes of it.
func (s *Stream) ChildSubjects(ctx context.Context, sh *events.Share, row string) ([]string, error) {
	var found []string
	for _, kind := range []events.Kind{events.KindAttachment, events.KindComment, "write"} {
		subjects, err := s.Subjects(ctx, sh.SubjectKind(kind))
		if err != nil {
			return nil, err
		}
		for chunk := range slices.Chunk(subjects, maxSubjects) {
			msgs, err := s.lastMessages(ctx, chunk, 0)
			if err != nil {
				return nil, fmt.Errorf("looking for what hangs on a row of share %s: %w", sh.Sheet, err)
			}
			for subject, m := range msgs {
				if about(m.data, row) {
					found = append(found, subject)
				}
			}
		}
	}
	return found, nil
}

// about tells whether a message is about the row. One that cannot be read is about
// no row.
func about(message []byte, row string) bool {
	type object struct {
		RowID string `json:"rowId"`
	}
	var e struct {
		Data struct {
			Row    json.RawMessage `json:"row"`
			Before *object         `json:"before"`
			After  *object         `json:"after"`
		} `json:"data"`
	}
	if json.Unmarshal(message, &e) != nil {
		return false
	}
	for _, o := range []*object{e.Data.Before, e.Data.After} {
		if o != nil && o.RowID == row {
			return true
		}
	}
	return string(e.Data.Row) == `"`+row+`"` // of an answer to a write
}
