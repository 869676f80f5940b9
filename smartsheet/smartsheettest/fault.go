package smartsheettest

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Fault is what happens to one request instead of, or besides, its answer.
type Fault struct {
	Delay      time.Duration // before anything else
	HangUp     bool          // close the connection; nothing was done
	LoseAnswer bool          // do it, then close the connection
	HalfBody   bool          // break off in the middle of the answer

	Status     int           // answer this; nothing is done
	ErrorCode  int           // with this errorCode in the body
	HTML       bool          // with a page instead of JSON, as gateways do
	RetryAfter time.Duration // with this header, in whole seconds
}

func (f *Fault) reply() (reply, bool) {
	if f.Status == 0 {
		return reply{}, false
	}
	out := htmlReply(f.Status)
	if !f.HTML {
		out = errorReply(failf(f.Status, f.ErrorCode, "%s", faultMessage(f.ErrorCode)))
	}
	if f.RetryAfter > 0 {
		out.header = map[string]string{"Retry-After": strconv.Itoa(int((f.RetryAfter + time.Second - 1) / time.Second))}
	}
	return out, true
}

func faultMessage(code int) string {
	switch code {
	case 1001:
		return "An Access Token is required."
	case 1002:
		return "Your Access Token is invalid."
	case 1003:
		return "Your Access Token has expired."
	case 1004:
		return "You are not authorized to perform this action."
	case 1005:
		return "Single Sign-On is required for this account."
	case 1006:
		return "Not Found"
	case 1030:
		return "You are unable to assume the user specified."
	case 1044:
		return "Assume-User header is required for your Access Token."
	case 1270:
		return "You are not allowed to impersonate the owner of this object."
	case 1271:
		return "You are not allowed to impersonate this user."
	case 1272:
		return "Invalid impersonate header value."
	case 1275:
		return "The impersonate feature is not enabled."
	case 1361:
		return "This action is restricted by an SSO Policy."
	case 1362:
		return "This action is restricted by an MFA Policy."
	case 1363:
		return "This action is restricted by this organization's Data Egress Policy."
	case 4001:
		return "Smartsheet.com is currently offline for system maintenance. Please check back again shortly."
	case 4002:
		return "Server timeout exceeded. Request has failed."
	case 4003:
		return "Rate limit exceeded."
	case 4004:
		return "Request failed because the sheet is currently being updated by another request that uses the same access token. Please retry your request once the previous request has completed."
	}
	return "An unexpected error has occurred. Please contact api@smartsheet.com for assistance."
}

// RandomFaults is a hook for [Server.SetFault] that lets a part of all requests
// fail, from 0 to 1 for each kind: "lost", done and its answer lost; "cut", the
// connection closed and nothing done; "4001" to "4004", an error of the service
// with nothing done; "502", the page of a gateway. Kinds that it does not know, and
// parts that cannot be, are an error.
func RandomFaults(parts map[string]float64) (func(*http.Request) *Fault, error) {
	kinds := map[string]Fault{
		"lost": {LoseAnswer: true}, "cut": {HangUp: true}, "502": {Status: 502, HTML: true}, "4001": {Status: 503, ErrorCode: 4001},
		"4002": {Status: 500, ErrorCode: 4002}, "4003": {Status: 429, ErrorCode: 4003}, "4004": {Status: 500, ErrorCode: 4004},
	}
	names := slices.Sorted(maps.Keys(parts))
	sum := 0.0
	for _, name := range names {
		if _, known := kinds[name]; !known {
			return nil, fmt.Errorf("fault %q is not known, want one of %s", name, strings.Join(slices.Sorted(maps.Keys(kinds)), ", "))
		}
		if part := parts[name]; !(part >= 0 && part <= 1) {
			return nil, fmt.Errorf("fault %s: %v of all requests, want 0 to 1", name, part)
		}
		sum += parts[name]
	}
	if sum > 1 {
		return nil, fmt.Errorf("faults are %v of all requests together, want 1 at most", sum)
	}
	return func(*http.Request) *Fault {
		at := rand.Float64()
		for _, name := range names {
			if at -= parts[name]; at < 0 {
				fault := kinds[name]
				return &fault
			}
		}
		return nil
	}, nil
}

// SetFault has hook asked about every request before it is looked at; nil
// answers mean no fault. A nil hook ends the faults.
func (s *Server) SetFault(hook func(*http.Request) *Fault) {
	s.lock()
	defer s.mu.Unlock()
	s.fault = hook
}

// Refuse lets every connection be closed without a word, as if the service
// were not reachable, until it is called with false.
func (s *Server) Refuse(refuse bool) {
	s.lock()
	defer s.mu.Unlock()
	s.refusing = refuse
}

// CallbackFault is what happens to one attempt at a callback.
type CallbackFault int

// What SetCallbackFault may answer.
const (
	Deliver    CallbackFault = iota
	Drop                     // never sent, and taken for acknowledged
	Duplicate                // sent twice, the second time after the first was answered
	Hold                     // sent after the webhook's next callback instead, or at ReleaseHeld
	LoseAnswer               // sent, and its answer lost: retried as after a timeout
)

// SetCallbackFault has hook asked before each attempt at an event callback or
// status change callback; it sees the attempt without an answer. A nil hook
// ends the faults.
func (s *Server) SetCallbackFault(hook func(Callback) CallbackFault) {
	s.lock()
	defer s.mu.Unlock()
	s.callbackFault = hook
}
