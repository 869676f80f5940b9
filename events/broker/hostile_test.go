package broker_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"runtime"
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

// memory is how much the process has more than when it was made, with the most
// that it was seen to have; the attackers' share included.
type memory struct{ before, most uint64 }

func live() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc + m.StackInuse
}

func newMemory() *memory {
	live()
	return &memory{before: live()}
}

func (m *memory) look() uint64 {
	now := live()
	m.most = max(m.most, now-min(now, m.before))
	return m.most
}

// during runs attackers until the time is over, or until they have taken more
// than bound, and looks at the memory.
func (m *memory) during(t *testing.T, d time.Duration, bound uint64, attackers ...func(ctx context.Context)) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	var wg sync.WaitGroup
	for _, attack := range attackers {
		wg.Go(func() { attack(ctx) })
	}
	for ctx.Err() == nil {
		if m.look() > 3*bound {
			cancel()
		}
		select {
		case <-ctx.Done():
		case <-time.After(100 * time.Millisecond):
		}
	}
	wg.Wait()
	t.Logf("at most %d MiB more", m.most>>20)
	if m.most > bound {
		t.Errorf("got %d MiB more, want at most %d", m.most>>20, bound>>20)
	}
}

const hostileBound = 100 << 20

// attack is why some tests have the long form alone: what they measure is the whole
// process's, beside whatever else the machine does.
const attack = "an attack that measures memory and time, for a machine that does nothing else"

// hostile is a partner with 16 connections that reconnect as often as they are
// closed.
type hostile struct {
	t     *testing.T
	b     *broker.Broker
	p     *partner
	creds string
}

func newHostile(t *testing.T) *hostile {
	t.Helper()
	o := options(t)
	b := start(t, o)
	h := &hostile{t: t, b: b, p: newPartner(t, b, "acme")}
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
				nc, err := tryLogin(h.b, h.creds, nats.SetCustomDialer(deafDialer{deaf}), nats.ReconnectBufSize(-1), nats.FlusherTimeout(time.Second))
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

// TestHoarderOfWaitingPulls has consumers that let millions of pulls wait, and
// makes pulls, by acknowledging too, with replies as long as they may be.
func TestHoarderOfWaitingPulls(t *testing.T) {
	eventstest.OnlyLong(t, attack)
	const next, acknowledge = "$JS.API.CONSUMER.MSG.NEXT.EVENTS.", "$JS.ACK.EVENTS."
	pull := `{"batch":1,"expires":600000000000}`
	for name, tt := range map[string]struct {
		prefix, suffix, body string
		reply                int // bytes, about
		deaf                 bool
	}{
		"long replies":            {next, "", pull, 1800, false}, // shorter than a line may be
		"replies of most inboxes": {next, "", pull, 200, false},
		"not read":                {next, "", pull, 200, true},
		"acknowledged":            {acknowledge, ".1.1.1.1.0", "+NXT " + pull, 1800, false},
		"acknowledged, not read":  {acknowledge, ".1.1.1.1.0", "+NXT " + pull, 1800, true},
		"gets":                    {"$JS.API.DIRECT.GET.EVENTS", "", `{"seq":1}`, 1800, false},
		"gets, not read":          {"$JS.API.DIRECT.GET.EVENTS", "", `{"seq":1}`, 1800, true},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHostile(t)
			m := newMemory()
			var names atomic.Int64
			tail := strings.Repeat("x", tt.reply)
			m.during(t, 6*time.Second, hostileBound, h.connections(16, func(ctx context.Context, nc *nats.Conn, deaf *atomic.Bool) {
				consumer := hoard(ctx, nc, names.Add(1)%8)
				if consumer == "" {
					return
				}
				subject := tt.prefix
				if tt.prefix != "$JS.API.DIRECT.GET.EVENTS" {
					subject += consumer + tt.suffix
				}
				if _, err := nc.ChanSubscribe("_INBOX.>", make(chan *nats.Msg, 1)); err != nil { // keeps no answers here
					return
				}
				deaf.Store(tt.deaf)
				for i := 0; ctx.Err() == nil && nc.IsConnected(); i++ {
					if nc.PublishRequest(subject, fmt.Sprintf("_INBOX.%s.%d", tail, i), []byte(tt.body)) != nil {
						return
					}
				}
			})...)
		})
	}
}

// hoard makes a consumer that lets as many pulls wait as the server allows, and
// returns its name, empty where it is not made.
func hoard(ctx context.Context, nc *nats.Conn, n int64) string {
	js, err := jetstream.New(nc)
	if err != nil {
		return ""
	}
	c := jetstream.ConsumerConfig{Durable: fmt.Sprintf("hoard-%d", n), AckPolicy: jetstream.AckExplicitPolicy, MaxWaiting: 50_000_000}
	if _, err := js.CreateOrUpdateConsumer(ctx, "EVENTS", c); err == nil {
		return c.Durable
	}
	c.MaxWaiting = 0
	if _, err := js.CreateOrUpdateConsumer(ctx, "EVENTS", c); err != nil {
		return ""
	}
	return c.Durable
}

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
	js, err := jetstream.New(nc)
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

// TestHoarderThatDoesNotRead has connections that have all of the stream sent and
// read nothing.
func TestHoarderThatDoesNotRead(t *testing.T) {
	eventstest.OnlyLong(t, attack)
	for name, ask := range map[string]func(ctx context.Context, nc *nats.Conn, inbox string) error{
		"direct gets": func(_ context.Context, nc *nats.Conn, inbox string) error {
			var failed error
			for range 20 {
				failed = errors.Join(failed, nc.PublishRequest("$JS.API.DIRECT.GET.EVENTS", inbox, []byte(`{"seq":1,"next_by_subj":">","batch":80,"max_bytes":60000000}`)))
			}
			return failed
		},
		"pulls": func(ctx context.Context, nc *nats.Conn, inbox string) error {
			js, err := jetstream.New(nc)
			if err != nil {
				return err
			}
			c, err := js.CreateConsumer(ctx, "EVENTS", jetstream.ConsumerConfig{AckPolicy: jetstream.AckNonePolicy})
			if err != nil {
				return err
			}
			return nc.PublishRequest("$JS.API.CONSUMER.MSG.NEXT.EVENTS."+c.CachedInfo().Name, inbox, []byte(`{"batch":80,"expires":60000000000}`))
		},
		"push consumers": func(ctx context.Context, nc *nats.Conn, inbox string) error {
			js, err := jetstream.New(nc)
			if err != nil {
				return err
			}
			_, err = js.CreatePushConsumer(ctx, "EVENTS", jetstream.ConsumerConfig{AckPolicy: jetstream.AckNonePolicy, DeliverSubject: inbox})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHostile(t)
			body := strings.Repeat("x", 256<<10)
			for i := range 80 { // less than the bound: the server keeps what it read from disk for some seconds
				h.p.publish(t, fmt.Sprintf("orders.row.%d", i), body)
			}
			m := newMemory()
			m.during(t, 6*time.Second, hostileBound, h.connections(16, func(ctx context.Context, nc *nats.Conn, deaf *atomic.Bool) {
				inbox := nc.NewInbox()
				messages := make(chan *nats.Msg, 1)
				if _, err := nc.ChanSubscribe(inbox, messages); err != nil || nc.Flush() != nil {
					return
				}
				if err := ask(ctx, nc, inbox); err != nil {
					return
				}
				deaf.Store(true)
				select {
				case <-ctx.Done():
				case <-time.After(2 * time.Second):
				}
			})...)
		})
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

// TestHoarderOfSubscriptions has subscriptions of very many tokens each.
func TestHoarderOfSubscriptions(t *testing.T) {
	eventstest.OnlyLong(t, attack)
	h := newHostile(t)
	m := newMemory()
	m.during(t, 6*time.Second, hostileBound, h.connections(16, func(ctx context.Context, nc *nats.Conn, _ *atomic.Bool) {
		for i := range 256 {
			// The client keeps room for messages of each subscription; a small one here.
			if _, err := nc.ChanSubscribe(fmt.Sprintf("_INBOX.%p%d%s", nc, i, strings.Repeat(".a", 900)), make(chan *nats.Msg, 1)); err != nil {
				return
			}
		}
		_ = nc.Flush() // a connection that was closed has no subscriptions
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	})...)
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
	own, err := jetstream.New(h.b.Bridge())
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
