package partner

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/sheetbridge/sheetbridge/events/broker"
	"github.com/sheetbridge/sheetbridge/webhook/problem"
	"github.com/sheetbridge/sheetbridge/webhook/registry"
)

// ErrBusy says that another change of partners' accounts has not come to its end.
var ErrBusy = errors.New("another change of partners' accounts has not come to its end: try again")

// Accounts changes who may read as a partner. Its fields are not changed once it is
// in use.
type Accounts struct {
	Registry *registry.Registry
	Partners *Partners
	Broker   *broker.Broker // nil: NATS is external, and nothing is minted
	Log      *slog.Logger

	// one has one place: one caller at a time changes partners' accounts at our own
	// NATS. Two that told the server of one account in the wrong order would give a
	// revoked user its access back.
	one  chan struct{}
	once sync.Once
}

// Hold waits until nobody else changes partners' accounts, and returns what lets
// the next one. Its error is ErrBusy.
func (a *Accounts) Hold(ctx context.Context) (done func(), err error) {
	a.once.Do(func() { a.one = make(chan struct{}, 1) })
	select {
	case a.one <- struct{}{}:
		return func() { <-a.one }, nil
	case <-ctx.Done():
		return nil, ErrBusy
	}
}

// Put tells the server what holds in the partner's account: its limits, from where
// its users connect, and who is revoked.
func (a *Accounts) Put(ctx context.Context, name string) error {
	p := a.Registry.Partner(name)
	if p == nil {
		return registry.ErrNotFound
	}
	account, err := a.Partners.Account(p)
	if err != nil {
		return err
	}
	if err := a.Broker.PutAccount(ctx, name, account); err != nil {
		return upstream("changing the partner's account", err)
	}
	return nil
}

// upstream is a refusal of NATS, with its words.
func upstream(doing string, err error) error {
	return &problem.Problem{Fault: problem.Upstream, Detail: doing + ": NATS refused: " + err.Error(), Err: err}
}

// Find returns the partner with the name.
func (a *Accounts) Find(name string) (*registry.Partner, error) {
	if p := a.Registry.Partner(name); p != nil {
		return p, nil
	}
	return nil, problem.New(problem.NotFound, "", "there is no partner %q: GET /v1/partners lists them", clip(name)).Next(problem.ListPartners.For())
}

// now is the time as records keep it.
func now() time.Time { return time.Now().UTC().Truncate(time.Millisecond) }

// clip bounds what an answer repeats of a request.
func clip(s string) string { return s[:min(len(s), 64)] }
