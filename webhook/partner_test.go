package webhook_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nkeys"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/smartsheet/smartsheettest"
	"github.com/sheetbridge/sheetbridge/webhook/registry"
)

// foreignNATS is a NATS that is not ours, with a store of its own.
func foreignNATS(t testing.TB, dir string, port int, payload int32) *server.Server {
	t.Helper()
	s, err := server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: port, JetStream: true, StoreDir: dir, MaxPayload: payload, NoSigs: true, NoLog: true,
	})
	must(t, err)
	s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	if !s.ReadyForConnections(10 * time.Second) {
		t.Fatal("the partner's NATS does not start")
	}
	return s
}

// anyCreds are credentials in form: the NATS of these tests takes whatever comes.
func anyCreds(t testing.TB) string {
	t.Helper()
	account, err := nkeys.CreateAccount()
	must(t, err)
	user, err := nkeys.CreateUser()
	must(t, err)
	public, err := user.PublicKey()
	must(t, err)
	seed, err := user.Seed()
	must(t, err)
	text, err := jwt.NewUserClaims(public).Encode(account)
	must(t, err)
	creds, err := jwt.FormatUserConfig(text, seed)
	must(t, err)
	return string(creds)
}

// addExternal makes a partner whose account is somewhere else.
func (b *bridge) addExternal(t testing.TB, name, url string) {
	t.Helper()
	p := &registry.Partner{Name: name}
	p.External = &registry.External{URL: url, Credentials: b.sealed(anyCreds(t), p.SealName("credentials"))}
	p.MaskKey = b.sealed(maskKey, p.SealName("maskKey"))
	must(t, b.registry.CreatePartner(t.Context(), p))
}

// TestPartnerThatIsGone serves the other, and the one when it is back.
func TestPartnerThatIsGone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	dir := t.TempDir()
	foreign := foreignNATS(t, dir, -1, 1<<20)
	w.addPartner("acme")
	w.addExternal(t, "bolt", foreign.ClientURL())
	w.reg = w.register("ops", w.sheet.ID, everything(), events.Request{Partner: "bolt", Columns: columns("No", "Qty")})
	w.check("acme", "bolt")
	w.at["acme"] = last(w.stream("acme"))

	port := strings.TrimPrefix(foreign.ClientURL(), "nats://127.0.0.1:")
	foreign.Shutdown()
	foreign.WaitForShutdown()
	w.takePasses()
	w.edit(0, cells{"Qty": 4})
	w.passed(func(result string) bool { return result == "later" })
	w.got("the other is gone", `row.updated callback {"no":"SO-1","status":"Open","qty":3}->{"no":"SO-1","status":"Open","qty":4}`)

	var n int
	_, err := fmt.Sscan(port, &n)
	must(t, err)
	foreignNATS(t, dir, n, 1<<20)
	w.partners.Forget("bolt")
	w.passed(func(result string) bool { return result == "done" })
	w.check("acme", "bolt")
	if got := kinds(w.stream("bolt"), 0)["row.created"]; got != 2 {
		t.Errorf("got %d rows created for the one that was gone, want its two of before", got)
	}
}

// TestEventsThatAreTooLarge has a partner's NATS take 64 KiB at most.
func TestEventsThatAreTooLarge(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	jane := w.sim.As(w.jane)
	var titles []string
	for i := range 16 {
		titles = append(titles, fmt.Sprint("T", i))
		_, err := jane.AddColumn(w.sheet.ID, smartsheettest.Column{Title: titles[i]})
		must(t, err)
	}
	foreign := foreignNATS(t, t.TempDir(), -1, 64<<10)
	w.addExternal(t, "acme", foreign.ClientURL())
	w.reg = w.register("ops", w.sheet.ID, events.Request{Partner: "acme", Columns: columns(titles...)})
	long := func(letter string, cellCount int) cells {
		c := cells{}
		for _, title := range titles[:cellCount] {
			c[title] = strings.Repeat(letter, 4000)
		}
		return c
	}
	w.edit(0, long("a", 12)) // 48 KiB: before and after do not fit together
	w.settle()
	w.edit(0, long("b", 12))
	w.settle()
	if m := lastRow(w.stream("acme")); !m.Data.Truncated || m.Data.Before != nil || m.Data.After == nil {
		t.Errorf("got truncated %v of a row whose old values do not fit, want it without them", m.Data.Truncated)
	} else if bytes.Contains(m.Raw, []byte(`"before"`)) {
		t.Error("got before in an event that has no room for it, want it left out")
	}
	w.edit(0, long("<", 10)) // 40 KiB, and six times as much if it were escaped for HTML
	w.settle()
	if m := lastRow(w.stream("acme")); m.Data.After == nil || len(m.Data.After.Get("t0")) != 4002 {
		t.Error("a row of signs that mean something in HTML was not published")
	}
	w.check("acme")

	w.edit(1, long("c", 16)) // does not fit at all
	w.edit(0, cells{"T0": "short"})
	w.settle()
	w.reconcile(w.reg)
	if s := statusOf(w.stream("acme"), "orders"); s.State != events.StateStale || !strings.Contains(string(s.Reason), "too large") {
		t.Errorf("got status %s (%s), want stale, since a row is too large", s.State, s.Reason)
	}
	if m := lastRow(w.stream("acme")); m.Data.After == nil || string(m.Data.After.Get("t0")) != `"short"` {
		t.Error("a row that is too large keeps another one waiting")
	}
	w.edit(1, cells{"T1": "", "T2": "", "T3": "", "T4": ""})
	w.settle()
	w.reconcile(w.reg)
	w.check("acme")
	if s := statusOf(w.stream("acme"), "orders"); s.State != events.StateLive {
		t.Errorf("got status %s (%s), want live", s.State, s.Reason)
	}
}

func lastRow(all []published) published {
	var row published
	for _, m := range all {
		if kind, _, ok := events.ParseSubject(m.Subject); ok && kind == events.KindRow {
			row = m
		}
	}
	return row
}
