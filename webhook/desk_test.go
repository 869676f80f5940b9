package webhook_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/sheetbridge/sheetbridge/smartsheet"
	"github.com/sheetbridge/sheetbridge/smartsheet/smartsheettest"
	"github.com/sheetbridge/sheetbridge/webhook/inbox"
	"github.com/sheetbridge/sheetbridge/webhook/registry"
	"github.com/sheetbridge/sheetbridge/webhook/webhooktest"
)

const (
	webhookID = 8444254503626628
	secret    = "216ejjzdnq17mq1q8xs7d4hu8b"
	oldSecret = "9zq17mq1q8xs7d4hu8b216ejjz"
)

// desk is a receiver with one registration, and what it has stored.
type desk struct {
	*webhooktest.Bridge
	reg     *registry.Registration
	handler http.Handler
	js      jetstream.JetStream
}

func newDesk(t testing.TB, o webhooktest.Options) *desk {
	t.Helper()
	o.NoRelay = true
	d := &desk{Bridge: webhooktest.NewBridge(t, smartsheettest.New(t), o)}
	d.Receiver.BadSignature = nil
	d.handler = d.Receiver.Handler()
	reg, err := d.Registry.NewRegistration("ops", 7)
	webhooktest.Must(t, err)
	reg.Phase, reg.WebhookID = registry.PhaseActive, webhookID
	reg.Secret = d.Sealed(secret, reg.SealName("secret"))
	reg.OldSecret, reg.OldUntil = d.Sealed(oldSecret, reg.SealName("secret")), time.Now().Add(time.Hour)
	webhooktest.Must(t, d.Registry.CreateRegistration(t.Context(), reg))
	d.reg = d.Registry.Registration(reg.ID)
	d.js, err = jetstream.New(d.Broker.Bridge())
	webhooktest.Must(t, err)
	return d
}

// request is a callback with a body, signed.
func (d *desk) request(body string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, d.path(), strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set(smartsheet.HeaderSignature, smartsheet.Sign(secret, []byte(body)))
	return r
}

func (d *desk) path() string { return registry.CallbackPath + string(d.reg.CallbackKey()) }

func (d *desk) answer(r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	d.handler.ServeHTTP(w, r)
	return w
}

// hints takes all that was stored since it was last asked.
func (d *desk) hints() []inbox.Hint {
	d.T.Helper()
	stream, err := d.js.Stream(d.T.Context(), inbox.StreamName)
	webhooktest.Must(d.T, err)
	var list []inbox.Hint
	if stream.CachedInfo().State.Msgs == 0 {
		return nil
	}
	for seq := stream.CachedInfo().State.FirstSeq; seq <= stream.CachedInfo().State.LastSeq; seq++ {
		m, err := stream.GetMsg(d.T.Context(), seq)
		webhooktest.Must(d.T, err)
		hints, err := inbox.ParseBundle(m.Data)
		webhooktest.Must(d.T, err)
		for _, h := range hints {
			h.ReceivedAt, h.ChangedAt = time.Time{}, time.Time{}
			list = append(list, *h)
		}
	}
	webhooktest.Must(d.T, stream.Purge(d.T.Context()))
	return list
}

func event(fields string) string {
	return fmt.Sprintf(`{"nonce":"n","webhookId":%d,"scope":"sheet","scopeObjectId":7,"events":[%s]}`, webhookID, fields)
}

const rowUpdated = `{"objectType":"row","eventType":"updated","id":71}`

func challenge(header string, body string) func(*desk) *http.Request {
	return func(d *desk) *http.Request {
		r := httptest.NewRequest(http.MethodPost, d.path(), strings.NewReader(body))
		if header != "" {
			r.Header.Set(smartsheet.HeaderChallenge, header)
		}
		return r
	}
}

func post(body string) func(*desk) *http.Request {
	return func(d *desk) *http.Request { return d.request(body) }
}

func signedWith(secret, body string, change func(string) string) func(*desk) *http.Request {
	return func(d *desk) *http.Request {
		r := d.request(body)
		r.Header.Set(smartsheet.HeaderSignature, change(smartsheet.Sign(secret, []byte(body))))
		return r
	}
}

func same(s string) string { return s }

func method(m string) func(*desk) *http.Request {
	return func(d *desk) *http.Request {
		r := d.request(event(rowUpdated))
		r.Method = m
		return r
	}
}

func to(path string) func(*desk) *http.Request {
	return func(d *desk) *http.Request {
		r := d.request(event(rowUpdated))
		r.URL.Path = strings.ReplaceAll(path, "{key}", string(d.reg.CallbackKey()))
		return r
	}
}
