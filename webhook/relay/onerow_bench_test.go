package relay_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/smartsheet"
	"github.com/sheetbridge/sheetbridge/smartsheet/smartsheettest"
	"github.com/sheetbridge/sheetbridge/webhook/relay"
	"github.com/sheetbridge/sheetbridge/webhook/webhooktest"
)

// BenchmarkOneRow is one changed row of sheets of several sizes: from the request
// of the callback to the event at a core subscriber, and the processor time of all
// of it, simulator and NATS server included. Each size is told as a ratio to the
// smallest.
func BenchmarkOneRow(b *testing.B) {
	var base time.Duration
	for _, rows := range []int{1_000, 20_000, 100_000} {
		b.Run(fmt.Sprint(rows), func(b *testing.B) {
			cpu := oneRow(b, rows)
			if base == 0 {
				base = cpu
			}
			b.ReportMetric(float64(cpu)/float64(base), "x-cpu-of-1000")
		})
	}
}

func oneRow(b *testing.B, rows int) time.Duration {
	sim := smartsheettest.New(b, func(s *smartsheettest.Server) { s.RateLimit = -1 })
	jane, sheet := longSheet(b, sim, rows)
	br := webhooktest.NewBridge(b, sim, webhooktest.Options{})
	br.AddOwner("ops", sim.AddToken(jane))
	br.AddPartner("acme")
	reg := br.Register("ops", sheet.ID, events.Request{Partner: "acme", Columns: webhooktest.Columns("No", "Status", "Qty")})
	sim.SetCallbackFault(func(smartsheettest.Callback) smartsheettest.CallbackFault { return smartsheettest.Drop })
	account, err := br.Partners.Account(br.Registry.Partner("acme"))
	webhooktest.Must(b, err)
	nc, err := br.Broker.Connect(b.Context(), "acme", account)
	webhooktest.Must(b, err)
	b.Cleanup(nc.Close)
	told := make(chan *nats.Msg, 10)
	_, err = nc.ChanSubscribe("smartsheet.acme.orders.row.*", told)
	webhooktest.Must(b, err)
	webhooktest.Must(b, nc.Flush())
	fresh := br.Registry.Registration(reg.ID)
	url, secret := br.URL+"/callbacks/"+string(fresh.CallbackKey()), string(fresh.Secrets(time.Now())[0])
	var took []time.Duration
	var cpu time.Duration
	n := 0
	for b.Loop() {
		b.StopTimer()
		n++
		id := sheet.Rows[(n*7919)%rows]
		webhooktest.Must(b, sim.As(jane).UpdateRows(sheet.ID, smartsheettest.Row{ID: id, Cells: webhooktest.Cells{"Qty": n}}))
		body := fmt.Sprintf(`{"nonce":"n%d","timestamp":"2026-11-20T10:00:05Z","webhookId":%d,"scope":"sheet","scopeObjectId":%d,"events":[{"objectType":"row","eventType":"updated","id":%d}]}`, n, fresh.WebhookID, sheet.ID, id)
		signature := smartsheet.Sign(secret, []byte(body))
		used := webhooktest.CPUTime(b)
		b.StartTimer()
		began := time.Now()
		webhooktest.Send(b, url, body, signature)
		<-told
		took = append(took, time.Since(began))
		b.StopTimer()
		webhooktest.Must(b, br.Inbox.Idle(b.Context()))
		cpu += webhooktest.CPUTime(b) - used
		b.StartTimer()
	}
	slices.Sort(took)
	var passes []relay.Pass = br.TakePasses()
	if len(passes) < n {
		b.Fatalf("got %d passes of %d callbacks", len(passes), n)
	}
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(took[len(took)*95/100].Microseconds())/1000, "p95-ms")
	b.ReportMetric(float64(cpu.Microseconds())/float64(n), "cpu-µs/pass")
	return cpu / time.Duration(n)
}

// longSheet is a sheet of many short rows.
func longSheet(b *testing.B, sim *smartsheettest.Server, rows int) (*smartsheettest.User, *smartsheettest.Sheet) {
	b.Helper()
	jane := sim.AddUser(smartsheettest.User{Email: "jane@a.example", Name: "Jane Doe"})
	spec := smartsheettest.SheetSpec{Name: "Orders", Owner: jane, Columns: []smartsheettest.Column{{Title: "No"}, {Title: "Status"}, {Title: "Qty"}}}
	for n := range rows {
		spec.Rows = append(spec.Rows, smartsheettest.Row{Cells: webhooktest.Cells{"No": fmt.Sprintf("SO-%06d", n), "Status": "Open", "Qty": 0}})
	}
	sheet, err := sim.AddSheet(spec)
	webhooktest.Must(b, err)
	return jane, sheet
}
