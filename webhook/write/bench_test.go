package write_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/smartsheet"
	"github.com/sheetbridge/sheetbridge/smartsheet/smartsheettest"
	"github.com/sheetbridge/sheetbridge/webhook/budget"
	"github.com/sheetbridge/sheetbridge/webhook/webhooktest"
	"github.com/sheetbridge/sheetbridge/webhook/write"
)

const (
	benchWrites = 100
	barePuts    = 20
	// putTime is how long the simulated Smartsheet takes for a change of rows.
	putTime = 200 * time.Millisecond
)

// BenchmarkWrites has a partner ask for a hundred writes to as many rows at once,
// beside a bare client that does PUT after PUT. Times are in units of one such PUT.
func BenchmarkWrites(b *testing.B) {
	var answered, told []float64
	requests, bareRequests := 0, 0
	for b.Loop() {
		w := newWriting(b, webhooktest.Options{Log: slog.DiscardHandler}, writable("acme", nil))
		rows := slices.Repeat([]smartsheettest.Row{{Cells: webhooktest.Cells{"No": "N", "Status": "Open", "Qty": 1}}}, benchWrites)
		ids, err := w.Sim.As(w.Jane).AddRows(w.Sheet.ID, rows...)
		webhooktest.Must(b, err)
		w.Settle()
		w.send("acme", "erp", "orders", `{"id":"warm","op":"update","row":"1","expect":{"qty":1},"set":{"qty":2}}`)
		w.answer("acme", "warm", 1)
		w.Sim.SetFault(func(r *http.Request) *smartsheettest.Fault {
			if writesRows(r) {
				return &smartsheettest.Fault{Delay: putTime}
			}
			return nil
		})
		before := len(w.Sim.Requests())
		put := w.putByPut(ids[:barePuts])
		w.Settle() // the bridge reads what the bare client changed
		bareRequests += len(w.Sim.Requests()) - before
		before = len(w.Sim.Requests())
		answers, rowEvents := w.timed(ids)
		w.Settle()
		made := w.Sim.Requests()[before:]
		requests += len(made)
		for _, r := range made {
			b.Logf("%s %s %s?%s", r.Time.Format("05.000"), r.Method, r.Route, r.Query[:min(len(r.Query), 60)])
		}
		for _, d := range answers {
			answered = append(answered, d.Seconds()/put.Seconds())
		}
		for _, d := range rowEvents {
			told = append(told, d.Seconds()/put.Seconds())
		}
		w.endEngine()
	}
	for name, list := range map[string][]float64{"answer": answered, "event": told} {
		slices.Sort(list)
		b.ReportMetric(list[len(list)/2], name+"-p50/put")
		b.ReportMetric(list[len(list)*95/100], name+"-p95/put")
	}
	b.ReportMetric(float64(requests)/float64(b.N)*100/benchWrites, "requests/100writes")
	b.ReportMetric(float64(bareRequests)/float64(b.N)*100/barePuts, "bare-requests/100writes")
}

// BenchmarkWaiting has writes wait, to as many rows, and makes them: the time for each is
// the same however many there are.
func BenchmarkWaiting(b *testing.B) {
	const perShare = 500 // less than a share takes in a minute
	for _, n := range []int{1000, 4000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			var took time.Duration
			requests := 0
			for b.Loop() {
				var shares []events.Request
				for i := range n / perShare {
					shares = append(shares, writable("acme", func(r *events.Request) { r.Sheet = fmt.Sprintf("orders-%d", i) }))
				}
				w := newWriting(b, webhooktest.Options{Log: slog.DiscardHandler}, shares...)
				var ids []int64
				for rows := range slices.Chunk(slices.Repeat([]smartsheettest.Row{{Cells: webhooktest.Cells{"Status": "Open", "Qty": 1}}}, n), 500) {
					more, err := w.Sim.As(w.Jane).AddRows(w.Sheet.ID, rows...)
					webhooktest.Must(b, err)
					ids = append(ids, more...)
				}
				w.Settle()
				w.send("acme", "erp", "orders-0", `{"id":"warm","op":"update","row":"1","expect":{"qty":1},"set":{"qty":2}}`)
				w.answer("acme", "warm", 1)
				w.endEngine()
				js, err := jetstream.New(w.client("acme", "erp"), jetstream.WithPublishAsyncMaxPending(n))
				webhooktest.Must(b, err)
				for i, id := range ids {
					request := fmt.Sprintf(`{"id":"b-%d","op":"update","row":"%d","expect":{"status":"Open"},"set":{"qty":2}}`, i, id)
					_, err := js.PublishAsync(events.WriteSubject("acme", fmt.Sprintf("orders-%d", i%len(shares)), "erp"), []byte(request))
					webhooktest.Must(b, err)
				}
				<-js.PublishAsyncComplete()
				before := len(w.Sim.Requests())
				var made atomic.Int64
				answered := make(chan struct{})
				e := w.newEngine(0, func(e *write.Engine) {
					e.Observe = func(o write.Outcome) {
						if o.Result != events.ResultDone {
							b.Errorf("got %+v, want it done", o)
						}
						if made.Add(1) == int64(n) {
							close(answered)
						}
					}
				})
				began := time.Now()
				w.run(e)
				<-answered
				took += time.Since(began)
				for _, r := range w.Sim.Requests()[before:] {
					if strings.HasSuffix(r.Route, "/rows") {
						requests++
					}
				}
				w.endEngine()
			}
			b.ReportMetric(took.Seconds()*1000/float64(b.N*n), "ms/write")
			b.ReportMetric(float64(requests)/float64(b.N), "PUTs")
		})
	}
}

// putByPut changes rows one after the other as a bare client does, and returns the
// median time of one.
func (w *writing) putByPut(ids []int64) time.Duration {
	w.T.Helper()
	client, err := w.Access.Client(w.Registry.Owner("ops"), budget.Callback)
	webhooktest.Must(w.T, err)
	var times []time.Duration
	for _, id := range ids {
		began := time.Now()
		row := smartsheet.RowWrite{ID: id, Cells: []smartsheet.CellWrite{{ColumnID: w.Sheet.Columns["Margin"], Value: "bare"}}}
		_, err := client.UpdateRows(w.T.Context(), w.Sheet.ID, []smartsheet.RowWrite{row}, smartsheet.WriteOptions{})
		webhooktest.Must(w.T, err)
		times = append(times, time.Since(began))
	}
	slices.Sort(times)
	return times[len(times)/2]
}

// timed asks for a write of each row at once, and returns how long after it was asked
// for each was answered, and its row's own event came.
func (w *writing) timed(ids []int64) (answers, rowEvents []time.Duration) {
	w.T.Helper()
	nc := w.client("acme", "reader")
	messages := make(chan *nats.Msg, 10*len(ids))
	sub, err := nc.ChanSubscribe("smartsheet.acme.orders.>", messages)
	webhooktest.Must(w.T, err)
	defer func() { webhooktest.Must(w.T, sub.Unsubscribe()) }()
	webhooktest.Must(w.T, nc.Flush())
	js, err := jetstream.New(w.client("acme", "erp"))
	webhooktest.Must(w.T, err)
	asked, byRow := map[string]time.Time{}, map[string]string{}
	for i, id := range ids {
		name := fmt.Sprintf("b-%d", i)
		asked[name], byRow[webhooktest.FormatID(id)] = time.Now(), name
		request := fmt.Sprintf(`{"id":%q,"op":"update","row":"%d","expect":{"status":"Open"},"set":{"qty":%d}}`, name, id, 2+i%90)
		_, err := js.PublishAsync(events.WriteSubject("acme", "orders", "erp"), []byte(request))
		webhooktest.Must(w.T, err)
	}
	giveUp := time.After(time.Minute)
	for len(answers) < len(ids) || len(rowEvents) < len(ids) {
		select {
		case m := <-messages:
			var e struct {
				Type string
				Data map[string]any
			}
			webhooktest.Must(w.T, json.Unmarshal(m.Data, &e))
			id, _ := e.Data["id"].(string)
			switch {
			case e.Type == events.WriteDone:
				answers = append(answers, time.Since(asked[id]))
			case e.Type == events.WriteRefused:
				w.T.Fatalf("a write was refused: %s", m.Data)
			case e.Type == events.RowUpdated:
				rowEvents = append(rowEvents, time.Since(asked[byRow[m.Subject[strings.LastIndexByte(m.Subject, '.')+1:]]]))
			}
		case <-giveUp:
			w.T.Fatalf("%d of %d writes were answered, and %d told of", len(answers), len(ids), len(rowEvents))
		}
	}
	return answers, rowEvents
}
