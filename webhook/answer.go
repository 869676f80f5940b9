package webhook

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"
	"go.opentelemetry.io/otel/attribute"

	"github.com/sheetbridge/sheetbridge/smartsheet"
	"github.com/sheetbridge/sheetbridge/webhook/registry"
	"github.com/sheetbridge/sheetbridge/webhook/tracing"
)

// Answer is what a callback was answered, for metrics.
type Answer struct {
	Status int
	Kind   string // events, status, verification; empty where it was refused before that was known
	Took   time.Duration
}

// refusal is an answer other than 200: a status of the contract, and why.
type refusal struct {
	status int
	why    string
	err    error
}

func (r *refusal) Error() string {
	if r.err != nil {
		return fmt.Sprintf("%s: %v", r.why, r.err)
	}
	return r.why
}

func refuse(status int, why string) error { return &refusal{status: status, why: why} }

// answerError turns an error into an answer. On the path of callbacks only the
// contract's codes leave.
func answerError(err error, c echo.Context) {
	if c.Response().Committed {
		return
	}
	why := "cannot answer now"
	var r *refusal
	var h *echo.HTTPError
	switch {
	case errors.As(err, &r):
		why = r.why
	case errors.As(err, &h):
		why = http.StatusText(h.Code)
	}
	if StatusOf(err) == http.StatusMethodNotAllowed && strings.HasPrefix(c.Request().URL.Path, registry.CallbackPath) {
		c.Response().Header().Set(echo.HeaderAllow, http.MethodPost) // the router knows of all methods there
	}
	// What is left of the body is not waited for.
	c.Response().Header().Set("Connection", "close")
	_ = c.String(StatusOf(err), why+"\n") // nobody is left to tell
}

// outcome is what the one log line of a callback says.
type outcome struct {
	registration string
	kind         string // see Answer
	events       int
	bytes        int
}

// kindOf names the kind of a callback, as Answer does.
func kindOf(cb *smartsheet.Callback) string {
	if cb.NewWebhookStatus != "" {
		return "status"
	}
	return "events"
}

// StatusOf is the status that a callback is answered with.
func StatusOf(err error) int {
	var r *refusal
	var h *echo.HTTPError
	switch {
	case err == nil:
		return http.StatusOK
	case errors.As(err, &r):
		return r.status
	case errors.As(err, &h):
		return h.Code
	}
	return http.StatusServiceUnavailable
}

// logCallback writes the one line of a callback, and counts it.
func (rc *Receiver) logCallback(ctx context.Context, out outcome, took time.Duration, err error) {
	status := StatusOf(err)
	if rc.Observe != nil {
		rc.Observe(Answer{Status: status, Kind: out.kind, Took: took})
	}
	level := slog.LevelInfo
	if status >= 500 {
		level = slog.LevelError
	} else if status >= 400 {
		level = slog.LevelWarn
	}
	if !rc.Log.Enabled(ctx, level) { // thousands may come in a second
		return
	}
	var left []slog.Attr
	if out.registration == "" && status < 500 { // everybody can send those
		var ok bool
		if left, ok = rc.Strangers.Next(); !ok {
			return
		}
	}
	var room [8]slog.Attr
	attrs := append(append(room[:0], tracing.LogAttrs(ctx)...), left...)
	attrs = append(attrs, slog.Int("status", status), slog.String("registration", out.registration),
		slog.String("kind", out.kind), slog.Int("events", out.events), slog.Int("bytes", out.bytes), slog.Duration("took", took))
	if err != nil {
		attrs = append(attrs, slog.Any("err", err))
	}
	rc.Log.LogAttrs(ctx, level, "callback", attrs...)
}

// attributes are what a callback's span says.
func (o outcome) attributes(err error) []attribute.KeyValue {
	return []attribute.KeyValue{
		attribute.Int("http.response.status_code", StatusOf(err)), attribute.String("sheetbridge.registration", o.registration),
		attribute.String("sheetbridge.kind", o.kind), attribute.Int("sheetbridge.events", o.events), attribute.Int("http.request.body.size", o.bytes),
	}
}
