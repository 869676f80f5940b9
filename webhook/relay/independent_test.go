package relay_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/smartsheet/smartsheettest"
	"github.com/sheetbridge/sheetbridge/webhook/webhooktest"
)

// TestOwnerThatIsNotAnswered: however many sheets of one owner wait for
// Smartsheet, the edits of another owner's sheet are published.
func TestOwnerThatIsNotAnswered(t *testing.T) {
	t.Parallel()
	w := webhooktest.NewWorld(t, webhooktest.Options{}, webhooktest.Everything())
	bob := w.Sim.AddUser(smartsheettest.User{Email: "bob@a.example", Name: "Bob"})
	token := w.Sim.AddToken(bob)
	w.AddOwner("bob", token)
	w.AddPartner("bolt")
	var sheets []*smartsheettest.Sheet
	for i := range 48 {
		sheet, err := w.Sim.AddSheet(smartsheettest.SheetSpec{
			Name: fmt.Sprint("Sheet ", i), Owner: bob, Columns: []smartsheettest.Column{{Title: "No"}},
			Rows: []smartsheettest.Row{{Cells: webhooktest.Cells{"No": "B-1"}}},
		})
		webhooktest.Must(t, err)
		sheets = append(sheets, sheet)
		_, _, err = w.Registrar.Register(t.Context(), "bob", sheet.ID, []events.Request{{Partner: "bolt", Columns: webhooktest.Columns("No")}})
		webhooktest.Must(t, err)
	}
	w.Settle()

	g := w.Hold(func(r *http.Request) bool {
		return strings.HasSuffix(r.Header.Get("Authorization"), token) && r.Method == http.MethodGet
	})
	for _, sheet := range sheets {
		webhooktest.Must(t, w.Sim.As(bob).UpdateRows(sheet.ID, smartsheettest.Row{ID: sheet.Rows[0], Cells: webhooktest.Cells{"No": "B-2"}}))
	}
	w.Await("a request of the owner is held", func() bool { return g.Holding() > 0 })
	began := time.Now()
	w.Edit(0, webhooktest.Cells{"Qty": 4})
	w.Await("the other owner's edit is published", func() bool { return w.LastEventHas("acme", "4") })
	t.Logf("the other owner's edit took %v while %d requests were held", time.Since(began), g.Holding())
	if g.Holding() == 0 || w.LastEventHas("bolt", "B-2") {
		t.Error("the requests of the owner are not held any more")
	}
	g.Release()
	w.Settle()
	w.Check("acme", "bolt")
}

// TestPartnerThatAnswersSlowly delays nobody else: the event of the other partner
// is stored while all answers of its NATS are held. It gets everything in the end.
func TestPartnerThatAnswersSlowly(t *testing.T) {
	t.Parallel()
	w := webhooktest.NewWorld(t, webhooktest.Options{}, webhooktest.Everything())
	l := webhooktest.NewLink(t, strings.TrimPrefix(webhooktest.ForeignNATS(t, t.TempDir(), -1, 1<<20).ClientURL(), "nats://"))
	w.AddExternal(t, "bolt", "nats://"+l.Address)
	w.Register("ops", w.Sheet.ID, events.Request{Partner: "bolt", Columns: webhooktest.Columns("No", "Qty")})
	w.Check("acme", "bolt")
	// A busy machine may need as long for an edit as a partner has to answer: then the
	// edits are made once more.
	for try := 1; ; try++ {
		l.Hold()
		var why string
		qty := 100 * try
		for n := 0; n < 3 && why == ""; n++ {
			qty++
			w.Edit(0, webhooktest.Cells{"Qty": qty})
			w.Await("the other partner gets the edit", func() bool { return w.LastEventHas("acme", fmt.Sprint(qty)) })
			why = w.Partners.Failure("bolt", "orders", nil)
		}
		l.Release()
		w.Await("the slow partner gets the last edit", func() bool { return w.LastEventHas("bolt", fmt.Sprint(qty)) })
		if why == "" {
			break
		}
		if try == 5 {
			t.Fatalf("the other partner's event came only after the slow one was given up, %d times: %s", try, why)
		}
		w.Settle()
		w.Await("the slow partner is followed again", func() bool { return w.Partners.Failure("bolt", "orders", nil) == "" })
	}
	w.Settle()
	w.Check("acme", "bolt")
}
