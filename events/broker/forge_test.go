package broker_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// forgeries are requests that a reader may make and whose answer, sent to a
// subject of the stream, would be stored as an event. The body is the second.
func forgeries() [][2]string {
	var list [][2]string
	for _, call := range []string{
		"INFO", "STREAM.NAMES", "STREAM.LIST", "STREAM.INFO.EVENTS", "STREAM.MSG.GET.EVENTS", "DIRECT.GET.EVENTS",
		"DIRECT.GET.EVENTS.smartsheet.acme.orders.row.1", "CONSUMER.NAMES.EVENTS", "CONSUMER.LIST.EVENTS", "CONSUMER.INFO.EVENTS.erp",
		"CONSUMER.MSG.NEXT.EVENTS.erp", "CONSUMER.CREATE.EVENTS.x", "CONSUMER.DURABLE.CREATE.EVENTS.x", "CONSUMER.DELETE.EVENTS.none",
	} {
		for _, body := range []string{"", "{", `{"seq":1,"no_hdr":true}`, `{"batch":1,"expires":1000000000}`} {
			list = append(list, [2]string{"$JS.API." + call, body})
		}
	}
	return append(list, [2]string{"$JS.ACK.EVENTS.erp.1.1.1.1.1", "+NXT"}, [2]string{"$JS.ACK.EVENTS.erp.1.1.1.1.1", ""})
}

// TestReaderForges has a reader name subjects of the stream as the reply of all
// that it may ask, the server being who publishes answers.
func TestReaderForges(t *testing.T) {
	b := start(t, options(t))
	p := newPartner(t, b, "acme")
	p.publish(t, "orders.row.1", `{"type":"sheetbridge.row.created"}`)
	creds, _ := p.mint(t, "default")
	nc := login(t, b, creds)
	js, err := jetstream.New(nc, jetstream.WithDefaultTimeout(wait))
	if err != nil {
		t.Fatal(err)
	}
	consumer := jetstream.ConsumerConfig{Durable: "erp", AckPolicy: jetstream.AckExplicitPolicy}
	if _, err := js.CreateOrUpdateConsumer(t.Context(), "EVENTS", consumer); err != nil {
		t.Fatal(err)
	}
	for i, f := range forgeries() {
		for _, subject := range []string{fmt.Sprintf("smartsheet.acme.orders.row.%d", 900+i), "smartsheet.acme.orders.status"} {
			if err := nc.PublishRequest(f[0], subject, []byte(f[1])); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	if _, err := js.CreatePushConsumer(t.Context(), "EVENTS", jetstream.ConsumerConfig{
		Name: "push", DeliverSubject: "smartsheet.acme.orders.row.999", AckPolicy: jetstream.AckNonePolicy,
	}); err == nil {
		t.Error("a consumer delivers into the stream")
	}
	// What is asked last is answered last.
	if _, err := js.Stream(t.Context(), "EVENTS"); err != nil {
		t.Fatal(err)
	}
	s, err := p.js.Stream(t.Context(), "EVENTS")
	if err != nil {
		t.Fatal(err)
	}
	info, err := s.Info(t.Context(), jetstream.WithSubjectFilter(">"))
	if err != nil {
		t.Fatal(err)
	}
	if info.State.LastSeq != 1 || len(info.State.Subjects) != 1 {
		t.Errorf("got %d messages up to %d, want the bridge's one", info.State.Msgs, info.State.LastSeq)
		for subject := range info.State.Subjects {
			m, err := s.GetLastMsgForSubject(t.Context(), subject)
			t.Logf("%s: %.100v %v", subject, m, err)
		}
	}
}

// TestReaderUsesStockCalls makes each call that a reader has, as stock clients do
// that are older or look further than those of the other tests.
func TestReaderUsesStockCalls(t *testing.T) {
	b := start(t, options(t))
	p := newPartner(t, b, "acme")
	p.publish(t, "orders.row.1", "one")
	p.publish(t, "orders.row.2", "two")
	creds, _ := p.mint(t, "default")
	nc := login(t, b, creds)
	js, err := nc.JetStream() // the older client: push consumers, messages by the API
	if err != nil {
		t.Fatal(err)
	}
	t.Run("push consumer", func(t *testing.T) {
		sub, err := js.SubscribeSync("smartsheet.acme.>", nats.OrderedConsumer())
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"one", "two"} {
			if m, err := sub.NextMsg(wait); err != nil || string(m.Data) != want {
				t.Errorf("got %v, error %v, want %q", m, err, want)
			}
		}
		if err := sub.Unsubscribe(); err != nil {
			t.Error(err)
		}
	})
	t.Run("durable push consumer", func(t *testing.T) {
		sub, err := js.SubscribeSync("smartsheet.acme.>", nats.Durable("push"), nats.AckExplicit())
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			m, err := sub.NextMsg(wait)
			if err := errors.Join(err, m.AckSync()); err != nil {
				t.Error(err)
			}
		}
	})
	t.Run("pull subscription", func(t *testing.T) {
		sub, err := js.PullSubscribe("smartsheet.acme.orders.>", "pull")
		if err != nil {
			t.Fatal(err)
		}
		msgs, err := sub.Fetch(2, nats.MaxWait(wait))
		if err != nil || len(msgs) != 2 {
			t.Errorf("got %d messages, error %v, want two", len(msgs), err)
		}
	})
	t.Run("message by the API", func(t *testing.T) {
		if m, err := js.GetLastMsg("EVENTS", "smartsheet.acme.orders.row.2"); err != nil || string(m.Data) != "two" {
			t.Errorf("got %v, error %v, want the last message", m, err)
		}
	})
	t.Run("account", func(t *testing.T) {
		if info, err := js.AccountInfo(); err != nil || info.Streams != 1 {
			t.Errorf("got %v, error %v, want one stream", info, err)
		}
	})
	t.Run("last of many", func(t *testing.T) {
		inbox, err := nc.SubscribeSync(nc.NewInbox())
		if err != nil {
			t.Fatal(err)
		}
		body := []byte(`{"multi_last":["smartsheet.acme.>"],"batch":10}`)
		if err := nc.PublishRequest("$JS.API.DIRECT.GET.EVENTS", inbox.Subject, body); err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"one", "two", ""} {
			if m, err := inbox.NextMsg(wait); err != nil || string(m.Data) != want {
				t.Errorf("got %v, error %v, want %q", m, err, want)
			}
		}
	})
}
