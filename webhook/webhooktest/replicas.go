package webhooktest

import (
	"context"
	"log/slog"

	"github.com/sheetbridge/sheetbridge/events/stream"
)

// Join runs all parts but the receiver a second time on the store of a bridge, as
// another process does.
func (b *Bridge) Join() *Bridge {
	b.T.Helper()
	other := &Bridge{T: b.T, Sim: b.Sim, Opts: b.Opts, Broker: b.Broker}
	other.EnterCluster()
	b.T.Cleanup(other.Leave)
	return other
}

func (b *Bridge) EnterCluster() {
	b.T.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	b.StopParts, b.readers = cancel, map[string]*stream.Stream{}
	log := slog.New(b.Opts.Log)
	b.open(ctx, log)
	b.Registrar.PublicURL = ""
	b.StartRelay()
}

// Leave ends the process of a bridge that joined, in the middle of whatever it
// does.
func (b *Bridge) Leave() {
	b.Partners.Close() // what is on its way to a partner may be stored or not
	b.StopRelay()
	b.StopParts()
	b.Parts.Wait()
}

// SettleDeferred returns when nothing is put off any more.
func (w *World) SettleDeferred() {
	w.T.Helper()
	w.Await("nothing is put off", func() bool {
		w.SettleAll()
		note, err := w.Inbox.Deferred(w.T.Context(), w.Reg.ID)
		Must(w.T, err)
		return note == nil || note.Whole == nil && len(note.Shares) == 0
	})
}
