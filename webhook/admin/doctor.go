package admin

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/webhook/diagnose"
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
	register(api, operation{
		method: http.MethodPost, path: "/v1/webhooks/{id}/shares/{partner}/{sheet}/explain-write", id: "explainWrite", tag: "shares", body: smallBody,
		summary: "Explain whether a write would be allowed",
		description: "Judges a write by the share's terms and the sheet as it is now, with the checks that make writes, and says what the partner would be answered. " +
			"Nothing is written, and it does not count among the partner's writes. It reads the sheet in the writer's name, within its budget.",
		errors: []int{http.StatusNotFound, http.StatusBadGateway, http.StatusServiceUnavailable},
	}, a.explainWrite)
}

// WriteExplanation says what would become of a write.
type WriteExplanation struct {
	diagnose.WriteExplanation
	Current map[string]any `json:"current,omitempty" doc:"With conflict: the row as the share shows it"`
}

// ProposedWrite is a write to be judged.
type ProposedWrite struct {
	Op     string         `json:"op" enum:"update,create,delete"`
	Row    string         `json:"row,omitempty" pattern:"^[0-9]{1,19}$" patternDescription:"a row's id: digits, in a string" example:"7129509179746180" doc:"Of update and delete"`
	Expect map[string]any `json:"expect,omitempty" doc:"Of update and delete: what the partner takes the row for, by field. Absent: what it is"`
	Set    map[string]any `json:"set,omitempty" doc:"Of update and create: the values, by field, as events have them"`
}

type explainWriteRequest struct {
	ID      string `path:"id" doc:"The webhook's id, as POST /v1/webhooks answered"`
	Partner string `path:"partner" doc:"Who would write"`
	Sheet   string `path:"sheet" doc:"The partner's name for the sheet"`
	Body    ProposedWrite
	RawBody []byte
}

func (a *API) explainWrite(ctx context.Context, in *explainWriteRequest) (*out[WriteExplanation], error) {
	share, err := a.Registrar.Share(in.ID, in.Partner, in.Sheet)
	if err != nil {
		return nil, err
	}
	var values struct{ Expect, Set json.RawMessage } // as they were sent: numbers keep their digits
	if err := json.Unmarshal(in.RawBody, &values); err != nil {
		return nil, err
	}
	request, refusal := events.ProposeWrite(events.Op(in.Body.Op), in.Body.Row, values.Expect, values.Set)
	if refusal != nil {
		return nil, invalid(refusal.Field, "%s", refusal.Detail)
	}
	x, err := a.Doctor.ExplainWrite(ctx, share, request)
	if err != nil {
		return nil, err
	}
	shown := WriteExplanation{WriteExplanation: *x}
	if x.Current != nil {
		shown.Current = map[string]any{}
		for _, v := range x.Current {
			shown.Current[v.Name] = v.JSON
		}
	}
	return &out[WriteExplanation]{shown}, nil
}

func (a *API) explain(ctx context.Context, in *explainRequest) (*out[Explanation], error) {
	row, err := strconv.ParseInt(in.Row, 10, 64)
	if err != nil || row <= 0 {
		return nil, httpProblem(http.StatusNotFound, "%q is no row's id: it is digits, as in the subject and in data.row.id of events", clip(in.Row))
	}
	share, err := a.Registrar.Share(in.ID, in.Partner, in.Sheet)
	if err != nil {
		return nil, err
	}
	reg, err := a.Registrar.Registration(in.ID)
	if err != nil {
		return nil, err
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
