package relay_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/smartsheet"
	"github.com/sheetbridge/sheetbridge/webhook/budget"
	"github.com/sheetbridge/sheetbridge/webhook/inbox"
	"github.com/sheetbridge/sheetbridge/webhook/webhooktest"
)

// TestEchoIsNotReadAgain gives the relay callbacks of changes that writes made, after
// their rows were read for that: they cost no request, unless something else may have
// changed the row as well.
func TestEchoIsNotReadAgain(t *testing.T) {
	w := webhooktest.NewWorld(t, webhooktest.Options{NoRelay: true}, events.Request{Partner: "acme", Columns: webhooktest.Columns("Status")})
	first, second := w.Sheet.Rows[0], w.Sheet.Rows[1]
	client, err := w.Access.Client(w.Registry.Owner("ops"), budget.Write)
	webhooktest.Must(t, err)
	made, err := client.UpdateRows(t.Context(), w.Sheet.ID, []smartsheet.RowWrite{
		{ID: first, Cells: []smartsheet.CellWrite{{ColumnID: w.Sheet.Columns["Status"], Value: "Done"}}},
	}, smartsheet.WriteOptions{ChangeAgent: "sheetbridge:acme:w-1"})
	webhooktest.Must(t, err)
	at := made.Rows[0].Row.ModifiedAt.Time
	handle := func(h *inbox.Hint) int {
		return len(w.Requests(func() { webhooktest.Must(t, w.Handle(context.WithoutCancel(t.Context()), h)) }))
	}
	callback := func(row int64, agent string, at time.Time) *inbox.Hint {
		return webhooktest.HintFor(w, fmt.Sprintf(`{"webhookId":1,"events":[{"objectType":"sheet","eventType":"updated","id":1},
			{"objectType":"row","eventType":"updated","id":%d,"changeAgent":%q,"timestamp":%q}]}`, row, agent, at.UTC().Format(time.RFC3339Nano)))
	}
	echo := callback(first, "sheetbridge:acme:w-1", at)
	own := &inbox.Hint{
		Registration: w.Reg.ID, Why: inbox.WhyCallback, ReceivedAt: time.Now(),
		Rows: map[int64]inbox.Row{first: {Writes: []inbox.Write{{Share: "acme/orders", ID: "w-1"}}}},
	}
	handle(&inbox.Hint{Registration: w.Reg.ID, Why: inbox.WhyShare, Whole: true, ReceivedAt: time.Now()})
	if handle(callback(first, "sheetbridge:acme:w-1", at)) == 0 {
		t.Error("a write of which nothing was read yet: got no request")
	}
	if handle(own) == 0 {
		t.Error("the write itself: got no request")
	}
	both := callback(first, "sheetbridge:acme:w-1", at)
	both.Merge(callback(first, "", at))
	for name, test := range map[string]struct {
		hint *inbox.Hint
		read bool
	}{
		"the echo":                         {echo, false},
		"the echo, within the same second": {callback(first, "sheetbridge:acme:w-1", at.Truncate(time.Second).Add(999*time.Millisecond)), false},
		"a later write":                    {callback(first, "sheetbridge:acme:w-2", at.Add(time.Second)), true},
		"a program":                        {callback(first, "erp", at), true},
		"a person":                         {callback(first, "", at), true},
		"the echo with a person's change":  {both, true},
		"another row":                      {callback(second, "sheetbridge:acme:w-1", at), true},
		"the write once more":              {own, true},
		"an admin":                         {&inbox.Hint{Registration: w.Reg.ID, Why: inbox.WhyAdmin, Rows: echo.Rows, ReceivedAt: time.Now()}, true},
	} {
		if got := handle(test.hint); (got > 0) != test.read {
			t.Errorf("%s: got %d requests, want any: %v", name, got, test.read)
		}
	}
}

// TestWriteHintIsAwaited gives the relay a callback that names two writes of one request
// before it has the hint that says which of them made the row. With that hint the event
// names the write; where it does not come, the event comes without.
func TestWriteHintIsAwaited(t *testing.T) {
	w := webhooktest.NewWorld(t, webhooktest.Options{NoRelay: true}, events.Request{Partner: "acme", Columns: webhooktest.Columns("Status")})
	handle := func(h *inbox.Hint) error { return w.Handle(context.WithoutCancel(t.Context()), h) }
	webhooktest.Must(t, handle(&inbox.Hint{Registration: w.Reg.ID, Why: inbox.WhyShare, Whole: true, ReceivedAt: time.Now()}))
	written := func(row int, agents ...string) *inbox.Hint {
		w.Edit(row, webhooktest.Cells{"Status": fmt.Sprint("by ", agents)})
		return webhooktest.HintFor(w, fmt.Sprintf(`{"webhookId":1,"events":[{"objectType":"row","eventType":"updated","id":%d,"changeAgent":%q,"timestamp":%q}]}`,
			w.Sheet.Rows[row], strings.Join(agents, ","), time.Now().UTC().Format(time.RFC3339Nano)))
	}
	type event struct {
		Origin      events.Origin
		Write       string
		ChangeAgent []string
	}
	last := func() event {
		var e struct{ Data event }
		for _, m := range w.Stream("acme") {
			if strings.HasPrefix(m.Type, "sheetbridge.row.") {
				e.Data = event{}
				webhooktest.Must(t, json.Unmarshal(m.Raw, &e))
			}
		}
		return e.Data
	}

	both := written(0, "sheetbridge:acme:w-1", "sheetbridge:acme:w-2")
	before := webhooktest.Last(w.Stream("acme"))
	var early *inbox.TooEarlyError
	if err := handle(both); !errors.As(err, &early) || !maps.EqualFunc(early.Rest.Rows, both.Rows, func(a, b inbox.Row) bool { return reflect.DeepEqual(a, b) }) {
		t.Errorf("the callback alone: got %v, want that it is too early", err)
	}
	if webhooktest.Last(w.Stream("acme")) != before {
		t.Error("the callback alone: an event was published")
	}
	both.Merge(&inbox.Hint{
		Registration: w.Reg.ID, Why: inbox.WhyCallback, ReceivedAt: time.Now(),
		Rows: map[int64]inbox.Row{w.Sheet.Rows[0]: {Writes: []inbox.Write{{Share: "acme/orders", ID: "w-2"}}}},
	})
	webhooktest.Must(t, handle(both))
	if got := last(); got.Origin != events.OriginWrite || got.Write != "w-2" {
		t.Errorf("with the hint: got %+v, want write w-2", got)
	}

	alone := written(1, "sheetbridge:acme:w-3", "sheetbridge:acme:w-4")
	alone.ReceivedAt = alone.ReceivedAt.Add(-2 * time.Second)
	webhooktest.Must(t, handle(alone))
	if got := last(); got.Origin != events.OriginCallback || got.Write != "" {
		t.Errorf("the hint does not come: got %+v, want a callback's", got)
	}
	ahead := written(0, "sheetbridge:acme:w-5", "sheetbridge:acme:w-6")
	ahead.ReceivedAt = ahead.ReceivedAt.Add(time.Hour)
	if err := handle(ahead); err != nil {
		t.Errorf("received by a clock that is ahead: got %v, want no waiting", err)
	}

	// Another row of the same callback does not wait, nor does one whose deletion was read.
	mixed := written(1, "sheetbridge:acme:w-7", "sheetbridge:acme:w-8")
	mixed.Merge(written(0, "erp"))
	if err := handle(mixed); !errors.As(err, &early) || len(early.Rest.Rows) != 1 {
		t.Errorf("with another row: got %v, want one row left", err)
	}
	if got := last(); len(got.ChangeAgent) != 1 || got.ChangeAgent[0] != "erp" {
		t.Errorf("the other row: got %+v, want the change by erp", got)
	}
	deleted := written(1, "sheetbridge:acme:w-9", "sheetbridge:acme:w-10")
	webhooktest.Must(t, w.Sim.As(w.Jane).DeleteRows(w.Sheet.ID, w.Sheet.Rows[1]))
	webhooktest.Must(t, handle(&inbox.Hint{
		Registration: w.Reg.ID, Why: inbox.WhyCallback, ReceivedAt: time.Now(),
		Rows: map[int64]inbox.Row{w.Sheet.Rows[1]: {Writes: []inbox.Write{{Share: "acme/orders", ID: "w-9"}}}},
	}))
	if err := handle(deleted); err != nil {
		t.Errorf("a row whose deletion was read: got %v, want no waiting", err)
	}
}
