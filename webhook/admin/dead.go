package admin

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/sheetbridge/sheetbridge/webhook/inbox"
	"github.com/sheetbridge/sheetbridge/webhook/problem"
)

// Dead is a hint that was given up.
type Dead struct {
	ID       string    `json:"id" example:"17"`
	Webhook  string    `json:"webhook" doc:"Id of the registration that it is for"`
	Reason   string    `json:"reason" doc:"Why it was given up"`
	At       time.Time `json:"at" doc:"When it was given up"`
	Why      string    `json:"why" enum:"callback,reconcile,admin,share" doc:"Who gave it"`
	Whole    bool      `json:"whole" doc:"It was for the whole sheet"`
	Rows     []string  `json:"rows" nullable:"false" doc:"Rows that it was for, at most a hundred of them"`
	Attempts int       `json:"attempts" doc:"Passes that failed for it"`
}

// maxRows is how many rows of a dead hint are shown.
const maxRows = 100

func deadOf(d inbox.Dead) Dead {
	shown := Dead{ID: d.ID, Reason: d.Reason, At: d.At, Rows: []string{}}
	if h := d.Hint; h != nil {
		shown.Webhook, shown.Why, shown.Whole, shown.Attempts = h.Registration, string(h.Why), h.Whole, h.Attempt
		for id := range h.Rows {
			shown.Rows = append(shown.Rows, strconv.FormatInt(id, 10))
		}
		slices.Sort(shown.Rows)
		shown.Rows = shown.Rows[:min(len(shown.Rows), maxRows)]
	}
	return shown
}

type deadListRequest struct {
	Limit int `query:"limit" minimum:"1" maximum:"1000" default:"100" doc:"How many at most"`
}

type deadRequest struct {
	ID string `path:"id" doc:"Its id, as GET /v1/dead lists it"`
}

func (a *API) routeDead(api huma.API) {
	const tag = "dead"
	register(api, operation{
		method: http.MethodGet, path: "/v1/dead", id: "listDead", tag: tag,
		summary: "List the hints that were given up", description: "Newest first. One is given up after about half an hour of failures, or at once where Smartsheet called the request wrong. What it was for is found by the next reconcile as well; the hint stays in the list until it is tried again, for 90 days at most.",
		errors: []int{http.StatusBadGateway},
	}, a.listDead)
	register(api, operation{
		method: http.MethodPost, path: "/v1/dead/{id}/retry", id: "retryDead", tag: tag, status: http.StatusAccepted,
		summary: "Try a hint again", description: "It is worked on as if it had just come, and leaves the list.",
		errors: []int{http.StatusNotFound, http.StatusBadGateway},
	}, a.retryDead)
}

func (a *API) listDead(ctx context.Context, in *deadListRequest) (*out[list[Dead]], error) {
	dead, err := a.Inbox.Dead(ctx, in.Limit)
	if err != nil {
		return nil, upstream("listing the hints", err)
	}
	var items []Dead
	for _, d := range dead {
		items = append(items, deadOf(d))
	}
	return &out[list[Dead]]{listOf(items)}, nil
}

func (a *API) retryDead(ctx context.Context, in *deadRequest) (*out[accepted], error) {
	err := a.Inbox.Retry(ctx, in.ID)
	if errors.Is(err, inbox.ErrNotFound) {
		return nil, httpProblem(http.StatusNotFound, "no hint with the id %q was given up: GET /v1/dead lists them", clip(in.ID)).next(problem.ListDead.For())
	}
	if err != nil {
		return nil, upstream("sending the hint again", err)
	}
	return &out[accepted]{accepted{"retry"}}, nil
}
