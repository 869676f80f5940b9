package broker

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nkeys"

	"github.com/sheetbridge/sheetbridge/events/seal"
)

// DelegatedAccount is the account at another NATS that the bridge's credentials
// there are of, with a signing key of it that the other side has lent. MintUser
// works with it, nothing else does: the account is not ours to change, so what
// was minted can expire but not be revoked by us.
//
// The key must be a scoped one; the account's own key is refused. What users
// minted with it may do CheckReader tells.
func DelegatedAccount(creds, signingKey seal.Secret) (Account, error) {
	text, err := jwt.ParseDecoratedJWT([]byte(creds))
	if err != nil {
		return Account{}, errNoCreds
	}
	claims, err := jwt.DecodeUserClaims(text)
	if err != nil {
		return Account{}, errNoCreds
	}
	account := claims.IssuerAccount
	if account == "" {
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

// CheckReader tries the partner's credentials at another NATS: they must read
// the stream and the partner's subjects, and must neither publish nor listen
// beyond that. Otherwise whoever gets them could forge events.
func CheckReader(ctx context.Context, partner string, o ExternalOptions) error {
	if err := checkReader(ctx, partner, o); err != nil {
		return fmt.Errorf("try credentials of partner %s: %w", partner, err)
	}
	return nil
}

func checkReader(ctx context.Context, partner string, o ExternalOptions) error {
	urls, err := parseURLs(o.URL)
	if err != nil {
		return err
	}
	refused := make(chan error, 8)
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
		return err
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, checkWait)
	defer cancel()
	if _, err := js.Stream(ctx, stream); err != nil {
		return fmt.Errorf("they cannot read stream %s: %w", stream, err)
	}
	subjects := "smartsheet." + partner + ".>"
	for _, subject := range []string{subjects, ">"} {
		if _, err := nc.SubscribeSync(subject); err != nil {
			return err
		}
	}
	if err := nc.Publish("sheetbridge.check."+rand.Text(), nil); err != nil { // no stream takes that
		return err
	}
	for range 2 {
		select {
		case err := <-refused:
			switch {
			case !errors.Is(err, nats.ErrPermissionViolation):
				return err
			case strings.Contains(err.Error(), `"`+subjects+`"`):
				return fmt.Errorf("they may not subscribe %s", subjects)
			}
		case <-ctx.Done():
			return errors.New("they may do more than read: the signing key must be scoped to what a partner may do")
		}
	}
	return nil
}
