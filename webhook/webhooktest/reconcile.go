package webhooktest

import (
	"github.com/sheetbridge/sheetbridge/smartsheet/smartsheettest"
)

// Drop lets callbacks be lost while f runs.
func (w *World) Drop(f func()) {
	w.T.Helper()
	w.Sim.SetCallbackFault(func(smartsheettest.Callback) smartsheettest.CallbackFault { return smartsheettest.Drop })
	f()
	Must(w.T, w.Sim.Wait(w.T.Context()))
	w.Sim.SetCallbackFault(nil)
}
