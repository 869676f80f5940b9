package admin

import (
	"context"
	"encoding/json"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/labstack/echo/v4"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/webhook/problem"
	"github.com/sheetbridge/sheetbridge/webhook/registrar"
	"github.com/sheetbridge/sheetbridge/webhook/registry"
)

// pathWebhooks is where sheets are registered, and with dryRun only looked at.
const pathWebhooks = "/v1/webhooks"

// Webhook is a registration as the API shows it.
type Webhook struct {
	ID            string     `json:"id" doc:"Ours" format:"uuid"`
	WebhookID     *string    `json:"webhookId" doc:"Smartsheet's; null where the sheet is polled" example:"7034516294166404"`
	Owner         string     `json:"owner"`
	SheetID       string     `json:"sheetId" example:"4509506114742148"`
	SheetName     string     `json:"sheetName"`
	Status        string     `json:"status" doc:"Of the webhook at Smartsheet, or POLLING" example:"ENABLED"`
	Reason        string     `json:"reason,omitempty" doc:"Why it is disabled, in Smartsheet's words"`
	CallbackURL   *string    `json:"callbackUrl" doc:"Where Smartsheet calls. Its last part is a secret and shown in the answer to POST alone; null where the sheet is polled"`
	Shares        []Share    `json:"shares" nullable:"false"`
	LastCallback  *time.Time `json:"lastCallback" doc:"When Smartsheet last called with success, by its own count. It is asked every half of SHEETBRIDGE_RECONCILE_EVERY, so a newer callback may be missing here; null: none known"`
	LastReconcile *time.Time `json:"lastReconcile" doc:"When a share was last found to be complete; null: not yet, or unknown"`
	SheetVersion  *int64     `json:"sheetVersion" doc:"The newest version of the sheet that a share is complete to; null: none yet, or unknown"`
	Backlog       *int       `json:"backlog" doc:"Hints that wait to be worked off; null: unknown"`
	CreatedAt     time.Time  `json:"createdAt"`
	Warnings      []string   `json:"warnings,omitempty" doc:"After a registration: what the owner's token can do and need not"`
}

// NewWebhook is a sheet to be registered.
type NewWebhook struct {
	Owner   string     `json:"owner" doc:"In whose name the sheet is read" example:"ops"`
	SheetID string     `json:"sheetId" pattern:"^[0-9]{1,19}$" patternDescription:"a sheet's id: digits, in a string" example:"4509506114742148"`
	Shares  []NewShare `json:"shares" minItems:"1" maxItems:"500" nullable:"false"`
}

// Previews are what the shares of a request would show.
type Previews struct {
	Shares []Preview `json:"shares" nullable:"false"`
}

// Preview is what one share would show its partner.
type Preview struct {
	Partner string           `json:"partner"`
	Sheet   string           `json:"sheet"`
	Schema  map[string]any   `json:"schema" doc:"JSON Schema of a row's after"`
	Sample  []map[string]any `json:"sample" nullable:"false" doc:"Up to ten rows exactly as the partner would see them"`
	Events  []map[string]any `json:"events" nullable:"false" doc:"The events that the first load would publish of these rows"`
	Filter  FilterTrial      `json:"filter"`
	Refused string           `json:"refused,omitempty" doc:"Why the share would be refused as it is, though nothing is wrong with the request; absent: it would not be"`
}

// FilterTrial is what a filter says of the rows that were read.
type FilterTrial struct {
	Rows       int        `json:"rows" doc:"Rows that were read: all, or the first 2,000"`
	Total      int        `json:"total" doc:"Rows of the sheet"`
	Complete   bool       `json:"complete" doc:"All of them were read"`
	Shown      int        `json:"shown" doc:"Rows that the partner would see"`
	Hidden     int        `json:"hidden" doc:"Rows for which it is false"`
	Failed     int        `json:"failed" doc:"Rows on which it cannot be evaluated, which hides them"`
	HiddenRows []TriedRow `json:"hiddenRows" nullable:"false" doc:"Some of those"`
	FailedRows []TriedRow `json:"failedRows" nullable:"false" doc:"Some of those, with the error"`
}

// TriedRow is a row that a filter does not show.
type TriedRow struct {
	Row    string         `json:"row" doc:"Its id"`
	Number int            `json:"number"`
	Error  string         `json:"error,omitempty" doc:"Why the filter cannot be evaluated on it"`
	Fields map[string]any `json:"fields" nullable:"false" doc:"What the partner would see of it, if it were shown"`
}

type newWebhookRequest struct {
	DryRun      bool     `query:"dryRun" doc:"Show what would be shared, and make nothing"`
	NewPartners []string `query:"newPartners" maxItems:"500" nullable:"false" doc:"With dryRun: partners that shares may name though they are not there yet, separated by commas. What is masked with a hash is shown by a key of this moment"`
	PlannedAttributes
	Body NewWebhook
}

// newWebhookAnswer has a status and a body of three kinds.
type newWebhookAnswer struct {
	Status int
	Body   any
}

type webhookRequest struct {
	ID string `path:"id" doc:"Its id, as POST /v1/webhooks answered"`
}

func (a *API) routeWebhooks(api huma.API) {
	const tag = "webhooks"
	register(api, operation{
		method: http.MethodPost, path: pathWebhooks, id: "registerSheet", tag: tag, status: http.StatusCreated, body: largeBody, within: verified,
		summary: "Share a sheet", description: "Makes and enables a webhook at Smartsheet and answers 201; the first load follows by itself. " +
			"For the same owner and sheet again the shares are added, and the answer is 200. With dryRun it is 200 and what the partners would see, and nothing is made.",
		also: map[int][]reflect.Type{
			http.StatusCreated: {reflect.TypeFor[Webhook]()},
			http.StatusOK:      {reflect.TypeFor[Webhook](), reflect.TypeFor[Previews]()},
		},
		errors: []int{http.StatusConflict, http.StatusBadGateway, http.StatusServiceUnavailable},
	}, a.registerSheet)
	register(api, operation{
		method: http.MethodGet, path: pathWebhooks, id: "listWebhooks", tag: tag,
		summary: "List the shared sheets", description: "With the state of each share, as it stands in the partner's stream.",
	}, a.listWebhooks)
	register(api, operation{
		method: http.MethodGet, path: "/v1/webhooks/{id}", id: "getWebhook", tag: tag,
		summary: "Get a shared sheet", description: "With the state of each share, as it stands in the partner's stream.",
		errors: []int{http.StatusNotFound},
	}, a.getWebhook)
	register(api, operation{
		method: http.MethodDelete, path: "/v1/webhooks/{id}", id: "deleteWebhook", tag: tag, status: http.StatusNoContent,
		summary: "End a sheet's shares", description: "204: the webhook is gone at Smartsheet. 202: Smartsheet cannot be reached or refuses, and the deletion of the webhook is tried again until it is gone. " +
			"Either way the sheet is not listed any more, and what was published is removed from the partners' streams.",
		also:   map[int][]reflect.Type{http.StatusAccepted: {reflect.TypeFor[accepted]()}},
		errors: []int{http.StatusNotFound, http.StatusConflict},
	}, a.deleteWebhook)
	for _, later := range []struct {
		name, id, summary, description string
		do                             func(context.Context, string) error
	}{
		{"enable", "enableWebhook", "Enable the webhook now", "Has it looked at and enabled if it can be, and then the sheet compared.", a.Registrar.Enable},
		{"reconcile", "reconcileWebhook", "Compare the whole sheet now", "Reads it even if its version has not moved.", a.Registrar.Reconcile},
		{"rotate-secret", "rotateSecret", "Replace the shared secret now", "The old one is accepted for an hour more.", a.Registrar.RotateSecret},
	} {
		register(api, operation{
			method: http.MethodPost, path: "/v1/webhooks/{id}/" + later.name, id: later.id, tag: tag, status: http.StatusAccepted,
			summary: later.summary, description: later.description,
			errors: []int{http.StatusNotFound, http.StatusConflict, http.StatusBadGateway, http.StatusServiceUnavailable},
		}, func(ctx context.Context, in *webhookRequest) (*out[accepted], error) {
			if err := later.do(ctx, in.ID); err != nil {
				return nil, err
			}
			return &out[accepted]{accepted{later.name}}, nil
		})
	}
}

func (a *API) registerSheet(ctx context.Context, in *newWebhookRequest) (*newWebhookAnswer, error) {
	sheet, err := strconv.ParseInt(in.Body.SheetID, 10, 64)
	if err != nil || sheet <= 0 {
		return nil, invalid("sheetId", "%q is no sheet's id: GET /v1/owners/%s/sheets lists what the owner can read", in.Body.SheetID, clip(in.Body.Owner)).
			next(problem.ListSheets.For(clip(in.Body.Owner)))
	}
	requests := make([]events.Request, len(in.Body.Shares))
	for i, s := range in.Body.Shares {
		requests[i] = s.request()
	}
	if in.DryRun {
		planned, err := in.attributes()
		if err != nil {
			return nil, err
		}
		for i := range requests {
			requests[i].Attributes = planned[requests[i].Partner]
		}
		previews, err := a.Registrar.Preview(ctx, in.Body.Owner, sheet, requests, in.NewPartners)
		if err != nil {
			return nil, err
		}
		if err := a.auditPreview(ctx, "POST /v1/webhooks?dryRun=true", in.Body.Owner+"/"+in.Body.SheetID, previewDetails(previews)); err != nil {
			return nil, err
		}
		shown, err := previewsOf(previews)
		return &newWebhookAnswer{http.StatusOK, shown}, err
	}
	reg, created, err := a.Registrar.Register(ctx, in.Body.Owner, sheet, requests)
	if err != nil {
		return nil, err
	}
	shown := a.webhooksOf(ctx, []*registry.Registration{reg})[0]
	if reg.WebhookID != 0 {
		url := a.Registrar.CallbackURL(reg)
		shown.CallbackURL = &url
	}
	shown.Warnings = a.owners().Warnings(ctx, in.Body.Owner)
	if created {
		return &newWebhookAnswer{http.StatusCreated, shown}, nil
	}
	return &newWebhookAnswer{http.StatusOK, shown}, nil
}

// rawPreview is Preview with the JSON that partners get, byte for byte.
type rawPreview struct {
	Partner string            `json:"partner"`
	Sheet   string            `json:"sheet"`
	Schema  any               `json:"schema"`
	Sample  []events.Object   `json:"sample"`
	Events  []json.RawMessage `json:"events"`
	Filter  rawTrial          `json:"filter"`
	Refused string            `json:"refused,omitempty"`
}

// rawTrial is FilterTrial with the JSON that partners would get.
type rawTrial struct {
	Rows       int           `json:"rows"`
	Total      int           `json:"total"`
	Complete   bool          `json:"complete"`
	Shown      int           `json:"shown"`
	Hidden     int           `json:"hidden"`
	Failed     int           `json:"failed"`
	HiddenRows []rawTriedRow `json:"hiddenRows"`
	FailedRows []rawTriedRow `json:"failedRows"`
}

type rawTriedRow struct {
	Row    string        `json:"row"`
	Number int           `json:"number"`
	Error  string        `json:"error,omitempty"`
	Fields events.Object `json:"fields"`
}

// previewDetails say what was shown, without it: columns and numbers of rows.
func previewDetails(previews []registrar.Preview) any {
	shown := make([]map[string]any, len(previews))
	for i, p := range previews {
		columns := make([]string, len(p.Share.Fields))
		for j, f := range p.Share.Fields {
			columns[j] = f.Title
		}
		shown[i] = map[string]any{"partner": p.Share.Partner, "sheet": p.Share.Sheet, "columns": columns, "where": p.Share.Where, "rows": len(p.Sample)}
	}
	return shown
}

func previewsOf(previews []registrar.Preview) (any, error) {
	shares := make([]rawPreview, len(previews))
	for i, p := range previews {
		f := p.Filter
		shares[i] = rawPreview{p.Share.Partner, p.Share.Sheet, p.Share.Schema(), p.Sample, []json.RawMessage{}, rawTrial{
			f.Rows, f.Total, f.Complete, f.Shown, f.Hidden, f.Failed, triedRows(f.HiddenRows), triedRows(f.FailedRows),
		}, p.Refused}
		for _, e := range p.Events {
			text, err := e.AppendJSON(nil)
			if err != nil {
				return nil, err
			}
			shares[i].Events = append(shares[i].Events, text)
		}
	}
	return map[string]any{"shares": shares}, nil
}

func triedRows(rows []registrar.TriedRow) []rawTriedRow {
	shown := make([]rawTriedRow, len(rows))
	for i, r := range rows {
		shown[i] = rawTriedRow{strconv.FormatInt(r.ID, 10), r.Number, r.Error, r.Fields}
	}
	return shown
}

func (a *API) listWebhooks(ctx context.Context, _ *none) (*out[list[Webhook]], error) {
	var regs []*registry.Registration
	for _, reg := range a.Registry.Registrations() {
		if reg.Phase == registry.PhaseActive {
			regs = append(regs, reg)
		}
	}
	return &out[list[Webhook]]{listOf(a.webhooksOf(ctx, regs))}, nil
}

func (a *API) getWebhook(ctx context.Context, in *webhookRequest) (*out[Webhook], error) {
	reg, err := a.Registrar.Registration(in.ID)
	if err != nil {
		return nil, err
	}
	return &out[Webhook]{a.webhooksOf(ctx, []*registry.Registration{reg})[0]}, nil
}

// deletedAnswer is 204 without a body, or 202 with one.
type deletedAnswer struct{ Body func(huma.Context) }

func (a *API) deleteWebhook(ctx context.Context, in *webhookRequest) (*deletedAnswer, error) {
	gone, err := a.Registrar.Delete(ctx, in.ID)
	switch {
	case err != nil:
		return nil, err
	case gone:
		return &deletedAnswer{func(c huma.Context) { c.SetStatus(http.StatusNoContent) }}, nil
	}
	text, err := json.Marshal(accepted{"delete"})
	if err != nil {
		return nil, err
	}
	return &deletedAnswer{func(c huma.Context) {
		c.SetHeader(echo.HeaderContentType, echo.MIMEApplicationJSON)
		c.SetStatus(http.StatusAccepted)
		_, _ = c.BodyWriter().Write(append(text, '\n')) // nobody is left to tell
	}}, nil
}

// hideKey replaces the secret at the end of a callback URL.
func hideKey(url string) string {
	at := strings.LastIndex(url, registry.CallbackPath)
	return url[:at+len(registry.CallbackPath)] + "…"
}
