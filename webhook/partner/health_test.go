package partner_test

import (
	"errors"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/smartsheet/smartsheettest"
	"github.com/sheetbridge/sheetbridge/webhook/inbox"
	"github.com/sheetbridge/sheetbridge/webhook/partner"
	"github.com/sheetbridge/sheetbridge/webhook/webhooktest"
)

// TestPartnerThatIsFull serves the other, says what is wrong, which the stream
// cannot, and publishes what is missing when there is room.
func TestPartnerThatIsFull(t *testing.T) {
	t.Parallel()
	w := webhooktest.NewWorld(t, webhooktest.Options{}, webhooktest.Everything(), events.Request{Partner: "bolt", Columns: webhooktest.Columns("No", "Qty")})
	if why := w.Partners.Failure("bolt", "orders", nil); why != "" || w.Partners.Full("bolt") {
		t.Errorf("got trouble %q of a partner that has none", why)
	}
	w.Limit("bolt", 64<<10)
	for i := range 26 {
		w.Edit(0, webhooktest.Cells{"Qty": strings.Repeat(string(rune('a'+i)), 4000)})
		w.AwaitPass(func(string) bool { return true })
		if w.Partners.Full("bolt") {
			break
		}
	}
	w.AwaitPass(func(result string) bool { return result == "later" })
	w.Check("acme")
	status := webhooktest.StatusOf(w.Stream("bolt"), "orders")
	if why := w.Partners.Failure("bolt", "orders", status.CompleteTo); !strings.Contains(why, "full") {
		t.Errorf("got trouble %q of a partner whose stream is full", why)
	}
	later := events.CompleteTo{Time: time.Now().Add(time.Minute)}
	if why := w.Partners.Failure("bolt", "orders", &later); why != "" {
		t.Errorf("got trouble %q of a share that another replica has published to since", why)
	}
	if w.Partners.Failure("acme", "orders", nil) != "" || w.Partners.Full("acme") {
		t.Error("got trouble of the other partner")
	}
	w.Sim.SetFault(func(*http.Request) *smartsheettest.Fault { return &smartsheettest.Fault{Status: 500, ErrorCode: 4004} })
	w.Reconcile(w.Reg)
	w.Sim.SetFault(nil)
	if why := w.Partners.Failure("bolt", "orders", status.CompleteTo); !strings.Contains(why, "full") {
		t.Errorf("got trouble %q after a pass that could not read the sheet, want that the stream is full still", why)
	}
	w.Limit("bolt", 1<<30)
	w.Reconcile(w.Reg)
	w.Check("acme", "bolt")
	if why := w.Partners.Failure("bolt", "orders", nil); why != "" || w.Partners.Full("bolt") {
		t.Errorf("got trouble %q of a partner that is well again", why)
	}
}

// TestPartnerThatStaysAway is tried ever more rarely, leaves nothing for a person
// to clear away, and comes back by itself.
func TestPartnerThatStaysAway(t *testing.T) {
	t.Parallel()
	w := webhooktest.NewWorld(t, webhooktest.Options{}, webhooktest.Everything())
	foreign := webhooktest.ForeignNATS(t, t.TempDir(), -1, 1<<20)
	w.AddExternal(t, "bolt", foreign.ClientURL())
	w.Reg = w.Register("ops", w.Sheet.ID, events.Request{Partner: "bolt", Columns: webhooktest.Columns("No", "Qty")})
	w.StopRelay()
	w.TakePasses()
	foreign.Shutdown()
	foreign.WaitForShutdown()
	hint := func(attempt int) {
		h := &inbox.Hint{Registration: w.Reg.ID, Why: inbox.WhyReconcile, Whole: true, Full: true, Attempt: attempt, ReceivedAt: time.Now()}
		webhooktest.Must(t, w.Handle(t.Context(), h))
	}
	hint(0)
	if passes := w.TakePasses(); len(passes) != 1 || passes[0].Result != "later" {
		t.Errorf("got passes %+v, want one that is put off", passes)
	}
	hint(100)
	if passes := w.TakePasses(); len(passes) != 1 || passes[0].Result != "later" {
		t.Errorf("got passes %+v, want one that is put off", passes)
	}
	note, err := w.Inbox.Deferred(t.Context(), w.Reg.ID)
	webhooktest.Must(t, err)
	waiting, err := w.Inbox.Backlog(t.Context())
	webhooktest.Must(t, err)
	if d := note.Shares["bolt/orders"]; d == nil && waiting[w.Reg.ID] == 0 || d != nil && d.At.After(time.Now().Add(10*time.Minute)) {
		t.Errorf("the partner is tried again: %+v, with %d hints waiting; want it within ten minutes", d, waiting[w.Reg.ID])
	}
	dead, err := w.Inbox.Dead(t.Context(), 10)
	webhooktest.Must(t, err)
	if len(dead) > 0 {
		t.Errorf("got %d hints given up", len(dead))
	}
	_, err = w.Partners.Stream(t.Context(), w.Registry.Partner("bolt"))
	if !errors.Is(err, partner.ErrCircuitOpen) || len(err.Error()) <= len(partner.ErrCircuitOpen.Error()) {
		t.Errorf("got %v, want why it rests", err)
	}
}

// TestPartnerThatIsBack gets what the next callback tells as soon as a reconcile
// has reached it, however long it was to be left alone.
func TestPartnerThatIsBack(t *testing.T) {
	t.Parallel()
	w := webhooktest.NewWorld(t, webhooktest.Options{}, webhooktest.Everything())
	dir := t.TempDir()
	foreign := webhooktest.ForeignNATS(t, dir, -1, 1<<20)
	w.AddExternal(t, "bolt", foreign.ClientURL())
	w.Reg = w.Register("ops", w.Sheet.ID, events.Request{Partner: "bolt", Columns: webhooktest.Columns("No", "Qty")})
	port := foreign.Addr().(*net.TCPAddr).Port
	foreign.Shutdown()
	foreign.WaitForShutdown()
	for range 10 { // tried again in minutes
		webhooktest.Must(t, w.Handle(t.Context(), &inbox.Hint{Registration: w.Reg.ID, Why: inbox.WhyReconcile, Whole: true, Full: true, ReceivedAt: time.Now()}))
	}
	w.Edit(0, webhooktest.Cells{"Qty": 4})
	w.Settle()
	webhooktest.ForeignNATS(t, dir, port, 1<<20)
	w.Partners.Forget("bolt")
	w.Reconcile(w.Reg)
	w.Check("acme", "bolt")
	w.Edit(0, webhooktest.Cells{"Qty": 5})
	w.Settle()
	w.Check("acme", "bolt")
}

// TestStreamGoneWhileItRests: a partner in trouble whose stream is gone when it
// is tried again gets a new one.
func TestStreamGoneWhileItRests(t *testing.T) {
	t.Parallel()
	w := webhooktest.NewWorld(t, webhooktest.Options{}, webhooktest.Everything())
	partner := w.Registry.Partner("acme")
	webhooktest.Must(t, w.Reader("acme").Delete(t.Context()))
	w.Partners.Retry(t.Context(), partner, errors.New("the connection is lost"))
	if _, err := w.Partners.Stream(t.Context(), partner); err != nil {
		t.Errorf("got %v, want the stream made again", err)
	}
	w.Reconcile(w.Reg)
	w.Check("acme")
}
