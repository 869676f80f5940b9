package admin

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/validation"
	"github.com/labstack/echo/v4"

	"github.com/sheetbridge/sheetbridge/events"
	"github.com/sheetbridge/sheetbridge/smartsheet"
	"github.com/sheetbridge/sheetbridge/webhook/owner"
	"github.com/sheetbridge/sheetbridge/webhook/partner"
	"github.com/sheetbridge/sheetbridge/webhook/problem"
	"github.com/sheetbridge/sheetbridge/webhook/registry"
)

const (
	contentProblem = "application/problem+json"
	maxNamed       = 10 // mistakes of one body
)

// answer is a problem in our words. The framework's own are plain ErrorModels.
type answer struct {
	huma.ErrorModel
	Action *Action `json:"action,omitempty"`
}

// httpProblem is an answer that refuses, with what to do about it.
func httpProblem(status int, format string, args ...any) *answer {
	return &answer{ErrorModel: huma.ErrorModel{Status: status, Title: http.StatusText(status), Detail: fmt.Sprintf(format, args...)}}
}

// fieldProblem is a problem with one field of the body.
func fieldProblem(status int, field, detail string) *answer {
	p := httpProblem(status, "%s: %s", field, detail)
	p.Errors = []*huma.ErrorDetail{{Location: "body." + field, Message: detail}}
	return p
}

// invalid is a body that cannot be, by the fault of one field.
func invalid(field, format string, args ...any) *answer {
	return fieldProblem(http.StatusUnprocessableEntity, field, fmt.Sprintf(format, args...))
}

// upstream is a refusal of NATS, with its words.
func upstream(doing string, err error) error {
	return &problem.Problem{Fault: problem.Upstream, Detail: fmt.Sprintf("%s: NATS refused: %v", doing, err), Err: err}
}

// refusal turns an error into the answer to the client. What the client has no
// use for goes into the request's log line.
func refusal(ctx context.Context, err error) error {
	var ready *answer
	var tight *owner.BudgetError
	var p *problem.Problem
	var request *events.RequestError
	var refused *smartsheet.Error
	switch {
	case errors.As(err, &ready):
		return ready
	case isAuditFailure(err):
		recordOf(ctx).err = err
		return auditFailed()
	case errors.As(err, &tight):
		seconds := strconv.Itoa(int(tight.Wait/time.Second) + 1)
		return huma.ErrorWithHeaders(
			httpProblem(http.StatusServiceUnavailable, "SHEETBRIDGE_API_RATE leaves the owner's token no request now: try again in %s s", seconds),
			http.Header{echo.HeaderRetryAfter: {seconds}})
	case errors.As(err, &p):
		return problemOf(ctx, p)
	case errors.As(err, &request):
		return invalid(request.Field, "%s", request.Detail)
	case errors.Is(err, partner.ErrBusy):
		return httpProblem(http.StatusServiceUnavailable, "%v", err)
	case errors.Is(err, registry.ErrNotFound): // it was there a moment ago
		return httpProblem(http.StatusNotFound, "it was removed by somebody else at the same moment")
	case errors.Is(err, registry.ErrExists):
		return httpProblem(http.StatusConflict, "there is one already")
	case errors.Is(err, registry.ErrConflict):
		return httpProblem(http.StatusConflict, "somebody else changed it at the same moment: look at it and try again")
	case errors.As(err, &refused):
		return problemOf(ctx, problem.FromSmartsheet("asking Smartsheet", err))
	}
	recordOf(ctx).err = err
	return httpProblem(http.StatusInternalServerError, "the bridge failed, not your request: its log has the cause. Try again, and report it if it stays")
}

func problemOf(ctx context.Context, p *problem.Problem) *answer {
	status := http.StatusUnprocessableEntity
	switch p.Fault {
	case problem.NotFound:
		status = http.StatusNotFound
	case problem.Conflict:
		status = http.StatusConflict
	case problem.Upstream:
		status = http.StatusBadGateway
		recordOf(ctx).err = p
	}
	answered := httpProblem(status, "%s", p.Detail)
	if p.Field != "" {
		answered = fieldProblem(status, p.Field, p.Detail)
	}
	answered.Action = p.Action
	return answered
}

// answerError answers what no operation did: requests without a token, to
// routes or with methods that do not exist, and panics.
func answerError(err error, c echo.Context) {
	if c.Response().Committed {
		return
	}
	var h *echo.HTTPError
	if errors.As(err, &h) {
		switch h.Code {
		case http.StatusNotFound:
			err = httpProblem(h.Code, "there is nothing here: GET /openapi.json tells what there is")
		case http.StatusMethodNotAllowed:
			err = httpProblem(h.Code, "there is no such method here: GET /openapi.json tells which there are")
		}
	}
	var p *answer
	if !errors.As(refusal(c.Request().Context(), err), &p) {
		p = httpProblem(http.StatusInternalServerError, "the bridge failed")
	}
	c.Response().Header().Set(echo.HeaderContentType, contentProblem)
	_ = c.JSON(p.Status, p) // nobody is left to tell
}

// polish makes the framework's problems ours: they name the fields in the
// detail and repeat nothing of the request, which may hold secrets. A body that
// is no JSON is one that cannot be, like one with a wrong field.
func polish(_ huma.Context, _ string, v any) (any, error) {
	p, ok := v.(*huma.ErrorModel)
	if !ok {
		return v, nil
	}
	if p.Status == http.StatusBadRequest {
		p.Status, p.Title = http.StatusUnprocessableEntity, http.StatusText(http.StatusUnprocessableEntity)
	}
	if p.Status >= http.StatusInternalServerError && len(p.Errors) > 0 { // a body that broke off
		p.Detail, p.Errors = "the request could not be read: send it again", nil
	}
	p.Errors = p.Errors[:min(len(p.Errors), maxNamed)]
	named := make([]string, len(p.Errors))
	for i, e := range p.Errors {
		e.Value = nil
		locate(e)
		named[i] = strings.TrimPrefix(e.Location, "body.") + ": " + e.Message
	}
	if len(named) > 0 {
		p.Detail = strings.Join(named, "; ")
	}
	return p, nil
}

// locate moves the place of an error to the property that lacks, or to where a
// body was not read strictly.
func locate(e *huma.ErrorDetail) {
	for _, message := range []string{msgTwice, msgNull, msgDeep} {
		if at, ok := strings.CutSuffix(e.Message, message); ok && e.Location == "body" {
			e.Location, e.Message = "body."+at, strings.TrimPrefix(message, ": ")
		}
	}
	var name string
	if n, err := fmt.Sscanf(e.Message, validation.MsgExpectedRequiredProperty, &name); err == nil && n == 1 {
		e.Location += "." + name
		e.Message = "is required"
	}
}

type humaContext huma.Context // else the name of the field would hide a method

// ourContext lets the status of the answer be what polish made of it, and media
// types be written in any case.
type ourContext struct{ humaContext }

// Header returns a header of the request.
func (c ourContext) Header(name string) string {
	value := c.humaContext.Header(name)
	if name == echo.HeaderContentType {
		return strings.ToLower(value)
	}
	return value
}

// SetStatus sets the status of the answer.
func (c ourContext) SetStatus(code int) {
	if code == http.StatusBadRequest {
		code = http.StatusUnprocessableEntity
	}
	c.humaContext.SetStatus(code)
}
