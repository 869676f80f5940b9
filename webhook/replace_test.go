package webhook_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/smartsheet/smartsheettest"
	"github.com/sheetbridge/sheetbridge/webhook/inbox"
	"github.com/sheetbridge/sheetbridge/webhook/registry"
)

// TestATokenIsReplacedWhileEditsStreamIn: the old token is dead before the new
// one is there, again and again, and the partner's stream shows nothing of it.
func TestATokenIsReplacedWhileEditsStreamIn(t *testing.T) {
	w := newWorld(t, options{}, events.Request{Partner: "acme", Sheet: "orders", Columns: columns("No", "Status", "Qty")})
	stop, done := make(chan struct{}), make(chan int)
	go func() {
		n := 0
		pace := time.NewTicker(time.Millisecond) // as people edit, not as a loop does
		defer pace.Stop()
		for {
			select {
			case <-stop:
				done <- n
				return
			case <-pace.C:
			}
			n++
			row := smartsheettest.Row{ID: w.sheet.Rows[n%2], Cells: cells{"Qty": n}}
			if n%10 == 0 {
				if _, err := w.sim.As(w.jane).AddRows(w.sheet.ID, smartsheettest.Row{Cells: cells{"No": fmt.Sprintf("SO-%d", n)}}); err != nil {
					t.Error(err)
				}
			}
			if err := w.sim.As(w.jane).UpdateRows(w.sheet.ID, row); err != nil {
				t.Error(err)
			}
		}
	}()
	token := w.token
	for i := range 8 {
		next := w.sim.AddToken(w.jane)
		published := len(w.stream("acme"))
		if i%2 == 0 { // dead for a while, and noticed
			w.sim.RevokeToken(token)
			must(t, w.inbox.Put(t.Context(), &inbox.Hint{Registration: w.reg.ID, Why: inbox.WhyReconcile, Whole: true, ReceivedAt: time.Now()}))
			w.until(func() bool { return w.registry.Owner("ops").State == registry.OwnerRefused })
		}
		w.replaceToken("ops", next)
		must(t, w.inbox.Put(t.Context(), &inbox.Hint{Registration: w.reg.ID, Why: inbox.WhyShare, Whole: true, Webhook: true, ReceivedAt: time.Now()}))
		w.sim.RevokeToken(token)
		w.until(func() bool { return len(w.stream("acme")) > published })
		token = next
	}
	close(stop)
	if n := <-done; n < 8 {
		t.Errorf("got %d edits, want more", n)
	}
	w.settle()
	w.settle() // what was refused in the last moment comes again
	w.reconcile(w.reg)
	if got := w.registry.Owner("ops").State; got != registry.OwnerOK {
		t.Errorf("got owner %s, want ok: the token that was condemned is not the new one", got)
	}
	w.check("acme")
	if text := w.registry.Owner("ops").Reason; strings.Contains(text, token) {
		t.Error("the owner's reason holds the token")
	}
}

// until waits for a condition that NATS has to come to.
func (w *world) until(done func() bool) {
	w.t.Helper()
	for !done() {
		select {
		case <-w.t.Context().Done():
			w.t.Fatal("it did not come to it")
		case <-time.After(5 * time.Millisecond):
		}
	}
}
