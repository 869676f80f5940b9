package admin_test

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"
)

// oneAccount is a NATS of somebody else's, whose people followed accounts.md as
// far as its first half: the stream and its readers share one account. It returns
// credentials for the bridge and the scoped key for readers.
func oneAccount(t *testing.T) (url, creds, signingKey string) {
	t.Helper()
	operator, system, account, signer := newKey(t, nkeys.CreateOperator), newKey(t, nkeys.CreateAccount), newKey(t, nkeys.CreateAccount), newKey(t, nkeys.CreateAccount)
	resolver := &server.MemAccResolver{}
	put := func(key nkeys.KeyPair, change func(*jwt.AccountClaims)) {
		c := jwt.NewAccountClaims(publicOf(t, key))
		change(c)
		text, err := c.Encode(operator)
		must(t, err)
		must(t, resolver.Store(c.Subject, text))
	}
	put(system, func(c *jwt.AccountClaims) { c.Name = "system" })
	put(account, func(c *jwt.AccountClaims) {
		c.Name = "acme"
		c.Limits.JetStreamLimits = jwt.JetStreamLimits{DiskStorage: 1 << 30, Streams: 1, Consumer: 64}
		role := jwt.NewUserScope()
		role.Key, role.Role = publicOf(t, signer), "partner"
		role.Template.Permissions = documentedRole(t)
		c.SigningKeys.AddScopedSigner(role)
	})
	claims := jwt.NewOperatorClaims(publicOf(t, operator))
	claims.SystemAccount = publicOf(t, system)
	_, err := claims.Encode(operator)
	must(t, err)
	srv, err := server.NewServer(&server.Options{
		ServerName: "theirs", Host: "127.0.0.1", Port: server.RANDOM_PORT, NoSigs: true, NoLog: true,
		TrustedOperators: []*jwt.OperatorClaims{claims}, SystemAccount: claims.SystemAccount, AccountResolver: resolver,
		JetStream: true, StoreDir: t.TempDir(), JetStreamMaxStore: 1 << 30, MaxPayload: 8 << 20,
	})
	must(t, err)
	srv.Start()
	t.Cleanup(func() { srv.Shutdown(); srv.WaitForShutdown() })
	if !srv.ReadyForConnections(10 * time.Second) {
		t.Fatal("the other NATS does not start")
	}
	user := newKey(t, nkeys.CreateUser)
	text, err := jwt.NewUserClaims(publicOf(t, user)).Encode(account)
	must(t, err)
	file, err := jwt.FormatUserConfig(text, seedFrom(t, user))
	must(t, err)
	return srv.ClientURL(), string(file), string(seedFrom(t, signer))
}

// documentedRole is what accounts.md tells to let a partner's users do.
func documentedRole(t *testing.T) (p jwt.Permissions) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "deploy", "nats", "accounts.md"))
	must(t, err)
	blocks := regexp.MustCompile(`(?s)    publish(.*?)\n    subscribe(.*?)\n\n`).FindAllStringSubmatch(string(text), -1)
	if len(blocks) != 2 {
		t.Fatalf("got %d lists of permissions, want the bridge's and the partner's", len(blocks))
	}
	split := func(list string) []string { return strings.Fields(strings.ReplaceAll(list, ",", " ")) }
	p.Pub.Allow, p.Sub.Allow = split(blocks[1][1]), split(blocks[1][2])
	return p
}

func newKey(t *testing.T, create func() (nkeys.KeyPair, error)) nkeys.KeyPair {
	t.Helper()
	key, err := create()
	must(t, err)
	return key
}

func publicOf(t *testing.T, key nkeys.KeyPair) string {
	t.Helper()
	public, err := key.PublicKey()
	must(t, err)
	return public
}

func seedFrom(t *testing.T, key nkeys.KeyPair) []byte {
	t.Helper()
	seed, err := key.Seed()
	must(t, err)
	return seed
}

// TestReadersThatForge: where readers are in the account of the stream, making
// credentials for them says so, and leaves nothing of the try; the doctor warns
// from then on.
func TestReadersThatForge(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{external: true})
	url, creds, key := oneAccount(t)
	made := w.ok(201, "POST", "/v1/partners",
		`{"name":"acme","nats":{"url":"`+url+`","credentials":"`+strings.ReplaceAll(creds, "\n", `\n`)+`","signingKey":"`+key+`"}}`)
	bridge, err := nats.Connect(url, nats.UserCredentialBytes([]byte(creds)))
	must(t, err)
	defer bridge.Close()
	clean := func(when string) {
		t.Helper()
		if left := storedUnder(t, bridge, "smartsheet.acme.check.>"); len(left) > 0 {
			t.Errorf("%s: what was tried with the credentials is stored: %v", when, left)
		}
	}
	clean("made")
	if !w.registry.Partner("acme").External.ReadersForge {
		t.Error("it is not noted that readers can write to the stream")
	}
	warned := func() bool {
		r, _ := w.examined() // a partner has several lines
		for _, c := range r.at("items").([]any) {
			c := c.(map[string]any)
			if c["name"] == "acme" && c["level"] == "warning" && strings.Contains(c["detail"].(string), "can have messages stored there") {
				return true
			}
		}
		t.Log(r.text)
		return false
	}
	if !warned() {
		t.Error("the doctor does not warn")
	}
	w.ok(201, "POST", "/v1/partners/acme/credentials", `{"name":"erp"}`)
	clean("another made")
	if !warned() {
		t.Error("the doctor does not warn any more")
	}

	// The warning is right: the credentials that the bridge handed out do forge.
	reader, err := nats.Connect(url, nats.UserCredentialBytes([]byte(made.text1("credentials"))))
	must(t, err)
	defer reader.Close()
	must(t, errors.Join(reader.PublishRequest("$JS.API.STREAM.INFO.EVENTS", "smartsheet.acme.check.it", nil), reader.Flush()))
	for range 200 {
		if len(storedUnder(t, bridge, "smartsheet.acme.check.it")) > 0 {
			return
		}
	}
	t.Error("the credentials cannot forge, so the test is of something else")
}
