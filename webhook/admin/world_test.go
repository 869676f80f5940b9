package admin_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"go.uber.org/goleak"

	"github.com/sheetbridge/sheetbridge/events/broker"
	"github.com/sheetbridge/sheetbridge/events/eventstest"
	"github.com/sheetbridge/sheetbridge/events/seal"
	"github.com/sheetbridge/sheetbridge/smartsheet/smartsheettest"
	"github.com/sheetbridge/sheetbridge/webhook"
	"github.com/sheetbridge/sheetbridge/webhook/admin"
	"github.com/sheetbridge/sheetbridge/webhook/budget"
	"github.com/sheetbridge/sheetbridge/webhook/diagnose"
	"github.com/sheetbridge/sheetbridge/webhook/inbox"
	"github.com/sheetbridge/sheetbridge/webhook/owner"
	"github.com/sheetbridge/sheetbridge/webhook/partner"
	"github.com/sheetbridge/sheetbridge/webhook/registrar"
	"github.com/sheetbridge/sheetbridge/webhook/registry"
	"github.com/sheetbridge/sheetbridge/webhook/relay"
	"github.com/sheetbridge/sheetbridge/webhook/webhooktest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Tokens of the admin API in tests.
const (
	writer = "writer-0123456789abcdef"
	reader = "reader-0123456789abcdef"
)

// world is a bridge with all its parts, its admin API on a listener, and a
// simulated Smartsheet with a sheet in it.
type world struct {
	t        testing.TB
	sim      *smartsheettest.Server
	jane     *smartsheettest.User
	token    string // jane's
	sheet    *smartsheettest.Sheet
	broker   *broker.Broker
	registry *registry.Registry
	inbox    *inbox.Inbox
	api      *admin.API
	url      string
	public   string // URL of the public listener
	logs     *webhooktest.Lines
	answers  *bytes.Buffer // of every GET and every refusal
	document *document
	relays   func() // starts the relay
}

type setup struct {
	rate     int
	polling  bool
	external bool // no broker for partners
	store    int64
	server   func(*http.Server)
	api      func(*admin.API)
}

func newWorld(t testing.TB, o setup) *world {
	t.Helper()
	if o.rate == 0 {
		o.rate = 100_000
	}
	w := &world{t: t, sim: smartsheettest.New(t), logs: &webhooktest.Lines{}, answers: &bytes.Buffer{}}
	w.jane = w.sim.AddUser(smartsheettest.User{Email: "jane@a.example", Name: "Jane Doe"})
	w.token = w.sim.AddToken(w.jane)
	w.sheet = w.addSheet("Orders 2026")
	if o.store == 0 {
		o.store = 16 << 30
	}
	log := slog.New(slog.NewTextHandler(w.logs, &slog.HandlerOptions{Level: slog.LevelDebug}))
	ctx, cancel := context.WithCancel(context.Background())
	master := seal.NewMasterKey()
	var err error
	w.broker, err = broker.Start(ctx, broker.Options{Dir: t.TempDir(), Master: master, Listen: "127.0.0.1:0", MaxStore: o.store, Log: log})
	must(t, err)
	w.registry, err = registry.Open(ctx, w.broker.Bridge(), master, 1, log)
	must(t, err)
	w.inbox, err = inbox.Open(ctx, w.broker.Bridge(), inbox.Options{Replicas: 1, SingleReplica: true})
	must(t, err)
	budgets, err := budget.Open(ctx, w.broker.Bridge(), o.rate, 1)
	must(t, err)
	partners := &partner.Partners{Registry: w.registry, Broker: w.broker, Replicas: 1, Log: log}
	access := &owner.Access{Registry: w.registry, Budget: budgets, Master: master, BaseURL: w.sim.URL()}
	registrar := &registrar.Registrar{Registry: w.registry, Inbox: w.inbox, Access: access, ReconcileEvery: time.Hour, SingleReplica: true, Log: log}
	w.api = &admin.API{
		Registry: w.registry, Registrar: registrar, Partners: partners, Access: access, Inbox: w.inbox, Broker: w.broker, Log: log,
		Doctor: &diagnose.Doctor{
			Survey:    diagnose.Survey{Registry: w.registry, Partners: partners, Inbox: w.inbox},
			Registrar: registrar, Access: access, Broker: w.broker,
		},
		Tokens: []admin.Token{{Name: "alice", Secret: writer}, {Name: "bob", Secret: reader, ReadOnly: true}},
	}
	if o.external {
		partners.Broker, w.api.Broker, w.api.Doctor.Broker = nil, nil, nil
	}
	if o.api != nil {
		o.api(w.api)
	}
	w.api.Accounts = &partner.Accounts{Registry: w.registry, Partners: partners, Broker: w.api.Broker, Log: log}
	registrar.Accounts = w.api.Accounts
	callbacks, admins := listen(t), listen(t)
	w.public = "http://" + callbacks.Addr().String()
	join := &partner.Join{Invitations: &partner.Invitations{Accounts: w.api.Accounts, PublicURL: w.public}, Log: log}
	receiver := webhook.NewServer(join.Middleware((&webhook.Receiver{Registry: w.registry, Inbox: w.inbox, Limit: 1 << 20, Log: log}).Handler()), log)
	if !o.polling {
		registrar.PublicURL = w.public
	}
	w.url = "http://" + admins.Addr().String()
	road := &relay.Relay{Registry: w.registry, Inbox: w.inbox, Access: access, Partners: partners, Every: time.Hour, Log: log}
	w.api.Relay = road
	server := webhook.NewServer(w.api.Handler(), log)
	if o.server != nil {
		o.server(server)
	}
	workers := inbox.Workers{Pass: road.Pass, Webhook: registrar.Supervise, Token: access.TokenOf, Log: log}
	var running sync.WaitGroup
	running.Go(func() { _ = receiver.Serve(callbacks) })
	running.Go(func() { _ = server.Serve(admins) })
	running.Go(func() { _ = w.registry.Run(ctx) })
	w.relays = func() { running.Go(func() { _ = w.inbox.Work(ctx, workers) }) }
	t.Cleanup(func() {
		_, _ = receiver.Close(), server.Close()
		cancel()
		running.Wait()
		partners.Close()
		must(t, w.broker.Close(context.Background()))
		http.DefaultClient.CloseIdleConnections()
	})
	<-w.registry.Loaded()
	return w
}

func listen(t testing.TB) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	return l
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (w *world) addSheet(name string) *smartsheettest.Sheet {
	w.t.Helper()
	sheet, err := w.sim.AddSheet(smartsheettest.SheetSpec{
		Name: name, Owner: w.jane,
		Columns: []smartsheettest.Column{{Title: "No"}, {Title: "Status"}, {Title: "Due Date", Type: "DATE"}, {Title: "Margin"}},
		Rows: []smartsheettest.Row{
			{Cells: smartsheettest.Cells{"No": "SO-1", "Status": "Open", "Due Date": smartsheettest.Date("2026-11-30"), "Margin": "planted-margin-1"}},
			{Cells: smartsheettest.Cells{"No": "SO-2", "Status": "Draft", "Margin": "planted-margin-2"}},
		},
	})
	must(w.t, err)
	return sheet
}

// settle returns when callbacks and hints have been worked off.
func (w *world) settle() {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), eventstest.Patience)
	defer cancel()
	must(w.t, w.sim.Wait(ctx))
	must(w.t, w.inbox.Idle(ctx))
}

// reply is what the API answered.
type reply struct {
	t      testing.TB
	status int
	header http.Header
	text   string
	body   map[string]any
}

// send sends a request with a bearer token, unless that is empty.
func (w *world) send(token, method, path, body string, header ...string) reply {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), method, w.url+path, strings.NewReader(body))
	must(w.t, err)
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
		if header[i] == "Host" {
			req.Host = header[i+1]
		}
	}
	resp, err := http.DefaultClient.Do(req)
	must(w.t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	must(w.t, err)
	r := reply{t: w.t, status: resp.StatusCode, header: resp.Header, text: string(text)}
	if strings.Contains(resp.Header.Get("Content-Type"), "json") {
		must(w.t, json.Unmarshal(text, &r.body))
	}
	if method == http.MethodGet || resp.StatusCode >= 400 {
		w.answers.Write(text)
	}
	return r
}

// ok sends a request of the writer and wants it answered with the status.
func (w *world) ok(status int, method, path, body string) reply {
	w.t.Helper()
	r := w.send(writer, method, path, body)
	if r.status != status {
		w.t.Fatalf("%s %s: got %d %s, want %d", method, path, r.status, r.text, status)
	}
	w.described(method, path, r)
	return r
}

// refused sends a request of the writer and wants a problem with the status,
// whose detail holds the words, and which names the field unless that is empty.
func (w *world) refused(status int, field, words, method, path, body string) {
	w.t.Helper()
	r := w.send(writer, method, path, body)
	r.refused(status, field, words)
	w.described(method, path, r)
}

func (r reply) refused(status int, field, words string) {
	r.t.Helper()
	detail, _ := r.body["detail"].(string)
	if r.status != status || r.header.Get("Content-Type") != "application/problem+json" || r.body["status"] != float64(status) {
		r.t.Errorf("got %d %s %s, want problem %d", r.status, r.header.Get("Content-Type"), r.text, status)
	}
	if !strings.Contains(detail, words) || detail == "" {
		r.t.Errorf("got detail %q, want %q in it", detail, words)
	}
	if field == "" {
		return
	}
	errs, _ := r.body["errors"].([]any)
	if !slices.ContainsFunc(errs, func(e any) bool { return e.(map[string]any)["location"] == field }) {
		r.t.Errorf("got errors %v, want one at %q", errs, field)
	}
	name := strings.TrimPrefix(strings.TrimPrefix(field, "body."), "query.")
	if !strings.Contains(detail, name) {
		r.t.Errorf("got detail %q, want the field %q in it", detail, name)
	}
}

// at follows keys and indexes into the body.
func (r reply) at(path ...any) any {
	r.t.Helper()
	var v any = r.body
	for _, step := range path {
		switch s := step.(type) {
		case string:
			v = v.(map[string]any)[s]
		case int:
			v = v.([]any)[s]
		}
	}
	return v
}

func (r reply) text1(path ...any) string {
	r.t.Helper()
	s, ok := r.at(path...).(string)
	if !ok {
		r.t.Fatalf("got %v at %v of %s, want text", r.at(path...), path, r.text)
	}
	return s
}

// jsonInto reads the text of a reply as JSON.
func jsonInto(r *reply) error { return json.Unmarshal([]byte(r.text), &r.body) }

// owner adds jane as the owner ops.
func (w *world) owner() {
	w.t.Helper()
	w.ok(201, "POST", "/v1/owners", `{"name":"ops","token":"`+w.token+`","region":"us"}`)
}

// partner adds a partner and returns its credentials.
func (w *world) partner(name string) string {
	w.t.Helper()
	return w.ok(201, "POST", "/v1/partners", `{"name":"`+name+`"}`).text1("credentials")
}

// registered registers the sheet for acme and returns its id.
func (w *world) registered() string {
	w.t.Helper()
	return w.ok(201, "POST", "/v1/webhooks", w.request(share)).text1("id")
}

const share = `{"partner":"acme","sheet":"orders","columns":[{"title":"No"},{"title":"Status","as":"state"}],"where":"state != 'Draft'"}`

// request is the body that shares the sheet.
func (w *world) request(shares string) string {
	return `{"owner":"ops","sheetId":"` + strconv.FormatInt(w.sheet.ID, 10) + `","shares":[` + shares + `]}`
}

// login connects with credentials, as a partner does.
func (w *world) login(creds string) (*nats.Conn, error) {
	return nats.Connect(w.broker.URL(), nats.UserCredentialBytes([]byte(creds)), nats.NoReconnect(),
		nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}))
}
