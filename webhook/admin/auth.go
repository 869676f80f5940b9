package admin

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"
)

// Paths that need no bearer token. All others do, those that do not exist too.
const (
	pathOpenAPI = "/openapi.json"
	pathHealth  = "/healthz"
	pathReady   = "/readyz"
	pathMetrics = "/metrics"
)

func public(route string) bool {
	switch route {
	case pathOpenAPI, pathHealth, pathReady, pathMetrics:
		return true
	}
	return false
}

// guard knows the tokens by their hashes, so that comparing takes as long for
// any two of them.
type guard []guarded

type guarded struct {
	hash  [sha256.Size]byte
	token Token
}

func newGuard(tokens []Token) guard {
	g := make(guard, len(tokens))
	for i, t := range tokens {
		g[i] = guarded{sha256.Sum256([]byte(t.Secret)), t}
	}
	return g
}

// find returns the token that an Authorization header bears, nil for none.
func (g guard) find(header string) *Token {
	scheme, secret, _ := strings.Cut(header, " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return nil
	}
	hash := sha256.Sum256([]byte(strings.TrimSpace(secret)))
	var found *Token
	for i := range g { // all of them, whichever it is
		if subtle.ConstantTimeCompare(hash[:], g[i].hash[:]) == 1 {
			found = &g[i].token
		}
	}
	return found
}

// admit lets requests through that bear a token which allows them.
func (g guard) admit(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if public(c.Path()) {
			return next(c)
		}
		req := c.Request()
		t := g.find(req.Header.Get(echo.HeaderAuthorization))
		if t == nil {
			c.Response().Header().Set(echo.HeaderWWWAuthenticate, `Bearer realm="sheetbridge"`)
			return problem(http.StatusUnauthorized, "send the header Authorization: Bearer <token>, with one of the tokens in SHEETBRIDGE_ADMIN_TOKEN")
		}
		recordOf(req.Context()).who = t.Name
		if t.ReadOnly && req.Method != http.MethodGet && req.Method != http.MethodHead {
			return problem(http.StatusForbidden, "this token may only read: use one without :ro: in SHEETBRIDGE_ADMIN_TOKEN")
		}
		return next(c)
	}
}
