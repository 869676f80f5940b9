package faults

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/sheetbridge/sheetbridge/events/eventstest"
	"github.com/sheetbridge/sheetbridge/smartsheet/smartsheettest"
)

const adminToken = "faults-admin-token-0123456789"

// world is a simulated Smartsheet with a sheet that is edited, and the
// processes between it and two partners: acme sees all rows and three columns,
// globex two columns of the rows that are not drafts.
type world struct {
	t       testing.TB
	program string // empty until the first process: that of the form in which the tests run
	sim     *smartsheettest.Server
	bill    *smartsheettest.User // has the sheet and edits it
	jane    *smartsheettest.User // may look at it; the bridge reads with her token
	token   string
	sheet   *smartsheettest.Sheet
	serves  []*process
	admin   api   // of the first
	admins  []api // of each, where there are more

	recorders map[string]*recorder
	id        string // of the registration

	mu     sync.Mutex
	rows   []int64
	next   int
	hidden string // title of a column that nobody sees
}

// share is what a partner may see, for us to compute what it should.
type share struct {
	columns []string
	where   string
	shows   func(smartsheettest.Cells) bool
}

func shares() map[string]share {
	return map[string]share{
		"acme":   {columns: []string{"No", "Status", "Qty"}, shows: func(smartsheettest.Cells) bool { return true }},
		"globex": {columns: []string{"No", "Qty"}, where: `cells["Status"] != "Draft"`, shows: func(c smartsheettest.Cells) bool { return c["Status"] != "Draft" }},
	}
}

func newWorld(t testing.TB, configure ...func(*smartsheettest.Server)) *world {
	t.Helper()
	configure = append([]func(*smartsheettest.Server){func(s *smartsheettest.Server) { s.RateLimit = -1 }}, configure...)
	w := &world{t: t, sim: smartsheettest.New(t, configure...), recorders: map[string]*recorder{}, hidden: "Margin"}
	w.bill = w.sim.AddUser(smartsheettest.User{Email: "bill@a.example", Name: "Bill Poe"})
	w.jane = w.sim.AddUser(smartsheettest.User{Email: "jane@a.example", Name: "Jane Doe"})
	w.token = w.sim.AddToken(w.jane)
	var err error
	w.sheet, err = w.sim.AddSheet(smartsheettest.SheetSpec{Name: "Orders", Owner: w.bill, Columns: []smartsheettest.Column{
		{Title: "No"}, {Title: "Status", Type: "PICKLIST", Options: []string{"Open", "Done", "Draft"}}, {Title: "Qty"}, {Title: "Margin"},
	}})
	must(t, err)
	must(t, w.sim.As(w.bill).Share(w.sheet.ID, w.jane, "VIEWER"))
	w.add(20)
	return w
}

// environment is what every serve of the world has.
func (w *world) environment(public, admin int, more ...string) []string {
	return append([]string{
		fmt.Sprintf("SHEETBRIDGE_PUBLIC_URL=http://127.0.0.1:%d", public),
		fmt.Sprintf("SHEETBRIDGE_LISTEN=127.0.0.1:%d", public),
		fmt.Sprintf("SHEETBRIDGE_ADMIN_LISTEN=127.0.0.1:%d", admin),
		"SHEETBRIDGE_ADMIN_TOKEN=" + adminToken,
		"SHEETBRIDGE_SMARTSHEET_URL=" + w.sim.URL(),
		"SHEETBRIDGE_RECONCILE_EVERY=3s",
		"SHEETBRIDGE_API_RATE=6000",
		"GORACE=exitcode=66",
	}, more...)
}

// embedded starts one serve with NATS in it and shares the sheet.
func (w *world) embedded(more ...string) *process {
	w.t.Helper()
	p := w.start(more...)
	for name := range shares() {
		w.addPartner(name, nil)
	}
	w.register()
	return p
}

// start starts one serve with NATS in it.
func (w *world) start(more ...string) *process {
	w.t.Helper()
	public, admin, port := freePort(w.t), freePort(w.t), freePort(w.t)
	env := w.environment(public, admin, append([]string{
		"SHEETBRIDGE_DATA_DIR=" + w.t.TempDir(), fmt.Sprintf("SHEETBRIDGE_NATS_LISTEN=127.0.0.1:%d", port),
	}, more...)...)
	p := newProcess(w.t, "serve", w.serveProgram(), env, "serve")
	w.serves = append(w.serves, p)
	w.admin = api{url: fmt.Sprintf("http://127.0.0.1:%d", admin), token: adminToken}
	p.start()
	w.ready(w.admin)
	return p
}

// serveProgram is what every serve of the world runs.
func (w *world) serveProgram() string {
	w.t.Helper()
	if w.program == "" {
		w.program = program(w.t)
	}
	return w.program
}

// ready waits until a serve is.
func (w *world) ready(a api) {
	w.t.Helper()
	eventstest.AwaitNil(w.t, 60*time.Second, "serve", func() error {
		ctx, cancel := context.WithTimeout(w.t.Context(), 2*time.Second)
		defer cancel()
		_, err := a.call(ctx, http.MethodGet, "/readyz", nil, nil)
		return err
	})
}

// addPartner adds a partner and records its stream.
func (w *world) addPartner(name string, at map[string]string) {
	w.t.Helper()
	body := map[string]any{"name": name}
	if at != nil {
		body["nats"] = at
	}
	var made struct{ URL, Credentials string }
	w.post("/v1/partners", body, &made)
	if at != nil {
		made.Credentials = at["credentials"]
	}
	nc, err := nats.Connect(made.URL, nats.UserCredentialBytes([]byte(made.Credentials)), nats.MaxReconnects(-1),
		nats.ReconnectWait(50*time.Millisecond), nats.RetryOnFailedConnect(true))
	must(w.t, err)
	w.t.Cleanup(nc.Close)
	js, err := jetstream.New(nc, jetstream.WithDefaultTimeout(2*time.Second))
	must(w.t, err)
	w.recorders[name] = &recorder{partner: name, js: js, subjects: map[string][]message{}}
}

// register shares the sheet with all partners, by an owner who is new.
func (w *world) register() {
	w.t.Helper()
	w.addOwner()
	var reg struct{ ID string }
	w.post("/v1/webhooks", w.registration(w.sheet.ID, "orders"), &reg)
	w.id = reg.ID
}

// addOwner makes the owner ops, who is jane.
func (w *world) addOwner() {
	w.t.Helper()
	w.post("/v1/owners", map[string]any{"name": "ops", "token": w.token, "region": "us"}, nil)
}

// post makes something by the admin API.
func (w *world) post(path string, body, answer any) {
	w.t.Helper()
	_, err := w.admin.call(w.t.Context(), http.MethodPost, path, body, answer)
	must(w.t, err)
}

func (w *world) registration(sheet int64, name string) map[string]any {
	var list []map[string]any
	for partner, s := range shares() {
		var columns []map[string]string
		for _, title := range s.columns {
			columns = append(columns, map[string]string{"title": title})
		}
		list = append(list, map[string]any{"partner": partner, "sheet": name, "columns": columns, "where": s.where})
	}
	return map[string]any{"owner": "ops", "sheetId": fmt.Sprint(sheet), "shares": list}
}

// add adds rows to the sheet.
func (w *world) add(n int) {
	for n > 0 {
		size := min(n, 500)
		rows := make([]smartsheettest.Row, size)
		for i := range rows {
			w.next++
			rows[i].Cells = smartsheettest.Cells{"No": fmt.Sprintf("SO-%d", w.next), "Status": "Open", "Qty": w.next, w.hidden: "hidden"}
		}
		ids, err := w.sim.As(w.bill).AddRows(w.sheet.ID, rows...)
		must(w.t, err)
		w.rows = append(w.rows, ids...)
		n -= size
	}
}

// edit makes one random edit.
func (w *world) edit() {
	w.mu.Lock()
	defer w.mu.Unlock()
	as := w.sim.As(w.bill)
	row := w.rows[rand.IntN(len(w.rows))]
	switch k := rand.IntN(10); {
	case k < 4:
		must(w.t, as.UpdateRows(w.sheet.ID, smartsheettest.Row{ID: row, Cells: smartsheettest.Cells{"Qty": rand.IntN(1000)}}))
	case k < 7:
		status := []string{"Open", "Done", "Draft"}[rand.IntN(3)]
		must(w.t, as.UpdateRows(w.sheet.ID, smartsheettest.Row{ID: row, Cells: smartsheettest.Cells{"Status": status}}))
	case k < 8:
		must(w.t, as.UpdateRows(w.sheet.ID, smartsheettest.Row{ID: row, Cells: smartsheettest.Cells{w.hidden: fmt.Sprint(rand.IntN(1000))}}))
	case k < 9 || len(w.rows) < 10:
		w.add(1 + rand.IntN(3))
	default:
		must(w.t, as.DeleteRows(w.sheet.ID, row))
		for i, id := range w.rows {
			if id == row {
				w.rows = append(w.rows[:i], w.rows[i+1:]...)
				break
			}
		}
	}
}

// editing edits until the returned function is called.
func (w *world) editing(every time.Duration) (stop func()) {
	ctx, cancel := context.WithCancel(w.t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			w.edit()
			select {
			case <-ctx.Done():
			case <-time.After(every):
			}
		}
	}()
	return func() { cancel(); <-done }
}
