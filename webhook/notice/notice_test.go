package notice_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/sheetbridge/sheetbridge/events/broker"
	"github.com/sheetbridge/sheetbridge/events/seal"
	"github.com/sheetbridge/sheetbridge/webhook/notice"
	"github.com/sheetbridge/sheetbridge/webhook/registry"
	"github.com/sheetbridge/sheetbridge/webhook/webhooktest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const wait = 30 * time.Second // for what happens in seconds

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// world is a store with what is to be told in it.
type world struct {
	t      *testing.T
	broker *broker.Broker
	master seal.MasterKey
	logs   *webhooktest.Lines
	log    *slog.Logger
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, master: seal.NewMasterKey(), logs: &webhooktest.Lines{}}
	w.log = slog.New(slog.NewTextHandler(w.logs, nil))
	var err error
	w.broker, err = broker.Start(t.Context(), broker.Options{Dir: t.TempDir(), Master: w.master, Listen: "127.0.0.1:0", MaxStore: 1 << 30, Log: w.log})
	must(t, err)
	t.Cleanup(func() { must(t, w.broker.Close(context.Background())) })
	return w
}

// replica is one process: its registry and its sender, which sends until it is stopped.
func (w *world) replica(url string, secret seal.Secret) (s *notice.Sender, run, stop func()) {
	w.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	r, err := registry.Open(ctx, w.broker.Bridge(), w.master, 1, w.log)
	must(w.t, err)
	var running sync.WaitGroup
	running.Go(func() { _ = r.Run(ctx) })
	<-r.Loaded()
	s = &notice.Sender{Registry: r, URL: url, Secret: secret, Console: "http://console.example", Version: "test", Log: w.log}
	stop = sync.OnceFunc(func() {
		cancel()
		running.Wait()
	})
	w.t.Cleanup(stop)
	return s, func() { running.Go(func() { _ = s.Run(ctx) }) }, stop
}

// receiver takes notices, and answers each as it is told to.
type receiver struct {
	*httptest.Server
	came   chan request
	answer chan int // 200 where there is none
}

type request struct {
	id, signature, at string
	body              []byte
	event             struct {
		Type, Subject string
		Data          map[string]string
	}
}

func newReceiver(t *testing.T) *receiver {
	t.Helper()
	r := &receiver{came: make(chan request, 100), answer: make(chan int, 100)}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		got := request{id: req.Header.Get("webhook-id"), signature: req.Header.Get("webhook-signature"), at: req.Header.Get("webhook-timestamp")}
		got.body, _ = io.ReadAll(req.Body)
		if err := json.Unmarshal(got.body, &got.event); err != nil {
			t.Error(err)
		}
		select {
		case code := <-r.answer:
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(code)
		default:
		}
		r.came <- got
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) next(t *testing.T) request {
	t.Helper()
	select {
	case got := <-r.came:
		return got
	case <-time.After(wait):
		t.Fatal("no notice came")
		return request{}
	}
}

// verify checks a signature as the specification of Standard Webhooks says, and not
// with the library that made it.
func (got request) verify(t *testing.T, secret seal.Secret) {
	t.Helper()
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(string(secret), "whsec_"))
	must(t, err)
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(got.id + "." + got.at + "."))
	mac.Write(got.body)
	if want := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil)); got.signature != want {
		t.Errorf("%s is signed %q, want %q", got.event.Type, got.signature, want)
	}
}

// settled waits until nothing is to be sent.
func settled(t *testing.T, r *registry.Registry, holds func([]*registry.Notice) bool) {
	t.Helper()
	for {
		changed := r.Changed()
		if holds(r.Notices()) {
			return
		}
		select {
		case <-changed:
		case <-time.After(wait):
			t.Fatalf("it never came to it: %d notices", len(r.Notices()))
		}
	}
}

func none(list []*registry.Notice) bool { return len(list) == 0 }

func told(list []*registry.Notice) bool {
	for _, n := range list {
		if !n.NextTry.IsZero() {
			return false
		}
	}
	return true
}

var stale = notice.Condition{Key: "share-stale.acme.orders", Type: "share.stale", On: "acme/orders", Detail: "it is stale", Next: "look", Link: "/#/"}

func holds(list ...notice.Condition) notice.Conditions { return notice.Conditions{Holds: list} }

// A notice that was not taken survives the process, and keeps its id.
func TestRetrySurvives(t *testing.T) {
	t.Parallel()
	w, r, secret := newWorld(t), newReceiver(t), notice.NewSecret()
	first, run, stop := w.replica(r.URL, secret)
	r.answer <- http.StatusServiceUnavailable
	must(t, first.Observe(t.Context(), holds(stale)))
	run()
	refused := r.next(t)
	stop()
	_, run, _ = w.replica(r.URL, secret)
	run()
	taken := r.next(t)
	if taken.id != refused.id || !bytes.Equal(taken.body, refused.body) || taken.event.Type != "sheetbridge.notice.share.stale" {
		t.Errorf("got %+v, want again %+v", taken, refused)
	}
	refused.verify(t, secret)
	taken.verify(t, secret)
}

// Of several replicas one tells a condition, once as long as it holds, and again when
// it comes back. What is not known is not over.
func TestOnceOverReplicas(t *testing.T) {
	t.Parallel()
	w, r, secret := newWorld(t), newReceiver(t), notice.NewSecret()
	var senders []*notice.Sender
	for range 3 {
		s, run, _ := w.replica(r.URL, secret)
		senders = append(senders, s)
		run()
	}
	observe := func(now notice.Conditions) {
		t.Helper()
		var all sync.WaitGroup
		for _, s := range senders {
			all.Go(func() {
				if err := s.Observe(t.Context(), now); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
	}
	seen := map[string]int{}
	for round := range 3 {
		observe(holds(stale))
		seen[r.next(t).id]++
		for _, s := range senders {
			settled(t, s.Registry, told)
		}
		observe(holds(stale))
		observe(notice.Conditions{Unknown: map[string]bool{stale.Key: true}})
		if n := len(senders[0].Registry.Notices()); n != 1 {
			t.Errorf("round %d: got %d notices remembered, want one while it may hold", round, n)
		}
		observe(notice.Conditions{})
		for _, s := range senders {
			settled(t, s.Registry, none)
		}
	}
	if len(seen) != 3 || len(r.came) != 0 {
		t.Errorf("got %v and %d more, want three notices once each", seen, len(r.came))
	}
}

// A partner is told at its own address, with its own secret, and that it is over.
func TestContact(t *testing.T) {
	t.Parallel()
	w, r, ours := newWorld(t), newReceiver(t), newReceiver(t)
	s, run, _ := w.replica(ours.URL, notice.NewSecret())
	must(t, s.Registry.CreatePartner(t.Context(), &registry.Partner{Name: "acme"}))
	suspended := notice.Condition{Key: notice.PartnerKey("acme", "share-suspended.orders"), Type: "share.suspended", On: "acme/orders", To: "acme"}
	must(t, s.Observe(t.Context(), holds(suspended)))
	if n := len(s.Registry.Notices()); n != 0 {
		t.Errorf("got %d notices for a partner without a contact", n)
	}
	secret, err := notice.SetContact(t.Context(), s.Registry, "acme", r.URL+"/planted-path", "")
	must(t, err)
	run()
	must(t, s.Observe(t.Context(), holds(suspended)))
	got := r.next(t)
	got.verify(t, secret)
	if got.event.Type != "sheetbridge.notice.share.suspended" || got.event.Data["link"] != "" {
		t.Errorf("got %+v, want that it is suspended, without a link into our console", got.event)
	}
	settled(t, s.Registry, told)
	over := map[string]notice.Condition{suspended.Key: {Type: "share.back", On: "acme/orders", To: "acme"}}
	must(t, s.Observe(t.Context(), notice.Conditions{Ended: over}))
	if back := r.next(t); back.event.Type != "sheetbridge.notice.share.back" || back.id == got.id {
		t.Errorf("got %+v, want that it is back", back.event)
	}
	settled(t, s.Registry, none)
	must(t, s.Observe(t.Context(), notice.Conditions{Ended: over}))
	if len(s.Registry.Notices()) != 0 || len(ours.came) != 0 {
		t.Error("what was never told is told to be over, or to somebody else")
	}
	if text := w.logs.String(); strings.Contains(text, "planted-path") || strings.Contains(text, string(secret)) {
		t.Error("the address or the secret is in the log")
	}
}

// A notice that nobody takes for a day is given up, and told of in the log without the
// address; one without a destination is dropped.
func TestGiveUp(t *testing.T) {
	t.Parallel()
	w, r := newWorld(t), newReceiver(t)
	s, run, _ := w.replica(strings.Replace(r.URL, "http://", "http://user:planted-password@", 1)+"/planted-path", notice.NewSecret())
	long := time.Now().Add(-25 * time.Hour).UTC()
	must(t, s.Registry.CreateNotice(t.Context(), &registry.Notice{Key: "old", ID: "old", Body: json.RawMessage(`{}`), Made: long, NextTry: long, Tries: 40, Once: true}))
	must(t, s.Registry.CreateNotice(t.Context(), &registry.Notice{Key: "nobody", ID: "nobody", Body: json.RawMessage(`{}`), Made: long, NextTry: long, Once: true, To: "gone"}))
	r.answer <- http.StatusInternalServerError
	run()
	r.next(t)
	settled(t, s.Registry, none)
	text := w.logs.String()
	if !strings.Contains(text, "given up") || strings.Contains(text, "planted") || strings.Contains(text, string(s.Secret)) {
		t.Errorf("got %s, want that it was given up and nothing secret", text)
	}
}

// A redirect is not followed: it could lead anywhere.
func TestRedirectIsNoAnswer(t *testing.T) {
	t.Parallel()
	w, r := newWorld(t), newReceiver(t)
	s, run, _ := w.replica(r.URL, notice.NewSecret())
	r.answer <- http.StatusTemporaryRedirect
	must(t, s.Observe(t.Context(), holds(stale)))
	run()
	first := r.next(t)
	settled(t, s.Registry, func(list []*registry.Notice) bool { return len(list) == 1 && list[0].Tries == 1 })
	if again := r.next(t); again.id != first.id { // after the wait, at the same address
		t.Errorf("got %v, want it again", again)
	}
}

// Addresses of partners must lead out of our own network, by name and when dialled.
func TestContactsLeadOutside(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s, run, _ := w.replica("", "")
	must(t, s.Registry.CreatePartner(t.Context(), &registry.Partner{Name: "acme"}))
	for _, wrong := range []string{"", "hooks.b.example", "http://hooks.b.example/", "ftp://b.example", "https://", "https://b.example/#x", "http://127.0.0.1.b.example/"} {
		if _, err := notice.SetContact(t.Context(), s.Registry, "acme", wrong, ""); err == nil {
			t.Errorf("%q was taken", wrong)
		}
	}
	_, err := notice.SetContact(t.Context(), s.Registry, "acme", "https://10.1.2.3/hook", "")
	must(t, err)
	must(t, s.Send(t.Context(), notice.Condition{Key: "x", Type: "share.suspended", To: "acme"}))
	run()
	settled(t, s.Registry, func(list []*registry.Notice) bool { return len(list) == 1 && list[0].Tries > 0 })
	deadline := time.After(wait)
	for !strings.Contains(w.logs.String(), "must not be in our own network") {
		select {
		case <-deadline:
			t.Fatalf("got %s, want that it is refused", w.logs)
		case <-s.Registry.Changed():
		case <-time.After(10 * time.Millisecond):
		}
	}
}
