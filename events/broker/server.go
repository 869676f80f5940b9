package broker

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"

	"github.com/sheetbridge/sheetbridge/events/seal"
)

// readyWait bounds how long the server may take from started to listening; it
// takes some milliseconds, the store is open by then.
const readyWait = 10 * time.Second

// Broker is a running server. It is safe for concurrent use.
type Broker struct {
	srv      *server.Server
	resolver *server.DirAccResolver
	log      *slog.Logger
	dir      string
	url      string
	webSocketURL,
	leafURL string
	lock     *os.File
	operator nkeys.KeyPair
	sys      *nats.Conn // may update accounts' claims, nothing else
	bridge   *nats.Conn

	mu        sync.Mutex
	gates     map[string]*gate      // by public key of the storage account
	conns     map[*nats.Conn]string // all that are open -> public key of their account
	closed    bool
	offenders map[offenderKey]*Offender

	copyIdle  time.Duration   // see maxCopyIdle
	limited   *limitedLog     // of lines about offenders
	watching  context.Context // ends with Close
	watched   sync.WaitGroup
	stopWatch context.CancelFunc

	closeOnce sync.Once
	closeErr  error
}

// Start takes the directory, starts the server on it and connects to it.
//
// It fails where another process holds the directory, where the port is taken,
// where the server would listen beyond loopback without TLS and that is not
// allowed, and, with seal.ErrWrongKey, under another master key than the one
// that the directory was made with; nothing is made then.
func Start(ctx context.Context, o Options) (*Broker, error) {
	b, err := start(ctx, o)
	if err != nil {
		return nil, fmt.Errorf("start embedded NATS: %w", err)
	}
	return b, nil
}

func start(ctx context.Context, o Options) (_ *Broker, err error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	listen, err := o.listeners()
	if err != nil {
		return nil, err
	}
	if err := makeDir(o.Dir); err != nil {
		return nil, err
	}
	b := &Broker{dir: o.Dir, log: o.Log, conns: map[*nats.Conn]string{}, gates: map[string]*gate{},
		offenders: map[offenderKey]*Offender{}, limited: newLimitedLog(), copyIdle: maxCopyIdle}
	if b.log == nil {
		b.log = slog.New(slog.DiscardHandler)
	}
	if b.lock, err = lockDir(o.Dir); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, b.Close(ctx))
		}
	}()
	if err := rotateMaster(o); err != nil {
		return nil, fmt.Errorf("change the master key: %w", err)
	}
	k, err := loadKeys(o.Dir, o.Master)
	if err != nil {
		return nil, err
	}
	if b.operator, err = nkeys.FromSeed([]byte(k.Operator)); err != nil {
		return nil, fmt.Errorf("read operator's key: %w", err)
	}
	r, err := b.run(o, k, listen)
	if err != nil {
		return nil, err
	}
	if err := b.connectOwn(ctx, k); err != nil {
		return nil, err
	}
	b.watching, b.stopWatch = context.WithCancel(context.WithoutCancel(ctx))
	if err := b.openGates(ctx); err != nil {
		return nil, err
	}
	b.watched.Go(func() { b.watch(b.watching) })
	if err := b.listen(r); err != nil {
		return nil, err
	}
	return b, b.findURLs(o, r.options)
}

// makeDir makes the directory, for this user alone.
func makeDir(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make directory: %w", err)
	}
	info, err := os.Stat(dir)
	if err != nil {
		return fmt.Errorf("make directory: %w", err)
	}
	if info.Mode().Perm()&0o077 == 0 {
		return nil
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		return fmt.Errorf("close %s to other users: %w", dir, err)
	}
	return nil
}

// running is a server that was started, and does not let in clients yet.
type running struct {
	options *server.Options
	log     *serverLog
	open    chan struct{} // to be closed when it lets them in
}

// run starts the server with the bridge's own accounts.
func (b *Broker) run(o Options, k keys, l listeners) (*running, error) {
	system, err := ownAccount(k.System, "sheetbridge-system", jwt.JetStreamLimits{})
	if err != nil {
		return nil, err
	}
	bridge, err := ownAccount(k.Bridge, "sheetbridge", jwt.JetStreamLimits{
		MemoryStorage: jwt.NoLimit, DiskStorage: jwt.NoLimit, Streams: jwt.NoLimit, Consumer: jwt.NoLimit,
	})
	if err != nil {
		return nil, err
	}
	b.resolver, err = server.NewDirAccResolver(filepath.Join(o.Dir, accountsDir), 0, 0, server.HardDelete,
		server.FetchTimeout(time.Millisecond)) // no other server could know an account that is not here
	if err != nil {
		return nil, fmt.Errorf("open accounts: %w", err)
	}
	for _, c := range []*jwt.AccountClaims{system, bridge} {
		text, err := c.Encode(b.operator)
		if err != nil {
			return nil, fmt.Errorf("write account %s: %w", c.Name, err)
		}
		if err := b.resolver.Store(c.Subject, text); err != nil {
			return nil, fmt.Errorf("write account %s: %w", c.Name, err)
		}
	}
	opts, err := b.serverOptions(o, system.Subject)
	if err != nil {
		return nil, err
	}
	r := &running{options: opts, log: newServerLog(b.log), open: make(chan struct{})}
	l.set(opts, heldUntil(r.open, o.TLS))
	if b.srv, err = server.NewServer(opts); err != nil {
		return nil, err
	}
	b.srv.SetLoggerV2(r.log, false, false, false)
	b.srv.Start() // returns once the store is open and the ports of others than clients are taken, or not
	if err := r.log.failed(); err != nil {
		return nil, err
	}
	if !b.srv.ReadyForConnections(readyWait) {
		return nil, errors.New("server does not listen")
	}
	if !b.srv.JetStreamEnabled() {
		return nil, errors.New("server has no JetStream")
	}
	return r, nil
}

// listen lets partners in, now that their gates are open: before, nobody would
// answer what they ask. Who comes by WebSocket or as a leaf node, where the server
// listens from its start, waits in the TLS handshake.
func (b *Broker) listen(r *running) error {
	listening := make(chan struct{})
	b.srv.AcceptLoop(listening)
	<-listening
	if err := r.log.failed(); err != nil {
		return err
	}
	close(r.open)
	return nil
}

// findURLs notes where the listeners are, now that their ports are known.
func (b *Broker) findURLs(o Options, opts *server.Options) (err error) {
	if b.url, err = o.publicURL(opts.Host, b.srv.Addr().(*net.TCPAddr).Port); err != nil {
		return err
	}
	if port := opts.Websocket.Port; port != 0 {
		if b.webSocketURL, err = o.urlOf("ws", "wss", opts.Websocket.Host, port); err != nil {
			return err
		}
	}
	if port := opts.LeafNode.Port; port != 0 {
		b.leafURL, err = o.urlOf("nats", "tls", opts.LeafNode.Host, port)
	}
	return err
}

func (b *Broker) serverOptions(o Options, system string) (*server.Options, error) {
	public, err := b.operator.PublicKey()
	if err != nil {
		return nil, fmt.Errorf("read operator's key: %w", err)
	}
	operator := jwt.NewOperatorClaims(public)
	operator.Name = "sheetbridge"
	operator.SystemAccount = system
	if _, err := operator.Encode(b.operator); err != nil { // fills in the issuer
		return nil, fmt.Errorf("write operator: %w", err)
	}
	maxStore := o.MaxStore
	if maxStore == 0 {
		maxStore = noMaxStore
	}
	return &server.Options{
		ServerName: "sheetbridge",

		TrustedOperators: []*jwt.OperatorClaims{operator},
		SystemAccount:    system,
		AccountResolver:  b.resolver,

		JetStream:              true,
		StoreDir:               o.Dir,
		JetStreamKey:           storeKey(o.Master),
		JetStreamCipher:        server.AES,
		JetStreamMaxStore:      maxStore,
		JetStreamMaxMemory:     maxMemory,
		SyncAlways:             true, // an acknowledged message survives a power cut
		MaxPayload:             maxPayload,
		MaxPending:             maxPending,
		MaxControlLine:         maxControlLine,
		StreamMaxBufferedSize:  maxBuffered,
		MaxSubTokens:           maxSubTokens,
		DisableJetStreamBanner: true,
		DontListen:             true, // until the gates are open

		NoSigs: true, // signals are main's; the server would end the process
		NoLog:  true,
	}, nil
}

// storeKey is the key of the store under a master key.
func storeKey(master seal.MasterKey) string {
	return base64.RawStdEncoding.EncodeToString(master.Derive(storeUse, 32))
}

// WebSocketURL returns the address of the WebSocket listener, "" where there is
// none.
func (b *Broker) WebSocketURL() string { return b.webSocketURL }

// LeafURL returns the address for leaf nodes, "" where they cannot connect.
func (b *Broker) LeafURL() string { return b.leafURL }

// Bridge returns the connection of the bridge in its own account. It may do
// everything there, reconnects for ever and ends with Close.
func (b *Broker) Bridge() *nats.Conn { return b.bridge }

// URL returns the address that partners are told.
func (b *Broker) URL() string { return b.url }

// Close ends the bridge's connections, those of Connect too, after what they
// have in flight, then the server, then its hold on the directory. When ctx
// ends first, the connections are cut; the server is shut down even so. Only
// the first call does so, all return its error.
func (b *Broker) Close(ctx context.Context) error {
	b.closeOnce.Do(func() {
		b.mu.Lock()
		b.closed = true
		open := make([]*nats.Conn, 0, len(b.conns))
		for nc := range b.conns {
			open = append(open, nc)
		}
		b.mu.Unlock()
		if b.stopWatch != nil {
			b.stopWatch()
		}
		for _, g := range b.openedGates() {
			g.stop()
		}
		b.watched.Wait()
		for _, g := range b.openedGates() {
			g.status.close()
		}
		drain(ctx, open)
		if b.srv != nil {
			b.srv.Shutdown()
			b.srv.WaitForShutdown()
		}
		if b.operator != nil {
			b.operator.Wipe()
		}
		if err := b.lock.Close(); err != nil {
			b.closeErr = fmt.Errorf("close embedded NATS: release %s: %w", b.dir, err)
		}
	})
	return b.closeErr
}
