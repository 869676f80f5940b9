package webhooktest

import ()

// SettleAll is settle for a world whose relay is started by hand.
func (w *World) SettleAll() {
	w.T.Helper()
	Must(w.T, w.Sim.Wait(w.T.Context()))
	Must(w.T, w.Inbox.Idle(w.T.Context()))
}
