package webhook_test

import (
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/sheetbridge/sheetbridge/events"
)

// forge has the one to whom an account elsewhere belongs publish statuses of share
// orders all the time, one after the other, until stop returns.
func forge(t *testing.T, url, partner string) (stop func()) {
	t.Helper()
	nc, err := nats.Connect(url)
	must(t, err)
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	must(t, err)
	end, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-end:
				return
			default:
			}
			if _, err := js.Publish(t.Context(), "smartsheet."+partner+".orders.status", []byte(`{"data":{"state":"live"}}`)); err != nil {
				t.Errorf("forging: %v", err)
				return
			}
		}
	}()
	return func() { close(end); <-ended }
}

// TestForgerCostsFewRequests: a partner whose account is elsewhere forges the status
// of its share without end. So it looks as if the share was not loaded, and the lock
// is lost again and again. Edits cost the owner's token hardly more than without
// that, and the other partner is told of each.
func TestForgerCostsFewRequests(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	foreign := foreignNATS(t, t.TempDir(), -1, 1<<20)
	w.addPartner("acme")
	w.addExternal(t, "bolt", foreign.ClientURL())
	w.reg = w.register("ops", w.sheet.ID, everything(), events.Request{Partner: "bolt", Columns: columns("No", "Qty")})
	stop := forge(t, foreign.ClientURL(), "bolt")
	const edits = 10
	got := w.requests(func() {
		for n := range edits {
			w.edit(0, cells{"Qty": 4 + n})
			w.settle()
		}
	})
	stop()
	t.Logf("%d edits: %d requests", edits, len(got))
	if len(got) > 2*edits {
		t.Errorf("got %d requests for %d edits, want twice as many at most: %v", len(got), edits, got)
	}
	w.check("acme")
	if got := kinds(w.stream("acme"), 0)["row.updated"]; got != edits {
		t.Errorf("the other partner was told of %d of %d edits", got, edits)
	}
}
