package admin_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/events/broker"
	"github.com/sheetbridge/sheetbridge/events/seal"
	"github.com/sheetbridge/sheetbridge/webhook/registry"
)

// lender is a NATS whose operator lends us a signing key of the account.
func lender(t *testing.T, name string) (url, creds string, account broker.Account) {
	t.Helper()
	b, err := broker.Start(t.Context(), broker.Options{Dir: t.TempDir(), Master: seal.NewMasterKey(), Listen: "127.0.0.1:0"})
	must(t, err)
	t.Cleanup(func() { must(t, b.Close(context.WithoutCancel(t.Context()))) })
	account, err = broker.NewAccount(name)
	must(t, err)
	must(t, b.PutAccount(t.Context(), name, account))
	creds, err = fullCredentials(account)
	must(t, err)
	return b.URL(), creds, account
}

func TestLentSigningKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{external: true})
	url, creds, account := lender(t, "acme")
	_, _, stranger := lender(t, "acme")
	body := func(name, key string) string {
		return `{"name":"` + name + `","nats":{"url":"` + url + `","credentials":"` + strings.ReplaceAll(creds, "\n", `\n`) + `","signingKey":"` + key + `","signingAccount":"` + account.PublicKey + `"}}`
	}
	const field = "body.nats.signingKey"
	w.refused(422, field, "SA", "POST", "/v1/partners", body("acme", "planted-secret"))
	w.refused(422, field, "own key", "POST", "/v1/partners", body("acme", string(account.Seed)))
	w.refused(422, field, "no partner's", "POST", "/v1/partners", body("acme", string(stranger.SigningSeed)))
	if got := w.registry.Partners(); len(got) != 0 {
		t.Fatalf("got %d partners, want none stored", len(got))
	}
	noStream(t, url, creds)
	made := w.ok(201, "POST", "/v1/partners", body("acme", string(account.SigningSeed)))
	login := func(creds string) error {
		nc, err := nats.Connect(url, nats.UserCredentialBytes([]byte(creds)))
		if err == nil {
			nc.Close()
		}
		return err
	}
	first := made.text1("credentials")
	if err := login(first); err != nil {
		t.Errorf("the first credentials: %v", err)
	}
	const path = "/v1/partners/acme/credentials"
	soon := time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
	erp := w.ok(201, "POST", path, `{"name":"erp","expiresAt":"`+soon+`"}`)
	if err := login(erp.text1("credentials")); err != nil || erp.text1("expiresAt") != soon {
		t.Errorf("got %s, error %v, want it to expire at %s", erp.text1("expiresAt"), err, soon)
	}
	if at, err := time.Parse(time.RFC3339, w.ok(200, "GET", path, "").text1("items", 0, "expiresAt")); err != nil || time.Until(at) > lentMost {
		t.Errorf("got the first ones until %v, error %v, want 90 days at most", at, err)
	}
	w.refused(409, "", "choose another name", "POST", path, `{"name":"erp"}`)
	w.refused(422, "body.expiresAt", "90 days", "POST", path, `{"name":"bi","expiresAt":"2099-01-01T00:00:00Z"}`)
	w.refused(422, "body.leaf", "another NATS", "POST", path, `{"name":"mirror","leaf":true}`)
	w.refused(409, "", "revoke user U", "DELETE", path+"/erp", "")
	w.refused(404, "", "no credentials", "DELETE", path+"/bi", "")
	w.expire("acme", "erp")
	w.ok(204, "DELETE", path+"/erp", "")
	w.silent(seedOf(creds), seedOf(first), string(account.SigningSeed), string(account.Seed), "planted")
	stored := w.registry.Partner("acme")
	if stored.External.ReadersForge {
		t.Error("readers that live apart are said to write to the stream")
	}
	nc, err := nats.Connect(url, nats.UserCredentialBytes([]byte(creds)))
	must(t, err)
	defer nc.Close()
	if left := storedUnder(t, nc, "smartsheet.acme.check.>"); len(left) > 0 {
		t.Errorf("what was tried with the credentials is stored: %v", left)
	}
	if strings.Contains(string(stored.External.SigningSeed), string(account.SigningSeed)) {
		t.Error("the signing key is stored in the clear")
	}
}

// storedUnder are the subjects below one that have messages in the stream.
func storedUnder(t *testing.T, nc *nats.Conn, subjects string) map[string]uint64 {
	t.Helper()
	js, err := jetstream.New(nc)
	must(t, err)
	st, err := js.Stream(t.Context(), events.StreamName)
	must(t, err)
	info, err := st.Info(t.Context(), jetstream.WithSubjectFilter(subjects))
	must(t, err)
	return info.State.Subjects
}

// noStream sees that a refused partner has left nothing in its account.
func noStream(t *testing.T, url, creds string) {
	t.Helper()
	nc, err := nats.Connect(url, nats.UserCredentialBytes([]byte(creds)))
	must(t, err)
	defer nc.Close()
	js, err := jetstream.New(nc)
	must(t, err)
	if _, err := js.Stream(t.Context(), events.StreamName); !errors.Is(err, jetstream.ErrStreamNotFound) {
		t.Errorf("got %v, want no stream left there", err)
	}
}

const lentMost = 90 * 24 * time.Hour

// expire lets credentials be past their time.
func (w *world) expire(partner, name string) {
	w.t.Helper()
	past := time.Now().Add(-time.Hour)
	must(w.t, w.registry.UpdatePartner(w.t.Context(), partner, func(p *registry.Partner) error {
		for i := range p.Credentials {
			if p.Credentials[i].Name == name {
				p.Credentials[i].ExpiresAt = &past
			}
		}
		return nil
	}))
}

// Credentials with which the bridge could not do its work are refused at once,
// with what they lack.
func TestExternalCredentialsThatLack(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{external: true})
	url, _, account := lender(t, "acme")
	for denied, words := range map[string]string{
		"smartsheet.>":                "publish smartsheet.acme.>",
		"$JS.API.DIRECT.GET.EVENTS":   "$JS.API.DIRECT.GET.EVENTS",
		"$JS.API.STREAM.PURGE.EVENTS": "$JS.API.STREAM.PURGE.EVENTS",
	} {
		creds, err := fullCredentials(account, denied)
		must(t, err)
		w.refused(422, "body.nats", words, "POST", "/v1/partners",
			`{"name":"acme","nats":{"url":"`+url+`","credentials":"`+strings.ReplaceAll(creds, "\n", `\n`)+`"}}`)
	}
	full, err := fullCredentials(account)
	must(t, err)
	noStream(t, url, full)
	if got := w.registry.Partners(); len(got) != 0 {
		t.Errorf("got %d partners, want none stored", len(got))
	}
}
