package webhook_test

import (
	"net/http"
	"testing"

	"github.com/sheetbridge/sheetbridge/smartsheet/smartsheettest"
)

// A hint whose request Smartsheet calls wrong is given up at the first pass: the
// same request would be wrong again.
func TestWrongRequestIsGivenUpAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{}, everything())
	w.sim.SetFault(func(*http.Request) *smartsheettest.Fault { return &smartsheettest.Fault{Status: 400, ErrorCode: 1008} })
	w.edit(0, cells{"Qty": 4})
	w.settle()
	dead, err := w.inbox.Dead(t.Context(), 10)
	must(t, err)
	if len(dead) != 1 || dead[0].Hint.Attempt != 1 {
		t.Errorf("got %+v, want one hint that one pass failed for", dead)
	}
}
