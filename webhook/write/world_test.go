package write_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/events/eventstest"
	"github.com/sheetbridge/sheetbridge/smartsheet/smartsheettest"
	"github.com/sheetbridge/sheetbridge/webhook/audit"
	"github.com/sheetbridge/sheetbridge/webhook/partner"
	"github.com/sheetbridge/sheetbridge/webhook/webhooktest"
	"github.com/sheetbridge/sheetbridge/webhook/write"
)

// writing is a world whose partners may write to the sheet of orders.
type writing struct {
	*webhooktest.World
	engine  *write.Engine
	clients map[string]*nats.Conn // by partner and credential
	ids     int

	stopEngine context.CancelFunc
	engineDone sync.WaitGroup
}

// writable is a share of orders that takes writes.
func writable(partner string, change func(*events.Request)) events.Request {
	r := events.Request{
		Partner: partner, Columns: webhooktest.Columns("No", "Status", "Qty"), Where: "status != 'Draft'",
		Write: &events.WriteTerms{
			Update: []string{"status", "qty"}, Create: &events.CreateTerms{Columns: []string{"no", "status", "qty"}, Key: "no"},
			Delete: true, Check: "qty == null || qty < 100", PerMinute: 600,
		},
	}
	if change != nil {
		change(&r)
	}
	return r
}

func newWriting(t testing.TB, o webhooktest.Options, requests ...events.Request) *writing {
	t.Helper()
	return around(t, webhooktest.NewWorld(t, o, requests...))
}

// around has an engine run in a world.
func around(t testing.TB, world *webhooktest.World) *writing {
	t.Helper()
	w := &writing{World: world, clients: map[string]*nats.Conn{}}
	t.Cleanup(w.endEngine)
	w.startEngine()
	return w
}

// connect has a partner use a server that is not ours.
func (w *writing) connect(name, url string) {
	w.T.Helper()
	for _, credential := range []string{"erp", "reader"} {
		nc, err := nats.Connect(url)
		webhooktest.Must(w.T, err)
		w.T.Cleanup(nc.Close)
		w.clients[name+"/"+credential] = nc
	}
}

// queue is what the queue of a partner's writes is, if there is one.
func (w *writing) queue(name string) (c jetstream.StreamConfig, ok bool) {
	w.T.Helper()
	js, err := jetstream.New(w.client(name, "reader"))
	webhooktest.Must(w.T, err)
	s, err := js.Stream(w.T.Context(), events.WriteStreamName)
	if err != nil {
		return c, false
	}
	return s.CachedInfo().Config, true
}

// newEngine makes an engine as a process does.
func (w *writing) newEngine(lease time.Duration, change func(*write.Engine)) *write.Engine {
	w.T.Helper()
	store, err := write.OpenStore(w.T.Context(), w.Broker.Bridge(), write.StoreOptions{Replicas: 1, Alone: !w.Opts.OtherReplicas, Lease: lease})
	webhooktest.Must(w.T, err)
	log, err := audit.Open(w.T.Context(), w.Broker.Bridge(), audit.Key(w.Opts.Master), 1)
	webhooktest.Must(w.T, err)
	e := &write.Engine{
		Store: store, Registry: w.Registry, Access: w.Access, Partners: w.Partners, Inbox: w.Inbox, Audit: log,
		Accounts: &partner.Accounts{Registry: w.Registry, Partners: w.Partners, Broker: w.Broker, Log: slog.New(w.Opts.Log)},
		Log:      slog.New(w.Opts.Log), RecoverAfter: 50 * time.Millisecond,
	}
	if change != nil {
		change(e)
	}
	return e
}

func (w *writing) startEngine() {
	w.T.Helper()
	w.run(w.newEngine(0, nil))
}

// run runs an engine until the test's end, or endEngine.
func (w *writing) run(e *write.Engine) {
	ctx, cancel := context.WithCancel(context.Background())
	w.engine, w.stopEngine = e, cancel
	w.engineDone.Go(func() { webhooktest.Must(w.T, w.engine.Run(ctx)) })
}

func (w *writing) endEngine() {
	if w.stopEngine != nil {
		w.stopEngine()
		w.engineDone.Wait()
		w.stopEngine = nil
	}
}

// client is a partner's connection with one of its credentials.
func (w *writing) client(name, credential string) *nats.Conn {
	w.T.Helper()
	key := name + "/" + credential
	if nc := w.clients[key]; nc != nil && nc.IsConnected() {
		return nc
	}
	account, err := w.Partners.Account(w.Registry.Partner(name))
	webhooktest.Must(w.T, err)
	creds, _, err := account.MintUser(credential, time.Time{})
	webhooktest.Must(w.T, err)
	var nc *nats.Conn
	eventstest.AwaitNil(w.T, eventstest.Patience, "connecting as "+key, func() (err error) {
		nc, err = nats.Connect(w.Broker.URL(), nats.UserCredentialBytes([]byte(creds)), nats.Timeout(eventstest.Patience))
		return err
	})
	w.T.Cleanup(nc.Close)
	w.clients[key] = nc
	return nc
}

// send publishes a request, and returns when it is stored.
func (w *writing) send(name, credential, sheet, request string) {
	w.T.Helper()
	ctx, cancel := context.WithTimeout(w.T.Context(), eventstest.Patience)
	defer cancel()
	message := rand.Text() // one that is published once more, since its acknowledgement was slow, is stored once
	for {
		js, err := jetstream.New(w.client(name, credential))
		webhooktest.Must(w.T, err)
		try, end := context.WithTimeout(ctx, time.Second)
		_, err = js.Publish(try, events.WriteSubject(name, sheet, credential), []byte(request), jetstream.WithMsgID(message))
		end()
		if err == nil {
			return
		}
		if ctx.Err() != nil || errors.As(err, new(*jetstream.APIError)) {
			w.T.Fatalf("storing a write: %v", err)
		}
		w.clients[name+"/"+credential].Close() // it may have connected before it was allowed to write
	}
}

// answers are the answers that stand in a partner's stream, by id, oldest first.
func (w *writing) answers(name string) map[string][]events.WriteData {
	w.T.Helper()
	found := map[string][]events.WriteData{}
	for _, m := range w.Stream(name) {
		if m.Type != events.WriteDone && m.Type != events.WriteRefused {
			continue
		}
		var e struct {
			Data events.WriteData `json:"data"`
		}
		webhooktest.Must(w.T, json.Unmarshal(m.Raw, &e))
		found[e.Data.ID] = append(found[e.Data.ID], e.Data)
	}
	return found
}

// answer waits for the n-th answer to a write. It asks for it again and again: what a
// partner may do may change meanwhile, which closes its connections.
func (w *writing) answer(name, id string, n int) events.WriteData {
	w.T.Helper()
	js, err := jetstream.New(w.client(name, "reader"))
	webhooktest.Must(w.T, err)
	ctx, cancel := context.WithTimeout(w.T.Context(), eventstest.Patience)
	defer cancel()
	st, err := js.Stream(ctx, events.StreamName)
	webhooktest.Must(w.T, err)
	var m *jetstream.RawStreamMsg
	from := uint64(1)
	for i := range n {
		eventstest.AwaitNil(w.T, eventstest.Patience, fmt.Sprintf("answer %d to %s of %s", i+1, id, name), func() (err error) {
			try, end := context.WithTimeout(ctx, 5*time.Second)
			defer end()
			m, err = st.GetMsg(try, from, jetstream.WithGetMsgSubject("smartsheet."+name+".*.write."+id))
			return err
		})
		from = m.Sequence + 1
	}
	var e struct {
		Data events.WriteData `json:"data"`
	}
	webhooktest.Must(w.T, json.Unmarshal(m.Data, &e))
	return e.Data
}

// ask has something written and returns the answer.
func (w *writing) ask(name, sheet, format string, args ...any) events.WriteData {
	w.T.Helper()
	w.ids++
	id := fmt.Sprintf("w-%d", w.ids)
	w.send(name, "erp", sheet, fmt.Sprintf(`{"id":%q,`, id)+fmt.Sprintf(format, args...)+`}`)
	return w.answer(name, id, 1)
}

// row is a row of the sheet as it is at Smartsheet, by its place in the spec.
func (w *writing) row(place int) smartsheettest.Cells {
	w.T.Helper()
	snap, _ := w.Sim.Snapshot(w.Sheet.ID)
	return cellsOf(snap, w.Sheet.Rows[place])
}

// cellsOf are the cells of a row by the titles of their columns, nil where it is not
// there.
func cellsOf(snap smartsheettest.Snapshot, id int64) smartsheettest.Cells {
	for _, r := range snap.Rows {
		if r.ID != id {
			continue
		}
		byTitle := smartsheettest.Cells{}
		for _, c := range snap.Columns {
			if v, ok := r.Cells[c.ID]; ok {
				byTitle[c.Title] = v
			}
		}
		return byTitle
	}
	return nil
}
