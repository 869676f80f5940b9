package admin

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/labstack/echo/v4"

	"github.com/sheetbridge/sheetbridge/webhook/audit"
	"github.com/sheetbridge/sheetbridge/webhook/limits"
)

// AuditEntry is one entry of the audit log.
type AuditEntry struct {
	Sequence string          `json:"sequence" example:"17" doc:"Its place, from 1"`
	At       time.Time       `json:"at"`
	Who      string          `json:"who" doc:"Name of the admin token; bridge: of itself; owner …: in the browser" example:"alice"`
	What     string          `json:"what" example:"share added"`
	On       string          `json:"on" doc:"What it is about" example:"acme/orders"`
	Outcome  string          `json:"outcome" enum:"begun,done,refused,changed,previewed" doc:"Of an action: begun, and in another entry done or refused; of what is stored: changed; of an answer that shows cells: previewed"`
	Client   string          `json:"client,omitempty" doc:"Address that the request came from" example:"127.0.0.1"`
	Request  string          `json:"request,omitempty" doc:"Id of the request, as in the header X-Request-Id of its answer and in the log"`
	Details  json.RawMessage `json:"details,omitempty" doc:"More about it, without secrets"`
	Previous string          `json:"previous" doc:"SHA-256 of the entry before it"`
	Hash     string          `json:"hash" doc:"SHA-256 of this entry"`
}

type auditRequest struct {
	Limit  int    `query:"limit" minimum:"1" maximum:"1000" default:"100" doc:"How many at most"`
	Before uint64 `query:"before" doc:"Only entries before this sequence: to go on where an answer ended"`
}

func (a *API) routeAudit(api huma.API) {
	if a.Audit == nil {
		return
	}
	const tag = "audit"
	register(api, operation{
		method: http.MethodGet, path: "/v1/audit", id: "listAudit", tag: tag,
		summary: "List who did what", description: "Newest first. Every action of this API, every answer that shows cells, and every change of who is there and of what a partner may see.",
		errors: []int{http.StatusBadGateway},
	}, a.listAudit)
	register(api, operation{
		method: http.MethodGet, path: "/v1/audit/verify", id: "verifyAudit", tag: tag, within: verified,
		summary:     "Verify the audit log",
		description: "Follows the chain through all entries and checks their signatures. Keep sequence and hash of the answer somewhere else: the entry of that sequence must always have that hash.",
		errors:      []int{http.StatusBadGateway},
	}, a.verifyAudit)
}

func (a *API) listAudit(ctx context.Context, in *auditRequest) (*out[list[AuditEntry]], error) {
	entries, err := a.Audit.List(ctx, in.Before, in.Limit)
	if err != nil {
		return nil, upstream("listing the audit log", err)
	}
	var items []AuditEntry
	for _, e := range entries {
		items = append(items, AuditEntry{
			Sequence: strconv.FormatUint(e.Sequence, 10), At: e.At, Who: e.Who, What: e.What, On: e.On,
			Outcome: e.Outcome, Client: e.Client, Request: e.Request, Details: e.Details, Previous: e.Previous, Hash: e.Hash,
		})
	}
	return &out[list[AuditEntry]]{listOf(items)}, nil
}

func (a *API) verifyAudit(ctx context.Context, _ *none) (*out[audit.Report], error) {
	report, err := a.Audit.Verify(ctx)
	if err != nil {
		return nil, upstream("verifying the audit log", err)
	}
	return &out[audit.Report]{*report}, nil
}

// auditActions keeps every action in the audit log: that it begins, before anything
// is done, and how it ended. What cannot be kept is not done.
func (a *API) auditActions(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		req := c.Request()
		ctx := a.withCaller(req.Context(), req.RemoteAddr)
		c.SetRequest(req.WithContext(ctx))
		if a.Audit == nil || !acts(c) {
			return next(c)
		}
		what, on := req.Method+" "+c.Path(), req.URL.Path
		if err := a.appendAudit(ctx, what, on, audit.Begun, nil); err != nil {
			recordOf(ctx).err = err
			return auditFailed()
		}
		if err := next(c); err != nil {
			c.Error(err) // so that it has a status
		}
		status, outcome := c.Response().Status, audit.Done
		if status >= http.StatusMultipleChoices {
			outcome = audit.Refused
		}
		if err := a.appendAudit(context.WithoutCancel(ctx), what, on, outcome, map[string]int{"status": status}); err != nil {
			a.Log.Error("the end of an action is not in the audit log", "what", what, "status", status, "err", err)
		}
		return nil
	}
}

// withCaller returns a context in which what is done is done by who sent the request.
func (a *API) withCaller(ctx context.Context, remote string) context.Context {
	rec := recordOf(ctx)
	return audit.Via(audit.As(ctx, rec.who), limits.Address(remote), rec.id)
}

// auditPreview keeps in the audit log that somebody is shown cells. What cannot be
// kept is not shown.
func (a *API) auditPreview(ctx context.Context, what, on string, details any) error {
	if a.Audit == nil {
		return nil
	}
	return a.appendAudit(ctx, what, on, audit.Previewed, details)
}

// acts tells whether a request has something done that may change what there is,
// if it is allowed and right.
func acts(c echo.Context) bool {
	switch c.Request().Method {
	case http.MethodGet, http.MethodHead:
		return false
	}
	if c.Path() == "" || public(c.Path()) || c.Get(echo.ContextKeyHeaderAllow) != nil { // no such path, or no such method there
		return false
	}
	dry, _ := strconv.ParseBool(c.QueryParam("dryRun")) // read as the framework reads it
	return !dry || !slices.Contains(triable, c.Request().Method+" "+c.Path())
}

// triable are the calls that do nothing with dryRun.
var triable = []string{
	"POST " + pathWebhooks, "POST " + pathPartners, "PATCH " + pathPartners + "/:name", "PUT " + pathWebhooks + "/:id/shares/:partner/:sheet",
}

// auditTime bounds what an entry waits for those before it, and for NATS.
const auditTime = 20 * time.Second

func (a *API) appendAudit(ctx context.Context, what, on, outcome string, details any) error {
	ctx, cancel := context.WithTimeout(ctx, auditTime)
	defer cancel()
	return a.Audit.Append(ctx, what, on, outcome, details)
}

// auditFailed refuses what the audit log cannot take.
func auditFailed() *answer {
	return httpProblem(http.StatusServiceUnavailable, "the audit log cannot be written, and nothing is done that it does not say: look at NATS, and try again")
}

// isAuditFailure tells whether an error is about the audit log.
func isAuditFailure(err error) bool { return errors.Is(err, audit.ErrNotWritten) }
