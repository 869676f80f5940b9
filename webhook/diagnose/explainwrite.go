package diagnose

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/webhook/budget"
	"github.com/sheetbridge/sheetbridge/webhook/owner"
	"github.com/sheetbridge/sheetbridge/webhook/problem"
	"github.com/sheetbridge/sheetbridge/webhook/registry"
	"github.com/sheetbridge/sheetbridge/webhook/write"
)

// WriteExplanation says what would become of a partner's write if it was asked for now.
type WriteExplanation struct {
	Partner string `json:"partner"`
	Sheet   string `json:"sheet"`
	SheetID string `json:"sheetId"`
	Row     string `json:"row,omitempty" doc:"Its id; absent: a new one"`

	Verdict string        `json:"verdict" doc:"In one sentence" example:"refused (conflict): status: the row is not as expected: decide again by what it is now"`
	Result  events.Result `json:"result" enum:"done,already,refused" doc:"done: it would be written. already: the row is so"`
	Code    events.Code   `json:"code,omitempty" doc:"Of the refusal, as the partner would get it"`
	Field   string        `json:"field,omitempty" doc:"What the refusal is about; absent: the whole write"`
	Detail  string        `json:"detail,omitempty" doc:"Why it would be refused, as the partner would get it"`
	Version int64         `json:"version,omitempty" doc:"Of the sheet when it was read; absent: the share's terms alone tell"`
	Writer  string        `json:"writer,omitempty" doc:"The owner in whose name it would be written"`
	Steps   []string      `json:"steps" nullable:"false" doc:"What to do, where something is to be done"`

	Action *problem.Action `json:"action,omitempty" doc:"The call of the first step that has one"`

	Current events.Object `json:"-"` // with a conflict: the row as the share shows it
}

// ExplainWrite says whether a write through a share would be allowed now, by the checks
// that make writes. Nothing is written, and the partner's rate is left alone. What
// Smartsheet refuses the writer is part of the explanation; an error is what kept us from
// asking.
func (d *Doctor) ExplainWrite(ctx context.Context, share *registry.Share, request events.WriteRequest) (*WriteExplanation, error) {
	answer, writer, err := write.NewJudge(d.Registry, d.Access).Check(ctx, share, request, budget.Callback)
	if tight := (*owner.BudgetError)(nil); errors.As(err, &tight) || err != nil && ctx.Err() != nil {
		return nil, err
	}
	if err != nil {
		return nil, problem.FromSmartsheet("reading the sheet", err)
	}
	x := &WriteExplanation{
		Partner: share.Partner, Sheet: share.Sheet, SheetID: strconv.FormatInt(share.SheetID, 10),
		Result: answer.Result, Code: answer.Code, Field: answer.Field, Detail: answer.Detail, Current: answer.Current,
		Version: answer.Version, Writer: writer.Name, Steps: []string{},
	}
	if answer.Row != nil {
		x.Row = *answer.Row
	}
	switch x.Result {
	case events.ResultDone:
		x.Verdict = "allowed: it would be written in the name of owner " + x.Writer
	case events.ResultAlready:
		x.Verdict = "allowed: nothing would be written, since the row is so already"
	case events.ResultRefused:
		about := x.Detail
		if x.Field != "" {
			about = x.Field + ": " + about
		}
		x.Verdict = fmt.Sprintf("refused (%s): %s", x.Code, about)
		x.advise(share)
	}
	return x, nil
}

// advise says what leads out of a refusal, where that is the admin's to do.
func (x *WriteExplanation) advise(share *registry.Share) {
	switch x.Code {
	case events.CodeNotWritable, events.CodeNotShared, events.CodeCheckFailed, events.CodeLeavesView:
		x.Steps = append(x.Steps, "change the share, if the partner is to write this: PUT /v1/webhooks/"+share.Registration+"/shares/"+share.Partner+"/"+share.Sheet)
		x.Action = problem.ChangeShare.For(share.Registration, share.Partner, share.Sheet)
	case events.CodeNotVisible:
		if x.Row != "" {
			x.Steps = append(x.Steps, "see why the share does not show the row: GET /v1/webhooks/"+share.Registration+"/shares/"+share.Partner+"/"+share.Sheet+"/rows/"+x.Row+"/explain")
			x.Action = problem.ExplainRow.For(share.Registration, share.Partner, share.Sheet, x.Row)
		}
	case events.CodeOwnerRefused:
		x.Steps = append(x.Steps, "give the writer access: GET /v1/doctor says what is wrong with owners; it must be allowed to edit the sheet")
		x.Action = problem.Examine.For()
	}
}
