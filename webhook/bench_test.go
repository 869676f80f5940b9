package webhook_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/smartsheet"
	"github.com/sheetbridge/sheetbridge/smartsheet/smartsheettest"
	"github.com/sheetbridge/sheetbridge/webhook/inbox"
	"github.com/sheetbridge/sheetbridge/webhook/relay"
	"github.com/sheetbridge/sheetbridge/webhook/webhooktest"
)

// BenchmarkReceive is what a callback costs over HTTP, from one caller: the
// signature checked and the hint stored durably. Beside it stands what it is
// made of: Echo with the same check and nothing stored, and one publish into
// the same stream.
func BenchmarkReceive(b *testing.B) {
	d := newDesk(b, webhooktest.Options{})
	body := event(strings.Repeat(rowUpdated+",", 19) + rowUpdated)
	signature := smartsheet.Sign(secret, []byte(body))
	var bare, publish time.Duration
	b.Run("echo", func(b *testing.B) {
		e := echo.New()
		e.POST("/", func(c echo.Context) error {
			text, err := io.ReadAll(c.Request().Body)
			if err != nil || smartsheet.VerifySignature(secret, text, c.Request().Header.Get(smartsheet.HeaderSignature)) != nil {
				return c.NoContent(http.StatusUnauthorized)
			}
			return c.NoContent(http.StatusOK)
		})
		url := listen(b, e)
		for b.Loop() {
			webhooktest.Send(b, url, body, signature)
		}
		bare = b.Elapsed() / time.Duration(b.N)
	})
	b.Run("publish", func(b *testing.B) {
		hint := []byte(`{"registration":"` + d.reg.ID + `","why":"callback","rows":{"71":{}},"receivedAt":"2026-11-20T10:00:05Z"}`)
		for b.Loop() {
			_, err := d.js.Publish(b.Context(), "inbox.bundle", hint)
			webhooktest.Must(b, err)
		}
		publish = b.Elapsed() / time.Duration(b.N)
	})
	b.Run("receiver", func(b *testing.B) {
		url := listen(b, d.handler) + d.path()
		b.ReportAllocs()
		for b.Loop() {
			webhooktest.Send(b, url, body, signature)
		}
		took := b.Elapsed() / time.Duration(b.N)
		b.ReportMetric(float64(time.Second)/float64(took), "callbacks/s")
		b.ReportMetric(float64(took)/float64(bare), "x-echo")
		b.ReportMetric(float64(took)/float64(bare+publish), "x-echo+publish")
	})
}

func listen(b *testing.B, h http.Handler) string {
	b.Helper()
	socket, err := net.Listen("tcp", "127.0.0.1:0")
	webhooktest.Must(b, err)
	server := &http.Server{Handler: h}
	go func() { _ = server.Serve(socket) }() // it ends with an error that says so
	b.Cleanup(func() { webhooktest.Must(b, server.Close()) })
	return "http://" + socket.Addr().String()
}

// BenchmarkRelay is a pass over changed rows of one sheet, to 1 and to 10 shares:
// 1,000 that a hint names, and all of 20,000. Processor time and allocations are
// those of the whole process: simulator and NATS server are in it. What the simulator
// alone takes for the same answers is measured too, and told apart.
func BenchmarkRelay(b *testing.B) {
	for _, size := range []struct{ shares, rows int }{{1, 1000}, {10, 1000}, {1, 20_000}} {
		b.Run(fmt.Sprintf("%d-shares-%d-rows", size.shares, size.rows), func(b *testing.B) { relayRows(b, size.shares, size.rows) })
	}
}

func relayRows(b *testing.B, shares, changedRows int) {
	sim := smartsheettest.New(b, func(s *smartsheettest.Server) { s.RateLimit = -1 })
	jane, sheet := wideSheet(b, sim, changedRows)
	br := webhooktest.NewBridge(b, sim, webhooktest.Options{})
	token := sim.AddToken(jane)
	br.AddOwner("ops", token)
	var requests []events.Request
	for n := range shares {
		name := fmt.Sprintf("partner-%d", n)
		br.AddPartner(name)
		requests = append(requests, events.Request{Partner: name, Columns: webhooktest.Columns("No", "Status", "Qty", "C3", "C4", "C5", "C6", "C7", "C8", "C9"), Where: "status != 'Draft'"})
	}
	reg := br.Register("ops", sheet.ID, requests...)
	// Only the hint below shall start a pass.
	sim.SetCallbackFault(func(smartsheettest.Callback) smartsheettest.CallbackFault { return smartsheettest.Drop })
	br.TakePasses()
	hint := inbox.Hint{Registration: reg.ID, Why: inbox.WhyCallback, Rows: map[int64]inbox.Row{}, Whole: changedRows > inbox.MaxRows}
	if !hint.Whole {
		for _, id := range sheet.Rows {
			hint.Rows[id] = inbox.Row{}
		}
	}
	var before, after runtime.MemStats
	var took, cpu, simulated time.Duration
	var mallocs uint64
	asked, told, n := 0, 0, 0
	for b.Loop() {
		b.StopTimer()
		n++
		change(b, sim, jane, sheet, n)
		answered := len(sim.Requests())
		runtime.ReadMemStats(&before)
		b.StartTimer()
		used := webhooktest.CPUTime(b)
		hint.ReceivedAt = time.Now()
		webhooktest.Must(b, br.Inbox.Put(b.Context(), &hint))
		var passes []relay.Pass
		br.Await("the pass has ended", func() bool { // asks no server, as Idle does again and again
			passes = append(passes, br.TakePasses()...)
			return len(passes) > 0
		})
		webhooktest.Must(b, br.Inbox.Idle(b.Context()))
		cpu += webhooktest.CPUTime(b) - used
		b.StopTimer()
		runtime.ReadMemStats(&after)
		mallocs += after.Mallocs - before.Mallocs
		simulated += answerAgain(b, sim, token, sim.Requests()[answered:])
		for _, p := range append(passes, br.TakePasses()...) {
			took += p.Took
			asked += p.Requests
			for _, types := range p.Published {
				told += types[events.RowUpdated]
			}
		}
		b.StartTimer()
	}
	if want := n * shares * changedRows; told != want {
		b.Fatalf("got %d events, want %d", told, want)
	}
	b.ReportMetric(float64(n*changedRows)/took.Seconds(), "rows/s")
	b.ReportMetric(float64(told)/took.Seconds(), "events/s")
	b.ReportMetric(float64(asked)/float64(n), "requests/pass")
	b.ReportMetric(float64(mallocs)/float64(told), "allocs/event")
	b.ReportMetric(float64(cpu.Microseconds())/float64(told), "cpu-µs/event")
	b.ReportMetric(float64((cpu-simulated).Microseconds())/float64(told), "cpu-µs/event-without-simulator")
}

// answerAgain has the simulator answer requests once more, to nobody, and returns the
// processor time of that.
func answerAgain(b *testing.B, sim *smartsheettest.Server, token string, requests []smartsheettest.Request) time.Duration {
	b.Helper()
	used := webhooktest.CPUTime(b)
	for _, r := range requests {
		req := httptest.NewRequestWithContext(b.Context(), r.Method, r.Path+"?"+r.Query, nil)
		req.Header.Set("Authorization", "Bearer "+token)
		req.Header.Set("Accept-Encoding", "gzip")
		w := discarded{header: http.Header{}}
		sim.ServeHTTP(&w, req)
		if w.status != http.StatusOK {
			b.Fatalf("%s %s: got %d the second time", r.Method, r.Path, w.status)
		}
	}
	return webhooktest.CPUTime(b) - used
}

// discarded is an answer of which nothing but the status is kept.
type discarded struct {
	header http.Header
	status int
}

func (d *discarded) Header() http.Header            { return d.header }
func (d *discarded) WriteHeader(status int)         { d.status = status }
func (d *discarded) Write(data []byte) (int, error) { return len(data), nil }

// wideSheet is a sheet of ten columns.
func wideSheet(b *testing.B, sim *smartsheettest.Server, rows int) (*smartsheettest.User, *smartsheettest.Sheet) {
	b.Helper()
	jane := sim.AddUser(smartsheettest.User{Email: "jane@a.example", Name: "Jane Doe"})
	spec := smartsheettest.SheetSpec{Name: "Orders", Owner: jane, Columns: []smartsheettest.Column{{Title: "No"}, {Title: "Status"}, {Title: "Qty"}}}
	for n := 3; n < 10; n++ {
		spec.Columns = append(spec.Columns, smartsheettest.Column{Title: fmt.Sprint("C", n)})
	}
	for n := range rows {
		now := webhooktest.Cells{"No": fmt.Sprintf("SO-%04d", n), "Status": "Open", "Qty": 0}
		for c := 3; c < 10; c++ {
			now[fmt.Sprint("C", c)] = "a text of some length in a cell"
		}
		spec.Rows = append(spec.Rows, smartsheettest.Row{Cells: now})
	}
	sheet, err := sim.AddSheet(spec)
	webhooktest.Must(b, err)
	return jane, sheet
}

// BenchmarkWhole is a comparison of a sheet of 20,000 rows of which 5 changed.
func BenchmarkWhole(b *testing.B) {
	const rows, changed = 20_000, 5
	sim := smartsheettest.New(b, func(s *smartsheettest.Server) { s.RateLimit = -1 })
	jane, sheet := wideSheet(b, sim, rows)
	br := webhooktest.NewBridge(b, sim, webhooktest.Options{})
	br.AddOwner("ops", sim.AddToken(jane))
	br.AddPartner("acme")
	reg := br.Register("ops", sheet.ID, events.Request{Partner: "acme", Columns: webhooktest.Columns("No", "Status", "Qty", "C3", "C4", "C5", "C6", "C7", "C8", "C9")})
	sim.SetCallbackFault(func(smartsheettest.Callback) smartsheettest.CallbackFault { return smartsheettest.Drop })
	br.TakePasses()
	var cpu time.Duration
	n := 0
	for b.Loop() {
		b.StopTimer()
		n++
		for row := range changed {
			webhooktest.Must(b, sim.As(jane).UpdateRows(sheet.ID, smartsheettest.Row{ID: sheet.Rows[row*1000], Cells: webhooktest.Cells{"Qty": n}}))
		}
		b.StartTimer()
		used := webhooktest.CPUTime(b)
		webhooktest.Must(b, br.Inbox.Put(b.Context(), &inbox.Hint{Registration: reg.ID, Why: inbox.WhyReconcile, Whole: true, Full: true, ReceivedAt: time.Now()}))
		webhooktest.Must(b, br.Inbox.Idle(b.Context()))
		cpu += webhooktest.CPUTime(b) - used
	}
	told := 0
	for _, p := range br.TakePasses() {
		told += p.Published["acme"][events.RowUpdated]
	}
	if told != n*changed {
		b.Fatalf("got %d events, want %d", told, n*changed)
	}
	b.ReportMetric(cpu.Seconds()/float64(n), "cpu-s/pass")
}

// BenchmarkManyShares is the first load of a sheet of 200 rows by many shares of 40
// columns each, until all are live.
func BenchmarkManyShares(b *testing.B) {
	for _, shares := range []int{10, 100} {
		b.Run(fmt.Sprint(shares), func(b *testing.B) {
			for b.Loop() {
				b.StopTimer()
				sim := smartsheettest.New(b, func(s *smartsheettest.Server) { s.RateLimit = -1 })
				jane := sim.AddUser(smartsheettest.User{Email: "jane@a.example", Name: "Jane Doe"})
				spec := smartsheettest.SheetSpec{Name: "Orders", Owner: jane}
				var titles []string
				row := webhooktest.Cells{}
				for c := range 40 {
					titles = append(titles, fmt.Sprint("C", c))
					spec.Columns = append(spec.Columns, smartsheettest.Column{Title: titles[c]})
					row[titles[c]] = "a text in a cell"
				}
				for range 200 {
					spec.Rows = append(spec.Rows, smartsheettest.Row{Cells: row})
				}
				sheet, err := sim.AddSheet(spec)
				webhooktest.Must(b, err)
				br := webhooktest.NewBridge(b, sim, webhooktest.Options{})
				br.AddOwner("ops", sim.AddToken(jane))
				br.AddPartner("acme")
				var requests []events.Request
				for n := range shares {
					requests = append(requests, events.Request{Partner: "acme", Sheet: fmt.Sprint("s", n), Columns: webhooktest.Columns(titles...)})
				}
				used := webhooktest.CPUTime(b)
				b.StartTimer()
				br.Register("ops", sheet.ID, requests...)
				b.StopTimer()
				b.ReportMetric(float64((webhooktest.CPUTime(b)-used).Milliseconds())/float64(shares), "cpu-ms/share")
				stored := br.Stream("acme")
				for _, r := range requests {
					if s := webhooktest.StatusOf(stored, r.Sheet); s.State != events.StateLive {
						b.Fatalf("share %s is %s", r.Sheet, s.State)
					}
				}
				br.Stop()
				b.StartTimer()
			}
		})
	}
}

// change gives every row another quantity.
func change(b *testing.B, sim *smartsheettest.Server, by *smartsheettest.User, sheet *smartsheettest.Sheet, quantity int) {
	b.Helper()
	for at := 0; at < len(sheet.Rows); at += 500 {
		var rows []smartsheettest.Row
		for _, id := range sheet.Rows[at : at+500] {
			rows = append(rows, smartsheettest.Row{ID: id, Cells: webhooktest.Cells{"Qty": quantity}})
		}
		webhooktest.Must(b, sim.As(by).UpdateRows(sheet.ID, rows...))
	}
}
