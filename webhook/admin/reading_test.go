package admin_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// reader finds one of the readers that the answer lists, nil for none.
func (r reply) reader(credentials, consumer any) map[string]any {
	r.t.Helper()
	for _, item := range r.at("items").([]any) {
		if it := item.(map[string]any); it["credentials"] == credentials && it["consumer"] == consumer {
			return it
		}
	}
	return nil
}

// fetch takes messages from a consumer.
func fetch(t *testing.T, c jetstream.Consumer, n int) {
	t.Helper()
	batch, err := c.Fetch(n, jetstream.FetchMaxWait(10*time.Second))
	must(t, err)
	for m := range batch.Messages() {
		must(t, m.Ack())
	}
	must(t, batch.Error())
}

// What a partner was given is known by credentials and durable consumer, and stays
// known when the consumer is gone.
func TestReading(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{})
	w.relays()
	w.owner()
	creds := w.partner("acme")
	const path = "/v1/partners/acme/reading"
	if got := w.ok(200, "GET", path, ""); got.at("deliveredTo") != nil || len(got.at("items").([]any)) != 0 || got.at("notReading") != false {
		t.Errorf("got %s before there was anything", got.text)
	}
	w.registered()
	w.settle()
	js := w.reads(creds)
	st, err := js.Stream(t.Context(), "EVENTS")
	must(t, err)
	last := float64(st.CachedInfo().State.LastSeq)
	durable, err := js.CreateConsumer(t.Context(), "EVENTS", jetstream.ConsumerConfig{Durable: "erp-orders", AckPolicy: jetstream.AckExplicitPolicy})
	must(t, err)
	if it := w.ok(200, "GET", path, "").reader("default", "erp-orders"); it == nil || it["deliveredTo"] != nil || it["unread"] != last || it["seenAt"] != nil {
		t.Errorf("got %v of a consumer that was given nothing, want all %v unread", it, last)
	}
	fetch(t, durable, 1)
	got := w.ok(200, "GET", path, "")
	it := got.reader("default", "erp-orders")
	if it == nil || it["deliveredTo"].(map[string]any)["sequence"] != 1.0 || it["unread"] != last-1 || it["present"] != true || got.at("deliveredTo", "sequence") != 1.0 {
		t.Errorf("got %s, want default with erp-orders at 1 of %v", got.text, last)
	}

	other := w.reads(w.ok(201, "POST", "/v1/partners/acme/credentials", `{"name":"bi"}`).text1("credentials"))
	ordered, err := other.OrderedConsumer(t.Context(), "EVENTS", jetstream.OrderedConsumerConfig{})
	must(t, err)
	fetch(t, ordered, int(last))
	got = w.ok(200, "GET", path, "")
	if it := got.reader("bi", nil); it == nil || it["deliveredTo"].(map[string]any)["sequence"] != last || got.at("deliveredTo", "sequence") != last {
		t.Errorf("got %s, want bi without a durable consumer at %v", got.text, last)
	}

	must(t, js.DeleteConsumer(t.Context(), "EVENTS", "erp-orders"))
	it = w.ok(200, "GET", path, "").reader("default", "erp-orders")
	if it == nil || it["present"] != false || it["unread"] != nil || it["deliveredTo"].(map[string]any)["sequence"] != 1.0 {
		t.Errorf("got %v of a consumer that is gone, want what is remembered", it)
	}
	over := w.ok(200, "GET", "/v1/overview", "")
	if line := over.at("items", 0).(map[string]any); line["readTo"].(map[string]any)["sequence"] != last || line["lastRead"] == nil {
		t.Errorf("got %v in the overview, want up to %v", line, last)
	}
	w.ok(204, "DELETE", "/v1/partners/acme", "")
	w.partner("acme")
	if got := w.ok(200, "GET", path, ""); len(got.at("items").([]any)) != 0 {
		t.Errorf("got %s of a new partner of the same name", got.text)
	}
}

// Live subscriptions and direct gets are reading too.
func TestReadingWithoutConsumers(t *testing.T) {
	t.Parallel()
	for name, read := range map[string]func(t *testing.T, w *world, creds string){
		"live subscription": func(t *testing.T, w *world, creds string) {
			nc := w.connected(creds)
			_, err := nc.SubscribeSync("smartsheet.acme.>")
			must(t, errors.Join(err, nc.Flush()))
		},
		"direct get": func(t *testing.T, w *world, creds string) {
			st, err := w.reads(creds).Stream(t.Context(), "EVENTS")
			must(t, err)
			_, err = st.GetLastMsgForSubject(t.Context(), "smartsheet.acme.orders.schema")
			must(t, err)
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, setup{})
			w.relays()
			w.owner()
			creds := w.partner("acme")
			w.registered()
			w.settle()
			read(t, w, creds)
			if it := w.ok(200, "GET", "/v1/partners/acme/reading", "").reader("default", nil); it == nil || it["seenAt"] == nil || it["present"] != true {
				t.Errorf("got %v, want that default reads", it)
			}
		})
	}
}

// A partner that reads nothing for too long although there is something is told of,
// until it reads.
func TestNotReading(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{})
	w.api.Partners.NotReadingAfter = time.Nanosecond
	w.relays()
	w.owner()
	creds := w.partner("acme")
	const path = "/v1/partners/acme/reading"
	for range 2 { // the first look is where it begins
		if got := w.ok(200, "GET", path, ""); got.at("notReading") != false {
			t.Errorf("got %s, want nothing to be said while there is nothing", got.text)
		}
	}
	w.registered()
	w.settle()
	if got := w.ok(200, "GET", path, ""); got.at("notReading") != true || got.at("unreadSince") == nil {
		t.Errorf("got %s, want that it does not read", got.text)
	}
	over := w.ok(200, "GET", "/v1/overview", "")
	if over.at("counts", "notReading") != 1.0 || !strings.Contains(over.text1("items", 0, "attention"), "it has never read anything") || over.text1("items", 0, "action", "path") != path {
		t.Errorf("got %s, want the partner to be seen to", over.text)
	}
	if doctor := w.ok(200, "GET", "/v1/doctor", ""); !strings.Contains(doctor.text, "it has never read anything") {
		t.Errorf("got %s, want the doctor to say it", doctor.text)
	}
	consumer, err := w.reads(creds).OrderedConsumer(t.Context(), "EVENTS", jetstream.OrderedConsumerConfig{})
	must(t, err)
	fetch(t, consumer, 1)
	if got := w.ok(200, "GET", path, ""); got.at("notReading") != false || got.at("unreadSince") != nil {
		t.Errorf("got %s of a partner that reads", got.text)
	}
}
