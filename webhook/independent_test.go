package webhook_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/smartsheet/smartsheettest"
)

// TestOwnerThatIsNotAnswered: however many sheets of one owner wait for
// Smartsheet, the edits of another owner's sheet are published.
func TestOwnerThatIsNotAnswered(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{}, everything())
	bob := w.sim.AddUser(smartsheettest.User{Email: "bob@a.example", Name: "Bob"})
	token := w.sim.AddToken(bob)
	w.addOwner("bob", token)
	w.addPartner("bolt")
	var sheets []*smartsheettest.Sheet
	for i := range 48 {
		sheet, err := w.sim.AddSheet(smartsheettest.SheetSpec{
			Name: fmt.Sprint("Sheet ", i), Owner: bob, Columns: []smartsheettest.Column{{Title: "No"}},
			Rows: []smartsheettest.Row{{Cells: cells{"No": "B-1"}}},
		})
		must(t, err)
		sheets = append(sheets, sheet)
		_, _, err = w.registrar.Register(t.Context(), "bob", sheet.ID, []events.Request{{Partner: "bolt", Columns: columns("No")}})
		must(t, err)
	}
	w.settle()

	g := w.hold(func(r *http.Request) bool {
		return strings.HasSuffix(r.Header.Get("Authorization"), token) && r.Method == http.MethodGet
	})
	for _, sheet := range sheets {
		must(t, w.sim.As(bob).UpdateRows(sheet.ID, smartsheettest.Row{ID: sheet.Rows[0], Cells: cells{"No": "B-2"}}))
	}
	w.waitFor("a request of the owner is held", func() bool { return g.holding() > 0 })
	began := time.Now()
	w.edit(0, cells{"Qty": 4})
	w.waitFor("the other owner's edit is published", func() bool { return w.shows("acme", "4") })
	t.Logf("the other owner's edit took %v while %d requests were held", time.Since(began), g.holding())
	if g.holding() == 0 || w.shows("bolt", "B-2") {
		t.Error("the requests of the owner are not held any more")
	}
	g.release()
	w.settle()
	w.check("acme", "bolt")
}

// TestPartnerThatAnswersSlowly delays nobody else: the event of the other partner
// is stored while all answers of its NATS are held. It gets everything in the end.
func TestPartnerThatAnswersSlowly(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{}, everything())
	l := newLink(t, strings.TrimPrefix(foreignNATS(t, t.TempDir(), -1, 1<<20).ClientURL(), "nats://"))
	w.addExternal(t, "bolt", "nats://"+l.address)
	w.register("ops", w.sheet.ID, events.Request{Partner: "bolt", Columns: columns("No", "Qty")})
	w.check("acme", "bolt")
	l.hold()
	for _, qty := range []int{41, 42, 43} {
		began := time.Now()
		w.edit(0, cells{"Qty": qty})
		w.waitFor("the other partner gets the edit", func() bool { return w.shows("acme", fmt.Sprint(qty)) })
		t.Logf("the other partner's event took %v", time.Since(began))
		if why := w.partners.Trouble("bolt", "orders", nil); why != "" {
			t.Errorf("the other partner's event came only after the slow one was given up: %s", why)
		}
	}
	l.release()
	w.waitFor("the slow partner gets the last edit", func() bool { return w.shows("bolt", "43") })
	w.settle()
	w.check("acme", "bolt")
}
