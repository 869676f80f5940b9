package broker_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/sheetbridge/sheetbridge/events/eventstest"
)

const wait = eventstest.Patience // for what happens in milliseconds

func TestPartnerReads(t *testing.T) {
	b := start(t, options(t))
	p := newPartner(t, b, "acme")
	creds, _ := p.mint(t, "default")
	nc := login(t, b, creds)
	live, err := nc.SubscribeSync("smartsheet.acme.>")
	if err := errors.Join(err, nc.Flush()); err != nil {
		t.Fatal(err)
	}
	for _, event := range [][2]string{{"orders.row.1", "old"}, {"orders.row.2", "other"}, {"orders.row.1", "new"}} {
		p.publish(t, event[0], event[1])
	}
	js, err := jetstream.New(nc, jetstream.WithDefaultTimeout(wait))
	if err != nil {
		t.Fatal(err)
	}
	s, err := js.Stream(t.Context(), "EVENTS")
	if err != nil {
		t.Fatal(err)
	}
	t.Run("core subscription", func(t *testing.T) {
		m, err := live.NextMsg(wait)
		if err != nil || string(m.Data) != "old" {
			t.Errorf("got %v, error %v, want the first event", m, err)
		}
	})
	t.Run("direct get", func(t *testing.T) {
		m, err := s.GetLastMsgForSubject(t.Context(), "smartsheet.acme.orders.row.1")
		if err != nil || string(m.Data) != "new" {
			t.Errorf("got %v, error %v, want the last event", m, err)
		}
	})
	want := []string{"smartsheet.acme.orders.row.2 other", "smartsheet.acme.orders.row.1 new"}
	t.Run("ordered consumer", func(t *testing.T) { readOrdered(t, s, want) })
	t.Run("durable consumer", func(t *testing.T) { readDurable(t, s, want) })
	t.Run("lists", func(t *testing.T) { readLists(t, js, s) })
}

func readOrdered(t *testing.T, s jetstream.Stream, want []string) {
	c, err := s.OrderedConsumer(t.Context(), jetstream.OrderedConsumerConfig{DeliverPolicy: jetstream.DeliverLastPerSubjectPolicy})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, fetch(t, c, len(want), nil)); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

func readDurable(t *testing.T, s jetstream.Stream, want []string) {
	c, err := s.CreateOrUpdateConsumer(t.Context(), jetstream.ConsumerConfig{
		Durable: "erp", FilterSubject: "smartsheet.acme.>",
		DeliverPolicy: jetstream.DeliverLastPerSubjectPolicy, AckPolicy: jetstream.AckExplicitPolicy,
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, fetch(t, c, len(want), jetstream.Msg.DoubleAck)); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	info, err := c.Info(t.Context())
	if err != nil || info.NumAckPending != 0 {
		t.Errorf("got %v, error %v, want everything acknowledged", info, err)
	}
}

func readLists(t *testing.T, js jetstream.JetStream, s jetstream.Stream) {
	names, list := js.StreamNames(t.Context()), s.ConsumerNames(t.Context())
	var streams, consumers []string
	for name := range names.Name() {
		streams = append(streams, name)
	}
	for name := range list.Name() {
		consumers = append(consumers, name)
	}
	if err := errors.Join(names.Err(), list.Err()); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(streams, []string{"EVENTS"}) || !slices.Contains(consumers, "erp") {
		t.Errorf("got streams %v and consumers %v, want EVENTS and erp", streams, consumers)
	}
	if err := s.DeleteConsumer(t.Context(), "erp"); err != nil {
		t.Error(err)
	}
}

// fetch reads n messages from a consumer and acknowledges them with ack.
func fetch(t *testing.T, c jetstream.Consumer, n int, ack func(jetstream.Msg, context.Context) error) []string {
	t.Helper()
	batch, err := c.Fetch(n, jetstream.FetchMaxWait(wait))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for m := range batch.Messages() {
		got = append(got, m.Subject()+" "+string(m.Data()))
		if ack == nil {
			continue
		}
		if err := ack(m, t.Context()); err != nil {
			t.Errorf("acknowledge: %v", err)
		}
	}
	if err := batch.Error(); err != nil {
		t.Fatal(err)
	}
	return got
}

func TestLargeEvent(t *testing.T) {
	b := start(t, options(t))
	p := newPartner(t, b, "acme")
	creds, _ := p.mint(t, "default")
	js, err := jetstream.New(login(t, b, creds), jetstream.WithDefaultTimeout(wait))
	if err != nil {
		t.Fatal(err)
	}
	body := strings.Repeat("x", 7<<20)
	p.publish(t, "orders.row.1", body)
	c, err := js.OrderedConsumer(t.Context(), "EVENTS", jetstream.OrderedConsumerConfig{})
	if err != nil {
		t.Fatal(err)
	}
	m, err := c.Next(jetstream.FetchMaxWait(wait))
	if err != nil {
		t.Fatal(err)
	}
	if got := len(m.Data()); got != len(body) {
		t.Errorf("got %d bytes, want %d", got, len(body))
	}
}

func TestPartnerMayNot(t *testing.T) {
	b := start(t, options(t))
	p, other := newPartner(t, b, "acme"), newPartner(t, b, "bolt")
	p.publish(t, "orders.row.1", "one")
	creds, _ := p.mint(t, "default")
	refused := make(chan error, 1)
	nc := login(t, b, creds, nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { refused <- err }))
	inbox, _, _ := strings.Cut(strings.TrimPrefix(p.bridge.NewInbox(), "_BRIDGE."), ".")

	for _, subject := range []string{
		"smartsheet.acme.orders.row.1", "smartsheet.bolt.orders.row.1", "anything", "_INBOX.x", "_BRIDGE." + inbox + ".x",
		"$JS.API.STREAM.PURGE.EVENTS", "$JS.API.STREAM.UPDATE.EVENTS", "$JS.API.STREAM.DELETE.EVENTS",
		"$JS.API.STREAM.CREATE.MINE", "$JS.API.STREAM.CREATE.EVENTS", "$JS.API.STREAM.SNAPSHOT.EVENTS",
		"$JS.API.STREAM.MSG.DELETE.EVENTS", "$JS.API.STREAM.RESTORE.EVENTS", "$JS.API.CONSUMER.CREATE.OTHER.x",
		"$KV.registry.x", "$SYS.REQ.CLAIMS.UPDATE", "$SYS.REQ.ACCOUNT.PING.CONNZ", "$SYS.REQ.SERVER.PING",
	} {
		t.Run("publish "+subject, func(t *testing.T) {
			if err := errors.Join(nc.Publish(subject, []byte("{}")), nc.Flush()); err != nil {
				t.Fatal(err)
			}
			wantPermission(t, refused)
		})
	}
	for _, subject := range []string{
		">", "*.acme.>", "smartsheet.>", "smartsheet.*.orders.>", "smartsheet.bolt.>", "_BRIDGE.>", "_BRIDGE." + inbox + ".>",
		"$JS.>", "$JS.API.>", "$JS.EVENT.ADVISORY.>", "$KV.>", "$SYS.>", "_R_.>",
	} {
		t.Run("subscribe "+subject, func(t *testing.T) {
			sub, err := nc.SubscribeSync(subject)
			if err := errors.Join(err, nc.Flush()); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = sub.Unsubscribe() }) // the server never had it
			wantPermission(t, refused)
		})
	}

	// It all came to nothing.
	for _, q := range []*partner{p, other} {
		s, err := q.js.Stream(t.Context(), "EVENTS")
		if err != nil {
			t.Fatal(err)
		}
		if got, want := s.CachedInfo().State.LastSeq, map[string]uint64{"acme": 1}[q.name]; got != want {
			t.Errorf("%s: got last sequence %d, want %d", q.name, got, want)
		}
	}
}

func wantPermission(t *testing.T, refused <-chan error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), wait)
	defer cancel()
	select {
	case err := <-refused:
		if !errors.Is(err, nats.ErrPermissionViolation) {
			t.Errorf("got %v, want refused", err)
		}
	case <-ctx.Done():
		t.Error("not refused")
	}
}

// A consumer may be told to deliver to any subject of the account. The server
// delivers only where somebody listens, which the JetStream API does not count as.
func TestPartnerAimsConsumers(t *testing.T) {
	b := start(t, options(t))
	p := newPartner(t, b, "acme")
	creds, _ := p.mint(t, "default")
	js, err := jetstream.New(login(t, b, creds), jetstream.WithDefaultTimeout(wait))
	if err != nil {
		t.Fatal(err)
	}
	s, err := p.js.Stream(t.Context(), "EVENTS")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.CreateConsumer(t.Context(), jetstream.ConsumerConfig{Durable: "bridge"}); err != nil {
		t.Fatal(err)
	}
	aims := map[string]string{
		"purge":    "$JS.API.STREAM.PURGE.EVENTS",
		"delete":   "$JS.API.STREAM.DELETE.EVENTS",
		"msg":      "$JS.API.STREAM.MSG.DELETE.EVENTS",
		"consumer": "$JS.API.CONSUMER.DELETE.EVENTS.bridge",
		"sys":      "$SYS.REQ.CLAIMS.UPDATE",
		"ack":      "$JS.ACK.EVENTS.bridge.1.1.1.1.1",
	}
	for name, subject := range aims {
		for _, headersOnly := range []bool{false, true} {
			if headersOnly {
				name += "-headers"
			}
			_, err := js.CreatePushConsumer(t.Context(), "EVENTS", jetstream.ConsumerConfig{
				Durable: name, DeliverSubject: subject, HeadersOnly: headersOnly, AckPolicy: jetstream.AckNonePolicy,
			})
			if err != nil {
				t.Logf("%s: %v", subject, err) // refused is as good
			}
		}
	}
	if _, err := js.CreatePushConsumer(t.Context(), "EVENTS", jetstream.ConsumerConfig{
		Durable: "cycle", DeliverSubject: "smartsheet.acme.orders.row.9", AckPolicy: jetstream.AckNonePolicy,
	}); err == nil {
		t.Error("a consumer may deliver into the stream")
	}
	for range 3 {
		p.publish(t, "orders.row.1", "{}")
	}
	info, err := s.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if info.State.Msgs != 3 || info.State.LastSeq != 3 {
		t.Errorf("got %d messages up to %d, want 3 up to 3", info.State.Msgs, info.State.LastSeq)
	}
	if _, err := s.Consumer(t.Context(), "bridge"); err != nil {
		t.Errorf("another consumer: %v", err)
	}
	for name := range aims {
		c, err := s.PushConsumer(t.Context(), name)
		if errors.Is(err, jetstream.ErrConsumerNotFound) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if got := c.CachedInfo(); got.Delivered.Stream != 0 || got.PushBound {
			t.Errorf("%s: delivered up to %d, bound %v, want nothing", name, got.Delivered.Stream, got.PushBound)
		}
	}
}

func TestPartnersAreWalledOff(t *testing.T) {
	b := start(t, options(t))
	own, err := jetstream.New(b.Bridge(), jetstream.WithDefaultTimeout(wait))
	if err != nil {
		t.Fatal(err)
	}
	kv, err := own.CreateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: "registry"})
	if err != nil {
		t.Fatal(err)
	}
	acme, bolt := newPartner(t, b, "acme"), newPartner(t, b, "bolt")
	// The bridge's user in acme's account may do everything there, as if the
	// permissions of acme's own users had failed.
	all, err := acme.bridge.SubscribeSync(">")
	if err != nil {
		t.Fatal(err)
	}
	if err := acme.bridge.Flush(); err != nil {
		t.Fatal(err)
	}
	bolt.publish(t, "orders.row.1", "bolt's")
	if _, err := kv.PutString(t.Context(), "owner.ops", "the bridge's"); err != nil {
		t.Fatal(err)
	}
	if err := acme.bridge.Publish("smartsheet.bolt.orders.row.1", []byte("forged")); err != nil {
		t.Fatal(err)
	}
	if err := acme.bridge.Publish("end", nil); err != nil {
		t.Fatal(err)
	}
	var seen []string
	for len(seen) == 0 || seen[len(seen)-1] != "end" {
		m, err := all.NextMsg(wait)
		if err != nil {
			t.Fatal(err)
		}
		seen = append(seen, m.Subject)
		if s := string(m.Data); strings.Contains(s, "bolt's") || strings.Contains(s, "the bridge's") {
			t.Errorf("acme's account sees %s on %s", s, m.Subject)
		}
	}
	if err := all.Unsubscribe(); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"smartsheet.bolt.orders.row.1", "end"}, seen); diff != "" {
		t.Errorf("subjects in acme's account (-want +got):\n%s", diff)
	}
	if _, err := acme.js.KeyValue(t.Context(), "registry"); !errors.Is(err, jetstream.ErrBucketNotFound) {
		t.Errorf("the bridge's bucket: got %v, want not found", err)
	}
	if m, err := acme.bridge.Request("$JS.API.DIRECT.GET.KV_registry", []byte(`{"seq":1}`), 200*time.Millisecond); err == nil {
		t.Errorf("the bridge's bucket: got %v, want no answer", m)
	}
	s, err := bolt.js.Stream(t.Context(), "EVENTS")
	if err != nil {
		t.Fatal(err)
	}
	m, err := s.GetLastMsgForSubject(t.Context(), "smartsheet.bolt.orders.row.1")
	if err != nil || string(m.Data) != "bolt's" {
		t.Errorf("got %v, error %v, want no forged event in bolt's stream", m, err)
	}
}
