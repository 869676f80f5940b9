package stream_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/events/stream"
)

func TestHowAShareStands(t *testing.T) {
	at := time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC)
	before, after := at.Add(-time.Second), at.Add(time.Second)
	to := &events.CompleteTo{Version: 7, Time: before}
	schema := &events.SchemaData{Revision: 2}
	type stands struct {
		State  events.State
		Reason string
		To     *events.CompleteTo
	}
	for name, tc := range map[string]struct {
		state    *stream.State
		revision int64
		want     stands
	}{
		"nothing there": {&stream.State{}, 1, stands{"loading", "nothing was published yet", nil}},
		"no state":      {nil, 1, stands{"loading", "nothing was published yet", nil}},
		"no status yet": {&stream.State{Schema: schema, SchemaSeq: 1}, 2, stands{"loading", "nothing was published yet", nil}},
		"live": {
			&stream.State{Schema: schema, SchemaSeq: 1, Lock: 2, Status: &events.StatusData{State: "live", CompleteTo: to, NextBefore: &after}},
			2, stands{"live", "", to},
		},
		"suspended": {
			&stream.State{Schema: schema, SchemaSeq: 1, Lock: 2, Status: &events.StatusData{State: "suspended", Reason: "refused", CompleteTo: to, NextBefore: &after}},
			2, stands{"suspended", "refused", to},
		},
		"not renewed": {
			&stream.State{Schema: schema, SchemaSeq: 1, Lock: 2, Status: &events.StatusData{State: "live", CompleteTo: to, NextBefore: &before}},
			2, stands{"stale", "the status was not renewed in time; it was live", to},
		},
		"changed since": {
			&stream.State{Schema: schema, SchemaSeq: 1, Lock: 2, Status: &events.StatusData{State: "live", CompleteTo: to, NextBefore: &after}},
			3, stands{"loading", "the change was not published yet", nil},
		},
		"an earlier share of that name": {
			&stream.State{Schema: schema, SchemaSeq: 1, Lock: 2, Status: &events.StatusData{State: "ended", Reason: "the share was ended"}},
			1, stands{"loading", "nothing was published yet", nil},
		},
	} {
		var got stands
		got.State, got.Reason, got.To = tc.state.At(tc.revision, at)
		if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
