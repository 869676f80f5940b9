package admin_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nkeys"

	"github.com/sheetbridge/sheetbridge/events/broker"
	"github.com/sheetbridge/sheetbridge/events/seal"
	"github.com/sheetbridge/sheetbridge/webhook/registry"
)

func TestPartners(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{})
	if r := w.ok(200, "GET", "/v1/partners", ""); r.text != "{\"items\":[]}\n" {
		t.Errorf("got %q, want an empty list", r.text)
	}
	made := w.ok(201, "POST", "/v1/partners", `{"name":"acme"}`)
	for field, want := range map[string]string{"name": "acme", "url": w.broker.URL(), "stream": "EVENTS", "subjects": "smartsheet.acme.>"} {
		if got := made.text1(field); got != want {
			t.Errorf("%s: got %q, want %q", field, got, want)
		}
	}
	creds := made.text1("credentials")
	nc, err := w.login(creds)
	must(t, err)
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	must(t, err)
	if _, err := js.Stream(t.Context(), "EVENTS"); err != nil {
		t.Errorf("got %v, want the stream read with the credentials", err)
	}
	w.refused(409, "body.name", "choose another name", "POST", "/v1/partners", `{"name":"acme"}`)
	w.refused(422, "body.name", "a-z, 0-9 and -", "POST", "/v1/partners", `{"name":"Acme Inc."}`)
	w.refused(404, "", "there is no partner", "GET", "/v1/partners/nobody", "")
	one, all := w.ok(200, "GET", "/v1/partners/acme", ""), w.ok(200, "GET", "/v1/partners", "")
	if one.text1("url") != w.broker.URL() || all.text1("items", 0, "name") != "acme" {
		t.Errorf("got %s and %s, want acme", one.text, all.text)
	}
	stored := w.registry.Partner("acme")
	if key, err := w.registry.Sealer().Open(stored.MaskKey, stored.SealName("maskKey")); err != nil || len(key) != 32 {
		t.Errorf("got a mask key of %d bytes, %v", len(key), err)
	}
	account, err := w.api.Partners.Account(stored)
	must(t, err)
	w.silent(seedOf(creds), string(account.Seed), string(account.SigningSeed), string(account.StorageSeed))
}

// seedOf is the secret in credentials.
func seedOf(creds string) string {
	for line := range strings.Lines(creds) {
		if strings.HasPrefix(line, "SU") {
			return strings.TrimSpace(line)
		}
	}
	return "no seed in the credentials"
}

func TestCredentials(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{})
	first := w.partner("acme")
	const path = "/v1/partners/acme/credentials"
	made := w.ok(201, "POST", path, `{"name":"erp"}`)
	erp := made.text1("credentials")
	if made.text1("name") != "erp" {
		t.Errorf("got %s, want it named", made.text)
	}
	old := w.connected(erp)
	again := w.ok(201, "POST", path, `{"name":"erp","expiresAt":"2099-01-01T00:00:00Z"}`)
	w.closes(old)
	w.wantRefused(erp)
	erp2 := again.text1("credentials")
	now := w.connected(erp2)
	listed := w.ok(200, "GET", path, "")
	if listed.text1("items", 0, "name") != "default" || listed.text1("items", 1, "expiresAt") != "2099-01-01T00:00:00Z" || len(listed.at("items").([]any)) != 2 {
		t.Errorf("got %s, want default and erp", listed.text)
	}
	w.ok(204, "DELETE", path+"/erp", "")
	w.closes(now)
	w.wantRefused(erp2)
	w.connected(first).Close()
	w.refused(404, "", "has no credentials", "DELETE", path+"/erp", "")
	w.refused(404, "", "there is no partner", "POST", "/v1/partners/nobody/credentials", `{"name":"erp"}`)
	w.refused(404, "", "there is no partner", "GET", "/v1/partners/nobody/credentials", "")
	w.refused(404, "", "there is no partner", "DELETE", "/v1/partners/nobody/credentials/erp", "")
	w.refused(422, "body.name", "a-z, 0-9 and -", "POST", path, `{"name":"ERP!"}`)
	w.refused(422, "body.expiresAt", "in the past", "POST", path, `{"name":"erp","expiresAt":"2001-01-01T00:00:00Z"}`)
	w.refused(422, "body.expiresAt", "RFC 3339", "POST", path, `{"name":"erp","expiresAt":"tomorrow"}`)
	w.silent(seedOf(first), seedOf(erp), seedOf(erp2))
}

// TestCredentialsEndInAYear: credentials do not last for ever unless somebody says
// so.
func TestCredentialsEndInAYear(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{})
	w.partner("acme")
	const path = "/v1/partners/acme/credentials"
	year := func(text string) {
		t.Helper()
		at, err := time.Parse(time.RFC3339, text)
		if left := time.Until(at); err != nil || left < 364*24*time.Hour || left > 366*24*time.Hour {
			t.Errorf("got %q, want in a year", text)
		}
	}
	year(w.ok(201, "POST", path, `{"name":"erp"}`).text1("expiresAt"))
	year(w.ok(200, "GET", path, "").text1("items", 0, "expiresAt")) // those that came with the partner
	made := w.ok(201, "POST", path, `{"name":"box","expiresAt":null}`)
	if made.at("expiresAt") != nil {
		t.Errorf("got %s, want credentials that never expire", made.text)
	}
	claims, err := jwt.ParseDecoratedJWT([]byte(made.text1("credentials")))
	must(t, err)
	user, err := jwt.DecodeUserClaims(claims)
	must(t, err)
	if user.Expires != 0 {
		t.Errorf("got a user that expires at %d, want never", user.Expires)
	}
	w.refused(422, "body.name", "null", "POST", path, `{"name":null}`)
}

// TestOverlap: who rotates credentials can have the old ones go on for a while.
func TestOverlap(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{})
	w.partner("acme")
	const path = "/v1/partners/acme/credentials"
	first := w.ok(201, "POST", path, `{"name":"erp"}`).text1("credentials")
	old := w.connected(first)
	second := w.ok(201, "POST", path, `{"name":"erp","overlap":"1h"}`).text1("credentials")
	w.connected(second)
	w.connected(first)
	if old.IsClosed() {
		t.Error("a connection with replaced credentials was closed before their overlap was over")
	}
	listed := w.ok(200, "GET", path, "")
	if listed.text1("items", 1, "overlapUntil") == "" || listed.at("items", 2, "overlapUntil") != nil {
		t.Errorf("got %s, want that the second ends soon", listed.text)
	}
	must(t, w.registry.UpdatePartner(t.Context(), "acme", func(p *registry.Partner) error {
		over := time.Now().Add(-time.Second)
		p.Credentials[1].OverlapUntil = &over
		return nil
	}))
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { _ = w.api.Accounts.Run(ctx) })
	w.closes(old)
	stop()
	running.Wait()
	w.wantRefused(first)
	w.connected(second)
	third := w.ok(201, "POST", path, `{"name":"erp","overlap":"1h"}`).text1("credentials")
	w.ok(204, "DELETE", path+"/erp", "") // takes those in an overlap along
	w.wantRefused(second)
	w.wantRefused(third)
	for _, overlap := range []string{"-1h", "tomorrow", "2161h"} {
		w.refused(422, "body.overlap", "2160h", "POST", path, `{"name":"erp","overlap":"`+overlap+`"}`)
	}
}

// TestPublicKey: a partner that makes its key is let in without a secret from us.
func TestPublicKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{})
	w.partner("acme")
	const path = "/v1/partners/acme/credentials"
	kp, err := nkeys.CreateUser()
	must(t, err)
	public, err := kp.PublicKey()
	must(t, err)
	seed, err := kp.Seed()
	must(t, err)
	made := w.ok(201, "POST", path, `{"name":"erp","publicKey":"`+public+`"}`)
	if strings.Contains(made.text, "SU") && made.at("credentials") != nil || made.text1("publicKey") != public {
		t.Errorf("got %s, want no secret", made.text)
	}
	creds, err := jwt.FormatUserConfig(made.text1("jwt"), seed)
	must(t, err)
	nc := w.connected(string(creds))
	js, err := jetstream.New(nc)
	must(t, err)
	if _, err := js.Stream(t.Context(), "EVENTS"); err != nil {
		t.Errorf("got %v, want the stream read with a key of the partner's own", err)
	}
	w.refused(422, "body.publicKey", "new key", "POST", path, `{"name":"other","publicKey":"`+public+`"}`)
	w.ok(204, "DELETE", path+"/erp", "")
	w.closes(nc)
	w.refused(422, "body.publicKey", "new key", "POST", path, `{"name":"erp","publicKey":"`+public+`"}`)
	for _, key := range []string{w.registry.Partner("acme").Account.PublicKey, "UABC", string(seed)} {
		r := w.send(writer, "POST", path, `{"name":"bad","publicKey":"`+key+`"}`)
		r.refused(422, "body.publicKey", "begins with U")
		if strings.Contains(r.text, key) {
			t.Errorf("the answer repeats what was sent: %s", r.text)
		}
	}
}

// TestSources: credentials work from the networks that a partner has named.
func TestSources(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{})
	creds := w.partner("acme")
	nc := w.connected(creds)
	const path = "/v1/partners/acme"
	changed := w.ok(200, "PATCH", path, `{"sources":["203.0.113.77/24","2001:db8::1"]}`)
	if changed.text1("sources", 0) != "203.0.113.0/24" || changed.text1("sources", 1) != "2001:db8::1/128" {
		t.Errorf("got %s, want the networks", changed.text)
	}
	w.closes(nc)
	w.wantRefused(creds)
	w.ok(200, "PATCH", path, `{"sources":["203.0.113.0/24","127.0.0.0/8"]}`)
	nc = w.connected(creds)
	w.ok(200, "PATCH", path, `{"history":8}`) // leaves sources, and the connection, as they are
	must(t, nc.Flush())
	if got := w.ok(200, "PATCH", path, `{"sources":[]}`).at("sources"); got != nil {
		t.Errorf("got sources %v, want none", got)
	}
	w.connected(creds)
	w.refused(422, "body.sources[1]", "203.0.113.0/24", "PATCH", path, `{"sources":["10.0.0.0/8","everywhere"]}`)
	w.refused(422, "body.sources", "null", "PATCH", path, `{"sources":null}`)
}

func (w *world) connected(creds string) *nats.Conn {
	w.t.Helper()
	nc, err := w.login(creds)
	must(w.t, err)
	w.t.Cleanup(nc.Close)
	return nc
}

// closes waits until the server has closed the connection.
func (w *world) closes(nc *nats.Conn) {
	w.t.Helper()
	closed := nc.StatusChanged(nats.CLOSED)
	if nc.IsClosed() {
		return
	}
	select {
	case <-closed:
	case <-time.After(10 * time.Second):
		w.t.Error("the connection is open still")
	}
}

func (w *world) wantRefused(creds string) {
	w.t.Helper()
	if nc, err := w.login(creds); err == nil {
		nc.Close()
		w.t.Error("got in, want refused")
	}
}

func TestDeletePartner(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{})
	w.relays()
	w.owner()
	creds := w.partner("acme")
	w.partner("globex")
	id := w.ok(201, "POST", "/v1/webhooks", w.request(share+`,`+strings.ReplaceAll(share, "acme", "globex"))).text1("id")
	w.settle()
	nc := w.connected(creds)
	public := w.registry.Partner("acme").Account.PublicKey
	w.ok(204, "DELETE", "/v1/partners/acme", "")
	w.closes(nc)
	w.wantRefused(creds)
	shares := w.ok(200, "GET", "/v1/webhooks/"+id, "").at("shares").([]any)
	if len(shares) != 1 || shares[0].(map[string]any)["partner"] != "globex" {
		t.Errorf("got shares %v, want globex's alone", shares)
	}
	w.refused(404, "", "there is no partner", "DELETE", "/v1/partners/acme", "")
	w.refused(422, "body.shares[0].partner", "POST /v1/partners", "POST", "/v1/webhooks", w.request(share))
	w.partner("acme")
	if w.registry.Partner("acme").Account.PublicKey == public {
		t.Error("got the old account, want a new one")
	}
	w.wantRefused(creds)
}

// A partner whose account is gone already is removed all the same.
func TestDeletePartnerAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{})
	w.partner("acme")
	account := w.registry.Partner("acme").Account
	must(t, w.broker.DeleteAccount(t.Context(), broker.Account{PublicKey: account.PublicKey, StorageKey: account.StorageKey}))
	w.ok(204, "DELETE", "/v1/partners/acme", "")
	w.refused(404, "", "there is no partner", "GET", "/v1/partners/acme", "")
}

// Where the store has no room for another partner, nothing of it stays.
func TestNoRoomForPartner(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{store: 3 << 29})
	w.partner("acme")
	w.refused(502, "", "bytes left", "POST", "/v1/partners", `{"name":"globex"}`)
	if w.registry.Partner("globex") != nil {
		t.Error("got globex stored, want it undone")
	}
	w.ok(204, "DELETE", "/v1/partners/acme", "")
	w.partner("globex")
}

// other is another company's NATS, with credentials of an account in it.
func other(t *testing.T) (url, creds string) {
	t.Helper()
	b, err := broker.Start(t.Context(), broker.Options{Dir: t.TempDir(), Master: seal.NewMasterKey(), Listen: "127.0.0.1:0", MaxStore: 8 << 30})
	must(t, err)
	t.Cleanup(func() { must(t, b.Close(context.WithoutCancel(t.Context()))) })
	account, err := broker.NewAccount("theirs")
	must(t, err)
	must(t, b.PutAccount(t.Context(), "theirs", account))
	creds, err = fullCredentials(account)
	must(t, err)
	return b.URL(), creds
}

func TestExternalPartner(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{external: true})
	url, creds := other(t)
	body := func(url, creds string) string {
		return `{"name":"acme","nats":{"url":"` + url + `","credentials":"` + strings.ReplaceAll(creds, "\n", `\n`) + `"}}`
	}
	w.refused(422, "body.nats", "SHEETBRIDGE_NATS_URL", "POST", "/v1/partners", `{"name":"acme"}`)
	w.refused(422, "body.nats", "user or password", "POST", "/v1/partners", body(strings.Replace(url, "//", "//planted:secret@", 1), creds))
	w.refused(422, "body.nats", ".creds file", "POST", "/v1/partners", body(url, "planted-secret"))
	w.refused(422, "body.nats", "refused", "POST", "/v1/partners", body("nats://127.0.0.1:1", creds))
	w.refused(422, "body.nats.credentials", "is required", "POST", "/v1/partners", `{"name":"acme","nats":{"url":"`+url+`"}}`)
	if got := w.registry.Partners(); len(got) != 0 {
		t.Fatalf("got %d partners, want none stored", len(got))
	}
	made := w.ok(201, "POST", "/v1/partners", body(url, creds))
	if made.text1("url") != url || made.at("external") != true || made.at("credentials") != nil {
		t.Errorf("got %s, want it at its own NATS, without credentials", made.text)
	}
	w.refused(409, "", "make and revoke its credentials there", "POST", "/v1/partners/acme/credentials", `{"name":"erp"}`)
	w.refused(409, "", "make and revoke its credentials there", "DELETE", "/v1/partners/acme/credentials/erp", "")
	if r := w.ok(200, "GET", "/v1/partners/acme/credentials", ""); r.text != "{\"items\":[]}\n" {
		t.Errorf("got %s, want no credentials", r.text)
	}
	js := theirs(t, url, creds)
	if _, err := js.Stream(t.Context(), "EVENTS"); err != nil {
		t.Errorf("got %v, want the stream made there", err)
	}
	// A second partner in the same account would take the stream over.
	w.refused(422, "body.nats", "an account of its own", "POST", "/v1/partners", strings.Replace(body(url, creds), "acme", "globex", 1))
	w.ok(204, "DELETE", "/v1/partners/acme", "")
	if _, err := js.Stream(t.Context(), "EVENTS"); err == nil {
		t.Error("got the stream still, want it removed")
	}
	w.silent(seedOf(creds), "planted")
}

// fullCredentials are of a user that may do everything in the account of the
// stream but publish what is denied.
func fullCredentials(account broker.Account, denied ...string) (string, error) {
	signer, err := nkeys.FromSeed([]byte(account.StorageSeed))
	if err != nil {
		return "", err
	}
	user, err := nkeys.CreateUser()
	if err != nil {
		return "", err
	}
	public, err := user.PublicKey()
	if err != nil {
		return "", err
	}
	seed, err := user.Seed()
	if err != nil {
		return "", err
	}
	claims := jwt.NewUserClaims(public)
	claims.Pub.Deny.Add(denied...)
	text, err := claims.Encode(signer)
	if err != nil {
		return "", err
	}
	creds, err := jwt.FormatUserConfig(text, seed)
	return string(creds), err
}

func theirs(t *testing.T, url, creds string) jetstream.JetStream {
	t.Helper()
	nc, err := nats.Connect(url, nats.UserCredentialBytes([]byte(creds)))
	must(t, err)
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	must(t, err)
	return js
}
