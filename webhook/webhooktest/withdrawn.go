package webhooktest

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/smartsheet/smartsheettest"
)

// Margins shows what shares of these tests stop showing.
func Margins(partner string) events.Request {
	return events.Request{Partner: partner, Columns: Columns("No", "Margin")}
}

// PutShare changes a share of the orders, and waits for nothing. Its filter is not
// tried first, so that the relay alone reads rows.
func (w *World) PutShare(partner string, request events.Request) {
	w.T.Helper()
	request.FilterMayFail = true
	Must(w.T, w.Registrar.PutShare(w.T.Context(), w.Reg.ID, partner, "orders", request, true))
}

// StreamHas tells whether any message of a partner's stream has the word.
func (b *Bridge) StreamHas(partner, word string) bool {
	b.T.Helper()
	for _, m := range b.Stream(partner) {
		if bytes.Contains(m.Raw, []byte(word)) {
			return true
		}
	}
	return false
}

// Fill edits a row until the partner's stream takes no more.
func (w *World) Fill(partner string) {
	w.T.Helper()
	w.Limit(partner, 64<<10)
	for i := range 60 {
		w.Edit(0, Cells{"Margin": "canary-" + strings.Repeat(string(rune('a'+i%26)), 3900)})
		w.AwaitPass(func(string) bool { return true })
		if w.Partners.Full(partner) {
			return
		}
	}
	w.T.Fatal("the stream does not become full")
}

// FillWithOthers has another sheet's share fill the partner's stream.
func (w *World) FillWithOthers(partner string, limit int64) {
	w.T.Helper()
	sheet, err := w.Sim.AddSheet(smartsheettest.SheetSpec{
		Name: "Filler", Owner: w.Jane, Columns: []smartsheettest.Column{{Title: "No"}, {Title: "Margin"}},
		Rows: []smartsheettest.Row{{Cells: Cells{"No": "F"}}},
	})
	Must(w.T, err)
	filler := Margins(partner)
	filler.Sheet = "filler"
	w.Register("ops", sheet.ID, filler)
	w.Limit(partner, limit)
	for i := 0; !w.Partners.Full(partner); i++ {
		row := smartsheettest.Row{ID: sheet.Rows[0], Cells: Cells{"Margin": fmt.Sprint(i, strings.Repeat("f", 900))}}
		Must(w.T, w.Sim.As(w.Jane).UpdateRows(sheet.ID, row))
		w.AwaitPass(func(string) bool { return true })
	}
}

// AddPartnerThatGoesAway shares the sheet with a partner whose own server then goes away, and
// returns how to bring that back.
func (w *World) AddPartnerThatGoesAway(partner string) (comesBack func()) {
	w.T.Helper()
	dir := w.T.TempDir()
	server := ForeignNATS(w.T, dir, -1, 1<<20)
	w.AddExternal(w.T, partner, server.ClientURL())
	w.Register("ops", w.Sheet.ID, Margins(partner))
	var port int
	_, err := fmt.Sscanf(server.ClientURL(), "nats://127.0.0.1:%d", &port)
	Must(w.T, err)
	server.Shutdown()
	server.WaitForShutdown()
	return func() {
		ForeignNATS(w.T, dir, port, 1<<20)
		w.Partners.Forget(partner)
	}
}
