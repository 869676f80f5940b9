package broker_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/sheetbridge/sheetbridge/events/eventstest"
)

const pullOne = `{"batch":1,"expires":5000000000}`

// TestPullOfNoConsumer: who pulls from a consumer that there is not is told at
// once, also where there was one.
func TestPullOfNoConsumer(t *testing.T) {
	t.Parallel()
	b := start(t, options(t))
	p := newPartner(t, b, "acme")
	creds, _ := p.mint(t, "default")
	nc := login(t, b, creds)
	js, err := jetstream.New(nc, jetstream.WithDefaultTimeout(wait))
	if err != nil {
		t.Fatal(err)
	}
	pull := func(want string) {
		t.Helper()
		m, err := nc.Request("$JS.API.CONSUMER.MSG.NEXT.EVENTS.erp", []byte(pullOne), wait)
		switch {
		case want == "" && errors.Is(err, nats.ErrNoResponders):
		case err != nil:
			t.Fatal(err)
		case string(m.Data) != want:
			t.Errorf("got %q %v, want %q", m.Data, m.Header, want)
		}
	}
	pull("")
	p.publish(t, "orders.row.1", "one")
	if _, err := js.CreateConsumer(t.Context(), "EVENTS", jetstream.ConsumerConfig{Durable: "erp"}); err != nil {
		t.Fatal(err)
	}
	pull("one")
	if err := js.DeleteConsumer(t.Context(), "EVENTS", "erp"); err != nil {
		t.Fatal(err)
	}
	eventstest.Await(t, "no consumer", func() bool {
		_, err := nc.Request("$JS.API.CONSUMER.MSG.NEXT.EVENTS.erp", []byte(`{"batch":1,"no_wait":true}`), wait)
		return errors.Is(err, nats.ErrNoResponders)
	})
	if _, err := js.CreateConsumer(t.Context(), "EVENTS", jetstream.ConsumerConfig{Durable: "erp"}); err != nil {
		t.Fatal(err)
	}
	pull("one")
	if err := p.js.DeleteStream(t.Context(), "EVENTS"); err != nil {
		t.Fatal(err)
	}
	pull("")
}

// TestPullsOfTooMuch: a pull is answered to an inbox of ordinary length, or not
// made.
func TestPullsOfTooMuch(t *testing.T) {
	t.Parallel()
	b := start(t, options(t))
	p := newPartner(t, b, "acme")
	p.publish(t, "orders.row.1", "one")
	creds, _ := p.mint(t, "default")
	nc := login(t, b, creds)
	js, err := jetstream.New(nc, jetstream.WithDefaultTimeout(wait))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := js.CreateConsumer(t.Context(), "EVENTS", jetstream.ConsumerConfig{Durable: "erp"}); err != nil {
		t.Fatal(err)
	}
	answers, err := nc.SubscribeSync("_INBOX.>")
	if err != nil {
		t.Fatal(err)
	}
	next := "$JS.API.CONSUMER.MSG.NEXT.EVENTS.erp"
	for name, tt := range map[string]struct {
		reply, body, status string
	}{
		"a long reply": {"_INBOX." + strings.Repeat("x", 300), pullOne, "400"},
		"a long body":  {"_INBOX.x", pullOne + strings.Repeat(" ", 5000), "400"},
	} {
		if err := nc.PublishRequest(next, tt.reply, []byte(tt.body)); err != nil {
			t.Fatal(err)
		}
		if m, err := answers.NextMsg(wait); err != nil || m.Header.Get("Status") != tt.status {
			t.Errorf("%s: got %v, error %v, want status %s", name, m, err, tt.status)
		}
	}
	// Nothing is answered elsewhere, and no answer is stored.
	for _, reply := range []string{"smartsheet.acme.orders.row.1", "smartsheet.acme.orders.row.9", "$JS.API.STREAM.PURGE.EVENTS", "_BRIDGE.x", "_INBOX"} {
		if err := nc.PublishRequest(next, reply, []byte(pullOne)); err != nil {
			t.Fatal(err)
		}
	}
	if err := nc.PublishRequest(next, "_INBOX.x", []byte(pullOne)); err != nil {
		t.Fatal(err)
	}
	if m, err := answers.NextMsg(wait); err != nil || string(m.Data) != "one" {
		t.Errorf("got %v, error %v, want the event, which none of the pulls before took", m, err)
	}
	info, err := p.js.Stream(t.Context(), "EVENTS")
	if err != nil {
		t.Fatal(err)
	}
	if got := info.CachedInfo().State.LastSeq; got != 1 {
		t.Errorf("got %d messages stored, want one", got)
	}
}

// TestPushesAreFlowControlled: a push consumer whose reader acknowledges nothing
// waits for it to keep up, asked for or not; the client does not notice.
func TestPushesAreFlowControlled(t *testing.T) {
	t.Parallel()
	b := start(t, options(t))
	p := newPartner(t, b, "acme")
	body := strings.Repeat("x", 256<<10)
	for i := range 40 {
		p.publish(t, fmt.Sprintf("orders.row.%d", i), body)
	}
	creds, _ := p.mint(t, "default")
	js, err := jetstream.New(login(t, b, creds), jetstream.WithDefaultTimeout(wait))
	if err != nil {
		t.Fatal(err)
	}
	c, err := js.CreatePushConsumer(t.Context(), "EVENTS", jetstream.ConsumerConfig{
		Durable: "push", AckPolicy: jetstream.AckNonePolicy, DeliverSubject: "_INBOX.push",
	})
	if err != nil {
		t.Fatal(err)
	}
	if !c.CachedInfo().Config.FlowControl {
		t.Error("got no flow control")
	}
	got := make(chan jetstream.Msg, 40)
	reading, err := c.Consume(func(m jetstream.Msg) { got <- m })
	if err != nil {
		t.Fatal(err)
	}
	defer reading.Stop()
	for i := range 40 {
		select {
		case <-got:
		case <-time.After(wait):
			t.Fatalf("got %d messages, want 40", i)
		}
	}
}

// TestPullsOfLargeMessages: a client that has more sent than one pull brings goes on
// by itself, and so does one that pulls with its acknowledgements.
func TestPullsOfLargeMessages(t *testing.T) {
	t.Parallel()
	b := start(t, options(t))
	p := newPartner(t, b, "acme")
	const messages = 20
	body := strings.Repeat("x", 1<<20) // some fifteen in a pull
	for i := range messages {
		p.publish(t, fmt.Sprintf("orders.row.%d", i), body)
	}
	creds, _ := p.mint(t, "default")
	nc := login(t, b, creds, func(o *nats.Options) error { o.AllowReconnect = true; return nil }) // as clients do when they were too slow
	js, err := jetstream.New(nc, jetstream.WithDefaultTimeout(wait))
	if err != nil {
		t.Fatal(err)
	}
	c, err := js.OrderedConsumer(t.Context(), "EVENTS", jetstream.OrderedConsumerConfig{})
	if err != nil {
		t.Fatal(err)
	}
	got := make(chan int, messages)
	reading, err := c.Consume(func(m jetstream.Msg) { got <- len(m.Data()) })
	if err != nil {
		t.Fatal(err)
	}
	defer reading.Stop()
	for i := range messages {
		select {
		case n := <-got:
			if n != len(body) {
				t.Errorf("message %d: got %d bytes", i, n)
			}
		case <-time.After(wait):
			t.Fatalf("got %d messages, want %d", i, messages)
		}
	}

	if _, err := js.CreateConsumer(t.Context(), "EVENTS", jetstream.ConsumerConfig{Durable: "erp", AckPolicy: jetstream.AckExplicitPolicy}); err != nil {
		t.Fatal(err)
	}
	answers, err := nc.SubscribeSync(nc.NewInbox())
	if err != nil {
		t.Fatal(err)
	}
	subject, ask := "$JS.API.CONSUMER.MSG.NEXT.EVENTS.erp", "1" // as the first clients asked
	for i := range messages {
		if err := nc.PublishRequest(subject, answers.Subject, []byte(ask)); err != nil {
			t.Fatal(err)
		}
		m, err := answers.NextMsg(wait)
		if err != nil || len(m.Data) != len(body) {
			t.Fatalf("message %d: got %v, error %v", i, m, err)
		}
		subject, ask = m.Reply, "+NXT"
	}
}
