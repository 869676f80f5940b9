package relay_test

import (
	"testing"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/smartsheet/smartsheettest"
	"github.com/sheetbridge/sheetbridge/webhook/inbox"
	"github.com/sheetbridge/sheetbridge/webhook/webhooktest"
)

func TestShareChanges(t *testing.T) {
	t.Parallel()
	with := func(masks ...string) events.Request {
		r := webhooktest.Everything()
		for i, m := range masks {
			r.Columns[i].Mask = m
		}
		return r
	}
	renamed := webhooktest.Everything()
	renamed.Columns[2].As = "menge"
	fewer := events.Request{Partner: "acme", Columns: webhooktest.Columns("No", "Status")}
	more := events.Request{Partner: "acme", Columns: webhooktest.Columns("No", "Status", "Qty", "Margin")}
	for name, tt := range map[string]struct {
		from, to events.Request
		reset    bool
		want     []string
		gone     string // word that the stream must not hold any more
	}{
		"field added": {from: fewer, to: webhooktest.Everything(), want: []string{
			`row.updated share {"no":"SO-1","status":"Open"}->{"no":"SO-1","status":"Open","qty":3}`,
			`row.updated share {"no":"SO-2","status":"Draft"}->{"no":"SO-2","status":"Draft","qty":5}`,
		}},
		"field removed": {from: more, to: webhooktest.Everything(), reset: true, gone: "canary", want: []string{
			`row.updated share null->{"no":"SO-1","status":"Open","qty":3}`,
			`row.updated share null->{"no":"SO-2","status":"Draft","qty":5}`,
		}},
		"field renamed": {from: webhooktest.Everything(), to: renamed, want: []string{
			`row.updated share {"no":"SO-1","status":"Open","qty":3}->{"no":"SO-1","status":"Open","menge":3}`,
			`row.updated share {"no":"SO-2","status":"Draft","qty":5}->{"no":"SO-2","status":"Draft","menge":5}`,
		}},
		"where set": {from: webhooktest.Everything(), to: webhooktest.Undrafted(), reset: true, gone: "SO-2", want: []string{
			`row.deleted share null->null share`,
			`row.updated share null->{"no":"SO-1","status":"Open","qty":3}`,
		}},
		"where removed": {from: webhooktest.Undrafted(), to: webhooktest.Everything(), want: []string{
			`row.created share null->{"no":"SO-2","status":"Draft","qty":5}`,
		}},
		"where changed to what is not stored": {
			from: webhooktest.Undrafted(), reset: true, gone: "SO-1",
			to: events.Request{Partner: "acme", Columns: webhooktest.Columns("No", "Status", "Qty"), Where: `cells["Margin"] == 'canary-margin-2'`},
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
			w := webhooktest.NewWorld(t, webhooktest.Options{}, tt.from)
			w.Put(tt.to)
			for _, m := range w.Stream("acme") {
				if m.Type == events.SchemaChanged && m.Sequence > w.SeenTo["acme"] && m.Data.Reset != tt.reset {
					t.Errorf("got reset %v, want %v", m.Data.Reset, tt.reset)
				}
			}
			w.WantChanges("the share changed", tt.want...)
			if s := webhooktest.StatusOf(w.Stream("acme"), "orders"); s.State != events.StateLive {
				t.Errorf("got status %s, want live", s.State)
			}
			if tt.gone != "" {
				w.WantNoWords("acme", tt.gone)
			}
			w.Edit(0, webhooktest.Cells{"Status": "Done"})
			w.Edit(1, webhooktest.Cells{"Status": "Done"})
			w.Settle()
			w.Check("acme")
		})
	}
}

func TestMasksGetStricter(t *testing.T) {
	t.Parallel()
	masked := func(mask string) events.Request {
		return events.Request{Partner: "acme", Columns: []events.RequestColumn{{Title: "No"}, {Title: "Margin", Mask: mask}}}
	}
	w := webhooktest.NewWorld(t, webhooktest.Options{}, masked(""))
	w.Put(masked("hash"))
	w.WantNoWords("acme", "canary")
	hash := string(webhooktest.LastRow(w.Stream("acme")).Data.After.Get("margin"))
	if len(hash) < 32 {
		t.Fatalf("got %q as the hash", hash)
	}
	w.Check("acme")
	w.Put(masked("redact"))
	w.WantNoWords("acme", "canary", hash)
	w.Check("acme")
}

func TestResend(t *testing.T) {
	t.Parallel()
	w := webhooktest.NewWorld(t, webhooktest.Options{}, webhooktest.Undrafted())
	w.Edit(0, webhooktest.Cells{"Qty": 4})
	w.Settle()
	webhooktest.Must(t, w.Registrar.Resend(t.Context(), w.Reg.ID, "acme", "orders"))
	w.Settle()
	w.SeenTo["acme"] = 0
	w.WantChanges("sent again", `row.created snapshot null->{"no":"SO-1","status":"Open","qty":4}`)
}

func TestShareEndsAndComesAgain(t *testing.T) {
	t.Parallel()
	w := webhooktest.NewWorld(t, webhooktest.Options{}, webhooktest.Everything(), events.Request{Partner: "acme", Sheet: "numbers", Columns: webhooktest.Columns("No")})
	webhooktest.Must(t, w.Registrar.EndShare(t.Context(), w.Reg.ID, "acme", "orders"))
	w.Settle()
	w.Check("acme")
	for _, m := range w.Stream("acme") {
		if share, _ := webhooktest.ShareOf(m.Subject); share == "smartsheet.acme.orders" && m.Data.State != events.StateEnded {
			t.Errorf("message %d (%s) is left of a share that ended", m.Sequence, m.Subject)
		}
	}
	if got := len(w.Registry.Shares(w.Reg.ID)); got != 1 {
		t.Errorf("got %d shares after one ended, want 1", got)
	}
	w.SeenTo["acme"] = webhooktest.Last(w.Stream("acme"))
	w.Register("ops", w.Sheet.ID, webhooktest.Undrafted())
	w.WantChanges("shared again", `row.created snapshot null->{"no":"SO-1","status":"Open","qty":3}`)
	if s := webhooktest.StatusOf(w.Stream("acme"), "orders"); s.State != events.StateLive {
		t.Errorf("got status %s, want live", s.State)
	}
}

func TestNarrowsWithoutSmartsheet(t *testing.T) {
	t.Parallel()
	w := webhooktest.NewWorld(t, webhooktest.Options{}, events.Request{Partner: "acme", Columns: webhooktest.Columns("No", "Margin")})
	w.Sim.RevokeToken(w.Token)
	_, err := w.Registry.UpdateShare(t.Context(), "acme", "orders", webhooktest.Narrowed(t, w, events.Request{Columns: webhooktest.Columns("No")}))
	webhooktest.Must(t, err)
	webhooktest.Must(t, w.Inbox.Put(t.Context(), &inbox.Hint{Registration: w.Reg.ID, Why: inbox.WhyShare, Whole: true}))
	w.Settle()
	w.WantChanges("narrowed while the token is dead", `row.updated share null->{"no":"SO-1"}`, `row.updated share null->{"no":"SO-2"}`)
	w.WantNoWords("acme", "canary")
	if s := webhooktest.StatusOf(w.Stream("acme"), "orders"); s.State != events.StateSuspended {
		t.Errorf("got status %s, want suspended", s.State)
	}
	w.ReplaceToken("ops", w.Sim.AddToken(w.Jane))
	w.Edit(0, webhooktest.Cells{"No": "SO-1b"})
	w.Settle()
	w.WantChanges("the token was replaced", `row.updated share {"no":"SO-1"}->{"no":"SO-1b"}`)
	if s := webhooktest.StatusOf(w.Stream("acme"), "orders"); s.State != events.StateLive {
		t.Errorf("got status %s, want live", s.State)
	}
}

func TestTwoShares(t *testing.T) {
	t.Parallel()
	w := webhooktest.NewWorld(t, webhooktest.Options{}, webhooktest.Undrafted(), events.Request{Partner: "bolt", Columns: webhooktest.Columns("No", "Margin")})
	got := w.Requests(func() {
		w.Edit(0, webhooktest.Cells{"Qty": 9, "Margin": "canary-margin-9"})
		_, err := w.Sim.As(w.Jane).AddRows(w.Sheet.ID, smartsheettest.Row{Cells: webhooktest.Cells{"No": "SO-3", "Status": "Draft"}})
		webhooktest.Must(t, err)
		w.Settle()
	})
	w.Check("acme", "bolt")
	w.WantNoWords("acme", "canary", "SO-3", "bolt")
	w.WantNoWords("bolt", "Open", "Draft", "acme")
	if n := webhooktest.Count(got, "GET sheets/{sheet}"); n != len(got) {
		t.Errorf("got requests %v, want reads of the sheet only", got)
	}
}
