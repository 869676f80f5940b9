package broker

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nkeys"
)

const (
	// connectWait bounds one try to connect to one server.
	connectWait = 5 * time.Second
	// reconnectMin and reconnectMax bound the pause between two such tries;
	// it doubles in between.
	reconnectMin = 50 * time.Millisecond
	reconnectMax = 5 * time.Second
)

var errClosed = errors.New("embedded NATS is closed")

// Conn is a connection to NATS, embedded or not.
type Conn = nats.Conn

// Connect connects the bridge in the account of the partner's stream, where it
// may do everything and nobody else has users. Its replies come to a random
// subject, which that account exports to nobody. The connection reconnects for ever, holds nothing back while it
// cannot send (a publish fails then), and ends with Close of it or of b.
func (b *Broker) Connect(ctx context.Context, partner string, a Account) (*nats.Conn, error) {
	nc, err := b.connect(ctx, "sheetbridge for "+partner, a.StorageSeed, jwt.Permissions{})
	if err != nil {
		return nil, fmt.Errorf("connect to account of partner %s: %w", partner, err)
	}
	return nc, nil
}

// connectOwn opens the connections in the bridge's own accounts.
func (b *Broker) connectOwn(ctx context.Context, k keys) (err error) {
	var claims jwt.Permissions
	claims.Pub.Allow.Add("$SYS.REQ.CLAIMS.*", "$SYS.REQ.SERVER.*.HEALTHZ")
	claims.Sub.Allow.Add(inboxRoot + ".>")
	if b.sys, err = b.connect(ctx, "sheetbridge accounts", seed(k.System), claims); err != nil {
		return fmt.Errorf("connect to system account: %w", err)
	}
	if b.bridge, err = b.connect(ctx, "sheetbridge", seed(k.Bridge), jwt.Permissions{}); err != nil {
		return fmt.Errorf("connect to own account: %w", err)
	}
	return nil
}

// connect connects within the process, as a new user of the account that the
// seed is of. Nothing of the user is kept, and from outside it may not connect.
func (b *Broker) connect(ctx context.Context, name string, account seed, p jwt.Permissions) (*nats.Conn, error) {
	signer, err := nkeys.FromSeed([]byte(account))
	if err != nil {
		return nil, fmt.Errorf("read account's key: %w", err)
	}
	defer signer.Wipe()
	public, err := signer.PublicKey()
	if err != nil {
		return nil, fmt.Errorf("read account's key: %w", err)
	}
	return b.connectSigned(ctx, name, public, signer, p)
}

// connectSigned is connect for an account of which the caller has a signing key.
func (b *Broker) connectSigned(ctx context.Context, name, account string, signer nkeys.KeyPair, p jwt.Permissions) (*nats.Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	user, err := newProcessUser(name, account, signer, p)
	if err != nil {
		return nil, err
	}
	opts := append(connOptions(name, b.log), nats.InProcessServer(b.srv),
		nats.UserJWT(func() (string, error) { return user.jwt, nil }, user.sign))

	b.mu.Lock() // a connection made while Close runs would outlive it
	defer b.mu.Unlock()
	if b.closed {
		return nil, errClosed
	}
	nc, err := nats.Connect("", opts...)
	if err != nil {
		return nil, err
	}
	for old := range b.conns {
		if old.IsClosed() {
			delete(b.conns, old)
		}
	}
	b.conns[nc] = account
	return nc, nil
}

// processUser is a user that may connect within the process only.
type processUser struct {
	jwt  string
	sign func(nonce []byte) ([]byte, error)
}

// newProcessUser makes a new user of an account.
func newProcessUser(name, account string, signer nkeys.KeyPair, p jwt.Permissions) (u processUser, err error) {
	user, err := nkeys.CreateUser()
	if err != nil {
		return u, fmt.Errorf("make user: %w", err)
	}
	public, err := user.PublicKey()
	if err != nil {
		return u, fmt.Errorf("make user: %w", err)
	}
	claims := jwt.NewUserClaims(public)
	claims.Name = name
	claims.IssuerAccount = account
	claims.Permissions = p
	claims.AllowedConnectionTypes.Add(jwt.ConnectionTypeInProcess)
	text, err := claims.Encode(signer)
	if err != nil {
		return u, fmt.Errorf("make user: %w", err)
	}
	return processUser{text, user.Sign}, nil
}

// Stored returns how much the account of a connection stores, in bytes.
func Stored(ctx context.Context, nc *Conn) (uint64, error) {
	js, err := jetstream.New(nc)
	if err != nil {
		return 0, fmt.Errorf("ask for the store: %w", err)
	}
	account, err := js.AccountInfo(ctx)
	if err != nil {
		return 0, fmt.Errorf("ask for the store: %w", err)
	}
	return account.Store, nil
}

// inboxRoot begins the subjects of replies to the bridge. Partners may
// subscribe _INBOX.>, not these; and the rest of it is random.
const inboxRoot = "_BRIDGE"

// connOptions are those of every connection of the bridge.
func connOptions(name string, log *slog.Logger) []nats.Option {
	log = log.With("connection", name)
	limited := newLimitedLog()
	return []nats.Option{
		nats.Name(name),
		nats.CustomInboxPrefix(inboxRoot + "." + rand.Text()),
		nats.Timeout(connectWait),
		nats.DrainTimeout(connectWait),
		nats.MaxReconnects(-1),
		nats.IgnoreAuthErrorAbort(), // a refusal may be mended at the other side
		nats.CustomReconnectDelay(func(tries int) time.Duration {
			return min(reconnectMax, reconnectMin<<min(tries, 10))
		}),
		nats.ReconnectBufSize(-1), // what cannot be sent now fails now
		nats.DisconnectErrHandler(func(nc *nats.Conn, err error) {
			if err != nil && !nc.IsClosed() {
				limited.line(log.Warn, "nats disconnected", "error", err)
			}
		}),
		nats.ReconnectHandler(func(*nats.Conn) { limited.line(log.Info, "nats reconnected") }),
		nats.ReconnectErrHandler(func(_ *nats.Conn, err error) { limited.line(log.Debug, "nats not reconnected", "error", err) }),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { limited.line(log.Warn, "nats", "error", err) }),
	}
}

// drain ends connections after what they have in flight, or, when ctx ends
// first, at once.
func drain(ctx context.Context, conns []*nats.Conn) {
	var wg sync.WaitGroup
	for _, nc := range conns {
		wg.Go(func() {
			closed := nc.StatusChanged(nats.CLOSED)
			if nc.Drain() == nil {
				select {
				case <-closed:
				case <-ctx.Done():
				}
			}
			nc.Close()
		})
	}
	wg.Wait()
}
