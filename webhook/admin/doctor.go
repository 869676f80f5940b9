package admin

import (
	"context"
	"net/http"
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	"github.com/sheetbridge/sheetbridge/webhook/diagnose"
	"github.com/sheetbridge/sheetbridge/webhook/problem"
)

// Bodies of answers that package diagnose makes.
type (
	Diagnosis       = diagnose.Diagnosis
	Check           = diagnose.Check
	ExplainedRow    = diagnose.ExplainedRow
	ExplainedFilter = diagnose.ExplainedFilter
	ExplainedCell   = diagnose.ExplainedCell
	ExplainedEvent  = diagnose.ExplainedEvent
)

// Explanation says why a partner has got a row or not.
type Explanation struct {
	diagnose.Explanation
	CompleteTo *CompleteTo `json:"completeTo"`
	Dead       []Dead      `json:"dead" nullable:"false" doc:"Hints for this row, or for its whole sheet, that were given up"`
}

type explainRequest struct {
	ID      string `path:"id" doc:"The webhook's id, as POST /v1/webhooks answered"`
	Partner string `path:"partner" doc:"Who may see it"`
	Sheet   string `path:"sheet" doc:"The partner's name for the sheet"`
	Row     string `path:"row" doc:"The row's id" example:"7129509179746180"`
}

func (a *API) routeDoctor(api huma.API) {
	register(api, operation{
		method: http.MethodGet, path: "/v1/doctor", id: "examine", tag: "doctor",
		summary: "Examine the bridge",
		description: "Looks at the bridge, its clock, NATS, whether it is reached from outside, the queue, and every owner, partner, webhook and share, and says what to do. " +
			"It asks Smartsheet one or two requests for each owner, within the owner's budget, and changes nothing.",
	}, func(ctx context.Context, _ *none) (*out[Diagnosis], error) {
		return &out[Diagnosis]{a.Doctor.Examine(ctx)}, nil
	})
	register(api, operation{
		method: http.MethodGet, path: "/v1/webhooks/{id}/shares/{partner}/{sheet}/rows/{row}/explain", id: "explainRow", tag: "shares",
		summary: "Explain why a row was sent or not",
		description: "Reads the row as the share does, asks the share's filter, and compares with the last event in the partner's stream. " +
			"It shows what the partner may see and nothing else, publishes nothing, and costs one to three requests of the owner's budget.",
		errors: []int{http.StatusNotFound, http.StatusServiceUnavailable},
	}, a.explain)
}

func (a *API) explain(ctx context.Context, in *explainRequest) (*out[Explanation], error) {
	row, err := strconv.ParseInt(in.Row, 10, 64)
	if err != nil || row <= 0 {
		return nil, httpProblem(http.StatusNotFound, "%q is no row's id: it is digits, as in the subject and in data.row.id of events", clip(in.Row))
	}
	reg, err := a.Registrar.Registration(in.ID)
	if err != nil {
		return nil, err
	}
	share := a.Registry.Share(in.Partner, in.Sheet)
	if share == nil || share.Ending || share.Registration != reg.ID {
		return nil, httpProblem(http.StatusNotFound, "webhook %s has no share %q of partner %q: GET /v1/webhooks/%s lists them", reg.ID, clip(in.Sheet), clip(in.Partner), reg.ID).
			next(problem.ShowWebhook.For(reg.ID))
	}
	x, err := a.Doctor.Explain(ctx, reg, share, row)
	if err != nil {
		return nil, err
	}
	shown := Explanation{Explanation: *x, CompleteTo: (*CompleteTo)(x.CompleteTo), Dead: []Dead{}}
	for _, d := range x.Dead {
		shown.Dead = append(shown.Dead, deadOf(d))
	}
	shown.Row = in.Row
	if err := a.auditPreview(ctx, "GET /v1/webhooks/:id/shares/:partner/:sheet/rows/:row/explain", share.Key()+"/"+in.Row, nil); err != nil {
		return nil, err
	}
	return &out[Explanation]{shown}, nil
}
