package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"go.opentelemetry.io/otel/trace"
	"golang.org/x/sync/errgroup"

	"github.com/sheetbridge/sheetbridge/events/broker"
	"github.com/sheetbridge/sheetbridge/events/seal"
	"github.com/sheetbridge/sheetbridge/webhook"
	"github.com/sheetbridge/sheetbridge/webhook/admin"
	"github.com/sheetbridge/sheetbridge/webhook/audit"
	"github.com/sheetbridge/sheetbridge/webhook/budget"
	page "github.com/sheetbridge/sheetbridge/webhook/console"
	"github.com/sheetbridge/sheetbridge/webhook/diagnose"
	"github.com/sheetbridge/sheetbridge/webhook/inbox"
	"github.com/sheetbridge/sheetbridge/webhook/limits"
	"github.com/sheetbridge/sheetbridge/webhook/notice"
	"github.com/sheetbridge/sheetbridge/webhook/owner"
	"github.com/sheetbridge/sheetbridge/webhook/partner"
	"github.com/sheetbridge/sheetbridge/webhook/registrar"
	"github.com/sheetbridge/sheetbridge/webhook/registry"
	"github.com/sheetbridge/sheetbridge/webhook/relay"
	"github.com/sheetbridge/sheetbridge/webhook/write"
)

const (
	startTimeout = 60 * time.Second
	openTimeout  = 4 * time.Second
)

// addresses are where a running service is reached.
type addresses struct {
	Public, Admin string // host:port
	NATS          string // URL that partners are told
}

// service is all that runs in a `serve`, wired by hand.
type service struct {
	cfg       *config
	log       *slog.Logger
	broker    *broker.Broker // nil: NATS is external
	store     string         // names the broker's store
	notices   *notice.Sender
	storeNew  bool        // it was made at this start, and is to be kept
	storeDir  fs.FileInfo // its directory, as it was at the start
	nc        *broker.Conn
	registry  *registry.Registry
	inbox     *inbox.Inbox
	budget    *budget.Budget
	audit     *audit.Log
	owners    *owner.Owners
	accounts  *partner.Accounts
	partners  *partner.Partners
	access    *owner.Access
	registrar *registrar.Registrar
	relay     *relay.Relay
	writes    *write.Engine
	refusals  write.Refusals
	written   *write.Store
	metrics   *metrics
	states    *stateWatcher
	survey    diagnose.Survey
	tracer    trace.Tracer // nil: no traces
	phase     phase
	tokenKey  []byte

	stopTracing             func(context.Context) error
	console                 http.Handler
	public, admin           *http.Server
	publicSocket, adminSock net.Listener
}

// serve runs the service until the context ends, and then stops it in order.
// ready, if not nil, is told when it can be reached.
func serve(ctx context.Context, cfg *config, log *slog.Logger, ready func(addresses)) (err error) {
	setGC(startGCPercent)
	s := &service{cfg: cfg, log: log}
	defer func() { err = errors.Join(err, s.close(context.WithoutCancel(ctx))) }()
	if err := s.listen(); err != nil {
		return err
	}
	if err := s.open(ctx); err != nil {
		if ctx.Err() != nil {
			return nil // stopped before it began
		}
		return err
	}
	return s.run(ctx, ready)
}

// open connects to NATS and opens what lies there.
func (s *service) open(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	key := filepath.Join(s.cfg.DataDir, masterFile)
	_, before := os.Stat(key)
	master, err := s.cfg.Master()
	if err != nil {
		return fmt.Errorf("reading the master key: %w", err)
	}
	if _, after := os.Stat(key); errors.Is(before, fs.ErrNotExist) && after == nil && !s.cfg.Temporary {
		s.log.Warn("a new master key was made: back it up, apart from the store. Without it nothing that is stored can be read", "file", key)
	}
	if s.tracer, s.stopTracing, err = tracing(ctx, s.log); err != nil {
		return err
	}
	if err := s.openStores(ctx, master); err != nil {
		return err
	}
	s.registry.OnChange = s.auditChange
	if s.console, err = page.Handler(); err != nil {
		return err
	}
	s.wire(master)
	return nil
}

// openStores connects and opens what lies there.
func (s *service) openStores(ctx context.Context, master seal.MasterKey) error {
	n := s.cfg.NATS
	for _, open := range []func(context.Context) error{
		func(ctx context.Context) error { return s.connect(ctx, master) },
		func(ctx context.Context) (err error) {
			s.registry, err = registry.Open(ctx, s.nc, master, n.Replicas, s.log, s.cfg.oldMasters()...)
			return err
		},
		func(ctx context.Context) (err error) {
			s.inbox, err = inbox.Open(ctx, s.nc, inbox.Options{Replicas: n.Replicas, SingleReplica: s.broker != nil})
			return err
		},
		func(ctx context.Context) (err error) {
			s.budget, err = budget.Open(ctx, s.nc, s.cfg.APIRate, n.Replicas)
			return err
		},
		func(ctx context.Context) (err error) {
			if s.tokenKey, err = s.registry.Secret(ctx, "token-id", owner.TokenKeyPurpose); err != nil {
				return err
			}
			key, err := s.registry.Secret(ctx, "audit", audit.KeyPurpose)
			if err != nil {
				return err
			}
			if s.audit, err = audit.Open(ctx, s.nc, key, n.Replicas); err != nil {
				return err
			}
			s.audit.OnAppend = s.logEntry
			return nil
		},
		func(ctx context.Context) (err error) {
			s.written, err = write.OpenStore(ctx, s.nc, write.StoreOptions{Replicas: n.Replicas, Alone: s.broker != nil})
			return err
		},
		func(ctx context.Context) error {
			if s.broker == nil { // other replicas may not have the new master key yet
				return nil
			}
			return s.registry.Rewrap(ctx)
		},
	} {
		if err := s.retryStartup(ctx, open); err != nil {
			return err
		}
	}
	return nil
}

// wire makes the parts that need no connection of their own.
func (s *service) wire(master seal.MasterKey) {
	changed := make(chan struct{}, 1)
	s.states = &stateWatcher{service: s, changed: changed}
	s.metrics.registry.MustRegister(&collector{s.states, newDescs()})
	s.partners = &partner.Partners{Registry: s.registry, Broker: s.broker, Replicas: s.cfg.NATS.Replicas, Store: s.store, TLS: s.cfg.NATS.trust, Audit: s.audit, Log: s.log, Changed: changed, NotReadingAfter: s.cfg.NotReadingAfter}
	s.accounts = &partner.Accounts{Registry: s.registry, Partners: s.partners, Broker: s.broker, Log: s.log}
	s.notices = &notice.Sender{
		Registry: s.registry, URL: s.cfg.Notify.URL, Secret: s.cfg.Notify.Secret, Console: s.cfg.Notify.Console, Version: version(), Log: s.log,
	}
	s.access = &owner.Access{
		Registry: s.registry, Budget: s.budget, Master: master, TokenKey: s.tokenKey, BaseURL: s.cfg.SmartsheetURL,
		Version: version(), Observe: s.metrics.request,
	}
	s.owners = &owner.Owners{Registry: s.registry, Access: s.access, Inbox: s.inbox, Log: s.log}
	s.access.OAuth = s.oauth()
	s.registrar = &registrar.Registrar{
		Registry: s.registry, Inbox: s.inbox, Access: s.access, Accounts: s.accounts, PublicURL: s.cfg.PublicURL, Deny: s.cfg.Deny,
		ReconcileEvery: s.cfg.ReconcileEvery, SingleReplica: s.broker != nil, Log: s.log,
	}
	s.relay = &relay.Relay{
		Registry: s.registry, Inbox: s.inbox, Access: s.access, Partners: s.partners, Every: s.cfg.ReconcileEvery, Deny: s.cfg.Deny,
		Log: s.log, Observe: s.metrics.pass, Tracer: s.tracer,
	}
	s.writes = &write.Engine{
		Store: s.written, Registry: s.registry, Access: s.access, Partners: s.partners, Accounts: s.accounts, Inbox: s.inbox,
		Audit: s.audit, Log: s.log, Observe: func(o write.Outcome) {
			s.metrics.wrote(o)
			s.refusals.Observe(o)
		},
	}
	s.metrics.waiting(s.writes.Waiting)
	s.survey = diagnose.Survey{Registry: s.registry, Partners: s.partners, Inbox: s.inbox}
	doctor := &diagnose.Doctor{
		Survey: s.survey, Registrar: s.registrar, Access: s.access, Broker: s.broker, NATS: s.nc, Version: version(), Ready: s.ready,
		Refusals: &s.refusals,
	}
	strangers := &limits.Lines{LeftOut: s.metrics.linesLeftOut.Inc}
	if s.access.OAuth != nil {
		s.access.OAuth.Strangers = strangers
	}
	receiver := &webhook.Receiver{
		Registry: s.registry, Inbox: s.inbox, Limit: s.cfg.CallbackLimit, Log: s.log,
		BadSignature: s.registrar.CheckSecret, Observe: s.metrics.callback, Tracer: s.tracer, Strangers: strangers,
	}
	api := &admin.API{
		Console:  s.console,
		Registry: s.registry, Registrar: s.registrar, Partners: s.partners, Access: s.access, Inbox: s.inbox, Audit: s.audit,
		Broker: s.broker, Accounts: s.accounts, Relay: s.relay, Doctor: doctor, Tokens: s.cfg.Admin.Tokens, Version: version(), Ready: s.ready, Metrics: s.metrics.handler(), Log: s.log,
		Hosts: s.cfg.Admin.Hosts, ClientCertificates: s.cfg.Admin.TLS.ClientCA != "", Refused: s.metrics.adminRefused, Strangers: strangers,
	}
	join := &partner.Join{
		Invitations: &partner.Invitations{Accounts: s.accounts, PublicURL: s.cfg.PublicURL}, Audit: s.audit, Log: s.log, Strangers: strangers,
	}
	s.public = webhook.NewServer(s.phase.lastRequests(underPath(s.cfg.PublicURL, join.Middleware(s.access.OAuth.Middleware(receiver.Handler())))), s.log)
	s.admin = webhook.NewServer(api.Handler(), s.log)
	s.admin.RegisterOnShutdown(api.EndStreams)
	for _, server := range []*http.Server{s.public, s.admin} {
		server.Handler, server.ConnContext = limits.Handler(server.Handler), limits.ConnContext
	}
}

func (s *service) listen() (err error) {
	if s.publicSocket = s.cfg.Socket; s.publicSocket == nil {
		s.publicSocket, err = net.Listen("tcp", s.cfg.Listen)
	}
	if err != nil {
		return fmt.Errorf("listening for callbacks (%s_LISTEN): %w", prefix, err)
	}
	if s.adminSock, err = net.Listen("tcp", s.cfg.AdminListen); err != nil {
		return fmt.Errorf("listening for admins (%s_ADMIN_LISTEN): %w", prefix, err)
	}
	s.metrics = newMetrics()
	s.publicSocket = s.bounded(s.publicSocket, "public", publicConnections, 4)
	s.adminSock, err = s.cfg.Admin.listener(s.bounded(s.adminSock, "admin", adminConnections, 16), s.log)
	return err
}

// Connections that a listener has open at most, of which one address has half. The
// rest of the descriptors is for NATS and its store.
const (
	publicConnections = 1024
	adminConnections  = 256
)

// bounded bounds the connections of a listener, by what the process may have open
// as well: the part is how many listeners of that size would use it all up.
func (s *service) bounded(l net.Listener, name string, most, part int) net.Listener {
	if descriptors := limits.Descriptors(); descriptors > 0 {
		most = max(8, min(most, descriptors/part))
	}
	return limits.Limit(l, most, most/2, func(why string) { s.metrics.connections.WithLabelValues(name, why).Inc() })
}

// run serves until the context ends or a part fails.
func (s *service) run(ctx context.Context, ready func(addresses)) error {
	// The parts stop one after another, each when those that need it have.
	working, stopWorking := context.WithCancel(context.WithoutCancel(ctx))
	defer stopWorking()
	g, gctx := errgroup.WithContext(ctx)
	following, stopFollowing := context.WithCancel(context.WithoutCancel(ctx))
	defer stopFollowing()
	g.Go(func() error { return s.registry.Run(following) })
	g.Go(func() error {
		s.states.run(following)
		return nil
	})
	g.Go(func() error { return s.watchStore(gctx) })
	g.Go(func() error { return returnMemory(gctx) })
	g.Go(func() error { return ignoreClosed(s.public.Serve(s.publicSocket)) })
	g.Go(func() error { return ignoreClosed(s.admin.Serve(s.adminSock)) })
	g.Go(func() error {
		select {
		case <-s.registry.Loaded():
		case <-gctx.Done():
			return nil
		}
		if err := s.partners.PutAccounts(working); err != nil {
			return err
		}
		s.phase.value.CompareAndSwap(phaseStarting, phaseWorking)
		setGC(gcPercent)
		s.states.refreshSoon()
		if ready != nil {
			ready(s.addresses())
		}
		return s.work(working)
	})
	g.Go(func() error {
		<-gctx.Done()
		s.log.Info("stopping")
		s.shutdown(context.WithoutCancel(ctx), stopWorking)
		stopFollowing()
		return nil
	})
	return g.Wait()
}

// work runs the relay and the registrar until their context ends.
func (s *service) work(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		return s.inbox.Work(ctx, inbox.Workers{
			Pass: s.relay.Pass, Webhook: s.registrar.Supervise, Token: s.access.TokenOf, Log: s.log,
		})
	})
	g.Go(func() error { return s.registrar.Recover(ctx) })
	g.Go(func() error { return s.writes.Run(ctx) })
	g.Go(func() error { return s.partners.Run(ctx) })
	g.Go(func() error { return s.accounts.Run(ctx) })
	g.Go(func() error { return s.notices.Run(ctx) })
	g.Go(func() error { return s.watchConditions(ctx) })
	g.Go(func() error { return s.registrar.Run(ctx) })
	g.Go(func() error { return s.registrar.RunUntil(ctx) })
	g.Go(func() error { return s.owners.Run(ctx) })
	return g.Wait()
}

func ignoreClosed(err error) error {
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

func (s *service) addresses() addresses {
	a := addresses{Public: s.publicSocket.Addr().String(), Admin: s.adminSock.Addr().String(), NATS: s.cfg.NATS.URL}
	if s.broker != nil {
		a.NATS = s.broker.URL()
	}
	return a
}
