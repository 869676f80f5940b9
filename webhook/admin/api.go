// Package admin is the admin API: JSON over HTTP, described by GET
// /openapi.json, for those who say which owners, partners and sheets the bridge
// connects. Every answer that refuses is a problem (RFC 9457) whose detail says
// what to do. Secrets go in and do not come out, except those that a request
// makes, in its own answer: the credentials of a partner, the URL of a callback
// and the address at which an owner consents.
package admin

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humaecho"
	"github.com/labstack/echo/v4"

	"github.com/sheetbridge/sheetbridge/events/broker"
	"github.com/sheetbridge/sheetbridge/webhook/audit"
	"github.com/sheetbridge/sheetbridge/webhook/diagnose"
	"github.com/sheetbridge/sheetbridge/webhook/inbox"
	"github.com/sheetbridge/sheetbridge/webhook/limits"
	"github.com/sheetbridge/sheetbridge/webhook/owner"
	"github.com/sheetbridge/sheetbridge/webhook/partner"
	"github.com/sheetbridge/sheetbridge/webhook/registrar"
	"github.com/sheetbridge/sheetbridge/webhook/registry"
	"github.com/sheetbridge/sheetbridge/webhook/relay"
)

// readyTime bounds what /readyz asks.
const readyTime = 5 * time.Second

// API is what the admin API works on. All fields but those that say so are
// required; they are not changed once there is a Handler.
type API struct {
	Registry  *registry.Registry
	Registrar *registrar.Registrar
	Partners  *partner.Partners
	Access    *owner.Access
	Inbox     *inbox.Inbox
	Audit     *audit.Log        // who did what; nil: nothing is kept
	Broker    *broker.Broker    // nil: NATS is external, and partners' accounts cannot be made
	Relay     *relay.Relay      // takes rows out of partners' streams
	Accounts  *partner.Accounts // who may read as a partner; nil: made of those above
	Doctor    *diagnose.Doctor
	Tokens    []Token // who may come in; none: nobody
	Version   string  // ours, for the OpenAPI document; empty: dev

	// Hosts are the names under which the listener answers; nil: those of loopback.
	Hosts Hosts
	// ClientCertificates wants one, verified by the listener, for all but probes.
	ClientCertificates bool
	// Refused is told why a request was refused before it was looked at: host,
	// origin, certificate, bearer or throttled; nil: nobody.
	Refused func(why string)
	// Strangers bounds the lines of the log about requests without a token of ours.
	Strangers *limits.Lines

	Ready   func(ctx context.Context) error // what /readyz asks; nil: always ready
	Metrics http.Handler                    // at /metrics; nil: none
	Console http.Handler                    // the page at /, and its files; nil: none
	Log     *slog.Logger

	// followers has a place for each request that follows what is published; these
	// end when closing is done.
	followers chan struct{}
	closing   context.Context
	close     context.CancelFunc
}

// Handler returns the handler of the admin listener: /v1 with a bearer token,
// and without one /openapi.json, /healthz, /readyz and /metrics. It reads the
// tokens once.
func (a *API) Handler() http.Handler {
	a.followers = make(chan struct{}, maxFollowers)
	a.closing, a.close = context.WithCancel(context.Background())
	if a.Hosts == nil {
		a.Hosts = DefaultHosts("")
	}
	e := echo.New()
	e.Logger.SetOutput(io.Discard) // one logger: a.Log
	e.HTTPErrorHandler = answerError
	e.Use(a.logRequests, a.checkHost, newGuard(a).bearerAuth, a.auditActions)
	api := humaecho.New(e, a.config())
	api.UseMiddleware(func(c huma.Context, next func(huma.Context)) { next(ourContext{c}) })
	a.routeCalls(api)
	a.routeConsole(e)
	a.routeProbes(e)
	described := sync.OnceValues(func() ([]byte, error) { return document(api) })
	e.GET(pathOpenAPI, func(c echo.Context) error {
		text, err := described()
		if err != nil {
			return err
		}
		return c.JSONBlob(http.StatusOK, text)
	})
	return e
}

// routeCalls routes all that is in the OpenAPI document.
func (a *API) routeCalls(api huma.API) {
	a.routeOwners(api)
	a.routeOAuth(api)
	a.routeAccess(api)
	a.routeKeys(api)
	a.routeAudit(api)
	a.routePartners(api)
	a.routeTerms(api)
	a.routeReading(api)
	a.routeContact(api)
	a.routeContract(api)
	a.routeCredentials(api)
	a.routeInvitations(api)
	a.routeWebhooks(api)
	a.routeShares(api)
	a.routeDead(api)
	a.routeDoctor(api)
	a.routeEvents(api)
	a.routeOverview(api)
	a.routeColumns(api)
	describeAction(api)
}

// EndStreams ends the answers that do not end by themselves. A server that shuts down
// waits for all others.
func (a *API) EndStreams() { a.close() }

// config is huma's own, without its pages and links.
func (a *API) config() huma.Config {
	version := a.Version
	if version == "" {
		version = "dev"
	}
	c := huma.DefaultConfig("Sheetbridge admin API", version)
	c.Info.Description = "Says which owners, partners and sheets the bridge connects. Ids of Smartsheet are strings. Refusals are application/problem+json (RFC 9457); their detail says what to do."
	c.Info.License = &huma.License{Name: "Apache 2.0", Identifier: "Apache-2.0"}
	c.Servers = []*huma.Server{{URL: "/", Description: "The admin listener that this document comes from"}}
	c.Tags = tags
	c.DocsPath, c.OpenAPIPath, c.SchemasPath = "", "", ""
	c.CreateHooks = nil
	c.Formats = map[string]huma.Format{"application/json": strictJSON(), "json": strictJSON()}
	c.Transformers = []huma.Transformer{polish}
	c.RejectUnknownQueryParameters = true
	c.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"bearer": {Type: "http", Scheme: "bearer", Description: "One of the tokens in SHEETBRIDGE_ADMIN_TOKEN. A read-only one may GET"},
	}
	c.Security = []map[string][]string{{"bearer": {}}}
	return c
}

// routeProbes routes what machines ask.
func (a *API) routeProbes(e *echo.Echo) {
	e.GET(pathHealth, func(c echo.Context) error { return c.String(http.StatusOK, "ok\n") })
	e.GET(pathReady, func(c echo.Context) error {
		ctx, cancel := context.WithTimeout(c.Request().Context(), readyTime)
		defer cancel()
		if a.Ready == nil {
			return c.String(http.StatusOK, "ready\n")
		}
		if err := a.Ready(ctx); err != nil {
			return httpProblem(http.StatusServiceUnavailable, "not ready: %v", err)
		}
		return c.String(http.StatusOK, "ready\n")
	})
	if a.Metrics != nil {
		e.GET(pathMetrics, echo.WrapHandler(a.Metrics))
	}
}

// now is the time as records keep it.
func now() time.Time { return time.Now().UTC().Truncate(time.Millisecond) }

// clip bounds what an answer repeats of a request.
func clip(s string) string { return s[:min(len(s), 64)] }
