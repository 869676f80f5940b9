package write

import (
	"fmt"
	"testing"
	"time"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/events/stream"
	"github.com/sheetbridge/sheetbridge/smartsheet"
)

// TestWriteIsAnsweredBeforeItLeavesTheQueue gives writes the times that they may have.
func TestWriteIsAnsweredBeforeItLeavesTheQueue(t *testing.T) {
	received := time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC)
	for asked, want := range map[time.Duration]time.Duration{
		time.Hour:                time.Hour,
		24*time.Hour - time.Hour: 24*time.Hour - time.Hour,
		24 * time.Hour:           24*time.Hour - answerBefore,
	} {
		j := newJob(nil, &stream.Write{Received: received, Data: fmt.Appendf(nil,
			`{"id":"one","op":"update","row":"7","expect":{"status":"Open"},"set":{"qty":4},"until":%q}`, received.Add(asked).Format(time.RFC3339))}, nil)
		if j.invalid != nil {
			t.Fatalf("%v: got %v, want a request", asked, j.invalid)
		}
		if got := j.request.Until.Sub(received); got != want {
			t.Errorf("%v: got until %v, want %v", asked, got, want)
		}
		e := &Engine{}
		if got := e.firstUntil(&sheetQueue{jobs: []*job{j}}).Sub(received); got != want {
			t.Errorf("%v: got %v for the queue, want %v", asked, got, want)
		}
	}
}

// TestRoundTakesWhatOneRequestCan has more writes wait than one request can make.
func TestRoundTakesWhatOneRequestCan(t *testing.T) {
	for op, test := range map[events.Op]struct {
		request string
		most    int
	}{
		events.OpCreate: {`{"id":"w-%d","op":"create","set":{"no":"N-%[1]d"}}`, smartsheet.MaxRowsPerWrite},
		events.OpUpdate: {`{"id":"w-%d","op":"update","row":"1%[1]d","expect":{"qty":1},"set":{"qty":2}}`, smartsheet.MaxRowsPerWrite},
		events.OpDelete: {`{"id":"w-%d","op":"delete","row":"1%[1]d","expect":{"qty":1}}`, smartsheet.MaxRowIDs},
	} {
		e, q := &Engine{}, &sheetQueue{}
		for i := range test.most + 1 {
			j := newJob(nil, &stream.Write{Partner: "acme", Sheet: "orders", Received: time.Now(), Data: fmt.Appendf(nil, test.request, i)}, nil)
			if j.invalid != nil {
				t.Fatalf("%s: got %v, want a request", op, j.invalid)
			}
			q.jobs = append(q.jobs, j)
		}
		for _, want := range []int{test.most, 1} {
			c := newCandidates(func(*job) bool { return false })
			picked := e.pick(t.Context(), q, c.take)
			if more := e.pick(t.Context(), q, c.take); len(picked) != want || more != nil {
				t.Errorf("%s: a round takes %d of %d writes and then %d, want %d and none", op, len(picked), len(q.jobs), len(more), want)
			}
			answered := map[*job]bool{}
			for _, j := range picked {
				answered[j] = true
			}
			e.endRound(q, answered)
		}
	}
}
