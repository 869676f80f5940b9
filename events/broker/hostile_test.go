package broker_test

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/sheetbridge/sheetbridge/events/broker"
	"github.com/sheetbridge/sheetbridge/events/eventstest"
)

// deafDialer connects a client whose connection stops to read when told.
type deafDialer struct{ deaf *atomic.Bool }

type deafConn struct {
	net.Conn
	deaf *atomic.Bool
	gone chan struct{}
	once sync.Once
}

func (d deafDialer) Dial(network, address string) (net.Conn, error) {
	c, err := net.Dial(network, address)
	return &deafConn{Conn: c, deaf: d.deaf, gone: make(chan struct{})}, err
}

func (c *deafConn) Read(p []byte) (int, error) {
	if c.deaf.Load() {
		<-c.gone
		return 0, net.ErrClosed
	}
	return c.Conn.Read(p)
}

func (c *deafConn) Close() error {
	c.once.Do(func() { close(c.gone) })
	return c.Conn.Close()
}

// hostile is a partner whose connections reconnect as often as they are closed.
type hostile struct {
	t     *testing.T
	b     *broker.Broker
	p     *partner
	url   string
	creds string
}

func newHostile(t *testing.T) *hostile {
	t.Helper()
	o := options(t)
	b := start(t, o)
	h := &hostile{t: t, b: b, p: newPartner(t, b, "acme"), url: b.URL()}
	h.creds, _ = h.p.mint(t, "default")
	return h
}

// connections are n attackers; each runs the attack on a connection of its own,
// a new one whenever that ends.
func (h *hostile) connections(n int, attack func(ctx context.Context, nc *nats.Conn, deaf *atomic.Bool)) (list []func(context.Context)) {
	for range n {
		list = append(list, func(ctx context.Context) {
			for ctx.Err() == nil {
				deaf := &atomic.Bool{}
				nc, err := tryLoginAt(h.url, h.creds, nats.SetCustomDialer(deafDialer{deaf}), nats.ReconnectBufSize(-1), nats.FlusherTimeout(time.Second))
				if err != nil {
					continue
				}
				attack(ctx, nc, deaf)
				nc.Close()
			}
		})
	}
	return list
}

// attack is why some tests have the long form alone.
const attack = "an attack that measures memory and time, for a machine that does nothing else"

// TestPullsOneByOne: a client that pulls one message after the other to the same
// subject, as that for Python does, is no hoarder.
func TestPullsOneByOne(t *testing.T) {
	t.Parallel()
	const pulls = 1200 // more than so many answers may wait for this partner
	b := start(t, options(t))
	p := newPartner(t, b, "acme")
	p.account.Limits.AckPending, p.account.Limits.Requests = 100, 20
	if err := b.PutAccount(t.Context(), p.name, p.account); err != nil {
		t.Fatal(err)
	}
	for i := range pulls {
		if _, err := p.js.PublishAsync(fmt.Sprintf("smartsheet.acme.orders.row.%d", i), []byte("x")); err != nil {
			t.Fatal(err)
		}
		if i%100 == 99 {
			<-p.js.PublishAsyncComplete()
		}
	}
	creds, _ := p.mint(t, "default")
	nc := login(t, b, creds)
	js, err := jetstream.New(nc, jetstream.WithDefaultTimeout(wait))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := js.CreateConsumer(t.Context(), "EVENTS", jetstream.ConsumerConfig{Durable: "erp", AckPolicy: jetstream.AckExplicitPolicy}); err != nil {
		t.Fatal(err)
	}
	inbox := nc.NewInbox()
	messages, err := nc.SubscribeSync(inbox)
	if err != nil {
		t.Fatal(err)
	}
	for i := range pulls {
		if err := nc.PublishRequest("$JS.API.CONSUMER.MSG.NEXT.EVENTS.erp", inbox, []byte(`{"batch":1,"expires":30000000000}`)); err != nil {
			t.Fatal(err)
		}
		m, err := messages.NextMsg(wait)
		if err != nil {
			t.Fatalf("pull %d: %v", i, err)
		}
		if err := m.Ack(); err != nil {
			t.Fatal(err)
		}
	}
	if list := b.Offenders(); len(list) > 0 {
		t.Errorf("got offenders %+v", list)
	}
}

// TestUnreadTogether has connections of which none leaves too much unread, and
// all together do.
func TestUnreadTogether(t *testing.T) {
	h := newHostile(t)
	h.p.account.Limits.Unread = 1 << 20
	if err := h.b.PutAccount(t.Context(), h.p.name, h.p.account); err != nil {
		t.Fatal(err)
	}
	body := strings.Repeat("x", 1<<20)
	for i := range 8 {
		h.p.publish(t, fmt.Sprintf("orders.row.%d", i), body)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for _, attack := range h.connections(4, func(ctx context.Context, nc *nats.Conn, deaf *atomic.Bool) {
		inbox := nc.NewInbox()
		if _, err := nc.ChanSubscribe(inbox, make(chan *nats.Msg, 1)); err != nil || nc.Flush() != nil {
			return
		}
		deaf.Store(true)
		for range 10 { // the system keeps some of it
			if nc.PublishRequest("$JS.API.DIRECT.GET.EVENTS", inbox, []byte(`{"seq":1,"next_by_subj":">","batch":8}`)) != nil {
				return
			}
		}
		select {
		case <-ctx.Done():
		case <-time.After(5 * time.Second):
		}
	}) {
		wg.Go(func() { attack(ctx) })
	}
	wantOffender(t, h.b, "acme", broker.OffenceUnread)
	cancel()
	wg.Wait()
}

// TestFlooderStallsNobody has a partner ask JetStream's API as fast as it can.
// Meanwhile the bridge publishes to another one, and asks the API as its probes do.
func TestFlooderStallsNobody(t *testing.T) {
	eventstest.OnlyLong(t, attack)
	h := newHostile(t)
	h.p.publish(t, "orders.row.1", "x")
	bolt := newPartner(t, h.b, "bolt")
	theirs, _ := bolt.mint(t, "default")
	events, err := login(t, h.b, theirs).SubscribeSync("smartsheet.bolt.>")
	if err != nil {
		t.Fatal(err)
	}
	own, err := jetstream.New(h.b.Bridge(), jetstream.WithDefaultTimeout(wait))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := own.CreateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: "registry"}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var wg sync.WaitGroup
	var asked atomic.Int64
	for _, attack := range h.connections(4, func(ctx context.Context, nc *nats.Conn, _ *atomic.Bool) {
		for i := 0; ctx.Err() == nil && nc.IsConnected(); i++ {
			call, body := "STREAM.MSG.GET.EVENTS", `{"last_by_subj":"smartsheet.acme.>"}`
			if i%2 == 1 {
				call, body = "STREAM.INFO.EVENTS", `{"subjects_filter":">"}`
			}
			if nc.PublishRequest("$JS.API."+call, "_INBOX.x", []byte(body)) != nil {
				return
			}
			asked.Add(1)
		}
	}) {
		wg.Go(func() { attack(ctx) })
	}
	eventstest.Await(t, "the flood", func() bool { return asked.Load() > 50_000 })
	var took []time.Duration
	failed := 0
	for i := range 20 {
		begin := time.Now()
		err := edit(t, own, bolt, events, i)
		took = append(took, time.Since(begin))
		if err != nil {
			failed++
			t.Log(err)
		}
		if failed > 3 {
			break
		}
	}
	cancel()
	wg.Wait()
	slices.Sort(took)
	p95 := took[len(took)*95/100]
	t.Logf("%d requests; p95 %v, slowest %v", asked.Load(), p95, took[len(took)-1])
	if failed > 0 || p95 > time.Second {
		t.Errorf("got p95 %v and %d failed, want within a second", p95, failed)
	}
	wantOffender(t, h.b, "acme", broker.OffenceRequests)
}

// edit is what the bridge does for an edit of another partner's, and what its
// probe of readiness does; it returns when the partner has the event.
func edit(t *testing.T, own jetstream.JetStream, p *partner, events *nats.Subscription, n int) error {
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	if _, err := own.Stream(ctx, "KV_registry"); err != nil {
		return fmt.Errorf("ask for a stream: %w", err)
	}
	if _, err := p.js.Publish(ctx, "smartsheet.bolt.orders.row.1", fmt.Appendf(nil, "%d", n)); err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	if _, err := events.NextMsgWithContext(ctx); err != nil {
		return fmt.Errorf("receive: %w", err)
	}
	return nil
}

func wantOffender(t *testing.T, b *broker.Broker, partner string, o broker.Offence) {
	t.Helper()
	eventstest.Await(t, "an offender by "+string(o), func() bool {
		return slices.ContainsFunc(b.Offenders(), func(found broker.Offender) bool {
			return found.Partner == partner && found.Offence == o && found.User != "" && found.Count > 0
		})
	})
}
