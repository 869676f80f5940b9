package webhook_test

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
	"github.com/sheetbridge/sheetbridge/webhook/registry"
)

// limit changes how much a partner may store.
func (b *bridge) limit(name string, storage int64) {
	b.t.Helper()
	must(b.t, b.registry.UpdatePartner(b.t.Context(), name, func(p *registry.Partner) error {
		p.Limits.Storage = storage
		return nil
	}))
	p := b.registry.Partner(name)
	account, err := b.partners.Account(p)
	must(b.t, err)
	must(b.t, b.broker.PutAccount(b.t.Context(), name, account))
	_, err = b.partners.Stream(b.t.Context(), p)
	must(b.t, err)
}

// TestPartnerThatIsFull serves the other, says what is wrong, which the stream
// cannot, and publishes what is missing when there is room.
func TestPartnerThatIsFull(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{}, everything(), events.Request{Partner: "bolt", Columns: columns("No", "Qty")})
	if why := w.partners.Trouble("bolt", "orders", nil); why != "" || w.partners.Full("bolt") {
		t.Errorf("got trouble %q of a partner that has none", why)
	}
	w.limit("bolt", 64<<10)
	for i := range 26 {
		w.edit(0, cells{"Qty": strings.Repeat(string(rune('a'+i)), 4000)})
		w.passed(func(string) bool { return true })
		if w.partners.Full("bolt") {
			break
		}
	}
	w.passed(func(result string) bool { return result == "later" })
	w.check("acme")
	status := statusOf(w.stream("bolt"), "orders")
	if why := w.partners.Trouble("bolt", "orders", status.CompleteTo); !strings.Contains(why, "full") {
		t.Errorf("got trouble %q of a partner whose stream is full", why)
	}
	later := events.CompleteTo{Time: time.Now().Add(time.Minute)}
	if why := w.partners.Trouble("bolt", "orders", &later); why != "" {
		t.Errorf("got trouble %q of a share that another replica has published to since", why)
	}
	if w.partners.Trouble("acme", "orders", nil) != "" || w.partners.Full("acme") {
		t.Error("got trouble of the other partner")
	}
	w.sim.SetFault(func(*http.Request) *smartsheettest.Fault { return &smartsheettest.Fault{Status: 500, ErrorCode: 4004} })
	w.reconcile(w.reg)
	w.sim.SetFault(nil)
	if why := w.partners.Trouble("bolt", "orders", status.CompleteTo); !strings.Contains(why, "full") {
		t.Errorf("got trouble %q after a pass that could not read the sheet, want that the stream is full still", why)
	}
	w.limit("bolt", 1<<30)
	w.reconcile(w.reg)
	w.check("acme", "bolt")
	if why := w.partners.Trouble("bolt", "orders", nil); why != "" || w.partners.Full("bolt") {
		t.Errorf("got trouble %q of a partner that is well again", why)
	}
}

// TestPartnerThatStaysAway is tried ever more rarely, leaves nothing for a person
// to clear away, and comes back by itself.
func TestPartnerThatStaysAway(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{}, everything())
	foreign := foreignNATS(t, t.TempDir(), -1, 1<<20)
	w.addExternal(t, "bolt", foreign.ClientURL())
	w.reg = w.register("ops", w.sheet.ID, events.Request{Partner: "bolt", Columns: columns("No", "Qty")})
	w.endRelay()
	w.takePasses()
	foreign.Shutdown()
	foreign.WaitForShutdown()
	hint := func(attempt int) {
		h := &inbox.Hint{Registration: w.reg.ID, Why: inbox.WhyReconcile, Whole: true, Full: true, Attempt: attempt, ReceivedAt: time.Now()}
		must(t, w.handle(t.Context(), h))
	}
	hint(0)
	if passes := w.takePasses(); len(passes) != 1 || passes[0].Result != "later" {
		t.Errorf("got passes %+v, want one that is put off", passes)
	}
	hint(100)
	if passes := w.takePasses(); len(passes) != 1 || passes[0].Result != "later" {
		t.Errorf("got passes %+v, want one that is put off", passes)
	}
	note, err := w.inbox.Deferred(t.Context(), w.reg.ID)
	must(t, err)
	waiting, err := w.inbox.Backlog(t.Context())
	must(t, err)
	if d := note.Shares["bolt/orders"]; d == nil && waiting[w.reg.ID] == 0 || d != nil && d.At.After(time.Now().Add(10*time.Minute)) {
		t.Errorf("the partner is tried again: %+v, with %d hints waiting; want it within ten minutes", d, waiting[w.reg.ID])
	}
	dead, err := w.inbox.Dead(t.Context(), 10)
	must(t, err)
	if len(dead) > 0 {
		t.Errorf("got %d hints given up", len(dead))
	}
	_, err = w.partners.Stream(t.Context(), w.registry.Partner("bolt"))
	if !errors.Is(err, partner.ErrResting) || len(err.Error()) <= len(partner.ErrResting.Error()) {
		t.Errorf("got %v, want why it rests", err)
	}
}

// TestPartnerThatIsBack gets what the next callback tells as soon as a reconcile
// has reached it, however long it was to be left alone.
func TestPartnerThatIsBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{}, everything())
	dir := t.TempDir()
	foreign := foreignNATS(t, dir, -1, 1<<20)
	w.addExternal(t, "bolt", foreign.ClientURL())
	w.reg = w.register("ops", w.sheet.ID, events.Request{Partner: "bolt", Columns: columns("No", "Qty")})
	port := foreign.Addr().(*net.TCPAddr).Port
	foreign.Shutdown()
	foreign.WaitForShutdown()
	for range 10 { // tried again in minutes
		must(t, w.handle(t.Context(), &inbox.Hint{Registration: w.reg.ID, Why: inbox.WhyReconcile, Whole: true, Full: true, ReceivedAt: time.Now()}))
	}
	w.edit(0, cells{"Qty": 4})
	w.settle()
	foreignNATS(t, dir, port, 1<<20)
	w.partners.Forget("bolt")
	w.reconcile(w.reg)
	w.check("acme", "bolt")
	w.edit(0, cells{"Qty": 5})
	w.settle()
	w.check("acme", "bolt")
}

// TestStreamGoneWhileItRests: a partner in trouble whose stream is gone when it
// is tried again gets a new one.
func TestStreamGoneWhileItRests(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{}, everything())
	partner := w.registry.Partner("acme")
	must(t, w.reader("acme").Delete(t.Context()))
	w.partners.Retry(t.Context(), partner, errors.New("the connection is lost"))
	if _, err := w.partners.Stream(t.Context(), partner); err != nil {
		t.Errorf("got %v, want the stream made again", err)
	}
	w.reconcile(w.reg)
	w.check("acme")
}
