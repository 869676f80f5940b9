package smartsheettest

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
)

// route is one operation of the API. Its handler runs with s.mu held and
// answers a value for JSON or an *Error.
type route struct {
	method, path string
	handle       func(*Server, *call) (any, error)
	cost         int  // of the rate limit; zero means 1
	unlocked     bool // the handler takes s.mu itself
	sheetWrite   bool // two at once on one sheet collide
}

func (rt route) weight() int { return max(rt.cost, 1) }

// routes are all operations below /2.0/.
func routes() []route {
	return slices.Concat(sheetRoutes(), contentRoutes(), []route{
		{method: "DELETE", path: "token", handle: (*Server).deleteToken},
		{method: "GET", path: "users/me", handle: (*Server).getMe},
		{method: "GET", path: "users", handle: (*Server).listUsers},

		{method: "GET", path: "shares", handle: (*Server).listShares},
		{method: "POST", path: "shares", handle: (*Server).createShares},
		{method: "GET", path: "shares/{share}", handle: (*Server).getShare},
		{method: "PATCH", path: "shares/{share}", handle: (*Server).updateShare},
		{method: "DELETE", path: "shares/{share}", handle: (*Server).deleteShare},

		{method: "GET", path: "webhooks", handle: (*Server).listWebhooks},
		{method: "POST", path: "webhooks", handle: (*Server).createWebhook},
		{method: "GET", path: "webhooks/{webhook}", handle: (*Server).getWebhook},
		{method: "PUT", path: "webhooks/{webhook}", handle: (*Server).updateWebhook, unlocked: true},
		{method: "DELETE", path: "webhooks/{webhook}", handle: (*Server).deleteWebhook},
		{method: "POST", path: "webhooks/{webhook}/resetsharedsecret", handle: (*Server).resetSecret},
		{method: "POST", path: "webhooks/{webhook}/resetSharedSecret", handle: (*Server).resetSecret},
	})
}

// sheetRoutes are those of sheets with their rows and columns.
func sheetRoutes() []route {
	return []route{
		{method: "GET", path: "sheets", handle: (*Server).listSheets},
		{method: "POST", path: "sheets", handle: (*Server).createSheet},
		{method: "GET", path: "sheets/{sheet}", handle: (*Server).getSheet},
		{method: "PUT", path: "sheets/{sheet}", handle: (*Server).updateSheet, sheetWrite: true},
		{method: "DELETE", path: "sheets/{sheet}", handle: (*Server).deleteSheet, sheetWrite: true},
		{method: "GET", path: "sheets/{sheet}/version", handle: (*Server).getVersion},

		{method: "POST", path: "sheets/{sheet}/rows", handle: (*Server).addRows, sheetWrite: true},
		{method: "PUT", path: "sheets/{sheet}/rows", handle: (*Server).updateRows, sheetWrite: true},
		{method: "DELETE", path: "sheets/{sheet}/rows", handle: (*Server).deleteRows, sheetWrite: true},
		{method: "GET", path: "sheets/{sheet}/rows/{row}", handle: (*Server).getRow},
		{method: "GET", path: "sheets/{sheet}/rows/{row}/columns/{column}/history", handle: (*Server).getHistory, cost: 10},

		{method: "GET", path: "sheets/{sheet}/columns", handle: (*Server).listColumns},
		{method: "POST", path: "sheets/{sheet}/columns", handle: (*Server).addColumns, sheetWrite: true},
		{method: "GET", path: "sheets/{sheet}/columns/{column}", handle: (*Server).getColumn},
		{method: "PUT", path: "sheets/{sheet}/columns/{column}", handle: (*Server).updateColumn, sheetWrite: true},
		{method: "DELETE", path: "sheets/{sheet}/columns/{column}", handle: (*Server).deleteColumn, sheetWrite: true},
	}
}

// contentRoutes are those of what hangs on sheets and rows.
func contentRoutes() []route {
	return []route{
		{method: "GET", path: "sheets/{sheet}/attachments", handle: (*Server).listAttachments},
		{method: "POST", path: "sheets/{sheet}/attachments", handle: (*Server).attach, cost: 10, sheetWrite: true},
		{method: "GET", path: "sheets/{sheet}/attachments/{attachment}", handle: (*Server).getAttachment},
		{method: "DELETE", path: "sheets/{sheet}/attachments/{attachment}", handle: (*Server).deleteAttachment, sheetWrite: true},
		{method: "GET", path: "sheets/{sheet}/rows/{row}/attachments", handle: (*Server).listAttachments},
		{method: "POST", path: "sheets/{sheet}/rows/{row}/attachments", handle: (*Server).attach, cost: 10, sheetWrite: true},
		{method: "POST", path: "sheets/{sheet}/comments/{comment}/attachments", handle: (*Server).attach, cost: 10, sheetWrite: true},
		{method: "GET", path: "sheets/{sheet}/discussions/{discussion}/attachments", handle: (*Server).listAttachments},

		{method: "GET", path: "sheets/{sheet}/discussions", handle: (*Server).listDiscussions},
		{method: "POST", path: "sheets/{sheet}/discussions", handle: (*Server).createDiscussion, sheetWrite: true},
		{method: "GET", path: "sheets/{sheet}/rows/{row}/discussions", handle: (*Server).listDiscussions},
		{method: "POST", path: "sheets/{sheet}/rows/{row}/discussions", handle: (*Server).createDiscussion, sheetWrite: true},
		{method: "GET", path: "sheets/{sheet}/discussions/{discussion}", handle: (*Server).getDiscussion},
		{method: "DELETE", path: "sheets/{sheet}/discussions/{discussion}", handle: (*Server).deleteDiscussion, sheetWrite: true},
		{method: "POST", path: "sheets/{sheet}/discussions/{discussion}/comments", handle: (*Server).addComment, sheetWrite: true},
		{method: "GET", path: "sheets/{sheet}/comments/{comment}", handle: (*Server).getComment},
		{method: "PUT", path: "sheets/{sheet}/comments/{comment}", handle: (*Server).updateComment, sheetWrite: true},
		{method: "DELETE", path: "sheets/{sheet}/comments/{comment}", handle: (*Server).deleteComment, sheetWrite: true},
	}
}

// find is the route of a method and of a path below /2.0/, with what its
// placeholders matched.
func find(method, path string) (route, map[string]string, error) {
	segments := strings.Split(strings.Trim(path, "/"), "/")
	elsewhere := false
	for _, rt := range routes() {
		ids, ok := match(strings.Split(rt.path, "/"), segments)
		if ok && rt.method == method {
			return rt, ids, nil
		}
		elsewhere = elsewhere || ok
	}
	if elsewhere {
		return route{}, nil, failf(405, 1122, "Requested URL does not support this method: %s.", method)
	}
	return route{}, nil, errNotFound()
}

func match(pattern, segments []string) (map[string]string, bool) {
	if len(pattern) != len(segments) {
		return nil, false
	}
	ids := map[string]string{}
	for i, part := range pattern {
		if name, found := strings.CutPrefix(part, "{"); found {
			ids[strings.TrimSuffix(name, "}")] = segments[i]
		} else if part != segments[i] {
			return nil, false
		}
	}
	return ids, true
}

// writeKey is a sheet that a user's token is writing.
type writeKey struct {
	sheet string
	token *token
}

// perform runs the call on its route and returns the answer as JSON, written
// while nothing moves. The caller does not hold s.mu.
func (s *Server) perform(rt route, c *call) ([]byte, *Error) {
	text, err := s.handle(rt, c)
	if err == nil {
		return text, nil
	}
	var refused *Error
	if errors.As(err, &refused) {
		return nil, refused
	}
	return nil, errUnexpected()
}

func (s *Server) handle(rt route, c *call) ([]byte, error) {
	if !rt.unlocked {
		s.lock()
		defer s.mu.Unlock()
	}
	answer, err := rt.handle(s, c)
	if err != nil {
		return nil, err
	}
	return json.Marshal(answer)
}

func errUnexpected() *Error {
	return failf(http.StatusInternalServerError, 4000, "An unexpected error has occurred.")
}
