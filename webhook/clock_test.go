package webhook_test

import (
	"errors"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/sheetbridge/sheetbridge/webhook/inbox"
)

// TestClockIsSetAgain: whoever handles what the clock gave sets it again, and not
// for a sheet that is no longer registered.
func TestClockIsSetAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{}, everything())
	js, err := jetstream.New(w.broker.Bridge())
	must(t, err)
	st, err := js.Stream(t.Context(), inbox.StreamName)
	must(t, err)
	w.endRelay()
	must(t, st.Purge(t.Context()))
	for id, want := range map[string]bool{w.reg.ID: true, "00000000-0000-5000-8000-000000000000": false} {
		must(t, w.relay.Handle(t.Context(), &inbox.Hint{Registration: id, Why: inbox.WhyReconcile, Whole: true, Clock: true}))
		_, err := st.GetLastMsgForSubject(t.Context(), "every."+id)
		if err != nil && !errors.Is(err, jetstream.ErrMsgNotFound) {
			t.Fatal(err)
		}
		if set := err == nil; set != want {
			t.Errorf("registration %s: got its clock set %v, want %v", id, set, want)
		}
	}
}
