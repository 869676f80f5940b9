package broker_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/sheetbridge/sheetbridge/events/eventstest"
	"github.com/sheetbridge/sheetbridge/events/stream"
)

// hoardBound is how much memory the worst of 16 hostile connections may cost.
const hoardBound = 100 << 20

// filled says what the stream of the hoarders' server holds, and whether its partner
// may write.
type filled struct {
	Messages, Size int // bytes
	Writes         bool
}

// hoarded is a server in a process of its own, whose memory is nobody else's.
type hoarded struct {
	pid    int
	before int // memory that it had, bytes
	hostile
}

func newHoarded(t *testing.T, f filled) *hoarded {
	t.Helper()
	want, err := json.Marshal(f)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestServeHoarders$")
	cmd.Env = append(os.Environ(), "BROKER_TEST_HOARDERS="+string(want))
	cmd.Stderr = os.Stderr
	in, inErr := cmd.StdinPipe()
	out, outErr := cmd.StdoutPipe()
	if err := errors.Join(inErr, outErr, cmd.Start()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close() // which ends it
		_ = cmd.Wait()
	})
	s := &hoarded{pid: cmd.Process.Pid, hostile: hostile{t: t}}
	var ready struct{ URL, Creds string }
	if err := json.NewDecoder(out).Decode(&ready); err != nil {
		t.Fatal(err)
	}
	s.url, s.creds = ready.URL, ready.Creds
	if err := os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", s.pid), []byte("5"), 0); err != nil { // the peak is counted from here
		t.Fatal(err)
	}
	s.before = s.memory("VmRSS")
	return s
}

// memory is what the process has, or had at most, in bytes.
func (s *hoarded) memory(name string) int {
	s.t.Helper()
	return eventstest.Memory(s.t, s.pid, name)
}

// during runs attackers until the time is over, or until the server has far more
// memory than it may.
func (s *hoarded) during(d time.Duration, attackers []func(ctx context.Context)) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), d)
	defer cancel()
	var wg sync.WaitGroup
	for _, attack := range attackers {
		wg.Go(func() { attack(ctx) })
	}
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for ctx.Err() == nil {
		if s.memory("VmRSS")-s.before > 5*hoardBound {
			cancel()
		}
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
	wg.Wait()
	more := s.memory("VmHWM") - s.before
	s.t.Logf("at most %d MiB more", more>>20)
	if more > hoardBound {
		s.t.Errorf("got %d MiB more, want at most %d", more>>20, hoardBound>>20)
	}
}

// TestServeHoarders is the process of newHoarded. It ends with its standard input.
func TestServeHoarders(t *testing.T) {
	text := os.Getenv("BROKER_TEST_HOARDERS")
	if text == "" {
		return
	}
	var f filled
	if err := json.Unmarshal([]byte(text), &f); err != nil {
		t.Fatal(err)
	}
	debug.SetGCPercent(50) // as serve does
	b := start(t, options(t))
	p := newPartner(t, b, "acme")
	if f.Writes {
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
	}
	body := []byte(strings.Repeat("x", f.Size))
	for i := range f.Messages {
		if _, err := p.js.PublishAsync(fmt.Sprintf("smartsheet.acme.orders.row.%d", i), body); err != nil {
			t.Fatal(err)
		}
		if i%50 == 49 {
			<-p.js.PublishAsyncComplete()
		}
	}
	<-p.js.PublishAsyncComplete()
	creds, _ := p.mint(t, "default")
	for range 3 {
		debug.FreeOSMemory()
	}
	if err := json.NewEncoder(os.Stdout).Encode(map[string]string{"URL": b.URL(), "Creds": creds}); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, os.Stdin); err != nil {
		t.Fatal(err)
	}
}

const (
	pullCall = "$JS.API.CONSUMER.MSG.NEXT.EVENTS."
	getCall  = "$JS.API.DIRECT.GET.EVENTS"
	ackCall  = "$JS.ACK.EVENTS."
)

// TestHoarderOfAnswers asks for answers without end, with replies as long as they
// may be, which are read, or not, or nobody listens to.
func TestHoarderOfAnswers(t *testing.T) {
	eventstest.OnlyLong(t, attack)
	const pull = `{"batch":1,"expires":600000000000}`
	for name, tt := range map[string]struct {
		subject, body string // % is the consumer
	}{
		"pulls":                       {pullCall + "%", pull},
		"acknowledgements":            {ackCall + "%.1.1.1.1.0", "+NXT " + pull},
		"unanswered acknowledgements": {ackCall + "%.1.1.1.1.0", "+WPI"},
		"large acknowledgements":      {ackCall + "%.1.1.1.1.0", "+ACK" + strings.Repeat(" ", 500<<10)},
		"flow control":                {"$JS.FC.EVENTS.%.x", ""},
		"direct gets":                 {getCall, `{"seq":1}`},
		"large gets":                  {getCall, `{"seq":1}` + strings.Repeat(" ", 500<<10)},
		"infos":                       {"$JS.API.CONSUMER.INFO.EVENTS.%", ""},
		"infos of streams":            {"$JS.API.STREAM.INFO.EVENTS", `{"subjects_filter":">"}`},
		"writes":                      {"write.acme.orders.default", "x"},
		"large writes":                {"write.acme.orders.default", strings.Repeat("x", 500<<10)},
	} {
		for how, reading := range map[string]struct {
			reply           int // bytes, about
			listening, deaf bool
		}{
			"read":     {1800, true, false}, // shorter than a line may be
			"short":    {200, true, false},
			"not read": {200, true, true},
			"unheard":  {1800, false, false},
		} {
			t.Run(name+"/"+how, func(t *testing.T) {
				f := filled{Messages: 10, Size: 64, Writes: strings.Contains(name, "writes")}
				if name == "infos of streams" {
					f.Messages = 5000 // each is named in the answer
				}
				s := newHoarded(t, f)
				var names atomic.Int64
				tail := strings.Repeat("x", reading.reply)
				s.during(4*time.Second, s.connections(16, func(ctx context.Context, nc *nats.Conn, deaf *atomic.Bool) {
					consumer := hoard(ctx, nc, names.Add(1)%8)
					if consumer == "" {
						return
					}
					subject := strings.ReplaceAll(tt.subject, "%", consumer)
					if reading.listening {
						if _, err := nc.ChanSubscribe("_INBOX.>", make(chan *nats.Msg, 1)); err != nil { // keeps no answers here
							return
						}
					}
					deaf.Store(reading.deaf)
					for i := 0; ctx.Err() == nil && nc.IsConnected(); i++ {
						if nc.PublishRequest(subject, "_INBOX."+tail+"."+strconv.Itoa(i), []byte(tt.body)) != nil {
							return
						}
					}
				}))
			})
		}
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

// TestHoarderThatDoesNotRead has connections that have all of the stream sent and
// read nothing.
func TestHoarderThatDoesNotRead(t *testing.T) {
	eventstest.OnlyLong(t, attack)
	for name, ask := range map[string]func(ctx context.Context, nc *nats.Conn, inbox string) error{
		"direct gets": func(_ context.Context, nc *nats.Conn, inbox string) error {
			var failed error
			for range 20 {
				failed = errors.Join(failed, nc.PublishRequest("$JS.API.DIRECT.GET.EVENTS", inbox, []byte(`{"seq":1,"next_by_subj":">","batch":400,"max_bytes":60000000}`)))
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
			return nc.PublishRequest("$JS.API.CONSUMER.MSG.NEXT.EVENTS."+c.CachedInfo().Name, inbox, []byte(`{"batch":400,"expires":60000000000}`))
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
			// As much as the bound, so that what the server keeps of it is seen.
			s := newHoarded(t, filled{Messages: 400, Size: 256 << 10})
			s.during(6*time.Second, s.connections(16, func(ctx context.Context, nc *nats.Conn, deaf *atomic.Bool) {
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
			}))
		})
	}
}

// TestHoarderOfSubscriptions has subscriptions of very many tokens each.
func TestHoarderOfSubscriptions(t *testing.T) {
	eventstest.OnlyLong(t, attack)
	s := newHoarded(t, filled{})
	s.during(6*time.Second, s.connections(16, func(ctx context.Context, nc *nats.Conn, _ *atomic.Bool) {
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
	}))
}
