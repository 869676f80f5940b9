package webhook_test

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

type cells = smartsheettest.Cells

// world is a bridge with one registered sheet of orders.
type world struct {
	*bridge
	jane  *smartsheettest.User
	token string
	sheet *smartsheettest.Sheet
	reg   *registry.Registration
	at    map[string]uint64 // by partner: what of the stream was looked at
}

func columns(titles ...string) []events.RequestColumn {
	list := make([]events.RequestColumn, len(titles))
	for i, title := range titles {
		list[i].Title = title
	}
	return list
}

// orders is a small sheet with a column that nobody may see.
func orders(t testing.TB, sim *smartsheettest.Server) (*smartsheettest.User, string, *smartsheettest.Sheet) {
	t.Helper()
	jane := sim.AddUser(smartsheettest.User{Email: "jane@a.example", Name: "Jane Doe"})
	sheet, err := sim.AddSheet(smartsheettest.SheetSpec{
		Name: "Orders", Owner: jane,
		Columns: []smartsheettest.Column{
			{Title: "No"}, {Title: "Status", Type: "PICKLIST", Options: []string{"Open", "Done", "Draft"}},
			{Title: "Qty"}, {Title: "Margin"},
		},
		Rows: []smartsheettest.Row{
			{Cells: cells{"No": "SO-1", "Status": "Open", "Qty": 3, "Margin": "canary-margin-1"}},
			{Cells: cells{"No": "SO-2", "Status": "Draft", "Qty": 5, "Margin": "canary-margin-2"}},
		},
	})
	must(t, err)
	return jane, sim.AddToken(jane), sheet
}

// newWorld makes a bridge with owner "ops", the partners of the requests, and
// the sheet registered and loaded for them.
func newWorld(t testing.TB, o options, requests ...events.Request) *world {
	t.Helper()
	sim := smartsheettest.New(t, func(s *smartsheettest.Server) { s.RateLimit = -1 })
	w := &world{at: map[string]uint64{}}
	w.jane, w.token, w.sheet = orders(t, sim)
	w.bridge = newBridge(t, sim, o)
	w.addOwner("ops", w.token)
	for _, r := range requests {
		if w.registry.Partner(r.Partner) == nil {
			w.addPartner(r.Partner)
		}
	}
	if len(requests) > 0 {
		w.reg = w.register("ops", w.sheet.ID, requests...)
	}
	for _, r := range requests {
		w.at[r.Partner] = last(w.stream(r.Partner))
	}
	return w
}

// edit changes a row of the sheet by its place in the spec.
func (w *world) edit(row int, c cells) {
	w.t.Helper()
	must(w.t, w.sim.As(w.jane).UpdateRows(w.sheet.ID, smartsheettest.Row{ID: w.sheet.Rows[row], Cells: c}))
}

// got compares what acme was told since it was last looked at, in whatever
// order, and has the oracle look at the whole stream.
func (w *world) got(doing string, want ...string) {
	w.t.Helper()
	all := w.stream("acme")
	got := objects(all, w.at["acme"])
	slices.Sort(got)
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		w.t.Errorf("%s (-want +got):\n%s", doing, diff)
	}
	w.at["acme"] = last(all)
	w.check("acme")
}

// hides fails for each message of a partner's stream that tells of a word.
func (w *world) hides(partner string, words ...string) {
	w.t.Helper()
	for _, m := range w.stream(partner) {
		for _, word := range words {
			if bytes.Contains(m.Raw, []byte(word)) {
				w.t.Errorf("message %d of %s tells of %s: %s", m.Sequence, partner, word, m.Raw)
			}
		}
	}
}

// count is how often an item is in a list.
func count(list []string, item string) int {
	return len(slices.DeleteFunc(slices.Clone(list), func(s string) bool { return s != item }))
}

// narrowed gives acme's share the definition of a request, as PutShare does,
// without asking Smartsheet.
func narrowed(t testing.TB, w *world, request events.Request) func(*registry.Share) error {
	request.Partner, request.Sheet = "acme", "orders"
	return func(s *registry.Share) error {
		snap, _ := w.sim.Snapshot(w.sheet.ID)
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

func itoa(id int64) string { return strconv.FormatInt(id, 10) }

// hintFor is the hint that a callback with this body gives.
func hintFor(w *world, body string) *inbox.Hint {
	w.t.Helper()
	cb, err := smartsheet.ParseCallback([]byte(body))
	must(w.t, err)
	return inbox.FromCallback(w.reg.ID, cb, time.Now())
}

// delete ends the registration of the sheet, whose webhook goes at once.
func (w *world) delete() {
	w.t.Helper()
	gone, err := w.registrar.Delete(w.t.Context(), w.id())
	must(w.t, err)
	if !gone {
		w.t.Error("Smartsheet answers, and the webhook is not gone")
	}
}

// id is that of the sheet's registration, made or not.
func (w *world) id() string { return registry.RegistrationID("ops", w.sheet.ID) }
