package smartsheettest

import (
	"net/http"
	"slices"
	"time"
)

// The newest so many requests and callbacks are kept.
const (
	maxRequests  = 100_000
	maxCallbacks = 10_000
)

// Request is one request that reached the API over HTTP.
type Request struct {
	Time      time.Time
	User      string // e-mail address of the token's user; empty if the token is not known
	Assumed   string // whom an administrator assumed
	Method    string
	Route     string // "sheets/{sheet}/rows", empty if unknown
	Path      string // with the leading /2.0
	Query     string
	Cost      int // of the rate limit
	Status    int // of the answer, 0 if there was none
	ErrorCode int
	Faulty    bool // a fault replaced or lost the answer
}

// Requests returns the requests so far, oldest first.
func (s *Server) Requests() []Request {
	s.lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

// Callback is one request that the server made to a callback URL.
type Callback struct {
	Time      time.Time
	WebhookID int64
	Kind      string // "verification", "events" or "status"
	Retry     int    // 0 for the first attempt
	URL       string
	Header    http.Header
	Body      []byte
	Status    int    // of the answer, 0 if there was none
	Err       string // why there was none
}

// Callbacks returns the callbacks so far, oldest first.
func (s *Server) Callbacks() []Callback {
	s.lock()
	defer s.mu.Unlock()
	return slices.Clone(s.callbacks)
}

func appendBounded[T any](list []T, item T, limit int) []T {
	if len(list) >= limit {
		list = slices.Delete(list, 0, limit/10)
	}
	return append(list, item)
}
