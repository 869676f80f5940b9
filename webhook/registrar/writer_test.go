package registrar_test

import (
	"errors"
	"testing"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/smartsheet/smartsheettest"
	"github.com/sheetbridge/sheetbridge/webhook/problem"
	"github.com/sheetbridge/sheetbridge/webhook/webhooktest"
)

// TestWriterMayEdit refuses terms whose writer may not edit the sheet, or is not there.
func TestWriterMayEdit(t *testing.T) {
	w := webhooktest.NewWorld(t, webhooktest.Options{}, webhooktest.Undrafted())
	user := w.Sim.AddUser(smartsheettest.User{Email: "writer@a.example", Name: "writer"})
	w.AddOwner("writer", w.Sim.AddToken(user))
	put := func(writer string) error {
		r := webhooktest.Undrafted()
		r.Write = &events.WriteTerms{Update: []string{"status"}, Owner: writer}
		return w.Registrar.PutShare(t.Context(), w.Reg.ID, "acme", "orders", r, false)
	}
	refused := func(doing, writer string) {
		t.Helper()
		var p *problem.Problem
		if err := put(writer); !errors.As(err, &p) || p.Fault != problem.Invalid || p.Field != "write.owner" {
			t.Errorf("%s: got %v, want write.owner refused as invalid", doing, err)
		}
	}
	refused("nobody of ours", "nobody")
	refused("one who does not see the sheet", "writer")
	webhooktest.Must(t, w.Sim.As(w.Jane).Share(w.Sheet.ID, user, "VIEWER"))
	refused("a viewer", "writer")
	webhooktest.Must(t, w.Sim.As(w.Jane).Share(w.Sheet.ID, user, "EDITOR"))
	webhooktest.Must(t, put("writer"))
	webhooktest.Must(t, put("")) // the owner who reads the sheet
}
