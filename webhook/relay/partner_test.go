package relay_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/smartsheet/smartsheettest"
	"github.com/sheetbridge/sheetbridge/webhook/webhooktest"
)

// TestPartnerThatIsGone serves the other, and the one when it is back.
func TestPartnerThatIsGone(t *testing.T) {
	t.Parallel()
	w := webhooktest.NewWorld(t, webhooktest.Options{})
	dir := t.TempDir()
	foreign := webhooktest.ForeignNATS(t, dir, -1, 1<<20)
	w.AddPartner("acme")
	w.AddExternal(t, "bolt", foreign.ClientURL())
	w.Reg = w.Register("ops", w.Sheet.ID, webhooktest.Everything(), events.Request{Partner: "bolt", Columns: webhooktest.Columns("No", "Qty")})
	w.Check("acme", "bolt")
	w.SeenTo["acme"] = webhooktest.Last(w.Stream("acme"))

	port := strings.TrimPrefix(foreign.ClientURL(), "nats://127.0.0.1:")
	foreign.Shutdown()
	foreign.WaitForShutdown()
	w.TakePasses()
	w.Edit(0, webhooktest.Cells{"Qty": 4})
	w.AwaitPass(func(result string) bool { return result == "later" })
	w.WantChanges("the other is gone", `row.updated callback {"no":"SO-1","status":"Open","qty":3}->{"no":"SO-1","status":"Open","qty":4}`)

	var n int
	_, err := fmt.Sscan(port, &n)
	webhooktest.Must(t, err)
	webhooktest.ForeignNATS(t, dir, n, 1<<20)
	w.Partners.Forget("bolt")
	w.AwaitPass(func(result string) bool { return result == "done" })
	w.Check("acme", "bolt")
	if got := webhooktest.Kinds(w.Stream("bolt"), 0)["row.created"]; got != 2 {
		t.Errorf("got %d rows created for the one that was gone, want its two of before", got)
	}
}

// TestEventsThatAreTooLarge has a partner's NATS take 64 KiB at most.
func TestEventsThatAreTooLarge(t *testing.T) {
	t.Parallel()
	w := webhooktest.NewWorld(t, webhooktest.Options{})
	jane := w.Sim.As(w.Jane)
	var titles []string
	for i := range 16 {
		titles = append(titles, fmt.Sprint("T", i))
		_, err := jane.AddColumn(w.Sheet.ID, smartsheettest.Column{Title: titles[i]})
		webhooktest.Must(t, err)
	}
	foreign := webhooktest.ForeignNATS(t, t.TempDir(), -1, 64<<10)
	w.AddExternal(t, "acme", foreign.ClientURL())
	w.Reg = w.Register("ops", w.Sheet.ID, events.Request{Partner: "acme", Columns: webhooktest.Columns(titles...)})
	long := func(letter string, cellCount int) webhooktest.Cells {
		c := webhooktest.Cells{}
		for _, title := range titles[:cellCount] {
			c[title] = strings.Repeat(letter, 4000)
		}
		return c
	}
	w.Edit(0, long("a", 12)) // 48 KiB: before and after do not fit together
	w.Settle()
	w.Edit(0, long("b", 12))
	w.Settle()
	if m := webhooktest.LastRow(w.Stream("acme")); !m.Data.Truncated || m.Data.Before != nil || m.Data.After == nil {
		t.Errorf("got truncated %v of a row whose old values do not fit, want it without them", m.Data.Truncated)
	} else if bytes.Contains(m.Raw, []byte(`"before"`)) {
		t.Error("got before in an event that has no room for it, want it left out")
	}
	w.Edit(0, long("<", 10)) // 40 KiB, and six times as much if it were escaped for HTML
	w.Settle()
	if m := webhooktest.LastRow(w.Stream("acme")); m.Data.After == nil || len(m.Data.After.Get("t0")) != 4002 {
		t.Error("a row of signs that mean something in HTML was not published")
	}
	w.Check("acme")

	w.Edit(1, long("c", 16)) // does not fit at all
	w.Edit(0, webhooktest.Cells{"T0": "short"})
	w.Settle()
	w.Reconcile(w.Reg)
	if s := webhooktest.StatusOf(w.Stream("acme"), "orders"); s.State != events.StateStale || !strings.Contains(string(s.Reason), "too large") {
		t.Errorf("got status %s (%s), want stale, since a row is too large", s.State, s.Reason)
	}
	if m := webhooktest.LastRow(w.Stream("acme")); m.Data.After == nil || string(m.Data.After.Get("t0")) != `"short"` {
		t.Error("a row that is too large keeps another one waiting")
	}
	w.Edit(1, webhooktest.Cells{"T1": "", "T2": "", "T3": "", "T4": ""})
	w.Settle()
	w.Reconcile(w.Reg)
	w.Check("acme")
	if s := webhooktest.StatusOf(w.Stream("acme"), "orders"); s.State != events.StateLive {
		t.Errorf("got status %s (%s), want live", s.State, s.Reason)
	}
}

// TestTooLargeOnceMasked: a mask makes short values longer. A row that does not fit any
// more when the share is changed is told of in the status, and counted once.
func TestTooLargeOnceMasked(t *testing.T) {
	t.Parallel()
	w := webhooktest.NewWorld(t, webhooktest.Options{})
	jane := w.Sim.As(w.Jane)
	long, short, cells := []string{}, []string{}, webhooktest.Cells{}
	add := func(titles *[]string, title, value string) {
		t.Helper()
		*titles, cells[title] = append(*titles, title), value
		_, err := jane.AddColumn(w.Sheet.ID, smartsheettest.Column{Title: title})
		webhooktest.Must(t, err)
	}
	for i := range 15 {
		add(&long, fmt.Sprint("Long", i), strings.Repeat("x", 4000))
	}
	add(&long, "Rest", strings.Repeat("x", 600)) // about 64 KiB in all, without what the mask adds: 3 KiB
	for i := range 100 {
		add(&short, fmt.Sprint("Short", i), "1")
	}
	w.AddExternal(t, "acme", webhooktest.ForeignNATS(t, t.TempDir(), -1, 64<<10).ClientURL())
	unmasked, masked := webhooktest.Columns(append(long, short...)...), webhooktest.Columns(append(long, short...)...)
	for i := range short {
		masked[len(long)+i].Mask = "hash"
	}
	w.Reg = w.Register("ops", w.Sheet.ID, events.Request{Partner: "acme", Columns: unmasked})
	w.Edit(0, cells)
	w.Settle()
	w.Check("acme")

	w.PutShare("acme", events.Request{Columns: masked})
	w.Settle()
	const want = "rows that are too large to be published: 1"
	if s := webhooktest.StatusOf(w.Stream("acme"), "orders"); s.State != events.StateStale || s.Reason != want {
		t.Errorf("got status %s (%s), want stale (%s)", s.State, s.Reason, want)
	}
	w.Edit(0, webhooktest.Cells{"Long0": ""})
	w.Settle()
	w.Reconcile(w.Reg)
	w.Check("acme")
	if s := webhooktest.StatusOf(w.Stream("acme"), "orders"); s.State != events.StateLive {
		t.Errorf("got status %s (%s), want live", s.State, s.Reason)
	}
}
