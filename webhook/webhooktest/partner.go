package webhooktest

import (
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nkeys"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/webhook/registry"
)

// ForeignNATS is a NATS that is not ours, with a store of its own.
func ForeignNATS(t testing.TB, dir string, port int, payload int32) *server.Server {
	t.Helper()
	s, err := server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: port, JetStream: true, StoreDir: dir, MaxPayload: payload, NoSigs: true, NoLog: true,
	})
	Must(t, err)
	s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	if !s.ReadyForConnections(10 * time.Second) {
		t.Fatal("the partner's NATS does not start")
	}
	return s
}

// anyCreds are credentials in form: the NATS of these tests takes whatever comes.
func anyCreds(t testing.TB) string {
	t.Helper()
	account, err := nkeys.CreateAccount()
	Must(t, err)
	user, err := nkeys.CreateUser()
	Must(t, err)
	public, err := user.PublicKey()
	Must(t, err)
	seed, err := user.Seed()
	Must(t, err)
	text, err := jwt.NewUserClaims(public).Encode(account)
	Must(t, err)
	creds, err := jwt.FormatUserConfig(text, seed)
	Must(t, err)
	return string(creds)
}

// AddExternal makes a partner whose account is somewhere else.
func (b *Bridge) AddExternal(t testing.TB, name, url string) {
	t.Helper()
	p := &registry.Partner{Name: name}
	p.External = &registry.External{URL: url, Credentials: b.Sealed(anyCreds(t), p.SealName("credentials"))}
	p.MaskKey = b.Sealed(maskKey, p.SealName("maskKey"))
	Must(t, b.Registry.CreatePartner(t.Context(), p))
}

func LastRow(all []Published) Published {
	var row Published
	for _, m := range all {
		if kind, _, ok := events.ParseSubject(m.Subject); ok && kind == events.KindRow {
			row = m
		}
	}
	return row
}
