package webhooktest

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/events/broker"
	"github.com/sheetbridge/sheetbridge/events/eventstest"
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

// Bridge is the whole road between a simulated Smartsheet and partners, with
// real parts only. It can be stopped and started again on the same store.
type Bridge struct {
	T         testing.TB
	Sim       *smartsheettest.Server
	Opts      Options
	Broker    *broker.Broker
	Registry  *registry.Registry
	Inbox     *inbox.Inbox
	Partners  *partner.Partners
	Access    *owner.Access
	Registrar *registrar.Registrar
	Receiver  *webhook.Receiver
	Relay     *relay.Relay
	URL       string // of the receiver

	server    *http.Server
	StopParts context.CancelFunc
	Parts     sync.WaitGroup
	stopRelay context.CancelFunc
	relaying  sync.WaitGroup

	readers map[string]*stream.Stream // of partners
	closing []func()

	mu     sync.Mutex
	passes []relay.Pass
}

// Options of a bridge. The zero value follows callbacks and reconciles hourly.
type Options struct {
	ReconcileEvery time.Duration
	rate           int
	Polling        bool
	Limit          int64 // of a callback's body
	NoRelay        bool  // no relay runs: passes are driven by hand
	NewAddress     bool  // the receiver has another address after a restart
	Log            slog.Handler
	MaxPage        int64 // of an answer with rows
	OtherReplicas  bool  // other processes work on the store too, see join

	Dir    string
	Master seal.MasterKey
	listen string
}

// NewBridge starts a bridge to the simulator, stopped at the test's end.
func NewBridge(t testing.TB, sim *smartsheettest.Server, o Options) *Bridge {
	t.Helper()
	if o.ReconcileEvery == 0 {
		o.ReconcileEvery = time.Hour
	}
	if o.rate == 0 {
		o.rate = 100_000
	}
	if o.Limit == 0 {
		o.Limit = 1 << 20
	}
	if o.Log == nil {
		o.Log = slog.NewTextHandler(t.Output(), nil)
	}
	port, err := freeport.Take() // it listens there again after a restart
	Must(t, err)
	o.Dir, o.Master, o.listen = t.TempDir(), seal.NewMasterKey(), fmt.Sprintf("127.0.0.1:%d", port)
	b := &Bridge{T: t, Sim: sim, Opts: o}
	t.Cleanup(b.Stop)
	b.Start()
	return b
}

func Must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Start opens the store and runs all parts.
func (b *Bridge) Start() {
	b.T.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	b.StopParts, b.readers, b.closing = cancel, map[string]*stream.Stream{}, nil
	log := slog.New(b.Opts.Log)
	var err error
	b.Broker, err = broker.Start(ctx, broker.Options{Dir: b.Opts.Dir, Master: b.Opts.Master, Listen: "127.0.0.1:0", MaxStore: 64 << 30})
	Must(b.T, err)
	b.open(ctx, log)
	Must(b.T, b.Partners.PutAccounts(ctx))
	b.serve(log)
	b.run(ctx)
}

// open makes the parts that work on the store.
func (b *Bridge) open(ctx context.Context, log *slog.Logger) {
	t, o := b.T, b.Opts
	t.Helper()
	var err error
	b.Registry, err = registry.Open(ctx, b.Broker.Bridge(), o.Master, 1, log)
	Must(t, err)
	b.Inbox, err = inbox.Open(ctx, b.Broker.Bridge(), inbox.Options{Replicas: 1, SingleReplica: !o.OtherReplicas})
	Must(t, err)
	budgets, err := budget.Open(ctx, b.Broker.Bridge(), o.rate, 1)
	Must(t, err)
	b.Partners = &partner.Partners{Registry: b.Registry, Broker: b.Broker, Replicas: 1, Log: log}
	b.Access = &owner.Access{Registry: b.Registry, Budget: budgets, Master: o.Master, BaseURL: b.Sim.URL()}
	b.Registrar = &registrar.Registrar{Registry: b.Registry, Inbox: b.Inbox, Access: b.Access, ReconcileEvery: o.ReconcileEvery, SingleReplica: !o.OtherReplicas, Log: log}
	b.Registrar.Accounts = &partner.Accounts{Registry: b.Registry, Partners: b.Partners, Broker: b.Broker, Log: log}
	b.Receiver = &webhook.Receiver{Registry: b.Registry, Inbox: b.Inbox, Limit: o.Limit, Log: log, BadSignature: b.Registrar.CheckSecret}
	b.Relay = &relay.Relay{
		Registry: b.Registry, Inbox: b.Inbox, Access: b.Access, Partners: b.Partners, Every: o.ReconcileEvery, MaxPage: o.MaxPage, Log: log,
		Observe: b.observe,
	}
	b.Parts.Go(func() { _ = b.Registry.Run(ctx) })
	<-b.Registry.Loaded()
}

// run has the registrar and the relay work.
func (b *Bridge) run(ctx context.Context) {
	b.Parts.Go(func() { _ = b.Registrar.Run(ctx) })
	if !b.Opts.NoRelay {
		b.StartRelay()
	}
}

// serve lets the receiver listen, where it listened before a restart.
func (b *Bridge) serve(log *slog.Logger) {
	listen := b.Opts.listen
	if b.Opts.NewAddress {
		listen = "127.0.0.1:0"
	}
	socket, err := net.Listen("tcp", listen)
	Must(b.T, err)
	b.URL = "http://" + socket.Addr().String()
	if !b.Opts.Polling {
		b.Registrar.PublicURL = b.URL
	}
	b.server = webhook.NewServer(b.Receiver.Handler(), log)
	b.Parts.Go(func() { _ = b.server.Serve(socket) })
}

func (b *Bridge) StartRelay() {
	ctx, cancel := context.WithCancel(context.Background())
	b.stopRelay = cancel
	workers := inbox.Workers{Pass: b.Relay.Pass, Webhook: b.Registrar.Supervise, Token: b.Access.TokenOf, Log: slog.New(b.Opts.Log)}
	queue := b.Inbox
	b.relaying.Go(func() { _ = queue.Work(ctx, workers) })
}

// Handle does what follows from one hint, as when the inbox hands it out.
func (b *Bridge) Handle(ctx context.Context, h *inbox.Hint) error {
	if h.Webhook {
		if err := b.Registrar.Supervise(ctx, h); err != nil {
			return err
		}
	}
	return b.Relay.Pass(ctx, h)
}

// StopRelay stops the relay in the middle of whatever it does.
func (b *Bridge) StopRelay() {
	if b.stopRelay != nil {
		b.stopRelay()
		b.relaying.Wait()
		b.stopRelay = nil
	}
}

// Stop stops all parts and closes the store. The simulator goes on.
func (b *Bridge) Stop() {
	if b.server == nil {
		return
	}
	b.StopRelay()
	_ = b.server.Close()
	b.StopParts()
	b.Parts.Wait()
	for _, end := range b.closing {
		end()
	}
	b.Partners.Close()
	b.server = nil
	Must(b.T, b.Broker.Close(context.Background()))
}

// Restart stops the bridge and starts it again on the same store, as after the
// end of its process.
func (b *Bridge) Restart() {
	b.T.Helper()
	b.Stop()
	b.Start()
	Must(b.T, b.Registrar.Recover(b.T.Context()))
}

func (b *Bridge) observe(p relay.Pass) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.passes = append(b.passes, p)
}

// TakePasses returns the passes since it was last asked.
func (b *Bridge) TakePasses() []relay.Pass {
	b.mu.Lock()
	defer b.mu.Unlock()
	passes := b.passes
	b.passes = nil
	return passes
}

// AddOwner stores an owner with a token.
func (b *Bridge) AddOwner(name, token string) {
	b.T.Helper()
	o := &registry.Owner{Name: name, Region: "us", Kind: "token"}
	Must(b.T, b.giveToken(o, token))
	Must(b.T, b.Registry.CreateOwner(b.T.Context(), o))
}

// ReplaceToken gives an owner another token, as an admin does.
func (b *Bridge) ReplaceToken(name, token string) {
	b.T.Helper()
	Must(b.T, b.Registry.UpdateOwner(b.T.Context(), name, func(o *registry.Owner) error { return b.giveToken(o, token) }))
}

func (b *Bridge) giveToken(o *registry.Owner, token string) (err error) {
	o.State, o.TokenID = registry.OwnerOK, b.Access.TokenID("us", token)
	o.Token, err = b.Registry.Sealer().SealString(token, o.SealName("token"))
	return err
}

// AddPartner makes a partner with an account of ours.
func (b *Bridge) AddPartner(name string) {
	b.T.Helper()
	account, err := broker.NewAccount(name)
	Must(b.T, err)
	p := &registry.Partner{Name: name, Account: &registry.Account{PublicKey: account.PublicKey, StorageKey: account.StorageKey}}
	p.Account.Seed = b.Sealed(string(account.Seed), p.SealName("seed"))
	p.Account.StorageSeed = b.Sealed(string(account.StorageSeed), p.SealName("storageSeed"))
	p.Account.SigningSeed = b.Sealed(string(account.SigningSeed), p.SealName("signingSeed"))
	p.MaskKey = b.Sealed(maskKey, p.SealName("maskKey"))
	Must(b.T, b.Registry.CreatePartner(b.T.Context(), p))
	Must(b.T, b.Broker.PutAccount(b.T.Context(), name, account))
}

func (b *Bridge) Sealed(text, name string) seal.Sealed {
	b.T.Helper()
	s, err := b.Registry.Sealer().SealString(text, name)
	Must(b.T, err)
	return s
}

// Register registers a sheet and returns when its first load is complete.
func (b *Bridge) Register(owner string, sheet int64, requests ...events.Request) *registry.Registration {
	b.T.Helper()
	reg, _, err := b.Registrar.Register(b.T.Context(), owner, sheet, requests)
	Must(b.T, err)
	b.Settle()
	return reg
}

// Settle returns when Smartsheet has called for all that happened, and the
// relay has worked off what it was told.
func (b *Bridge) Settle() {
	b.T.Helper()
	ctx, cancel := context.WithTimeout(b.T.Context(), eventstest.Patience)
	defer cancel()
	Must(b.T, b.Sim.Wait(ctx))
	if !b.Opts.NoRelay {
		Must(b.T, b.Inbox.Idle(ctx))
	}
}

// Reconcile has a sheet compared as the clock does.
func (b *Bridge) Reconcile(reg *registry.Registration) {
	b.T.Helper()
	Must(b.T, b.Inbox.Put(b.T.Context(), &inbox.Hint{Registration: reg.ID, Why: inbox.WhyReconcile, Whole: true, Webhook: true, ReceivedAt: time.Now()}))
	b.Settle()
}

// Requests counts the requests that the simulator got while f ran.
func (b *Bridge) Requests(f func()) []string {
	before := len(b.Sim.Requests())
	f()
	var list []string
	for _, r := range b.Sim.Requests()[before:] {
		list = append(list, r.Method+" "+r.Route)
	}
	return list
}

// AwaitPass returns when a pass had a result that is wanted.
func (b *Bridge) AwaitPass(wanted func(result string) bool) {
	b.T.Helper()
	b.Await("a pass has the result that is wanted", func() bool {
		return slices.ContainsFunc(b.TakePasses(), func(p relay.Pass) bool { return wanted(p.Result) })
	})
}
