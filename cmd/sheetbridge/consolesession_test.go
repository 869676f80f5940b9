package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/smartsheet/smartsheettest"
)

// An address leads to its view once somebody has signed in, the back button to the view
// before with its filters, and nothing of who signed in is kept: not when the page is
// loaded again, and not after signing out.
func TestConsoleSession(t *testing.T) {
	sim, jane, sheet := ordersFor(t)
	s := startService(t, sim.URL())
	id := s.shared(sim, jane, sheet)
	w := openConsole(t, s.admin.URL())
	signIn := func() {
		t.Helper()
		w.fill("Admin token", testToken)
		w.click("Sign in")
	}
	w.run(chromedp.Navigate(w.base + "/#/partners/acme"))
	signIn()
	w.until(`document.querySelector("h1").innerText === "Partner acme"`)
	w.click("Overview")
	w.until(`document.querySelector("tbody .state.is-live")`)
	w.eval(`[...document.querySelectorAll("button.count")].find((b) => b.innerText.includes("Live")).click()`, nil)
	w.until(`location.hash === "#/overview?state=live"`)
	w.click("acme/orders")
	w.until(fmt.Sprintf(`location.hash === "#/shares/%s/acme/orders"`, id))
	w.see("What leaves")
	w.eval(`history.back()`, nil)
	w.until(`location.hash === "#/overview?state=live" && document.querySelector("button.count[aria-pressed=true]")`)
	var kept string
	if w.eval(`document.cookie + JSON.stringify({ ...localStorage, ...sessionStorage, state: history.state }) + location.href`, &kept); strings.Contains(kept, testToken) {
		t.Errorf("got %s, want the token in memory alone", kept)
	}
	w.run(chromedp.Reload())
	w.until(`document.querySelector("input[type=password]")`)
	signIn()
	w.until(`document.querySelector("button.count[aria-pressed=true]")`) // where it was
	w.click("Sign out")
	w.until(`document.querySelector("input[type=password]")?.value === ""`)
	var text string
	if w.eval(`document.body.innerText`, &text); strings.Contains(text, "acme") {
		t.Errorf("got %q after signing out, want nothing of what was shown", text)
	}
	w.eval(`history.back()`, nil)
	w.until(`document.querySelector("input[type=password]")`)
}

// The live view keeps the last 500 events and draws those that are in sight. Cut off,
// it says so, goes on where it was, and shows nothing twice.
func TestConsoleLiveGoesOn(t *testing.T) {
	sim, jane, sheet := ordersFor(t)
	rows := make([]smartsheettest.Row, 300)
	for i := range rows {
		rows[i].Cells = smartsheettest.Cells{"No": fmt.Sprintf("SO-%d", 100+i), "Status": "Open"}
	}
	for range 2 {
		if _, err := sim.As(jane).AddRows(sheet.ID, rows...); err != nil {
			t.Fatal(err)
		}
	}
	s := startService(t, sim.URL())
	s.shared(sim, jane, sheet)
	target, err := url.Parse(s.admin.URL())
	if err != nil {
		t.Fatal(err)
	}
	forward := httputil.NewSingleHostReverseProxy(target)
	var down atomic.Bool
	between := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if down.Load() {
			panic(http.ErrAbortHandler) // as a network that is gone
		}
		forward.ServeHTTP(rw, r)
	}))
	t.Cleanup(between.Close)
	t.Cleanup(between.CloseClientConnections) // the page follows until its tab is closed
	w := openConsole(t, between.URL)
	w.signIn(testToken)
	w.until(`document.querySelector("tbody .state.is-live")`)
	w.open("#/live?partner=acme&kind=row")
	w.until(`document.querySelector(".all")?.offsetHeight === 500 * 44`)
	var drawn int
	if w.eval(`document.querySelectorAll(".event").length`, &drawn); drawn == 0 || drawn > 60 {
		t.Errorf("got %d events drawn, want those that are in sight", drawn)
	}
	set := func(status string) {
		t.Helper()
		if err := sim.As(jane).UpdateRows(sheet.ID, smartsheettest.Row{ID: sheet.Rows[0], Cells: smartsheettest.Cells{"Status": status}}); err != nil {
			t.Fatal(err)
		}
	}
	shown := func(status string) string {
		return `[...document.querySelectorAll(".event.is-updated ins")].filter((e) => e.innerText === "` + status + `").length === 1`
	}
	set("Packed")
	w.until(shown("Packed"))
	down.Store(true)
	between.CloseClientConnections()
	w.until(`document.querySelector(".actions .state.is-stale")`)
	set("Shipped")
	down.Store(false)
	w.until(`document.querySelector(".actions .state.is-live")`)
	w.until(shown("Shipped") + ` && ` + shown("Packed"))
	const all = "connected · 605 events" // each of the 603 rows, and both changes, once
	var counted string
	w.eval(`document.querySelector(".actions .state").innerText`, &counted)
	if counted != all {
		t.Errorf("got %q, want %q", counted, all)
	}
}

// The doctor tells one cause once: what comes of an owner whose access does not work
// stands with the owner.
func TestConsoleDoctorTellsOneCauseOnce(t *testing.T) {
	sim, jane, sheet := ordersFor(t)
	s := startService(t, sim.URL())
	ids := []string{s.shared(sim, jane, sheet)}
	returns, err := sim.AddSheet(smartsheettest.SheetSpec{Name: "Returns", Owner: jane, Columns: []smartsheettest.Column{{Title: "No"}}, Rows: []smartsheettest.Row{{Cells: smartsheettest.Cells{"No": 1}}}})
	if err != nil {
		t.Fatal(err)
	}
	var made struct{ ID string }
	s.must("POST", "/v1/webhooks", registration{"ops", fmt.Sprint(returns.ID), []events.Request{{Partner: "acme", Sheet: "returns", Columns: columnsOf("No")}}}, &made)
	s.awaitState(made.ID, "live")
	w := openConsole(t, s.admin.URL())
	w.signIn(testToken)
	w.until(`document.querySelectorAll("tbody .state.is-live").length === 2`)
	sim.SetFault(func(*http.Request) *smartsheettest.Fault { return &smartsheettest.Fault{Status: 401, ErrorCode: 1002} })
	for _, id := range append(ids, made.ID) {
		s.must("POST", "/v1/webhooks/"+id+"/reconcile", nil, nil)
	}
	for _, id := range append(ids, made.ID) {
		s.awaitState(id, "suspended")
	}
	w.until(`document.querySelectorAll(".state.is-suspended").length === 2`)
	w.open("#/doctor")
	var found []string
	w.eval(`[...document.querySelectorAll(".checks > li:not(.well)")].map((e) => e.textContent).filter((text) => /ops|Orders|Returns|acme/.test(text))`, &found)
	if len(found) != 1 || !strings.Contains(found[0], "4 other findings have the same cause") {
		t.Fatalf("got %q, want one finding with what comes of it", found)
	}
	for _, name := range []string{"ops", "Orders", "Returns", "acme/orders", "acme/returns"} {
		if !strings.Contains(found[0], name) {
			t.Errorf("got %q, want %s in it", found[0], name)
		}
	}
}
