package broker_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/sheetbridge/sheetbridge/events/broker"
	"github.com/sheetbridge/sheetbridge/events/eventstest"
)

// line is a connection between two servers that can be cut, and mended.
type line struct {
	listener net.Listener
	to       string

	mu   sync.Mutex
	cut  bool
	open map[net.Conn]bool
}

func newLine(t *testing.T, to string) *line {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &line{listener: listener, to: to, open: map[net.Conn]bool{}}
	var running sync.WaitGroup
	running.Go(func() {
		for {
			near, err := listener.Accept()
			if err != nil {
				return
			}
			running.Go(func() { l.carry(near) })
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		l.set(true)
		running.Wait()
	})
	return l
}

// carry carries one connection until it ends, or is cut.
func (l *line) carry(near net.Conn) {
	defer near.Close()
	far, err := net.Dial("tcp", l.to)
	if err != nil {
		return
	}
	defer far.Close()
	l.mu.Lock()
	if l.cut {
		l.mu.Unlock()
		return
	}
	l.open[near], l.open[far] = true, true
	l.mu.Unlock()
	var both sync.WaitGroup
	both.Go(func() { _, _ = io.Copy(far, near); _ = far.Close() })
	both.Go(func() { _, _ = io.Copy(near, far); _ = near.Close() })
	both.Wait()
	l.mu.Lock()
	delete(l.open, near)
	delete(l.open, far)
	l.mu.Unlock()
}

// set cuts the line, or mends it.
func (l *line) set(cut bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cut = cut
	if cut {
		for c := range l.open {
			_ = c.Close()
		}
	}
}

// TestLeafThatWasAway: a copy goes on where it was after its server was away for
// longer than the bridge keeps the consumer for it.
func TestLeafThatWasAway(t *testing.T) {
	t.Parallel()
	for name, config := range map[string]jetstream.StreamConfig{
		"mirror": documented(t),
		"source": {Name: "COPY", Sources: []*jetstream.StreamSource{origin()}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := options(t)
			o.LeafListen = "127.0.0.1:0"
			b := start(t, o)
			b.SetCopyIdle(time.Second)
			p := newPartner(t, b, "acme")
			p.publish(t, "orders.row.1", "before")
			creds, _, err := p.account.MintLeaf("mirror", time.Time{})
			if err != nil {
				t.Fatal(err)
			}
			way := newLine(t, hostPort(t, b.LeafURL()))
			own := startOwnAt(t, "nats://"+way.listener.Addr().String(), creds)
			s, err := own.js.CreateStream(t.Context(), config)
			if err != nil {
				t.Fatal(err)
			}
			wantCopied(t, s, 1, "before")
			way.set(true)
			eventstest.Await(t, "the consumer to go", func() bool { return b.Copying(p.account) == 0 })
			for row := range 50 {
				p.publish(t, fmt.Sprintf("orders.row.%d", row), "meanwhile")
			}
			way.set(false)
			wantCopied(t, s, 51, "meanwhile")
			p.publish(t, "orders.row.1", "after")
			wantCopied(t, s, 52, "after")
		})
	}
}

// TestLeafAsksForConsumers: a partner's server has consumers for copies made as
// often as copies need them, and no more. They count among no limit of the account.
func TestLeafAsksForConsumers(t *testing.T) {
	t.Parallel()
	o := options(t)
	o.LeafListen = "127.0.0.1:0"
	b := start(t, o)
	p := newPartner(t, b, "acme")
	p.publish(t, "orders.row.1", "one")
	creds, _, err := p.account.MintLeaf("mirror", time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	own := startOwn(t, b, creds)
	s, err := own.js.CreateStream(t.Context(), documented(t))
	if err != nil {
		t.Fatal(err)
	}
	wantCopied(t, s, 1, "one") // connected
	const asked = 100          // fewer than requests that may come at once
	answers, err := own.nc.SubscribeSync("$JSC.R.asked.*")
	if err != nil {
		t.Fatal(err)
	}
	made, refused := 0, 0
	for i := range asked {
		body := fmt.Sprintf(`{"stream_name":"EVENTS","config":{"direct":true,"ack_policy":"none","deliver_policy":"all","deliver_subject":"$JS.M.asked.%d"}}`, i)
		if err := own.nc.PublishRequest("$JS."+broker.Domain+".API.CONSUMER.CREATE.EVENTS", fmt.Sprintf("$JSC.R.asked.%d", i), []byte(body)); err != nil {
			t.Fatal(err)
		}
	}
	for range asked {
		m, err := answers.NextMsg(wait)
		if err != nil {
			t.Fatalf("after %d made and %d refused: %v", made, refused, err)
		}
		var answer struct {
			Error *struct{ Description string }
		}
		if err := json.Unmarshal(m.Data, &answer); err != nil {
			t.Fatal(err)
		}
		switch {
		case answer.Error == nil:
			made++
		case strings.Contains(answer.Error.Description, "too many consumers for copies"):
			refused++
		default:
			t.Fatalf("got %s", m.Data)
		}
	}
	if made == 0 || refused == 0 {
		t.Errorf("got %d made and %d refused, want some of each", made, refused)
	}
	if offenders := b.Offenders(); len(offenders) == 0 || offenders[0].Offence != broker.OffenceConsumer {
		t.Errorf("got offenders %+v, want who asked too often", offenders)
	}
	p.publish(t, "orders.row.1", "two")
	wantCopied(t, s, 2, "two") // the copy that is there goes on
}
