package webhooktest

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/sheetbridge/sheetbridge/smartsheet"
	"github.com/sheetbridge/sheetbridge/smartsheet/smartsheettest"
	"github.com/sheetbridge/sheetbridge/webhook/registrar"
	"github.com/sheetbridge/sheetbridge/webhook/registry"
)

// OtherRegistrar is a registrar of another replica of the bridge.
func (w *World) OtherRegistrar() *registrar.Registrar {
	w.T.Helper()
	g, _ := w.Replica()
	return g
}

// Replica is another replica of the bridge, which knows what there is until stop
// is called.
func (w *World) Replica() (g *registrar.Registrar, stop func()) {
	w.T.Helper()
	log := slog.New(w.Opts.Log)
	ctx, cancel := context.WithCancel(context.WithoutCancel(w.T.Context()))
	other, err := registry.Open(ctx, w.Broker.Bridge(), w.Opts.Master, 1, log)
	Must(w.T, err)
	var run sync.WaitGroup
	run.Go(func() { _ = other.Run(ctx) })
	stop = func() { cancel(); run.Wait() }
	w.T.Cleanup(stop)
	<-other.Loaded()
	access := *w.Access
	access.Registry = other
	return &registrar.Registrar{Registry: other, Inbox: w.Inbox, Access: &access, ReconcileEvery: time.Hour, Log: log}, stop
}

// AddOtherSheet is another sheet of the same owner.
func (w *World) AddOtherSheet() int64 {
	w.T.Helper()
	s, err := w.Sim.AddSheet(smartsheettest.SheetSpec{Name: "Other", Owner: w.Jane, Columns: []smartsheettest.Column{{Title: "No"}}})
	Must(w.T, err)
	return s.ID
}

// WantReconciled fails unless the sheet's registration is active, loaded, and looked
// at again in time.
func (w *World) WantReconciled(doing string) {
	w.T.Helper()
	w.Settle()
	if reg := w.Registry.Registration(w.ID()); reg == nil || reg.Phase != registry.PhaseActive {
		w.T.Fatalf("%s: got registration %+v, want an active one", doing, reg)
	}
	w.Check("acme")
	if note, err := w.Inbox.Deferred(w.T.Context(), w.ID()); err != nil || note == nil || note.ReconcileEvery != w.Opts.ReconcileEvery {
		w.T.Errorf("%s: got note %+v and error %v, want it reconciled every %v", doing, note, err, w.Opts.ReconcileEvery)
	}
}

// StoreRegistration stores a registration of the sheet as it stands while it is made.
func (w *World) StoreRegistration(phase registry.Phase) error {
	w.T.Helper()
	reg, err := w.Registry.NewRegistration("ops", w.Sheet.ID)
	Must(w.T, err)
	snap, _ := w.Sim.Snapshot(w.Sheet.ID)
	sheet := smartsheet.Sheet{ID: snap.ID, Name: snap.Name}
	for _, c := range snap.Columns {
		sheet.Columns = append(sheet.Columns, smartsheet.Column{ID: c.ID, Title: c.Title, Type: typeOf(c)})
	}
	share, err := Everything().Resolve(sheet)
	Must(w.T, err)
	share.Region, share.Revision = "us", 1
	reg.Phase, reg.Status = phase, registry.StatusPolling
	reg.CreatedAt, reg.Until = time.Now().UTC(), time.Now().UTC()
	if err := w.Registry.CreateRegistration(w.T.Context(), reg); err != nil {
		return err
	}
	return w.Registry.CreateShares(w.T.Context(), []*registry.Share{{Share: share, Registration: reg.ID, CreatedAt: reg.CreatedAt}})
}
