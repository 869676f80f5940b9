package smartsheettest

import (
	"crypto/sha256"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// spending is what a token has used of its rate in the last minute.
type spending struct {
	at   []time.Time
	cost []int
}

// authenticate finds the user of a request: the token's, or the one an
// administrator assumes.
func (s *Server) authenticate(c *call, header http.Header, entry *Request) *Error {
	bearer, found := strings.CutPrefix(header.Get("Authorization"), "Bearer ")
	if !found || bearer == "" {
		return failf(401, 1001, "An Access Token is required.")
	}
	s.lock()
	defer s.mu.Unlock()
	t := s.tokens[sha256.Sum256([]byte(bearer))]
	if t == nil || t.revoked || s.users[t.user].inactive {
		return failf(401, 1002, "Your Access Token is invalid.")
	}
	if !t.expires.IsZero() && !c.now.Before(t.expires) {
		return failf(401, 1003, "Your Access Token has expired.")
	}
	c.token, c.user = t, s.users[t.user]
	entry.User = c.user.Email
	if c.user.unlicensed {
		return failf(403, 1013, "The operation you are attempting to perform is not supported by your plan.")
	}
	assumed := header.Get("Assume-User")
	if assumed == "" {
		return nil
	}
	refused := failf(401, 1030, "You are unable to assume the user specified.")
	email, err := url.QueryUnescape(assumed)
	if err != nil || strings.Contains(assumed, "@") {
		return refused
	}
	target := s.userByEmail(email)
	if !c.user.Admin || t.consent != nil || target == nil || target.inactive || target.Admin && target.ID != c.user.ID {
		return refused
	}
	c.user = target
	entry.Assumed = target.Email
	return nil
}

// spend counts a call against its token's rate; a call that is refused costs
// nothing.
func (s *Server) spend(c *call, cost int) *Error {
	limit := s.RateLimit
	if limit == 0 {
		limit = 300
	}
	if limit < 0 {
		return nil
	}
	s.lock()
	defer s.mu.Unlock()
	used := &c.token.spent
	for len(used.at) > 0 && c.now.Sub(used.at[0]) >= time.Minute {
		used.at, used.cost = used.at[1:], used.cost[1:]
	}
	sum := cost
	for _, n := range used.cost {
		sum += n
	}
	if sum > limit {
		return failf(429, 4003, "Rate limit exceeded.")
	}
	used.at, used.cost = append(used.at, c.now), append(used.cost, cost)
	return nil
}

func (s *Server) beginWrite(key writeKey) bool {
	s.lock()
	defer s.mu.Unlock()
	if s.writing[key] {
		return false
	}
	s.writing[key] = true
	return true
}

func (s *Server) endWrite(key writeKey) {
	s.lock()
	defer s.mu.Unlock()
	delete(s.writing, key)
}

// trimAgent cuts a change agent to 512 characters, from the front.
func trimAgent(agent string) string {
	if runes := []rune(agent); len(runes) > 512 {
		return string(runes[len(runes)-512:])
	}
	return agent
}
