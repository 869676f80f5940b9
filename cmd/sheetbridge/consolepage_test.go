package main

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/events/eventstest"
	"github.com/sheetbridge/sheetbridge/events/seal"
	"github.com/sheetbridge/sheetbridge/smartsheet/smartsheettest"
)

// What a cell can hold that a page must not take for anything but text.
const (
	markup  = `<img src=x onerror="document.title='owned';fetch('http://203.0.113.9/')"><script>document.title='owned'</script>`
	foreign = "مرحبا \u202Eabc 👩‍🚀"
)

// ordersFor is a simulated Smartsheet with a sheet of orders.
func ordersFor(t *testing.T) (*smartsheettest.Server, *smartsheettest.User, *smartsheettest.Sheet) {
	t.Helper()
	sim := smartsheettest.New(t, func(s *smartsheettest.Server) { s.RateLimit = -1 })
	jane := sim.AddUser(smartsheettest.User{Email: "jane@a.example", Name: "Jane Doe"})
	sheet, err := sim.AddSheet(smartsheettest.SheetSpec{
		Name: "Orders", Owner: jane,
		Columns: []smartsheettest.Column{{Title: "No"}, {Title: "Status"}, {Title: "Note"}, {Title: "Margin"}},
		Rows: []smartsheettest.Row{
			{Cells: smartsheettest.Cells{"No": "SO-1", "Status": "Open", "Note": markup, "Margin": 3}},
			{Cells: smartsheettest.Cells{"No": "SO-2", "Status": "Draft", "Note": strings.Repeat("long ", 800), "Margin": 5}},
			{Cells: smartsheettest.Cells{"No": "SO-3", "Status": "Open", "Note": foreign}},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return sim, jane, sheet
}

// shared has the sheet shared with acme, and loaded: the page asks again only after seconds.
func (s *running) shared(sim *smartsheettest.Server, jane *smartsheettest.User, sheet *smartsheettest.Sheet) (webhook string) {
	s.t.Helper()
	s.must("POST", "/v1/owners", map[string]string{"name": "ops", "region": "us", "token": sim.AddToken(jane)}, nil)
	s.must("POST", "/v1/partners", map[string]string{"name": "acme"}, nil)
	var made struct{ ID string }
	s.must("POST", "/v1/webhooks", registration{"ops", fmt.Sprint(sheet.ID), []events.Request{
		{Partner: "acme", Sheet: "orders", Columns: columnsOf("No", "Status", "Note")},
	}}, &made)
	s.awaitState(made.ID, "live")
	return made.ID
}

// awaitState waits until every share of a registration has a state.
func (s *running) awaitState(webhook, state string) {
	s.t.Helper()
	eventstest.AwaitNil(s.t, patience, "the shares to be "+state, func() error {
		var reg struct{ Shares []struct{ State string } }
		s.must("GET", "/v1/webhooks/"+webhook, nil, &reg)
		if len(reg.Shares) == 0 {
			return errors.New("there is none")
		}
		for _, share := range reg.Shares {
			if share.State != state {
				return fmt.Errorf("one is %s", share.State)
			}
		}
		return nil
	})
}

// The first day, by clicking alone: from an empty service to a partner's first event.
func TestConsoleFirstDay(t *testing.T) {
	sim, jane, sheet := ordersFor(t)
	s := startService(t, sim.URL())
	w := openConsole(t, s.admin.URL())
	w.signIn(testToken)
	w.see("Start here")
	w.click("Add an owner")
	w.fill("Name", "ops")
	w.fill("Access token", "not-the-token-of-anybody")
	w.click("Add")
	w.until(`document.querySelector(".field.wrong .error")?.innerText.includes("Smartsheet")`) // beside the field, in Smartsheet's words
	w.fill("Access token", string(sim.AddToken(jane)))
	w.click("Add")
	w.see("Owner ops is added")
	w.click("To the overview")
	w.click("Add a partner")
	w.fill("Name", "acme")
	w.click("Add")
	w.see("BEGIN NATS USER JWT")
	var creds string
	w.eval(`document.querySelector("pre.secret").innerText`, &creds)
	w.click("Share a sheet")
	w.fill("Find a sheet by its name", "orde")
	w.until(`document.querySelector(".pick button")`)
	w.eval(`document.querySelector(".pick button").click()`, nil)
	w.fill("Share No", "")
	w.fill("Share Status", "")
	w.see("3 of 3 rows leave")
	w.fill("Filter", "status")
	w.until(`document.querySelector(".field.wrong .error")?.innerText.includes("not true or false")`)
	w.fill("Filter", "status > 3")
	w.see("3 cannot be evaluated")
	w.see("no such overload")
	w.fill("Filter", "status != 'Draft'")
	w.see("2 of 3 rows leave · 1 hidden")
	w.click("The very events")
	w.see(`"sheetbridge.row.created"`)
	w.click("Share with acme")
	w.see("acme/orders")
	w.until(`[...document.querySelectorAll(".card .state")].some((e) => e.innerText === "live")`)
	first := s.tail(seal.Secret(creds)).wait(t, `smartsheet\.acme\.orders\.row\.(\d+) (.*)\n`)
	if !strings.Contains(first[2], `"no":"SO-`) || strings.Contains(first[2], "margin") {
		t.Errorf("got %s, want the first event of what was ticked", first[2])
	}
	w.click("Watch live")
	w.see("row.created")
	if err := sim.As(jane).UpdateRows(sheet.ID, smartsheettest.Row{ID: sheet.Rows[0], Cells: smartsheettest.Cells{"Status": "Shipped"}}); err != nil {
		t.Fatal(err)
	}
	w.until(`[...document.querySelectorAll(".event.is-updated")].some((e) => e.innerText.includes("Open") && e.innerText.includes("Shipped"))`)
	w.click("Overview")
	w.until(`!document.querySelector(".steps") && document.querySelector("table")`)
}

// A read-only token sees everything but cells, and can do nothing.
func TestConsoleReadOnly(t *testing.T) {
	sim, jane, sheet := ordersFor(t)
	s := startService(t, sim.URL())
	id := s.shared(sim, jane, sheet)
	w := openConsole(t, s.admin.URL())
	w.signIn("canary-reader-token")
	w.see("acme/orders")
	w.open("#/live?partner=acme")
	w.see("row.created")
	w.eval(`document.querySelector(".event").click()`, nil)
	w.see("not for a read-only token")
	views := append(consoleViews(id), "#/new")
	for _, view := range views {
		w.open(view)
		for _, act := range []string{"New share", "Add an owner", "Add a partner", "Change", "Publish again", "End the share", "Compare now", "End all shares", "Revoke", "Remove the partner", "Replace the key", "Try again"} {
			if w.has(act) {
				t.Errorf("%s: there is %q, want nothing that changes anything", view, act)
			}
		}
		var text string
		w.eval(`document.body.innerText`, &text)
		for _, cell := range []string{"SO-1", "onerror", "Draft"} {
			if strings.Contains(text, cell) {
				t.Errorf("%s: shows %q to a read-only token", view, cell)
			}
		}
	}
}

// A share that is not kept up to date is found from the overview, with the way out.
func TestConsoleStaleShare(t *testing.T) {
	sim, jane, sheet := ordersFor(t)
	s := startService(t, sim.URL())
	id := s.shared(sim, jane, sheet)
	w := openConsole(t, s.admin.URL())
	w.signIn(testToken)
	w.until(`document.querySelector("tbody .state")?.innerText === "live"`)
	sim.SetFault(func(*http.Request) *smartsheettest.Fault { return &smartsheettest.Fault{Status: 401, ErrorCode: 1002} }) // the token is not accepted any more
	s.must("POST", "/v1/webhooks/"+id+"/reconcile", nil, nil)
	w.until(`/suspended|stale/.test(document.querySelector("tbody .state")?.innerText)`)
	w.until(`[...document.querySelectorAll("button.count")].some((b) => /^1\s+(Suspended|Stale)/.test(b.innerText))`)
	w.eval(`[...document.querySelectorAll("button.count")].find((b) => /^1\s+(Suspended|Stale)/.test(b.innerText)).click()`, nil)
	w.until(`/state=(suspended|stale)/.test(location.hash)`)
	w.until(`/^To the (owner|doctor)$/.test(document.querySelector("tbody a.button")?.innerText)`)
	w.eval(`document.querySelector("tbody a.button").click()`, nil)
	w.until(`document.querySelector(".way, .why, .error")`)
	w.see("ops")
	w.open("#/doctor?level=wrong")
	w.click("Replace the token") // the way out of what is wrong with the owner
	w.see("New token of the same user")
}

// What is in a cell is text wherever it is shown.
func TestConsoleHostileCells(t *testing.T) {
	sim, jane, sheet := ordersFor(t)
	s := startService(t, sim.URL())
	id := s.shared(sim, jane, sheet)
	w := openConsole(t, s.admin.URL())
	w.signIn(testToken)
	text := func(where string) {
		t.Helper()
		var injected bool
		w.eval(`!!document.querySelector("#app img, #app script, #app iframe") || document.title === "owned"`, &injected)
		if injected {
			t.Errorf("%s: a cell became markup", where)
		}
		var wide float64
		if w.eval(`document.documentElement.scrollWidth - innerWidth`, &wide); wide > 0 {
			t.Errorf("%s: a cell makes the page %v pixels too wide", where, wide)
		}
	}
	w.open(fmt.Sprintf("#/new?owner=ops&sheet=%d&partner=acme", sheet.ID))
	w.fill("Share Note", "")
	w.see(`<img src=x onerror=`)
	w.see("👩‍🚀")
	text("preview")
	w.open("#/live?partner=acme&kind=row")
	w.until(`document.querySelectorAll(".event").length >= 3`)
	for i := range 3 {
		w.eval(fmt.Sprintf(`document.querySelectorAll(".event")[%d].click()`, i), nil)
		w.until(`document.querySelector(".sides")`)
		text("live")
	}
	for i, row := range sheet.Rows {
		w.open(fmt.Sprintf("#/explain?webhook=%s&partner=acme&sheet=orders&row=%d", id, row))
		w.see(fmt.Sprintf("SO-%d", i+1))
		text("explain")
	}
	var isolated bool
	w.eval(`[...document.querySelectorAll("bdi")].length > 0 && getComputedStyle(document.querySelector("bdi")).unicodeBidi.includes("isolate")`, &isolated)
	if !isolated {
		t.Error("text of a cell may change the direction of what is around it")
	}
}

// The console can be used with the keyboard alone.
func TestConsoleKeyboard(t *testing.T) {
	sim, jane, sheet := ordersFor(t)
	s := startService(t, sim.URL())
	s.shared(sim, jane, sheet)
	w := openConsole(t, s.admin.URL())
	w.run(chromedp.Navigate(w.base + "/"))
	w.until(`document.activeElement?.type === "password"`)
	w.run(chromedp.KeyEvent(testToken), chromedp.KeyEvent(kb.Enter))
	w.see("acme/orders")
	press := func(key string) { t.Helper(); w.run(chromedp.KeyEvent(key)) }
	reach := func(name string) {
		t.Helper()
		for range 80 {
			press(kb.Tab)
			var at string
			w.eval(`document.activeElement?.innerText?.trim() ?? ""`, &at)
			if at != name {
				continue
			}
			var outline string
			if w.eval(`getComputedStyle(document.activeElement).outlineStyle`, &outline); outline == "none" {
				t.Errorf("%s has the focus and does not show it", name)
			}
			return
		}
		t.Fatalf("%q is not reached with Tab", name)
	}
	reach("Skip to the content")
	reach("Live")
	press(kb.Enter)
	w.see("row.created")
	w.until(`document.activeElement?.tagName === "H1"`) // who comes to a view is at its beginning
	for range 20 {
		press(kb.Tab)
		var at bool
		if w.eval(`document.activeElement?.classList.contains("window")`, &at); at {
			break
		}
	}
	press(kb.ArrowDown)
	press(kb.ArrowDown)
	w.until(`document.querySelector(".event[aria-pressed=true]") && document.querySelector(".detail")`)
	w.open("#/shares/" + shareOf(s))
	reach("End the share")
	press(kb.Enter)
	w.until(`document.querySelector("dialog[open]")`)
	w.run(input.DispatchKeyEvent(input.KeyDown).WithKey("Escape").WithCode("Escape").WithWindowsVirtualKeyCode(27))
	w.until(`!document.querySelector("dialog[open]")`)
	press(kb.Enter)
	w.until(`document.querySelector("dialog[open]")`)
	w.fill("Type acme/orders to go on", "acme/orders")
	press(kb.Enter)
	w.until(`location.hash === "#/sheets"`)
}

// shareOf is the address of the one share.
func shareOf(s *running) string {
	var list struct{ Items []struct{ ID string } }
	s.must("GET", "/v1/webhooks", nil, &list)
	return list.Items[0].ID + "/acme/orders"
}

// consoleViews are all views of the console, with a share in them.
func consoleViews(webhook string) []string {
	return []string{
		"#/overview", "#/live?partner=acme", "#/sheets", "#/shares/" + webhook + "/acme/orders", "#/partners", "#/partners/acme",
		"#/owners", "#/owners/ops", "#/explain", "#/doctor", "#/dead", "#/audit", "#/keys",
	}
}

// Every view fits into 360 pixels, and axe-core finds nothing serious on any, light
// or dark.
func TestConsoleViews(t *testing.T) {
	sim, jane, sheet := ordersFor(t)
	s := startService(t, sim.URL())
	id := s.shared(sim, jane, sheet)
	w := openConsole(t, s.admin.URL())
	w.signIn(testToken)
	views := append(consoleViews(id), "#/partners?new=1", "#/owners?new=1", fmt.Sprintf("#/new?owner=ops&partner=acme&sheet=%d", sheet.ID), "#/shares/"+id+"/acme/orders?edit=1",
		fmt.Sprintf("#/explain?webhook=%s&partner=acme&sheet=orders&row=%d", id, sheet.Rows[0]))
	source, missing := axe()
	if missing == nil {
		w.eval(source+"; 0", nil)
	}
	for _, view := range views {
		w.size(360, 740)
		w.open(view)
		var wide float64
		if w.eval(`document.documentElement.scrollWidth`, &wide); wide > 360 {
			t.Errorf("%s: got %v pixels, want 360", view, wide)
		}
		w.size(1280, 900)
		switch view {
		case "#/live?partner=acme":
			w.until(`document.querySelector(".event")`)
			w.eval(`document.querySelector(".event").click()`, nil)
			w.until(`document.querySelector(".detail")`)
		case "#/shares/" + id + "/acme/orders":
			w.click("End the share")
			w.until(`document.querySelector("dialog[open]")`)
		}
		if missing == nil {
			w.accessible(view)
		}
	}
	if missing != nil {
		t.Skipf("axe-core cannot be had, so that nothing was looked at with it: %v", missing)
	}
}

// accessible has axe-core look at what is shown, light and dark.
func (w *tab) accessible(view string) {
	w.t.Helper()
	rules := map[string]string{"light": "", "dark": `, runOnly: ["color-contrast", "link-in-text-block"]`} // the other rules see no colours
	if eventstest.Long() {
		rules["dark"] = ""
	}
	for _, scheme := range []string{"dark", "light"} {
		w.scheme(scheme)
		var dark bool
		if w.eval(`getComputedStyle(document.body).backgroundColor === "rgb(20, 24, 26)"`, &dark); dark != (scheme == "dark") {
			w.t.Errorf("%s, %s: got a dark page: %v", view, scheme, dark)
		}
		var found []struct{ Impact, Text string }
		w.eval(`axe.run(document, { resultTypes: ["violations"]`+rules[scheme]+` }).then((r) => r.violations.map((v) => ({ Impact: v.impact, Text: v.id + ": " + v.nodes.map((n) => n.target.join(" ") + " " + (n.any[0]?.message ?? "")).join("; ") })))`, &found)
		for _, f := range found {
			if f.Impact == "serious" || f.Impact == "critical" {
				w.t.Errorf("%s, %s: %s", view, scheme, f.Text)
			} else {
				w.t.Logf("%s, %s: %s: %s", view, scheme, f.Impact, f.Text)
			}
		}
	}
}

// The token of a link is taken out of the address bar at once and sent in no address.
func TestConsoleTokenOfALink(t *testing.T) {
	sim, jane, sheet := ordersFor(t)
	s := startService(t, sim.URL())
	s.shared(sim, jane, sheet)
	w := openConsole(t, s.admin.URL())
	w.run(chromedp.Navigate(w.base + "/#token=" + testToken))
	w.see("acme/orders")
	var at string
	if w.eval(`location.href + JSON.stringify(history.state) + document.cookie + JSON.stringify({ ...localStorage, ...sessionStorage })`, &at); strings.Contains(at, testToken) {
		t.Errorf("got %s, want the token in memory alone", at)
	}
}
