package registrar_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/smartsheet/smartsheettest"
	"github.com/sheetbridge/sheetbridge/webhook/inbox"
	"github.com/sheetbridge/sheetbridge/webhook/registry"
	"github.com/sheetbridge/sheetbridge/webhook/webhooktest"
)

// TestATokenIsReplacedWhileEditsStreamIn: the old token is dead before the new
// one is there, again and again, and the partner's stream shows nothing of it.
func TestATokenIsReplacedWhileEditsStreamIn(t *testing.T) {
	w := webhooktest.NewWorld(t, webhooktest.Options{}, events.Request{Partner: "acme", Sheet: "orders", Columns: webhooktest.Columns("No", "Status", "Qty")})
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
			row := smartsheettest.Row{ID: w.Sheet.Rows[n%2], Cells: webhooktest.Cells{"Qty": n}}
			if n%10 == 0 {
				if _, err := w.Sim.As(w.Jane).AddRows(w.Sheet.ID, smartsheettest.Row{Cells: webhooktest.Cells{"No": fmt.Sprintf("SO-%d", n)}}); err != nil {
					t.Error(err)
				}
			}
			if err := w.Sim.As(w.Jane).UpdateRows(w.Sheet.ID, row); err != nil {
				t.Error(err)
			}
		}
	}()
	token := w.Token
	for i := range 8 {
		next := w.Sim.AddToken(w.Jane)
		published := len(w.Stream("acme"))
		if i%2 == 0 { // dead for a while, and noticed
			w.Sim.RevokeToken(token)
			webhooktest.Must(t, w.Inbox.Put(t.Context(), &inbox.Hint{Registration: w.Reg.ID, Why: inbox.WhyReconcile, Whole: true, ReceivedAt: time.Now()}))
			w.Await("the token is known to be refused", func() bool { return w.Registry.Owner("ops").State == registry.OwnerRefused })
		}
		w.ReplaceToken("ops", next)
		webhooktest.Must(t, w.Inbox.Put(t.Context(), &inbox.Hint{Registration: w.Reg.ID, Why: inbox.WhyShare, Whole: true, Webhook: true, ReceivedAt: time.Now()}))
		w.Sim.RevokeToken(token)
		w.Await("something is published", func() bool { return len(w.Stream("acme")) > published })
		token = next
	}
	close(stop)
	if n := <-done; n < 8 {
		t.Errorf("got %d edits, want more", n)
	}
	w.Settle()
	w.Settle() // what was refused in the last moment comes again
	w.Reconcile(w.Reg)
	if got := w.Registry.Owner("ops").State; got != registry.OwnerOK {
		t.Errorf("got owner %s, want ok: the token that was condemned is not the new one", got)
	}
	w.Check("acme")
	if text := w.Registry.Owner("ops").Reason; strings.Contains(text, token) {
		t.Error("the owner's reason holds the token")
	}
}
