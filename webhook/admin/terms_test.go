package admin_test

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/sheetbridge/sheetbridge/smartsheet/smartsheettest"
)

// terms are those in an answer, as JSON.
func (r reply) terms() string {
	r.t.Helper()
	text, err := json.Marshal(map[string]any{"limits": r.body["limits"], "history": r.body["history"], "tombstones": r.body["tombstones"]})
	must(r.t, err)
	return string(text)
}

func TestTermsOfPartners(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{})
	const defaults = `{"history":32,"limits":{"ackPending":5000,"connections":16,"consumers":64,"leafNodes":4,"payload":"512KiB","requests":100,"storage":"1GiB","subscriptions":256,"unread":"16MiB","waiting":512},"tombstones":"720h0m0s"}`
	if got := w.ok(201, "POST", "/v1/partners", `{"name":"acme"}`).terms(); got != defaults {
		t.Errorf("got %s, want %s", got, defaults)
	}
	made := w.ok(201, "POST", "/v1/partners", `{"name":"globex","history":4,"tombstones":"48h","limits":{"storage":"2GiB","consumers":1,"connections":2,"payload":"64KiB","waiting":8,"ackPending":9,"requests":20,"unread":"32MiB","subscriptions":7,"leafNodes":1}}`)
	const asked = `{"history":4,"limits":{"ackPending":9,"connections":2,"consumers":1,"leafNodes":1,"payload":"64KiB","requests":20,"storage":"2GiB","subscriptions":7,"unread":"32MiB","waiting":8},"tombstones":"48h0m0s"}`
	if got := made.terms(); got != asked {
		t.Errorf("got %s, want %s", got, asked)
	}
	nc := w.connected(made.text1("credentials"))
	js, err := jetstream.New(nc)
	must(t, err)
	wantHistory(t, js, 4)
	if _, err := js.CreateConsumer(t.Context(), "EVENTS", jetstream.ConsumerConfig{Durable: "one"}); err != nil {
		t.Errorf("the first consumer: %v", err)
	}
	if _, err := js.CreateConsumer(t.Context(), "EVENTS", jetstream.ConsumerConfig{Durable: "two"}); err == nil {
		t.Error("got a second consumer, want the limit")
	}

	// What is left out stays; what is changed holds at once.
	changed := w.ok(200, "PATCH", "/v1/partners/globex", `{"history":8,"limits":{"consumers":2}}`)
	want := strings.NewReplacer(`"history":4`, `"history":8`, `"consumers":1`, `"consumers":2`).Replace(asked)
	if diff := cmp.Diff(want, changed.terms()); diff != "" {
		t.Errorf("changed (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want, w.ok(200, "GET", "/v1/partners/globex", "").terms()); diff != "" {
		t.Errorf("read (-want +got):\n%s", diff)
	}
	wantHistory(t, js, 8)
	if _, err := js.CreateConsumer(t.Context(), "EVENTS", jetstream.ConsumerConfig{Durable: "two"}); err != nil {
		t.Errorf("the second consumer: %v", err)
	}
	if got := w.ok(200, "GET", "/v1/partners/acme", "").terms(); got != defaults {
		t.Errorf("the other partner: got %s, want %s", got, defaults)
	}
}

func wantHistory(t *testing.T, js jetstream.JetStream, want int64) {
	t.Helper()
	s, err := js.Stream(t.Context(), "EVENTS")
	must(t, err)
	if got := s.CachedInfo().Config.MaxMsgsPerSubject; got != want {
		t.Errorf("got %d messages of a subject kept, want %d", got, want)
	}
}

func TestTermsThatCannotBe(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{})
	w.partner("acme")
	for body, field := range map[string]string{
		`{"history":0}`:                     "body.history",
		`{"history":1001}`:                  "body.history",
		`{"tombstones":"a month"}`:          "body.tombstones",
		`{"tombstones":"59m"}`:              "body.tombstones",
		`{"limits":{"storage":"1KiB"}}`:     "body.limits.storage",
		`{"limits":{"storage":"-1GiB"}}`:    "body.limits.storage",
		`{"limits":{"storage":"99999TiB"}}`: "body.limits.storage",
		`{"limits":{"storage":"1 gig"}}`:    "body.limits.storage",
		`{"limits":{"payload":"16MiB"}}`:    "body.limits.payload",
		`{"limits":{"consumers":0}}`:        "body.limits.consumers",
		`{"limits":{"connections":-1}}`:     "body.limits.connections",
	} {
		w.refused(422, field, "", "PATCH", "/v1/partners/acme", body)
		w.refused(422, field, "", "POST", "/v1/partners", `{"name":"globex",`+body[1:])
	}
	w.refused(404, "", "there is no partner", "PATCH", "/v1/partners/globex", `{}`)
	if r := w.send(reader, "PATCH", "/v1/partners/acme", `{"history":1}`); r.status != 403 {
		t.Errorf("read-only: got %d, want 403", r.status)
	}
	url, creds := other(t)
	w.ok(201, "POST", "/v1/partners", `{"name":"far","history":5,"nats":{"url":"`+url+`","credentials":"`+strings.ReplaceAll(creds, "\n", `\n`)+`"}}`)
	w.refused(422, "body.limits", "at another NATS", "PATCH", "/v1/partners/far", `{"limits":{"consumers":2}}`)
	far := w.ok(200, "PATCH", "/v1/partners/far", `{"tombstones":"100h"}`)
	if got, want := far.terms(), `{"history":5,"limits":null,"tombstones":"100h0m0s"}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// A partner whose stream is full hears nothing; the others do; and when it has
// room again it gets what it missed without anybody else doing anything.
func TestFullPartnerHeals(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{})
	w.relays()
	w.owner()
	first, second := w.partner("acme"), w.partner("globex")
	w.ok(201, "POST", "/v1/webhooks", w.request(share+`,`+strings.ReplaceAll(share, "acme", "globex")))
	w.settle()
	w.ok(200, "PATCH", "/v1/partners/acme", `{"limits":{"storage":"64KiB"}}`)
	w.settle()
	w.fill("acme")
	rows, err := w.sim.As(w.jane).AddRows(w.sheet.ID, smartsheettest.Row{Cells: smartsheettest.Cells{"No": "SO-9", "Status": "Open"}})
	must(t, err)
	row := strconv.FormatInt(rows[0], 10)
	w.event(second, "smartsheet.globex.orders.row."+row)
	js, err := jetstream.New(w.connected(first))
	must(t, err)
	s, err := js.Stream(t.Context(), "EVENTS")
	must(t, err)
	if m, err := s.GetLastMsgForSubject(t.Context(), "smartsheet.acme.orders.row."+row); err == nil {
		t.Errorf("got %s in a full stream, want nothing", m.Data)
	}
	w.ok(200, "PATCH", "/v1/partners/acme", `{"limits":{"storage":"1GiB"}}`)
	w.event(first, "smartsheet.acme.orders.row."+row)
}

// fill fills the partner's stream, as the bridge.
func (w *world) fill(partner string) {
	w.t.Helper()
	account, err := w.api.Partners.Account(w.registry.Partner(partner))
	must(w.t, err)
	nc, err := w.broker.Connect(w.t.Context(), partner, account)
	must(w.t, err)
	defer nc.Close()
	js, err := jetstream.New(nc)
	must(w.t, err)
	for _, size := range []int{8 << 10, 16} { // to the brim
		for i := 0; err == nil; i++ {
			if i == 5000 {
				w.t.Fatal("the stream takes all")
			}
			_, err = js.Publish(w.t.Context(), "smartsheet."+partner+".filler.row."+strconv.Itoa(i), make([]byte, size))
		}
		err = nil
	}
}

// event waits, as the partner, for an event on the subject.
func (w *world) event(creds, subject string) {
	w.t.Helper()
	js, err := jetstream.New(w.connected(creds))
	must(w.t, err)
	c, err := js.OrderedConsumer(w.t.Context(), "EVENTS", jetstream.OrderedConsumerConfig{FilterSubjects: []string{subject}})
	must(w.t, err)
	if _, err := c.Next(jetstream.FetchMaxWait(30 * time.Second)); err != nil {
		w.t.Fatalf("%s: %v", subject, err)
	}
}

func TestLeafCredentials(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{})
	w.partner("acme")
	made := w.ok(201, "POST", "/v1/partners/acme/credentials", `{"name":"mirror","leaf":true}`)
	w.wantRefused(made.text1("credentials")) // by the port for clients; the broker's tests copy with such
	listed := w.ok(200, "GET", "/v1/partners/acme/credentials", "")
	if listed.at("items", 0, "leaf") != false || listed.at("items", 1, "leaf") != true {
		t.Errorf("got %s, want mirror alone for a leaf", listed.text)
	}
	w.ok(204, "DELETE", "/v1/partners/acme/credentials/mirror", "")
}

// Changed terms have the partner's sheets compared now, not when the relay would
// try again.
func TestChangedTermsAreFollowedAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{})
	w.owner()
	w.partner("acme")
	w.partner("globex")
	id := w.registered() // for acme, and no relay takes its hints
	waiting := func() int {
		backlog, err := w.inbox.Backlog(t.Context())
		must(t, err)
		return backlog[id]
	}
	before := waiting()
	w.ok(200, "PATCH", "/v1/partners/globex", `{"limits":{"storage":"2GiB"}}`)
	if got := waiting(); got != before {
		t.Errorf("another partner's terms: got %d hints, want %d", got, before)
	}
	w.ok(200, "PATCH", "/v1/partners/acme", `{"limits":{"storage":"2GiB"}}`)
	if got := waiting(); got != before+1 {
		t.Errorf("got %d hints, want %d", got, before+1)
	}
}

// A partner whose stream did not answer a moment ago, for it was full, gets its
// room all the same.
func TestTermsOfAPartnerThatFailed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{})
	w.partner("acme")
	w.api.Partners.Failed("acme", context.DeadlineExceeded)
	got := w.ok(200, "PATCH", "/v1/partners/acme", `{"limits":{"storage":"2GiB"},"history":3}`)
	if got.at("limits", "storage") != "2GiB" || got.at("history") != 3.0 {
		t.Errorf("got %s, want 2GiB and 3", got.text)
	}
}
