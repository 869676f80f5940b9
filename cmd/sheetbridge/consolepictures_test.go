package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/events/eventstest"
	"github.com/sheetbridge/sheetbridge/smartsheet/smartsheettest"
)

// pictures is where the pictures of the README go; without it none are made.
var pictures = flag.String("pictures", "", "make the pictures of the README in this `directory`")

// TestPictures makes the pictures of the README, of the demo's data:
// deploy/pictures.sh runs it.
func TestPictures(t *testing.T) {
	if *pictures == "" {
		t.Skip("pictures are made with -pictures")
	}
	sim := smartsheettest.New(t, func(s *smartsheettest.Server) { s.RateLimit = -1 })
	seeded, err := smartsheettest.Seed(sim)
	if err != nil {
		t.Fatal(err)
	}
	s := startService(t, sim.URL())
	s.must("POST", "/v1/owners", map[string]string{"name": "ops", "region": "us", "token": seeded.OwnerToken}, nil)
	for _, name := range []string{"acme", "globex"} {
		s.must("POST", "/v1/partners", map[string]string{"name": name}, nil)
	}
	masked := columnsOf("Order No", "Customer", "Status", "Qty")
	masked[1].Mask = "hash"
	for _, r := range []registration{
		{"ops", fmt.Sprint(seeded.Orders.ID), []events.Request{
			{Partner: "acme", Sheet: "orders", Kinds: []string{"row", "attachment", "comment"}, Columns: columnsOf("Order No", "Customer", "Product", "Status", "Due Date", "Qty", "Price", "Done", "Account Manager", "Tags")},
			{Partner: "globex", Sheet: "orders", Columns: masked, Where: "status in ['Open', 'Shipped']"},
		}},
		{"ops", fmt.Sprint(seeded.Relaunch.ID), []events.Request{
			{Partner: "acme", Sheet: "plan", Columns: columnsOf("Task Name", "Start", "Finish", "Assigned To", "Status", "At Risk")},
		}},
	} {
		s.must("POST", "/v1/webhooks", r, nil)
	}
	w := openConsole(t, s.admin.URL())
	w.signIn(testToken)
	w.until(`document.querySelectorAll("tbody .state.is-live").length === 3`)
	w.picture("overview")
	w.open("#/live")
	for range 14 {
		if _, err := seeded.Editor.Step(); err != nil {
			t.Fatal(err)
		}
		if err := sim.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	w.until(`document.querySelectorAll(".event.is-updated").length > 4`)
	w.eval(`document.querySelector(".event.is-updated").click()`, nil)
	w.until(`document.querySelector(".sides .moved")`)
	w.picture("live")
}

// picture writes what the tab shows.
func (w *tab) picture(name string) {
	w.t.Helper()
	var image []byte
	w.run(chromedp.EmulateViewport(1280, 760, chromedp.EmulateScale(1.5)), chromedp.CaptureScreenshot(&image))
	if err := os.WriteFile(filepath.Join(*pictures, name+".png"), image, 0o644); err != nil {
		w.t.Fatal(err)
	}
}

// With 100 shares, 25 in the short form, the one that needs a person comes first. How long
// the page takes to show them is logged.
func TestConsoleWithHundredShares(t *testing.T) {
	each := eventstest.Times(5, 10) // sheets, and partners of each
	if *pictures != "" {
		each = 10
	}
	sim, jane, _ := ordersFor(t)
	s := startService(t, sim.URL())
	s.must("POST", "/v1/owners", map[string]string{"name": "ops", "region": "us", "token": sim.AddToken(jane)}, nil)
	for p := range each {
		s.must("POST", "/v1/partners", map[string]string{"name": fmt.Sprintf("partner-%d", p)}, nil)
	}
	for i := range each {
		sheet, err := sim.AddSheet(smartsheettest.SheetSpec{
			Name: fmt.Sprintf("Sheet %02d", i), Owner: jane, Columns: []smartsheettest.Column{{Title: "No"}, {Title: "Status"}, {Title: "Margin"}},
			Rows: []smartsheettest.Row{{Cells: smartsheettest.Cells{"No": 1, "Status": "Open"}}, {Cells: smartsheettest.Cells{"No": 2, "Status": "Done"}}},
		})
		if err != nil {
			t.Fatal(err)
		}
		body := map[string]any{"owner": "ops", "sheetId": fmt.Sprint(sheet.ID)}
		var shares []map[string]any
		for p := range each {
			share := map[string]any{"partner": fmt.Sprintf("partner-%d", p), "sheet": fmt.Sprintf("sheet-%02d", i), "columns": columnsOf("No", "Status"), "where": "status == 'Open'"}
			if i == 3 && p == 3 {
				share["where"] = "status == 'Nowhere'"
			}
			shares = append(shares, share)
		}
		body["shares"] = shares
		s.must("POST", "/v1/webhooks", body, nil)
	}
	w := openConsole(t, s.admin.URL())
	w.signIn(testToken)
	all := `document.querySelectorAll("tbody tr").length === ` + strconv.Itoa(each*each)
	w.until(all + ` && document.querySelectorAll("tbody .state.is-live").length === ` + strconv.Itoa(each*each))
	w.until(`[...document.querySelectorAll("button.count")].some((b) => b.innerText.includes("Filter shows too little") && b.innerText.startsWith("1"))`)
	var first string
	if w.eval(`document.querySelector("tbody tr").innerText`, &first); !strings.Contains(first, "partner-3/sheet-03") || !strings.Contains(first, "passes none of the 2 rows") {
		t.Errorf("got first %q, want the share that needs a person", first)
	}
	var took float64
	w.eval(`new Promise((done) => { const from = performance.now(); location.hash = "#/keys"; requestAnimationFrame(() => { location.hash = "#/overview"; const look = () => `+all+` ? done(performance.now() - from) : requestAnimationFrame(look); look(); }); })`, &took)
	begun := time.Now()
	w.run(chromedp.Navigate(w.base + "/?#token=" + testToken))
	w.until(all)
	var paint float64
	w.eval(`performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? 0`, &paint)
	t.Logf("%d shares: the page is painted after %.0f ms, shows all shares %s after it was asked for, and shows the overview again in %.0f ms", each*each, paint, time.Since(begun).Round(time.Millisecond), took)
	if *pictures != "" {
		w.picture("hundred")
	}
}
