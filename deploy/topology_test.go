package deploy_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sheetbridge/sheetbridge/events/eventstest"
	"github.com/sheetbridge/sheetbridge/events/seal"
	"github.com/sheetbridge/sheetbridge/events/stream"
	"github.com/sheetbridge/sheetbridge/smartsheet/smartsheettest"
)

const (
	token    = "ops:topology-admin-token"
	patience = 90 * time.Second
)

// topology is what compose.yaml runs, as processes on this machine.
type topology struct {
	t       *testing.T
	dir     string
	program string
	sim     *smartsheettest.Server
	seeded  *smartsheettest.Seeded
	proxy   string // URL at which Smartsheet reaches the bridges
	nats    []*child
	bridges []*child
	reader  seal.Secret // the partner's credentials
}

// child is a process that is ended by its pid.
type child struct {
	t     *testing.T
	name  string
	path  string
	args  []string
	env   []string
	ready string // URL that answers 200 when it is
	cmd   *exec.Cmd
}

func (c *child) start() {
	c.t.Helper()
	c.cmd = exec.Command(c.path, c.args...)
	c.cmd.Env = append(os.Environ(), c.env...)
	log, err := os.OpenFile(filepath.Join(c.t.ArtifactDir(), c.name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		c.t.Fatal(err)
	}
	defer log.Close()
	c.cmd.Stdout, c.cmd.Stderr = log, log
	if err := c.cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	process := c.cmd.Process
	c.t.Cleanup(func() { _ = process.Kill() }) // it may have ended
}

// stop ends it and returns how long that took.
func (c *child) stop() time.Duration {
	c.t.Helper()
	began := time.Now()
	if err := c.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		c.t.Fatalf("%s: %v", c.name, err)
	}
	var exit *exec.ExitError
	if err := c.cmd.Wait(); errors.As(err, &exit) && exit.ExitCode() != 1 || c.name[0] == 'b' && err != nil {
		c.t.Errorf("%s ended with %v", c.name, err) // nats-server ends with 1 after SIGTERM
	}
	return time.Since(began)
}

func (c *child) waitReady() {
	c.t.Helper()
	eventstest.AwaitNil(c.t, patience, c.name+" is ready", func() error {
		answer, err := http.Get(c.ready)
		if err != nil {
			return err
		}
		defer answer.Body.Close()
		text, _ := io.ReadAll(answer.Body)
		if answer.StatusCode != http.StatusOK {
			return fmt.Errorf("%s: %s", answer.Status, text)
		}
		return nil
	})
}

func newTopology(t *testing.T) *topology {
	t.Helper()
	p := &topology{t: t, dir: t.TempDir(), program: build(t)}
	t.Setenv("SHEETBRIDGE_NATS_CA", filepath.Join(p.dir, "accounts", "tls", "ca.pem"))
	makeAccounts(t, p.program, p.dir)
	creds, err := os.ReadFile(filepath.Join(p.dir, "accounts/partners/acme/acme.creds"))
	if err != nil {
		t.Fatal(err)
	}
	p.reader = seal.Secret(creds)
	p.startNATS()
	p.sim = smartsheettest.New(t)
	if p.seeded, err = smartsheettest.Seed(p.sim); err != nil {
		t.Fatal(err)
	}
	p.startBridges()
	return p
}

func (p *topology) startNATS() {
	server := filepath.Join(p.dir, "nats-server")
	if out, err := exec.Command("go", "build", "-o", server, "github.com/nats-io/nats-server/v2").CombinedOutput(); err != nil {
		p.t.Fatalf("building nats-server: %v\n%s", err, out)
	}
	write(p.t, filepath.Join(p.dir, "nats.conf"), read(p.t, "nats/nats.conf"))
	var routes, quoted []string
	for range 3 {
		address := freeAddress(p.t)
		routes, quoted = append(routes, address), append(quoted, strconv.Quote("tls://"+address))
	}
	for i := range 3 {
		monitor := freeAddress(p.t)
		c := &child{t: p.t, name: fmt.Sprintf("nats-%d", i+1), path: server, args: []string{"-c", filepath.Join(p.dir, "nats.conf")}, ready: "http://" + monitor + "/healthz"}
		listen := freeAddress(p.t)
		for name, value := range natsEnvironment(p.dir, i+1, listen, routes[i], monitor, "["+strings.Join(quoted, ",")+"]") {
			c.env = append(c.env, name+"="+value)
		}
		c.env = append(c.env, "URL=tls://"+listen)
		p.nats = append(p.nats, c)
		c.start()
	}
	for _, c := range p.nats {
		c.waitReady()
	}
}

// urls are the NATS servers, for clients.
func (p *topology) urls() string {
	var list []string
	for _, c := range p.nats {
		list = append(list, strings.TrimPrefix(c.env[len(c.env)-1], "URL="))
	}
	return strings.Join(list, ",")
}

func (p *topology) startBridges() {
	var publics []string
	for range 3 {
		publics = append(publics, freeAddress(p.t))
	}
	balancer := httptest.NewServer(balance(publics))
	p.t.Cleanup(balancer.Close)
	p.proxy = balancer.URL
	for i := range 3 {
		admin := freeAddress(p.t)
		c := &child{t: p.t, name: fmt.Sprintf("bridge-%d", i+1), path: p.program, args: []string{"serve"}, ready: "http://" + admin + "/readyz"}
		for name, value := range map[string]string{
			"LISTEN": publics[i], "ADMIN_LISTEN": admin, "ADMIN_TOKEN": token, "PUBLIC_URL": p.proxy, "SMARTSHEET_URL": p.sim.URL(),
			"NATS_URL": p.urls(), "NATS_CREDS": filepath.Join(p.dir, "accounts/bridge.creds"), "NATS_REPLICAS": "3",
			"MASTER_KEY": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", "RECONCILE_EVERY": "20s", "LOG_FORMAT": "json",
		} {
			c.env = append(c.env, "SHEETBRIDGE_"+name+"="+value)
		}
		p.bridges = append(p.bridges, c)
		c.start()
	}
	for _, c := range p.bridges {
		c.waitReady()
	}
}

// balance is the proxy: a callback that one bridge does not take goes to the next.
func balance(bridges []string) http.Handler {
	client := &http.Client{Timeout: 10 * time.Second}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		first := rand.IntN(len(bridges))
		for i := range bridges {
			req, err := http.NewRequestWithContext(r.Context(), r.Method, "http://"+bridges[(first+i)%len(bridges)]+r.URL.Path, bytes.NewReader(body))
			if err != nil {
				break
			}
			req.Header = r.Header.Clone()
			answer, err := client.Do(req)
			if err != nil {
				continue
			}
			defer answer.Body.Close()
			if answer.StatusCode != http.StatusServiceUnavailable {
				for name, values := range answer.Header {
					w.Header()[name] = values
				}
				w.WriteHeader(answer.StatusCode)
				_, _ = io.Copy(w, answer.Body) // Smartsheet repeats what breaks
				return
			}
		}
		w.WriteHeader(http.StatusServiceUnavailable)
	})
}

// admin calls the admin API of the first bridge.
func (p *topology) admin(path string, body any) {
	p.t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		p.t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(p.t.Context(), http.MethodPost, strings.TrimSuffix(p.bridges[0].ready, "/readyz")+path, bytes.NewReader(text))
	if err != nil {
		p.t.Fatal(err)
	}
	_, secret, _ := strings.Cut(token, ":")
	req.Header.Set("Authorization", "Bearer "+secret)
	req.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	defer answer.Body.Close()
	if said, _ := io.ReadAll(answer.Body); answer.StatusCode >= 300 {
		p.t.Fatalf("%s: %s %s", path, answer.Status, said)
	}
}

// share shares the order book with the partner, whose account is in the cluster.
func (p *topology) share() {
	creds, err := os.ReadFile(filepath.Join(p.dir, "accounts/partners/acme/bridge.creds"))
	if err != nil {
		p.t.Fatal(err)
	}
	first, _, _ := strings.Cut(p.urls(), ",")
	p.admin("/v1/owners", map[string]string{"name": "ops", "region": "us", "token": p.seeded.OwnerToken})
	p.admin("/v1/partners", map[string]any{"name": "acme", "nats": map[string]string{"url": first, "credentials": string(creds)}})
	p.admin("/v1/webhooks", map[string]any{"owner": "ops", "sheetId": strconv.FormatInt(p.seeded.Orders.ID, 10), "shares": []any{
		map[string]any{"partner": "acme", "sheet": "orders", "columns": []any{map[string]string{"title": "Order No"}, map[string]string{"title": "Status"}}},
	}})
}

// mirror is what a partner who reads all the time knows.
type mirror struct {
	mu     sync.Mutex
	rows   map[string]map[string]any // subject → after
	events int
	broken []string
}

func (m *mirror) take(message stream.Message) error {
	if !strings.Contains(message.Subject, ".row.") {
		return nil
	}
	var e struct {
		Data struct{ Before, After map[string]any }
	}
	if err := json.Unmarshal(message.Data, &e); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.events++
	if diff := cmp.Diff(m.rows[message.Subject], e.Data.Before); diff != "" {
		m.broken = append(m.broken, message.Subject+": "+diff)
	}
	if cmp.Equal(e.Data.Before, e.Data.After) {
		m.broken = append(m.broken, message.Subject+": the same twice")
	}
	m.rows[message.Subject] = e.Data.After
	if e.Data.After == nil {
		delete(m.rows, message.Subject)
	}
	return nil
}

// equals compares with the sheet as it is.
func (m *mirror) equals(p *topology) error {
	snap, _ := p.sim.Snapshot(p.seeded.Orders.ID)
	columns := p.seeded.Orders.Columns
	want := map[string]map[string]any{}
	for _, row := range snap.Rows {
		want[fmt.Sprintf("smartsheet.acme.orders.row.%d", row.ID)] = map[string]any{"order_no": row.Cells[columns["Order No"]], "status": row.Cells[columns["Status"]]}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if diff := cmp.Diff(want, m.rows); diff != "" {
		return errors.New(diff)
	}
	return nil
}

// TestTopology restarts every server and every bridge in turn while the sheet is
// edited and a partner reads: it gets an unbroken chain for each row, and in the
// end the sheet as it is.
func TestTopology(t *testing.T) {
	eventstest.OnlyLong(t, "three bridges and three NATS servers, restarted one after the other, take minutes")
	p := newTopology(t)
	p.share()
	m := &mirror{rows: map[string]map[string]any{}}
	reading, stopReading := context.WithCancel(t.Context())
	read := make(chan error, 1)
	go func() {
		read <- stream.Tail(reading, stream.TailOptions{URL: p.urls(), Creds: p.reader, From: stream.FromAll}, m.take)
	}()
	eventstest.AwaitNil(t, patience, "the first load", func() error { return m.equals(p) })
	stopEditing := p.edit()
	w := newWatch(t, p)
	for round := range 2 {
		for _, c := range append(p.bridges[:len(p.bridges):len(p.bridges)], p.nats...) {
			took := c.stop()
			c.start()
			c.waitReady()
			for _, b := range p.bridges { // as a rollout does
				b.waitReady()
			}
			t.Logf("round %d: %s stopped in %v and is ready again", round+1, c.name, took.Round(time.Millisecond))
		}
	}
	w.queries(t)
	edits := stopEditing()
	eventstest.AwaitNil(t, patience, "the partner has the sheet as it is", func() error { return m.equals(p) })
	stopReading()
	if err := <-read; err != nil {
		t.Error(err)
	}
	for _, b := range m.broken {
		t.Errorf("the chain is broken: %s", b)
	}
	t.Logf("%d edits, %d row events", edits, m.events)
}

// edit edits the sheet ten times a second until it is stopped, and tells how often.
func (p *topology) edit() (stop func() int) {
	ctx, cancel := context.WithCancel(p.t.Context())
	done := make(chan int, 1)
	go func() {
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for n := 0; ; n++ {
			select {
			case <-ctx.Done():
				done <- n
				return
			case <-tick.C:
			}
			if _, err := p.seeded.Editor.Step(); err != nil {
				p.t.Errorf("editing: %v", err)
			}
		}
	}()
	return func() int { cancel(); return <-done }
}
