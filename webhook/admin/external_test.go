package admin_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/events/broker"
	"github.com/sheetbridge/sheetbridge/events/seal"
)

// otherNATS is a NATS that is not ours, with an account for a partner.
func otherNATS(t *testing.T, name string) (url, creds string, account broker.Account) {
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

// Credentials with which the bridge could not do its work are refused at once,
// with what they lack.
func TestExternalCredentialsThatLack(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{external: true})
	url, _, account := otherNATS(t, "acme")
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
