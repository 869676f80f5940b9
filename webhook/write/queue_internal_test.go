package write

import (
	"fmt"
	"testing"
	"time"

	"github.com/sheetbridge/sheetbridge/events/stream"
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
