package stream

import (
	"context"
	"errors"
	"fmt"

	"github.com/sheetbridge/sheetbridge/events"
)

// comparedHeader is the header of a status with what its writer compared.
const comparedHeader = "Sheetbridge-Compared"

// ErrDropped says that statuses which are asked for are no longer in the stream,
// which keeps a limited number of them.
var ErrDropped = errors.New("older statuses are no longer in the stream")

// Compared returns what the statuses of a share carry for other writers
// ([Writer.AddCompared]), of those after one lock up to another, in their order.
// ErrLag says that a copy of the stream answered which has not come so far.
func (s *Stream) Compared(ctx context.Context, sh *events.Share, after, upTo uint64) ([]string, error) {
	request := struct {
		Batch   int    `json:"batch"`
		Bytes   int    `json:"max_bytes"`
		From    uint64 `json:"seq"`
		Subject string `json:"next_by_subj"`
	}{maxSubjects, maxAnswer, after, sh.SubjectStatus()}
	var texts []string
	var first, last uint64 // status that was read
	for last < upTo {
		_, err := s.directGet(ctx, request, request.Batch, func(m message) {
			if last = m.sequence; first == 0 {
				first = last
			}
			if m.compared != "" && last > after && last <= upTo {
				texts = append(texts, m.compared)
			}
		})
		if errors.Is(err, errNone) {
			return nil, ErrLag
		}
		if err != nil {
			return nil, fmt.Errorf("reading what others compared of share %s: %w", sh.Sheet, err)
		}
		if first != after { // where the lock is there, all that followed are
			return nil, ErrDropped
		}
		request.From = last + 1
	}
	return texts, nil
}
