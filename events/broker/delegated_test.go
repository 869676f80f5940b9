package broker_test

import (
	"strings"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nkeys"

	"github.com/sheetbridge/sheetbridge/events/broker"
	"github.com/sheetbridge/sheetbridge/events/seal"
)

func TestDelegatedAccount(t *testing.T) {
	b := start(t, options(t))
	p := newPartner(t, b, "acme")
	lent, err := broker.DelegatedAccount(allCreds(t, p), p.account.SigningSeed+"\n", "")
	if err != nil {
		t.Fatal(err)
	}
	creds, _, err := lent.MintUser("erp", time.Now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	login(t, b, creds)
	check := func(creds string) error {
		forged, err := broker.CheckReader(t.Context(), "acme", broker.ExternalOptions{URL: b.URL(), Creds: seal.Secret(creds)})
		if forged != "" {
			t.Errorf("%s was stored", forged)
		}
		return err
	}
	if err := check(creds); err != nil {
		t.Errorf("a partner's credentials: %v", err)
	}
	if err := check(string(allCreds(t, p))); err == nil || !strings.Contains(err.Error(), "more than read") {
		t.Errorf("got %v for credentials that may do everything, want them refused", err)
	}
	_, err = broker.CheckReader(t.Context(), "bolt", broker.ExternalOptions{URL: b.URL(), Creds: seal.Secret(creds)})
	if err == nil || !strings.Contains(err.Error(), "may not subscribe smartsheet.bolt.>") {
		t.Errorf("got %v for another partner's credentials, want them refused", err)
	}
	leaf, _, err := p.account.MintLeaf("mirror", time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	if err := check(leaf); err == nil {
		t.Error("got no error for credentials that cannot connect")
	}
}

// TestCheckReaderOfWriters checks credentials that may do a little more than read.
func TestCheckReaderOfWriters(t *testing.T) {
	b := start(t, options(t))
	p := newPartner(t, b, "acme")
	for _, subject := range []string{
		"smartsheet.acme.>", "$JS.API.STREAM.PURGE.>", "$JS.API.STREAM.MSG.DELETE.EVENTS", "$JS.API.STREAM.UPDATE.*", "sheetbridge.>",
	} {
		t.Run(subject, func(t *testing.T) {
			t.Parallel()
			creds := userCreds(t, p, "$JS.API.STREAM.INFO.EVENTS", subject)
			_, err := broker.CheckReader(t.Context(), "acme", broker.ExternalOptions{URL: b.URL(), Creds: seal.Secret(creds)})
			if err == nil || !strings.Contains(err.Error(), "more than read (publish to ") {
				t.Errorf("got %v for credentials that may publish there, want them refused", err)
			}
		})
	}
}

// TestCheckReaderForges: readers in the account of the stream can have an answer of
// JetStream stored there.
func TestCheckReaderForges(t *testing.T) {
	t.Parallel()
	b := start(t, options(t))
	p := newPartner(t, b, "acme")
	creds := userCreds(t, p, "$JS.API.STREAM.INFO.EVENTS", "$JS.API.DIRECT.GET.EVENTS.>", "$JS.API.DIRECT.GET.EVENTS")
	forged, err := broker.CheckReader(t.Context(), "acme", broker.ExternalOptions{URL: b.URL(), Creds: seal.Secret(creds)})
	if err != nil || !strings.HasPrefix(forged, "smartsheet.acme.check.") {
		t.Errorf("got %q and error %v, want the subject that was forged", forged, err)
	}
}

// userCreds are credentials of a user in the account of the partner's stream, as
// where readers do not live apart, who reads the events and may publish to these
// subjects.
func userCreds(t *testing.T, p *partner, subjects ...string) string {
	t.Helper()
	signer, err := nkeys.FromSeed([]byte(p.account.StorageSeed))
	if err != nil {
		t.Fatal(err)
	}
	user, err := nkeys.CreateUser()
	if err != nil {
		t.Fatal(err)
	}
	public, err := user.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	seed, err := user.Seed()
	if err != nil {
		t.Fatal(err)
	}
	c := jwt.NewUserClaims(public)
	c.Pub.Allow.Add(subjects...)
	c.Sub.Allow.Add("smartsheet.acme.>", "_INBOX.>")
	text, err := c.Encode(signer)
	if err != nil {
		t.Fatal(err)
	}
	creds, err := jwt.FormatUserConfig(text, seed)
	if err != nil {
		t.Fatal(err)
	}
	return string(creds)
}

func TestDelegatedAccountRefuses(t *testing.T) {
	b := start(t, options(t))
	p := newPartner(t, b, "acme")
	user, err := nkeys.CreateUser()
	if err != nil {
		t.Fatal(err)
	}
	seed, err := user.Seed()
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		creds, key seal.Secret
		want       string
	}{
		"the account's own key": {allCreds(t, p), p.account.Seed, "own key"},
		"a user's key":          {allCreds(t, p), seal.Secret(seed), "SA…"},
		"no key":                {allCreds(t, p), "hunter2", "SA…"},
		"no credentials":        {"hunter2", p.account.SigningSeed, ".creds"},
	} {
		_, err := broker.DelegatedAccount(test.creds, test.key, "")
		if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: got %v, want %q in it", name, err, test.want)
		}
	}
	// Where the stream has an account of its own, the other one is named.
	apart, err := broker.DelegatedAccount(writerCreds(t, p), p.account.SigningSeed, p.account.PublicKey)
	if err != nil || apart.PublicKey != p.account.PublicKey {
		t.Errorf("got account %s, error %v, want the readers'", apart.PublicKey, err)
	}
	if _, err := broker.DelegatedAccount(writerCreds(t, p), p.account.SigningSeed, "acme"); err == nil || !strings.Contains(err.Error(), "A…") {
		t.Errorf("got %v for what is no account's key", err)
	}
	// Credentials of a user that a signing key has signed name their account.
	mine, _ := p.mint(t, "erp")
	lent, err := broker.DelegatedAccount(seal.Secret(mine), p.account.SigningSeed, "")
	if err != nil || lent.PublicKey != p.account.PublicKey {
		t.Errorf("got account %s, error %v, want acme's", lent.PublicKey, err)
	}
}
