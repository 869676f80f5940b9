package relay_test

import (
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/webhook/webhooktest"
)

// forge has the one to whom an account elsewhere belongs publish statuses of share
// orders all the time, one after the other, until stop returns.
func forge(t *testing.T, url, partner string) (stop func()) {
	t.Helper()
	nc, err := nats.Connect(url)
	webhooktest.Must(t, err)
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	webhooktest.Must(t, err)
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
	w := webhooktest.NewWorld(t, webhooktest.Options{})
	foreign := webhooktest.ForeignNATS(t, t.TempDir(), -1, 1<<20)
	w.AddPartner("acme")
	w.AddExternal(t, "bolt", foreign.ClientURL())
	w.Reg = w.Register("ops", w.Sheet.ID, webhooktest.Everything(), events.Request{Partner: "bolt", Columns: webhooktest.Columns("No", "Qty")})
	stop := forge(t, foreign.ClientURL(), "bolt")
	const edits = 10
	got := w.Requests(func() {
		for n := range edits {
			w.Edit(0, webhooktest.Cells{"Qty": 4 + n})
			w.Settle()
		}
	})
	stop()
	t.Logf("%d edits: %d requests", edits, len(got))
	if len(got) > 2*edits {
		t.Errorf("got %d requests for %d edits, want twice as many at most: %v", len(got), edits, got)
	}
	w.Check("acme")
	if got := webhooktest.Kinds(w.Stream("acme"), 0)["row.updated"]; got != edits {
		t.Errorf("the other partner was told of %d of %d edits", got, edits)
	}
}
