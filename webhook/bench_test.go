package webhook_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/smartsheet"
	"github.com/sheetbridge/sheetbridge/smartsheet/smartsheettest"
	"github.com/sheetbridge/sheetbridge/webhook/inbox"
)

// BenchmarkReceive is what a callback costs over HTTP, from one caller: the
// signature checked and the hint stored durably. Beside it stands what it is
// made of: Echo with the same check and nothing stored, and one publish into
// the same stream.
func BenchmarkReceive(b *testing.B) {
	d := newDesk(b, options{})
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
			send(b, url, body, signature)
		}
		bare = b.Elapsed() / time.Duration(b.N)
	})
	b.Run("publish", func(b *testing.B) {
		hint := []byte(`{"registration":"` + d.reg.ID + `","why":"callback","rows":{"71":{}},"receivedAt":"2026-11-20T10:00:05Z"}`)
		for b.Loop() {
			_, err := d.js.Publish(b.Context(), "inbox.bundle", hint)
			must(b, err)
		}
		publish = b.Elapsed() / time.Duration(b.N)
	})
	b.Run("receiver", func(b *testing.B) {
		url := listen(b, d.handler) + d.path()
		b.ReportAllocs()
		for b.Loop() {
			send(b, url, body, signature)
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
	must(b, err)
	server := &http.Server{Handler: h}
	go func() { _ = server.Serve(socket) }() // it ends with an error that says so
	b.Cleanup(func() { must(b, server.Close()) })
	return "http://" + socket.Addr().String()
}

func send(b *testing.B, url, body, signature string) {
	req, err := http.NewRequestWithContext(b.Context(), http.MethodPost, url, strings.NewReader(body))
	must(b, err)
	req.Header.Set(smartsheet.HeaderSignature, signature)
	resp, err := http.DefaultClient.Do(req)
	must(b, err)
	_, err = io.Copy(io.Discard, resp.Body)
	must(b, err)
	must(b, resp.Body.Close())
	if resp.StatusCode != http.StatusOK {
		b.Fatalf("got %s", resp.Status)
	}
}

// BenchmarkRelay is a pass over 1,000 changed rows of one sheet, to 1 and to 10
// shares. Allocations are those of the whole process: simulator and NATS server
// are in it.
func BenchmarkRelay(b *testing.B) {
	for _, shares := range []int{1, 10} {
		b.Run(fmt.Sprintf("%d-shares", shares), func(b *testing.B) { relayRows(b, shares) })
	}
}

const changedRows = 1000

func relayRows(b *testing.B, shares int) {
	sim := smartsheettest.New(b, func(s *smartsheettest.Server) { s.RateLimit = -1 })
	jane, sheet := wideSheet(b, sim)
	br := newBridge(b, sim, options{})
	br.addOwner("ops", sim.AddToken(jane))
	var requests []events.Request
	for n := range shares {
		name := fmt.Sprintf("partner-%d", n)
		br.addPartner(name)
		requests = append(requests, events.Request{Partner: name, Columns: columns("No", "Status", "Qty", "C3", "C4", "C5", "C6", "C7", "C8", "C9"), Where: "status != 'Draft'"})
	}
	reg := br.register("ops", sheet.ID, requests...)
	// Only the hint below shall start a pass.
	sim.SetCallbackFault(func(smartsheettest.Callback) smartsheettest.CallbackFault { return smartsheettest.Drop })
	br.takePasses()
	hint := inbox.Hint{Registration: reg.ID, Why: inbox.WhyCallback, Rows: map[int64]inbox.Row{}}
	for _, id := range sheet.Rows {
		hint.Rows[id] = inbox.Row{}
	}
	var before, after runtime.MemStats
	var took, cpu time.Duration
	var mallocs uint64
	asked, told, n := 0, 0, 0
	for b.Loop() {
		b.StopTimer()
		n++
		change(b, sim, jane, sheet, n)
		runtime.ReadMemStats(&before)
		b.StartTimer()
		used := cpuTime(b)
		hint.ReceivedAt = time.Now()
		must(b, br.inbox.Put(b.Context(), &hint))
		must(b, br.inbox.Idle(b.Context()))
		cpu += cpuTime(b) - used
		b.StopTimer()
		runtime.ReadMemStats(&after)
		mallocs += after.Mallocs - before.Mallocs
		for _, p := range br.takePasses() {
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
	b.ReportMetric(float64(asked)/float64(n), "requests/1000rows")
	b.ReportMetric(float64(mallocs)/float64(told), "allocs/event")
	b.ReportMetric(float64(cpu.Microseconds())/float64(told), "cpu-µs/event")
}

// cpuTime is the processor time that the process has used.
func cpuTime(b testing.TB) time.Duration {
	b.Helper()
	var u syscall.Rusage
	must(b, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// wideSheet is a sheet of 1,000 rows and ten columns.
func wideSheet(b *testing.B, sim *smartsheettest.Server) (*smartsheettest.User, *smartsheettest.Sheet) {
	b.Helper()
	jane := sim.AddUser(smartsheettest.User{Email: "jane@a.example", Name: "Jane Doe"})
	spec := smartsheettest.SheetSpec{Name: "Orders", Owner: jane, Columns: []smartsheettest.Column{{Title: "No"}, {Title: "Status"}, {Title: "Qty"}}}
	for n := 3; n < 10; n++ {
		spec.Columns = append(spec.Columns, smartsheettest.Column{Title: fmt.Sprint("C", n)})
	}
	for n := range changedRows {
		now := cells{"No": fmt.Sprintf("SO-%04d", n), "Status": "Open", "Qty": 0}
		for c := 3; c < 10; c++ {
			now[fmt.Sprint("C", c)] = "a text of some length in a cell"
		}
		spec.Rows = append(spec.Rows, smartsheettest.Row{Cells: now})
	}
	sheet, err := sim.AddSheet(spec)
	must(b, err)
	return jane, sheet
}

// change gives every row another quantity.
func change(b *testing.B, sim *smartsheettest.Server, by *smartsheettest.User, sheet *smartsheettest.Sheet, quantity int) {
	b.Helper()
	for at := 0; at < len(sheet.Rows); at += 500 {
		var rows []smartsheettest.Row
		for _, id := range sheet.Rows[at : at+500] {
			rows = append(rows, smartsheettest.Row{ID: id, Cells: cells{"Qty": quantity}})
		}
		must(b, sim.As(by).UpdateRows(sheet.ID, rows...))
	}
}
