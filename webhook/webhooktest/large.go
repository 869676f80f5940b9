package webhooktest

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/sheetbridge/sheetbridge/smartsheet/smartsheettest"
	"github.com/sheetbridge/sheetbridge/webhook/inbox"
)

// OnPage has onPage called whenever the bridge asks for rows of the sheet, with
// the number of the page and its size.
func (w *World) OnPage(onPage func(page, size int)) {
	w.Sim.SetFault(func(r *http.Request) *smartsheettest.Fault {
		page, _ := strconv.Atoi(r.FormValue("page"))
		size, _ := strconv.Atoi(r.FormValue("pageSize"))
		if strings.HasSuffix(r.URL.Path, "/sheets/"+FormatID(w.Sheet.ID)) && size > 1 {
			onPage(page, size)
		}
		return nil
	})
}

// ReadFully has the sheet compared as an admin does: even if its version has not
// moved.
func (w *World) ReadFully() {
	w.T.Helper()
	Must(w.T, w.Inbox.Put(w.T.Context(), &inbox.Hint{Registration: w.Reg.ID, Why: inbox.WhyAdmin, Whole: true, Full: true, ReceivedAt: time.Now()}))
	w.Settle()
}
