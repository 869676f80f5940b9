package broker_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/events/stream"
)

// newWriter is a partner that may write, and its stream with the queue.
func newWriter(t *testing.T) (*partner, func(name string, opts ...nats.Option) *nats.Conn) {
	t.Helper()
	b := start(t, options(t))
	p := newPartner(t, b, "acme")
	p.account.Writes = true
	if err := b.PutAccount(t.Context(), p.name, p.account); err != nil {
		t.Fatal(err)
	}
	st, err := stream.Open(t.Context(), p.bridge, p.name, stream.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := st.Writes(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	return p, func(name string, opts ...nats.Option) *nats.Conn {
		creds, _ := p.mint(t, name)
		return login(t, b, creds, opts...)
	}
}

// stored are the subjects of what a stream holds.
func stored(t *testing.T, p *partner, name string) []string {
	t.Helper()
	s, err := p.js.Stream(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	info, err := s.Info(t.Context(), jetstream.WithSubjectFilter(">"))
	if err != nil {
		t.Fatal(err)
	}
	var subjects []string
	for subject, n := range info.State.Subjects {
		for range n {
			subjects = append(subjects, subject)
		}
	}
	slices.Sort(subjects)
	return subjects
}

// TestWriterPublishes publishes with stock clients: with JetStream's acknowledgement,
// as a request, and without either.
func TestWriterPublishes(t *testing.T) {
	p, login := newWriter(t)
	nc := login("erp")
	js, err := jetstream.New(nc, jetstream.WithDefaultTimeout(wait))
	if err != nil {
		t.Fatal(err)
	}
	ack, err := js.Publish(t.Context(), "write.acme.orders.erp", []byte("one"))
	if err != nil || ack.Stream != events.WriteStreamName || ack.Sequence != 1 {
		t.Errorf("got %+v, error %v, want the stream's acknowledgement", ack, err)
	}
	old, err := nc.JetStream()
	if err != nil {
		t.Fatal(err)
	}
	if ack, err := old.Publish("write.acme.plan.erp", []byte("two")); err != nil || ack.Stream != events.WriteStreamName {
		t.Errorf("older client: got %+v, error %v", ack, err)
	}
	if err := nc.Publish("write.acme.orders.erp", []byte("three")); err != nil {
		t.Fatal(err)
	}
	if m, err := nc.Request("write.acme.orders.erp", []byte("four"), wait); err != nil || len(m.Data) == 0 {
		t.Errorf("got %v, error %v, want an acknowledgement", m, err)
	}
	want := []string{"write.acme.orders.erp", "write.acme.orders.erp", "write.acme.orders.erp", "write.acme.plan.erp"}
	if got := stored(t, p, events.WriteStreamName); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// TestWriterPublishesUnderItsNameAlone tries other names and other subjects.
func TestWriterPublishesUnderItsNameAlone(t *testing.T) {
	p, login := newWriter(t)
	refused := make(chan error, 32)
	nc := login("erp", nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { refused <- err }))
	login("other")
	subjects := []string{
		"write.acme.orders.other", "write.acme.orders", "write.acme.orders.erp.more", "write.bolt.orders.erp", "write.acme.erp",
		"smartsheet.acme.orders.row.1", "smartsheet.acme.orders.write.a", "$JS.API.STREAM.PURGE.WRITES", "$JS.API.STREAM.MSG.GET.WRITES",
		"$JS.API.CONSUMER.CREATE.WRITES", "$JS.API.CONSUMER.MSG.NEXT.WRITES.bridge", "$JS.API.DIRECT.GET.WRITES", "$JS.API.CONSUMER.DELETE.WRITES.bridge", "$JS.ACK.WRITES.bridge.1.1.1.1.1",
	}
	for _, subject := range subjects {
		if err := nc.Publish(subject, []byte("{}")); err != nil {
			t.Fatal(err)
		}
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	for range subjects {
		if err := <-refused; !errors.Is(err, nats.ErrPermissionViolation) {
			t.Errorf("got %v, want a refusal", err)
		}
	}
	if got := stored(t, p, events.WriteStreamName); len(got) > 0 {
		t.Errorf("got %v, want nothing stored", got)
	}
}

// TestWriterForges names subjects of the streams as reply, and has headers that make
// a stream do more than store.
func TestWriterForges(t *testing.T) {
	p, login := newWriter(t)
	p.publish(t, "orders.row.1", `{"type":"sheetbridge.row.created"}`)
	nc := login("erp")
	replies := []string{
		"smartsheet.acme.orders.row.999", "smartsheet.acme.orders.status", "smartsheet.acme.orders.write.a", "write.acme.orders.other",
		"$JS.API.STREAM.PURGE.EVENTS", "$JS.API.STREAM.DELETE.EVENTS", "$JS.API.CONSUMER.DELETE.WRITES.bridge", "_GATE.API.INFO", "_R_.x.y", "$SYS.REQ.CLAIMS.UPDATE",
	}
	n := 0
	for _, reply := range replies {
		for _, header := range []nats.Header{
			nil, {"Nats-Rollup": {"all"}}, {"Nats-Rollup": {"sub"}}, {"Nats-Schedule": {"@at 2020-01-01T00:00:00Z"}, "Nats-Schedule-Target": {"write.acme.orders.other"}},
			{"Nats-Trace-Dest": {"smartsheet.acme.orders.row.998"}}, {"Nats-TTL": {"1s"}}, {"Nats-Batch-Id": {"a"}, "Nats-Batch-Sequence": {"1"}, "Nats-Batch-Commit": {"1"}},
			{"Nats-Expected-Stream": {"EVENTS"}}, {"Nats-Stream-Source": {"EVENTS 1"}}, {"Nats-Incr": {"1"}},
		} {
			n++
			if err := nc.PublishMsg(&nats.Msg{Subject: "write.acme.orders.erp", Reply: reply, Header: header, Data: fmt.Appendf(nil, `{"id":"%d"}`, n)}); err != nil {
				t.Fatal(err)
			}
		}
	}
	if m, err := nc.Request("write.acme.orders.erp", []byte("last"), wait); err != nil {
		t.Fatalf("got %v, error %v", m, err)
	}
	if got := stored(t, p, "EVENTS"); !slices.Equal(got, []string{"smartsheet.acme.orders.row.1"}) {
		t.Errorf("got %v in the stream of events, want the bridge's one", got)
	}
	for _, subject := range stored(t, p, events.WriteStreamName) {
		if subject != "write.acme.orders.erp" {
			t.Errorf("%s is stored", subject)
		}
	}
	s, err := p.js.Stream(t.Context(), events.WriteStreamName)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Consumer(t.Context(), "bridge"); err != nil {
		t.Errorf("the bridge's consumer: %v", err)
	}
}

// TestReaderDoesNotWrite has a partner whose shares are to be read only.
func TestReaderDoesNotWrite(t *testing.T) {
	b := start(t, options(t))
	p := newPartner(t, b, "acme")
	creds, _ := p.mint(t, "erp")
	refused := make(chan error, 1)
	nc := login(t, b, creds, nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { refused <- err }))
	if err := errors.Join(nc.Publish("write.acme.orders.erp", nil), nc.Flush()); err != nil {
		t.Fatal(err)
	}
	if err := <-refused; !errors.Is(err, nats.ErrPermissionViolation) {
		t.Errorf("got %v, want a refusal", err)
	}
	p.account.Writes = true
	if err := b.PutAccount(t.Context(), p.name, p.account); err != nil {
		t.Fatal(err)
	}
	nc = login(t, b, creds) // the same credentials, which were minted before
	if err := errors.Join(nc.Publish("write.acme.orders.erp", nil), nc.Flush(), nc.LastError()); err != nil {
		t.Errorf("got %v, want it allowed now", err)
	}
}

// TestWritesAreBounded fills the queue.
func TestWritesAreBounded(t *testing.T) {
	p, login := newWriter(t)
	nc := login("erp")
	if _, err := nc.Request("write.acme.orders.erp", make([]byte, 80<<10), wait); err != nil {
		t.Fatal(err)
	}
	if got := stored(t, p, events.WriteStreamName); len(got) > 0 {
		t.Errorf("got %d messages, want what is too large refused", len(got))
	}
	body := make([]byte, 60<<10)
	for range 400 { // 24 MiB
		if err := nc.Publish("write.acme.orders.erp", body); err != nil {
			t.Fatal(err)
		}
	}
	js, err := jetstream.New(nc, jetstream.WithDefaultTimeout(wait))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := js.Publish(t.Context(), "write.acme.orders.erp", body); err == nil {
		t.Error("the queue takes more than it may hold")
	}
	s, err := p.js.Stream(t.Context(), events.WriteStreamName)
	if err != nil {
		t.Fatal(err)
	}
	if got := s.CachedInfo().State.Bytes; got > 16<<20 || got < 15<<20 {
		t.Errorf("got %d bytes, want nearly 16 MiB", got)
	}
	p.publish(t, "orders.row.1", "still") // the events have their own room
}
