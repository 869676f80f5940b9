// Package freeport finds ports for tests that must know one before anybody listens
// there, or listen there again after a restart.
package freeport

import (
	"errors"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
)

// The ports below those that systems take for outgoing connections and for
// listeners that name none (RFC 6056: from 49152; Linux: from 32768). Those may be
// taken by any other test at any moment.
const (
	first = 10_000
	last  = 32_000
	tries = 1_000
)

var (
	mu    sync.Mutex
	taken = map[int]bool{}
)

// Take returns a port at which nobody listens on the loopback interface. It is
// returned once in a process.
func Take() (int, error) {
	mu.Lock()
	defer mu.Unlock()
	for range tries {
		port := first + rand.N(last-first)
		if taken[port] {
			continue
		}
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err != nil {
			continue
		}
		taken[port] = true
		return port, l.Close()
	}
	return 0, errors.New("finding a free port: none of a thousand is free")
}
