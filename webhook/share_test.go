package webhook_test

import (
	"testing"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/smartsheet/smartsheettest"
	"github.com/sheetbridge/sheetbridge/webhook/inbox"
)

// put changes acme's share of the orders.
func (w *world) put(request events.Request) {
	w.t.Helper()
	err := w.registrar.PutShare(w.t.Context(), w.reg.ID, "acme", "orders", request, true)
	must(w.t, err)
	w.settle()
}

func TestShareChanges(t *testing.T) {
	t.Parallel()
	with := func(masks ...string) events.Request {
		r := everything()
		for i, m := range masks {
			r.Columns[i].Mask = m
		}
		return r
	}
	renamed := everything()
	renamed.Columns[2].As = "menge"
	fewer := events.Request{Partner: "acme", Columns: columns("No", "Status")}
	more := events.Request{Partner: "acme", Columns: columns("No", "Status", "Qty", "Margin")}
	for name, tt := range map[string]struct {
		from, to events.Request
		reset    bool
		want     []string
		gone     string // word that the stream must not hold any more
	}{
		"field added": {from: fewer, to: everything(), want: []string{
			`row.updated share {"no":"SO-1","status":"Open"}->{"no":"SO-1","status":"Open","qty":3}`,
			`row.updated share {"no":"SO-2","status":"Draft"}->{"no":"SO-2","status":"Draft","qty":5}`,
		}},
		"field removed": {from: more, to: everything(), reset: true, gone: "canary", want: []string{
			`row.updated share null->{"no":"SO-1","status":"Open","qty":3}`,
			`row.updated share null->{"no":"SO-2","status":"Draft","qty":5}`,
		}},
		"field renamed": {from: everything(), to: renamed, want: []string{
			`row.updated share {"no":"SO-1","status":"Open","qty":3}->{"no":"SO-1","status":"Open","menge":3}`,
			`row.updated share {"no":"SO-2","status":"Draft","qty":5}->{"no":"SO-2","status":"Draft","menge":5}`,
		}},
		"where set": {from: everything(), to: undrafted(), reset: true, gone: "SO-2", want: []string{
			`row.deleted share null->null share`,
			`row.updated share null->{"no":"SO-1","status":"Open","qty":3}`,
		}},
		"where removed": {from: undrafted(), to: everything(), want: []string{
			`row.created share null->{"no":"SO-2","status":"Draft","qty":5}`,
		}},
		"where changed to what is not stored": {
			from: undrafted(), reset: true, gone: "SO-1",
			to: events.Request{Partner: "acme", Columns: columns("No", "Status", "Qty"), Where: `cells["Margin"] == 'canary-margin-2'`},
			want: []string{
				`row.deleted share null->null share`,
				`row.created share null->{"no":"SO-2","status":"Draft","qty":5}`,
			}},
		"hashed": {from: fewer, to: events.Request{Partner: "acme", Columns: []events.RequestColumn{{Title: "No", Mask: "redact"}, {Title: "Status"}}},
			reset: true, gone: "SO-", want: []string{
				`row.updated share null->{"no":"redacted","status":"Open"}`,
				`row.updated share null->{"no":"redacted","status":"Draft"}`,
			}},
		"unmasked": {from: with("redact", "redact", "redact"), to: with("", "redact", "redact"), want: []string{
			`row.updated share {"no":"redacted","status":"redacted","qty":"redacted"}->{"no":"SO-1","status":"redacted","qty":"redacted"}`,
			`row.updated share {"no":"redacted","status":"redacted","qty":"redacted"}->{"no":"SO-2","status":"redacted","qty":"redacted"}`,
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, options{}, tt.from)
			w.put(tt.to)
			for _, m := range w.stream("acme") {
				if m.Type == events.SchemaChanged && m.Sequence > w.at["acme"] && m.Data.Reset != tt.reset {
					t.Errorf("got reset %v, want %v", m.Data.Reset, tt.reset)
				}
			}
			w.got("the share changed", tt.want...)
			if s := statusOf(w.stream("acme"), "orders"); s.State != events.StateLive {
				t.Errorf("got status %s, want live", s.State)
			}
			if tt.gone != "" {
				w.hides("acme", tt.gone)
			}
			w.edit(0, cells{"Status": "Done"})
			w.edit(1, cells{"Status": "Done"})
			w.settle()
			w.check("acme")
		})
	}
}

func TestMasksGetStricter(t *testing.T) {
	t.Parallel()
	masked := func(mask string) events.Request {
		return events.Request{Partner: "acme", Columns: []events.RequestColumn{{Title: "No"}, {Title: "Margin", Mask: mask}}}
	}
	w := newWorld(t, options{}, masked(""))
	w.put(masked("hash"))
	w.hides("acme", "canary")
	hash := string(lastRow(w.stream("acme")).Data.After.Get("margin"))
	if len(hash) < 32 {
		t.Fatalf("got %q as the hash", hash)
	}
	w.check("acme")
	w.put(masked("redact"))
	w.hides("acme", "canary", hash)
	w.check("acme")
}

func TestResend(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{}, undrafted())
	w.edit(0, cells{"Qty": 4})
	w.settle()
	must(t, w.registrar.Resend(t.Context(), w.reg.ID, "acme", "orders"))
	w.settle()
	w.at["acme"] = 0
	w.got("sent again", `row.created snapshot null->{"no":"SO-1","status":"Open","qty":4}`)
}

func TestShareEndsAndComesAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{}, everything(), events.Request{Partner: "acme", Sheet: "numbers", Columns: columns("No")})
	must(t, w.registrar.EndShare(t.Context(), w.reg.ID, "acme", "orders"))
	w.settle()
	w.check("acme")
	for _, m := range w.stream("acme") {
		if share, _ := shareOf(m.Subject); share == "smartsheet.acme.orders" && m.Data.State != events.StateEnded {
			t.Errorf("message %d (%s) is left of a share that ended", m.Sequence, m.Subject)
		}
	}
	if got := len(w.registry.Shares(w.reg.ID)); got != 1 {
		t.Errorf("got %d shares after one ended, want 1", got)
	}
	w.at["acme"] = last(w.stream("acme"))
	w.register("ops", w.sheet.ID, undrafted())
	w.got("shared again", `row.created snapshot null->{"no":"SO-1","status":"Open","qty":3}`)
	if s := statusOf(w.stream("acme"), "orders"); s.State != events.StateLive {
		t.Errorf("got status %s, want live", s.State)
	}
}

func TestNarrowsWithoutSmartsheet(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{}, events.Request{Partner: "acme", Columns: columns("No", "Margin")})
	w.sim.RevokeToken(w.token)
	_, err := w.registry.UpdateShare(t.Context(), "acme", "orders", narrowed(t, w, events.Request{Columns: columns("No")}))
	must(t, err)
	must(t, w.inbox.Put(t.Context(), &inbox.Hint{Registration: w.reg.ID, Why: inbox.WhyShare, Whole: true}))
	w.settle()
	w.got("narrowed while the token is dead", `row.updated share null->{"no":"SO-1"}`, `row.updated share null->{"no":"SO-2"}`)
	w.hides("acme", "canary")
	if s := statusOf(w.stream("acme"), "orders"); s.State != events.StateSuspended {
		t.Errorf("got status %s, want suspended", s.State)
	}
	w.replaceToken("ops", w.sim.AddToken(w.jane))
	w.edit(0, cells{"No": "SO-1b"})
	w.settle()
	w.got("the token was replaced", `row.updated share {"no":"SO-1"}->{"no":"SO-1b"}`)
	if s := statusOf(w.stream("acme"), "orders"); s.State != events.StateLive {
		t.Errorf("got status %s, want live", s.State)
	}
}

func TestTwoShares(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{}, undrafted(), events.Request{Partner: "bolt", Columns: columns("No", "Margin")})
	got := w.requests(func() {
		w.edit(0, cells{"Qty": 9, "Margin": "canary-margin-9"})
		_, err := w.sim.As(w.jane).AddRows(w.sheet.ID, smartsheettest.Row{Cells: cells{"No": "SO-3", "Status": "Draft"}})
		must(t, err)
		w.settle()
	})
	w.check("acme", "bolt")
	w.hides("acme", "canary", "SO-3", "bolt")
	w.hides("bolt", "Open", "Draft", "acme")
	if n := count(got, "GET sheets/{sheet}"); n != len(got) {
		t.Errorf("got requests %v, want reads of the sheet only", got)
	}
}

// define gives acme's share another definition, and nobody is told yet.
func (w *world) define(request events.Request) {
	w.t.Helper()
	_, err := w.registry.UpdateShare(w.t.Context(), "acme", "orders", narrowed(w.t, w, request))
	must(w.t, err)
}
