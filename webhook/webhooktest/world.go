package webhooktest

import (
	"bytes"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/smartsheet"
	"github.com/sheetbridge/sheetbridge/smartsheet/smartsheettest"
	"github.com/sheetbridge/sheetbridge/webhook/inbox"
	"github.com/sheetbridge/sheetbridge/webhook/registry"
)

type Cells = smartsheettest.Cells

// World is a bridge with one registered sheet of orders.
type World struct {
	*Bridge
	Jane   *smartsheettest.User
	Token  string
	Sheet  *smartsheettest.Sheet
	Reg    *registry.Registration
	SeenTo map[string]uint64 // by partner: what of the stream was looked at
}

func Columns(titles ...string) []events.RequestColumn {
	list := make([]events.RequestColumn, len(titles))
	for i, title := range titles {
		list[i].Title = title
	}
	return list
}

// Orders is a small sheet with a column that nobody may see.
func Orders(t testing.TB, sim *smartsheettest.Server) (*smartsheettest.User, string, *smartsheettest.Sheet) {
	t.Helper()
	jane := sim.AddUser(smartsheettest.User{Email: "jane@a.example", Name: "Jane Doe"})
	sheet, err := sim.AddSheet(smartsheettest.SheetSpec{
		Name: "Orders", Owner: jane,
		Columns: []smartsheettest.Column{
			{Title: "No"}, {Title: "Status", Type: "PICKLIST", Options: []string{"Open", "Done", "Draft"}},
			{Title: "Qty"}, {Title: "Margin"},
		},
		Rows: []smartsheettest.Row{
			{Cells: Cells{"No": "SO-1", "Status": "Open", "Qty": 3, "Margin": "canary-margin-1"}},
			{Cells: Cells{"No": "SO-2", "Status": "Draft", "Qty": 5, "Margin": "canary-margin-2"}},
		},
	})
	Must(t, err)
	return jane, sim.AddToken(jane), sheet
}

// NewWorld makes a bridge with owner "ops", the partners of the requests, and
// the sheet registered and loaded for them.
func NewWorld(t testing.TB, o Options, requests ...events.Request) *World {
	t.Helper()
	sim := smartsheettest.New(t, func(s *smartsheettest.Server) { s.RateLimit = -1 })
	w := &World{SeenTo: map[string]uint64{}}
	w.Jane, w.Token, w.Sheet = Orders(t, sim)
	w.Bridge = NewBridge(t, sim, o)
	w.AddOwner("ops", w.Token)
	for _, r := range requests {
		if w.Registry.Partner(r.Partner) == nil {
			w.AddPartner(r.Partner)
		}
	}
	if len(requests) > 0 {
		w.Reg = w.Register("ops", w.Sheet.ID, requests...)
	}
	for _, r := range requests {
		w.SeenTo[r.Partner] = Last(w.Stream(r.Partner))
	}
	return w
}

// Edit changes a row of the sheet by its place in the spec.
func (w *World) Edit(row int, c Cells) {
	w.T.Helper()
	Must(w.T, w.Sim.As(w.Jane).UpdateRows(w.Sheet.ID, smartsheettest.Row{ID: w.Sheet.Rows[row], Cells: c}))
}

// WantChanges compares what acme was told since it was last looked at, in whatever
// order, and has the oracle look at the whole stream.
func (w *World) WantChanges(doing string, want ...string) {
	w.T.Helper()
	all := w.Stream("acme")
	got := Objects(all, w.SeenTo["acme"])
	slices.Sort(got)
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		w.T.Errorf("%s (-want +got):\n%s", doing, diff)
	}
	w.SeenTo["acme"] = Last(all)
	w.Check("acme")
}

// WantNoWords fails for each message of a partner's stream that tells of a word.
func (w *World) WantNoWords(partner string, words ...string) {
	w.T.Helper()
	for _, m := range w.Stream(partner) {
		for _, word := range words {
			if bytes.Contains(m.Raw, []byte(word)) {
				w.T.Errorf("message %d of %s tells of %s: %s", m.Sequence, partner, word, m.Raw)
			}
		}
	}
}

// Count is how often an item is in a list.
func Count(list []string, item string) int {
	return len(slices.DeleteFunc(slices.Clone(list), func(s string) bool { return s != item }))
}

// Narrowed gives acme's share the definition of a request, as PutShare does,
// without asking Smartsheet.
func Narrowed(t testing.TB, w *World, request events.Request) func(*registry.Share) error {
	request.Partner, request.Sheet = "acme", "orders"
	return func(s *registry.Share) error {
		snap, _ := w.Sim.Snapshot(w.Sheet.ID)
		sheet := smartsheet.Sheet{ID: snap.ID, Name: snap.Name}
		for _, c := range snap.Columns {
			sheet.Columns = append(sheet.Columns, smartsheet.Column{ID: c.ID, Title: c.Title, Type: typeOf(c)})
		}
		now, err := request.Resolve(sheet)
		now.Region, now.Revision = s.Region, s.Revision+1
		s.Share = now
		return err
	}
}

func typeOf(c smartsheettest.Column) smartsheet.ColumnType {
	if c.Type == "" {
		return smartsheet.TextNumber
	}
	return smartsheet.ColumnType(c.Type)
}

func FormatID(id int64) string { return strconv.FormatInt(id, 10) }

// HintFor is the hint that a callback with this body gives.
func HintFor(w *World, body string) *inbox.Hint {
	w.T.Helper()
	cb, err := smartsheet.ParseCallback([]byte(body))
	Must(w.T, err)
	return inbox.FromCallback(w.Reg.ID, cb, time.Now())
}

// Delete ends the registration of the sheet, whose webhook goes at once.
func (w *World) Delete() {
	w.T.Helper()
	gone, err := w.Registrar.Delete(w.T.Context(), w.ID())
	Must(w.T, err)
	if !gone {
		w.T.Error("Smartsheet answers, and the webhook is not gone")
	}
}

// ID is the id of the sheet's registration, made or not.
func (w *World) ID() string { return registry.RegistrationID("ops", w.Sheet.ID) }
