package webhook_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"testing"
	"time"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/events/broker"
	"github.com/sheetbridge/sheetbridge/events/seal"
	"github.com/sheetbridge/sheetbridge/smartsheet/smartsheettest"
	"github.com/sheetbridge/sheetbridge/webhook"
	"github.com/sheetbridge/sheetbridge/webhook/budget"
	"github.com/sheetbridge/sheetbridge/webhook/inbox"
	"github.com/sheetbridge/sheetbridge/webhook/registry"
)

// bridge is the whole road between a simulated Smartsheet and partners, with
// real parts only.
type bridge struct {
	t         testing.TB
	sim       *smartsheettest.Server
	broker    *broker.Broker
	registry  *registry.Registry
	inbox     *inbox.Inbox
	partners  *webhook.Partners
	access    *webhook.Access
	registrar *webhook.Registrar
	relay     *webhook.Relay
	passes    chan webhook.Pass
	url       string // of the receiver
}

type options struct {
	every   time.Duration
	rate    int
	polling bool
	limit   int64
}

// newBridge starts a bridge to the simulator, stopped at the test's end.
func newBridge(t testing.TB, sim *smartsheettest.Server, o options) *bridge {
	t.Helper()
	if o.every == 0 {
		o.every = time.Hour
	}
	if o.rate == 0 {
		o.rate = 100_000
	}
	if o.limit == 0 {
		o.limit = 1 << 20
	}
	ctx, cancel := context.WithCancel(context.Background())
	b := &bridge{t: t, sim: sim, passes: make(chan webhook.Pass, 10_000)}
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	master := seal.NewMasterKey()
	var err error
	b.broker, err = broker.Start(ctx, broker.Options{Dir: t.TempDir(), Master: master, Listen: "127.0.0.1:0", Log: slog.New(slog.DiscardHandler)})
	must(t, err)
	b.registry, err = registry.Open(ctx, b.broker.Bridge(), master, 1, log)
	must(t, err)
	b.inbox, err = inbox.Open(ctx, b.broker.Bridge(), 1)
	must(t, err)
	budgets, err := budget.Open(ctx, b.broker.Bridge(), o.rate, 1)
	must(t, err)
	b.partners = &webhook.Partners{Registry: b.registry, Broker: b.broker, Replicas: 1, Log: log}
	b.access = &webhook.Access{Registry: b.registry, Budget: budgets, Master: master, BaseURL: sim.URL()}
	b.registrar = &webhook.Registrar{Registry: b.registry, Inbox: b.inbox, Access: b.access, Every: o.every, Alone: true, Log: log}
	receiver := &webhook.Receiver{Registry: b.registry, Inbox: b.inbox, Limit: o.limit, Log: log, BadSignature: b.registrar.CheckSecret}
	socket, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	b.url = "http://" + socket.Addr().String()
	if !o.polling {
		b.registrar.PublicURL = b.url
	}
	server := webhook.NewServer(receiver.Handler(), log)
	b.relay = &webhook.Relay{
		Registry: b.registry, Inbox: b.inbox, Access: b.access, Partners: b.partners, Every: o.every, Log: log,
		Webhook: b.registrar.Tend, Observe: func(p webhook.Pass) { b.passes <- p },
	}
	done := make(chan struct{})
	for _, f := range []func(){
		func() { _ = server.Serve(socket) },
		func() { _ = b.registry.Run(ctx) },
		func() { _ = b.relay.Run(ctx) },
		func() { _ = b.registrar.Run(ctx) },
	} {
		go func() { f(); done <- struct{}{} }()
	}
	t.Cleanup(func() {
		_ = server.Close()
		cancel()
		for range 4 {
			<-done
		}
		b.partners.Close()
		must(t, b.broker.Close(context.Background()))
	})
	<-b.registry.Loaded()
	return b
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// addOwner stores an owner with a token.
func (b *bridge) addOwner(name, token string) {
	b.t.Helper()
	o := &registry.Owner{Name: name, Region: "us", Kind: "token", State: registry.OwnerOK, TokenID: b.access.TokenID("us", token)}
	var err error
	o.Token, err = b.registry.Sealer().SealString(token, o.SealName("token"))
	must(b.t, err)
	must(b.t, b.registry.CreateOwner(b.t.Context(), o))
}

// addPartner makes a partner's account.
func (b *bridge) addPartner(name string) {
	b.t.Helper()
	account, err := broker.NewAccount(name)
	must(b.t, err)
	p := &registry.Partner{Name: name, Account: &registry.Account{PublicKey: account.PublicKey}}
	sealer := b.registry.Sealer()
	p.Account.Seed, err = sealer.SealString(string(account.Seed), p.SealName("seed"))
	must(b.t, err)
	p.Account.SigningSeed, err = sealer.SealString(string(account.SigningSeed), p.SealName("signingSeed"))
	must(b.t, err)
	p.MaskKey, err = sealer.SealString("0123456789abcdef0123456789abcdef", p.SealName("maskKey"))
	must(b.t, err)
	must(b.t, b.registry.CreatePartner(b.t.Context(), p))
	must(b.t, b.broker.PutAccount(b.t.Context(), name, account))
}

// register registers a sheet and returns when its first load is complete.
func (b *bridge) register(owner string, sheet int64, requests ...events.Request) *registry.Registration {
	b.t.Helper()
	reg, _, err := b.registrar.Register(b.t.Context(), owner, sheet, requests)
	must(b.t, err)
	b.settle()
	return reg
}

// settle returns when Smartsheet has called for all that happened, and the
// relay has worked off what it was told.
func (b *bridge) settle() {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), 30*time.Second)
	defer cancel()
	must(b.t, b.sim.Wait(ctx))
	must(b.t, b.inbox.Idle(ctx))
}

// published is one message of a partner's stream.
type published struct {
	Sequence uint64
	Subject  string
	events.Event
	Data struct {
		events.ObjectData
		events.SchemaData
		State      events.State       `json:"state"`
		CompleteTo *events.CompleteTo `json:"completeTo"`
	} `json:"data"`
}

// stream returns all messages of a partner's stream, oldest first.
func (b *bridge) stream(partner string) []published {
	b.t.Helper()
	s, err := b.partners.Stream(b.t.Context(), b.registry.Partner(partner))
	must(b.t, err)
	var all []published
	must(b.t, s.All(b.t.Context(), func(seq uint64, subject string, data []byte) error {
		m := published{Sequence: seq, Subject: subject}
		if err := json.Unmarshal(data, &m); err != nil {
			return fmt.Errorf("message %d: %w", seq, err)
		}
		all = append(all, m)
		return nil
	}))
	return all
}

// types are the types of events after a sequence, status and schema left out,
// each with what came of it.
func objects(all []published, after uint64) []string {
	var list []string
	for _, m := range all {
		if _, _, ok := events.ParseSubject(m.Subject); ok && m.Sequence > after {
			before, _ := json.Marshal(m.Data.Before)
			now, _ := json.Marshal(m.Data.After)
			line := fmt.Sprintf("%s %s %s->%s %s", m.Type, m.Data.Origin, before, now, m.Data.Reason)
			list = append(list, line)
		}
	}
	return list
}

func last(all []published) uint64 {
	if len(all) == 0 {
		return 0
	}
	return all[len(all)-1].Sequence
}
