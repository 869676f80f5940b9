package smartsheettest

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
)

// route is one operation of the API. Its handler runs with s.mu held, after
// everything that the path names was found, and answers a value for JSON or an
// *Error.
type route struct {
	method, path string
	access       string // to the sheet that the path names, at least
	handle       func(*Server, *call) (any, error)
}

// weight is what a call costs of the rate limit.
func (rt route) weight() int {
	if strings.HasSuffix(rt.path, "/history") || rt.method == "POST" && strings.HasSuffix(rt.path, "/attachments") {
		return 10
	}
	return 1
}

// writesSheet reports whether two such calls at once on one sheet collide.
func (rt route) writesSheet() bool {
	return rt.method != "GET" && strings.HasPrefix(rt.path, "sheets/{sheet}")
}

// routes are all operations below /2.0/ but for the two that need no token.
var routes = sync.OnceValue(func() []route {
	return slices.Concat(sheetRoutes(), contentRoutes(), placeRoutes(), []route{
		{"DELETE", "token", "", (*Server).deleteToken},
		{"GET", "users/me", "", (*Server).getMe},
		{"GET", "users", "", (*Server).listUsers},

		{"GET", "shares", "", (*Server).listShares},
		{"POST", "shares", "", (*Server).createShares},
		{"GET", "shares/{share}", "", (*Server).getShare},
		{"PATCH", "shares/{share}", "", (*Server).updateShare},
		{"DELETE", "shares/{share}", "", (*Server).deleteShare},

		{"GET", "webhooks", "", (*Server).listWebhooks},
		{"POST", "webhooks", "", (*Server).createWebhook},
		{"GET", "webhooks/{webhook}", "", (*Server).getWebhook},
		{"PUT", "webhooks/{webhook}", "", (*Server).updateWebhook},
		{"DELETE", "webhooks/{webhook}", "", (*Server).deleteWebhook},
		{"POST", "webhooks/{webhook}/resetsharedsecret", "", (*Server).resetSecret},
		{"POST", "webhooks/{webhook}/resetSharedSecret", "", (*Server).resetSecret},
	})
})

// sheetRoutes are those of sheets with their rows and columns.
func sheetRoutes() []route {
	return []route{
		{"GET", "sheets", "", (*Server).listSheets},
		{"POST", "sheets", "", (*Server).createSheet},
		{"GET", "sheets/{sheet}", AccessViewer, (*Server).getSheet},
		{"PUT", "sheets/{sheet}", AccessAdmin, (*Server).updateSheet},
		{"DELETE", "sheets/{sheet}", AccessOwner, (*Server).deleteSheet},
		{"GET", "sheets/{sheet}/version", AccessViewer, (*Server).getVersion},

		{"POST", "sheets/{sheet}/rows", AccessEditor, (*Server).addRows},
		{"PUT", "sheets/{sheet}/rows", AccessEditor, (*Server).updateRows},
		{"DELETE", "sheets/{sheet}/rows", AccessEditor, (*Server).deleteRows},
		{"GET", "sheets/{sheet}/rows/{row}", AccessViewer, (*Server).getRow},
		{"GET", "sheets/{sheet}/rows/{row}/columns/{column}/history", AccessViewer, (*Server).getHistory},

		{"GET", "sheets/{sheet}/columns", AccessViewer, (*Server).listColumns},
		{"POST", "sheets/{sheet}/columns", AccessAdmin, (*Server).addColumns},
		{"GET", "sheets/{sheet}/columns/{column}", AccessViewer, (*Server).getColumn},
		{"PUT", "sheets/{sheet}/columns/{column}", AccessAdmin, (*Server).updateColumn},
		{"DELETE", "sheets/{sheet}/columns/{column}", AccessAdmin, (*Server).deleteColumn},
	}
}

// contentRoutes are those of what hangs on sheets and rows.
func contentRoutes() []route {
	return []route{
		{"GET", "sheets/{sheet}/attachments", AccessViewer, (*Server).listAttachments},
		{"POST", "sheets/{sheet}/attachments", AccessCommenter, (*Server).attach},
		{"GET", "sheets/{sheet}/attachments/{attachment}", AccessViewer, (*Server).getAttachment},
		{"DELETE", "sheets/{sheet}/attachments/{attachment}", AccessEditor, (*Server).deleteAttachment},
		{"GET", "sheets/{sheet}/rows/{row}/attachments", AccessViewer, (*Server).listAttachments},
		{"POST", "sheets/{sheet}/rows/{row}/attachments", AccessCommenter, (*Server).attach},
		{"POST", "sheets/{sheet}/comments/{comment}/attachments", AccessCommenter, (*Server).attach},
		{"GET", "sheets/{sheet}/discussions/{discussion}/attachments", AccessViewer, (*Server).listAttachments},

		{"GET", "sheets/{sheet}/discussions", AccessViewer, (*Server).listDiscussions},
		{"POST", "sheets/{sheet}/discussions", AccessCommenter, (*Server).createDiscussion},
		{"GET", "sheets/{sheet}/rows/{row}/discussions", AccessViewer, (*Server).listDiscussions},
		{"POST", "sheets/{sheet}/rows/{row}/discussions", AccessCommenter, (*Server).createDiscussion},
		{"GET", "sheets/{sheet}/discussions/{discussion}", AccessViewer, (*Server).getDiscussion},
		{"DELETE", "sheets/{sheet}/discussions/{discussion}", AccessCommenter, (*Server).deleteDiscussion},
		{"POST", "sheets/{sheet}/discussions/{discussion}/comments", AccessCommenter, (*Server).addComment},
		{"GET", "sheets/{sheet}/comments/{comment}", AccessViewer, (*Server).getComment},
		{"PUT", "sheets/{sheet}/comments/{comment}", AccessCommenter, (*Server).updateComment},
		{"DELETE", "sheets/{sheet}/comments/{comment}", AccessCommenter, (*Server).deleteComment},
	}
}

// placeRoutes are those by which clients find sheets.
func placeRoutes() []route {
	return []route{
		{"GET", "search", "", (*Server).search},
		{"GET", "search/sheets/{sheet}", AccessViewer, (*Server).search},
		{"GET", "sheets/{sheet}/path", AccessViewer, (*Server).getPath},

		{"GET", "workspaces", "", (*Server).listWorkspaces},
		{"POST", "workspaces", "", (*Server).createWorkspace},
		{"GET", "workspaces/{workspace}", "", (*Server).getPlace},
		{"GET", "workspaces/{workspace}/metadata", "", (*Server).getPlaceHead},
		{"GET", "workspaces/{workspace}/children", "", (*Server).listChildren},
		{"GET", "workspaces/{workspace}/folders", "", (*Server).listFolders},
		{"POST", "workspaces/{workspace}/folders", "", (*Server).createFolder},
		{"POST", "workspaces/{workspace}/sheets", "", (*Server).createSheet},

		{"GET", "folders/{folder}", "", (*Server).getPlace},
		{"GET", "folders/{folder}/metadata", "", (*Server).getPlaceHead},
		{"GET", "folders/{folder}/children", "", (*Server).listChildren},
		{"GET", "folders/{folder}/folders", "", (*Server).listFolders},
		{"POST", "folders/{folder}/folders", "", (*Server).createFolder},
		{"POST", "folders/{folder}/sheets", "", (*Server).createSheet},
	}
}

// find is the route of a method and of a path below /2.0/, with what its
// placeholders matched.
func find(method, path string) (route, map[string]string, error) {
	segments := strings.Split(strings.Trim(path, "/"), "/")
	elsewhere := false
	for _, rt := range routes() {
		ids, ok := match(rt.path, segments)
		if ok && rt.method == method {
			return rt, ids, nil
		}
		elsewhere = elsewhere || ok && !slices.Contains(incomplete, rt.path)
	}
	if elsewhere {
		return route{}, nil, failf(405, 1122, "Requested URL does not support this method: %s.", method)
	}
	return route{}, nil, errNotSimulated(method + " /2.0/" + strings.Join(segments, "/"))
}

// incomplete are the paths for which the service has more methods.
var incomplete = []string{"users", "workspaces/{workspace}", "folders/{folder}"}

func match(path string, segments []string) (map[string]string, bool) {
	pattern := strings.Split(path, "/")
	if len(pattern) != len(segments) {
		return nil, false
	}
	ids := map[string]string{}
	for i, part := range pattern {
		if name, found := strings.CutPrefix(part, "{"); found {
			if isWord(segments[i]) {
				return nil, false
			}
			ids[strings.TrimSuffix(name, "}")] = segments[i]
		} else if part != segments[i] {
			return nil, false
		}
	}
	return ids, true
}

// isWord reports whether a segment of a path names an operation, as move does in
// sheets/1/rows/move: ids have digits.
func isWord(segment string) bool {
	return strings.Trim(segment, "abcdefghijklmnopqrstuvwxyz") == ""
}

// writeKey is a sheet that a user's token is writing.
type writeKey struct {
	sheet string
	token *token
}

// perform runs the call on its route and returns the answer, written while
// nothing moves. The caller does not hold s.mu.
func (s *Server) perform(rt route, c *call) ([]byte, *Error) {
	s.lock()
	defer s.mu.Unlock()
	c.route = rt
	err := c.checkQuery()
	if err == nil {
		err = s.resolve(c)
	}
	var answer any
	if err == nil {
		answer, err = rt.handle(s, c)
	}
	if text, isText := answer.(plainText); isText && err == nil {
		c.kind = text.kind
		return text.body, nil
	}
	var text []byte
	if err == nil {
		text, err = json.Marshal(answer)
	}
	var refused *Error
	switch {
	case err == nil:
		return text, nil
	case errors.As(err, &refused):
		return nil, refused
	}
	return nil, errUnexpected()
}

// plainText is an answer that is no JSON.
type plainText struct {
	kind string // of content
	body []byte
}

func errUnexpected() *Error {
	return failf(http.StatusInternalServerError, 4000, "An unexpected error has occurred.")
}
