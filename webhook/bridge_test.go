package webhook_test

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/events/broker"
	"github.com/sheetbridge/sheetbridge/events/freeport"
	"github.com/sheetbridge/sheetbridge/events/seal"
	"github.com/sheetbridge/sheetbridge/events/stream"
	"github.com/sheetbridge/sheetbridge/smartsheet/smartsheettest"
	"github.com/sheetbridge/sheetbridge/webhook"
	"github.com/sheetbridge/sheetbridge/webhook/budget"
	"github.com/sheetbridge/sheetbridge/webhook/inbox"
	"github.com/sheetbridge/sheetbridge/webhook/owner"
	"github.com/sheetbridge/sheetbridge/webhook/partner"
	"github.com/sheetbridge/sheetbridge/webhook/registrar"
	"github.com/sheetbridge/sheetbridge/webhook/registry"
	"github.com/sheetbridge/sheetbridge/webhook/relay"
)

// maskKey is the mask key of every partner in these tests.
const maskKey = "0123456789abcdef0123456789abcdef"

// bridge is the whole road between a simulated Smartsheet and partners, with
// real parts only. It can be stopped and started again on the same store.
type bridge struct {
	t         testing.TB
	sim       *smartsheettest.Server
	opts      options
	broker    *broker.Broker
	registry  *registry.Registry
	inbox     *inbox.Inbox
	partners  *partner.Partners
	access    *owner.Access
	registrar *registrar.Registrar
	receiver  *webhook.Receiver
	relay     *relay.Relay
	url       string // of the receiver

	server    *http.Server
	stopParts context.CancelFunc
	parts     sync.WaitGroup
	stopRelay context.CancelFunc
	relaying  sync.WaitGroup

	readers map[string]*stream.Stream // of partners
	closing []func()

	mu     sync.Mutex
	passes []relay.Pass
}

// options of a bridge. The zero value follows callbacks and reconciles hourly.
type options struct {
	every   time.Duration
	rate    int
	polling bool
	limit   int64 // of a callback's body
	idle    bool  // no relay runs: passes are driven by hand
	moves   bool  // the receiver has another address after a restart
	log     slog.Handler
	maxPage int64 // of an answer with rows
	several bool  // other processes work on the store too, see join

	dir    string
	master seal.MasterKey
	listen string
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
	if o.log == nil {
		o.log = slog.NewTextHandler(t.Output(), nil)
	}
	port, err := freeport.Take() // it listens there again after a restart
	must(t, err)
	o.dir, o.master, o.listen = t.TempDir(), seal.NewMasterKey(), fmt.Sprintf("127.0.0.1:%d", port)
	b := &bridge{t: t, sim: sim, opts: o}
	t.Cleanup(b.stop)
	b.start()
	return b
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// start opens the store and runs all parts.
func (b *bridge) start() {
	b.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	b.stopParts, b.readers, b.closing = cancel, map[string]*stream.Stream{}, nil
	log := slog.New(b.opts.log)
	var err error
	b.broker, err = broker.Start(ctx, broker.Options{Dir: b.opts.dir, Master: b.opts.master, Listen: "127.0.0.1:0", MaxStore: 64 << 30})
	must(b.t, err)
	b.open(ctx, log)
	must(b.t, b.partners.PutAccounts(ctx))
	b.serve(log)
	b.run(ctx)
}

// open makes the parts that work on the store.
func (b *bridge) open(ctx context.Context, log *slog.Logger) {
	t, o := b.t, b.opts
	t.Helper()
	var err error
	b.registry, err = registry.Open(ctx, b.broker.Bridge(), o.master, 1, log)
	must(t, err)
	b.inbox, err = inbox.Open(ctx, b.broker.Bridge(), inbox.Options{Replicas: 1, SingleReplica: !o.several})
	must(t, err)
	budgets, err := budget.Open(ctx, b.broker.Bridge(), o.rate, 1)
	must(t, err)
	b.partners = &partner.Partners{Registry: b.registry, Broker: b.broker, Replicas: 1, Log: log}
	b.access = &owner.Access{Registry: b.registry, Budget: budgets, Master: o.master, BaseURL: b.sim.URL()}
	b.registrar = &registrar.Registrar{Registry: b.registry, Inbox: b.inbox, Access: b.access, Every: o.every, Alone: !o.several, Log: log}
	b.receiver = &webhook.Receiver{Registry: b.registry, Inbox: b.inbox, Limit: o.limit, Log: log, BadSignature: b.registrar.CheckSecret}
	b.relay = &relay.Relay{
		Registry: b.registry, Inbox: b.inbox, Access: b.access, Partners: b.partners, Every: o.every, MaxPage: o.maxPage, Log: log,
		Observe: b.observe,
	}
	b.parts.Go(func() { _ = b.registry.Run(ctx) })
	<-b.registry.Loaded()
}

// run has the registrar and the relay work.
func (b *bridge) run(ctx context.Context) {
	b.parts.Go(func() { _ = b.registrar.Run(ctx) })
	if !b.opts.idle {
		b.startRelay()
	}
}

// serve lets the receiver listen, where it listened before a restart.
func (b *bridge) serve(log *slog.Logger) {
	listen := b.opts.listen
	if b.opts.moves {
		listen = "127.0.0.1:0"
	}
	socket, err := net.Listen("tcp", listen)
	must(b.t, err)
	b.url = "http://" + socket.Addr().String()
	if !b.opts.polling {
		b.registrar.PublicURL = b.url
	}
	b.server = webhook.NewServer(b.receiver.Handler(), log)
	b.parts.Go(func() { _ = b.server.Serve(socket) })
}

func (b *bridge) startRelay() {
	ctx, cancel := context.WithCancel(context.Background())
	b.stopRelay = cancel
	workers := inbox.Workers{Pass: b.relay.Pass, Webhook: b.registrar.LookAfter, Token: b.access.TokenOf, Log: slog.New(b.opts.log)}
	queue := b.inbox
	b.relaying.Go(func() { _ = queue.Work(ctx, workers) })
}

// handle does what follows from one hint, as when the inbox hands it out.
func (b *bridge) handle(ctx context.Context, h *inbox.Hint) error {
	if h.Webhook {
		if err := b.registrar.LookAfter(ctx, h); err != nil {
			return err
		}
	}
	return b.relay.Pass(ctx, h)
}

// endRelay stops the relay in the middle of whatever it does.
func (b *bridge) endRelay() {
	if b.stopRelay != nil {
		b.stopRelay()
		b.relaying.Wait()
		b.stopRelay = nil
	}
}

// stop stops all parts and closes the store. The simulator goes on.
func (b *bridge) stop() {
	if b.server == nil {
		return
	}
	b.endRelay()
	_ = b.server.Close()
	b.stopParts()
	b.parts.Wait()
	for _, end := range b.closing {
		end()
	}
	b.partners.Close()
	b.server = nil
	must(b.t, b.broker.Close(context.Background()))
}

// restart stops the bridge and starts it again on the same store, as after the
// end of its process.
func (b *bridge) restart() {
	b.t.Helper()
	b.stop()
	b.start()
	must(b.t, b.registrar.Recover(b.t.Context()))
}

func (b *bridge) observe(p relay.Pass) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.passes = append(b.passes, p)
}

// takePasses returns the passes since it was last asked.
func (b *bridge) takePasses() []relay.Pass {
	b.mu.Lock()
	defer b.mu.Unlock()
	passes := b.passes
	b.passes = nil
	return passes
}

// addOwner stores an owner with a token.
func (b *bridge) addOwner(name, token string) {
	b.t.Helper()
	o := &registry.Owner{Name: name, Region: "us", Kind: "token"}
	must(b.t, b.giveToken(o, token))
	must(b.t, b.registry.CreateOwner(b.t.Context(), o))
}

// replaceToken gives an owner another token, as an admin does.
func (b *bridge) replaceToken(name, token string) {
	b.t.Helper()
	must(b.t, b.registry.UpdateOwner(b.t.Context(), name, func(o *registry.Owner) error { return b.giveToken(o, token) }))
}

func (b *bridge) giveToken(o *registry.Owner, token string) (err error) {
	o.State, o.TokenID = registry.OwnerOK, b.access.TokenID("us", token)
	o.Token, err = b.registry.Sealer().SealString(token, o.SealName("token"))
	return err
}

// addPartner makes a partner with an account of ours.
func (b *bridge) addPartner(name string) {
	b.t.Helper()
	account, err := broker.NewAccount(name)
	must(b.t, err)
	p := &registry.Partner{Name: name, Account: &registry.Account{PublicKey: account.PublicKey, StorageKey: account.StorageKey}}
	p.Account.Seed = b.sealed(string(account.Seed), p.SealName("seed"))
	p.Account.StorageSeed = b.sealed(string(account.StorageSeed), p.SealName("storageSeed"))
	p.Account.SigningSeed = b.sealed(string(account.SigningSeed), p.SealName("signingSeed"))
	p.MaskKey = b.sealed(maskKey, p.SealName("maskKey"))
	must(b.t, b.registry.CreatePartner(b.t.Context(), p))
	must(b.t, b.broker.PutAccount(b.t.Context(), name, account))
}

func (b *bridge) sealed(text, name string) seal.Sealed {
	b.t.Helper()
	s, err := b.registry.Sealer().SealString(text, name)
	must(b.t, err)
	return s
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
	if !b.opts.idle {
		must(b.t, b.inbox.Idle(ctx))
	}
}

// reconcile has a sheet compared as the clock does.
func (b *bridge) reconcile(reg *registry.Registration) {
	b.t.Helper()
	must(b.t, b.inbox.Put(b.t.Context(), &inbox.Hint{Registration: reg.ID, Why: inbox.WhyReconcile, Whole: true, Webhook: true, ReceivedAt: time.Now()}))
	b.settle()
}

// requests counts the requests that the simulator got while f ran.
func (b *bridge) requests(f func()) []string {
	before := len(b.sim.Requests())
	f()
	var list []string
	for _, r := range b.sim.Requests()[before:] {
		list = append(list, r.Method+" "+r.Route)
	}
	return list
}

// passed returns when a pass had a result that is wanted.
func (b *bridge) passed(wanted func(result string) bool) {
	b.t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		for _, p := range b.takePasses() {
			if wanted(p.Result) {
				return
			}
		}
		select {
		case <-tick.C:
		case <-b.t.Context().Done():
			b.t.Fatal("no pass had the result that is wanted")
		}
	}
}
