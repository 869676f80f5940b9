package relay_test

import (
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/webhook/webhooktest"
)

// TestCopyThatWasNotPurged publishes all of a share again, though the copy of the
// stream that answers has still what was purged: a purge has no sequence by which
// a copy could be told to lag.
func TestCopyThatWasNotPurged(t *testing.T) {
	t.Parallel()
	w := webhooktest.NewWorld(t, webhooktest.Options{})
	foreign := webhooktest.ForeignNATS(t, t.TempDir(), -1, 1<<20)
	w.AddExternal(t, "acme", foreign.ClientURL())
	request := withChildren()
	request.Sheet = "orders"
	w.Reg = w.Register("ops", w.Sheet.ID, request)
	_, _, err := w.Sim.As(w.Jane).Discuss(w.Sheet.ID, w.Sheet.Rows[0], "hello")
	webhooktest.Must(t, err)
	w.Settle()
	w.NewEvents()

	nc, err := nats.Connect(foreign.ClientURL())
	webhooktest.Must(t, err)
	t.Cleanup(nc.Close)
	purge := "$JS.API.STREAM.PURGE." + events.StreamName
	webhooktest.Must(t, foreign.GlobalAccount().AddMapping(purge, "held.purge"))
	purges := make(chan string, 10)
	_, err = nc.Subscribe("held.purge", func(m *nats.Msg) {
		purges <- string(m.Data)
		_ = m.Respond([]byte(`{"type":"io.nats.jetstream.api.v1.stream_purge_response","success":true,"purged":1}`))
	})
	webhooktest.Must(t, err)
	webhooktest.Must(t, nc.Flush())
	webhooktest.Must(t, w.Registrar.Resend(t.Context(), w.Reg.ID, "acme", "orders"))
	w.Settle()
	foreign.GlobalAccount().RemoveMapping(purge)
	for held := len(purges); held > 0; held-- {
		_, err := nc.Request(purge, []byte(<-purges), time.Second)
		webhooktest.Must(t, err)
	}
	w.WantNewEvents("published again", "row.created SO-1", "comment.created hello")
	if all := w.Stream("acme"); !strings.HasSuffix(all[0].Subject, ".schema") {
		t.Errorf("%d messages, the first of %s: nothing was purged", len(all), all[0].Subject)
	}
}
