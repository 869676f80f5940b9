package webhooktest

import (
	"fmt"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/smartsheet/smartsheettest"
)

// Wide is a sheet with so many columns, and a request for all of them.
func (w *World) Wide(n int) (sheet int64, request events.Request) {
	w.T.Helper()
	spec := smartsheettest.SheetSpec{Name: "Wide", Owner: w.Jane}
	request = events.Request{Partner: "acme"}
	for i := range n {
		title := fmt.Sprintf("A column whose title is long enough, no. %d", i)
		spec.Columns = append(spec.Columns, smartsheettest.Column{Title: title})
		request.Columns = append(request.Columns, events.RequestColumn{Title: title})
	}
	s, err := w.Sim.AddSheet(spec)
	Must(w.T, err)
	return s.ID, request
}
