package faults

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nkeys"

	"github.com/sheetbridge/sheetbridge/events/eventstest"
)

// cluster is a NATS cluster as an operator runs one: processes, accounts by
// decentralised JWT, JetStream with three copies.
type cluster struct {
	t     testing.TB
	nodes []*process
	url   string
	creds map[string]string // by account: bridge and each partner
}

func newCluster(t testing.TB, nodes int) *cluster {
	t.Helper()
	return newClusterOf(t, nodes, "4GB")
}

// newClusterOf makes a cluster whose nodes may store so much.
func newClusterOf(t testing.TB, nodes int, storage string) *cluster {
	t.Helper()
	c := &cluster{t: t, creds: map[string]string{}}
	head := c.accounts("bridge", "acme", "globex")
	clients, routes := make([]int, nodes), make([]string, nodes)
	for i := range nodes {
		clients[i] = freePort(t)
		routes[i] = fmt.Sprintf("nats-route://127.0.0.1:%d", freePort(t))
	}
	var urls []string
	for i := range nodes {
		dir := t.TempDir()
		conf := head + fmt.Sprintf("server_name: n%d\nlisten: 127.0.0.1:%d\nmax_payload: 8MB\nmax_control_line: 8KB\njetstream { store_dir: %q, max_file_store: %s }\n", i, clients[i], dir, storage)
		if nodes > 1 {
			conf += fmt.Sprintf("cluster { name: c, listen: %q, routes: [%s] }\n", strings.TrimPrefix(routes[i], "nats-route://"), strings.Join(routes, ", "))
		}
		path := filepath.Join(dir, "nats.conf")
		must(t, os.WriteFile(path, []byte(conf), 0o600))
		urls = append(urls, fmt.Sprintf("nats://127.0.0.1:%d", clients[i]))
		node := newProcess(t, fmt.Sprintf("nats-%d", i), natsServer(t), nil, "-c", path)
		node.start()
		c.nodes = append(c.nodes, node)
	}
	c.url = strings.Join(urls, ",")
	c.ready()
	return c
}

// accounts makes an operator and accounts, keeps credentials for each, and
// returns the head of the servers' configuration.
func (c *cluster) accounts(names ...string) string {
	operator, err := nkeys.CreateOperator()
	must(c.t, err)
	op := jwt.NewOperatorClaims(public(c.t, operator))
	op.Name = "faults"
	var preload []string
	system := c.account(operator, "SYS", &preload, false)
	for _, name := range names {
		c.account(operator, name, &preload, true)
	}
	op.SystemAccount = system
	text, err := op.Encode(operator)
	must(c.t, err)
	return fmt.Sprintf("operator: %s\nsystem_account: %s\nresolver: MEMORY\nresolver_preload: {\n%s\n}\n", text, system, strings.Join(preload, "\n"))
}

func (c *cluster) account(operator nkeys.KeyPair, name string, preload *[]string, jetStream bool) string {
	key, err := nkeys.CreateAccount()
	must(c.t, err)
	claims := jwt.NewAccountClaims(public(c.t, key))
	claims.Name = name
	if jetStream {
		claims.Limits.JetStreamLimits = jwt.JetStreamLimits{MemoryStorage: -1, DiskStorage: -1, Streams: -1, Consumer: -1}
	}
	text, err := claims.Encode(operator)
	must(c.t, err)
	*preload = append(*preload, fmt.Sprintf("  %s: %s", claims.Subject, text))
	userKey, err := nkeys.CreateUser()
	must(c.t, err)
	user := jwt.NewUserClaims(public(c.t, userKey))
	user.Name = name
	userText, err := user.Encode(key)
	must(c.t, err)
	seed, err := userKey.Seed()
	must(c.t, err)
	creds, err := jwt.FormatUserConfig(userText, seed)
	must(c.t, err)
	c.creds[name] = string(creds)
	return claims.Subject
}

func public(t testing.TB, key nkeys.KeyPair) string {
	t.Helper()
	p, err := key.PublicKey()
	must(t, err)
	return p
}

// ready waits until the cluster stores what is published.
func (c *cluster) ready() {
	c.t.Helper()
	eventstest.AwaitNil(c.t, 60*time.Second, "NATS", func() error {
		for account := range c.creds {
			if account == "SYS" {
				continue
			}
			js, done, err := c.connect(account)
			if err != nil {
				return err
			}
			defer done()
			if _, err := js.AccountInfo(c.t.Context()); err != nil {
				return err
			}
		}
		return nil
	})
}

// connect connects with all permissions of an account, as its operator may.
func (c *cluster) connect(account string) (jetstream.JetStream, func(), error) {
	nc, err := nats.Connect(c.url, nats.UserCredentialBytes([]byte(c.creds[account])), nats.Timeout(2*time.Second))
	if err != nil {
		return nil, nil, err
	}
	js, err := jetstream.New(nc, jetstream.WithDefaultTimeout(3*time.Second))
	return js, nc.Close, err
}

// external starts serves on the cluster and shares the sheet.
func (w *world) external(c *cluster, serves, replicas int, more ...string) {
	w.t.Helper()
	creds := filepath.Join(w.t.TempDir(), "bridge.creds")
	must(w.t, os.WriteFile(creds, []byte(c.creds["bridge"]), 0o600))
	public := freePort(w.t) // Smartsheet knows one address; in life a load balancer has it
	for i := range serves {
		port, admin := public, freePort(w.t)
		if i > 0 {
			port = freePort(w.t)
		}
		env := append(w.environment(port, admin, more...),
			fmt.Sprintf("SHEETBRIDGE_PUBLIC_URL=http://127.0.0.1:%d", public),
			"SHEETBRIDGE_NATS_URL="+c.url, "SHEETBRIDGE_NATS_CREDS="+creds, fmt.Sprintf("SHEETBRIDGE_NATS_REPLICAS=%d", replicas),
			"SHEETBRIDGE_MASTER_KEY=AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")
		if i > 0 { // so that the simulator can tell who asks
			env = append(env, "SHEETBRIDGE_SMARTSHEET_URL="+strings.Replace(w.sim.URL(), "127.0.0.1", "localhost", 1))
		}
		p := newProcess(w.t, fmt.Sprintf("serve-%d", i), w.serveProgram(), env, "serve")
		w.serves = append(w.serves, p)
		p.start()
		a := api{url: fmt.Sprintf("http://127.0.0.1:%d", admin), token: adminToken}
		w.ready(a)
		w.admins = append(w.admins, a)
	}
	w.admin = w.admins[0]
	for name := range shares() {
		w.addPartner(name, map[string]string{"url": c.url, "credentials": c.creds[name]})
	}
	w.register()
}

// The bridge's and the partners' NATS goes away and comes back, and a partner's
// stream is purged, deleted and full.
func TestFaultsNATS(t *testing.T) {
	t.Parallel()
	w, c := newWorld(t), newCluster(t, 1)
	w.external(c, 1, 1)
	w.settled(30 * time.Second)
	stop := w.editing(30 * time.Millisecond)
	for range eventstest.Times(1, 20) {
		c.nodes[0].kill()
		pause(t, time.Duration(eventstest.Times(2, 30))*time.Second)
		c.nodes[0].start()
		c.ready()
		pause(t, time.Second)
	}
	js, done, err := c.connect("acme")
	must(t, err)
	defer done()
	st, err := js.Stream(t.Context(), "EVENTS")
	must(t, err)
	must(t, st.Purge(t.Context()))
	pause(t, time.Second)
	must(t, js.DeleteStream(t.Context(), "EVENTS"))
	stop()
	w.recorders["acme"].last, w.recorders["acme"].subjects = 0, map[string][]message{}
	eventstest.AwaitNil(t, 60*time.Second, "the stream to be made again", func() error { return w.recorders["acme"].read(t) })
	w.settled(90 * time.Second)

	// Full: it refuses, the other goes on, and it heals.
	st, err = js.Stream(t.Context(), "EVENTS")
	must(t, err)
	cfg := st.CachedInfo().Config
	cfg.MaxBytes = int64(st.CachedInfo().State.Bytes) + 1000
	_, err = js.UpdateStream(t.Context(), cfg)
	must(t, err)
	for range 60 {
		w.edit()
	}
	globex := w.recorders["globex"]
	eventstest.AwaitNil(t, 60*time.Second, "the partner that is not full", func() error {
		if err := globex.read(t); err != nil {
			return err
		}
		return w.equals(globex, "orders", w.sheet.ID)
	})
	cfg.MaxBytes = -1
	_, err = js.UpdateStream(t.Context(), cfg)
	must(t, err)
	w.settled(90 * time.Second)
	w.stands("live", 60*time.Second)
	w.serves[0].stop()
	w.serves[0].raced()
}

// Three replicas on three nodes; one of each is killed, stopped and continued
// in turn.
func TestFaultsReplicas(t *testing.T) {
	t.Parallel()
	w, c := newWorld(t), newCluster(t, 3)
	w.program = raceTested(t)
	w.external(c, eventstest.Times(2, 3), 3)
	w.settled(60 * time.Second)
	stop := w.editing(50 * time.Millisecond)
	for i := range eventstest.Times(2, 30) {
		node := c.nodes[i%3]
		node.kill()
		pause(t, 2*time.Second)
		node.start()
		pause(t, time.Second)
		s := w.serves[i%len(w.serves)]
		if i%2 == 0 {
			s.kill()
			pause(t, 500*time.Millisecond)
			s.start()
		} else { // stopped for longer than the queue waits, when there is the time for it
			s.signal(syscall.SIGSTOP)
			pause(t, time.Duration(eventstest.Times(5, 40))*time.Second)
			s.signal(syscall.SIGCONT)
		}
	}
	stop()
	w.settled(120 * time.Second)
	for _, s := range w.serves {
		s.stop()
		s.raced()
	}
}

// The embedded store is restored from a copy: partners are told by a new epoch,
// and the sheet is caught up with.
func TestFaultsRestore(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	data := filepath.Join(t.TempDir(), "data")
	p := w.embedded("SHEETBRIDGE_DATA_DIR=" + data)
	w.settled(30 * time.Second)
	w.stands("live", 30*time.Second)
	was, _ := w.recorders["acme"].status("orders")
	p.stop()
	copyTree(t, data, data+"-backup")
	p.start()
	w.ready(w.admin)
	for range 50 {
		w.edit()
	}
	w.settled(30 * time.Second)
	restarted, _ := w.recorders["acme"].status("orders")
	if restarted.epoch != was.epoch {
		t.Errorf("epoch after a restart: got %s, want %s", restarted.epoch, was.epoch)
	}
	p.stop()
	must(t, os.RemoveAll(data))
	copyTree(t, data+"-backup", data)
	p.start()
	w.ready(w.admin)
	for _, r := range w.recorders {
		r.last, r.subjects = 0, map[string][]message{}
	}
	w.settled(60 * time.Second)
	eventstest.AwaitNil(t, 30*time.Second, "a new epoch", func() error {
		if err := w.recorders["acme"].read(t); err != nil {
			return err
		}
		if now, _ := w.recorders["acme"].status("orders"); now.epoch == was.epoch {
			return errNotYet
		}
		return nil
	})
	p.stop()
	p.raced()
}

func copyTree(t testing.TB, from, to string) {
	t.Helper()
	must(t, os.CopyFS(to, os.DirFS(from)))
	must(t, filepath.WalkDir(to, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		mode := os.FileMode(0o600)
		if d.IsDir() {
			mode = 0o700
		}
		return os.Chmod(path, mode)
	}))
}
