package owner

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/common/model"

	"github.com/sheetbridge/sheetbridge/events/seal"
	"github.com/sheetbridge/sheetbridge/smartsheet"
	"github.com/sheetbridge/sheetbridge/webhook/budget"
	"github.com/sheetbridge/sheetbridge/webhook/registry"
)

const (
	// A pass that waits for the budget keeps another one of its token from its turn,
	// so its first request does not wait for long; what was begun is better ended.
	firstWait = time.Second
	nextWait  = 20 * time.Second
	// throttled is how long a token rests after a 429 that does not say.
	throttled = time.Minute
)

// ErrBudget says that the token's budget has no room for the request now.
var ErrBudget = errors.New("the budget of the owner's token is used up")

// BudgetError is ErrBudget with the time after which to try again.
type BudgetError struct{ Wait time.Duration }

func (e *BudgetError) Error() string {
	return fmt.Sprintf("%v, for another %s", ErrBudget, model.Duration(e.Wait.Round(time.Second)))
}

// Is makes errors.Is(err, ErrBudget) true.
func (e *BudgetError) Is(target error) bool { return target == ErrBudget }

// WaitOf returns how long an error asks us to wait, 0 where it does not say: the
// budget does, and Smartsheet.
func WaitOf(err error) time.Duration {
	if tight := (*BudgetError)(nil); errors.As(err, &tight) {
		return tight.Wait
	}
	if e := (*smartsheet.Error)(nil); errors.As(err, &e) && e.RetryAfter > 0 {
		return e.RetryAfter
	}
	if smartsheet.Classify(err) == smartsheet.Wait {
		return time.Minute
	}
	return 0
}

// Access makes Smartsheet clients that act for owners, within their budgets.
type Access struct {
	Registry *registry.Registry
	Budget   *budget.Budget
	Master   seal.MasterKey
	TokenKey []byte       // names tokens; nil: what the master key gives
	BaseURL  string       // overrides the owner's region
	HTTP     *http.Client // nil: the client's own
	Version  string
	OAuth    *OAuth                                   // nil: not configured
	Observe  func(owner string, call smartsheet.Call) // nil: nobody
}

// Client returns a client for the owner. The first request waits for its turn
// as a request of the class does, those that follow from it are urgent.
func (a *Access) Client(o *registry.Owner, class budget.Class) (*smartsheet.Client, error) {
	if o.Kind == KindOAuth {
		c := a.client(o.Name, o.Region, "", o.TokenID, "", class)
		c.Token = func(ctx context.Context) (string, error) {
			if a.OAuth == nil {
				return "", fmt.Errorf("owner %s: OAuth is not configured any more", o.Name)
			}
			return a.OAuth.token(ctx, o.Name)
		}
		c.Renew = func(ctx context.Context, refused string, cause error) (string, error) {
			return a.OAuth.renewed(ctx, o.Name, refused, cause)
		}
		return c, nil
	}
	token, err := a.Registry.Sealer().OpenString(o.Token, o.SealName("token"))
	if err != nil {
		return nil, fmt.Errorf("opening the token of owner %s: %w", o.Name, err)
	}
	return a.client(o.Name, o.Region, token, o.TokenID, o.AssumeUser, class), nil
}

// NewClient returns a client for a token that is not stored yet.
func (a *Access) NewClient(region smartsheet.Region, token, assumeUser string) *smartsheet.Client {
	return a.client("", region, token, a.TokenID(region, token), assumeUser, budget.Callback)
}

// TokenID names a token in budgets without telling it: a keyed hash of region
// and token.
func (a *Access) TokenID(region smartsheet.Region, token string) string {
	h := hmac.New(sha256.New, a.tokenKey())
	fmt.Fprintf(h, "%s\x00%s", region, token)
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// TokenKeyPurpose is what the key that names tokens is derived from a master key
// for.
const TokenKeyPurpose = "sheetbridge token id v1"

func (a *Access) tokenKey() []byte {
	if a.TokenKey != nil {
		return a.TokenKey
	}
	return a.Master.Derive(TokenKeyPurpose, 32)
}

// TokenOf names the token that the requests for a registration are made with, ""
// where that is not known.
func (a *Access) TokenOf(registration string) string {
	reg := a.Registry.Registration(registration)
	if reg == nil {
		return ""
	}
	if o := a.Registry.Owner(reg.Owner); o != nil {
		return o.TokenID
	}
	return ""
}

func (a *Access) client(owner string, region smartsheet.Region, token, id, assumeUser string, class budget.Class) *smartsheet.Client {
	base := a.BaseURL
	if base == "" {
		base = region.BaseURL()
	}
	turn := &budgetLimiter{budget: a.Budget, token: id, class: class}
	return &smartsheet.Client{
		BaseURL:    base,
		Token:      func(context.Context) (string, error) { return token, nil },
		AssumeUser: assumeUser,
		HTTP:       a.HTTP,
		Version:    a.Version,
		Before:     turn.wait,
		After: func(call smartsheet.Call) {
			if a.Observe != nil {
				a.Observe(owner, call)
			}
		},
		Throttled: func(ctx context.Context, retryAfter time.Duration) {
			// The refused call returns its own error; should the penalty not be
			// stored, the next 429 is another occasion for it. A caller who has
			// gone does not end it: the token is shared.
			_ = a.Budget.Penalize(context.WithoutCancel(ctx), id, penalty(retryAfter))
		},
	}
}

// Suspend marks an owner whose token Smartsheet refuses, as the cause of a failed
// request says and [Access.Confirm] finds. It returns whether nothing can be done
// in the owner's name: not where another token was stored since the owner was
// read.
func (a *Access) Suspend(ctx context.Context, o *registry.Owner, cause error) (bool, error) {
	refused, err := a.Confirm(ctx, o, cause)
	if err != nil || !refused {
		return false, err
	}
	err = a.Registry.UpdateOwner(ctx, o.Name, func(now *registry.Owner) error {
		if now.Revision != o.Revision {
			return registry.ErrConflict
		}
		if now.State == registry.OwnerAuthorize { // which says more: only a new consent helps
			return errConsentAwaited
		}
		now.State, now.Reason = stateFor(now, cause)
		return nil
	})
	if errors.Is(err, registry.ErrConflict) || errors.Is(err, registry.ErrNotFound) {
		return false, nil
	}
	if errors.Is(err, errConsentAwaited) {
		return true, nil
	}
	return err == nil, err
}

var errConsentAwaited = errors.New("the owner's consent is awaited already")

// penalty is how long a token is left alone after a 429 that asked for a time, or
// for none (0).
func penalty(retryAfter time.Duration) time.Duration {
	if retryAfter > 0 {
		return retryAfter
	}
	return throttled + rand.N(throttled/6)
}

// Confirm tells whether Smartsheet refuses the owner's token, as the cause of a
// failed request says: only if it does so with an error code, and GET /users/me
// with the same token is refused so too. Anything else may pass: a gateway that
// answers 401, or a refusal of that one request. An error says that it could not
// be found out now.
func (a *Access) Confirm(ctx context.Context, o *registry.Owner, cause error) (refused bool, err error) {
	if !refusesToken(cause) {
		return false, nil
	}
	client, err := a.Client(o, budget.Callback)
	if err != nil {
		return false, err
	}
	_, err = client.Me(ctx)
	switch {
	case err == nil:
		return false, nil
	case refusesToken(err):
		return true, nil
	}
	return false, fmt.Errorf("asking Smartsheet whether it refuses the token of owner %s: %w", o.Name, err)
}

// refusesToken tells whether an error is Smartsheet's own refusal of a token.
func refusesToken(err error) bool {
	var e *smartsheet.Error
	if !errors.As(err, &e) || e.Code == 0 {
		return false
	}
	class := smartsheet.Classify(err)
	return class == smartsheet.Refused || class == smartsheet.Expired
}

// budgetLimiter waits for one client's turns.
type budgetLimiter struct {
	budget *budget.Budget
	token  string

	mu      sync.Mutex
	class   budget.Class
	started bool
}

func (t *budgetLimiter) wait(ctx context.Context) error {
	t.mu.Lock()
	class, patience := t.class, firstWait
	if t.started {
		class, patience = budget.Callback, nextWait
	}
	t.mu.Unlock()
	deadline := time.Now().Add(patience)
	for {
		wait, err := t.budget.Take(ctx, t.token, class)
		if err != nil {
			return err
		}
		if wait == 0 {
			t.mu.Lock()
			t.started = true
			t.mu.Unlock()
			return nil
		}
		if time.Now().Add(wait).After(deadline) {
			return &BudgetError{Wait: wait}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
		}
	}
}
