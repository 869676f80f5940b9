package admin

import (
	"crypto/sha256"
	"slices"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/time/rate"

	"github.com/sheetbridge/sheetbridge/webhook/limits"
)

const (
	// guessBurst wrong tokens are compared for one address, then one more every
	// guessEvery. A token that was wrong a moment ago is known to be and costs
	// nothing: a program with an old token must not lock out its machine.
	guessBurst = 20
	guessEvery = 15 * time.Second
	// wrongBurst times a wrong token is answered 401, then once every wrongEvery:
	// in between it is 429.
	wrongBurst = 20
	wrongEvery = time.Second

	maxTried = 32 // wrong tokens that are remembered of one address
	// reportEvery is how often one address can cause an audit entry.
	reportEvery = time.Minute
)

// throttle bounds the wrong tokens that come from one address.
type throttle struct {
	now func() time.Time

	mu        sync.Mutex
	addresses *lru.Cache[string, *attempts]
	reports   *rate.Limiter // of all addresses together
}

// attempts are the wrong tokens of one address.
type attempts struct {
	guesses, wrong *rate.Limiter
	tried          [][sha256.Size]byte
	unreported     int
	reported       time.Time
}

func newThrottle(now func() time.Time) *throttle {
	return &throttle{now: now, addresses: limits.NewAddresses[*attempts](), reports: rate.NewLimiter(rate.Every(10*time.Second), 30)}
}

// verdict is what a bearer token is worth.
type verdict struct {
	token   *Token        // nil: a wrong one, or one that was not compared
	limited bool          // too many wrong ones came from there
	retry   time.Duration // when limited: after which the address may try again
	report  int           // wrong ones since the last report; 0: no report now
}

// judge finds the token for the hash, unless too many wrong ones came from the
// address.
func (t *throttle) judge(address string, hash [sha256.Size]byte, find func([sha256.Size]byte) *Token) verdict {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.now()
	a, _ := t.addresses.Get(address)
	known := a != nil && slices.Contains(a.tried, hash)
	if !known && (a == nil || a.guesses.TokensAt(now) >= 1) {
		if token := find(hash); token != nil {
			return verdict{token: token}
		}
	}
	if a == nil {
		a = &attempts{
			guesses: rate.NewLimiter(rate.Every(guessEvery), guessBurst),
			wrong:   rate.NewLimiter(rate.Every(wrongEvery), wrongBurst),
		}
		t.addresses.Add(address, a)
	}
	a.unreported++
	v := verdict{limited: !a.wrong.AllowN(now, 1), retry: wrongEvery}
	if !known && !a.guesses.AllowN(now, 1) {
		v.limited, v.retry = true, guessEvery
	} else if !known {
		a.tried = append(a.tried[max(0, len(a.tried)-maxTried+1):], hash)
	}
	if now.Sub(a.reported) >= reportEvery && t.reports.AllowN(now, 1) {
		v.report, a.unreported, a.reported = a.unreported, 0, now
	}
	return v
}
