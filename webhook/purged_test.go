package webhook_test

import (
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/sheetbridge/sheetbridge/events"
)

// TestCopyThatWasNotPurged publishes all of a share again, though the copy of the
// stream that answers has still what was purged: a purge has no sequence by which
// a copy could be told to lag.
func TestCopyThatWasNotPurged(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	foreign := foreignNATS(t, t.TempDir(), -1, 1<<20)
	w.addExternal(t, "acme", foreign.ClientURL())
	request := withChildren()
	request.Sheet = "orders"
	w.reg = w.register("ops", w.sheet.ID, request)
	_, _, err := w.sim.As(w.jane).Discuss(w.sheet.ID, w.sheet.Rows[0], "hello")
	must(t, err)
	w.settle()
	w.told()

	nc, err := nats.Connect(foreign.ClientURL())
	must(t, err)
	t.Cleanup(nc.Close)
	purge := "$JS.API.STREAM.PURGE." + events.StreamName
	must(t, foreign.GlobalAccount().AddMapping(purge, "held.purge"))
	purges := make(chan string, 10)
	_, err = nc.Subscribe("held.purge", func(m *nats.Msg) {
		purges <- string(m.Data)
		_ = m.Respond([]byte(`{"type":"io.nats.jetstream.api.v1.stream_purge_response","success":true,"purged":1}`))
	})
	must(t, err)
	must(t, nc.Flush())
	must(t, w.registrar.Resend(t.Context(), w.reg.ID, "acme", "orders"))
	w.settle()
	foreign.GlobalAccount().RemoveMapping(purge)
	for held := len(purges); held > 0; held-- {
		_, err := nc.Request(purge, []byte(<-purges), time.Second)
		must(t, err)
	}
	w.tells("published again", "row.created SO-1", "comment.created hello")
	if all := w.stream("acme"); !strings.HasSuffix(all[0].Subject, ".schema") {
		t.Errorf("%d messages, the first of %s: nothing was purged", len(all), all[0].Subject)
	}
}
