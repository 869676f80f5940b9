package limits

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// maxAddresses is how many addresses Attempts remembers.
const maxAddresses = 4096

// Attempts bounds how often strangers of one address may fail at something. The
// zero value lets nobody.
type Attempts struct {
	Burst int           // at once
	Every time.Duration // and one more each

	mu        sync.Mutex
	addresses map[string]*attempts
}

type attempts struct {
	limiter *rate.Limiter
	last    time.Time
}

// Allow tells whether one more attempt of the address is within the bound.
func (a *Attempts) Allow(address string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.addresses == nil {
		a.addresses = map[string]*attempts{}
	}
	one := a.addresses[address]
	if one == nil {
		a.makeRoom()
		one = &attempts{limiter: rate.NewLimiter(rate.Every(a.Every), a.Burst)}
		a.addresses[address] = one
	}
	one.last = time.Now()
	return one.limiter.Allow()
}

// makeRoom forgets the address that was quiet for longest, where there are too
// many.
func (a *Attempts) makeRoom() {
	if len(a.addresses) < maxAddresses {
		return
	}
	var oldest string
	for address, one := range a.addresses {
		if oldest == "" || one.last.Before(a.addresses[oldest].last) {
			oldest = address
		}
	}
	delete(a.addresses, oldest)
}
