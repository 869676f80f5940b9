package relay_test

import (
	"context"
	"fmt"
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
