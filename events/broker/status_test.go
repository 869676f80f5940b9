package broker_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/sheetbridge/sheetbridge/events/eventstest"
)

// tap keeps what a connection was sent, as it was written: nats.go makes the same of
// a status and of a header field, other clients do not.
type tap struct {
	net.Dialer
	mu   sync.Mutex
	sent []byte
}

func (d *tap) Dial(network, address string) (net.Conn, error) {
	conn, err := d.Dialer.Dial(network, address)
	return &tapped{conn, d}, err
}

type tapped struct {
	net.Conn
	to *tap
}

func (c *tapped) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.to.mu.Lock()
	defer c.to.mu.Unlock()
	c.to.sent = append(c.to.sent, p[:n]...)
	return n, err
}

// take returns what was sent since the last call.
func (d *tap) take() []byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	sent := d.sent
	d.sent = nil
	return sent
}

// TestStatusOfAnswers: what a direct get and a pull are told is a status in the first
// line of the header, as NATS servers write it and clients of all languages read it,
// also when the gate's connection for it was lost; and an end comes after what it ends.
func TestStatusOfAnswers(t *testing.T) {
	t.Parallel()
	b := start(t, options(t))
	p := newPartner(t, b, "acme")
	creds, _ := p.mint(t, "default")
	wire := new(tap)
	nc := login(t, b, creds, nats.SetCustomDialer(wire))
	for _, row := range []string{"1", "2", "3"} {
		p.publish(t, "orders.row."+row, "event "+row)
	}
	for _, body := range []string{"small", strings.Repeat("x", int(b.Bridge().MaxPayload()))} { // an answer has a header in addition
		p.publish(t, "large.row.1", body)
	}
	lost := false
	for _, tt := range []struct {
		name, subject string
		body          map[string]any
		status        string // the first line
		bodies        []string
	}{
		{"no such message", "$JS.API.DIRECT.GET.EVENTS", map[string]any{"last_by_subj": "smartsheet.acme.orders.row.9"}, "NATS/1.0 404 Message Not Found", nil},
		{"no such message, by subject", "$JS.API.DIRECT.GET.EVENTS.smartsheet.acme.orders.row.9", nil, "NATS/1.0 404 Message Not Found", nil},
		{"no such messages", "$JS.API.DIRECT.GET.EVENTS", map[string]any{"multi_last": []string{"smartsheet.acme.gone.>"}}, "NATS/1.0 404 No Results", nil},
		{"some", "$JS.API.DIRECT.GET.EVENTS", map[string]any{"seq": 1, "batch": 2}, "NATS/1.0 204 EOB", []string{"event 1", "event 2"}},
		{"last of each", "$JS.API.DIRECT.GET.EVENTS", map[string]any{"multi_last": []string{"smartsheet.acme.orders.>"}}, "NATS/1.0 204 EOB", []string{"event 1", "event 2", "event 3"}},
		{"one too large", "$JS.API.DIRECT.GET.EVENTS", map[string]any{"seq": 2, "batch": 4}, "NATS/1.0 413 the answer is larger", []string{"event 2", "event 3", "small"}},
		{"a pull without a consumer", "$JS.API.CONSUMER.MSG.NEXT.EVENTS.erp", map[string]any{"batch": 1}, "NATS/1.0 503", nil},
		{"a bad pull", "$JS.API.CONSUMER.MSG.NEXT.EVENTS.erp", map[string]any{"pad": strings.Repeat("x", 5<<10)}, "NATS/1.0 400 Bad Request", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.status == "NATS/1.0 204 EOB" && !lost {
				if n, err := b.LoseStatuses(); err != nil || n != 1 {
					t.Fatalf("closed %d connections of the gate for statuses, error %v, want 1", n, err)
				}
				eventstest.Await(t, "the connection is lost", func() bool { return b.Statuses() == 0 })
				lost = true
			}
			inbox := nc.NewInbox()
			answers, err := nc.SubscribeSync(inbox)
			if err := errors.Join(err, nc.Flush()); err != nil {
				t.Fatal(err)
			}
			defer func() { _ = answers.Unsubscribe() }()
			var body []byte
			if tt.body != nil {
				if body, err = json.Marshal(tt.body); err != nil {
					t.Fatal(err)
				}
			}
			wire.take()
			if err := nc.PublishRequest(tt.subject, inbox, body); err != nil {
				t.Fatal(err)
			}
			var bodies []string
			for {
				m, err := answers.NextMsg(wait)
				if errors.Is(err, nats.ErrNoResponders) {
					break
				}
				if err != nil {
					t.Fatalf("got %q, then %v, want a status", bodies, err)
				}
				if m.Header.Get("Status") != "" {
					break
				}
				bodies = append(bodies, string(m.Data))
			}
			if !slices.Equal(bodies, tt.bodies) {
				t.Errorf("got %q before the status, want %q", bodies, tt.bodies)
			}
			if sent := wire.take(); !bytes.Contains(sent, []byte("\r\n"+tt.status)) || bytes.Contains(sent, []byte("\r\nStatus:")) {
				t.Errorf("got on the wire\n%s\nwant a header that begins %q", sent, tt.status)
			}
		})
	}
}

// TestStatusConnOfReplacedGate: a gate that lost its connection for good is replaced, and
// its connection for statuses goes with it.
func TestStatusConnOfReplacedGate(t *testing.T) {
	t.Parallel()
	b := start(t, options(t))
	p := newPartner(t, b, "acme")
	creds, _ := p.mint(t, "default")
	nc := login(t, b, creds)
	getNone := func() {
		t.Helper()
		m, err := nc.Request("$JS.API.DIRECT.GET.EVENTS", []byte(`{"seq":9}`), wait)
		if err != nil || m.Header.Get("Status") != "404" {
			t.Fatalf("got %v, error %v, want status 404", m, err)
		}
	}
	served := func(want int) func() bool {
		return func() bool {
			n, err := b.ServedStatuses()
			return err == nil && n == want
		}
	}
	getNone()
	eventstest.Await(t, "the gate's connection for statuses", served(1))
	b.CloseGates()
	if err := b.PutAccount(t.Context(), p.name, p.account); err != nil {
		t.Fatal(err)
	}
	eventstest.Await(t, "the replaced gate's connection for statuses is closed", served(0))
	getNone()
}
