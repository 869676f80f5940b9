package write_test

import (
	"fmt"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/webhook/webhooktest"
	"github.com/sheetbridge/sheetbridge/webhook/write"
)

// TestMemoryLeavesRoomForOthers has a partner write so much that no more of its answers
// can be remembered. Another one's writes are made all the same, and its own wait until
// there is room.
func TestMemoryLeavesRoomForOthers(t *testing.T) {
	w := newWriting(t, webhooktest.Options{}, writable("acme", nil), writable("globex", nil))
	row := webhooktest.FormatID(w.Sheet.Rows[0])
	update := func(id string) string {
		return fmt.Sprintf(`{"id":%q,"op":"update","row":%q,"expect":{"qty":3},"set":{"qty":3},"dryRun":true}`, id, row)
	}
	const many = 20
	for i := range many {
		w.send("acme", "erp", "orders", fmt.Sprintf(`{"id":"many-%d","op":"create","set":{"no":"N-%d","status":"Open"},"dryRun":true}`, i, i))
	}
	w.Await("all being answered", func() bool { return len(w.answers("acme")) == many })
	w.endEngine()
	js, err := jetstream.New(w.Broker.Bridge())
	webhooktest.Must(t, err)
	kv, err := js.KeyValue(t.Context(), "sheetbridge-write-ids")
	webhooktest.Must(t, err)
	status, err := kv.Status(t.Context())
	webhooktest.Must(t, err)

	store, err := write.OpenStore(t.Context(), w.Broker.Bridge(), write.StoreOptions{Replicas: 1, Alone: true, Memory: status.Bytes() * 3 / 2})
	webhooktest.Must(t, err)
	w.run(w.newEngine(0, func(e *write.Engine) { e.Store = store }))
	w.send("acme", "erp", "orders", update("waits"))
	w.Await("the write that has no room being taken", func() bool { return w.engine.Waiting() == 1 })
	w.send("globex", "erp", "orders", update("made"))
	if got := w.answer("globex", "made", 1); got.Result == events.ResultRefused {
		t.Errorf("got %+v, want another partner's write made", got)
	}
	if got := w.answers("acme")["waits"]; got != nil { // it is looked at before the other one
		t.Errorf("got %+v, want no answer while there is no room to remember it", got)
	}
	w.endEngine()
	w.startEngine()
	if got := w.answer("acme", "waits", 1); got.Result == events.ResultRefused {
		t.Errorf("got %+v, want what waited made", got)
	}
}
