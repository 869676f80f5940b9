package admin

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/sheetbridge/sheetbridge/webhook/audit"
	"github.com/sheetbridge/sheetbridge/webhook/limits"
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
	return slices.Contains(consolePaths(), route)
}

// probe tells whether a path is asked by what watches over the process.
func probe(route string) bool { return route == pathHealth || route == pathReady }

// guard knows the tokens by their hashes, so that comparing takes as long for
// any two of them.
type guard struct {
	api      *API
	tokens   []guarded
	throttle *throttle
}

type guarded struct {
	hash  [sha256.Size]byte
	token Token
}

func newGuard(a *API) *guard {
	g := &guard{api: a, tokens: make([]guarded, len(a.Tokens)), throttle: newThrottle(time.Now)}
	for i, t := range a.Tokens {
		g.tokens[i] = guarded{t.hash(), t}
	}
	return g
}

// bearer is the hash of the token that an Authorization header bears.
func bearer(header string) (hash [sha256.Size]byte, ok bool) {
	scheme, secret, _ := strings.Cut(header, " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return hash, false
	}
	return sha256.Sum256([]byte(strings.TrimSpace(secret))), true
}

// find returns the token with the hash, nil for none.
func (g *guard) find(hash [sha256.Size]byte) *Token {
	var found *Token
	for i := range g.tokens { // all of them, whichever it is
		if subtle.ConstantTimeCompare(hash[:], g.tokens[i].hash[:]) == 1 {
			found = &g.tokens[i].token
		}
	}
	return found
}

// bearerAuth lets requests through that bear a token which allows them.
func (g *guard) bearerAuth(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if public(c.Path()) {
			return next(c)
		}
		req := c.Request()
		hash, ok := bearer(req.Header.Get(echo.HeaderAuthorization))
		if !ok {
			return unauthorized(c)
		}
		v := g.throttle.judge(limits.Address(req.RemoteAddr), hash, g.find)
		if v.token == nil {
			return g.wrong(c, v)
		}
		rec := recordOf(req.Context())
		rec.who, rec.readOnly = v.token.Name, v.token.ReadOnly
		if v.token.ReadOnly && req.Method != http.MethodGet && req.Method != http.MethodHead {
			return httpProblem(http.StatusForbidden, "this token may only read: use one without :ro: in SHEETBRIDGE_ADMIN_TOKEN")
		}
		return next(c)
	}
}

func unauthorized(c echo.Context) error {
	c.Response().Header().Set(echo.HeaderWWWAuthenticate, `Bearer realm="sheetbridge"`)
	return httpProblem(http.StatusUnauthorized, "send the header Authorization: Bearer <token>, with one of the tokens in SHEETBRIDGE_ADMIN_TOKEN")
}

// wrong answers a request with a wrong token, and says in the audit log that
// there are some, once in a while.
func (g *guard) wrong(c echo.Context, v verdict) error {
	if v.report > 0 && g.api.Audit != nil {
		ctx := audit.As(g.api.withCaller(c.Request().Context(), c.Request().RemoteAddr), "nobody")
		details := map[string]int{"wrongTokens": v.report}
		if err := g.api.appendAudit(ctx, "wrong bearer token", limits.Address(c.Request().RemoteAddr), audit.Refused, details); err != nil {
			g.api.Log.Error("wrong bearer tokens are not in the audit log", "err", err)
		}
	}
	if !v.limited {
		g.api.refused("bearer")
		return unauthorized(c)
	}
	g.api.refused("throttled")
	seconds := strconv.Itoa(int(v.retry / time.Second))
	c.Response().Header().Set(echo.HeaderRetryAfter, seconds)
	return httpProblem(http.StatusTooManyRequests, "too many wrong tokens came from this address: try again in %s s, with one of the tokens in SHEETBRIDGE_ADMIN_TOKEN", seconds)
}
