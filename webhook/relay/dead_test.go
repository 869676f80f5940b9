package relay_test

import (
	"net/http"
	"testing"

	"github.com/sheetbridge/sheetbridge/smartsheet/smartsheettest"
	"github.com/sheetbridge/sheetbridge/webhook/webhooktest"
)

// A hint whose request Smartsheet calls wrong is given up at the first pass: the
// same request would be wrong again.
func TestWrongRequestIsGivenUpAtOnce(t *testing.T) {
	t.Parallel()
	w := webhooktest.NewWorld(t, webhooktest.Options{}, webhooktest.Everything())
	w.Sim.SetFault(func(*http.Request) *smartsheettest.Fault { return &smartsheettest.Fault{Status: 400, ErrorCode: 1008} })
	w.Edit(0, webhooktest.Cells{"Qty": 4})
	w.Settle()
	dead, err := w.Inbox.Dead(t.Context(), 10)
	webhooktest.Must(t, err)
	if len(dead) != 1 || dead[0].Hint.Attempt != 1 {
		t.Errorf("got %+v, want one hint that one pass failed for", dead)
	}
}
