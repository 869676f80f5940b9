package webhooktest

import (
	"context"
	"net/http"

	"github.com/sheetbridge/sheetbridge/webhook/inbox"
)

// PurgeStream removes all that a partner's stream has, as the partner's administrator
// may do where NATS is not ours.
func (b *Bridge) PurgeStream(partner string) {
	b.T.Helper()
	s := b.Reader(partner)
	last, err := s.LastSequence(b.T.Context())
	Must(b.T, err)
	Must(b.T, s.PurgeBelow(b.T.Context(), "smartsheet."+partner+".>", last+1))
}

// DuringPass runs a pass for a hint, something else while a request of it is held, and
// returns when the pass has ended.
func (w *World) DuringPass(h *inbox.Hint, held func(*http.Request) bool, do func()) {
	w.T.Helper()
	g := w.Hold(held)
	ended := make(chan error, 1)
	ctx, cancel := context.WithCancel(w.T.Context())
	defer cancel()
	go func() { ended <- w.Handle(ctx, h) }()
	w.Await("the request is held", func() bool { return g.Holding() > 0 })
	do()
	g.Release()
	Must(w.T, <-ended)
	w.Sim.SetFault(nil)
}
