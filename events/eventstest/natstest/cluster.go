package natstest

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"

	"github.com/sheetbridge/sheetbridge/events/freeport"
)

// cluster is servers that have the same operator and know the same accounts.
type cluster struct {
	dir      string
	operator nkeys.KeyPair
	accounts *server.MemAccResolver
	servers  []*server.Server
}

func startCluster(size int) (_ *cluster, err error) {
	c := &cluster{accounts: &server.MemAccResolver{}}
	defer func() {
		if err != nil {
			c.stop()
			err = fmt.Errorf("start %d NATS servers: %w", size, err)
		}
	}()
	if c.dir, err = os.MkdirTemp("", "natstest-"); err != nil {
		return nil, err
	}
	if c.operator, err = nkeys.CreateOperator(); err != nil {
		return nil, err
	}
	system, _, err := c.newAccount("system", jwt.JetStreamLimits{})
	if err != nil {
		return nil, err
	}
	operator, err := c.claims(system)
	if err != nil {
		return nil, err
	}
	return c, c.startServers(size, operator)
}

func (c *cluster) claims(systemAccount string) (*jwt.OperatorClaims, error) {
	public, err := c.operator.PublicKey()
	if err != nil {
		return nil, err
	}
	claims := jwt.NewOperatorClaims(public)
	claims.SystemAccount = systemAccount
	_, err = claims.Encode(c.operator) // fills in the issuer
	return claims, err
}

func (c *cluster) startServers(size int, operator *jwt.OperatorClaims) error {
	ports, urls := make([]int, size), ""
	for i := range ports {
		var err error
		if ports[i], err = freeport.Take(); err != nil {
			return err
		}
		urls += fmt.Sprintf(",nats://127.0.0.1:%d", ports[i])
	}
	for i, port := range ports {
		o := &server.Options{
			ServerName: fmt.Sprint("n", i), Host: "127.0.0.1", Port: server.RANDOM_PORT, NoLog: true, NoSigs: true,
			TrustedOperators: []*jwt.OperatorClaims{operator}, SystemAccount: operator.SystemAccount, AccountResolver: c.accounts,
			JetStream: true, StoreDir: filepath.Join(c.dir, fmt.Sprint(i)), SyncAlways: true, MaxPayload: 8 << 20,
			JetStreamMaxMemory: 1 << 30, JetStreamMaxStore: 64 << 30,
		}
		if size > 1 {
			o.Cluster = server.ClusterOpts{Name: "c", Host: "127.0.0.1", Port: port}
			o.Routes = server.RoutesFromStr(urls[1:])
		}
		s, err := server.NewServer(o)
		if err != nil {
			return err
		}
		c.servers = append(c.servers, s)
		s.Start()
	}
	return nil
}

// ready tells whether all servers answer and, in a cluster, follow a leader that has
// heard of each.
func (c *cluster) ready() bool {
	for _, s := range c.servers {
		if !s.ReadyForConnections(time.Millisecond) || !s.JetStreamIsCurrent() {
			return false
		}
		if len(c.servers) > 1 && s.JetStreamIsLeader() && len(s.JetStreamClusterPeers()) < len(c.servers) {
			return false
		}
	}
	return true
}

// addAccount adds an account and returns what connects to it, with all permissions there.
func (c *cluster) addAccount(name string) (nats.Option, error) {
	unlimited := jwt.JetStreamLimits{
		MemoryStorage: jwt.NoLimit, DiskStorage: jwt.NoLimit, Streams: jwt.NoLimit, Consumer: jwt.NoLimit,
	}
	_, account, err := c.newAccount(name, unlimited)
	if err != nil {
		return nil, fmt.Errorf("add account %s: %w", name, err)
	}
	user, err := nkeys.CreateUser()
	if err != nil {
		return nil, err
	}
	public, err := user.PublicKey()
	if err != nil {
		return nil, err
	}
	token, err := jwt.NewUserClaims(public).Encode(account)
	if err != nil {
		return nil, fmt.Errorf("add a user of account %s: %w", name, err)
	}
	return nats.UserJWT(func() (string, error) { return token, nil }, user.Sign), nil
}

func (c *cluster) newAccount(name string, limits jwt.JetStreamLimits) (public string, account nkeys.KeyPair, err error) {
	if account, err = nkeys.CreateAccount(); err != nil {
		return "", nil, err
	}
	if public, err = account.PublicKey(); err != nil {
		return "", nil, err
	}
	claims := jwt.NewAccountClaims(public)
	claims.Name, claims.Limits.JetStreamLimits = name, limits
	token, err := claims.Encode(c.operator)
	if err != nil {
		return "", nil, err
	}
	return public, account, c.accounts.Store(public, token)
}

func (c *cluster) stop() {
	for _, s := range c.servers {
		s.Shutdown()
	}
	for _, s := range c.servers {
		s.WaitForShutdown()
	}
	_ = os.RemoveAll(c.dir) // of what is left there nobody knows
}
