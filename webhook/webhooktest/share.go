package webhooktest

import (
	"github.com/sheetbridge/sheetbridge/events"
)

// Put changes acme's share of the orders.
func (w *World) Put(request events.Request) {
	w.T.Helper()
	err := w.Registrar.PutShare(w.T.Context(), w.Reg.ID, "acme", "orders", request, true)
	Must(w.T, err)
	w.Settle()
}

// Define gives acme's share another definition, and nobody is told yet.
func (w *World) Define(request events.Request) {
	w.T.Helper()
	_, err := w.Registry.UpdateShare(w.T.Context(), "acme", "orders", Narrowed(w.T, w, request))
	Must(w.T, err)
}
