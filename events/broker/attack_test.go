package broker_test

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/sheetbridge/sheetbridge/events/broker"
)

// target is what attackers in acme's account must not reach: another partner
// and the bridge, with something planted in each.
type target struct {
	t      *testing.T
	b      *broker.Broker
	bolt   *partner
	creds  string // bolt's
	bucket jetstream.KeyValue
	acme   *partner
	cato   *partner // whom nobody named to the attackers
}

const canary = "planted-canary"

func newTarget(t *testing.T) *target {
	t.Helper()
	b := start(t, options(t))
	own, err := jetstream.New(b.Bridge(), jetstream.WithDefaultTimeout(wait))
	if err != nil {
		t.Fatal(err)
	}
	bucket, err := own.CreateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: "sheetbridge"})
	if err != nil {
		t.Fatal(err)
	}
	g := &target{t: t, b: b, bolt: newPartner(t, b, "bolt"), acme: newPartner(t, b, "acme"), cato: newPartner(t, b, "cato"), bucket: bucket}
	g.creds, _ = g.bolt.mint(t, "default")
	if _, err := g.bolt.js.CreateConsumer(t.Context(), "EVENTS", jetstream.ConsumerConfig{Durable: "theirs"}); err != nil {
		t.Fatal(err)
	}
	g.live()
	return g
}

// live lets everybody do what they do, so that there is something to overhear.
func (g *target) live() {
	g.t.Helper()
	g.bolt.publish(g.t, "orders.row.1", canary)
	g.cato.publish(g.t, "orders.row.1", canary)
	if _, err := g.bucket.PutString(g.t.Context(), "owner.ops", canary); err != nil {
		g.t.Fatal(err)
	}
	if err := g.b.PutAccount(g.t.Context(), "bolt", g.bolt.account); err != nil {
		g.t.Fatal(err)
	}
	nc := login(g.t, g.b, g.creds)
	m, err := nc.Request("$JS.API.STREAM.MSG.GET.EVENTS", []byte(`{"seq":1}`), wait)
	if err != nil || len(m.Data) == 0 {
		g.t.Fatalf("bolt reads its own stream: %v", err)
	}
	nc.Close()
}

// secrets are what must not be seen. What an attacker says itself the server may
// repeat to it.
func (g *target) secrets() []string {
	return []string{canary, "cGxhbnRlZC1jYW5hcnk", g.cato.account.PublicKey, "cato"}
}

// intact fails when anything of the target has changed.
func (g *target) intact(sequence uint64, value uint64) {
	g.t.Helper()
	s, err := g.bolt.js.Stream(g.t.Context(), "EVENTS")
	if err != nil {
		g.t.Fatal(err)
	}
	if got := s.CachedInfo().State; got.LastSeq != sequence || got.Msgs != sequence {
		g.t.Errorf("bolt's stream: got %d messages up to %d, want %d", got.Msgs, got.LastSeq, sequence)
	}
	if _, err := s.Consumer(g.t.Context(), "theirs"); err != nil {
		g.t.Errorf("bolt's consumer: %v", err)
	}
	e, err := g.bucket.Get(g.t.Context(), "owner.ops")
	if err != nil || e.Revision() != value {
		g.t.Errorf("the bridge's bucket: got %v, error %v, want revision %d", e, err, value)
	}
	login(g.t, g.b, g.creds).Close() // the account is what it was
}

// requests are all that might answer with, or do, something of others.
func (g *target) requests() []string {
	bolt, acme := g.bolt.account.PublicKey, g.acme.account.PublicKey
	list := []string{
		"$SYS.REQ.CLAIMS.UPDATE", "$SYS.REQ.CLAIMS.DELETE", "$SYS.REQ.CLAIMS.LIST", "$SYS.REQ.CLAIMS.PACK",
		"$SYS.REQ.USER.INFO", "$SYS.REQ.USER.AUTH", "$SYS._INBOX_.x", "$SYS.DEBUG.SUBSCRIBERS",
		"$SYS.REQ.ACCOUNT.PING.CONNZ", "$SYS.REQ.ACCOUNT.PING.STATZ", "$SYS.REQ.SERVER.PING", "$SYS.REQ.SERVER.PING.CONNZ",
		"$SYS.REQ.SERVER.PING.JSZ", "$SYS.REQ.SERVER.PING.ACCOUNTZ", "$SYS.REQ.SERVER.PING.SUBSZ", "$SYS.REQ.SERVER.RELOAD",
		"$JS.API.INFO", "$JS.API.STREAM.LIST", "$JS.API.STREAM.NAMES", "$JS.API.META.LEADER.STEPDOWN", "$JS.API.SERVER.REMOVE",
		"$JS.API.ACCOUNT.PURGE." + bolt, "$JS.API.STREAM.INFO.KV_sheetbridge", "$JS.API.STREAM.MSG.GET.KV_sheetbridge",
		"$JS.API.DIRECT.GET.KV_sheetbridge", "$JS.API.STREAM.PURGE.KV_sheetbridge", "$JS.API.STREAM.DELETE.KV_sheetbridge",
		"$JS.API.CONSUMER.INFO.EVENTS.theirs", "$JS.API.CONSUMER.DELETE.EVENTS.theirs", "$JS.API.CONSUMER.MSG.NEXT.EVENTS.theirs",
		"$JS.ACK.EVENTS.theirs.1.1.1.1.1", "$KV.sheetbridge.owner.ops", "smartsheet.bolt.orders.row.1",
	}
	for _, account := range []string{bolt, acme} {
		for _, what := range []string{"CLAIMS.LOOKUP", "CLAIMS.UPDATE", "CONNZ", "JSZ", "INFO", "CONNS", "SUBSZ"} {
			list = append(list, "$SYS.REQ.ACCOUNT."+account+"."+what)
		}
	}
	for _, domain := range []string{broker.Domain, "hub"} {
		list = append(list, "$JS."+domain+".API.STREAM.LIST", "$JS."+domain+".API.STREAM.MSG.GET.KV_sheetbridge")
	}
	return list
}

// TestAttackers tries partners' credentials, and those of users that may do
// everything in acme's account, against another partner and the bridge.
func TestAttackers(t *testing.T) {
	t.Parallel()
	for name, creds := range map[string]func(*target) string{
		"with credentials": func(g *target) string { creds, _ := g.acme.mint(t, "default"); return creds },
		"with all permissions in its account": func(g *target) string {
			return string(allCreds(t, g.acme))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newTarget(t)
			nc := login(t, g.b, creds(g))
			heard := listen(t, nc)
			g.live()
			answers := g.ask(nc)
			g.live()
			if err := nc.Flush(); err != nil {
				t.Fatal(err)
			}
			if len(answers) == 0 {
				t.Error("got no answer to anything, so this test sees nothing")
			}
			for _, m := range slices.Concat(answers, heard()) {
				// What it was asked on is the attacker's own word.
				text := string(m.Data) + m.Header.Get("Nats-Subject")
				for _, secret := range g.secrets() {
					if strings.Contains(text, secret) {
						t.Errorf("%s tells of %q: %.300s", m.Subject, secret, text)
					}
				}
			}
			g.intact(3, 3)
		})
	}
}

// listen subscribes to everything there is, one by one, and returns what returns
// what was heard.
func listen(t *testing.T, nc *nats.Conn) func() []*nats.Msg {
	t.Helper()
	var subs []*nats.Subscription
	for _, subject := range []string{
		">", "*", "*.>", "$SYS.>", "$SYS.ACCOUNT.>", "$SYS.REQ.>", "$JS.>", "$JS.API.>", "$JS.EVENT.>", "$JS.ACK.>", "$KV.>",
		"_INBOX.>", "_BRIDGE.>", "_R_.>", "_GR_.>", "smartsheet.>", "smartsheet.bolt.>", "smartsheet.*.orders.>",
	} {
		sub, err := nc.SubscribeSync(subject)
		if err := errors.Join(err, nc.Flush()); err != nil {
			t.Fatal(err)
		}
		subs = append(subs, sub)
	}
	return func() (heard []*nats.Msg) {
		for _, sub := range subs {
			for n, _, _ := sub.Pending(); n > 0; n, _, _ = sub.Pending() {
				m, err := sub.NextMsg(wait)
				if errors.Is(err, nats.ErrNoResponders) {
					continue // an answer to one of its own requests
				}
				if err != nil {
					t.Fatal(err)
				}
				heard = append(heard, m)
			}
		}
		return heard
	}
}

// ask sends all requests at once and returns the answers.
func (g *target) ask(nc *nats.Conn) (answers []*nats.Msg) {
	g.t.Helper()
	var mu sync.Mutex
	var wg sync.WaitGroup
	for _, subject := range g.requests() {
		wg.Go(func() {
			m, err := nc.Request(subject, []byte("{}"), 500*time.Millisecond)
			if err != nil {
				return // nobody answers
			}
			mu.Lock()
			defer mu.Unlock()
			answers = append(answers, m)
		})
	}
	wg.Wait()
	return answers
}

// TestAttackersAimConsumers has a user that may do everything in acme's account
// aim push consumers of its stream at others.
func TestAttackersAimConsumers(t *testing.T) {
	t.Parallel()
	g := newTarget(t)
	js, err := jetstream.New(login(t, g.b, string(allCreds(t, g.acme))))
	if err != nil {
		t.Fatal(err)
	}
	inbox := g.bolt.bridge.NewInbox()
	replies, err := g.bolt.bridge.SubscribeSync(inbox)
	if err := errors.Join(err, g.bolt.bridge.Flush()); err != nil {
		t.Fatal(err)
	}
	aims := []string{
		"smartsheet.bolt.orders.row.1", "$KV.sheetbridge.owner.ops", inbox, "$JS.ACK.EVENTS.theirs.1.1.1.1.1",
		"$JS.API.CONSUMER.DELETE.EVENTS.theirs", "$JS.API.STREAM.PURGE.KV_sheetbridge",
		"$SYS.REQ.CLAIMS.UPDATE", "$SYS.REQ.ACCOUNT." + g.bolt.account.PublicKey + ".CLAIMS.UPDATE",
	}
	for i, subject := range aims {
		_, err := js.CreatePushConsumer(t.Context(), "EVENTS", jetstream.ConsumerConfig{
			Durable: "aim-" + string(rune('a'+i)), DeliverSubject: subject, AckPolicy: jetstream.AckNonePolicy,
		})
		if err != nil {
			t.Logf("%s: %v", subject, err) // refused is as good
		}
	}
	g.acme.publish(t, "orders.row.1", "aimed")
	g.live()
	if n, _, _ := replies.Pending(); n > 0 {
		t.Errorf("bolt's inbox: got %d messages, want none", n)
	}
	g.intact(2, 2)
}
