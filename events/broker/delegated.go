package broker

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nkeys"

	"github.com/sheetbridge/sheetbridge/events/seal"
)

// DelegatedAccount is an account at another NATS with a signing key of it that the
// other side has lent: the one with this public key, or, without one, that which
// the bridge's credentials there are of. MintUser
// works with it, nothing else does: the account is not ours to change, so what
// was minted can expire but not be revoked by us.
//
// The key must be a scoped one; the account's own key is refused. What users
// minted with it may do CheckReader tells.
func DelegatedAccount(creds, signingKey seal.Secret, account string) (Account, error) {
	text, err := jwt.ParseDecoratedJWT([]byte(creds))
	if err != nil {
		return Account{}, errNoCreds
	}
	claims, err := jwt.DecodeUserClaims(text)
	if err != nil {
		return Account{}, errNoCreds
	}
	switch {
	case account != "" && !nkeys.IsValidPublicAccountKey(account):
		return Account{}, errors.New("read signing account: want the public key of an account, A…")
	case account == "" && claims.IssuerAccount != "":
		account = claims.IssuerAccount
	case account == "":
		account = claims.Issuer
	}
	signingKey = seal.Secret(strings.TrimSpace(string(signingKey)))
	public, err := publicKey(signingKey)
	if err != nil || !nkeys.IsValidPublicAccountKey(public) {
		return Account{}, errors.New("read signing key: want the seed of an account's signing key, SA…")
	}
	if public == account {
		return Account{}, errors.New("that is the account's own key: lend a scoped signing key instead")
	}
	return Account{PublicKey: account, SigningSeed: signingKey}, nil
}

// checkWait bounds how long the server may take to refuse what it must refuse.
const checkWait = 3 * time.Second

// A message that was answered is stored a moment later.
const (
	forgeryLooks = 10
	forgeryPause = 30 * time.Millisecond
)

// CheckReader tries the partner's credentials at another NATS: they must read
// the stream and the partner's subjects, and must neither publish events, purge
// or change the stream, nor publish or listen beyond that. Otherwise whoever
// gets them could forge events. What they try would change nothing if it were
// allowed; what they may do besides is not found out.
//
// Where they read in the account of the stream itself, they can have an answer of
// JetStream stored in it, which no permission prevents. That is tried too. A subject
// is returned then: that of the message, which is to be purged.
func CheckReader(ctx context.Context, partner string, o ExternalOptions) (forged string, err error) {
	if forged, err = checkReader(ctx, partner, o); err != nil {
		return "", fmt.Errorf("try credentials of partner %s: %w", partner, err)
	}
	return forged, nil
}

func checkReader(ctx context.Context, partner string, o ExternalOptions) (forged string, err error) {
	urls, err := parseURLs(o.URL)
	if err != nil {
		return "", err
	}
	refused := make(chan error, 16)
	opts := append(connOptions(o.Name, slog.New(slog.DiscardHandler)),
		nats.CustomInboxPrefix("_INBOX"), // a partner's
		nats.UserCredentialBytes([]byte(o.Creds)),
		nats.IgnoreDiscoveredServers(),
		nats.SkipHostLookup(),
		nats.SetCustomDialer(guardedDialer{tls: o.TLS}),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			select {
			case refused <- err:
			default:
			}
		}))
	nc, err := connectUntil(ctx, strings.Join(urls, ","), opts)
	if err != nil {
		return "", err
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, checkWait)
	defer cancel()
	events, err := js.Stream(ctx, stream)
	if err != nil {
		return "", fmt.Errorf("they cannot read stream %s: %w", stream, err)
	}
	subjects := "smartsheet." + partner + ".>"
	if _, err := nc.SubscribeSync(subjects); err != nil {
		return "", err
	}
	forbidden, err := tryForbidden(nc, partner)
	if err != nil {
		return "", err
	}
	for len(forbidden) > 0 {
		select {
		case err := <-refused:
			switch {
			case !errors.Is(err, nats.ErrPermissionViolation):
				return "", err
			case strings.Contains(err.Error(), `"`+subjects+`"`):
				return "", fmt.Errorf("they may not subscribe %s", subjects)
			}
			forbidden = slices.DeleteFunc(forbidden, func(what string) bool { return names(err, what) })
		case <-ctx.Done():
			return "", fmt.Errorf("they may do more than read (%s): the signing key must be scoped to what a partner may do", strings.Join(forbidden, ", "))
		}
	}
	return tryForgery(ctx, nc, events, partner)
}

// tryForgery has JetStream answer to a subject of the stream, and returns it where
// the answer is stored there.
func tryForgery(ctx context.Context, nc *nats.Conn, events jetstream.Stream, partner string) (forged string, err error) {
	subject := "smartsheet." + partner + ".check." + rand.Text() // no share has that name
	if err := nc.PublishRequest(stockAPI+"STREAM.INFO."+stream, subject, nil); err != nil {
		return "", err
	}
	if _, err := events.Info(ctx); err != nil { // is answered after that
		return "", err
	}
	for range forgeryLooks {
		_, err = events.GetLastMsgForSubject(ctx, subject)
		if !errors.Is(err, jetstream.ErrMsgNotFound) {
			return subject, err
		}
		select {
		case <-ctx.Done():
			return "", ctx.Err()
		case <-time.After(forgeryPause):
		}
	}
	return "", nil
}

// names tells whether a refusal is of what was tried. The server names a subject as
// the account maps it: where readers live apart, what begins like stockAPI
// begins otherwise.
func names(refusal error, tried string) bool {
	text := strings.ToLower(refusal.Error())
	doing, subject, _ := strings.Cut(tried, ` "`)
	return strings.Contains(text, doing+` "`) && strings.Contains(text, strings.TrimPrefix(subject, strings.ToLower(stockAPI)))
}

// tryForbidden tries what a partner must not do, in ways that change nothing,
// and returns in small letters how the server names what it must refuse.
func tryForbidden(nc *nats.Conn, partner string) (forbidden []string, err error) {
	must := func(doing, subject string) { forbidden = append(forbidden, strings.ToLower(doing+` "`+subject+`"`)) }
	must("subscription to", ">")
	if _, err := nc.SubscribeSync(">"); err != nil {
		return nil, err
	}
	impossible := nats.Header{jetstream.ExpectedLastSubjSeqHeader: {strconv.FormatUint(math.MaxInt64, 10)}}
	event := "smartsheet." + partner + ".check"
	for _, m := range []*nats.Msg{
		{Subject: "sheetbridge.check." + rand.Text()}, // no stream takes that
		{Subject: event, Header: impossible},
		{Subject: "$JS.API.STREAM.PURGE." + stream, Data: fmt.Appendf(nil, `{"filter":%q,"seq":1}`, event)},
		{Subject: "$JS.API.STREAM.MSG.DELETE." + stream, Data: fmt.Appendf(nil, `{"seq":%d}`, math.MaxInt64)},
		{Subject: "$JS.API.STREAM.UPDATE." + stream, Data: []byte("-")},
	} {
		must("publish to", m.Subject)
		if err := nc.PublishMsg(m); err != nil {
			return nil, err
		}
	}
	return forbidden, nil
}
