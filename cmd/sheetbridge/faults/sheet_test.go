package faults

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/sheetbridge/sheetbridge/events/eventstest"
	"github.com/sheetbridge/sheetbridge/smartsheet/smartsheettest"
)

// The token is revoked and replaced, the sheet is taken from its reader, given
// back, deleted and restored, columns come, go and change, rows move, and very
// many are pasted.
func TestFaultsSheet(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.embedded()
	w.settled(30 * time.Second)
	w.revokesToken()
	w.unshares()
	w.deletesSheet()
	w.changesColumns()
	must(t, w.sim.As(w.bill).UpdateRows(w.sheet.ID, rowUnder(w.rows[0], w.rows[1])))
	w.mu.Lock()
	w.add(eventstest.Times(600, 10_000))
	w.mu.Unlock()
	w.settled(120 * time.Second)
	p.stop()
	p.raced()
}

func (w *world) revokesToken() {
	w.t.Helper()
	w.sim.RevokeToken(w.token)
	w.edit()
	w.stands("suspended", 30*time.Second)
	w.token = w.sim.AddToken(w.jane)
	w.edit()
	_, err := w.admin.call(w.t.Context(), http.MethodPut, "/v1/owners/ops/token", map[string]string{"token": w.token}, nil)
	must(w.t, err)
	w.settled(30 * time.Second)
	w.stands("live", 30*time.Second)
}

// unshares takes the sheet from its reader and gives it back, edited meanwhile.
func (w *world) unshares() {
	w.t.Helper()
	for range eventstest.Times(1, 5) {
		must(w.t, w.sim.As(w.bill).Unshare(w.sheet.ID, w.jane))
		w.edit()
		w.stands("stale", 30*time.Second)
		w.edit()
		must(w.t, w.sim.As(w.bill).Share(w.sheet.ID, w.jane, "VIEWER"))
		w.edit()
		w.settled(30 * time.Second)
		w.stands("live", 30*time.Second)
		w.enabled(30 * time.Second)
	}
}

func (w *world) deletesSheet() {
	w.t.Helper()
	must(w.t, w.sim.As(w.bill).DeleteSheet(w.sheet.ID))
	w.stands("stale", 30*time.Second)
	w.sim.RestoreSheet(w.sheet.ID)
	w.edit()
	w.settled(30 * time.Second)
	w.stands("live", 30*time.Second)
}

// changesColumns renames, adds and deletes columns, and gives shared ones other
// types while their cells are edited: partners are told by a new schema.
func (w *world) changesColumns() {
	w.t.Helper()
	as, columns := w.sim.As(w.bill), w.sheet.Columns
	must(w.t, as.RenameColumn(w.sheet.ID, columns["Margin"], "Profit"))
	_, err := as.AddColumn(w.sheet.ID, smartsheettest.Column{Title: "Extra"})
	must(w.t, err)
	must(w.t, as.DeleteColumn(w.sheet.ID, columns["Margin"]))
	w.hidden = "Extra"

	stop := w.editing(30 * time.Millisecond)
	w.retypes(2, "TEXT_NUMBER")
	stop()
	w.settled(60 * time.Second)
	// Nobody knows any more which rows the filter of globex would hide.
	w.retypes(3, "DATE")
	eventstest.AwaitNil(w.t, 30*time.Second, "globex to see no row", func() error {
		globex := w.recorders["globex"]
		if err := globex.read(w.t); err != nil {
			return err
		}
		if n := globex.living("orders"); n > 0 {
			return fmt.Errorf("it sees %d", n)
		}
		if s, _ := globex.status("orders"); s.state != "stale" {
			return fmt.Errorf("it is told %q", s.state)
		}
		return nil
	})
	w.retypes(4, "PICKLIST", "Open", "Done", "Draft")
	stop = w.editing(30 * time.Millisecond)
	pause(w.t, time.Second)
	stop()
	w.settled(60 * time.Second)
	w.stands("live", 30*time.Second)
}

// retypes gives the shared column Status another type, and waits for the schema
// that follows.
func (w *world) retypes(schemas int, kind string, options ...string) {
	w.t.Helper()
	must(w.t, w.sim.As(w.bill).RetypeColumn(w.sheet.ID, w.sheet.Columns["Status"], kind, options...))
	acme := w.recorders["acme"]
	eventstest.AwaitNil(w.t, 30*time.Second, "the schema with "+kind, func() error {
		if err := acme.read(w.t); err != nil {
			return err
		}
		if got := len(acme.subjects["smartsheet.acme.orders.schema"]); got != schemas {
			return fmt.Errorf("%d schemas, want %d", got, schemas)
		}
		return nil
	})
}

// enabled waits until the webhook works again.
func (w *world) enabled(within time.Duration) {
	w.t.Helper()
	eventstest.AwaitNil(w.t, within, "the webhook", func() error {
		for _, hook := range w.sim.Webhooks() {
			if hook.Status != "ENABLED" {
				return fmt.Errorf("webhook %d is %s", hook.ID, hook.Status)
			}
		}
		return nil
	})
}
