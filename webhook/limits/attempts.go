package limits

import (
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/time/rate"
)

// maxAddresses is how many addresses are remembered.
const maxAddresses = 4096

// Attempts bounds how often strangers of one address may fail at something. The
// zero value lets nobody.
type Attempts struct {
	Burst int           // at once
	Every time.Duration // and one more each

	mu        sync.Mutex
	addresses *lru.Cache[string, *rate.Limiter]
}

// Allow tells whether one more attempt of the address is within the bound.
func (a *Attempts) Allow(address string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.addresses == nil {
		a.addresses = NewAddresses[*rate.Limiter]()
	}
	limiter, known := a.addresses.Get(address)
	if !known {
		limiter = rate.NewLimiter(rate.Every(a.Every), a.Burst)
		a.addresses.Add(address, limiter)
	}
	return limiter.Allow()
}

// NewAddresses returns what remembers something of each address, and forgets the one
// that was quiet for longest where there are too many.
func NewAddresses[T any]() *lru.Cache[string, T] {
	cache, err := lru.New[string, T](maxAddresses)
	if err != nil {
		panic(err) // the size is not positive
	}
	return cache
}
